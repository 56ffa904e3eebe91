"""How the model runtime is started: command line first, then the environment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LLM_URL = "TWIN_LLM_URL"
LLM_MODEL = "TWIN_LLM_MODEL"
LLM_KEY = "TWIN_LLM_KEY"
FIRST_TOKEN_MS = "TWIN_MODELS_FIRST_TOKEN_MS"  # noqa: S105 - a time
TOKENS_PER_SECOND = "TWIN_MODELS_TOKENS_PER_SECOND"


class SettingsError(Exception):
    """One line that says what is wrong with a setting and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, where models are kept, and who answers; ``None`` leaves the pace to the model."""

    port: int
    state: Path
    control_plane: Path | None = None
    """Where the control planes keep what they are told; nowhere by default."""
    emulator: str | None = None
    """Address of the emulator, which has some of the operations that a control plane carries out."""
    authorizer: str | None = None
    """Address of the emulator if it is to be asked what callers may do; they may do all without it."""
    first_token_ms: int | None = None
    tokens_per_second: float | None = None
    llm_url: str | None = None
    llm_model: str | None = None
    llm_key: str | None = None


def read_settings(
    arguments: Sequence[str] | None = None, variables: Mapping[str, str] = os.environ
) -> Settings:
    """The settings; raises ``SettingsError``."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.twin.models", description="The twin's model runtime."
    )
    parser.add_argument("--port", type=int, required=True, help="where to listen, on 127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="where trained models are kept")
    parser.add_argument("--control-plane", type=Path, help="where the control planes keep their state")
    parser.add_argument("--emulator", help="address of the emulator")
    parser.add_argument("--authorizer", help="the emulator, which is asked what callers may do")
    parser.add_argument("--first-token-ms", help=f"the stand-in's wait before it speaks ({FIRST_TOKEN_MS})")
    parser.add_argument("--tokens-per-second", help=f"the stand-in's speed ({TOKENS_PER_SECOND})")
    given = parser.parse_args(arguments)
    url, model = variables.get(LLM_URL) or None, variables.get(LLM_MODEL) or None
    if url is not None and not url.startswith(("http://", "https://")):
        raise SettingsError(f"{LLM_URL} is no web address: give one like http://127.0.0.1:11434")
    if url is not None and model is None:
        raise SettingsError(
            f"{LLM_URL} is set but {LLM_MODEL} is not: name the model that the server should run"
        )
    return Settings(
        port=given.port,
        state=given.state.resolve(),
        control_plane=given.control_plane.resolve() if given.control_plane else None,
        emulator=given.emulator,
        authorizer=given.authorizer,
        first_token_ms=_whole(given.first_token_ms or variables.get(FIRST_TOKEN_MS), FIRST_TOKEN_MS),
        tokens_per_second=_speed(
            given.tokens_per_second or variables.get(TOKENS_PER_SECOND), TOKENS_PER_SECOND
        ),
        llm_url=url,
        llm_model=model,
        llm_key=variables.get(LLM_KEY) or None,
    )


def _whole(value: str | None, name: str) -> int | None:
    if not value:
        return None
    if not value.isdecimal():
        raise SettingsError(f"{name} is {value!r}: give a whole number of milliseconds")
    return int(value)


def _speed(value: str | None, name: str) -> float | None:
    if not value:
        return None
    try:
        speed = float(value)
    except ValueError:
        speed = 0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"{name} is {value!r}: give a number of tokens above 0")
    return speed
