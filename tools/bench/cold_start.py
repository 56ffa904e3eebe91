"""What a function's first invocation pays for code: a bare interpreter with the packaged layers and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tools.bench.result import Result

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 9

BASELINE = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"
FIRST_USE = {
    # Budgets: architecture, "Cold start".
    "connect": ("import lambdas.connect.handler; from mangaassist import wiring; wiring.sessions()", 1.1),
    "message": ("import lambdas.message.handler; from mangaassist import wiring; wiring.chat_service()", 1.5),
}
VARIABLES = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "POWERTOOLS_SERVICE_NAME": "bench",
    "POWERTOOLS_METRICS_NAMESPACE": "MangaAssist",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "SESSIONS_TABLE": "sessions",
    "MANAGEMENT_ENDPOINT": "https://example.execute-api.us-east-1.amazonaws.com/live",
    "GUARDRAIL_FUNCTION": "guardrail:live",
    "POLICY_APPLICATION": "a",
    "POLICY_ENVIRONMENT": "e",
    "POLICY_PROFILE": "p",
    "SEARCH_ENDPOINT": "https://example.aoss.us-east-1.on.aws",
    "INTENT_ENDPOINT": "intent",
}


def measure() -> list[Result]:
    """Best of interleaved rounds, less the start of an empty interpreter, for `connect` and `message`."""
    statements = {
        "empty": "pass",
        "baseline": BASELINE,
        **{name: code for name, (code, _) in FIRST_USE.items()},
    }
    best = dict.fromkeys(statements, float("inf"))
    layers = _layers()
    for _ in range(ROUNDS):
        for name, statement in statements.items():
            best[name] = min(best[name], _run(statement, layers))
    baseline = best["baseline"] - best["empty"]
    return [
        Result(f"cold start of {name}", best[name] - best["empty"], "boto3 and one client", baseline, budget)
        for name, (_, budget) in FIRST_USE.items()
    ]


def _layers() -> list[str]:
    """The newest built layers for this machine; `make synth` builds them."""
    found: list[str] = []
    for name in ("core", "deps"):
        built = sorted(
            (ROOT / "build" / "layers").glob(f"{name}-python*"), key=lambda path: path.stat().st_mtime
        )
        here = [
            path for path in built if f"python{sys.version_info.major}.{sys.version_info.minor}-" in path.name
        ]
        if not here:
            raise SystemExit("bench: the layers are not built for this machine yet; run: make synth")
        found.append(str(here[-1] / "python"))
    return found


def _run(statement: str, layers: list[str]) -> float:
    """Milliseconds of one fresh interpreter that runs ``statement``."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), *layers]),
        **VARIABLES,
    }
    began = time.perf_counter()
    # -S: no site-packages, so that only the layers answer imports.
    subprocess.run([sys.executable, "-S", "-c", statement], env=environment, check=True, cwd=ROOT)
    return (time.perf_counter() - began) * 1000
