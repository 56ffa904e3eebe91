"""What the twin takes is what AWS takes, but for the layers."""

from __future__ import annotations

import copy
import platform
import sys

import pytest

from stacks.environments import on_this_machine
from tests.infrastructure.bundles import layers, without_bundles
from tests.infrastructure.synthesized import Synthesized, synthesize


@pytest.fixture(scope="module")
def here(prod: Synthesized) -> Synthesized:
    """Prod as the twin on this machine gets it."""
    return synthesize(on_this_machine(prod.settings))


def test_prod_for_the_twin_differs_from_prod_in_its_layers_alone(
    prod: Synthesized, here: Synthesized
) -> None:
    assert list(here.templates) == list(prod.templates)
    for concern, template in prod.templates.items():
        assert without_bundles(here.templates[concern]) == without_bundles(template), concern


def test_the_layers_are_of_this_machine(prod: Synthesized, here: Synthesized) -> None:
    target = f"python{sys.version_info.major}.{sys.version_info.minor}-{platform.system().lower()}-{platform.machine()}"
    for concern, template in prod.templates.items():
        theirs, ours = layers(template), layers(here.templates[concern])
        assert theirs.keys() == ours.keys()
        for logical_id, layer in ours.items():
            assert target in layer.pop("Description")
            assert "python3.13-arm64" in theirs[logical_id].pop("Description")
            assert layer["Content"].pop("S3Key") != theirs[logical_id]["Content"].pop("S3Key")
            assert layer == theirs[logical_id], "and the rest is the same"


@pytest.mark.parametrize(
    ("type", "change"),
    [
        ("AWS::Lambda::Function", {"MemorySize": 1}),
        ("AWS::Lambda::Function", {"Architectures": ["x86_64"]}),
        ("AWS::Lambda::Function", {"Code": {"S3Bucket": "b", "S3Key": "another.zip"}}),
        ("AWS::Lambda::LayerVersion", {"CompatibleRuntimes": []}),
        ("AWS::IAM::Policy", {"PolicyDocument": {}}),
    ],
)
def test_any_other_difference_is_seen(prod: Synthesized, type: str, change: dict[str, object]) -> None:
    template = prod.templates["Chat"]
    changed = copy.deepcopy(dict(template))
    next(each for each in changed["Resources"].values() if each["Type"] == type)["Properties"] |= change
    assert without_bundles(changed) != without_bundles(template)
