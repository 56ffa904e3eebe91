"""What all transformer backends share: pairs, padding to a fixed shape, and which backend is chosen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.models import transformer
from services.models.intent.service import load as load_intent
from services.models.reranker.service import load as load_reranker
from services.models.settings import Settings
from services.models.transformer import NoBackend, Shape, Tensors, Transformer


@dataclass
class Encoded:
    ids: list[int]
    attention_mask: list[int]
    type_ids: list[int]


class FakeTokenizer:
    """Four tokens a row: the lengths of the texts."""

    def encode_batch(self, pairs: list[Any]) -> list[Encoded]:
        rows = [pair if isinstance(pair, tuple) else (pair, "") for pair in pairs]
        return [Encoded([len(a), len(b), 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]) for a, b in rows]


class Recorder:
    """A forward pass whose logits are the first two ids."""

    def __init__(self) -> None:
        self.passes: list[Tensors] = []

    def __call__(self, rows: Tensors) -> Any:
        self.passes.append(rows)
        return rows["input_ids"][:, :2].astype(np.float64)


def test_a_compiled_model_gets_its_own_shape_and_nothing_of_the_padding_comes_back() -> None:
    forward = Recorder()
    model = Transformer("neuron", ("a", "b"), FakeTokenizer(), forward, Shape(batch=4, sequence=4))
    logits = model.logits([("x" * size, None) for size in range(1, 7)])
    assert [each["input_ids"].shape for each in forward.passes] == [(4, 4), (4, 4)]
    assert logits[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert logits.dtype == np.float32
    assert forward.passes[1]["attention_mask"].sum(axis=1).min() > 0, "no row without a token"
    assert "token_type_ids" not in forward.passes[0]


def test_without_a_shape_everything_is_one_pass_of_pairs() -> None:
    forward = Recorder()
    model = Transformer("onnx", ("a",), FakeTokenizer(), forward)
    assert model.logits([("question", "text"), ("question", "longer text")])[:, 1].tolist() == [4, 11]
    assert len(forward.passes) == 1
    assert forward.passes[0]["token_type_ids"][0].tolist() == [0, 1, 1, 1]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The libraries that seem to be installed."""
    libraries: set[str] = set()
    monkeypatch.setattr(transformer, "find_spec", lambda name: name if name in libraries else None)
    return libraries


def test_a_backend_needs_its_artefact_and_its_library(tmp_path: Path, installed: set[str]) -> None:
    for artefact in ("model.neuron", "model.onnx", "model.safetensors"):
        (tmp_path / artefact).touch()
    assert list(transformer.available(tmp_path)) == []
    installed |= {"transformers", "onnxruntime"}
    assert list(transformer.available(tmp_path)) == ["onnx", "torch"]
    installed.add("torch_neuronx")
    assert next(transformer.available(tmp_path)) == "neuron"
    (tmp_path / "model.neuron").unlink()
    assert next(transformer.available(tmp_path)) == "onnx"


def test_a_model_that_nothing_can_serve_is_refused_with_what_is_there(
    tmp_path: Path, installed: set[str]
) -> None:
    (tmp_path / "model.neuron").touch()
    installed.add("onnxruntime")
    with pytest.raises(NoBackend, match=r"auto finds model\.neuron, usable: none"):
        transformer.load(tmp_path)


@pytest.fixture
def fine_tuned(tmp_path: Path, installed: set[str], monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A folder with an ONNX model whose passes are recorded."""
    installed.add("onnxruntime")
    forward = Recorder()
    monkeypatch.setitem(transformer._FORWARD, "onnx", lambda folder: forward)
    monkeypatch.setattr(transformer, "_tokenizer", lambda *given: FakeTokenizer())
    (tmp_path / "model.onnx").touch()
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"1": "faq", "0": "chitchat"}}))
    return forward


def test_logits_become_labels_with_probabilities(fine_tuned: Recorder, tmp_path: Path) -> None:
    service = load_intent(Settings(tmp_path, "", 0, "auto", 1))
    assert service.backend == "onnx"
    ((first, second),) = service.classify(["xx"])
    assert (first[0], second[0]) == ("chitchat", "faq")
    assert first[1] == pytest.approx(1 / (1 + np.exp(-2)))
    assert first[1] + second[1] == pytest.approx(1)


def test_logits_become_an_order(fine_tuned: Recorder, tmp_path: Path) -> None:
    service = load_reranker(Settings(tmp_path, "", 0, "auto", 1))
    ranked = service.rank("q", ["b", "a"])
    assert [place for place, _ in ranked] == [0, 1], "equal scores keep the order of search"
    assert all(0 < score < 1 for _, score in ranked)
    assert fine_tuned.passes[0]["input_ids"].shape == (2, 4)
