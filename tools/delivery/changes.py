"""What a change does to the stacks, as Markdown for a review comment.

    python -m tools.delivery.changes BASE HEAD    # two folders of assemblies, as `make synth` writes them to cdk.out/

Works on templates alone, so that it needs no account. Replacements are told by CloudFormation's own schemas.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.delivery.stateful import STATEFUL, create_only

Kind = Literal["added", "removed", "replaced", "changed"]
ASSET_NOISE = frozenset({"S3Key", "S3ObjectKey", "Content"})
"""Properties that differ whenever code does; told as ``code``."""
IAM = ("AWS::IAM::", "AWS::KMS::", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")


@dataclass(frozen=True)
class Change:
    """One resource that a deploy would touch; ``what`` names the properties."""

    assembly: str
    stack: str
    logical_id: str
    type: str
    kind: Kind
    what: tuple[str, ...] = ()

    @property
    def is_grave(self) -> bool:
        """Whether data may go with it."""
        return self.type in STATEFUL and self.kind in ("removed", "replaced")

    @property
    def is_about_access(self) -> bool:
        """Whether it changes who may do what."""
        return self.type.startswith(IAM)


def between(base: Path, head: Path) -> list[Change]:
    """Every change from the assemblies in ``base`` to those in ``head``."""
    before, after = _templates(base), _templates(head)
    return [
        change
        for place in sorted(before.keys() | after.keys())
        for change in _of_stack(*place, before.get(place, {}), after.get(place, {}))
    ]


def markdown(changes: list[Change]) -> str:
    """The summary: what is grave first, then access, then counts per stack with the details folded away."""
    if not changes:
        return "### Infrastructure\n\nNo template changes.\n"
    lines = ["### Infrastructure", ""]
    for heading, chosen in (
        ("**Data at risk** (replaced or removed)", [change for change in changes if change.is_grave]),
        ("**Access**", [change for change in changes if change.is_about_access]),
    ):
        if chosen:
            lines += [heading, "", *(f"- {_sentence(change)}" for change in chosen), ""]
    lines += ["| stack | added | changed | replaced | removed |", "| --- | --: | --: | --: | --: |"]
    stacks = sorted({(change.assembly, change.stack) for change in changes})
    for assembly, stack in stacks:
        mine = [change for change in changes if (change.assembly, change.stack) == (assembly, stack)]
        counts = [
            sum(change.kind == kind for change in mine)
            for kind in ("added", "changed", "replaced", "removed")
        ]
        lines.append(f"| {assembly}/{stack} | {' | '.join(map(str, counts))} |")
    lines += ["", "<details><summary>Every change</summary>", ""]
    lines += [f"- {_sentence(change)}" for change in changes]
    return "\n".join([*lines, "", "</details>", ""])


def _sentence(change: Change) -> str:
    what = f" ({', '.join(change.what)})" if change.what else ""
    return f"`{change.assembly}/{change.stack}` {change.kind}: {change.type} `{change.logical_id}`{what}"


def _of_stack(
    assembly: str, stack: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    for logical_id in sorted(before.keys() | after.keys()):
        old, new = before.get(logical_id), after.get(logical_id)
        if old is None or new is None:
            body: Mapping[str, Any] = old or new or {}
            yield Change(assembly, stack, logical_id, body["Type"], "added" if old is None else "removed")
        elif old["Type"] != new["Type"]:
            yield Change(assembly, stack, logical_id, new["Type"], "replaced", (f"was {old['Type']}",))
        elif what := _properties(old.get("Properties", {}), new.get("Properties", {})):
            is_replaced = bool(set(what) & set(create_only(new["Type"])))
            yield Change(
                assembly, stack, logical_id, new["Type"], "replaced" if is_replaced else "changed", what
            )


def _properties(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    changed = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return tuple("code" if _is_asset(old.get(name), new.get(name)) else name for name in changed)


def _is_asset(old: Any, new: Any) -> bool:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return False
    differing = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return bool(differing) and differing <= ASSET_NOISE


def _templates(folder: Path) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {
        (path.parent.name, path.name.removesuffix(".template.json")): json.loads(path.read_text("utf-8")).get(
            "Resources", {}
        )
        for path in sorted(folder.glob("*/*.template.json"))
    }


def main() -> int:
    """Print the summary; 1 when data is at risk, so that a check can ask for a second look."""
    parser = argparse.ArgumentParser(description="Summarize what a change does to the stacks.")
    parser.add_argument("base", type=Path, help="assemblies before the change, a folder per environment")
    parser.add_argument("head", type=Path, help="assemblies after it")
    arguments = parser.parse_args()
    for folder in (arguments.base, arguments.head):
        if not any(folder.glob("*/*.template.json")):
            print(f"changes: no templates under {folder}: run `make synth` there first", file=sys.stderr)
            return 2
    changes = between(arguments.base, arguments.head)
    print(markdown(changes), end="")
    return 1 if any(change.is_grave for change in changes) else 0


if __name__ == "__main__":
    sys.exit(main())
