"""Whether a provider keeps a pact, and where it does not, in words that name the field."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def problems(pact: Path, url: str, states_url: str) -> list[str]:
    """Where a provider breaks ``pact``: ``<interaction>: <field>: <what is wrong>``; nothing when it does not.

    Args:
        pact: the contract's file.
        url: the provider.
        states_url: takes ``POST {"state", "action": "setup" or "teardown"}`` and brings the provider into the state.

    Raises:
        RuntimeError: the verifier failed without saying where.
    """
    # The library would otherwise report the run to its makers.
    os.environ["PACT_DO_NOT_TRACK"] = "true"
    from pact import Verifier

    address = urlsplit(url)
    verifier = (
        Verifier("provider", address.hostname)
        .add_transport(url=url)
        .add_source(pact)
        .set_coloured_output(enabled=False)
        .state_handler(states_url, teardown=True, body=True)
    )
    try:
        verifier.verify()
    except RuntimeError:
        told = told_of(verifier.results)
        if not told:
            raise
        return told
    return []


def told_of(results: Mapping[str, Any]) -> list[str]:
    """The sentences of a verifier's results."""
    return [
        f"{result['description']}: {sentence}"
        for result in results.get("interactionResults", ())
        if result.get("mismatch")
        for sentence in _sentences(result["mismatch"])
    ]


def _sentences(mismatch: Mapping[str, Any]) -> list[str]:
    details = mismatch.get("mismatches")
    if not details:
        return [str(mismatch.get("message") or mismatch.get("type") or "not verified")]
    return [_sentence(each) for each in details]


def _sentence(detail: Mapping[str, Any]) -> str:
    place = detail.get("path") or detail.get("key") or detail.get("type", "")
    return f"{place}: {detail.get('mismatch') or 'differs'}"
