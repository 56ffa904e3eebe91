"""``mangactl catalogue``: look into the catalogue service, the way the assistant does."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from mangaassist.store.facts import Product
from mangaassist.store.ports import FindBy
from tools.mangactl.environments import running_twin
from tools.mangactl.failures import BadArgument, CommandFailure, Unavailable
from tools.mangactl.options import JsonOption
from tools.mangactl.output import console, print_json, progress, show, table
from tools.twin.layout import HOST

if TYPE_CHECKING:
    import grpc

    from mangaassist.adapters.grpc_catalogue import GrpcProducts

DEADLINE_MS = 5_000

app = typer.Typer(
    rich_markup_mode=None,
    help="The catalogue service over gRPC: books by ASIN, searches, changes as they come.",
)
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        envvar="CATALOGUE_TARGET",
        metavar="HOST:PORT",
        help="Where the service listens; the running twin's without it.",
        show_default=False,
    ),
]
TlsOption = Annotated[bool, typer.Option("--tls", envvar="CATALOGUE_TLS", help="Speak TLS.")]


@app.command()
def get(
    asins: Annotated[list[str], typer.Argument(metavar="ASIN...", help="Up to 1,000.")],
    target: TargetOption = None,
    tls: TlsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show books by ASIN; what the store does not know is named."""
    from mangaassist.adapters.grpc_catalogue import TooManyProducts

    with _products(target, tls) as products:
        try:
            found = asyncio.run(products.get(asins, deadline_ms=DEADLINE_MS))
        except TooManyProducts as error:
            raise BadArgument(str(error)) from None
    unknown = [asin for asin in dict.fromkeys(asins) if asin not in found]
    document = {"products": [asdict(product) for product in found.values()], "unknown_asins": unknown}
    show(document, _table(list(found.values())), as_json=as_json)
    if unknown and not as_json:
        progress(f"unknown: {', '.join(unknown)}")
    if not found:
        raise CommandFailure("none of these ASINs is a product of the store")


