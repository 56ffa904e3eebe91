"""Prompt templates: versioned files with declared variables (GEN-10).

``templates/<name>/<version>.toml`` holds ``variables`` (declared), ``system`` and ``user`` (texts with ``$variable``);
``templates/active.toml`` says which version is in use. A file whose texts and declaration disagree does not load.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Final

TEMPLATES: Final = Path(__file__).parent / "templates"


class InvalidTemplate(Exception):
    """The template file ``label`` is not usable; ``problem`` says what to change in it."""

    def __init__(self, label: str, problem: str) -> None:
        self.label = label
        self.problem = problem
        super().__init__(f"prompt template {label}: {problem}")


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """One version of a template; ``label`` (``name/version``) goes into the response metadata."""

    label: str
    variables: frozenset[str]
    system: str
    user: str

    def render(self, values: Mapping[str, str]) -> tuple[str, str]:
        """The system text and the user text. ``values`` must hold every declared variable; more is harmless."""
        return Template(self.system).substitute(values), Template(self.user).substitute(values)


@cache
def active_template(name: str) -> PromptTemplate:
    """The version of ``name`` that is in use."""
    versions = tomllib.loads((TEMPLATES / "active.toml").read_text(encoding="utf-8"))
    return load_template(TEMPLATES / name / f"{versions[name]}.toml")


def load_template(path: Path) -> PromptTemplate:
    """Read one template file.

    Raises:
        InvalidTemplate: a part is absent, or the declared variables are not the used ones.
    """
    label = f"{path.parent.name}/{path.stem}"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        declared, system, user = frozenset(document["variables"]), document["system"], document["user"]
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidTemplate(label, f"cannot be read: {error}") from None
    except KeyError as error:
        raise InvalidTemplate(label, f"has no {error.args[0]}: add it") from None
    used: set[str] = set()
    for text in (system, user):
        template = Template(text)
        if not template.is_valid():
            raise InvalidTemplate(label, "has a stray $: write $$ for the character itself")
        used |= set(template.get_identifiers())
    if undeclared := used - declared:
        raise InvalidTemplate(label, f"uses {', '.join(sorted(undeclared))} without declaring it")
    if unused := declared - used:
        raise InvalidTemplate(label, f"declares {', '.join(sorted(unused))} without using it")
    return PromptTemplate(label, declared, system.strip(), user.strip())
