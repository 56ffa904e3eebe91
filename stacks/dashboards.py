"""The six dashboards of OBS-2: what on-call looks at first, from the shopper inwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from mangaassist import metrics
from mangaassist.capacity.latency import latency_budget
from mangaassist.metrics import Metric
from stacks.constructs.alarm import Severity, topic_name
from stacks.constructs.product_metrics import product_metric, share
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.watch import over_all
from stacks.environments import EnvironmentSettings

if TYPE_CHECKING:
    from stacks.catalogue import CatalogueStack
    from stacks.chat import ChatStack
    from stacks.ingest import IngestStack
    from stacks.sessions import SessionsStack

INTENTS: Final = (
    "recommendation",
    "product_question",
    "order_status",
    "return_request",
    "promotion",
    "faq",
    "chitchat",
    "escalation",
    "out_of_scope",
)
"""``mangaassist.intents.intents.Intent``; a test holds the two together."""
WIDTH: Final = 12
HEIGHT: Final = 6
MINUTES: Final = 5


@dataclass(frozen=True)
class Watched:
    """What the dashboards show besides the product's own metrics."""

    chat: ChatStack
    sessions: SessionsStack
    ingest: IngestStack
    catalogue: CatalogueStack | None
    functions: Sequence[PythonFunction]
    alarms: Sequence[cloudwatch.AlarmBase]
    """Of the composite alarms: their state is the first thing to see."""


