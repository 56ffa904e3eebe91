"""The code of the training pipelines as one folder that Python runs out of a zip file."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from stacks.constructs.bundling import ROOT

MAIN = """from services.models.training.__main__ import main

raise SystemExit(main())
"""


def training_code() -> Path:
    """``__main__.py`` beside the package it starts; made once for each state of the code."""
    sources = [ROOT / "services" / "__init__.py", *sorted((ROOT / "services" / "models").rglob("*.py"))]
    digest = hashlib.sha256(MAIN.encode())
    for source in sources:
        digest.update(f"{source.relative_to(ROOT)}\0".encode() + source.read_bytes())
    folder = ROOT / "build" / "training" / digest.hexdigest()[:16]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=folder.parent))
    for source in sources:
        target = workshop / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (workshop / "__main__.py").write_text(MAIN)
    try:
        workshop.rename(folder)
    except OSError:
        shutil.rmtree(workshop)  # another synth was quicker
    return folder
