"""The layers: what enters them, that they are built once and reproducibly, and that the functions live on them alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stacks.constructs import bundling
from stacks.constructs.bundling import Layer, LayerContents, Target
from tests.infrastructure.synthesized import ROOT

PROVIDERS = {
    # Powertools makes these clients itself.
    "AppConfigProvider": "appconfigdata",
    "SecretsProvider": "secretsmanager",
    "SSMProvider": "ssm",
    "DynamoDBProvider": "dynamodb",
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    folder = tmp_path / "layers"
    monkeypatch.setattr(bundling, "CACHE", folder)
    return folder


def layer(fill, digest: str = "0" * 64) -> Layer:
    return Layer(
        name="test", source=ROOT / "layers" / "deps", digest=digest, target=Target.for_host(), fill=fill
    )


def clients_created(source: str) -> Iterator[str]:
    """Names of the services for which a module makes a client."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        if name in PROVIDERS:
            yield PROVIDERS[name]
        if name in ("client", "resource", "create_client") and node.args:
            service = node.args[0]
            if isinstance(service, ast.Constant) and isinstance(service.value, str):
                yield service.value


def test_every_service_the_code_talks_to_is_kept() -> None:
    created: dict[str, set[str]] = {}
    for folder in (ROOT / "lambdas", ROOT / "layers" / "core"):
        for path in folder.rglob("*.py"):
            for service in clients_created(path.read_text("utf-8")):
                created.setdefault(service, set()).add(str(path.relative_to(ROOT)))
    assert {"dynamodb", "bedrock-runtime", "appconfig"} <= set(created), "the search itself finds clients"
    missing = {
        service: places
        for service, places in created.items()
        if service not in LayerContents.load().kept_services
    }
    assert not missing, "add them to layers/deps/contents.toml"


def test_every_kept_service_exists() -> None:
    from botocore.loaders import Loader

    known = Loader().list_available_services("service-2")
    assert set(known) >= LayerContents.load().kept_services


def test_pruning_keeps_what_every_service_needs(tmp_path: Path) -> None:
    data = tmp_path / "botocore" / "data"
    for name in ("dynamodb/2012-08-10/service-2.json.gz", "ec2/2016-11-15/service-2.json.gz"):
        (data / name).parent.mkdir(parents=True)
        (data / name).write_bytes(b"x")
    for name in ("endpoints.json", "partitions.json", "_retry.json", "sdk-default-configuration.json"):
        (data / name).write_text("{}")
    (tmp_path / "thing" / "tests").mkdir(parents=True)
    (tmp_path / "thing" / "tests" / "test_thing.py").write_text("")
    (tmp_path / "thing" / "stub.pyi").write_text("")
    (tmp_path / "thing" / "code.py").write_text("")

    bundling.prune(tmp_path, LayerContents.load())

    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "botocore/data/_retry.json",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/endpoints.json",
        "botocore/data/partitions.json",
        "botocore/data/sdk-default-configuration.json",
        "thing/code.py",
    }


def test_a_layer_is_built_once_per_content(cache: Path) -> None:
    builds: list[Path] = []

    def fill(python: Path) -> None:
        builds.append(python)
        (python / "module.py").write_text("answer = 42\n")

    first, second = layer(fill).built(), layer(fill).built()
    assert first == second
    assert len(builds) == 1
    assert layer(fill, digest="1" * 64).built() != first
    assert len(builds) == 2


def test_a_failed_build_leaves_nothing_behind(cache: Path) -> None:
    def fail(python: Path) -> None:
        (python / "half.py").write_text("")
        raise bundling.BundlingFailed("uv pip failed: no network")

    with pytest.raises(bundling.BundlingFailed, match="no network"):
        layer(fail).built()
    assert list(cache.iterdir()) == []


def test_two_builds_at_once_agree(cache: Path) -> None:
    def build_elsewhere_first(python: Path) -> None:
        (python / "module.py").write_text("answer = 42\n")
        if not (cache / "done").exists():
            (cache / "done").touch()
            layer(build_elsewhere_first).built()

    built = layer(build_elsewhere_first).built()
    assert (built / "python" / "module.py").is_file()
    assert sorted(path.name for path in cache.iterdir()) == sorted([built.name, "done"])


def test_byte_code_is_reproducible_and_does_not_depend_on_file_times(cache: Path) -> None:
    def fill(python: Path) -> None:
        (python / "module.py").write_text("def f():\n    raise ValueError\n")

    contents = []
    for digest in ("a" * 64, "b" * 64):
        (compiled,) = (layer(fill, digest).built() / "python").rglob("*.pyc")
        contents.append(compiled.read_bytes())
    assert contents[0] == contents[1]
    # Second word of the header: hash-based and unchecked (PEP 552).
    assert int.from_bytes(contents[0][4:8], "little") == 0b01
    assert str(cache).encode() not in contents[0]


def test_the_digest_follows_the_target_and_the_interpreter() -> None:
    lambda_target = Target.for_lambda("arm64")
    digests = {
        bundling.core(target).digest
        for target in (
            Target.for_host(),
            replace(lambda_target, interpreter=None),
            replace(lambda_target, interpreter="/usr/bin/python3.13"),
            replace(Target.for_lambda("x86_64"), interpreter=None),
        )
    }
    assert len(digests) == 4
    assert bundling.core(Target.for_host()).digest == bundling.core(Target.for_host()).digest


def test_lambda_gets_wheels_for_its_own_platform() -> None:
    options = Target.for_lambda("arm64").install_options
    assert options == ("--python-platform", "aarch64-manylinux2014", "--python-version", "3.13")


def test_functions_need_nothing_but_their_layers() -> None:
    """Import every handler, and make every client, on an interpreter that has only the layers."""
    target = Target.for_host()
    layers = [str(make(target).built() / "python") for make in (bundling.dependencies, bundling.core)]
    handlers = sorted(str(path) for path in (ROOT / "lambdas").glob("*/handler.py"))
    program = """
import importlib.util, json, sys
layers, handlers, services = json.load(sys.stdin)
sys.path[:0] = layers
for path in handlers:
    spec = importlib.util.spec_from_file_location("handler", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.handler), path
import boto3, opensearchpy, pkgutil, mangaassist
for service in services:
    boto3.client(service, region_name="us-east-1", endpoint_url="https://service.invalid")
for module in pkgutil.walk_packages(mangaassist.__path__, "mangaassist."):
    __import__(module.name)
outside = [m.__file__ for m in sys.modules.values() if "site-packages" in (getattr(m, "__file__", None) or "")]
assert not outside, outside
print("ok")
"""
    # -I -S: no environment, no site-packages. The base interpreter knows nothing of the virtual environment.
    result = subprocess.run(
        [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c", program],
        input=json.dumps([layers, handlers, sorted(LayerContents.load().kept_services)]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "ok", result.stderr


def test_layers_ship_byte_code_for_every_module() -> None:
    target = Target.for_host()
    for make in (bundling.dependencies, bundling.core):
        python = make(target).built() / "python"
        sources = list(python.rglob("*.py"))
        tag = sys.implementation.cache_tag
        missing = [
            str(path.relative_to(python))
            for path in sources
            if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").is_file()
        ]
        assert sources
        assert not missing


def test_what_is_left_out_stays_out() -> None:
    python = bundling.dependencies(Target.for_host()).built() / "python"
    installed = {path.name for path in python.iterdir()}
    assert "opensearchpy" in installed
    assert not {"opensearch", "numpy", "bin"} & installed
    services = {path.name for path in (python / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == LayerContents.load().kept_services
