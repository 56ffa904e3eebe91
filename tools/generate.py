"""Write every generated file of the repository, or (``--check``) fail when one is stale."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def generated() -> Iterator[tuple[Path, str]]:
    """Each generated file with what it should contain."""
    yield from protocol_schemas()
    yield from grpc_stubs()
    yield ROOT / "requirements.txt", exported_lock()
    yield ROOT / "docs" / "mangactl.md", command_reference()
    yield ROOT / "docs" / "runbooks" / "README.md", runbook_index()
    yield policy_schema()
    yield partners_api()
    yield infrastructure()


def infrastructure() -> tuple[Path, str]:
    """The page about the stacks, with the section that is read from their templates."""
    from tools.delivery.inventory import into

    page = ROOT / "docs" / "infrastructure.md"
    return page, into(page.read_text("utf-8"))


def protocol_schemas() -> Iterator[tuple[Path, str]]:
    """One JSON Schema per protocol version: what clients send and what they receive."""
    from pydantic import TypeAdapter

    from mangaassist import protocol
    from mangaassist.versions import SUPPORTED_VERSIONS

    for version in SUPPORTED_VERSIONS:
        commands = TypeAdapter(protocol.Command).json_schema()
        frames = TypeAdapter(protocol.ServerFrame).json_schema(mode="serialization")
        _as_of_version(frames["$defs"], version)
        _optional_when_absent(frames["$defs"])
        document = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"MangaAssist chat protocol, version {version}",
            "description": "Generated from layers/core/python/mangaassist/protocol.py by `make docs`.",
            "$defs": {
                "command": {key: value for key, value in commands.items() if key != "$defs"},
                "frame": {key: value for key, value in frames.items() if key != "$defs"},
                **commands.get("$defs", {}),
                **frames.get("$defs", {}),
            },
        }
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        yield ROOT / "docs" / "protocol" / f"v{version}.schema.json", text


def _as_of_version(definitions: dict[str, Any], version: int) -> None:
    """Take out of the cards what this version does not know, and demand what it always has."""
    from mangaassist import protocol

    card = definitions["ProductCard"]
    newer = {name for name, since in protocol.CARD_FIELDS_SINCE.items() if version < since}
    for name in newer:
        card["properties"].pop(name)
    card["required"] = [name for name in card.get("required", []) if name not in newer]
    if "rating" in newer:
        definitions.pop("Rating", None)
    if version < protocol.PRICE_MAY_BE_ABSENT_SINCE:
        card["properties"] |= {
            "price": {"$ref": "#/$defs/Money"},
            "in_stock": {"title": "In Stock", "type": "boolean"},
        }
        card["required"] = sorted({*card["required"], "price", "in_stock"})


def grpc_stubs() -> Iterator[tuple[Path, str]]:
    """The Python of the gRPC contracts."""
    from tools.stubs import stubs

    yield from stubs()


def _optional_when_absent(definitions: dict[str, dict[str, object]]) -> None:
    """Frames leave absent values out instead of sending null, so a nullable field is not required."""
    for definition in definitions.values():
        properties = definition.get("properties")
        required = definition.get("required")
        if isinstance(properties, dict) and isinstance(required, list):
            definition["required"] = [
                name for name in required if {"type": "null"} not in properties[name].get("anyOf", [])
            ]


def exported_lock() -> str:
    """requirements.txt for people without uv: the lock, exported."""
    command = [
        "uv",
        "export",
        "--frozen",
        "--all-groups",
        "--no-hashes",
        "--no-header",
        "--no-annotate",
        "--quiet",
    ]
    exported = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return "# Exported from uv.lock by `make docs`; pyproject.toml and uv.lock are the source.\n" + exported


def command_reference() -> str:
    """The help of every mangactl command."""
    from tools.mangactl.reference import render

    return render()


def runbook_index() -> str:
    """What each runbook is about."""
    from tools.runbooks import render

    return render()


def partners_api() -> tuple[Path, str]:
    """OpenAPI of the partner services; no database is opened for it."""
    from services.partners.document import render

    return ROOT / "docs" / "partners" / "openapi.json", render()


def policy_schema() -> tuple[Path, str]:
    """The JSON Schema that AppConfig validates the model policy against."""
    from mangaassist.generation import policy

    path = ROOT / "layers/core/python/mangaassist/generation/data/policy.schema.json"
    return path, json.dumps(policy.json_schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    check = parser.parse_args().check
    stale: list[str] = []
    for path, text in generated():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in stale:
        print(f"  {'stale' if check else 'wrote'}  {name}")
    if stale and check:
        print("generate: stale files; run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
