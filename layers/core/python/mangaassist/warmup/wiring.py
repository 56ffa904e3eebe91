"""Joins the warm-up to SageMaker."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mangaassist.settings import FunctionSettings
from mangaassist.warmup.calls import WarmUp, intent_requests, rerank_requests, warm_up

DEPENDENCY = "endpoint"
FIRST_ANSWER_SECONDS = 30.0
"""An accelerator's first pass may take long: that is what it is for."""


@dataclass(frozen=True, kw_only=True)
class WarmUpSettings(FunctionSettings):
    """The endpoints that may be warmed."""

    intent_endpoint: str
    rerank_endpoint: str


def warm(endpoint: str) -> WarmUp | None:
    """Warm an endpoint of ours; ``None`` when it is not one, or has no instance.

    Raises:
        DependencyError: SageMaker does not say how many instances it has.
    """
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.errors import translated

    settings = WarmUpSettings.load()
    requests = {settings.intent_endpoint: intent_requests, settings.rerank_endpoint: rerank_requests}
    if endpoint not in requests:
        return None
    with translated(DEPENDENCY):
        variants = client("sagemaker").describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    instances = sum(int(variant.get("CurrentInstanceCount", 0)) for variant in variants)
    if not instances:
        return None
    runtime = client("sagemaker-runtime", read_timeout_seconds=FIRST_ANSWER_SECONDS, attempts=1)

    def invoke(body: bytes) -> None:
        with translated(DEPENDENCY):
            answer = runtime.invoke_endpoint(
                EndpointName=endpoint, ContentType="application/json", Accept="application/json", Body=body
            )
            answer["Body"].read()

    return warm_up(invoke, requests[endpoint](), instances=instances, clock=time.perf_counter)
