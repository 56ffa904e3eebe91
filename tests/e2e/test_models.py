"""The classifier and the reranker behind SageMaker: asked when well, not missed when not."""

from __future__ import annotations

import pytest

from tests.e2e.test_chat import answer, connect
from tools.twin.supervisor import Twin

UNSURE = "青年向けのミステリーのおすすめは？"
"""Answered from the catalogue, and about which no rule is sure."""
SERVICE = "sagemaker-runtime"

pytestmark = pytest.mark.environments("local", "prod")


@pytest.mark.req("INT-3", "RET-3")
async def test_both_endpoints_take_part_in_a_turn(twin: Twin) -> None:
    async with await connect(twin) as client:
        _, shown, final = await answer(client, UNSURE)
    assert shown
    assert final.metadata.intent_source == "classifier"
    assert "rerank" in final.metadata.timings_ms
    assert not {"reranker", "intent-classifier"} & set(final.metadata.degraded)
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
        async with await connect(twin) as client:
            _, shown, final = await answer(client, UNSURE)
    finally:
        twin.clear_faults(SERVICE)
    assert shown
    assert final.metadata.degraded == ["reranker"]
    assert final.metadata.retrieval_mode == "vector"
    assert len(final.cards) >= 3
