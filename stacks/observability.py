"""Who is woken and what is looked at: alarms, the troubles they add up to, dashboards, traces, the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_xray as xray
from constructs import Construct

from mangaassist import metrics
from stacks.catalogue import CatalogueStack
from stacks.chat import ChatStack
from stacks.constructs.alarm import Severity, anomaly, composite, topic_arn
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.product_metrics import product_metric
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.watch import (
    watch_function,
    watch_http,
    watch_models,
    watch_search,
    watch_table,
    watch_websocket,
)
from stacks.dashboards import Dashboards, Watched
from stacks.environments import EnvironmentSettings, Observability
from stacks.guardrail import GuardrailStack
from stacks.ingest import IngestStack
from stacks.product_alarms import ANSWERS, watch_product
from stacks.search import SearchStack
from stacks.sessions import SessionsStack

ERRORS_WATCHED_ELSEWHERE: Final[Mapping[str, str]] = {
    "message": "chat: a threshold of its own, in every environment",
    "model_capacity": "capacity",
    "prewarm": "capacity",
    "policy_validator": "nobody: it refuses a document by raising, and says so to who deployed it",
}
"""Functions whose errors have an alarm in their own stack, or need none."""


class ObservabilityStack(EnvironmentStack):
    """What sees all other stacks; nothing depends on it."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        observability: Observability,
        sessions: SessionsStack,
        search: SearchStack,
        ingest: IngestStack,
        guardrail: GuardrailStack,
        chat: ChatStack,
        catalogue: CatalogueStack | None,
    ) -> None:
        super().__init__(
            scope, "Observability", settings=settings, description="Alarms, dashboards, traces, budget"
        )
        found = scope.node.find_all()
        functions = sorted(
            (node for node in found if isinstance(node, PythonFunction)), key=lambda node: node.folder
        )
        self._functions = {
            function.folder: watch_function(
                function, settings=settings, errors=function.folder not in ERRORS_WATCHED_ELSEWHERE
            )
            for function in functions
        }
        self._tables = [
            *watch_table(sessions.table, settings=settings, what="sessions"),
            *watch_table(ingest.catalogue, settings=settings, what="the catalogue"),
        ]
        self._websocket = watch_websocket(chat.websocket, settings=settings)
        watch_http(chat.http, settings=settings)
        self._search = watch_search(
            search,
            settings=settings,
            collection_id=search.collection.attr_id,
            collection_name=search.collection_name,
        )
        self._bedrock = watch_models(self, settings=settings)
        self._product = watch_product(self, settings=settings)
        self.troubles = self._add_up(chat)
        if observability.anomaly_detection:
            self._watch_for_the_unusual()
        self.dashboards = Dashboards(
            self,
            settings=settings,
            watched=Watched(
                chat=chat,
                sessions=sessions,
                ingest=ingest,
                catalogue=catalogue,
                functions=functions,
                alarms=self.troubles,
            ),
        )
        self._traces()
        if settings.alerting.monthly_budget_usd is not None:
            self._budget(settings.alerting.monthly_budget_usd)

    # --- troubles -----------------------------------------------------------------------------------

    def _add_up(self, chat: ChatStack) -> Sequence[cloudwatch.CompositeAlarm]:
        """The composite alarms that page. While the chat is down, nobody is told that its answers are slow, too."""
        down = self._trouble(
            "ChatIsDown",
            "Shoppers cannot use the chat",
            "chat-down",
            [
                self._product["MostTurnsFailAlarm"],
                self._product["NoSessionStoreAlarm"],
                self._websocket["broken"],
                *(self._functions[folder]["errors"] for folder in ("authorizer", "connect")),
                *(self._functions[folder]["throttles"] for folder in ("authorizer", "connect", "message")),
            ],
        )
        failing: Sequence[tuple[str, str, str, Sequence[cloudwatch.AlarmBase]]] = (
            (
                "TurnsAreFailing",
                "Some questions end without an answer",
                "turns-failing",
                [self._product["TurnErrorsAlarm"], chat.message_errors, self._websocket["errors"]],
            ),
            (
                "AnswersAreSlow",
                "Answers begin late or stall",
                "answers-slow",
                [self._product["FirstTokenAlarm"], self._product["StreamGapAlarm"]],
            ),
            (
                "AnswersAreUngrounded",
                "Answers are not made from the catalogue",
                "bad-index",
                [
                    self._product[id]
                    for id in ("RetrievedChunksAlarm", "GroundingAlarm", "RetrievalFallbackAlarm")
                ],
            ),
            (
                "AnswersAreUnguarded",
                "Answers reach shoppers without being judged",
                "guardrail-unavailable",
                [
                    self._product["UnjudgedAnswersAlarm"],
                    self._functions["guardrail"]["errors"],
                    self._functions["guardrail"]["throttles"],
                ],
            ),
            (
                "ModelsAreFailing",
                "The models we ask first fail or are throttled",
                "model-slow-or-down",
                [self._product["ModelFallbackAlarm"], *self._bedrock],
            ),
            (
                "AnswersAreWrong",
                "Answers state prices or products that have to be taken back",
                "price-incident",
                [
                    self._product[id]
                    for id in ("CorrectedAnswersAlarm", "PricesRemovedAlarm", "UnknownProductsAlarm")
                ],
            ),
        )
        return [down, *(self._trouble(*each, suppressed_by=down) for each in failing)]

    def _trouble(
        self,
        id: str,
        what: str,
        runbook: str,
        any_of: Sequence[cloudwatch.AlarmBase],
        suppressed_by: cloudwatch.CompositeAlarm | None = None,
    ) -> cloudwatch.CompositeAlarm:
        return composite(
            self,
            id,
            settings=self.settings,
            what=what,
            runbook=runbook,
            severity=Severity.PAGE,
            any_of=any_of,
            suppressed_by=suppressed_by,
        )

    def _watch_for_the_unusual(self) -> None:
        for id, metric, dimensions, what, runbook in (
            (
                "InputTokensAnomaly",
                metrics.INPUT_TOKENS,
                {"task_type": ANSWERS},
                "Answers read an unusual number of tokens per hour",
                "tokens-unusual",
            ),
            (
                "OutputTokensAnomaly",
                metrics.OUTPUT_TOKENS,
                {"task_type": ANSWERS},
                "Answers write an unusual number of tokens per hour",
                "tokens-unusual",
            ),
            (
                "TrafficAnomaly",
                metrics.TURN_COUNT,
                {},
                "An unusual number of questions per hour",
                "traffic-unusual",
            ),
        ):
            anomaly(
                self,
                id,
                settings=self.settings,
                what=what,
                runbook=runbook,
                severity=Severity.TICKET,
                metric=product_metric(self.settings, metric, "Sum", minutes=60, **dimensions),
            )

    # --- traces and money ---------------------------------------------------------------------------

    def _traces(self) -> None:
        """Two views of the traces, by who waits.

        No sampling rule: Lambda samples at a fixed rate and asks no rule (docs/decisions/0006).
        """
        for id, name, path_type, insights in (
            ("ShopperTraces", "shopper", "critical_sync", True),
            ("BackgroundTraces", "background", "async_background", False),
        ):
            xray.CfnGroup(
                self,
                id,
                group_name=f"{self.settings.resource_prefix}-{name}",
                filter_expression=f'annotation.environment = "{self.settings.name}" '
                f'AND annotation.path_type = "{path_type}"',
                insights_configuration=xray.CfnGroup.InsightsConfigurationProperty(
                    insights_enabled=insights, notifications_enabled=False
                ),
            )

    def _budget(self, monthly_usd: int) -> None:
        """Told at 80% and at 100% of what this environment may cost; both tags must be activated for cost allocation."""
        expression = budgets.CfnBudget.ExpressionProperty
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"{self.settings.resource_prefix}-monthly",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=monthly_usd, unit="USD"),
                metrics=["UnblendedCost"],
                filter_expression=expression(
                    and_=[
                        expression(tags=budgets.CfnBudget.TagValuesProperty(key=key, values=[value]))
                        for key, value in (
                            ("application", "mangaassist"),
                            ("environment", self.settings.name),
                        )
                    ]
                ),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type="ACTUAL",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budgets.CfnBudget.SubscriberProperty(
                            subscription_type="SNS", address=topic_arn(self, self.settings, severity)
                        )
                    ],
                )
                for percent, severity in ((80, Severity.TICKET), (100, Severity.PAGE))
            ],
        )
