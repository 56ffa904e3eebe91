"""Standing in for DNS: the hosts of deployed APIs, as the emulator serves them on this machine.

Standard library only; the emulator's patches import it too.
"""

from __future__ import annotations

import re

EXECUTE_API = re.compile(r"(https|wss)://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?=[/\"']|$)")
PLAIN = {"https": "http", "wss": "ws"}


def local_address(text: str, emulator_port: int | str) -> str:
    """``text`` with every address of a deployed API replaced by the emulator's; all else unchanged."""
    return EXECUTE_API.sub(
        lambda match: f"{PLAIN[match[1]]}://127.0.0.1:{emulator_port}/_aws/execute-api/{match[2]}", text
    )
