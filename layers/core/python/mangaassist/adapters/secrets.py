"""Secrets by ARN, through Powertools' cached provider."""

from __future__ import annotations

MAX_AGE_SECONDS = 300
"""A rotated secret is seen within five minutes."""


def secret(arn: str) -> str:
    """The current value of the secret ``arn``."""
    from aws_lambda_powertools.utilities.parameters import get_secret  # pyright: ignore[reportUnknownVariableType]

    return get_secret(arn, max_age=MAX_AGE_SECONDS)
