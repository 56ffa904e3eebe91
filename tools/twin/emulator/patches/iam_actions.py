"""Gap: with IAM enforced, Converse is checked as ``bedrock:Converse``, an action that does not exist."""
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

REAL_ACTION = {
    "bedrock:Converse": "bedrock:InvokeModel",
    "bedrock:ConverseStream": "bedrock:InvokeModelWithResponseStream",
}


def apply() -> None:
    """Check the actions AWS checks."""
    extract = iam_actions.extract_iam_action

    def extract_real(*arguments: Any, **options: Any) -> Any:
        action = extract(*arguments, **options)
        return REAL_ACTION.get(action, action)

    iam_actions.extract_iam_action = extract_real
