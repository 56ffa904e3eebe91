"""Choose the environment, or what delivers to all of them; build its stacks, attach the checks."""

from __future__ import annotations

import os
import sys

from aws_cdk import App

from stacks.application import build
from stacks.checks import attach_checks, attach_delivery_checks
from stacks.checks.standby import attach_standby_checks
from stacks.delivery import DELIVERY, build_delivery
from stacks.deployment import UnusableDeployment, deployed
from stacks.environments import (
    NoStandby,
    UnknownEnvironment,
    UnknownProfile,
    environment_named,
    on_this_machine,
    standby,
)
from stacks.standby import build_standby


def main() -> None:
    """Synthesize the environment named by ``-c environment=NAME``, as ``-c profile=lean`` if asked to.

    ``-c standby=REGION`` renders what waits in that region instead. ``-c bundle_for=host`` renders the same for the twin on
    this machine; ``-c delivered=true`` refuses what lacks its account, or prod whom it wakes.
    """
    app = App()
    name = app.node.try_get_context("environment") or "local"
    if name == DELIVERY:
        attach_delivery_checks(app, build_delivery(app))
        app.synth()
        return
    try:
        settings = deployed(
            environment_named(name, app.node.try_get_context("profile") or "standard"),
            app.node.try_get_context("deployment"),
            is_delivered=app.node.try_get_context("delivered") == "true",
        )
        if elsewhere := app.node.try_get_context("standby"):
            settings = standby(settings, elsewhere)
    except (UnknownEnvironment, UnknownProfile, UnusableDeployment, NoStandby) as problem:
        sys.exit(f"error: {problem}")
    if app.node.try_get_context("bundle_for") == "host":
        if not os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:"):
            sys.exit("error: -c bundle_for=host is for the twin: use `mangactl twin deploy`")
        settings = on_this_machine(settings)
    if settings.standby_of:
        attach_standby_checks(app, build_standby(app, settings))
    else:
        attach_checks(app, build(app, settings))
    app.synth()


if __name__ == "__main__":
    main()
