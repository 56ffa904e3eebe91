"""Gap: CloudFormation drops deletion protection and point-in-time recovery of tables."""
# pyright: reportMissingImports=false

from __future__ import annotations

from ministack.core.responses import get_region
from ministack.services import dynamodb

from tools.twin.emulator.patches._provisioners import Properties, after


def restore(table: str, attributes: Properties, properties: Properties) -> None:
    """Set both as the template says; a global table says so in the replica of its own region."""
    replicas = {replica["Region"]: replica for replica in properties.get("Replicas", [])}
    wanted = replicas.get(get_region(), properties)
    dynamodb._tables[table]["DeletionProtectionEnabled"] = bool(wanted.get("DeletionProtectionEnabled"))
    recovery = wanted.get("PointInTimeRecoverySpecification") or {"PointInTimeRecoveryEnabled": False}
    dynamodb._update_continuous_backups({"TableName": table, "PointInTimeRecoverySpecification": recovery})


def apply() -> None:
    """Restore them after both kinds of table."""
    after("AWS::DynamoDB::Table", restore)
    after("AWS::DynamoDB::GlobalTable", restore)
