"""Contracts over gRPC, at the level of messages: what a caller sends and reads, checked against a running server.

Pact's plugin for protocol buffers is a binary to be downloaded; these contracts need none. The server is asked by its own
description of itself (reflection), so that a field that changed its number or type is found, too, which callers and
servers built from the same stubs would never notice.

A contract names, beside ``consumer`` and ``provider``: the ``service``; ``fields``, each field that the consumer reads or
sends as ``{"Message": {"name": "number type"}}``; and ``interactions`` with a ``method``, its ``request`` and either the
``response`` (at least what is read of it) or the status ``code``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor, descriptor_pool, json_format, message_factory

TIMEOUT_SECONDS: Final = 10.0


def canonical(document: Mapping[str, Any]) -> str:
    """A contract as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def field_of(field: descriptor.FieldDescriptor) -> str:
    """``1 string``, ``7 repeated string``: what is on the wire."""
    repeated = "repeated " if field.is_repeated else ""
    kinds = {
        getattr(field, name): name.removeprefix("TYPE_").lower()
        for name in dir(field)
        if name.startswith("TYPE_")
    }
    named = field.message_type or field.enum_type
    return f"{field.number} {repeated}{named.full_name if named else kinds[field.type]}"


def problems(contract: Path, channel: grpc.Channel) -> list[str]:
    """Where the server breaks ``contract``: ``<place>: <what is wrong>``; nothing when it does not."""
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    document = json.loads(contract.read_text("utf-8"))
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    try:
        service = pool.FindServiceByName(document["service"])
    except KeyError:
        return [f"{document['service']}: the server has no such service"]
    package = service.file.package
    found = list(_fields(document["fields"], pool, package))
    for interaction in document["interactions"]:
        told = _interaction(interaction, service, channel)
        found += [f"{interaction['description']}: {sentence}" for sentence in told]
    return found


def _fields(
    expected: Mapping[str, Mapping[str, str]], pool: descriptor_pool.DescriptorPool, package: str
) -> Iterator[str]:
    for message, fields in expected.items():
        try:
            known = pool.FindMessageTypeByName(f"{package}.{message}").fields_by_name
        except KeyError:
            yield f"{message}: the server has no such message"
            continue
        for name, wanted in fields.items():
            is_now = field_of(known[name]) if name in known else "not there"
            if is_now != wanted:
                yield f"{message}.{name}: expected field {wanted}, but it is {is_now}"


def _interaction(
    interaction: Mapping[str, Any], service: descriptor.ServiceDescriptor, channel: grpc.Channel
) -> list[str]:
    method = service.methods_by_name.get(interaction["method"])
    if method is None:
        return [f"{interaction['method']}: the server has no such method"]
    request = message_factory.GetMessageClass(method.input_type)()
    try:
        json_format.ParseDict(interaction["request"], request)
    except json_format.ParseError as error:
        return [f"the request cannot be sent: {error}"]
    call: Any = channel.unary_unary(
        f"/{service.full_name}/{method.name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    wanted = interaction.get("code", "OK")
    try:
        answer = call(request, timeout=TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        return [] if code.name == wanted else [f"expected {wanted}, but was {code.name}"]
    if wanted != "OK":
        return [f"expected {wanted}, but was OK"]
    told = json_format.MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return list(_differences(interaction["response"], told, "$"))


def _differences(expected: Any, actual: Any, place: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, value in expected.items():
            if name in actual:
                yield from _differences(value, actual[name], f"{place}.{name}")
            else:
                yield f"{place}.{name}: missing"
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{place}: expected {len(expected)} of them, but there are {len(actual)}"
            return
        for number, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from _differences(left, right, f"{place}[{number}]")
    elif expected != actual:
        yield f"{place}: expected {expected!r}, but was {actual!r}"
