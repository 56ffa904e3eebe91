"""Choose the environment, build its stacks, attach the checks."""

from __future__ import annotations

import sys

from aws_cdk import App

from stacks.application import build
from stacks.checks import attach_checks
from stacks.environments import UnknownEnvironment, environment_named


def main() -> None:
    """Synthesize the environment named by ``-c environment=NAME``."""
    app = App()
    try:
        settings = environment_named(app.node.try_get_context("environment") or "local")
    except UnknownEnvironment as problem:
        sys.exit(f"error: {problem}")
    attach_checks(app, build(app, settings))
    app.synth()


if __name__ == "__main__":
    main()
