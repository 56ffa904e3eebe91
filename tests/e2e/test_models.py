"""The classifier and the reranker behind SageMaker: asked when well, not missed when not."""

from __future__ import annotations

import pytest

from tests.e2e.chatting import lacking
from tools.twin.supervisor import Twin

UNSURE = "青年向けのミステリーのおすすめは？"
"""Answered from the catalogue, and about which no rule is sure."""
SERVICE = "sagemaker-runtime"

pytestmark = pytest.mark.environments("prod")


@pytest.mark.environments("local", "prod")
@pytest.mark.req("INT-3", "RET-3")
async def test_both_endpoints_take_part_in_a_turn(twin: Twin) -> None:
    shown, final = await lacking(twin, UNSURE)
    assert shown
    assert final.metadata.intent_source == "classifier"
    assert "rerank" in final.metadata.timings_ms
    assert len(final.cards) >= 3


@pytest.mark.req("RET-3")
@pytest.mark.parametrize(
    "fault",
    [{"kind": "delay", "delay_ms": 1_500}, {"kind": "error"}, {"kind": "throttle"}, {"kind": "garbage"}],
    ids=lambda fault: fault["kind"],
)
async def test_a_turn_does_without_the_reranker(twin: Twin, fault: dict[str, object]) -> None:
    twin.set_fault(SERVICE, {**fault, "match": "reranker"})
    try:
        shown, final = await lacking(twin, UNSURE, "reranker")
    finally:
        twin.clear_faults(SERVICE)
    assert shown
    assert final.metadata.retrieval_mode == "vector"
    assert len(final.cards) >= 3
