"""APIs are reached under names of our own, or the exception is written down."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, resources


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, api in resources(template, "AWS::ApiGatewayV2::Api"):
        if api["Properties"].get("DisableExecuteApiEndpoint") is not True:
            yield Finding(logical_id, "Properties.DisableExecuteApiEndpoint")


RULE = Rule(
    id="MangaAssist-DefaultEndpointsClosed",
    what="the default endpoint of every API is closed",
    why="it is a way around the edge, where the firewall is (SEC-5)",
    check=_check,
)