class Dashboards(Construct):
    """``mangaassist-<environment>-<name>`` for each of the six."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, watched: Watched) -> None:
        super().__init__(scope, "Dashboards")
        self._settings = settings
        self._watched = watched
        self.names: list[str] = []
        self._add("chat", "The chat, from question to answer", self._chat())
        self._add("retrieval", "What answers are made from", self._retrieval())
        self._add("models", "Models: calls, tokens, fallbacks, cost", self._models())
        self._add("guardrails", "What is refused, removed and corrected", self._guardrails())
        self._add("ingest", "From the feed to the index", self._ingest())
        self._add(
            "capacity", "Room: functions, gateway, tables, search, the catalogue service", self._capacity()
        )

    def _add(self, name: str, about: str, widgets: Sequence[cloudwatch.IWidget]) -> None:
        full = f"{self._settings.resource_prefix}-{name}"
        self.names.append(full)
        dashboard = cloudwatch.Dashboard(
            self, name.capitalize(), dashboard_name=full, default_interval=Duration.hours(3)
        )
        dashboard.add_widgets(
            cloudwatch.TextWidget(
                markdown=f"**{about}.** Runbooks: `{self._settings.alerting.runbook_base}`. "
                f"Pages go to `{topic_name(self._settings, Severity.PAGE)}`.",
                width=24,
                height=1,
            )
        )
        for left, right in zip(widgets[::2], [*widgets[1::2], None][: len(widgets[::2])], strict=True):
            dashboard.add_widgets(*([left] if right is None else [left, right]))

    # --- the six ------------------------------------------------------------------------------------

    def _chat(self) -> list[cloudwatch.IWidget]:
        websocket = self._watched.chat.websocket
        return [
            cloudwatch.AlarmStatusWidget(
                title="Troubles", alarms=list(self._watched.alarms), width=WIDTH, height=HEIGHT
            ),
            self._graph(
                "Error share, %", [self._share(metrics.TURN_ERROR_COUNT, metrics.TURN_COUNT)], ceiling=5
            ),
            self._graph("Questions by intent", self._by_intent(metrics.TURN_COUNT, "Sum"), stacked=True),
            self._graph("Errors by intent", self._by_intent(metrics.TURN_ERROR_COUNT, "Sum"), stacked=True),
            self._graph("Answer time, ms", self._percentiles(metrics.TURN_DURATION_MS)),
            self._graph(
                "First token, ms",
                self._percentiles(metrics.TIME_TO_FIRST_TOKEN_MS),
                ceiling=latency_budget().total_ms,
            ),
            *(
                self._graph(
                    f"Answer time by intent, {statistic}, ms",
                    self._by_intent(metrics.TURN_DURATION_MS, statistic),
                )
                for statistic in ("p50", "p95", "p99")
            ),
            self._graph(
                "Hops of the latency budget, p95, ms",
                [
                    self._metric(metrics.HOPS[hop.name], "p95")
                    for hop in latency_budget().hops
                    if hop.is_measured
                ],
            ),
            self._graph(
                "Silence inside a stream, ms", self._percentiles(metrics.STREAM_CHUNK_GAP_MS), ceiling=500
            ),
            self._graph(
                "Connections made, by version",
                [
                    self._metric(metrics.CONNECTION_OPENED, "Sum", protocol_version=version)
                    for version in ("1", "2")
                ],
                stacked=True,
            ),
            self._graph(
                "Connections ended, by reason",
                [
                    self._metric(metrics.STREAM_DISCONNECT_COUNT, "Sum", disconnect_reason=reason)
                    for reason in ("client", "server", "timeout", "gone")
                ],
                stacked=True,
            ),
            self._graph(
                "Turned away",
                [
                    self._metric(metrics.TOKEN_REFUSED, "Sum"),
                    self._metric(metrics.CONNECTION_REFUSED, "Sum"),
                    self._metric(metrics.CONNECTIONS_THROTTLED, "Sum"),
                ],
            ),
            self._graph(
                "Gateway",
                [
                    cloudwatch.Metric(
                        namespace="AWS/ApiGateway",
                        metric_name=name,
                        dimensions_map={
                            "ApiId": websocket.api.api_id,
                            "Stage": websocket.stage.stage_name,
                        },
                        statistic="Sum",
                    )
                    for name in (
                        "ConnectCount",
                        "MessageCount",
                        "IntegrationError",
                        "ExecutionError",
                        "ClientError",
                    )
                ],
            ),
        ]

    def _retrieval(self) -> list[cloudwatch.IWidget]:
        return [
            self._graph(
                "Chunks per answer",
                [
                    self._metric(metrics.RETRIEVED_CHUNK_COUNT, statistic)
                    for statistic in ("p10", "p50", "p90")
                ],
            ),
            self._graph(
                "Answers that cite what they were given, %",
                [self._metric(metrics.RAG_GROUNDING_RATE, "Average")],
            ),
            self._graph(
                "Grounding by index",
                [self._search(metrics.RAG_GROUNDING_RATE, "index_version", "Average")],
            ),
            self._graph(
                "Chunks by index", [self._search(metrics.RETRIEVED_CHUNK_COUNT, "index_version", "Average")]
            ),
            self._graph(
                "Answers without chunks, %",
                [self._share(metrics.RETRIEVAL_FALLBACK, metrics.TURN_COUNT)],
                ceiling=20,
            ),
            self._graph(
                "Without classifier, reranker or recommender, %",
                [
                    self._share(metrics.INTENT_CLASSIFIER_FALLBACK, metrics.TURN_COUNT),
                    self._share(metrics.RERANKER_FALLBACK, metrics.TURN_COUNT),
                    self._share(metrics.RECOMMENDER_FALLBACK, metrics.TURN_COUNT),
                ],
                ceiling=10,
            ),
            self._graph("Search, ms", self._percentiles(metrics.SEARCH_LATENCY_MS)),
            self._graph("Reranking, ms", self._percentiles(metrics.RERANK_LATENCY_MS)),
        ]

    def _models(self) -> list[cloudwatch.IWidget]:
        return [
            self._graph(
                "Calls by model",
                [self._search(metrics.BEDROCK_INVOCATION, "task_type,model_id,service_name", "Sum")],
            ),
            self._graph(
                "Calls by tier", [self._search(metrics.BEDROCK_INVOCATION, "task_type,tier,degraded", "Sum")]
            ),
            self._graph("Tokens read, by intent", self._by_intent(metrics.INPUT_TOKENS, "Sum"), stacked=True),
            self._graph(
                "Tokens written, by intent", self._by_intent(metrics.OUTPUT_TOKENS, "Sum"), stacked=True
            ),
            self._graph(
                "Tokens by model",
                [
                    self._search(metric, "task_type,model_id,service_name", "Sum")
                    for metric in (metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS)
                ],
            ),
            self._graph("A model's stream, ms", self._percentiles(metrics.BEDROCK_LATENCY_MS)),
            self._graph("Fallbacks, %", [self._share(metrics.MODEL_FALLBACK, metrics.TURN_COUNT)], ceiling=5),
            self._graph(
                "Bought capacity",
                [
                    self._metric(metrics.THROUGHPUT_UTILISATION, "Average"),
                    self._metric(metrics.THROUGHPUT_OVERFLOW, "Sum"),
                ],
            ),
            self._graph(
                "Bedrock, all models",
                [
                    over_all("AWS/Bedrock", name, "SUM", minutes=MINUTES)
                    for name in (
                        "Invocations",
                        "InvocationThrottles",
                        "InvocationServerErrors",
                        "InvocationClientErrors",
                    )
                ],
            ),
            self._graph(
                "Estimated charges, USD",
                [
                    cloudwatch.Metric(
                        namespace="AWS/Billing",
                        metric_name="EstimatedCharges",
                        dimensions_map={"Currency": "USD"},
                        statistic="Maximum",
                        period=Duration.hours(6),
                        # Billing speaks in this region alone.
                        region="us-east-1",
                    )
                ],
            ),
        ]

    def _guardrails(self) -> list[cloudwatch.IWidget]:
        return [
            self._graph(
                "Answers touched, by intent",
                self._by_intent(metrics.GUARDRAIL_TRIGGER_COUNT, "Sum"),
                stacked=True,
            ),
            self._graph(
                "Interventions by stage",
                [self._search(metrics.GUARDRAIL_INTERVENTION, "stage,action", "Sum")],
            ),
            self._graph(
                "Corrected after they were seen, %",
                [self._share(metrics.ANSWER_CORRECTED, metrics.TURN_COUNT)],
                ceiling=0.5,
            ),
            self._graph(
                "Not judged, %", [self._share(metrics.ANSWER_UNJUDGED, metrics.TURN_COUNT)], ceiling=1
            ),
            self._graph(
                "Stages without their service",
                [self._search(metrics.GUARDRAIL_STAGE_UNAVAILABLE, "stage", "Sum")],
            ),
            self._graph("Questions refused as attacks", [self._metric(metrics.QUESTION_REFUSED, "Sum")]),
        ]

    def _ingest(self) -> list[cloudwatch.IWidget]:
        return [
            self._graph("Feeds loaded, %", [self._metric(metrics.INGEST_JOB_COMPLETION_RATE, "Average")]),
            self._graph(
                "Runs",
                [
                    self._metric(metrics.INGEST_RUN_SUCCEEDED, "Sum"),
                    self._metric(metrics.INGEST_RUN_FAILED, "Sum"),
                ],
            ),
            self._graph(
                "Documents",
                [
                    self._metric(metrics.INGESTED_DOCUMENTS, "Sum"),
                    self._metric(metrics.INDEXED_DOCUMENTS, "Sum"),
                    self._metric(metrics.QUARANTINED_LINES, "Sum"),
                ],
            ),
            self._graph("Documents a second", [self._metric(metrics.INGEST_DOCUMENTS_PER_SECOND, "Average")]),
            self._graph("How far the index lags, s", [self._metric(metrics.INDEX_LAG_SECONDS, "Maximum")]),
            self._graph("Duration of a run, ms", [self._metric(metrics.INGEST_DURATION_MS, "Maximum")]),
            self._graph(
                "Failure queue",
                [
                    self._watched.ingest.failures.metric_approximate_number_of_messages_visible(
                        statistic="Maximum"
                    )
                ],
            ),
            self._graph(
                "Search and indexing capacity, OCU",
                [over_all("AWS/AOSS", "IndexingOCU", "MAX", minutes=MINUTES)],
            ),
        ]

    def _capacity(self) -> list[cloudwatch.IWidget]:
        functions = self._watched.functions
        table = self._watched.sessions.table
        return [
            self._graph(
                "Running at once",
                [
                    function.function.metric(
                        "ConcurrentExecutions", statistic="Maximum", label=function.folder
                    )
                    for function in functions
                ],
            ),
            self._graph(
                "Refused by Lambda",
                [function.function.metric_throttles(label=function.folder) for function in functions],
                stacked=True,
            ),
            self._graph(
                "Function time, p99, ms",
                [
                    function.function.metric_duration(statistic="p99", label=function.folder)
                    for function in functions
                ],
            ),
            self._graph(
                "Warm capacity",
                [
                    self._metric(metrics.WARM_CAPACITY_READY, "Minimum"),
                    self._metric(metrics.PREWARM_STEP_FAILED, "Sum"),
                    self._watched.chat.message.alias.metric(
                        "ProvisionedConcurrencyUtilization", statistic="Maximum"
                    ),
                ],
            ),
            self._graph(
                "Sessions table, capacity units",
                [table.metric_consumed_read_capacity_units(), table.metric_consumed_write_capacity_units()],
            ),
            self._graph(
                "Sessions table, throttled",
                [
                    table.metric("ReadThrottleEvents", statistic="Sum"),
                    table.metric("WriteThrottleEvents", statistic="Sum"),
                ],
            ),
            self._graph(
                "Search capacity, OCU",
                [
                    over_all("AWS/AOSS", f"{purpose}OCU", "MAX", minutes=MINUTES)
                    for purpose in ("Search", "Indexing")
                ],
                ceiling=self._settings.search.max_ocu,
            ),
            self._graph("Model warm-up, ms", [self._search(metrics.MODEL_WARM_UP_MS, "endpoint", "Maximum")]),
            *self._catalogue(),
        ]

    def _catalogue(self) -> list[cloudwatch.IWidget]:
        if self._watched.catalogue is None:
            return []
        return [self._graph(title, shown) for title, shown in self._watched.catalogue.graphs().items()]

    # --- pieces -------------------------------------------------------------------------------------

    def _metric(self, metric: Metric, statistic: str, **dimensions: str) -> cloudwatch.Metric:
        label = " ".join(dimensions.values()) or f"{metric.name} {statistic}"
        return product_metric(self._settings, metric, statistic, minutes=MINUTES, label=label, **dimensions)

    def _percentiles(self, metric: Metric) -> list[cloudwatch.IMetric]:
        return [self._metric(metric, statistic) for statistic in ("p50", "p95", "p99")]

    def _by_intent(self, metric: Metric, statistic: str) -> list[cloudwatch.IMetric]:
        return [self._metric(metric, statistic, intent=intent) for intent in INTENTS]

    def _share(self, part: Metric, whole: Metric) -> cloudwatch.MathExpression:
        return share(
            self._metric(part, "Sum"), self._metric(whole, "Sum"), minutes=MINUTES, label=part.name, enough=1
        )

    def _search(self, metric: Metric, names: str, statistic: str) -> cloudwatch.MathExpression:
        """Every series of a metric under some dimensions, whose values nobody knows beforehand."""
        wanted = tuple(names.split(","))
        if wanted not in metric.dimensions:
            raise ValueError(f"{metric.name} is not published under {wanted}")
        schema = ",".join((metrics.NAMESPACE, metrics.ENVIRONMENT, *wanted))
        return cloudwatch.MathExpression(
            expression=f'SEARCH(\'{{{schema}}} MetricName="{metric.name}" '
            f"{metrics.ENVIRONMENT}=\"{self._settings.name}\"', '{statistic}', {MINUTES * 60})",
            using_metrics={},
            period=Duration.minutes(MINUTES),
            label="",
        )

    def _graph(
        self,
        title: str,
        shown: Sequence[cloudwatch.IMetric],
        *,
        stacked: bool = False,
        ceiling: float | None = None,
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=list(shown),
            stacked=stacked,
            width=WIDTH,
            height=HEIGHT,
            period=Duration.minutes(MINUTES),
            region=Stack.of(self).region,
            left_annotations=[]
            if ceiling is None
            else [cloudwatch.HorizontalAnnotation(value=ceiling, label="alarm", color=cloudwatch.Color.RED)],
            left_y_axis=cloudwatch.YAxisProps(min=0),
        )
