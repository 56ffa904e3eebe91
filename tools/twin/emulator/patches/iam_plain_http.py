"""Gap: with IAM enforced, policies that demand TLS refuse everybody, because the emulator speaks plain HTTP.

Buckets of CDK (its staging bucket first) carry such a policy. Plain HTTP on the loopback counts as TLS here; that our
own buckets demand TLS is asserted on the templates.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from ministack import app
from ministack.core import iam_evaluator


def apply() -> None:
    """Mark every request as secure."""
    app.pin_request_origin = lambda ip, secure: iam_evaluator.pin_request_origin(ip, True)
