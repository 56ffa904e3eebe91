"""The model-tier policy: which model does which task, for how long, and who steps in (GEN-1, GEN-2).

The document lives in AppConfig and belongs to the operators; ``data/policy.json`` is what a handler starts with and
what a new environment is seeded with. A document is judged twice, in ``parse_policy``: by shape (the models below,
exported as ``data/policy.schema.json`` for AppConfig's own validator) and by meaning (``semantic_problems``).
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from mangaassist.errors import InvalidModelPolicy
from mangaassist.generation.models import model_catalogue

POLICY_FILE: Final = Path(__file__).parent / "data" / "policy.json"
SCHEMA_FILE: Final = Path(__file__).parent / "data" / "policy.schema.json"

Task = Literal[
    "intent_classification",
    "query_rewrite",
    "preference_extraction",
    "summarization",
    "moderation_precheck",
    "answer_synthesis",
    "judge",
]
TASKS: Final[tuple[Task, ...]] = get_args(Task)
STRONG_TASKS: Final[frozenset[Task]] = frozenset({"answer_synthesis", "judge"})
"""Tasks worth a strong model; every other task needs a waiver for one."""

TierName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Note = Annotated[str, Field(min_length=1, max_length=500)]


class PolicyPart(BaseModel):
    """Base of the document's parts: closed, immutable, strict about types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Tier(PolicyPart):
    """A name operators flip between, and the model behind it (an inference profile id where the model needs one)."""

    model_id: Annotated[str, Field(min_length=1, max_length=128)]


class TaskBinding(PolicyPart):
    """How one task is done: its tier, the tiers that step in, in order, and the bounds of one call."""

    tier: TierName
    fallback: Annotated[list[TierName], Field(max_length=4)]
    max_tokens: Annotated[int, Field(ge=1, le=4_096)]
    """Deducted from the quota when the call starts, so near the real size of an answer."""
    timeout_ms: Annotated[int, Field(ge=100, le=25_000)]
    """Longest wait for each event of the stream; the whole turn has 25 s (RES-5)."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Extra model fields, sent to those models of the chain that take them."""
    waiver: Note | None = None
    """Why this task may use a strong tier although it is a cheap one."""

    @property
    def tiers(self) -> tuple[str, ...]:
        """The whole chain, first choice first."""
        return (self.tier, *self.fallback)


class Embedding(PolicyPart):
    """The model that made the vectors in the index; a change of it needs a new index."""

    model_id: Annotated[str, Field(min_length=1, max_length=128)]
    dimensions: Annotated[int, Field(ge=1, le=4_096)]


class TierChoice(NamedTuple):
    """One link of a task's chain, ready to call."""

    tier: str
    model_id: str
    max_tokens: int
    timeout_ms: int
    parameters: dict[str, JsonValue]
    provisioned_arn: str | None = None
    """Set where this link goes to bought capacity instead of on demand."""

    @property
    def target(self) -> str:
        """What the runtime is asked for."""
        return self.provisioned_arn or self.model_id


class ModelPolicy(PolicyPart):
    """The whole document."""

    schema_version: Annotated[int, Field(ge=1, le=1)]
    version_note: Annotated[str, Field(max_length=500)] = ""
    tiers: Annotated[dict[TierName, Tier], Field(min_length=1)]
    tasks: dict[Task, TaskBinding]
    embedding: Embedding

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that tell two policies apart, whatever their layout as text."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def chain(self, task: Task) -> tuple[TierChoice, ...]:
        """What to call for ``task``, first choice first; each model gets only the parameters it takes."""
        binding = self.tasks[task]
        return tuple(self._choice(tier, binding) for tier in binding.tiers)

    def _choice(self, tier: str, binding: TaskBinding) -> TierChoice:
        model_id = self.tiers[tier].model_id
        model = model_catalogue().find(model_id)
        taken = model.parameters if model else frozenset[str]()
        parameters = {name: value for name, value in binding.parameters.items() if name in taken}
        return TierChoice(tier, model_id, binding.max_tokens, binding.timeout_ms, parameters)


def parse_policy(text: str | bytes, *, today: date | None = None) -> ModelPolicy:
    """Read and judge a policy document.

    Args:
        text: the document, JSON in UTF-8.
        today: refuse models past their end of life on this day. Whoever changes a policy passes it; a running
            handler does not, because midnight must not turn the policy in force into an invalid one.

    Raises:
        InvalidModelPolicy: with every problem found.
    """
    try:
        document: object = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidModelPolicy([f"the document is not JSON: {error}"]) from None
    try:
        policy = ModelPolicy.model_validate(document)
    except ValidationError as error:
        raise InvalidModelPolicy(_shape_problems(error)) from None
    if problems := semantic_problems(policy, today=today):
        raise InvalidModelPolicy(problems)
    return policy


