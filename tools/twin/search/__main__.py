"""``python -m tools.twin.search --port N --state DIR``: serve the twin's search service until SIGTERM."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvicorn

from tools.twin.search.app import create_app
from tools.twin.search.collection import StateInUse
from tools.twin.search.settings import SearchSettings

HOST = "127.0.0.1"


def serve(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on 127.0.0.1.")],
    state: Annotated[Path, typer.Option(help="Directory of indexes; created when missing.")],
    visibility_delay: Annotated[
        float,
        typer.Option(
            min=0,
            envvar="TWIN_SEARCH_VISIBILITY_DELAY",
            help="Seconds until a write is searchable (AWS: about 10).",
        ),
    ] = SearchSettings().visibility_delay_seconds,
    custom_ids: Annotated[
        bool, typer.Option(envvar="TWIN_SEARCH_CUSTOM_IDS", help="Accept ids chosen by the caller.")
    ] = True,
    hnsw_parameters: Annotated[
        bool,
        typer.Option(envvar="TWIN_SEARCH_HNSW_PARAMETERS", help="Accept m and ef_construction in mappings."),
    ] = False,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Serve requests without a SigV4 signature.")
    ] = False,
    authorizer: Annotated[
        str | None, typer.Option(help="The emulator, which is asked what callers may do; all, without it.")
    ] = None,
) -> None:
    """Serve the OpenSearch dialect of a Serverless NextGen vector collection."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = SearchSettings(visibility_delay, custom_ids, hnsw_parameters, allow_unsigned)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        _stop(f"port {port} on {HOST} is not free ({os.strerror(error.errno or 0)}): choose another --port")
    try:
        app = create_app(state, settings, authorizer=authorizer)
    except StateInUse as error:
        _stop(str(error))
    config = uvicorn.Config(app, access_log=False, log_config=None, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[listener])


def _stop(sentence: str) -> NoReturn:
    typer.echo(f"search: {sentence}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(serve)
