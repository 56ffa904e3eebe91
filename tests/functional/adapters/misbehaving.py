"""A raw HTTP server that does to each connection what its script says, and remembers what it was asked."""

from __future__ import annotations

import json
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any

import pytest

from mangaassist.errors import DependencyTimeout


@dataclass
class Request:
    """What arrived: the request line and the headers in small letters."""

    line: str
    headers: dict[str, str]


@dataclass
class Connection:
    """One accepted connection and the events a script may use."""

    socket: socket.socket
    reader: BufferedReader
    server: Misbehaving

    def send(self, payload: bytes) -> None:
        """Every byte."""
        self.socket.sendall(payload)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The socket closes when nothing made from it is open any more.
        self.reader.close()
        self.socket.close()


Script = Callable[[Connection], None]


@dataclass
class Misbehaving:
    """Scripts are taken in turn, one for each request; the last stays."""

    scripts: list[Script] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    asked: queue.Queue[Request] = field(default_factory=queue.Queue)
    """The same requests, for whoever waits for one."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client closed its connection while a script was silent."""
    connections: int = 0
    url: str = ""
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def will(self, *scripts: Script) -> None:
        """What to do with the next requests."""
        self.scripts[:] = scripts

    def handle(self, accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Serve one connection until either side closes it."""
        if tls is not None:
            try:
                accepted = tls.wrap_socket(accepted, server_side=True)
            except OSError:
                return
        # ValueError: a script closed the reader.
        with suppress(OSError, ValueError), accepted, accepted.makefile("rb") as reader:
            connection = Connection(accepted, reader, self)
            while line := reader.readline().decode("latin-1").strip():
                headers: dict[str, str] = {}
                while header := reader.readline().decode("latin-1").strip():
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                request = Request(line, headers)
                with self._lock:
                    script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                    self.requests.append(request)
                self.asked.put(request)
                script(connection)


@contextmanager
def misbehaving(tls: ssl.SSLContext | None = None) -> Iterator[Misbehaving]:
    """The server, listening; speaking TLS where ``tls`` holds a certificate."""
    server = Misbehaving()
    listener = socket.create_server(("127.0.0.1", 0))
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                server.connections += 1
                server._open.append(accepted)
                thread = threading.Thread(target=server.handle, args=(accepted, tls), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        # A plain close would leave accept() waiting.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for accepted in server._open:
            with suppress(OSError):
                accepted.shutdown(socket.SHUT_RDWR)
            accepted.close()
        for thread in threads:
            thread.join()


def head(status: str = "200 OK", content_type: str = "application/json", **headers: str) -> bytes:
    """The beginning of an answer up to its body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(
    body: Any, status: str = "200 OK", content_type: str = "application/json", **headers: str
) -> Script:
    """A whole answer; what is not bytes is sent as JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()

    def script(connection: Connection) -> None:
        connection.send(head(status, content_type, Content_Length=str(len(payload)), **headers) + payload)

    return script


def silence(before: bytes = b"") -> Script:
    """``before``, then nothing until the client leaves."""

    def script(connection: Connection) -> None:
        with _leaving(connection):
            if before:
                connection.send(before)
            while connection.socket.recv(1):
                pass

    return script


def drip(first: bytes, drop: bytes) -> Script:
    """``first``, then ``drop`` again and again, often enough that no single read waits long, until the client leaves."""

    def script(connection: Connection) -> None:
        with _leaving(connection):
            connection.send(first)
            connection.socket.settimeout(0.01)
            while True:
                connection.send(drop)
                with suppress(TimeoutError):
                    if not connection.socket.recv(1):
                        break

    return script


def flood(first: bytes, piece: bytes) -> Script:
    """``first``, then ``piece`` without end, until the client leaves."""

    def script(connection: Connection) -> None:
        with _leaving(connection):
            connection.send(first)
            while True:
                connection.send(piece)

    return script


def reset_after(before: bytes) -> Script:
    """``before``, then a broken connection."""

    def script(connection: Connection) -> None:
        connection.send(before)
        connection.reset()

    return script


def hang_up(connection: Connection) -> None:
    """Close without a word."""
    connection.socket.shutdown(socket.SHUT_RDWR)
    connection.socket.close()


@contextmanager
def _leaving(connection: Connection) -> Iterator[None]:
    """The client has left at the end, be it before the first byte: whoever saw the request may be gone at once."""
    try:
        yield
    finally:
        connection.server.left.set()


async def time_out(server: Misbehaving, ask: Callable[[int], Awaitable[object]], dependency: str) -> None:
    """Ask with a deadline (ms) that passes while the server works on the request.

    A short one may have passed before the request was on its way, and shows nothing then: longer ones follow.
    """
    deadline_ms = 50
    while server.asked.empty():
        with pytest.raises(DependencyTimeout) as caught:
            await ask(deadline_ms)
        assert caught.value.dependency == dependency
        deadline_ms *= 2


def refused_url() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"
