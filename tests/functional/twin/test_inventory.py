"""What a deletion leaves, as the services themselves tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.twin.emulators import Emulator, function
from tools.twin.inventory import LISTINGS, Inventory
from tools.twin.layout import Layout

STACK = "MangaAssist-test-Inventory"


@pytest.fixture
def inventory(patched: Emulator, tmp_path: Path) -> Inventory:
    layout = Layout(tmp_path, patched.port)
    layout.assembly.mkdir()
    stack = {"environment": "aws://unknown-account/us-east-1"}
    (layout.assembly / "manifest.json").write_text(json.dumps({"artifacts": {STACK: stack}}))
    return Inventory(layout)


def resources() -> dict[str, Any]:
    return {
        "Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Function": function("def handler(event, context): pass"),
        "Recorded": {"Type": "AWS::SageMaker::Model", "Properties": {}},
    }


def test_it_tells_what_stays_what_goes_and_what_nobody_asked_for(
    patched: Emulator, inventory: Inventory
) -> None:
    before = inventory.existing()
    patched.deploy(STACK, resources())
    deployed = {each.type: each for each in inventory.of_stacks([("us-east-1", STACK)])}
    assert {each.key for each in deployed.values() if each.is_listed} == inventory.existing() - before
    assert deployed["AWS::S3::Bucket"].is_retained
    assert not deployed["AWS::SQS::Queue"].is_retained
    assert not deployed["AWS::SageMaker::Model"].is_listed

    patched.client("sns").create_topic(Name="mangaassist-made-by-hand")
    cloudformation = patched.client("cloudformation")
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    left = inventory.existing() - before
    assert {key.type for key in left} == {"AWS::S3::Bucket", "AWS::SNS::Topic"}
    assert inventory.ours(left) == left


def test_every_listing_can_be_made(inventory: Inventory) -> None:
    assert {key.type for key in inventory.existing()} <= LISTINGS.keys()
