"""What holds data is encrypted with a key of our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stacks.checks.rule import Finding, Rule, Template, resources


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, table in resources(template, "AWS::DynamoDB::GlobalTable"):
        for replica in table["Properties"]["Replicas"]:
            if "KMSMasterKeyId" not in replica.get("SSESpecification", {}):
                yield Finding(logical_id, f"Properties.Replicas[{replica['Region']}]")
    for kind, place in (
        ("AWS::DynamoDB::Table", ("SSESpecification", "KMSMasterKeyId")),
        ("AWS::SecretsManager::Secret", ("KmsKeyId",)),
        ("AWS::ElastiCache::ServerlessCache", ("KmsKeyId",)),
        ("AWS::Backup::BackupVault", ("EncryptionKeyArn",)),
        ("AWS::Kinesis::Stream", ("StreamEncryption", "KeyId")),
        ("AWS::CloudTrail::Trail", ("KMSKeyId",)),
    ):
        for logical_id, resource in resources(template, kind):
            if not _inside(resource.get("Properties", {}), place):
                yield Finding(logical_id, "Properties." + ".".join(place))


def _inside(value: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


RULE = Rule(
    id="MangaAssist-DataIsEncrypted",
    what="tables, secrets, caches, streams, trails and backups are encrypted with a customer-managed key",
    why="whoever may read a copy must also be allowed to use a key whose use is logged and can be taken away",
    check=_check,
)
