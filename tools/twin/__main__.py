"""``python -m tools.twin``: the twin from a shell, where mangactl is more than is needed."""

from __future__ import annotations

import argparse
import json
import sys

from tools.twin.layout import ROOT, Held
from tools.twin.supervisor import Twin, TwinError

# The feed is built with the product's own record types, wherever this is started from.
sys.path.append(str(ROOT / "layers" / "core" / "python"))


def main() -> int:
    """0 when it was done; errors are one line."""
    parser = argparse.ArgumentParser(prog="python -m tools.twin", description=__doc__)
    parser.add_argument("--port-base", type=int, help="first of its ports (TWIN_PORT_BASE, 4566)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start, deploy, load")
    up.add_argument("--fresh", action="store_true", help="with empty state")
    up.add_argument("--environment", default="local", help="whose templates (local)")
    up.add_argument("--profile", default="standard", help="standard (the default) or lean")
    commands.add_parser("deploy", help="deploy what changed")
    commands.add_parser("status", help="processes, memory, addresses, as JSON")
    commands.add_parser("down", help="stop everything")
    options = parser.parse_args()

    def report(line: str) -> None:
        print(line, flush=True)

    try:
        held = Held(options.environment, options.profile) if options.command == "up" else None
        twin = Twin.from_environment(port_base=options.port_base, held=held)
        match options.command:
            case "up":
                print(json.dumps(twin.up(fresh=options.fresh, on_progress=report).as_document(), indent=2))
            case "deploy":
                twin.deploy(on_progress=report)
            case "down":
                twin.down(on_progress=report)
            case _:
                print(json.dumps(twin.status().as_document(), indent=2))
    except TwinError as error:
        print(f"twin: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("twin: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
