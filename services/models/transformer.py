"""A fine-tuned transformer on whatever the instance has: a Neuron core, ONNX Runtime, or PyTorch on GPU or CPU.

The artefact decides: ``model.neuron`` (traced for fixed shapes, which ``neuron.json`` names), ``model.onnx``, or
``model.safetensors``; each with ``tokenizer.json`` and ``config.json`` beside it, as the training pipeline writes them.
Libraries are imported only when their artefact is chosen, so that one code base serves every image.
"""

# pyright: reportMissingImports=false
# The libraries belong to the images, not to this repository's environment.

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Tensors = dict[str, NDArray[np.int64]]
Pair = tuple[str, "str | None"]
"""A text, or a question with the text that may answer it."""

ARTEFACTS = {"neuron": "model.neuron", "onnx": "model.onnx", "torch": "model.safetensors"}
LIBRARIES = {"neuron": "torch_neuronx", "onnx": "onnxruntime", "torch": "transformers"}
LONGEST = 512
"""Tokens; what BERT-like models were trained on."""


class NoBackend(Exception):
    """Nothing installed can serve what the folder holds."""


@dataclass(frozen=True)
class Shape:
    """Rows and tokens of one forward pass."""

    batch: int
    sequence: int


@dataclass(frozen=True)
class Transformer:
    """Logits of texts or pairs; with a ``shape`` every pass is padded to it, because Neuron compiles for one."""

    backend: str
    labels: tuple[str, ...]
    _tokenizer: Any
    _forward: Callable[[Tensors], Floats]
    shape: Shape | None = None

    def logits(self, pairs: Sequence[Pair]) -> Floats:
        """One row of logits for each of ``pairs``."""
        size = self.shape.batch if self.shape else len(pairs)
        passes = [self._pass(pairs[start : start + size], size) for start in range(0, len(pairs), size)]
        return np.concatenate(passes)

    def _pass(self, pairs: Sequence[Pair], size: int) -> Floats:
        encoded = self._tokenizer.encode_batch([pair[0] if pair[1] is None else pair for pair in pairs])
        rows: Tensors = {
            "input_ids": np.array([row.ids for row in encoded], np.int64),
            "attention_mask": np.array([row.attention_mask for row in encoded], np.int64),
        }
        if any(pair[1] is not None for pair in pairs):
            rows["token_type_ids"] = np.array([row.type_ids for row in encoded], np.int64)
        missing = size - len(pairs)
        if missing:
            # Copies of a real row rather than zeros: a row without a single attended token ends in NaN.
            rows = {name: np.concatenate([row, row[-1:].repeat(missing, 0)]) for name, row in rows.items()}
        return self._forward(rows)[: len(pairs)].astype(np.float32)


def available(folder: Path) -> Iterator[str]:
    """The backends that have both their artefact in ``folder`` and their library installed, best first."""
    for backend, artefact in ARTEFACTS.items():
        if (folder / artefact).is_file() and find_spec(LIBRARIES[backend]) is not None:
            yield backend


def load(folder: Path, wanted: str = "auto") -> Transformer:
    """The transformer in ``folder``.

    Raises:
        NoBackend: with what is missing.
    """
    usable = list(available(folder))
    backend = next((each for each in usable if wanted in ("auto", each)), None)
    if backend is None:
        held = [artefact for artefact in ARTEFACTS.values() if (folder / artefact).is_file()]
        raise NoBackend(
            f"{wanted} finds {', '.join(held) or 'no transformer'}, usable: {', '.join(usable) or 'none'}"
        )
    config = json.loads((folder / "config.json").read_text("utf-8"))
    shape = Shape(**json.loads((folder / "neuron.json").read_text("utf-8"))) if backend == "neuron" else None
    labels = tuple(label for _, label in sorted(config["id2label"].items(), key=lambda each: int(each[0])))
    forward = _FORWARD[backend](folder)
    return Transformer(backend, labels, _tokenizer(folder, config, shape), forward, shape)


def _tokenizer(folder: Path, config: dict[str, Any], shape: Shape | None) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    longest = shape.sequence if shape else min(LONGEST, int(config.get("max_position_embeddings", LONGEST)))
    # Only the text is cut: a question that lost its end asks something else.
    tokenizer.enable_truncation(longest, strategy="longest_first")
    padding = config.get("pad_token_id") or 0
    token = tokenizer.id_to_token(padding) or "[PAD]"
    tokenizer.enable_padding(pad_id=padding, pad_token=token, length=shape.sequence if shape else None)
    return tokenizer


def _neuron(folder: Path) -> Callable[[Tensors], Floats]:
    import torch
    import torch_neuronx  # noqa: F401 - registers the operators that the traced model is made of

    model = torch.jit.load(str(folder / ARTEFACTS["neuron"]))

    def forward(rows: Tensors) -> Floats:
        # The order in which the model was traced (training/compile_neuron.py).
        named = [rows[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in rows]
        with torch.inference_mode():
            found = model(*(torch.from_numpy(each) for each in named))
        return _logits(found).numpy()

    return forward


def _onnx(folder: Path) -> Callable[[Tensors], Floats]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(folder / ARTEFACTS["onnx"]), providers=onnxruntime.get_available_providers()
    )
    taken = {each.name for each in session.get_inputs()}

    def forward(rows: Tensors) -> Floats:
        given = dict(rows)
        if "token_type_ids" in taken:
            given.setdefault("token_type_ids", np.zeros_like(rows["input_ids"]))
        return session.run(None, {name: row for name, row in given.items() if name in taken})[0]

    return forward


def _torch(folder: Path) -> Callable[[Tensors], Floats]:
    import torch
    from transformers import AutoModelForSequenceClassification

    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = torch.float16 if device == "cuda" else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, torch_dtype=kind, local_files_only=True
    )
    model = model.to(device).eval()
    takes_types = "token_type_ids" in model.forward.__code__.co_varnames

    def forward(rows: Tensors) -> Floats:
        given = {
            name: torch.from_numpy(row).to(device)
            for name, row in rows.items()
            if takes_types or name != "token_type_ids"
        }
        with torch.inference_mode():
            return model(**given).logits.float().cpu().numpy()

    return forward


def _logits(found: Any) -> Any:
    """A traced model answers a tuple or a dictionary, according to how it was traced."""
    return found["logits"] if isinstance(found, dict) else found[0] if isinstance(found, tuple) else found


_FORWARD: dict[str, Callable[[Path], Callable[[Tensors], Floats]]] = {
    "neuron": _neuron,
    "onnx": _onnx,
    "torch": _torch,
}
