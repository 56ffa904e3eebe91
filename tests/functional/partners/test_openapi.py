"""What the services do is what their OpenAPI document says, by schemathesis: every operation, every check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from starlette.types import Receive, Scope, Send

from services.partners.document import render
from tests.functional.partners.conftest import ADMINISTRATOR

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = 12
CONFIG = {
    "auth": {"openapi": {"credential": {"bearer": ADMINISTRATOR}}},
    "checks": {
        # A well-formed page token may still be none of the list, and a well-formed If-Match may name a former state.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "401", "403", "404", "409", "412"]}
    },
}


class Asked:
    """Stands where the application of the running test will be."""

    app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


schema = schemathesis.openapi.from_dict(json.loads(render()), config=SchemathesisConfig.from_dict(CONFIG))
ASKED = schema.app = Asked()
"""Known when tests are collected, so that every operation is a test; the application it asks comes with the fixture."""


@pytest.fixture
def _asked(app: FastAPI) -> Iterator[None]:
    ASKED.app = app
    yield
    ASKED.app = None


@pytest.mark.usefixtures("_asked")
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_conforms(case: schemathesis.Case) -> None:
    case.call_and_validate()


def test_the_committed_document_is_the_services() -> None:
    assert (ROOT / "docs" / "partners" / "openapi.json").read_text("utf-8") == render(), "run: make docs"


def test_every_operation_declares_its_errors_as_problems(app: FastAPI) -> None:
    document = app.openapi()
    operations = [
        (path, operation)
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if path != "/health"
    ]
    assert len(operations) >= 14
    for path, operation in operations:
        assert operation["security"], path
        assert {"401", "422", "500", "503"} <= set(operation["responses"]), path
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (path, status)
    assert document["components"]["schemas"]["EligibilityAnswer"]["properties"]["eligible"]["deprecated"]
    assert "synthetic" in document["info"]["description"]
