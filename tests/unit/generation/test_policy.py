"""The model policy is judged by shape and by meaning, and tells what to call for a task."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import jsonschema
import pytest

from mangaassist.errors import InvalidModelPolicy
from mangaassist.generation.models import model_catalogue, split_profile
from mangaassist.generation.policy import (
    POLICY_FILE,
    SCHEMA_FILE,
    TASKS,
    built_in_policy,
    json_schema,
    parse_policy,
)

Document = dict[str, Any]
SONNET_4_5 = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.fixture
def document() -> Document:
    return json.loads(POLICY_FILE.read_text(encoding="utf-8"))


def problems_of(document: Document | str | bytes, **options: Any) -> tuple[str, ...]:
    text = json.dumps(document) if isinstance(document, dict) else document
    with pytest.raises(InvalidModelPolicy) as refused:
        parse_policy(text, **options)
    return refused.value.problems


# --- the built-in policy --------------------------------------------------------------------------


@pytest.mark.req("GEN-1")
def test_the_built_in_policy_binds_every_task_to_a_model_in_service() -> None:
    policy = built_in_policy()
    assert tuple(policy.tasks) == TASKS
    for task in TASKS:
        for choice in policy.chain(task):
            model = model_catalogue().find(choice.model_id)
            assert model is not None
            assert (model.kind, model.status) == ("text", "active")


@pytest.mark.req("GEN-1")
def test_a_chain_holds_the_tier_and_then_those_that_step_in(document: Document) -> None:
    chain = built_in_policy().chain("answer_synthesis")
    assert [choice.tier for choice in chain] == ["strong", "strong_fallback", "economy"]
    assert [choice.model_id for choice in chain] == [
        document["tiers"][tier]["model_id"] for tier in ("strong", "strong_fallback", "economy")
    ]
    assert {(choice.max_tokens, choice.timeout_ms) for choice in chain} == {(800, 8_000)}


def test_a_model_gets_only_the_parameters_it_takes(document: Document) -> None:
    document["tasks"]["answer_synthesis"]["parameters"] = {"effort": "low", "thinking": {"type": "disabled"}}
    strong, strong_fallback, economy = parse_policy(json.dumps(document)).chain("answer_synthesis")
    assert strong.parameters == {"effort": "low"}
    assert strong_fallback.parameters == {}
    assert economy.parameters == {"effort": "low", "thinking": {"type": "disabled"}}


def test_a_flip_to_models_that_take_no_parameters_keeps_them_for_the_way_back(document: Document) -> None:
    document["tasks"]["answer_synthesis"] |= {
        "tier": "strong_fallback",
        "fallback": ["economy_fallback"],
        "parameters": {"effort": "low"},
    }
    chain = parse_policy(json.dumps(document)).chain("answer_synthesis")
    assert [choice.parameters for choice in chain] == [{}, {}]


# --- by meaning -----------------------------------------------------------------------------------


def _rename_task(document: Document) -> None:
    document["tasks"]["answer_synthesys"] = document["tasks"]["answer_synthesis"]


def _drop_task(document: Document) -> None:
    del document["tasks"]["judge"]


def _empty_chain(document: Document) -> None:
    document["tasks"]["judge"]["fallback"] = []


def _undefined_tier(document: Document) -> None:
    document["tasks"]["judge"]["fallback"] = ["mighty"]


def _repeated_tier(document: Document) -> None:
    document["tasks"]["judge"]["fallback"] = ["strong_fallback", "strong"]


def _strong_for_cheap(document: Document) -> None:
    document["tasks"]["intent_classification"]["tier"] = "strong"


def _strong_behind_an_economy_name(document: Document) -> None:
    document["tiers"]["economy"]["model_id"] = "global.anthropic.claude-sonnet-5-5"


def _parameter_nobody_takes(document: Document) -> None:
    document["tasks"]["judge"]["parameters"] = {"temprature": 0.2}


def _wrong_dimensions(document: Document) -> None:
    document["embedding"]["dimensions"] = 768


def _language_model_as_embedding(document: Document) -> None:
    document["embedding"]["model_id"] = "global.anthropic.claude-haiku-5-5"


def _unknown_field(document: Document) -> None:
    document["tasks"]["judge"]["temperature"] = 0.2


def _too_many_tokens(document: Document) -> None:
    document["tasks"]["judge"]["max_tokens"] = 100_000


def _timeout_beyond_the_turn(document: Document) -> None:
    document["tasks"]["judge"]["timeout_ms"] = 25_001


def _number_as_text(document: Document) -> None:
    document["tasks"]["judge"]["timeout_ms"] = "800"


def _another_schema_version(document: Document) -> None:
    document["schema_version"] = 2


@pytest.mark.req("GEN-2")
@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_rename_task, "tasks.answer_synthesys is not a task"),
        (_drop_task, "tasks.judge is missing"),
        (_empty_chain, "tasks.judge.fallback is empty"),
        (_undefined_tier, "tasks.judge names the tier 'mighty', which is not defined"),
        (_repeated_tier, "tasks.judge names the tier 'strong' more than once"),
        (_strong_for_cheap, "tasks.intent_classification binds a cheap task to the strong tier 'strong'"),
        (
            _strong_behind_an_economy_name,
            "tasks.summarization binds a cheap task to the strong tier 'economy'",
        ),
        (_parameter_nobody_takes, "tasks.judge.parameters.temprature is taken by no known model"),
        (_wrong_dimensions, "embedding.dimensions is 768: the model gives 256, 512, 1024"),
        (_language_model_as_embedding, "embedding names 'global.anthropic.claude-haiku-5-5'"),
        (_unknown_field, "tasks.judge.temperature is not known"),
        (_too_many_tokens, "tasks.judge.max_tokens: Input should be less than or equal to 4096"),
        (_timeout_beyond_the_turn, "tasks.judge.timeout_ms: Input should be less than or equal to 25000"),
        (_number_as_text, "tasks.judge.timeout_ms: Input should be a valid integer"),
        (_another_schema_version, "schema_version: Input should be less than or equal to 1"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    document: Document, spoil: Callable[[Document], None], problem: str
) -> None:
    spoil(document)
    assert any(found.startswith(problem) for found in problems_of(document))


def test_a_waiver_allows_a_strong_tier_for_a_cheap_task(document: Document) -> None:
    document["tasks"]["query_rewrite"] |= {
        "tier": "strong",
        "waiver": "measuring what rewriting with Sonnet brings",
    }
    assert parse_policy(json.dumps(document)).chain("query_rewrite")[0].tier == "strong"


@pytest.mark.req("GEN-1")
@pytest.mark.parametrize(
    ("model_id", "reason"),
    [
        ("anthropic.claude-sonnet-latest", "floating alias"),
        ("global.anthropic.claude-LATEST", "floating alias"),
        ("us.anthropic.claude-sonnet-5-5:latest", "floating alias"),
        ("gpt-5", "not an allowed text model"),
        ("arn:aws:bedrock:us-east-1:123456789012:prompt-router/x", "not an allowed text model"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "not an allowed text model"),
        ("apac.anthropic.claude-haiku-5-5", "not an allowed text model"),
        ("global.global.anthropic.claude-haiku-5-5", "not an allowed text model"),
        ("anthropic.claude-haiku-5-5", "without an inference profile"),
        ("jp.anthropic.claude-sonnet-5-5", "no jp. profile"),
        ("amazon.titan-embed-text-v2:0", "not an allowed text model"),
    ],
)
def test_an_id_that_is_not_pinned_and_allowed_is_refused(
    document: Document, model_id: str, reason: str
) -> None:
    document["tiers"]["strong"]["model_id"] = model_id
    assert any(
        problem.startswith("tiers.strong names") and reason in problem for problem in problems_of(document)
    )


@pytest.mark.parametrize("profile", ["us", "eu", "au", "jp", "global"])
def test_each_geography_is_accepted_where_the_model_has_it(document: Document, profile: str) -> None:
    document["tiers"]["economy"]["model_id"] = f"{profile}.anthropic.claude-haiku-5-5"
    assert parse_policy(json.dumps(document)).tiers["economy"].model_id.startswith(profile)


def test_end_of_life_counts_for_whoever_changes_the_policy_and_not_at_midnight_in_a_handler(
    document: Document,
) -> None:
    document["tiers"]["strong_fallback"]["model_id"] = SONNET_4_5
    text = json.dumps(document)
    assert parse_policy(text, today=date(2027, 4, 7))
    assert "ended on 2027-04-08" in problems_of(text, today=date(2027, 4, 8))[0]
    assert parse_policy(text)


@pytest.mark.req("GEN-2")
def test_every_problem_is_named_at_once(document: Document) -> None:
    _empty_chain(document)
    _drop = document["tasks"].pop("summarization")
    assert _drop
    document["tiers"]["strong"]["model_id"] = "claude-latest"
    assert len(problems_of(document)) == 3


# --- as text --------------------------------------------------------------------------------------


@pytest.mark.req("GEN-2")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "policy",
        "[]",
        "null",
        '"x"',
        "{",
        "\x00",
        b"\xff\xfe\x00",
        "[" * 100_000,
        '{"a": NaN}',
        "1e999999",
    ],
)
def test_what_is_no_policy_document_is_refused(text: str | bytes) -> None:
    assert problems_of(text)


def test_a_key_that_stands_twice_is_refused(document: Document) -> None:
    text = json.dumps(document).replace('"embedding":', '"embedding": {}, "embedding":')
    assert "'embedding' stands twice" in problems_of(text)[0]


def test_the_fingerprint_follows_the_meaning_and_not_the_layout(document: Document) -> None:
    shuffled = dict(reversed(document.items()))
    assert parse_policy(json.dumps(shuffled, indent=8)).fingerprint == built_in_policy().fingerprint
    document["tasks"]["judge"]["max_tokens"] += 1
    assert parse_policy(json.dumps(document)).fingerprint != built_in_policy().fingerprint


# --- as JSON Schema -------------------------------------------------------------------------------


@pytest.mark.req("GEN-2")
def test_the_committed_schema_is_the_models() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == json_schema(), "run: make docs"


def _keywords(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_keywords, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    found: set[str] = set()
    for key, value in schema.items():
        named = key in ("properties", "patternProperties", "$defs")
        found |= set() if named else {key}
        found |= _keywords(list(value.values()) if named else value)
    return found


def test_the_schema_is_draft_4_and_small_enough_for_appconfig() -> None:
    """AppConfig reads draft 4 alone, at most 32 KiB (AppConfig guide, validators)."""
    schema = json_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    jsonschema.Draft4Validator.check_schema(schema)
    newer = {"const", "contains", "propertyNames", "if", "then", "else", "prefixItems", "dependentRequired"}
    assert not _keywords(schema) & newer
    assert len(json.dumps(schema)) < 32 * 1024


def test_the_schema_refuses_the_wrong_shape(document: Document) -> None:
    validator = jsonschema.Draft4Validator(json_schema())
    validator.validate(document)
    for spoil in (
        _rename_task,
        _drop_task,
        _unknown_field,
        _too_many_tokens,
        _timeout_beyond_the_turn,
        _number_as_text,
        _another_schema_version,
        lambda broken: broken["tiers"].update({"Not a name": {"model_id": "x"}}),
        lambda broken: broken.pop("embedding"),
    ):
        broken = copy.deepcopy(document)
        spoil(broken)
        assert not validator.is_valid(broken)


# --- the allow-list -------------------------------------------------------------------------------


def test_every_listed_model_names_its_source_and_its_profiles() -> None:
    catalogue = model_catalogue()
    assert len({model.id for model in catalogue.models}) == len(catalogue.models)
    for model in catalogue.models:
        assert model.source
        assert model.in_region or model.profiles
        assert split_profile(model.id) == (None, model.id)
        assert model.status == "active" or model.end_of_life
        assert (model.kind == "embedding") == bool(model.dimensions)
