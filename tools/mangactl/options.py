"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--environment", "-e", envvar="MANGACTL_ENVIRONMENT", help="local (the twin), dev, staging or prod."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs, errors too.")]
