"""Gap: CloudFormation drops ``TimeToLiveSpecification``, so nothing expires."""
# pyright: reportMissingImports=false

from __future__ import annotations

from ministack.services import dynamodb

from tools.twin.emulator.patches._provisioners import Properties, after


def restore(table: str, attributes: Properties, properties: Properties) -> None:
    """Set the table's TTL attribute as the template says."""
    specification = properties.get("TimeToLiveSpecification") or {}
    if specification.get("AttributeName"):
        dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": specification})


def apply() -> None:
    """Restore TTL after both kinds of table."""
    after("AWS::DynamoDB::Table", restore)
    after("AWS::DynamoDB::GlobalTable", restore)
