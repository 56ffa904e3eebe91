"""Releases kept for the upgrade rehearsal: small, the same bytes every time, whole when unpacked."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tools.delivery import releases

MANIFEST = {
    "artifacts": {
        "MangaAssist-prod-Chat": {
            "type": "aws:cloudformation:stack",
            "additionalMetadataFile": "x.metadata.json",
        },
        "Tree": {"type": "cdk:tree"},
    }
}


def layer(digest: str) -> dict[str, object]:
    return {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {"S3Key": f"{digest}.zip"}}}


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    folder = tmp_path / "cdk.out"
    files = {
        "manifest.json": json.dumps(MANIFEST),
        "tree.json": "{}",
        "MangaAssist-prod-Chat.template.json": json.dumps(
            {"Resources": {"CoreLayerA": layer("c0"), "DepsLayerB": layer("d0")}}
        ),
        "MangaAssist-prod-Chat.metadata.json": "{}",
        "asset.c0/python/mangaassist/__init__.py": "",
        "asset.c0/python/mangaassist/__pycache__/__init__.cpython-313.pyc": "x",
        "asset.d0/python/boto3/__init__.py": "large",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_release_comes_back_ready_to_be_deployed(
    assembly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stacks.constructs import bundling

    built = tmp_path / "built"
    (built / "python").mkdir(parents=True)
    (built / "python" / "today.py").touch()
    monkeypatch.setattr(releases, "ARCHIVES", tmp_path / "releases")
    monkeypatch.setattr(bundling.Layer, "built", lambda _: built)
    first = releases.store("0.9.0", assembly).read_bytes()
    assert releases.store("0.9.0", assembly).read_bytes() == first
    found = releases.unpack("0.9.0", tmp_path / "unpacked")
    names = {str(path.relative_to(found)) for path in found.rglob("*") if path.is_file()}
    assert names == {
        "manifest.json",
        "MangaAssist-prod-Chat.template.json",
        "asset.c0/python/mangaassist/__init__.py",
        "asset.d0/python/today.py",
        "deps-layer/contents.toml",
        "deps-layer/requirements.txt",
    }
    artifacts = json.loads((found / "manifest.json").read_text())["artifacts"]
    assert artifacts == {"MangaAssist-prod-Chat": {"type": "aws:cloudformation:stack"}}


def test_the_newest_release_is_the_highest_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "ARCHIVES", tmp_path)
    for name in ("0.9.0", "0.10.0", "0.2.5"):
        (tmp_path / f"{name}.tar.xz").touch()
    assert releases.newest() == "0.10.0"


def test_the_kept_releases_are_small() -> None:
    archives = list(releases.ARCHIVES.glob("*.tar.xz"))
    assert archives
    assert all(archive.stat().st_size < 400_000 for archive in archives)


def test_a_release_gets_the_packages_it_was_locked_with(tmp_path: Path) -> None:
    from stacks.constructs.bundling import Target, dependencies, lock_into

    lock_into(tmp_path)
    then = dependencies(Target.for_host(), locked=tmp_path)
    assert then.digest == dependencies(Target.for_host()).digest
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("boto3==", "boto3==0"))
    assert dependencies(Target.for_host(), locked=tmp_path).digest != then.digest


def test_every_kept_release_has_its_lock(tmp_path: Path) -> None:
    for archive in releases.ARCHIVES.glob("*.tar.xz"):
        with tarfile.open(archive) as file:
            requirements = file.extractfile(f"{releases.LAYER_LOCK}/requirements.txt")
            assert requirements is not None
            assert b"boto3==" in requirements.read()
