"""Builds the two Lambda layers without Docker, once per content: ``build/layers`` keeps every result by its hash.

``deps`` is the locked third-party code, installed for the interpreter and platform the functions run on and pruned by
``layers/deps/contents.toml``; ``core`` is ``layers/core`` as it stands. Both ship byte code, because Lambda's disk is
read-only and an uncompiled package costs two to three times its import on every cold start.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from pydantic import BaseModel, ConfigDict

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / "build" / "layers"
PYTHON_VERSION: Final = "3.13"
REQUIREMENTS: Final = "requirements.txt"
CONTENTS: Final = "contents.toml"
MOUNT_POINT: Final = "/opt/python"
"""Where Lambda mounts a layer's ``python`` folder; compiled into the byte code so that builds are reproducible."""
SHARED_DATA: Final = frozenset(
    {"endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"}
)
"""Files of ``botocore/data`` that belong to every service."""

Architecture = Literal["arm64", "x86_64"]


class BundlingFailed(RuntimeError):
    """A layer could not be built; the message ends with what the failing program said."""


class LayerContents(BaseModel):
    """``layers/deps/contents.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left_out_packages: tuple[str, ...]
    pruned: tuple[str, ...]
    kept_services: frozenset[str]

    @classmethod
    def load(cls, path: Path = ROOT / "layers" / "deps" / "contents.toml") -> LayerContents:
        """Read the file, refusing unknown keys."""
        return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True)
class Target:
    """The interpreter and platform a layer is built for."""

    name: str
    install_options: tuple[str, ...]
    interpreter: str | None
    """A Python of the target's version on this machine, for compiling; ``None`` ships the layer without byte code."""

    @classmethod
    def for_lambda(cls, architecture: Architecture) -> Target:
        """Lambda's Python on Amazon Linux, whatever this machine is."""
        machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture]
        return cls(
            name=f"python{PYTHON_VERSION}-{architecture}",
            install_options=(
                "--python-platform",
                f"{machine}-manylinux2014",
                "--python-version",
                PYTHON_VERSION,
            ),
            interpreter=_interpreter(PYTHON_VERSION),
        )

    @classmethod
    def for_host(cls) -> Target:
        """This machine's own interpreter, which runs the functions of the local twin."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return cls(
            name=f"python{version}-{platform.system().lower()}-{platform.machine()}",
            install_options=("--python", sys.executable),
            interpreter=sys.executable,
        )


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer to be: what it is made from and how. Nothing is built until somebody asks for it."""

    name: str
    source: Path
    digest: str
    """Hash of everything the result depends on; also the asset's hash, so an unchanged layer is not deployed again."""
    target: Target
    fill: Callable[[Path], None]
    """Puts the packages into an empty folder."""

    def code(self) -> lambda_.AssetCode:
        """The layer as a CDK asset."""
        return lambda_.Code.from_asset(
            str(self.source),
            asset_hash=self.digest,
            asset_hash_type=AssetHashType.CUSTOM,
            bundling=BundlingOptions(
                # Required by the type, never pulled: the local build always answers.
                image=DockerImage.from_registry("unused"),
                local=_LocalBuild(self),
            ),
        )

    def built(self) -> Path:
        """The folder Lambda would mount at ``/opt``, from the cache if it was ever built before."""
        cached = CACHE / f"{self.name}-{self.target.name}-{self.digest[:16]}"
        if cached.is_dir():
            return cached
        CACHE.mkdir(parents=True, exist_ok=True)
        # Built aside and moved into place whole, so that an interrupted or parallel synth leaves no half layer.
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=".building-") as scratch:
            layer = Path(scratch) / "layer"
            python = layer / "python"
            python.mkdir(parents=True)
            self.fill(python)
            if self.target.interpreter is not None:
                _compile(python, self.target.interpreter)
            try:
                layer.rename(cached)
            except OSError:
                # Somebody else was quicker with the same content.
                if not cached.is_dir():
                    raise
        return cached


