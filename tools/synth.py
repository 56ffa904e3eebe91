"""Render the templates of every environment with the CDK's command line, two at a time, one line each.

python -m tools.synth                # everything, needs no account: into cdk.out/
python -m tools.synth --delivered    # what is deployed, with deployment.toml: into cdk.out/delivered/
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
AT_ONCE = 2
"""One keeps a core busy; more than two would only wait for each other on the smallest machine that runs this."""


@dataclass(frozen=True)
class Variant:
    """One way to render the application."""

    environment: str
    profile: str = "standard"
    is_delivered: bool = False
    """Goes to an account, so it must know which."""

    @property
    def name(self) -> str:
        """Name of its folder in ``cdk.out``."""
        name = self.environment if self.profile == "standard" else f"{self.environment}-{self.profile}"
        return f"delivered/{name}" if self.is_delivered else name

    @property
    def context(self) -> list[str]:
        """What the CDK is told."""
        context = ["-c", f"environment={self.environment}", "-c", f"profile={self.profile}"]
        return [*context, "-c", "delivered=true"] if self.is_delivered else context


VARIANTS = (
    Variant("prod"),
    Variant("staging"),
    Variant("prod", "lean"),
    Variant("dev"),
    Variant("local"),
    Variant("delivery"),
)
"""The largest first, so that no long one is left over at the end."""
DELIVERED = tuple(Variant(environment, is_delivered=True) for environment in ("prod", "staging", "dev"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Synthesize every variant; 1 when one of them fails, with what the CDK said."""
    parser = argparse.ArgumentParser(description="Render the templates of every environment.")
    parser.add_argument("--delivered", action="store_true", help="what is deployed, into cdk.out/delivered/")
    variants = DELIVERED if parser.parse_args(arguments).delivered else VARIANTS
    started = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = sum(pool.map(_synthesize, variants))
    if failed:
        print(f"synth: {failed} of {len(variants)} failed", file=sys.stderr)
        return 1
    print(f"  {len(variants)} assemblies in cdk.out/, {time.monotonic() - started:.0f} s together")
    return 0


def _synthesize(variant: Variant) -> bool:
    """Whether it failed."""
    started = time.monotonic()
    done = subprocess.run(
        [
            *(str(CDK), "synth", "--quiet", *variant.context),
            *("--output", str(ROOT / "cdk.out" / variant.name)),
        ],
        cwd=ROOT,
        env=os.environ | {"CDK_DISABLE_CLI_TELEMETRY": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(f"  synth  {variant.name:17} {time.monotonic() - started:4.0f} s", flush=True)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    else:
        for line in done.stdout.splitlines():
            if line.startswith(("WARNING", "[Warning")):
                print(f"         {line}")
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
