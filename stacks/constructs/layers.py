"""The two layers of a stack. Each stack makes its own versions from one shared asset: no layer crosses a stack border."""

from __future__ import annotations

from typing import cast

from aws_cdk import Annotations, Stack
from aws_cdk import aws_lambda as lambda_

from stacks.constructs import bundling
from stacks.environments import EnvironmentSettings


def layers_of(stack: Stack, settings: EnvironmentSettings) -> list[lambda_.ILayerVersion]:
    """The ``core`` and ``deps`` layers of ``stack``, made on first use."""
    target = (
        bundling.Target.for_host()
        if settings.bundle_for == "host"
        else bundling.Target.for_lambda(settings.architecture)
    )
    if target.interpreter is None:
        Annotations.of(stack.node.root).add_warning_v2(
            "mangaassist:layers-without-byte-code",
            f"no Python {bundling.PYTHON_VERSION} found on the PATH or by uv: the layers ship without byte code and "
            "every cold start imports two to three times slower",
        )
    layers: list[lambda_.ILayerVersion] = []
    for name, make in (("Core", bundling.core), ("Deps", bundling.dependencies)):
        layer = cast("lambda_.LayerVersion | None", stack.node.try_find_child(f"{name}Layer"))
        if layer is None:
            layer = lambda_.LayerVersion(
                stack,
                f"{name}Layer",
                code=make(target).code(),
                description=f"{name} layer for {target.name}",
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            )
        layers.append(layer)
    return layers
