"""Gap: functions run on the emulator's own interpreter and see its packages, so missing packaging goes unnoticed.

``TWIN_LAMBDA_PYTHON`` names the interpreter of Python functions: a bare one, where only layers and code import.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import os

from ministack.core import lambda_runtime


def apply() -> None:
    """Run Python functions on the named interpreter, if one is named."""
    interpreter = os.environ.get("TWIN_LAMBDA_PYTHON")
    if not interpreter:
        return
    detect = lambda_runtime._detect_runtime_binary

    def detect_bare(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (interpreter if runtime.startswith("python") else binary), script

    lambda_runtime._detect_runtime_binary = detect_bare
