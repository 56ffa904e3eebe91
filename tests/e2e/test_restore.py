"""The restore drill on prod's templates: items brought back, the index built again."""

from __future__ import annotations

import pytest

from tools.mangactl.capacity_rehearsals import Stage
from tools.mangactl.restore_rehearsal import rehearse_restore
from tools.twin.supervisor import Twin

pytestmark = pytest.mark.environments("prod")


@pytest.mark.req("IAC-4")
def test_damaged_items_and_a_lost_index_come_back(twin: Twin) -> None:
    stage = Stage(twin, print)
    rehearse_restore(stage)
    assert any("point-in-time recovery is on" in step for step in stage.steps)