def semantic_problems(policy: ModelPolicy, *, today: date | None = None) -> list[str]:
    """Everything wrong with a well-formed policy, each a sentence that says where and what to do."""
    problems = [f"tasks.{task} is missing: bind it to a tier" for task in TASKS if task not in policy.tasks]
    for name, tier in policy.tiers.items():
        if problem := model_catalogue().problem(tier.model_id, "text"):
            problems.append(f"tiers.{name} {problem}")
        problems += _end_of_life(f"tiers.{name}", tier.model_id, today)
    for task, binding in policy.tasks.items():
        problems += _binding_problems(policy, task, binding)
    if problem := model_catalogue().problem(policy.embedding.model_id, "embedding"):
        problems.append(f"embedding {problem}")
    elif (model := model_catalogue().find(policy.embedding.model_id)) is not None:
        if policy.embedding.dimensions not in model.dimensions:
            choices = ", ".join(map(str, model.dimensions))
            problems.append(
                f"embedding.dimensions is {policy.embedding.dimensions}: the model gives {choices}"
            )
        problems += _end_of_life("embedding", policy.embedding.model_id, today)
    return problems


@cache
def built_in_policy() -> ModelPolicy:
    """The committed policy: what a handler starts with and a new environment is seeded with."""
    return parse_policy(POLICY_FILE.read_bytes())


def json_schema() -> dict[str, Any]:
    """The shape as JSON Schema draft 4, the only draft AppConfig's validator reads (AppConfig guide, validators)."""
    schema = ModelPolicy.model_json_schema()
    tiers, tasks = schema["properties"]["tiers"], schema["properties"]["tasks"]
    tiers["additionalProperties"] = False
    # Draft 4 knows no propertyNames, so the tasks become the properties of a closed object.
    del tasks["propertyNames"]
    tasks["properties"] = dict.fromkeys(TASKS, tasks["additionalProperties"])
    tasks["required"] = list(TASKS)
    tasks["additionalProperties"] = False
    return {"$schema": "http://json-schema.org/draft-04/schema#", **schema}


def _binding_problems(policy: ModelPolicy, task: Task, binding: TaskBinding) -> list[str]:
    problems: list[str] = []
    if not binding.fallback:
        problems.append(f"tasks.{task}.fallback is empty: name at least one tier that steps in")
    for tier in dict.fromkeys(binding.tiers):
        if tier not in policy.tiers:
            known = ", ".join(policy.tiers)
            problems.append(f"tasks.{task} names the tier {tier!r}, which is not defined: use one of {known}")
        if binding.tiers.count(tier) > 1:
            problems.append(f"tasks.{task} names the tier {tier!r} more than once in its chain: name it once")
    models = {
        tier: model_catalogue().find(policy.tiers[tier].model_id)
        for tier in binding.tiers
        if tier in policy.tiers
    }
    first = models.get(binding.tier)
    if first is not None and first.grade == "strong" and task not in STRONG_TASKS and binding.waiver is None:
        problems.append(
            f"tasks.{task} binds a cheap task to the strong tier {binding.tier!r}: use an economy tier or add a waiver"
        )
    # Not only by the chain: a flip to models that take fewer parameters must not fail over one they would not be sent.
    taken = {name for model in model_catalogue().models for name in model.parameters}
    for name in sorted(binding.parameters.keys() - taken):
        problems.append(f"tasks.{task}.parameters.{name} is taken by no known model: remove it")
    return problems


def _end_of_life(place: str, model_id: str, today: date | None) -> list[str]:
    model = model_catalogue().find(model_id)
    if today is None or model is None or model.end_of_life is None or today < model.end_of_life:
        return []
    return [
        f"{place} names {model_id!r}, which ended on {model.end_of_life}: name a model that is in service"
    ]


def _shape_problems(error: ValidationError) -> list[str]:
    """One sentence per finding."""
    problems: list[str] = []
    for finding in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in finding["loc"] if part != "[key]") or "the document"
        match finding["type"]:
            case "missing":
                problems.append(f"{place} is missing: add it")
            case "extra_forbidden":
                problems.append(f"{place} is not known: remove it")
            case "literal_error" if finding["loc"][0] == "tasks":
                problems.append(f"{place} is not a task: use one of {', '.join(TASKS)}")
            case _:
                problems.append(f"{place}: {finding['msg']}")
    return problems


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last of two equal keys win in silence; in a policy that is a mistake."""
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise ValueError(f"the key {key!r} stands twice in one object")
        unique[key] = value
    return unique


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")
