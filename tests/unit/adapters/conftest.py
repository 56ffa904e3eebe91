"""AWS clients that never leave the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber


@pytest.fixture
def stubbed() -> Iterator[Callable[[str], tuple[Any, Stubber]]]:
    """Make a client of a service and the stub behind it; what the stub was promised must have been asked for."""
    with ExitStack() as stack:

        def make(service: str) -> tuple[Any, Stubber]:
            client = boto3.client(
                service,
                region_name="us-east-1",
                endpoint_url="http://127.0.0.1:9",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
            stub = Stubber(client)
            stack.callback(stub.assert_no_pending_responses)
            stack.enter_context(stub)
            return client, stub

        yield make
