"""``python -m tools.twin.models --port N --state DIR``: train what is missing, then serve."""

from __future__ import annotations

import socket
import sys
import time

import uvicorn

from tools.twin.control_plane.app import ControlPlane
from tools.twin.layout import HOST
from tools.twin.models.app import Models, create_app
from tools.twin.models.generation import Composer, Engine
from tools.twin.models.pace import Metronome
from tools.twin.models.settings import Settings, SettingsError, read_settings
from tools.twin.models.train import TrainingError, ensure
from tools.twin.models.upstream import Upstream

BACKLOG = 128
GRACE_SECONDS = 2
"""For answers still on their way when the server is told to stop."""


def main() -> int:
    """Serve until told to stop."""
    try:
        settings = read_settings()
        # The port first: whoever holds it should be known before seconds of training.
        listener = _listen(settings.port)
    except (SettingsError, OSError) as error:
        print(f"models: {error}", file=sys.stderr)
        return 2
    try:
        began = time.monotonic()
        models = Models.load(ensure(settings.state))
    except TrainingError as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    metronome = Metronome(settings.first_token_ms, settings.tokens_per_second)
    engine = _engine(settings, metronome)
    print(
        f"models {models.version} ready after {time.monotonic() - began:.1f} s; answers come from {engine.name}",
        flush=True,
    )
    config = uvicorn.Config(
        create_app(
            models,
            engine,
            metronome,
            ControlPlane(settings.control_plane, settings.emulator),
            authorizer=settings.authorizer,
        ),
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _engine(settings: Settings, metronome: Metronome) -> Engine:
    if settings.llm_url is not None and settings.llm_model is not None:
        return Upstream(settings.llm_url, settings.llm_model, settings.llm_key)
    return Composer(metronome)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(
            f"port {port} is taken ({error.strerror}): stop its holder or give another --port"
        ) from error
    return listener


if __name__ == "__main__":
    raise SystemExit(main())
