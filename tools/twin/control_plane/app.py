"""Four control planes on one port, told apart by how a request is signed and addressed.

    POST   /                                     X-Amz-Target: AnyScaleFrontendService.*, OpenSearchServerless.*, SageMaker.*
    *      /provisioned-model-throughput[/{id}]  Bedrock; the list is at /provisioned-model-throughputs
    GET    /_twin/control-plane                  everything they were told
    DELETE /_twin/control-plane                  forget it

Faults are set per service under the names of ``SERVICES``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.twin.control_plane.operations import (
    Endpoints,
    Scaling,
    Search,
    SetConcurrency,
    SetTasks,
    Throughput,
)
from tools.twin.control_plane.state import ControlPlaneState, Document
from tools.twin.faults import Scope
from tools.twin.layout import CREDENTIALS, REGION
from tools.twin.models.errors import ServiceError, error_body, error_headers

SERVICES = ("application-autoscaling", "bedrock", "opensearchserverless", "sagemaker")
TARGETS = {
    "AnyScaleFrontendService": "application-autoscaling",
    "OpenSearchServerless": "opensearchserverless",
    "SageMaker": "sagemaker",
}
PATH = "/provisioned-model-throughput"
STATUS = {"ResourceNotFoundException": 404, "ConflictException": 400, "ModelNotReadyException": 429}
Operation = Callable[[Document], Document]


class ControlPlane:
    """The stand-ins and their state; ``emulator_url`` is where Lambda's own operations are."""

    def __init__(
        self,
        folder: Path | None,
        emulator_url: str | None,
        *,
        set_concurrency: SetConcurrency | None = None,
        set_tasks: SetTasks | None = None,
    ) -> None:
        self._state = ControlPlaneState(None if folder is None else folder / "control-plane.json")
        scaling = Scaling(
            self._state,
            set_concurrency or _concurrency_setter(emulator_url),
            set_tasks or _task_setter(emulator_url),
        )
        search, endpoints = Search(self._state), Endpoints(self._state)
        self.throughput = Throughput(self._state)
        self._operations: dict[str, Operation] = {
            "AnyScaleFrontendService.RegisterScalableTarget": scaling.register_scalable_target,
            "AnyScaleFrontendService.DescribeScalableTargets": scaling.describe_scalable_targets,
            "OpenSearchServerless.BatchGetCollectionGroup": search.batch_get_collection_group,
            "OpenSearchServerless.UpdateCollectionGroup": search.update_collection_group,
            "SageMaker.DescribeEndpoint": endpoints.describe_endpoint,
            "SageMaker.UpdateEndpointWeightsAndCapacities": endpoints.update_endpoint_weights_and_capacities,
        }

    def routes(self) -> list[Route]:
        """To be served beside those of the model runtime."""
        return [
            Route("/", self._targeted, methods=["POST"]),
            Route(PATH, self._buy, methods=["POST"]),
            Route(f"{PATH}s", self._list, methods=["GET"]),
            Route(f"{PATH}/{{model:path}}", self._one, methods=["GET", "DELETE"]),
            Route("/_twin/control-plane", self._told, methods=["GET", "DELETE"]),
        ]

    async def _targeted(self, request: Request) -> Response:
        target = request.headers.get("x-amz-target", "")
        operation = self._operations.get(target)
        body = await request.body()
        if operation is None:
            return _answer(lambda: _unknown(target))
        return _answer(lambda: operation(json.loads(body or b"{}")))

    async def _buy(self, request: Request) -> Response:
        body = await request.body()
        return _answer(lambda: self.throughput.create(json.loads(body)), status=201)

    async def _list(self, request: Request) -> Response:
        return _answer(lambda: self.throughput.list(request.query_params))

    async def _one(self, request: Request) -> Response:
        act = self.throughput.delete if request.method == "DELETE" else self.throughput.get
        return _answer(lambda: act(request.path_params["model"]))

    async def _told(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._state.clear()
        return JSONResponse(self._state.tables)


def service_of(scope: Scope) -> str | None:
    """The control plane that a request is for."""
    if scope["path"].startswith(PATH):
        return "bedrock"
    for name, value in scope.get("headers", []):
        if name.lower() == b"x-amz-target":
            return TARGETS.get(value.decode("latin-1").partition(".")[0])
    return None


def _answer(act: Callable[[], Document], *, status: int = 200) -> Response:
    try:
        return JSONResponse(act(), status)
    except ServiceError as error:
        headers = error_headers(error.code)
        # Bedrock's SDK reads the code from the header, the others read it from the body.
        body = error_body("message", error.message, {"__type": error.code})
        return Response(body, STATUS.get(error.code, 400), headers)
    except (KeyError, TypeError, ValueError) as error:
        headers = error_headers("ValidationException")
        body = error_body("message", f"{type(error).__name__}: {error}", {"__type": "ValidationException"})
        return Response(body, 400, headers)


def _unknown(target: str) -> Document:
    raise ServiceError("UnknownOperationException", f"the twin's control planes do not know {target!r}")


def _concurrency_setter(emulator_url: str | None) -> SetConcurrency:
    """Lambda's own operation on the emulator; without an emulator, as in tests of this process, nothing."""
    if emulator_url is None:
        return lambda function, alias, environments: None

    def put(function: str, alias: str, environments: int) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        client = _client("lambda", emulator_url)
        try:
            if environments:
                client.put_provisioned_concurrency_config(
                    FunctionName=function, Qualifier=alias, ProvisionedConcurrentExecutions=environments
                )
            else:
                client.delete_provisioned_concurrency_config(FunctionName=function, Qualifier=alias)
        except (BotoCoreError, ClientError) as error:
            raise ServiceError("ValidationException", f"Lambda refused: {error}") from None

    return put


def _task_setter(emulator_url: str | None) -> SetTasks:
    """ECS's own operation on the emulator; without an emulator nothing."""
    if emulator_url is None:
        return lambda cluster, service, tasks: None

    def put(cluster: str, service: str, tasks: int) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            _client("ecs", emulator_url).update_service(cluster=cluster, service=service, desiredCount=tasks)
        except (BotoCoreError, ClientError) as error:
            raise ServiceError("ValidationException", f"ECS refused: {error}") from None

    return put


def _client(service: str, emulator_url: str) -> Any:
    import boto3

    return cast("Any", boto3).client(  # the stubs know the clients of the functions only
        service,
        endpoint_url=emulator_url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
