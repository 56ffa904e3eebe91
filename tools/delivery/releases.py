"""Releases as they were: prod's templates and small assets of each, kept so that an upgrade can be rehearsed anywhere.

The archive of a release holds its cloud assembly without the ``deps`` layer, which is large; in its place stands the lock
that the layer was built from (``deps-layer/``), so that the release gets the very packages it ran on. No history of the
repository is needed: a shallow clone rehearses as well as a full one.

    python -m tools.delivery.releases --store 0.2.0      # at a release, after `make synth`
"""

from __future__ import annotations

import argparse
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
ARCHIVES: Final = ROOT / "stacks" / "data" / "releases"
LEFT_OUT: Final = ("tree.json", "validation-report.json", "error.txt")
REBUILT_LAYER: Final = "DepsLayer"
"""Logical id, without its hash, of the layer that is not kept."""
LAYER_LOCK: Final = "deps-layer"
"""Folder of the archive: what that layer is built from."""


def newest() -> str:
    """The release before this one."""
    names = [path.name.removesuffix(".tar.xz") for path in ARCHIVES.glob("*.tar.xz")]
    return max(names, key=lambda name: [int(part) for part in name.split(".")])


def store(release: str, assembly: Path) -> Path:
    """Write the archive of ``release`` from its cloud assembly; the same assembly gives the same bytes."""
    from stacks.constructs.bundling import lock_into

    dropped = {f"asset.{digest}" for digest in _rebuilt(assembly)}
    shutil.rmtree(assembly / LAYER_LOCK, ignore_errors=True)
    lock_into(assembly / LAYER_LOCK)
    archive = ARCHIVES / f"{release}.tar.xz"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:xz", preset=9) as file:
        for path in sorted(assembly.rglob("*")):
            name = path.relative_to(assembly)
            if (
                path.is_file()
                and path.name not in LEFT_OUT
                and name.parts[0] not in dropped
                and "__pycache__" not in name.parts
                and not path.name.endswith(".metadata.json")
            ):
                entry = tarfile.TarInfo(str(name))
                entry.size = path.stat().st_size
                with path.open("rb") as content:
                    file.addfile(entry, content)
    return archive


def unpack(release: str, folder: Path) -> Path:
    """The cloud assembly of ``release`` in ``folder``, ready to be deployed onto the twin of this machine."""
    from stacks.constructs.bundling import Target, dependencies

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(ARCHIVES / f"{release}.tar.xz") as file:
        # The archive is our own. The safe filter came with a bug fix release of Python 3.11.
        options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        file.extractall(folder, **options)  # noqa: S202
    for digest in _rebuilt(folder):
        layer = dependencies(Target.for_host(), locked=folder / LAYER_LOCK).built()
        shutil.copytree(layer, folder / f"asset.{digest}")
    _forget_metadata(folder / "manifest.json")
    return folder


def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    """The templates of an assembly by stack name."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text("utf-8"))
        for path in sorted(assembly.glob("*.template.json"))
    }


def _rebuilt(assembly: Path) -> set[str]:
    return set(_rebuilt_in(templates(assembly)))


def _rebuilt_in(templates: dict[str, dict[str, Any]]) -> Iterator[str]:
    for template in templates.values():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Lambda::LayerVersion" and logical_id.startswith(REBUILT_LAYER):
                yield resource["Properties"]["Content"]["S3Key"].removesuffix(".zip")


def _forget_metadata(manifest: Path) -> None:
    """Where constructs came from is not kept, and the CDK would miss it."""
    document = json.loads(manifest.read_text("utf-8"))
    for artifact in document["artifacts"].values():
        artifact.pop("additionalMetadataFile", None)
    for name in ("Tree", "aws-cdk-lib/feature-flag-report"):
        document["artifacts"].pop(name, None)
    manifest.write_text(json.dumps(document))


def main() -> None:
    """Store one release."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", metavar="RELEASE", required=True)
    parser.add_argument("--assembly", type=Path, default=ROOT / "cdk.out" / "prod")
    options = parser.parse_args()
    archive = store(options.store, options.assembly)
    print(f"  wrote  {archive.relative_to(ROOT)} ({archive.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
