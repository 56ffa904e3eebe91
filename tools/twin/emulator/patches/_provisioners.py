"""How patches reach CloudFormation's resource handlers: ``{"create": f(logical_id, props, stack), ...}``."""
# pyright: reportMissingImports=false

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
HANDLERS: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS
PROPERTIES_OF = {"create": 1, "update": 2}
"""Position of the resource's (new) properties among a handler's arguments."""


def after(resource_type: str, repair: Callable[[str, Properties, Properties], None]) -> None:
    """Call ``repair(physical_id, attributes, properties)`` whenever a resource was created or updated."""

    def repaired(handler: Callable[..., Any], position: int) -> Callable[..., Any]:
        @functools.wraps(handler)
        def run(*arguments: Any, **options: Any) -> tuple[str, Properties]:
            physical_id, attributes = handler(*arguments, **options)
            attributes = dict(attributes or {})
            repair(physical_id, attributes, arguments[position] or {})
            return physical_id, attributes

        return run

    for operation, position in PROPERTIES_OF.items():
        HANDLERS[resource_type][operation] = repaired(HANDLERS[resource_type][operation], position)
