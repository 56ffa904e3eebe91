# pyright: reportMissingImports=false
"""Compiles a fine-tuned classifier for a Neuron core, for one fixed shape, on a machine that has no such core."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from pathlib import Path

KEPT = ("config.json", "tokenizer.json")


def compile_neuron(model: Path, compiled: Path, batch: int, sequence: int, target: str) -> None:
    """Write ``model.tar.gz``: the traced model, its shape, tokenizer and labels (``services/models/transformer.py``)."""
    import torch
    import torch_neuronx
    from transformers import AutoModelForSequenceClassification

    with tempfile.TemporaryDirectory() as workshop:
        source, result = Path(workshop, "source"), Path(workshop, "result")
        result.mkdir()
        with tarfile.open(model / "model.tar.gz") as archive:
            archive.extractall(source, filter="data")
        network = AutoModelForSequenceClassification.from_pretrained(source, torchscript=True).eval()
        row = torch.zeros((batch, sequence), dtype=torch.long)
        # ``cpu_backend`` compiles without a device; the image that serves must have the same Neuron SDK.
        traced = torch_neuronx.trace(
            network, (row, torch.ones_like(row)), compiler_args=["--target", target], cpu_backend=True
        )
        torch.jit.save(traced, str(result / "model.neuron"))
        (result / "neuron.json").write_text(json.dumps({"batch": batch, "sequence": sequence}))
        for name in KEPT:
            shutil.copy(source / name, result / name)
        compiled.mkdir(parents=True, exist_ok=True)
        with tarfile.open(compiled / "model.tar.gz", "w:gz") as archive:
            for file in sorted(result.iterdir()):
                archive.add(file, file.name)
