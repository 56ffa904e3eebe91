"""No template knows the local twin."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, resources, strings

MARKS = re.compile(
    r"127\.0\.0\.1|(?<![\d.])0\.0\.0\.0(?!/0)|localhost|AWS_ENDPOINT_URL|TWIN_|ministack", re.IGNORECASE
)
"""``0.0.0.0/0`` is a route for every address and ``10.0.0.0/16`` a network; neither is the twin's."""

OF_ITSELF = re.compile(r"Properties\.ContainerDefinitions\[\d+\]\.HealthCheck\.Command\[\d+\]")
"""A container's check runs in the container, and asks it by its own loopback address."""


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, resource in resources(template):
        for path, text in strings(resource):
            if resource["Type"] == "AWS::ECS::TaskDefinition" and OF_ITSELF.fullmatch(path):
                continue
            if MARKS.search(text):
                yield Finding(logical_id, path)


RULE = Rule(
    id="MangaAssist-NoEmulatorAddresses",
    what="no template contains an address or a variable of the local twin",
    why="the twin takes the same templates as AWS, or it proves nothing about them",
    check=_check,
)
