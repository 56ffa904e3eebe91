"""The firewall in front of everything public: rates, reputation and AWS's common rules, where CloudFront looks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import ArnFormat, CfnOutput, Duration, Fn, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.log_group import log_group, retention
from stacks.constructs.operations_key import operations_key
from stacks.environments import Edge, EnvironmentSettings

EDGE_REGION: Final = "us-east-1"
"""Where CloudFront keeps web ACLs, certificates, metrics and log deliveries, wherever the rest is."""
GUEST_TOKENS_PATH: Final = "/v1/chat/guest-tokens"
RATE_WINDOW_SECONDS: Final = 300
REDACTED_HEADERS: Final = ("sec-websocket-protocol", "authorization", "cookie")
"""What carries tokens never reaches the firewall's log."""
ADDRESSES_REFUSED: Final = 2_000
"""Refusals in five minutes that are more than the background noise of the internet."""
WEB_ACL_ARN_OUTPUT: Final = "WebAclArn"

Rule = wafv2.CfnWebACL.RuleProperty
Statement = wafv2.CfnWebACL.StatementProperty


class EdgeStack(EnvironmentStack):
    """The web ACL of the distribution, its log, and the log group that CloudFront's own access log goes to."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, edge: Edge) -> None:
        super().__init__(
            scope,
            "Edge",
            settings=settings,
            description="The firewall in front of the page and both APIs",
            region=EDGE_REGION,
        )
        self.access_log = log_group(self, "AccessLog", settings=settings, name="cloudfront")
        self.web_acl = self._web_acl(settings, edge) if edge.web_acl else None
        self.web_acl_log = self._web_acl_log(settings) if self.web_acl else None
        deliveries = self._admit_deliveries(settings)
        if self.web_acl is not None and self.web_acl_log is not None:
            self._log_refusals(self.web_acl, self.web_acl_log).add_resource_dependency(deliveries)
            CfnOutput(self, WEB_ACL_ARN_OUTPUT, value=self.web_acl.attr_arn)

    def web_acl_arn(self, reader: Stack) -> str | None:
        """The web ACL's ARN as ``reader`` can name it, which may be in another region."""
        if self.web_acl is None or reader.region == self.region:
            return self.web_acl.attr_arn if self.web_acl else None
        reader.add_stack_dependency(self, "reads its output across regions")
        return Fn.get_stack_output(self.stack_name, WEB_ACL_ARN_OUTPUT, self.region)

    def _web_acl(self, settings: EnvironmentSettings, edge: Edge) -> wafv2.CfnWebACL:
        name = f"{settings.resource_prefix}-edge"
        rules = [
            _rate(
                "GuestTokens",
                edge.guest_tokens_per_five_minutes,
                only=_path_is(GUEST_TOKENS_PATH),
                priority=0,
            ),
            _rate("Requests", edge.requests_per_five_minutes, priority=1),
            _managed("AWSManagedRulesAmazonIpReputationList", priority=2),
            _managed("AWSManagedRulesKnownBadInputsRuleSet", priority=3),
            _managed("AWSManagedRulesCommonRuleSet", counted=edge.counted_rules, priority=4),
        ]
        acl = wafv2.CfnWebACL(
            self,
            "WebAcl",
            name=name,
            description=f"In front of MangaAssist {settings.name}",
            scope="CLOUDFRONT",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            rules=rules,
            visibility_config=_visible(name),
        )
        alarm(
            self,
            "RefusesManyAlarm",
            settings=settings,
            what=f"The firewall refuses over {ADDRESSES_REFUSED} requests in five minutes: an attack, or a rule that is wrong",
            runbook="firewall-refuses-many",
            severity=Severity.TICKET,
            metric=cloudwatch.Metric(
                namespace="AWS/WAFV2",
                metric_name="BlockedRequests",
                dimensions_map={"WebACL": name, "Rule": "ALL"},
                statistic="Sum",
                period=Duration.minutes(5),
            ),
            threshold=ADDRESSES_REFUSED,
            evaluation_periods=3,
            datapoints_to_alarm=2,
        )
        return acl

    def _web_acl_log(self, settings: EnvironmentSettings) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "WebAclLog",
            # WAF writes to no other names.
            log_group_name=f"aws-waf-logs-{settings.resource_prefix}",
            encryption_key=operations_key(self, settings),
            retention=retention(settings),
            removal_policy=self.removal_policy,
        )

    def _log_refusals(self, acl: wafv2.CfnWebACL, group: logs.LogGroup) -> wafv2.CfnLoggingConfiguration:
        return wafv2.CfnLoggingConfiguration(
            self,
            "WebAclLogging",
            resource_arn=acl.attr_arn,
            log_destination_configs=[_arn(group)],
            redacted_fields=[
                wafv2.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
                for header in REDACTED_HEADERS
            ],
            # Who is let in stands in the access log; here is who is not, and who nearly was not.
            logging_filter={
                "DefaultBehavior": "DROP",
                "Filters": [
                    {
                        "Behavior": "KEEP",
                        "Requirement": "MEETS_ANY",
                        "Conditions": [
                            {"ActionCondition": {"Action": action}}
                            for action in ("BLOCK", "COUNT", "EXCLUDED_AS_COUNT")
                        ],
                    }
                ],
            },
        )

    def _admit_deliveries(self, settings: EnvironmentSettings) -> logs.CfnResourcePolicy:
        """Let CloudFront and WAF write to these groups, before they write to each other's policy themselves."""
        return logs.CfnResourcePolicy(
            self,
            "Deliveries",
            policy_name=f"{settings.resource_prefix}-edge",
            policy_document=self.to_json_string(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "delivery.logs.amazonaws.com"},
                            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                            "Resource": [
                                f"{_arn(group)}:log-stream:*"
                                for group in filter(None, (self.access_log, self.web_acl_log))
                            ],
                            "Condition": {
                                "StringEquals": {"aws:SourceAccount": self.account},
                                "ArnLike": {"aws:SourceArn": f"arn:aws:logs:{self.region}:{self.account}:*"},
                            },
                        }
                    ],
                }
            ),
        )


def _arn(group: logs.LogGroup) -> str:
    """Without the ``:*`` behind it, which WAF and policies on streams do not take."""
    stack = Stack.of(group)
    return stack.format_arn(
        service="logs",
        resource="log-group",
        resource_name=group.log_group_name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def _visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    # A sample keeps whole requests, tokens in their headers included, where no redaction reaches.
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )


def _rate(name: str, limit: int, *, priority: int, only: Statement | None = None) -> Rule:
    return Rule(
        name=f"Rate{name}",
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        statement=Statement(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP",
                limit=limit,
                evaluation_window_sec=RATE_WINDOW_SECONDS,
                scope_down_statement=only,
            )
        ),
        visibility_config=_visible(f"Rate{name}"),
    )


def _path_is(path: str) -> Statement:
    """However the path is written: percent signs, doubled slashes and letter case do not get around it."""
    transformations = ("URL_DECODE", "NORMALIZE_PATH", "LOWERCASE")
    return Statement(
        byte_match_statement=wafv2.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="STARTS_WITH",
            search_string=path,
            text_transformations=[
                wafv2.CfnWebACL.TextTransformationProperty(priority=order, type=type)
                for order, type in enumerate(transformations)
            ],
        )
    )


def _managed(name: str, *, priority: int, counted: Sequence[str] = ()) -> Rule:
    count = wafv2.CfnWebACL.RuleActionProperty(count={})
    return Rule(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=Statement(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count)
                    for rule in counted
                ]
                or None,
            )
        ),
        visibility_config=_visible(name),
    )
