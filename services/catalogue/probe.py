"""``python -m services.catalogue.probe HOST:PORT``: exit 0 when the server there is serving; for container checks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_SECONDS = 3


def is_serving(target: str) -> bool:
    """Whether the server at ``target`` says that it is serving."""
    with grpc.insecure_channel(target) as channel:
        try:
            answer = cast(Any, health_pb2_grpc.HealthStub(channel)).Check(
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS
            )
        except grpc.RpcError:
            return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when it is not, or 2 without a target."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        print("usage: python -m services.catalogue.probe HOST:PORT", file=sys.stderr)  # noqa: T201 - a program
        return 2
    return 0 if is_serving(given[0]) else 1


if __name__ == "__main__":
    sys.exit(main())
