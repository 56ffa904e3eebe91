"""Refusing ports that somebody else holds, and saying who."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import psutil

from tools.twin.errors import TwinError
from tools.twin.layout import HOST


def refuse_taken(ports: Mapping[str, int]) -> None:
    """Raise ``TwinError`` about the first port that cannot be bound, naming its holder where that is allowed."""
    for service, port in ports.items():
        if _is_free(port):
            continue
        raise TwinError(
            f"port {port} ({service}) is taken{_holder(port)}: stop it, or choose other ports with --port-base or TWIN_PORT_BASE"
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports in TIME_WAIT are free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return (
                    f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
                    if connection.pid
                    else ""
                )
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass  # macOS shows other processes' sockets only to root
    return ""
