"""Backups: what is copied, for how long, who can delete it, who hears when it fails."""

from __future__ import annotations

import pytest

from stacks.environments import ENVIRONMENTS
from tests.infrastructure.synthesized import Synthesized, synthesize


@pytest.fixture(scope="module", params=["staging", "prod"])
def kept(request: pytest.FixtureRequest) -> Synthesized:
    """The environments with backups."""
    application = synthesize(ENVIRONMENTS[request.param])
    assert application.settings.backups is not None
    return application


def _tables(application: Synthesized) -> list[tuple[str, str]]:
    """Stack name and logical id of every table."""
    return [
        (f"MangaAssist-{application.settings.name}-{concern}", logical_id)
        for concern in application.templates
        for logical_id in application.resources("AWS::DynamoDB::GlobalTable", concern)
    ]


@pytest.mark.req("IAC-4")
def test_every_table_is_copied(kept: Synthesized) -> None:
    selection = kept.only("AWS::Backup::BackupSelection", "Backup")["Properties"]["BackupSelection"]
    copied = [arn["Fn::ImportValue"] for arn in selection["Resources"]]
    tables = _tables(kept)
    assert len(copied) == len(tables) >= 3
    for stack, logical_id in tables:
        export = f"{stack}:ExportsOutputFnGetAtt{logical_id}Arn"
        assert any(arn.startswith(export) for arn in copied), export


@pytest.mark.req("IAC-4")
def test_copies_are_made_daily_and_kept_a_month_and_monthly_and_kept_a_year(kept: Synthesized) -> None:
    plan = kept.only("AWS::Backup::BackupPlan", "Backup")["Properties"]["BackupPlan"]
    rules = {rule["RuleName"]: rule for rule in plan["BackupPlanRule"]}
    assert rules["daily"]["ScheduleExpression"] == "cron(0 18 * * ? *)"
    assert rules["daily"]["Lifecycle"] == {"DeleteAfterDays": 35}
    assert rules["monthly"]["ScheduleExpression"] == "cron(0 20 1 * ? *)"
    assert rules["monthly"]["Lifecycle"] == {"DeleteAfterDays": 365, "MoveToColdStorageAfterDays": 30}


@pytest.mark.req("IAC-4", "SEC-5")
def test_the_vault_is_encrypted_and_in_prod_nobody_empties_it(kept: Synthesized) -> None:
    vault = kept.only("AWS::Backup::BackupVault", "Backup")
    (key,) = kept.resources("AWS::KMS::Key", "Backup")
    assert vault["Properties"]["EncryptionKeyArn"] == {"Fn::GetAtt": [key, "Arn"]}
    lock = vault["Properties"].get("LockConfiguration")
    if kept.settings.name == "prod":
        assert lock == {"MinRetentionDays": 35, "MaxRetentionDays": 365, "ChangeableForDays": 3}
        assert vault["DeletionPolicy"] == "Retain"
    else:
        assert lock is None


@pytest.mark.req("IAC-4")
def test_a_copy_that_fails_and_a_copy_that_is_never_made_are_noticed(kept: Synthesized) -> None:
    alarms = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for alarm in kept.resources("AWS::CloudWatch::Alarm", "Backup").values()
    }
    assert set(alarms) == {"NumberOfBackupJobsFailed", "NumberOfBackupJobsCompleted"}
    missing = alarms["NumberOfBackupJobsCompleted"]
    assert missing["ComparisonOperator"] == "LessThanThreshold"
    assert missing["Threshold"] == len(_tables(kept))
    assert missing["Period"] == 86_400
    assert missing["TreatMissingData"] == "breaching"


@pytest.mark.req("SEC-4")
def test_only_aws_backup_for_this_account_takes_the_roles(kept: Synthesized) -> None:
    roles = kept.resources("AWS::IAM::Role", "Backup")
    assert len(roles) == 2
    for role in roles.values():
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "backup.amazonaws.com"}
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize("name", ["local", "dev"])
def test_disposable_environments_keep_no_copies(name: str) -> None:
    assert "Backup" not in synthesize(ENVIRONMENTS[name]).templates
