"""``python -m services.models.training STEP TASK …``: one step of a pipeline, where SageMaker puts its files."""

from __future__ import annotations

import argparse
from pathlib import Path

TASKS = ("intent", "reranker")
INPUT = Path("/opt/ml/processing/input")
OUTPUT = Path("/opt/ml/processing/output")


def main(given: list[str] | None = None) -> int:
    """Run the step; libraries are imported by the step that needs them."""
    parser = argparse.ArgumentParser(prog="python -m services.models.training", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    train = steps.add_parser("train", help="fine-tune a transformer; inside a SageMaker training job")
    train.add_argument("task", choices=TASKS)
    compile_ = steps.add_parser("compile", help="compile a fine-tuned model for a Neuron core")
    compile_.add_argument("task", choices=TASKS)
    compile_.add_argument("batch", type=int)
    compile_.add_argument("sequence", type=int)
    compile_.add_argument("target")
    evaluate = steps.add_parser("evaluate", help="measure a model on examples it has not seen")
    evaluate.add_argument("task", choices=TASKS)
    evaluate.add_argument(
        "--model", type=Path, default=INPUT / "model", help="folder, or folder of model.tar.gz"
    )
    evaluate.add_argument("--examples", type=Path, default=INPUT / "examples", help="folder of held_out.csv")
    evaluate.add_argument("--report", type=Path, default=OUTPUT / "report", help="folder for evaluation.json")
    arguments = parser.parse_args(given)
    if arguments.step == "train":
        from services.models.training.fine_tune import fine_tune

        fine_tune(arguments.task)
    elif arguments.step == "compile":
        from services.models.training.compile_neuron import compile_neuron

        compile_neuron(
            INPUT / "model", OUTPUT / "compiled", arguments.batch, arguments.sequence, arguments.target
        )
    else:
        from services.models.training.evaluate import evaluate as run

        run(arguments.task, arguments.model, arguments.examples, arguments.report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