def dependencies(target: Target, *, locked: Path | None = None) -> Layer:
    """The ``deps`` layer for ``target``.

    Args:
        target: what it is built for.
        locked: a folder that ``lock_into`` wrote, for the layer as it was then; by default it is built from today's lock.
    """
    source = ROOT / "layers" / "deps"
    requirements = (locked / REQUIREMENTS).read_text("utf-8") if locked else locked_requirements()
    contents = (locked or source) / CONTENTS

    def fill(python: Path) -> None:
        _install(requirements, target, python)
        prune(python, LayerContents.load(contents))

    return Layer(
        name="deps",
        source=source,
        digest=_digest(target, requirements, contents.read_text("utf-8")),
        target=target,
        fill=fill,
    )


def lock_into(folder: Path) -> None:
    """Write what today's ``deps`` layer is built from, so that it can be built again when the lock has moved on."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REQUIREMENTS).write_text(locked_requirements(), "utf-8")
    shutil.copyfile(ROOT / "layers" / "deps" / CONTENTS, folder / CONTENTS)


def core(target: Target) -> Layer:
    """The ``core`` layer: the product's own package, for ``target`` because byte code is."""
    source = ROOT / "layers" / "core"
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]

    def fill(python: Path) -> None:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / "python", python, ignore=ignored, dirs_exist_ok=True)

    return Layer(
        name="core",
        source=source,
        digest=_digest(target, *(f"{file.relative_to(source)} {_digest_of(file)}" for file in files)),
        target=target,
        fill=fill,
    )


def prune(python: Path, contents: LayerContents) -> None:
    """Remove from an installed tree what no function reads."""
    for path in [path for pattern in contents.pruned for path in python.glob(pattern)]:
        _remove(path)
    for package in ("botocore", "boto3"):
        for path in (python / package / "data").glob("*"):
            if path.name not in SHARED_DATA and path.name not in contents.kept_services:
                _remove(path)


@jsii.implements(ILocalBundling)
class _LocalBuild:
    """CDK's hook for bundling without a container."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def try_bundle(self, output_dir: str, *, image: DockerImage, **_: object) -> bool:
        shutil.copytree(self._layer.built(), output_dir, dirs_exist_ok=True)
        return True


@cache
def locked_requirements() -> str:
    """The functions' dependencies as pinned, hashed requirement lines."""
    left_out = [
        option for name in LayerContents.load().left_out_packages for option in ("--no-emit-package", name)
    ]
    flags = (
        "--frozen",
        "--no-dev",
        "--no-default-groups",
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
    )
    return _run([_uv(), "export", "--quiet", *flags, *left_out])


def _install(requirements: str, target: Target, python: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(requirements)
        file.flush()
        # The lock is complete, so nothing is resolved; the hashes are checked; nothing is built from source.
        options = (
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--link-mode",
            "copy",
        )
        _run(
            [
                _uv(),
                "pip",
                "install",
                *options,
                *target.install_options,
                "--target",
                str(python),
                "-r",
                file.name,
            ]
        )


def _compile(python: Path, interpreter: str) -> None:
    options = ("--invalidation-mode", "unchecked-hash", "-s", str(python), "-p", MOUNT_POINT)
    _run([interpreter, "-m", "compileall", "-q", *options, str(python)])


@cache
def _interpreter(version: str) -> str | None:
    """A working Python of exactly this minor version, from the PATH or from uv's own list."""
    for candidate in _interpreter_candidates(version):
        try:
            answer = _run([candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
        except (BundlingFailed, OSError):
            continue
        if answer.strip() == version:
            return candidate
    return None


def _interpreter_candidates(version: str) -> Iterator[str]:
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    try:
        yield _run(
            [_uv(), "python", "find", "--quiet", "--no-python-downloads", "--no-project", version]
        ).strip()
    except BundlingFailed:
        return


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    if beside.exists():
        return str(beside)
    if found := shutil.which("uv"):
        return found
    raise BundlingFailed("uv is missing: run `make setup`")


def _run(command: list[str]) -> str:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
    if result.returncode:
        said = result.stderr.strip().splitlines()
        raise BundlingFailed(
            f"{Path(command[0]).name} {command[1]} failed: {said[-1] if said else 'no message'}"
        )
    return result.stdout


def _digest(target: Target, *parts: str) -> str:
    compiled = "compiled" if target.interpreter is not None else "source only"
    return hashlib.sha256("\0".join((target.name, compiled, *parts)).encode()).hexdigest()


def _digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
