"""A real model runtime in a process of its own, and unmodified boto3 clients in front of it."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from tools.twin.interpreters import CACHE
from tools.twin.models.train import ensure

ROOT = Path(__file__).resolve().parents[3]
STATE = CACHE / "models"
"""Where twins have them, too: what one of them trained is as good for a test."""
"""Kept between runs: the folder's name is the digest of everything the models depend on."""
STRONG = "global.anthropic.claude-sonnet-5-5"
ECONOMY = "global.anthropic.claude-haiku-5-5"
TITAN = "amazon.titan-embed-text-v2:0"
START_SECONDS = 60.0


@dataclass(frozen=True)
class Runtime:
    """A running server."""

    url: str
    control: httpx.Client

    def client(self, service: str, *, read_timeout: float = 20) -> Any:
        """An SDK client that tries once, so that a test sees every failure."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        )

    def gate(self) -> None:
        """Let no chunk of the stand-in leave until it is released."""
        self.control.put("/_twin/pace", json={"is_gated": True}).raise_for_status()

    def release(self, chunks: int) -> None:
        """Let so many chunks leave."""
        self.control.post("/_twin/pace/release", json={"chunks": chunks}).raise_for_status()

    def streams(self) -> list[dict[str, Any]]:
        """The log of generations, once none is running."""
        return self.control.get("/_twin/streams", params={"wait": 20}, timeout=30).json()["streams"]

    def reset(self) -> None:
        """Undo what a test set."""
        for path in ("/_twin/faults", "/_twin/failures", "/_twin/pace", "/_twin/streams"):
            self.control.delete(path)


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """The trained models."""
    return ensure(STATE)


Start = Callable[..., AbstractContextManager[Runtime]]


@pytest.fixture(scope="session")
def start_runtime(models_folder: Path) -> Start:
    """Start a server with these environment variables."""

    @contextmanager
    def start(**variables: str) -> Iterator[Runtime]:
        port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TWIN_")}
        roots = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python")))
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.twin.models", "--port", str(port), "--state", str(STATE)],
            cwd=ROOT,
            env={**kept, "PYTHONPATH": roots, **variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert "ready" in process.stdout.readline()
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=START_SECONDS) as control:
                assert control.get("/_twin/health").json()["status"] == "ok"
                yield Runtime(url, control)
        finally:
            process.terminate()
            process.wait(timeout=20)
            assert process.stdout is not None
            process.stdout.close()

    return start


def free_port() -> int:
    """A port nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def _shared_runtime(start_runtime: Start) -> Iterator[Runtime]:
    with start_runtime(TWIN_MODELS_FIRST_TOKEN_MS="0", TWIN_MODELS_TOKENS_PER_SECOND="5000") as runtime:
        yield runtime


LEAKS_OF_THE_SDK = "ignore:unclosed:ResourceWarning"
"""Botocore leaves the socket of a streaming operation open when the answer is an error."""


@contextmanager
def sdk_client(runtime: Runtime, service: str) -> Iterator[Any]:
    """A client whose forgotten sockets are gone before the next test could be blamed for them."""
    client = runtime.client(service)
    yield client
    client.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def runtime(_shared_runtime: Runtime) -> Iterator[Runtime]:
    """The shared server, with nothing set."""
    _shared_runtime.reset()
    yield _shared_runtime
    _shared_runtime.reset()


@pytest.fixture
def bedrock(runtime: Runtime) -> Iterator[Any]:
    """A bedrock-runtime client."""
    with sdk_client(runtime, "bedrock-runtime") as client:
        yield client


@pytest.fixture
def sagemaker(runtime: Runtime) -> Iterator[Any]:
    """A sagemaker-runtime client."""
    with sdk_client(runtime, "sagemaker-runtime") as client:
        yield client


PRODUCTS = """\
<product_data index="1">
title: Uzumaki
title_ja: うずまき
creators: Junji Ito
creators_ja: 伊藤潤二
year: 1998
volumes: 3
status: finished
genres: Horror; Mystery
demographic: Seinen
publisher: Shogakukan
asin: B0TESTAAA1
summary: A seinen manga by Junji Ito.
</product_data>
<product_data index="2">
title: The Drifting Classroom
title_ja: 漂流教室
creators: Kazuo Umezz
creators_ja: 楳図かずお
year: 1972
volumes: 11
status: finished
genres: Horror; Sci-Fi
demographic: Shounen
publisher: Shogakukan
asin: B0TESTAAA2
summary: A shounen manga by Kazuo Umezz.
</product_data>
<product_data index="3">
title: Mushishi
title_ja: 蟲師
creators: Yuki Urushibara
creators_ja: 漆原友紀
year: 1999
volumes: 10
status: finished
genres: Mystery; Supernatural
demographic: Seinen
publisher: Kodansha
asin: B0TESTAAA3
summary: A seinen manga by Yuki Urushibara.
</product_data>
"""


def ask(question: str, language: str = "en", products: str = PRODUCTS) -> list[dict[str, Any]]:
    """The messages of a prompt as the product builds it."""
    text = f"{products}<answer_language>{language}</answer_language>\n<question>{question}</question>"
    return [{"role": "user", "content": [{"text": text}]}]
