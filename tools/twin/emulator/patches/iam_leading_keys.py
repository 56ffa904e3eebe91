"""Gap: with IAM enforced, ``dynamodb:LeadingKeys`` is absent, so a ``ForAllValues`` condition on it always passes."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb


def apply() -> None:
    """Add the partition key's value to the condition context of single-item requests."""
    context_of = iam_actions.dynamodb_service_context

    def with_keys(body: bytes) -> dict[str, Any]:
        context, request = dict(context_of(body) or {}), json.loads(body or b"{}")
        key_name = (dynamodb._tables.get(request.get("TableName")) or {}).get("pk_name")
        item = request.get("Key") or request.get("Item") or {}
        if key_name in item:
            context["dynamodb:LeadingKeys"] = list(item[key_name].values())
        return context

    iam_actions.dynamodb_service_context = with_keys
