"""The endpoints behind SageMaker's InvokeEndpoint: the product's own serving code, without the container around it.

An endpoint is known by the end of its name: ``…-intent`` and ``…-reranker``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.models.contract import Refusal
from services.models.intent import IntentService
from services.models.reranker import RerankService
from tools.twin.models.errors import ServiceError

ACCOUNT = "000000000000"

Answer = Callable[[bytes], Any]


def endpoint(name: str, intents: IntentService, reranker: RerankService) -> Answer:
    """What answers at the endpoint ``name``; raises ``ServiceError`` where there is none."""
    if name.endswith("-intent"):
        return _reported(intents.answer)
    if name.endswith("-reranker"):
        return _reported(reranker.answer)
    raise ServiceError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")


def _reported(answer: Answer) -> Answer:
    """SageMaker reports a container's refusal as an error of the model."""

    def report(body: bytes) -> Any:
        try:
            return answer(body)
        except Refusal as refusal:
            raise ServiceError(
                "ModelError",
                f'Received client error ({refusal.status}) from primary with message "{refusal.told}".',
                {"OriginalStatusCode": refusal.status, "OriginalMessage": refusal.told},
            ) from None

    return report
