"""Gap: with IAM enforced, operations on provisioned concurrency are checked as ``GetFunction`` and the like."""
# pyright: reportMissingImports=false

from __future__ import annotations

from ministack.core import iam_actions

REAL_ACTION = {
    "GET": "GetProvisionedConcurrencyConfig",
    "PUT": "PutProvisionedConcurrencyConfig",
    "DELETE": "DeleteProvisionedConcurrencyConfig",
}


def apply() -> None:
    """Check the actions AWS checks."""
    extract = iam_actions._lambda_action

    def extract_real(method: str, path: str) -> str | None:
        if path.rstrip("/").endswith("/provisioned-concurrency"):
            return REAL_ACTION.get(method)
        return extract(method, path)

    iam_actions._lambda_action = extract_real
