"""The planner: the published figures, its parts, and what a load needs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mangaassist.capacity.offers import Traffic, offers, traffic
from stacks.environments import ENVIRONMENTS, environment_named
from tools.cost.idle import idle_cost, idle_cost_of_template, total
from tools.cost.planner import MessageCost, message_cost, size, throughput_options, value
from tools.cost.prices import Price, PriceList, UnknownPrice, Workload, prices, quotas, workload

PROD = ENVIRONMENTS["prod"]


def cost() -> MessageCost:
    return message_cost(PROD, workload(), prices())


@pytest.mark.req("CAP-4")
def test_a_message_costs_what_was_published() -> None:
    low, high = workload().published_message_usd
    assert (low, high) == (0.003, 0.005)
    assert low <= cost().blended <= high


@pytest.mark.req("CAP-4")
def test_the_parts_add_up_and_the_model_is_most_of_it() -> None:
    parts = {each.name: each.usd for each in cost().components}
    assert cost().variable == pytest.approx(sum(parts.values()))
    assert parts["strong model"] > 0.8 * cost().variable
    assert all(usd > 0 for usd in parts.values())


@pytest.mark.req("CAP-4")
def test_the_strong_models_part_by_hand() -> None:
    # 55% of messages; (2,200 - 700) prompt tokens at 2 USD/M, 700 cached at 0.10, 220 answer tokens at 10.
    parts = {each.name: each.usd for each in cost().components}
    assert parts["strong model"] == pytest.approx(0.55 * (1_500 * 2 + 700 * 0.10 + 220 * 10) / 1e6)


def test_fixed_costs_are_spread_over_the_months_messages() -> None:
    assert cost().fixed == pytest.approx(total(idle_cost(PROD)) / 30_000_000)
    quiet = workload().model_copy(update={"messages_per_month": 30_000})
    assert message_cost(PROD, quiet, prices()).fixed == pytest.approx(1_000 * cost().fixed)


@pytest.mark.req("CAP-4")
def test_buying_is_held_against_on_demand() -> None:
    options = {
        each.model_id: each for each in throughput_options(offers().models, traffic(), workload(), prices())
    }
    sonnet = options["anthropic.claude-sonnet-5-5"]
    assert (sonnet.advice, sonnet.units, sonnet.break_even_utilisation) == ("not purchasable", None, None)
    nova = options["amazon.nova-pro-v1:0"]
    per_token = (2_200 * 0.80 + 220 * 3.20) / 2_420 / 1e6
    assert nova.break_even_utilisation == pytest.approx(21.0 / (200_000 * 60 * per_token), abs=0.001)
    assert nova.advice == "never cheaper"


@pytest.mark.req("CAP-4")
def test_a_cheaper_unit_pays_above_its_break_even() -> None:
    cheap = {
        **prices().prices,
        "bedrock.model_unit.no_commitment": Price(
            usd=5.0, unit="unit hour", source="a quote of the account manager", confidence="confirmed"
        ),
    }
    busy = Traffic(as_of="2026-11-20", source="test", tokens_per_minute_by_hour=(190_000.0,) * 24)  # pyright: ignore[reportArgumentType]
    options = throughput_options(
        offers().models, busy, workload(), prices().model_copy(update={"prices": cheap})
    )
    (nova,) = [each for each in options if each.model_id == "amazon.nova-pro-v1:0"]
    assert nova.advice == "buy above it"
    assert nova.bought_usd_per_month is not None
    assert nova.on_demand_usd_per_month is not None
    assert nova.bought_usd_per_month < nova.on_demand_usd_per_month


@pytest.mark.req("CAP-4")
def test_fifty_thousand_messages_a_second_and_half_a_million_sessions() -> None:
    planned = size(50_000, 500_000, workload(), quotas())
    needs = {need.name: need for need in planned.needs}
    assert planned.concurrency == 175_000, "3.5 s each"
    assert needs["message function, warm"].amount == 210_000, "a fifth on top"
    assert needs["API Gateway, in and out"].amount == 450_000, "one in, eight coalesced posts out"
    assert needs["reconnecting after a break"].amount == pytest.approx(833.3, abs=0.1)
    assert needs["sessions table, writes"].amount == 250_000
    assert planned.cells == 210, "the narrowest quota decides: Lambda's thousand executions"
    chatty = size(50_000, 500_000, workload(), quotas(), coalesced=False)
    assert {need.name: need.amount for need in chatty.needs}["API Gateway, in and out"] == 1_550_000


def test_a_small_load_fits_one_cell() -> None:
    assert size(50, 5_000, workload(), quotas()).cells == 1


@pytest.mark.req("CAP-4")
def test_what_a_resolved_conversation_costs_and_when_that_pays() -> None:
    worth = value(MessageCost((), fixed=0.004), workload())
    assert worth.conversation_usd == pytest.approx(0.016), "four messages"
    assert worth.resolved_conversation_usd == pytest.approx(0.016 / 0.62)
    assert worth.break_even_deflection == pytest.approx(0.016 / 5.50)


@pytest.mark.req("CAP-4")
def test_every_price_has_a_source_and_says_how_sure_it_is() -> None:
    assert prices().as_of.isoformat() == "2026-11-20"
    assert "sagemaker.ml.g6.xlarge" in prices().unconfirmed()
    with pytest.raises(UnknownPrice, match=r"prices\.json"):
        prices().usd("gold.ounce")
    with pytest.raises(ValidationError):
        PriceList.model_validate({**prices().model_dump(), "prices": {"x": {"usd": 1, "unit": "one"}}})


def test_every_model_of_the_workload_and_every_instance_type_has_a_price() -> None:
    for settings in ENVIRONMENTS.values():
        assert message_cost(settings, workload(), prices()).blended > 0


def test_shares_that_do_not_add_up_are_refused() -> None:
    broken = {**workload().model_dump(), "answered_by": {"strong": 0.5, "economy": 0.2, "template": 0.2}}
    with pytest.raises(ValidationError, match="add up"):
        Workload.model_validate(broken)


@pytest.mark.req("CAP-6")
@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_lean_has_nothing_that_costs_while_idle(name: str) -> None:
    assert idle_cost(environment_named(name, "lean")) == ()


@pytest.mark.req("CAP-6")
def test_what_prod_costs_idle_by_stack() -> None:
    found = {(line.concern, line.item): line.usd_per_month for line in idle_cost(PROD)}
    assert found["Network", "NAT gateways"] == pytest.approx(2 * 0.045 * 730)
    assert found["Search", "search units (OCU)"] == pytest.approx(4 * 0.24 * 730)
    assert found["Models", "reranker endpoint"] == pytest.approx(2 * 1.13 * 730)
    assert found["Chat", "warm message functions"] == pytest.approx(75.67, abs=0.01)
    # 40 shoppers x 1.2 are 48 environments, 43 above the base, 10.25 hours a day.
    assert found["Capacity", "message in business hours"] == pytest.approx(
        75.67 / 5 * 43 * 10.25 / 24, abs=0.05
    )


def test_a_template_is_priced_by_its_resource_types() -> None:
    template = {
        "Resources": {
            "Key": {"Type": "AWS::KMS::Key"},
            "Other": {"Type": "AWS::KMS::Key"},
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "x"}},
            "Odd": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"ThresholdMetricId": "band"}},
            "Firewall": {"Type": "AWS::WAFv2::WebACL", "Properties": {"Rules": [{}, {}, {}]}},
            "Gateway": {
                "Type": "AWS::EC2::VPCEndpoint",
                "Properties": {"VpcEndpointType": "Gateway"},
            },
            "Table": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {}},
        }
    }
    found = {line.item: line.usd_per_month for line in idle_cost_of_template("Any", template)}
    assert found == {"keys": 2.0, "alarms": 0.4, "web ACL": 5.0, "web ACL rules": 3.0}
