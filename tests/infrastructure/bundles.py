"""Templates without what depends on the machine that layers are bundled for; everything else has to be the same."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

VERSION_ID = re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}")
"""Of a function's version: the hash covers the function's code, configuration and layers, so it follows the layers."""
BUNDLED = ("Content", "Description")
"""Properties of a layer that say what is in it; the description names the interpreter and the platform."""


def without_bundles(template: Mapping[str, Any]) -> dict[str, Any]:
    """``template`` with layers emptied, version ids unhashed, and without metadata, which CloudFormation ignores."""
    neutral = json.loads(VERSION_ID.sub(r"\1", json.dumps(template)))
    for resource in neutral["Resources"].values():
        resource.pop("Metadata", None)
        if resource["Type"] == "AWS::Lambda::LayerVersion":
            for name in BUNDLED:
                del resource["Properties"][name]
    return neutral


def layers(template: Mapping[str, Any]) -> dict[str, Any]:
    """What ``without_bundles`` empties: the layers by logical id."""
    found = {
        logical_id: resource["Properties"]
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::LayerVersion"
    }
    return copy.deepcopy(found)
