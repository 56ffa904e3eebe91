"""Whether reranking helps, on questions written by hand (evals/relevance.csv)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.twin.models.relevance import measure, rows


def test_every_question_has_an_answer_in_the_catalogue() -> None:
    found = rows()
    assert len(found) >= 60
    assert all(row.answers for row in found), [row.question for row in found if not row.answers]
    assert {row.language for row in found} == {"en", "ja"}
    assert len({row.question for row in found}) == len(found)


@pytest.mark.req("RET-3")
def test_the_kept_three_are_better_after_reranking(models_folder: Path) -> None:
    measured = measure(models_folder)
    for language in ("en", "ja"):
        assert measured[language]["kept_after"] > measured[language]["kept_before"], language
        assert measured[language]["first_after"] >= measured[language]["first_before"], language
    assert measured["all"]["kept_after"] >= 0.85
