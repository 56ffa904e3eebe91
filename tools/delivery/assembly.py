"""What a cloud assembly says about itself: its digest, its stacks, and the roles that may read where they go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
DELIVERED: Final = ROOT / "cdk.out" / "delivered"
"""Assemblies that go to an account, a folder per environment: ``python -m tools.synth --delivered``."""


class UnusableAssembly(ValueError):
    """It cannot be shown or deployed; the message says why."""


@dataclass(frozen=True)
class StackOfAssembly:
    """One stack, where it goes, and who may look at what is there."""

    name: str
    template: Path
    account: str
    region: str
    lookup_role: str
    """ARN; ``${AWS::Partition}`` may still stand in it."""


def digest(assembly: Path) -> str:
    """SHA-256 of every file and its place: assemblies with the same digest deploy the same.

    Raises:
        UnusableAssembly: there is no assembly.
    """
    if not (assembly / "manifest.json").is_file():
        raise UnusableAssembly(f"no assembly in {assembly}: run `python -m tools.synth --delivered`")
    whole = hashlib.sha256()
    for path in sorted(path for path in assembly.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{content}  {path.relative_to(assembly).as_posix()}\n".encode())
    return whole.hexdigest()


def verify(assembly: Path, expected: str) -> None:
    """Refuse an assembly that is not the one that was verified and shown.

    Raises:
        UnusableAssembly: the digests differ, or none was expected.
    """
    found = digest(assembly)
    if found != expected:
        raise UnusableAssembly(
            f"{assembly.name}: the assembly's digest is {found}, and {expected or 'none'} was verified: not deployed"
        )


def stacks(assembly: Path) -> list[StackOfAssembly]:
    """The stacks in the order of their names.

    Raises:
        UnusableAssembly: a stack does not say which account it goes to.
    """
    return sorted(_stacks(assembly), key=lambda stack: stack.name)


def _stacks(assembly: Path) -> Iterator[StackOfAssembly]:
    artifacts: dict[str, dict[str, Any]] = json.loads((assembly / "manifest.json").read_text("utf-8"))[
        "artifacts"
    ]
    for name, artifact in artifacts.items():
        if artifact["type"] != "aws:cloudformation:stack":
            continue
        account, region = artifact["environment"].removeprefix("aws://").split("/")
        if not account.isdigit():
            raise UnusableAssembly(f"{name} goes to no account in particular: synthesize with `--delivered`")
        properties = artifact["properties"]
        yield StackOfAssembly(
            name=properties.get("stackName", name),
            template=assembly / properties["templateFile"],
            account=account,
            region=region,
            lookup_role=properties["lookupRole"]["arn"],
        )
