"""Gap: every worker unpacks every layer for itself: ten connections, ten copies of the dependencies.

Here a layer is unpacked once per content, on first use, and workers share the folder. Layers of equal content, such as
each stack's own version of the dependencies, share their bytes in the emulator's memory, too.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

_unpacking = threading.Lock()
_digests: dict[str, str] = {}
_contents: dict[str, bytes] = {}


def apply() -> None:
    """Give a starting worker the shared folders in place of its layers."""
    spawn = lambda_runtime.Worker._spawn

    def spawn_with_shared_layers(worker: Any) -> None:
        if str(worker.config.get("Runtime", "")).startswith("python") and worker.config.get("Layers"):
            folders = [str(unpacked(layer)) for layer in worker.config["Layers"]]
            variables = (worker.config.get("Environment") or {}).get("Variables") or {}
            variables = {**variables, "_LAMBDA_LAYERS_DIRS": os.pathsep.join(folders)}
            worker.config = {**worker.config, "Layers": [], "Environment": {"Variables": variables}}
        spawn(worker)

    lambda_runtime.Worker._spawn = spawn_with_shared_layers
    find = lambda_svc._find_layer_version

    def find_with_shared_content(*about: Any, **options: Any) -> Any:
        version, *rest = find(*about, **options)
        if version and version.get("_zip_data"):
            content = version["_zip_data"]
            version["_zip_data"] = _contents.setdefault(version["Content"]["CodeSha256"], content)
        return (version, *rest)

    lambda_svc._find_layer_version = find_with_shared_content


def unpacked(layer: str | dict[str, Any]) -> Path:
    """The folder that holds this layer version's content; versions are immutable, so it is made once."""
    arn = layer if isinstance(layer, str) else layer["Arn"]
    with _unpacking:
        if arn not in _digests or not folder_of(_digests[arn]).is_dir():
            content = lambda_svc._resolve_layer_zip(layer)
            if content is None:
                raise RuntimeError(f"layer {arn} does not exist")
            _digests[arn] = hashlib.sha256(content).hexdigest()
            unpack(content, folder_of(_digests[arn]))
        return folder_of(_digests[arn])


def folder_of(digest: str) -> Path:
    """Where the content with this digest lies."""
    return Path(tempfile.gettempdir()) / "layers" / digest


def unpack(content: bytes, folder: Path) -> None:
    """Unpack beside ``folder`` and rename, so that a folder which exists is complete."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        zipfile.ZipFile(io.BytesIO(content)).extractall(beside)  # drops ".." and absolute names by itself
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
