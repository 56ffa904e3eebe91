"""A tier resolves to what was bought for its model, and overflows to on demand before another tier steps in."""

from __future__ import annotations

import pytest

from mangaassist.adapters.dynamodb_capacity import CACHE_SECONDS, DynamoDBProvisionedModels
from mangaassist.generation.policy import built_in_policy
from mangaassist.generation.provisioned import NothingProvisioned, with_provisioned

ARN = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123"
SONNET = "anthropic.claude-sonnet-5-5"


@pytest.mark.req("GEN-9")
def test_the_bought_link_stands_in_front_of_its_own_model() -> None:
    chain = built_in_policy().chain("answer_synthesis")
    links = with_provisioned(chain, {SONNET: ARN})
    assert [(link.tier, link.target) for link in links] == [
        ("strong", ARN),
        ("strong", f"global.{SONNET}"),
        ("strong_fallback", "global.anthropic.claude-sonnet-4-6"),
        ("economy", "global.anthropic.claude-haiku-5-5"),
    ]
    assert links[0]._replace(provisioned_arn=None) == links[1]
    assert links[0].model_id == f"global.{SONNET}", "metadata names the model, never an account's ARN"


@pytest.mark.req("GEN-9")
def test_without_a_purchase_the_chain_is_the_policys() -> None:
    chain = built_in_policy().chain("answer_synthesis")
    assert with_provisioned(chain, {}) == chain
    assert with_provisioned(chain, {"amazon.nova-lite-v1:0": ARN}) == chain


async def test_nothing_is_provisioned_by_default() -> None:
    assert await NothingProvisioned().active() == {}


class Table:
    """Answers from a queue, or fails where an error stands in it."""

    def __init__(self, *answers: dict[str, str] | Exception) -> None:
        self.answers = list(answers)
        self.reads = 0

    def get_item(self, **request: object) -> dict[str, object]:
        assert request["Key"] == {"pk": {"S": "PROVISIONED"}, "sk": {"S": "ACTIVE"}}
        self.reads += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Item": {"models": {"M": {model: {"S": arn} for model, arn in answer.items()}}}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_is_published_is_read_once_in_thirty_seconds() -> None:
    clock, table = Clock(), Table({SONNET: ARN}, {})
    models = DynamoDBProvisionedModels(table, "capacity", clock=clock)
    assert await models.active() == {SONNET: ARN}
    clock.now = CACHE_SECONDS - 1
    assert await models.active() == {SONNET: ARN}
    assert table.reads == 1
    clock.now = CACHE_SECONDS
    assert await models.active() == {}
    assert table.reads == 2


async def test_a_silent_table_leaves_the_last_answer_standing() -> None:
    from botocore.exceptions import ReadTimeoutError

    clock, table = Clock(), Table({SONNET: ARN}, ReadTimeoutError(endpoint_url="https://dynamodb"))
    models = DynamoDBProvisionedModels(table, "capacity", clock=clock)
    await models.active()
    clock.now = CACHE_SECONDS
    assert await models.active() == {SONNET: ARN}
