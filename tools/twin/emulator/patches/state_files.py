"""Gap: writing the state of a deployed application takes seconds, and nobody is answered meanwhile.

Files are encoded piece by piece in Python, and tables are copied item by item before. Here the C encoder writes the same
bytes in one go, and tables are copied by pickling.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from types import ModuleType
from typing import Any, TextIO, TypeVar

from ministack.core import persistence
from ministack.services import dynamodb

T = TypeVar("T")


def apply() -> None:
    """Give the two modules a ``json`` and a ``copy`` that take the short way."""
    persistence.json = _like(json, dump=dump)
    dynamodb.copy = _like(copy, deepcopy=deepcopy)


def dump(document: Any, file: TextIO, **options: Any) -> None:
    """As ``json.dump``; the whole text is in memory once."""
    file.write(json.dumps(document, **options))


def deepcopy(data: T) -> T:
    """As ``copy.deepcopy``, for data: no function or lock is in it."""
    return pickle.loads(pickle.dumps(data, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - pickled in this very line


def _like(module: ModuleType, **others: Callable[..., Any]) -> ModuleType:
    changed = ModuleType(module.__name__)
    vars(changed).update(vars(module) | others)
    return changed
