"""What any gRPC tool expects of a server: reflection and health."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.catalogue import probe
from tests.functional.catalogue.conftest import Stores
from tests.functional.catalogue_service.conftest import WAIT_SECONDS, Running, Serve, until_serving

SERVICE = "mangaassist.catalogue.v1.CatalogueService"


def test_reflection_lists_the_services_and_describes_ours(running: Running) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(running.channel)
    request = reflection_pb2.ServerReflectionRequest
    listed, described = stub.ServerReflectionInfo(
        iter([request(list_services=""), request(file_containing_symbol=SERVICE)]), timeout=WAIT_SECONDS
    )
    assert {service.name for service in listed.list_services_response.service} == {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    file, *_ = described.file_descriptor_response.file_descriptor_proto
    assert b"WatchChanges" in file


def test_health_says_not_serving_until_the_catalogue_is_loaded(stores: Stores, serve: Serve) -> None:
    table = stores.dynamodb.describe_table(TableName="catalogue")["Table"]
    stores.dynamodb.delete_table(TableName="catalogue")
    # A channel without our service config, which would wait for the server to be well.
    with serve(loaded=False) as running, grpc.insecure_channel(running.target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            state = stub.Check(
                health_pb2.HealthCheckRequest(service=name), timeout=WAIT_SECONDS, wait_for_ready=True
            )
            assert state.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert probe.main([running.target]) == 1
        # The server was there first; the deployment that makes its table comes later.
        stores.dynamodb.create_table(
            TableName="catalogue",
            KeySchema=table["KeySchema"],
            AttributeDefinitions=table["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
        )
        until_serving(running.channel)
        assert probe.main([running.target]) == 0
        assert probe.main([]) == 2
