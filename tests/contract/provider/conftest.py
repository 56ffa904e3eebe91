"""The real partner services on a port of their own, over a database that the contracts' states fill."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.partners.app import create_app
from services.partners.database.sessions import Database
from services.partners.security import Credentials
from tests.contract.consumer.expectations import CREDENTIAL
from tests.contract.consumer.products import NOON
from tests.contract.provider.changed import Changed, Edit
from tests.contract.provider.states import States, arrangements

STATES_PATH = "/_contract/state"


@dataclass(frozen=True)
class Provider:
    """Where it listens, and what brings it into each state, directly and for a verifier."""

    url: str
    states: States

    @property
    def states_url(self) -> str:
        """Takes the verifier's requests for a state."""
        return f"{self.url}{STATES_PATH}"


StartProvider = Callable[..., AbstractContextManager[Provider]]


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[StartProvider]:
    """Starts the services; ``edit`` changes what they answer."""
    database = Database(f"sqlite:///{tmp_path / 'partners.db'}")
    credentials = Credentials(CREDENTIAL, "contract-administrator-0001")

    @contextmanager
    def start(edit: Edit | None = None) -> Iterator[Provider]:
        app: ASGIApp = create_app(database, credentials, clock=lambda: NOON)
        states = arrangements(database)
        with serving(_with_states(Changed(app, edit) if edit else app, states)) as url:
            yield Provider(url, states)

    yield start
    database.close()


def _with_states(app: ASGIApp, states: States) -> ASGIApp:
    """``app`` beside the route that a verifier asks for states; the verifier's own handlers leave a socket open."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != STATES_PATH:
            await app(scope, receive, send)
            return
        wanted = await Request(scope, receive).json()
        if wanted["action"] == "setup":
            try:
                await run_in_threadpool(states[wanted["state"]])
            except (KeyError, SQLAlchemyError) as error:
                # Not a 5xx: the verifier would repeat that for minutes.
                refusal = JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
                await refusal(scope, receive, send)
                return
        await JSONResponse({})(scope, receive, send)

    return route


@contextmanager
def serving(app: ASGIApp, *, leave_unfinished: bool = False) -> Iterator[str]:
    """``app`` behind a socket that listens before anybody may connect; at the end it may drop what it still answers."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.force_exit = leave_unfinished
            server.should_exit = True
            thread.join()
