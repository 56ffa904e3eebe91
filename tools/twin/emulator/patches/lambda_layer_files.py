"""Gap: every layer version is written into the state file whole: 180 MB for the deployed stacks, on every save.

Function code lies in files named by their content and the state refers to them; here layers lie beside it. Versions of
equal content share one file, and their bytes once they are loaded.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc

REFERENCE = "layer_blob_ref"


def apply() -> None:
    """Leave references in what is saved, follow them in what is loaded, and keep the files."""
    get_state, restore, prune = (
        lambda_svc.get_state,
        lambda_svc._restore_state,
        lambda_svc._prune_orphan_code_blobs,
    )

    def get_state_without_layers() -> dict[str, Any]:
        state = get_state()
        for version in _versions(state["layers"]):
            if isinstance(version.get("_zip_data"), bytes):
                digest = _digest(version)
                if not Path(lambda_svc.CODE_BLOB_DIR, f"{digest}.zip").exists():
                    lambda_svc._write_code_blob(version["_zip_data"])
                version["_zip_data"] = {REFERENCE: digest}
        return state

    def restore_with_layers(data: Any) -> None:
        contents: dict[str, bytes | None] = {}
        for version in _versions((data or {}).get("layers", {})):
            content = version.get("_zip_data")
            if isinstance(content, dict):
                digest = content[REFERENCE]
                if digest not in contents:
                    contents[digest] = lambda_svc._read_code_blob(digest)
                version["_zip_data"] = contents[digest]
        restore(data)

    def prune_but_layers(referenced: set[str]) -> None:
        held = {_digest(version) for version in _versions(lambda_svc._layers) if version.get("_zip_data")}
        prune(referenced | held)

    lambda_svc.get_state = get_state_without_layers
    lambda_svc._restore_state = restore_with_layers
    lambda_svc._prune_orphan_code_blobs = prune_but_layers


def _versions(layers: Any) -> Iterator[dict[str, Any]]:
    """Every version of every layer, whatever its account and region."""
    for layer in getattr(layers, "_data", layers).values():
        yield from layer["versions"]


def _digest(version: dict[str, Any]) -> str:
    return base64.b64decode(version["Content"]["CodeSha256"]).hex()
