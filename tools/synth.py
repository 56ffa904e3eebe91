"""Render the templates of every environment with the CDK's command line, two at a time, one line each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
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

    @property
    def name(self) -> str:
        """Name of its folder in ``cdk.out``."""
        return self.environment if self.profile == "standard" else f"{self.environment}-{self.profile}"

    @property
    def context(self) -> list[str]:
        """What the CDK is told."""
        return ["-c", f"environment={self.environment}", "-c", f"profile={self.profile}"]


VARIANTS = (
    Variant("prod"),
    Variant("staging"),
    Variant("prod", "lean"),
    Variant("dev"),
    Variant("local"),
    Variant("delivery"),
)
"""The largest first, so that no long one is left over at the end."""


def main() -> int:
    """Synthesize every variant; 1 when one of them fails, with what the CDK said."""
    started = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = sum(pool.map(_synthesize, VARIANTS))
    if failed:
        print(f"synth: {failed} of {len(VARIANTS)} failed", file=sys.stderr)
        return 1
    print(f"  {len(VARIANTS)} assemblies in cdk.out/, {time.monotonic() - started:.0f} s together")
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
    print(f"  synth  {variant.name:12} {time.monotonic() - started:4.0f} s", flush=True)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    else:
        for line in done.stdout.splitlines():
            if line.startswith(("WARNING", "[Warning")):
                print(f"         {line}")
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
