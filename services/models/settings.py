"""How a model server is told where its artefact is and where to listen; the defaults are SageMaker's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BACKENDS = ("auto", "neuron", "onnx", "torch", "small")


class SettingsError(Exception):
    """One line that says which variable is wrong and what to do."""


@dataclass(frozen=True)
class Settings:
    """Read from the environment; every field has the variable it comes from beside it."""

    folder: Path
    """``MODEL_FOLDER``; SageMaker unpacks the artefact into /opt/ml/model."""
    host: str
    """``MODEL_HOST``; SageMaker reaches the container on its own interface."""
    port: int
    """``SAGEMAKER_BIND_TO_PORT``, which SageMaker sets when the port is not 8080."""
    backend: str
    """``MODEL_BACKEND``: ``auto`` takes the first whose artefact and library are there."""
    most_waiting: int
    """``MODEL_MOST_WAITING``: calls at once, the running ones included; the next is refused at once with 503."""


def read_settings(variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings; raises ``SettingsError``."""
    backend = variables.get("MODEL_BACKEND", "auto")
    if backend not in BACKENDS:
        raise SettingsError(f"MODEL_BACKEND is {backend!r}: choose one of {', '.join(BACKENDS)}")
    return Settings(
        folder=Path(variables.get("MODEL_FOLDER", "/opt/ml/model")),
        host=variables.get("MODEL_HOST", "0.0.0.0"),  # noqa: S104 - inside a container
        port=_whole(variables, "SAGEMAKER_BIND_TO_PORT", 8080),
        backend=backend,
        most_waiting=_whole(variables, "MODEL_MOST_WAITING", 16),
    )


def _whole(variables: Mapping[str, str], name: str, default: int) -> int:
    given = variables.get(name) or str(default)
    if not given.isdecimal() or int(given) < 1:
        raise SettingsError(f"{name} is {given!r}: give a whole number from 1")
    return int(given)
