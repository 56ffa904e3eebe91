"""Two emulators to compare: stock, and with our patches. Both enforce IAM; the tests' own keys are root."""

from __future__ import annotations

import io
import json
import socket
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from tools.twin import interpreters, processes
from tools.twin.layout import REGION, ROOT

DEADLINE_SECONDS = 30
T = TypeVar("T")


@dataclass(frozen=True)
class Emulator:
    """A running emulator; ``scratch`` is a folder its functions write to."""

    port: int
    running: processes.Running
    scratch: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(
        self, service: str, keys: tuple[str, str] = ("test", "test"), *, endpoint: str | None = None
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint or self.url,
            region_name=REGION,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def deploy(self, name: str, resources: Mapping[str, Any], **outputs: Any) -> dict[str, str]:
        """Create a stack and return its outputs; raises ``StackFailed`` with the reason."""
        template = {
            "Resources": resources,
            "Outputs": {key: {"Value": value} for key, value in outputs.items()},
        }
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
        )
        stack = until(lambda: self._settled(cloudformation, name))
        if stack["StackStatus"] != "CREATE_COMPLETE":
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [event.get("ResourceStatusReason", "") for event in events]
            raise StackFailed(" / ".join(reason for reason in reasons if reason))
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    @staticmethod
    def _settled(cloudformation: Any, name: str) -> dict[str, Any] | None:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    def socket_url(self, api_id: str) -> str:
        return f"ws://127.0.0.1:{self.port}/_aws/execute-api/{api_id}/live"


class StackFailed(Exception):
    """CloudFormation gave up; the text is its reason."""


def until(look: Callable[[], T | None], *, deadline_seconds: float = DEADLINE_SECONDS) -> T:
    """The first answer of ``look`` that is something; fails when the deadline passes without one."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def emulator(folder: Path, module: str, health: str) -> Emulator:
    """Start ``module`` with the emulator's interpreter and wait for it."""
    port, temporary, scratch = free_port(), folder / "tmp", folder / "scratch"
    temporary.mkdir()
    scratch.mkdir()
    environment = processes.base_environment(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        AUTH="true",
        TMPDIR=str(temporary),
        TWIN_LAMBDA_PYTHON=str(interpreters.lambda_python()),
        TWIN_OPENSEARCHSERVERLESS_COLLECTIONENDPOINT="http://127.0.0.1:9",
        AWS_XRAY_DAEMON_ADDRESS=f"127.0.0.1:{port}",
        SCRATCH=str(scratch),
    )
    service = processes.Service(
        module,
        [str(interpreters.emulator_python()), "-m", module],
        environment,
        f"http://127.0.0.1:{port}{health}",
        folder / "emulator.log",
        ROOT,
    )
    running = processes.start(service)
    processes.wait_until_healthy([running])
    return Emulator(port, running, scratch)


def zipped(**files: str) -> bytes:
    """A zip archive; ``__`` in a name stands for a slash, and every file is Python."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return content.getvalue()


def function(code: str, **properties: Any) -> dict[str, Any]:
    """A CloudFormation function with inline code, whose role is somebody's."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Handler": "index.handler",
            "Runtime": "python3.13",
            "Role": "arn:aws:iam::000000000000:role/any",
            "Timeout": 20,
            "Code": {"ZipFile": code},
            **properties,
        },
    }
