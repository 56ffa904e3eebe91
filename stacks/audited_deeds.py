"""Deeds in the audit's trail that somebody should look at, as data: how CloudTrail writes them, and what to read then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stacks.constructs.alarm import Severity
from stacks.environments import EnvironmentSettings

BLINDING: Final = (
    "DeleteAlarms",
    "DeleteConfigurationRecorder",
    "DeleteDeliveryChannel",
    "DeleteLogGroup",
    "DeleteSubscriptionFilter",
    "DeleteTrail",
    "DisableAlarmActions",
    "DisableKey",
    "PutEventSelectors",
    "ScheduleKeyDeletion",
    "StopConfigurationRecorder",
    "StopLogging",
    "UpdateTrail",
)
"""Calls after which we would see less than before."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One deed; ``pattern`` is a filter of CloudWatch Logs, ``threshold`` what is still well in five minutes."""

    id: str
    pattern: str
    what: str
    runbook: str
    severity: Severity
    threshold: int = 0


def deeds(settings: EnvironmentSettings) -> tuple[Deed, ...]:
    """All that is looked for in the account of one environment."""
    blinding = " || ".join(f'($.eventName = "{name}")' for name in BLINDING)
    ours = f"*assumed-role/MangaAssist-{settings.name}-*"
    return (
        Deed(
            id="Tampering",
            pattern=f"{{ {blinding} }}",
            what="Somebody switched off a trail, a recorder, a key, a log or an alarm",
            runbook="audit-tampering",
            severity=Severity.PAGE,
        ),
        Deed(
            id="RootUse",
            pattern='{ ($.userIdentity.type = "Root") && ($.userIdentity.invokedBy NOT EXISTS) '
            '&& ($.eventType != "AwsServiceEvent") }',
            what="Somebody uses the root user of the account",
            runbook="audit-tampering",
            severity=Severity.PAGE,
        ),
        Deed(
            id="SecretsRead",
            pattern=f'{{ ($.eventName = "GetSecretValue") && ($.userIdentity.arn != "{ours}") }}',
            what="A secret was read by somebody who is none of our functions",
            runbook="audit-access",
            severity=Severity.TICKET,
        ),
        Deed(
            id="SessionsRead",
            pattern='{ ($.eventSource = "dynamodb.amazonaws.com") && ($.eventCategory = "Data") }',
            what="Conversations were read or changed by somebody who is none of our functions",
            runbook="audit-access",
            severity=Severity.TICKET,
        ),
        Deed(
            id="Denied",
            pattern='{ ($.errorCode = "*UnauthorizedOperation") || ($.errorCode = "AccessDenied*") }',
            what="Over fifty calls in five minutes were denied: a broken role, or somebody tries doors",
            runbook="audit-access",
            severity=Severity.TICKET,
            threshold=50,
        ),
    )
