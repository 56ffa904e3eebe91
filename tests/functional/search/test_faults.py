from __future__ import annotations

from typing import Any

import httpx
import pytest
from opensearchpy import TransportError
from opensearchpy.exceptions import ConnectionError


@pytest.fixture
def faulty(start_service: Any) -> Any:
    service = start_service()
    service.client().indices.create(index="books")
    return service


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ({"kind": "error"}, 500, "exception"),
        ({"kind": "error", "status": 503}, 503, "exception"),
        ({"kind": "throttle"}, 429, "rejected_execution_exception"),
    ],
)
def test_failures_have_opensearchs_shape(faulty: Any, fault: dict[str, Any], status: int, kind: str) -> None:
    faulty.control("PUT", "faults/search", **fault).raise_for_status()

    with pytest.raises(TransportError) as raised:
        faulty.client().count(index="books")

    assert (raised.value.status_code, raised.value.error) == (status, kind)
    faulty.control("DELETE", "faults").raise_for_status()
    assert faulty.client().count(index="books")["count"] == 0


@pytest.mark.parametrize("kind", ["truncate", "garbage"])
def test_answers_that_mean_nothing_are_errors_to_the_client(faulty: Any, kind: str) -> None:
    faulty.control("PUT", "faults/search", kind=kind).raise_for_status()

    with pytest.raises((ConnectionError, TransportError, ValueError)):
        faulty.client().count(index="books")


def test_health_answers_through_any_fault(faulty: Any) -> None:
    faulty.control("PUT", "faults/search", kind="error").raise_for_status()

    assert httpx.get(f"{faulty.url}/_twin/health").json()["status"] == "ok"
