"""The committed inventory of resources that hold data, so that a change which would replace one is seen in review.

CloudFormation replaces a resource when its logical id changes or when one of its create-only properties does; for a
table or a collection that means a new, empty one. The inventory pins both for every environment.

    python -m tools.delivery.stateful            # compare with cdk.out/ (run `make synth` first)
    python -m tools.delivery.stateful --accept   # write what is there now: after somebody has read the difference
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
INVENTORY: Final = ROOT / "stacks" / "data" / "stateful_resources.json"
ENVIRONMENTS: Final = ("dev", "staging", "prod")

STATEFUL: Final = frozenset(
    {
        "AWS::AppConfig::Application",
        "AWS::AppConfig::ConfigurationProfile",
        "AWS::AppConfig::Environment",
        "AWS::Backup::BackupVault",
        "AWS::CloudTrail::Trail",
        "AWS::Cognito::UserPool",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::ECR::Repository",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::KMS::Key",
        "AWS::KMS::ReplicaKey",
        "AWS::Kinesis::Stream",
        "AWS::OpenSearchServerless::Collection",
        "AWS::OpenSearchServerless::CollectionGroup",
        "AWS::S3::Bucket",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::SecretsManager::Secret",
        "AWS::SQS::Queue",
    }
)
"""Types whose loss is felt: data, keys that data needs, and names that others hold."""

UPDATE_REFUSED: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::DynamoDB::GlobalTable": ("KeySchema",),
    "AWS::DynamoDB::Table": ("KeySchema",),
}
"""Properties that no update may change, although their schema does not call them create-only."""

Inventory = dict[str, dict[str, dict[str, Any]]]
"""Stack, then logical id, then ``type`` and the pinned properties."""


def of(templates: Mapping[str, Mapping[str, Any]]) -> Inventory:
    """The inventory of one environment's templates, by stack."""
    return {
        stack: dict(sorted(found.items()))
        for stack, template in sorted(templates.items())
        if (found := dict(_stateful(template)))
    }


def differences(pinned: Inventory, found: Inventory) -> Iterator[str]:
    """What a deploy would replace or lose, and what is new and not pinned yet: a sentence each."""
    for stack in sorted(pinned.keys() | found.keys()):
        before, after = pinned.get(stack, {}), found.get(stack, {})
        for logical_id in sorted(before.keys() | after.keys()):
            if logical_id not in after:
                yield f"{stack}: {logical_id} ({before[logical_id]['type']}) is gone: its data would go or be orphaned"
            elif logical_id not in before:
                yield f"{stack}: {logical_id} ({after[logical_id]['type']}) is new and not in the inventory"
            elif before[logical_id] != after[logical_id]:
                changed = ", ".join(_changed(before[logical_id], after[logical_id]))
                yield f"{stack}: {logical_id} would be replaced: {changed} changed"


def read() -> dict[str, Inventory]:
    """The committed inventory by environment; empty before there is one."""
    return json.loads(INVENTORY.read_text("utf-8")) if INVENTORY.is_file() else {}


@cache
def create_only(type: str) -> tuple[str, ...]:
    """Top-level properties of a type whose change replaces the resource, from CloudFormation's own schema."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema: Mapping[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type).schema
    paths = (str(path).split("/")[2] for path in schema.get("createOnlyProperties") or ())
    return tuple(sorted({*paths, *UPDATE_REFUSED.get(type, ())}))


def _stateful(template: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for logical_id, resource in template["Resources"].items():
        type = resource["Type"]
        if type in STATEFUL:
            properties = resource.get("Properties", {})
            pins = {name: properties[name] for name in create_only(type) if name in properties}
            yield logical_id, {"type": type, **pins}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]


def _synthesized(environment: str) -> dict[str, Mapping[str, Any]]:
    prefix = f"MangaAssist-{environment}-"
    folder = ROOT / "cdk.out" / environment
    return {
        path.name.removesuffix(".template.json").removeprefix(prefix): json.loads(path.read_text("utf-8"))
        for path in sorted(folder.glob(f"{prefix}*.template.json"))
    }


def main() -> int:
    """Compare, or accept; 1 when a stateful resource would be replaced or is not in the inventory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accept", action="store_true", help="write the inventory as it is now")
    accept: bool = parser.parse_args().accept
    found = {environment: of(_synthesized(environment)) for environment in ENVIRONMENTS}
    if not all(found.values()):
        print("stateful: nothing in cdk.out/: run `make synth` first", file=sys.stderr)
        return 1
    pinned = read()
    told = [
        f"{environment}/{line}"
        for environment in ENVIRONMENTS
        for line in differences(pinned.get(environment, {}), found[environment])
    ]
    print("\n".join(told) or "what holds data keeps its place")
    if accept:
        INVENTORY.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
        print(f"written: {INVENTORY.relative_to(ROOT)}")
        return 0
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
