# pyright: reportMissingImports=false
"""Fine-tunes a transformer inside a SageMaker training job, without a network: base model and examples are channels."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

ML = Path("/opt/ml")


def fine_tune(task: str) -> None:
    """Write model, tokenizer and labels to ``SM_MODEL_DIR``, which SageMaker packs into ``model.tar.gz``."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    hyperparameters = json.loads((ML / "input/config/hyperparameters.json").read_text("utf-8"))
    channels, output = ML / "input/data", Path(os.environ.get("SM_MODEL_DIR", str(ML / "model")))
    set_seed(int(hyperparameters["seed"]))
    rows = _rows(channels / "examples" / "train.csv")
    is_pairs = task == "reranker"
    labels = [] if is_pairs else sorted({row["label"] for row in rows})
    tokenizer = AutoTokenizer.from_pretrained(channels / "base", use_fast=True)
    # A cross-encoder has one logit, the relevance of the pair; a classifier one for each label.
    model = AutoModelForSequenceClassification.from_pretrained(
        channels / "base",
        num_labels=len(labels) or 1,
        **(
            {"id2label": dict(enumerate(labels)), "label2id": {each: at for at, each in enumerate(labels)}}
            if labels
            else {}
        ),
    )

    def encoded(row: dict[str, str]) -> dict[str, Any]:
        texts = (row["query"], row["text"]) if is_pairs else (row["text"],)
        found = tokenizer(*texts, truncation=True, max_length=int(hyperparameters["sequence"]))
        return {**found, "labels": float(row["relevant"]) if is_pairs else labels.index(row["label"])}

    def relevance_loss(outputs: Any, wanted: Any, num_items_in_batch: Any = None) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs["logits"][:, 0], wanted.float())

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir="/tmp/training",  # noqa: S108 - the job's own machine
            num_train_epochs=float(hyperparameters["epochs"]),
            per_device_train_batch_size=int(hyperparameters["batch"]),
            learning_rate=float(hyperparameters["learning_rate"]),
            fp16=torch.cuda.is_available(),
            save_strategy="no",
            report_to=[],
            seed=int(hyperparameters["seed"]),
        ),
        train_dataset=[encoded(row) for row in rows],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_loss_func=relevance_loss if is_pairs else None,
    )
    trainer.train()
    model.save_pretrained(output, safe_serialization=True)
    tokenizer.save_pretrained(output)


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
