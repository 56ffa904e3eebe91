"""Start MiniStack with every patch applied and the twin's control API around it."""
# pyright: reportMissingImports=false

from __future__ import annotations

import os

import ministack.app

from tools.twin.emulator import control, patches

# Functions inherit the server's environment; what this interpreter imports is no business of theirs.
os.environ.pop("PYTHONPATH", None)
patches.apply_all()
ministack.app.app = control.around(ministack.app.app)
ministack.app.main()