@app.command()
def find(
    title: Annotated[
        str | None, typer.Option(help="English, romaji or Japanese; may end in “vol. 3” or 「3巻」.")
    ] = None,
    creator: Annotated[str | None, typer.Option(help="English or Japanese name.")] = None,
    genre: Annotated[str | None, typer.Option(help="English or Japanese.")] = None,
    series: Annotated[str | None, typer.Option(metavar="ID", help="Every volume of one series.")] = None,
    every_volume: Annotated[
        bool, typer.Option("--every-volume", help="Not only the first volume of each series.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at once.")] = 20,
    page_token: Annotated[
        str, typer.Option(help="Go on where the last page ended.", show_default=False)
    ] = "",
    target: TargetOption = None,
    tls: TlsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find books by exactly one of title, creator, genre or series; best match first."""
    by, term = _one_of(("title", title), ("creator", creator), ("genre", genre), ("series", series))
    with _products(target, tls) as products:
        page = asyncio.run(
            products.find(
                by,
                term,
                page_size=limit,
                page_token=page_token,
                deadline_ms=DEADLINE_MS,
                every_volume=every_volume,
            )
        )
    document = {
        "products": [asdict(product) for product in page.items],
        "next_page_token": page.next_page_token,
    }
    show(document, _table(page.items) if page.items else "nothing found", as_json=as_json)
    if page.next_page_token and not as_json:
        progress(f"there is more: --page-token {page.next_page_token}")


@app.command()
def watch(
    resume_token: Annotated[
        str, typer.Option(help="Go on after the change that came with it.", show_default=False)
    ] = "",
    target: TargetOption = None,
    tls: TlsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show changes of series as they come, until Ctrl-C. With --json, one line of JSON each."""
    import grpc

    from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
    from mangaassist.catalogue_api.v1 import catalogue_pb2_grpc

    with _channel(target, tls) as channel:
        stub: Any = catalogue_pb2_grpc.CatalogueServiceStub(channel)
        changes = stub.WatchChanges(pb.WatchChangesRequest(resume_token=resume_token))
        try:
            for change in changes:
                _show_change(change, as_json=as_json)
        except grpc.RpcError as error:
            raise _failure(error) from None


@app.command()
def services(target: TargetOption = None, tls: TlsOption = False, as_json: JsonOption = False) -> None:
    """List what the server says of itself by reflection: its services, and the calls of each."""
    import grpc
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with _channel(target, tls) as channel:
        try:
            # Reflection's client has no deadline: who is not there is not asked.
            grpc.channel_ready_future(channel).result(timeout=DEADLINE_MS / 1000)
            told = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(told)
            found = {
                name: [method.name for method in pool.FindServiceByName(name).methods]
                for name in sorted(told.get_services())
            }
        except grpc.FutureTimeoutError:
            raise Unavailable(
                f"the catalogue service at {_address(target)} does not answer: see `mangactl twin status`, or --target"
            ) from None
        except grpc.RpcError as error:
            raise _failure(error) from None
    listed = table("service", "calls")
    for name, methods in found.items():
        listed.add_row(name, ", ".join(methods))
    show({"services": found}, listed, as_json=as_json)


# --- inside ---------------------------------------------------------------------------------------------


def _one_of(*given: tuple[FindBy, str | None]) -> tuple[FindBy, str]:
    named: list[tuple[FindBy, str]] = [(by, term) for by, term in given if term is not None]
    if len(named) != 1 or not named[0][1].strip():
        raise BadArgument(
            "give exactly one of --title, --creator, --genre or --series, and something to find"
        )
    return named[0]


@contextmanager
def _products(target: str | None, tls: bool) -> Generator[GrpcProducts]:
    from mangaassist.adapters.grpc_catalogue import GrpcProducts
    from mangaassist.errors import (
        DependencyError,
        DependencyThrottled,
        DependencyTimeout,
        DependencyUnavailable,
    )

    with _channel(target, tls) as channel:
        try:
            yield GrpcProducts(channel)
        except (DependencyUnavailable, DependencyTimeout):
            raise Unavailable(
                f"the catalogue service at {_address(target)} does not answer: see `mangactl twin status`, or --target"
            ) from None
        except DependencyThrottled:
            raise CommandFailure("the catalogue service is overloaded: try again in a moment") from None
        except DependencyError as error:
            if error.reason == "INVALID_ARGUMENT":
                raise BadArgument(
                    "the catalogue service refused the arguments: a page token belongs to the search it came from"
                ) from None
            raise CommandFailure(f"the catalogue service failed: {error.reason}") from None


@contextmanager
def _channel(target: str | None, tls: bool) -> Generator[grpc.Channel]:
    from mangaassist.adapters.grpc_catalogue import connect

    with connect(_address(target), tls=tls) as channel:
        yield channel


def _address(target: str | None) -> str:
    if target:
        host, colon, port = target.rpartition(":")
        if not (host and colon and port.isdecimal()):
            raise BadArgument(f"{target!r} is no HOST:PORT")
        return target
    return f"{HOST}:{running_twin().layout.grpc_port}"


def _failure(error: Any) -> CommandFailure:
    """A call that ended, in one line; the service's sentences say what to do."""
    code, told = error.code().name, error.details()
    match code:
        case "INVALID_ARGUMENT":
            return BadArgument(told)
        case "UNAVAILABLE":
            return Unavailable(f"the call ended: {told}")
        case _:
            return CommandFailure(f"the call ended: {told} ({code})")


def _show_change(change: Any, *, as_json: bool) -> None:
    at = change.changed_at.ToDatetime().isoformat(timespec="seconds") if change.HasField("changed_at") else ""
    if as_json:
        print_json(
            {"series_ids": list(change.series_ids), "changed_at": at, "resume_token": change.resume_token}
        )
    elif change.series_ids:
        console().print(f"{at}Z  {', '.join(change.series_ids)}  ({change.resume_token})")
    else:
        progress(f"watching; later: --resume-token {change.resume_token}")


def _table(products: Sequence[Product]) -> RenderableType:
    listed = table("ASIN", "title", "Japanese", "creators", "genres", "series", "status", "")
    for each in products:
        marks = [*(["18+"] if each.mature else []), *([] if each.buyable else ["not sold"])]
        listed.add_row(
            each.asin,
            each.title,
            each.title_ja or "",
            ", ".join(each.creators),
            ", ".join(each.genres),
            each.series_id,
            each.status or "",
            ", ".join(marks),
        )
    return listed
