"""The index of the runbooks, from the pages themselves: ``docs/runbooks/README.md``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "runbooks"
INDEX: Final = FOLDER / "README.md"
FIRST: Final = re.compile(r"\A# ([^\n]+)\n\n(?:\*\*\w+:?\*\*:? )?(.+?)(?:\n\n|\Z)", re.DOTALL)
"""The title, and the first paragraph without its label."""


class UnreadableRunbook(ValueError):
    """``page`` does not begin with a title and a paragraph."""

    def __init__(self, page: Path) -> None:
        self.page = page
        super().__init__(f'{page.name}: begin with "# Title" and a paragraph "**Means**: ..."')


@dataclass(frozen=True, slots=True)
class Runbook:
    """One page."""

    name: str
    title: str
    means: str
    """Its first sentence."""
    text: str


def runbooks() -> list[Runbook]:
    """Every page, by name.

    Raises:
        UnreadableRunbook: a page is not as the others.
    """
    return [_read(path) for path in sorted(FOLDER.glob("*.md")) if path != INDEX]


def _read(path: Path) -> Runbook:
    text = path.read_text(encoding="utf-8")
    first = FIRST.match(text)
    if first is None:
        raise UnreadableRunbook(path)
    sentence = re.split(r"(?<=[a-z0-9)`])\.(?:\s|$)", " ".join(first[2].split()), maxsplit=1)[0]
    return Runbook(path.stem, first[1], sentence, text)


def render() -> str:
    """The index."""
    rows = [f"| [{book.title}]({book.name}.md) | {_cell(book.means)} |" for book in runbooks()]
    return "\n".join(
        (
            "# Runbooks",
            "",
            "Generated from the pages by `make docs`. Every alarm's description ends with its page. `page` wakes "
            "somebody, `ticket` waits for the morning; a composite alarm pages once for a trouble that shows in several "
            "places.",
            "",
            "Commands name `prod`; `aws` ones need credentials for its account and its region. What is written in "
            "capitals (`TABLE`, `NAME`) is in the outputs and resources of the stacks: "
            "`aws cloudformation list-stack-resources --stack-name MangaAssist-prod-Sessions`. Rehearsals run against "
            "the local twin (`mangactl twin up`).",
            "",
            "| Runbook | What it means |",
            "| --- | --- |",
            *rows,
            "",
        )
    )


def _cell(text: str) -> str:
    return (text[0].upper() + text[1:]).replace("|", "\\|")
