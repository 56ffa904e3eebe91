"""A second keeper of the tables: daily and monthly copies in a vault that outlives mistakes.

Two nets, for two falls. Point-in-time recovery of the tables themselves brings back any second of the last 35 days: that
is the RPO under an hour. The vault is for what takes recovery along with the table: a deleted table, a stolen role, an
error found after months.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_backup as backup
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.environments import Backups, EnvironmentSettings


class BackupStack(EnvironmentStack):
    """Vault, plan and the two roles AWS Backup works with."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        backups: Backups,
        tables: Sequence[dynamodb.ITableV2],
    ) -> None:
        """
        Args:
            scope: the app.
            settings: the environment.
            backups: how long copies live, and whether they can be deleted before that.
            tables: what to copy.
        """
        super().__init__(scope, "Backup", settings=settings, description="Copies of the tables")
        self.key = self.own_key(f"Backups of {settings.name}")
        self.vault = backup.BackupVault(
            self,
            "Vault",
            backup_vault_name=settings.resource_prefix,
            encryption_key=self.key,
            removal_policy=self.removal_policy,
            lock_configuration=backup.LockConfiguration(
                min_retention=Duration.days(backups.daily_days),
                max_retention=Duration.days(backups.monthly_days),
                # Then nobody can loosen the lock any more; AWS asks for three days at least.
                changeable_for=Duration.days(3),
            )
            if backups.locked
            else None,
        )
        self.role = self._role("Role", "Backup")
        self.restore_role = self._role("RestoreRole", "Restores")
        plan = backup.BackupPlan(
            self,
            "Plan",
            backup_plan_name=settings.resource_prefix,
            backup_vault=self.vault,
            backup_plan_rules=[
                # 18:00 UTC is 03:00 in Tokyo, in the quiet hours.
                backup.BackupPlanRule(
                    rule_name="daily",
                    schedule_expression=events.Schedule.cron(hour="18", minute="0"),
                    start_window=Duration.hours(1),
                    completion_window=Duration.hours(8),
                    delete_after=Duration.days(backups.daily_days),
                ),
                backup.BackupPlanRule(
                    rule_name="monthly",
                    schedule_expression=events.Schedule.cron(day="1", hour="20", minute="0"),
                    start_window=Duration.hours(1),
                    completion_window=Duration.hours(8),
                    move_to_cold_storage_after=Duration.days(30),
                    delete_after=Duration.days(backups.monthly_days),
                ),
            ],
        )
        plan.add_selection(
            "Tables",
            backup_selection_name="tables",
            role=self.role,
            disable_default_backup_policy=True,
            resources=[backup.BackupResource.from_arn(table.table_arn) for table in tables],
        )
        self._watch(len(tables))
        CfnOutput(self, "BackupVaultName", value=self.vault.backup_vault_name)
        CfnOutput(self, "RestoreRoleArn", value=self.restore_role.role_arn)

    def _role(self, id: str, purpose: str) -> iam.Role:
        return iam.Role(
            self,
            id,
            assumed_by=iam.ServicePrincipal(
                "backup.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name(
                    f"service-role/AWSBackupServiceRolePolicyFor{purpose}"
                )
            ],
        )

    def _watch(self, tables: int) -> None:
        def jobs(outcome: str, period: Duration) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace="AWS/Backup",
                metric_name=f"NumberOfBackupJobs{outcome}",
                dimensions_map={"BackupVaultName": self.vault.backup_vault_name},
                statistic="Sum",
                period=period,
            )

        alarm(
            self,
            "FailedAlarm",
            settings=self.settings,
            what="a copy of a table into the backup vault failed",
            runbook="backup-failed",
            severity=Severity.TICKET,
            metric=jobs("Failed", Duration.hours(1)),
            threshold=0,
        )
        alarm(
            self,
            "MissingAlarm",
            settings=self.settings,
            what=f"fewer than {tables} tables were copied into the backup vault within a day",
            runbook="backup-failed",
            severity=Severity.TICKET,
            metric=jobs("Completed", Duration.days(1)),
            threshold=tables,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            # A plan that never ran reports nothing at all.
            missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
