"""Why a call is not answered, as a gRPC status and a sentence that says what to do; it repeats nothing of the request."""

from __future__ import annotations

from typing import Final

import grpc

from mangaassist.errors import DependencyError, DependencyThrottled

MOST_ASINS: Final = 100
MOST_PAGE: Final = 100
DEFAULT_PAGE: Final = 20
LONGEST_TERM: Final = 300


class Refusal(Exception):
    """``code`` and ``told`` are what the client gets; what is ``planned`` is no fault, whatever its code."""

    def __init__(self, code: grpc.StatusCode, told: str, *, planned: bool = False) -> None:
        self.code = code
        self.told = told
        self.planned = planned
        super().__init__(f"{code.name}: {told}")


def invalid(told: str) -> Refusal:
    """The request can never succeed."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, told)


def loading() -> Refusal:
    """The read model is not there yet."""
    return Refusal(grpc.StatusCode.UNAVAILABLE, "the catalogue is being loaded: try again in a moment")


def going_away() -> Refusal:
    """The process ends."""
    return Refusal(
        grpc.StatusCode.UNAVAILABLE,
        "this server is going away: watch again with your last resume_token",
        planned=True,
    )


def too_busy(what: str) -> Refusal:
    """Too much at once."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, f"too many {what} at once: back off, then try again")


def of_dependency(error: DependencyError) -> Refusal:
    """The table failed: throttling is passed on, the rest may work when it is tried again."""
    if isinstance(error, DependencyThrottled):
        return Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "the catalogue's table is throttled: back off, then try again"
        )
    return Refusal(grpc.StatusCode.UNAVAILABLE, "the catalogue's table is out of reach: try again")
