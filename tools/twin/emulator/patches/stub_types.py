"""Gap: one unknown resource type makes CloudFormation refuse the whole template.

The types listed in ``stub_types.txt`` are recorded instead: ``Ref`` is a stable name, and every ``Fn::GetAtt`` has an
answer, from ``TWIN_<SERVICE>_<ATTRIBUTE>`` when the emulator's environment has it.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.services.cloudformation import stacks

from tools.twin.emulator.patches._provisioners import HANDLERS, Properties

_recorded: set[str] = set()
OWN_PROFILE = "AWS::Bedrock::ApplicationInferenceProfile"
"""Named after the model it was copied from, so that whoever is called through it knows which one that is."""
LIST = Path(__file__).parent.parent / "stub_types.txt"


class RecordedAttributes(dict[str, Any]):
    """Attributes of a recorded resource: its own string properties, and an answer for any other name."""

    def __init__(self, service: str, physical_id: str, properties: Properties) -> None:
        super().__init__({key: value for key, value in properties.items() if isinstance(value, str)})
        self._service, self._physical_id = service, physical_id

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute; ``default`` is never needed."""
        if dict.__contains__(self, name):
            return dict.__getitem__(self, name)
        if name.lower().endswith("arn"):  # "Arn" and "AlarmArn" mostly, "ARN" in older types
            return f"arn:aws:{self._service}:us-east-1:000000000000:{self._physical_id}"
        variable = f"TWIN_{self._service}_{name.replace('.', '_')}".upper()
        return os.environ.get(variable, self._physical_id)


def recorded(resource_type: str) -> dict[str, Callable[..., Any]]:
    """Handlers that record a resource of ``resource_type`` and do nothing else."""
    service = resource_type.split("::")[1].lower()

    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, RecordedAttributes]:
        if resource_type == OWN_PROFILE:
            physical_id = (
                f"application-inference-profile/{properties['ModelSource']['CopyFrom'].rpartition('/')[2]}"
            )
        else:
            physical_id = f"{logical_id}-{hashlib.sha256((stack + logical_id).encode()).hexdigest()[:10]}"
        return physical_id, RecordedAttributes(service, physical_id, properties)

    def update(
        physical_id: str, old: Properties, new: Properties, stack: str
    ) -> tuple[str, RecordedAttributes]:
        return physical_id, RecordedAttributes(service, physical_id, new)

    return {"create": create, "update": update, "delete": lambda physical_id, properties: None}


def listed() -> tuple[str, ...]:
    """The resource types of ``stub_types.txt``."""
    lines = (line.strip() for line in LIST.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def apply() -> None:
    """Record every listed type that the emulator does not know by itself."""
    for resource_type in listed():
        if resource_type not in HANDLERS:
            HANDLERS[resource_type] = recorded(resource_type)
            _recorded.add(resource_type)
    answer_after_a_restart()


def answer_after_a_restart() -> None:
    """Give recorded resources their answers back, which the emulator's state on disk reduces to the properties."""
    update = stacks._update_resource

    def update_and_answer(
        resource_type: str, physical_id: str, old: Properties, new: Properties, *rest: Any
    ) -> tuple[str, Properties]:
        physical_id, attributes = update(resource_type, physical_id, old, new, *rest)
        if resource_type in _recorded:
            attributes = RecordedAttributes(resource_type.split("::")[1].lower(), physical_id, new)
        return physical_id, attributes

    stacks._update_resource = update_and_answer
