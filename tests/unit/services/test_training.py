"""The metrics that decide whether a model is registered, and the evaluation that writes them."""

from __future__ import annotations

import ast
import csv
import json
import tarfile
from pathlib import Path

import pytest

from services.models.training.__main__ import main
from services.models.training.evaluate import NoExamples, evaluate
from services.models.training.metrics import Guess, intent_metrics, reranker_metrics
from tests.functional.models.conftest import ROOT, STATE
from tools.twin.models.train import ensure


def guesses(*rows: tuple[str, float, str]) -> list[Guess]:
    return [Guess(*row) for row in rows]


def test_only_a_confident_mistake_misroutes() -> None:
    metrics = intent_metrics(
        guesses(
            ("faq", 0.9, "faq"),
            ("faq", 0.9, "promotion"),
            ("faq", 0.3, "chitchat"),
            ("promotion", 0.6, "promotion"),
        )
    )
    assert metrics["accuracy"] == 0.5
    assert metrics["misrouting"] == 0.25
    assert metrics["precision_faq"] == pytest.approx(1 / 3)
    assert metrics["precision_promotion"] == 1
    assert metrics["precision_chitchat"] == 0, "a label that is never given has found nothing"
    assert metrics["lowest_precision"] == 0


def test_a_reranker_is_judged_by_where_the_first_answer_stands() -> None:
    metrics = reranker_metrics([[True, False], [False, True], [False, False]])
    assert metrics == {"first_is_right": pytest.approx(1 / 3), "reciprocal_rank": pytest.approx(0.5)}


def write(path: Path, *rows: tuple[str, ...]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def test_an_artefact_is_evaluated_through_its_own_service(tmp_path: Path) -> None:
    folder = ensure(STATE)
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        for name in folder.iterdir():
            archive.add(name, name.name)
    write(
        tmp_path / "held_out.csv",
        ("query", "text", "relevant"),
        ("うずまきの作者は", "Naruto / ナルト\nMasashi Kishimoto / 岸本斉史", "0"),
        ("うずまきの作者は", "Uzumaki / うずまき\nJunji Ito / 伊藤潤二", "1"),
    )
    main(
        [
            "evaluate",
            "reranker",
            "--model",
            str(tmp_path),
            "--examples",
            str(tmp_path),
            "--report",
            str(tmp_path / "out"),
        ]
    )
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert report == {
        "backend": "stand-in:pair-logistic-regression",
        "examples": 2,
        "metrics": {"first_is_right": 1, "reciprocal_rank": 1},
    }


def test_nothing_is_judged_on_no_examples(tmp_path: Path) -> None:
    write(tmp_path / "held_out.csv", ("text", "label"))
    with pytest.raises(NoExamples):
        evaluate("intent", ensure(STATE), tmp_path, tmp_path)


@pytest.mark.parametrize(
    "source", sorted((ROOT / "services" / "models").rglob("*.py")), ids=lambda path: path.stem
)
def test_the_code_reads_on_the_python_of_the_neuron_image(source: Path) -> None:
    tree = ast.parse(source.read_text("utf-8"), feature_version=(3, 10))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "enum", "datetime")
        for alias in node.names
    }
    assert not imported & {"Self", "Never", "StrEnum", "UTC", "assert_never", "override"}
    assert "tomllib" not in {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }


def test_the_images_install_what_the_lock_names() -> None:
    lock = (ROOT / "uv.lock").read_text("utf-8")
    for line in (ROOT / "services" / "models" / "requirements.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            assert f'name = "{name}"\nversion = "{version}"' in lock, line
