"""Changes to a policy document, as pure functions."""

from __future__ import annotations

import copy
import difflib
import json
from datetime import date
from typing import Any

from mangaassist.generation.models import model_catalogue, split_profile
from mangaassist.generation.policy import TASKS, ModelPolicy, built_in_policy, parse_policy
from stacks.environments import EnvironmentSettings
from tools.mangactl.failures import BadArgument, PolicyRefused

Document = dict[str, Any]


def bind(
    document: Document, task: str, tier: str, *, fallback: list[str] | None = None, waiver: str | None = None
) -> Document:
    """The document with ``task`` on ``tier``.

    Unless told otherwise the fallback chain stays as it is without the new tier, and when that leaves nobody, the
    tier that was replaced steps in.

    Raises:
        BadArgument: there is no such task or tier.
    """
    if task not in document["tasks"]:
        raise BadArgument(f"unknown task {task!r}: use one of {', '.join(TASKS)}")
    for name in (tier, *(fallback or ())):
        if name not in document["tiers"]:
            raise BadArgument(f"unknown tier {name!r}: use one of {', '.join(document['tiers'])}")
    changed = copy.deepcopy(document)
    binding = changed["tasks"][task]
    if fallback is None and tier != binding["tier"]:
        fallback = [name for name in binding["fallback"] if name != tier] or [binding["tier"]]
    binding["tier"] = tier
    if fallback is not None:
        binding["fallback"] = fallback
    if waiver is not None:
        binding["waiver"] = waiver
    return changed


def judge(text: str | bytes, settings: EnvironmentSettings | None = None, *, today: date) -> ModelPolicy:
    """The policy of a document that may be deployed.

    Raises:
        InvalidModelPolicy: it breaks the schema or makes no sense.
        PolicyRefused: ``settings`` says that this environment cannot do what it asks for.
    """
    policy = parse_policy(text, today=today)
    if settings is not None and (problems := _unreachable(policy, settings)):
        raise PolicyRefused(f"the policy does not fit {settings.name}: {problems[0]}", problems)
    return policy


def differences(before: str, after: str) -> list[str]:
    """A unified diff of two documents, whatever their layout as text."""
    diff = difflib.unified_diff(_pretty(before), _pretty(after), "in force", "wanted", n=1, lineterm="")
    return list(diff)


def dump(document: Document) -> str:
    """A document as it is stored."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _unreachable(policy: ModelPolicy, settings: EnvironmentSettings) -> list[str]:
    """What the environment's functions have no permission for (``stacks/model_access.py``)."""
    problems: list[str] = []
    for name, tier in policy.tiers.items():
        model, profile = model_catalogue().find(tier.model_id), split_profile(tier.model_id)[0]
        if model is not None and model.status != "active":
            problems.append(
                f"tiers.{name} names {tier.model_id!r}, a legacy model that functions may not invoke"
            )
        elif profile is not None and profile not in settings.model_geographies:
            allowed = " or ".join(f"{geography}." for geography in settings.model_geographies)
            problems.append(
                f"tiers.{name} names {tier.model_id!r}, but functions may only invoke {allowed} profiles"
            )
    if policy.embedding != built_in_policy().embedding:
        problems.append("embedding differs from the index's: a change of it needs a new index, not a flip")
    return problems


def _pretty(text: str) -> list[str]:
    return json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False).splitlines()
