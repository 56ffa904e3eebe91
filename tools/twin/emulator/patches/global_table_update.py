"""Gap: any update of a global table without a name of its own replaces it by an empty one.

The emulator derives the new name from the old one instead of the logical id, so the name differs. On AWS a table is
replaced only when its keys change.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import provisioners

from tools.twin.emulator.patches._provisioners import HANDLERS, Properties

GLOBAL_TABLE = "AWS::DynamoDB::GlobalTable"


def apply() -> None:
    """Update as a table is updated that knows its logical id."""
    in_place = provisioners._ddb_update

    def update(
        physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> tuple[str, Any]:
        def with_logical_id(
            physical_id: str, old: Properties, new: Properties, stack: str
        ) -> tuple[str, Any]:
            return in_place(physical_id, old, new, stack, logical_id)

        # The emulator's own handler translates the properties and ends with this call.
        provisioners._ddb_update = with_logical_id
        try:
            return provisioners._ddb_global_table_update(physical_id, old, new, stack)
        finally:
            provisioners._ddb_update = in_place

    HANDLERS[GLOBAL_TABLE] |= {"update": update, "update_with_logical_id": True}
