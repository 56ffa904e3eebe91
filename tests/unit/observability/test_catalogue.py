"""The catalogue of metrics against the code that emits them and the requirements that name them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from mangaassist import metrics
from mangaassist.metrics import CATALOGUE, DIMENSIONS, HOPS, Metric, Sender

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "layers" / "core" / "python" / "mangaassist"
IN_THE_LAYER = {
    "chat/report.py": {Sender.MESSAGE},
    "wiring.py": {Sender.MESSAGE},
    "capacity/prewarm.py": {Sender.PREWARM},
    "capacity/throughput.py": {Sender.MODEL_CAPACITY},
}
"""Modules of the layer that emit, and the functions they run in."""
ELSEWHERE = {Sender.CATALOGUE}
"""Neither a function nor in the layer: the tests of the service read what it writes."""


def _sources() -> dict[str, ast.Module]:
    paths = [*ROOT.glob("lambdas/*/*.py"), *CORE.rglob("*.py")]
    return {
        str(path.relative_to(CORE if path.is_relative_to(CORE) else ROOT)): ast.parse(path.read_text("utf-8"))
        for path in paths
        if path != CORE / "metrics.py"
    }


def _named(module: ast.Module) -> Iterator[Metric]:
    """The metrics that a module names: ``metrics.X``, ``from mangaassist.metrics import X``."""
    for node in ast.walk(module):
        names: list[str] = []
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "metrics"
        ):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and node.module == "mangaassist.metrics":
            names = [alias.name for alias in node.names]
        for name in names:
            value = getattr(metrics, name, None)
            if isinstance(value, Metric):
                yield value
            elif value is HOPS:
                yield from HOPS.values()


@pytest.mark.req("OBS-2")
def test_what_the_catalogue_says_is_emitted_is_named_where_it_says_and_nowhere_else() -> None:
    found: dict[str, set[Sender]] = defaultdict(set)
    for name, module in _sources().items():
        senders = IN_THE_LAYER.get(name) or (
            {Sender(name.split("/")[1])} if name.startswith("lambdas/") and any(_named(module)) else set()
        )
        named = list(_named(module))
        assert senders or not named, f"{name} emits metrics: say in IN_THE_LAYER for which function"
        for metric in named:
            found[metric.name] |= senders
    assert found == {
        metric.name: set(metric.senders)
        for metric in CATALOGUE.values()
        if metric.is_emitted and not ELSEWHERE & set(metric.senders)
    }


def test_no_code_spells_the_name_of_a_metric_out() -> None:
    for name, module in _sources().items():
        literals = {node.value for node in ast.walk(module) if isinstance(node, ast.Constant)}
        assert not {each for each in literals if isinstance(each, str)} & set(CATALOGUE), name


def test_a_metric_is_counted_with_the_dimensions_it_declares() -> None:
    seen = 0
    for name, module in _sources().items():
        for node in ast.walk(module):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "count"
            ):
                continue
            metric = next(_named(ast.Module([ast.Expr(node.args[0])], [])), None) or next(
                (
                    each
                    for each in _named(module)
                    if isinstance(node.args[0], ast.Name) and getattr(metrics, node.args[0].id, None) is each
                ),
                None,
            )
            assert metric is not None, f"{name}:{node.lineno} counts something unknown"
            declared = {dimension for names in metric.dimensions for dimension in names}
            assert {keyword.arg for keyword in node.keywords} == declared, f"{name}:{node.lineno}"
            seen += 1
    assert seen > 10


@pytest.mark.req("OBS-2")
def test_every_metric_of_the_requirements_is_in_the_catalogue() -> None:
    text = (ROOT / "docs" / "requirements.md").read_text("utf-8")
    named = {
        word
        for word in re.findall(r"`([A-Z]\w*[a-z]\w*)(?:=\d+)?`", text)
        if re.search(r"(Ms|Count|Rate|Utilization|Invocation|Ready)$", word)
    }
    assert len(named) >= 14
    assert named <= set(CATALOGUE)


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
def test_a_metric_says_what_it_means_and_its_dimensions_are_few_and_known(metric: Metric) -> None:
    assert metric.meaning
    assert not metric.meaning.endswith(".")
    assert len(set(metric.dimensions)) == len(metric.dimensions) >= 1
    for names in metric.dimensions:
        assert set(names) <= set(DIMENSIONS)
        assert len(names) <= 3
    assert () in metric.dimensions, "an alarm on the whole needs the environment's own series"


def test_every_dimension_is_used() -> None:
    used = {name for metric in CATALOGUE.values() for names in metric.dimensions for name in names}
    assert used == set(DIMENSIONS)


WAITED_FOR = {"authorizer", "connect", "guardrail", "guest_token", "message"}
"""The functions that a shopper waits for."""


@pytest.mark.req("OBS-1")
@pytest.mark.parametrize("path", sorted(ROOT.glob("lambdas/*/handler.py")), ids=lambda path: path.parent.name)
def test_every_handler_carries_its_request_id_and_says_who_waits(path: Path) -> None:
    module = ast.parse(path.read_text("utf-8"))
    (handler,) = [
        node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "handler"
    ]
    (outermost, *_) = map(ast.unparse, handler.decorator_list)
    expected = "CRITICAL_SYNC" if path.parent.name in WAITED_FOR else "ASYNC_BACKGROUND"
    assert outermost == f"observed(PathType.{expected})"
