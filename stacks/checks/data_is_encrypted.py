"""What holds data is encrypted with a key of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from stacks.checks.rule import Finding, Resource, Rule, Template, resources, strings, texts

KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AWS::Backup::BackupVault": ("EncryptionKeyArn",),
        "AWS::CloudTrail::Trail": ("KMSKeyId",),
        "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
        "AWS::ElastiCache::ServerlessCache": ("KmsKeyId",),
        "AWS::Kinesis::Stream": ("StreamEncryption", "KeyId"),
        "AWS::Logs::LogGroup": ("KmsKeyId",),
        "AWS::SecretsManager::Secret": ("KmsKeyId",),
        "AWS::SNS::Topic": ("KmsMasterKeyId",),
        "AWS::SQS::Queue": ("KmsMasterKeyId",),
    }
)
"""Where a type names its key; types that name it in a longer way have a function below."""


def _check(template: Template) -> Iterator[Finding]:
    for kind, place in KEYS.items():
        for logical_id, resource in resources(template, kind):
            if not _is_ours(_inside(resource.get("Properties", {}), place)):
                yield Finding(logical_id, "Properties." + ".".join(place))
    for logical_id, table in resources(template, "AWS::DynamoDB::GlobalTable"):
        for replica in table["Properties"]["Replicas"]:
            if not _is_ours(replica.get("SSESpecification", {}).get("KMSMasterKeyId")):
                yield Finding(logical_id, f"Properties.Replicas[{replica['Region']}]")
    for logical_id, bucket in resources(template, "AWS::S3::Bucket"):
        if not _bucket_has_key(bucket):
            yield Finding(logical_id, "Properties.BucketEncryption")
    for logical_id, stream in resources(template, "AWS::KinesisFirehose::DeliveryStream"):
        for place in _open_places(stream["Properties"]):
            yield Finding(logical_id, f"Properties.{place}")
    yield from _collections(template)


def _bucket_has_key(bucket: Resource) -> bool:
    rules = _inside(bucket.get("Properties", {}), ("BucketEncryption", "ServerSideEncryptionConfiguration"))
    defaults = [rule.get("ServerSideEncryptionByDefault", {}) for rule in rules or []]
    return bool(defaults) and all(
        default.get("SSEAlgorithm", "").startswith("aws:kms") and _is_ours(default.get("KMSMasterKeyID"))
        for default in defaults
    )


def _open_places(stream: Mapping[str, Any]) -> Iterator[str]:
    """The stream's own buffer, unless another stream is its source and buffers for it; and what it writes to S3."""
    buffer = stream.get("DeliveryStreamEncryptionConfigurationInput", {})
    if "KinesisStreamSourceConfiguration" not in stream and (
        buffer.get("KeyType") != "CUSTOMER_MANAGED_CMK" or not _is_ours(buffer.get("KeyARN"))
    ):
        yield "DeliveryStreamEncryptionConfigurationInput"
    for name in ("ExtendedS3DestinationConfiguration", "S3DestinationConfiguration"):
        place = (name, "EncryptionConfiguration", "KMSEncryptionConfig", "AWSKMSKeyARN")
        if name in stream and not _is_ours(_inside(stream, place)):
            yield ".".join(place)


def _collections(template: Template) -> Iterator[Finding]:
    """A collection names a key itself, or an encryption policy of its template does; policies are JSON in a string."""
    policies = {
        logical_id: " ".join(texts(policy["Properties"]["Policy"]))
        for logical_id, policy in resources(template, "AWS::OpenSearchServerless::SecurityPolicy")
        if policy["Properties"]["Type"] == "encryption"
    }
    own = {logical_id: text for logical_id, text in policies.items() if '"KmsARN":"' in text}
    for logical_id in policies.keys() - own.keys():
        yield Finding(logical_id, "Properties.Policy")
    for logical_id, collection in resources(template, "AWS::OpenSearchServerless::Collection"):
        properties = collection["Properties"]
        by_itself = _is_ours(_inside(properties, ("EncryptionConfig", "KmsKeyArn")))
        if not by_itself and not any(f'"collection/{properties["Name"]}"' in text for text in own.values()):
            yield Finding(logical_id, "Properties.EncryptionConfig")


def _is_ours(key: Any) -> bool:
    """A key that AWS manages is named by its alias, ``alias/aws/...``."""
    return bool(key) and not any("alias/aws/" in text for _, text in strings(key))


def _inside(value: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


RULE = Rule(
    id="MangaAssist-DataIsEncrypted",
    what="tables, buckets, logs, queues, topics, secrets, caches, collections, streams, trails and backups are encrypted with "
    "a customer-managed key",
    why="whoever may read a copy must also be allowed to use a key whose use is logged and can be taken away (SEC-5)",
    check=_check,
)
