"""Find a Chromium, or bring one: ``python -m tests.browser.chromium``.

A system browser is taken if there is one, else Playwright's download, else Debian's package (as root). Failing all
three there is one line that says what to do, because a browser test that silently does not run proves nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The font lets screenshots show Japanese; without it they show boxes.
DEBIAN_PACKAGES = ("chromium", "fonts-noto-cjk")
QUIET_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DOWNLOAD_TIMEOUT_SECONDS = 300
ADVICE = (
    "No Chromium: install the package chromium (Debian: apt-get install chromium; macOS: brew install chromium), "
    "or let `python -m playwright install chromium` reach its server, then run this again."
)


class NoChromium(RuntimeError):
    """No browser here and no way to get one; the message says what to do."""


def find() -> str | None:
    """The path of a Chromium that is installed already."""
    for name in SYSTEM_NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        return _downloaded(playwright)


def provide() -> str:
    """The path of a Chromium, installed now if need be.

    Raises:
        NoChromium: there is none and none could be installed.
    """
    for attempt in (lambda: True, _download, _install_package):
        if attempt() and (path := find()):
            return path
    raise NoChromium(ADVICE)


@contextmanager
def browser() -> Iterator[Browser]:
    """A running headless Chromium."""
    path = provide()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=arguments())
        try:
            yield running
        finally:
            running.close()


def arguments() -> list[str]:
    """What Chromium is started with; root has no sandbox to offer."""
    return [*QUIET_ARGUMENTS, *(["--no-sandbox"] if _is_root() else [])]


def _downloaded(playwright: Playwright) -> str | None:
    path = playwright.chromium.executable_path
    return path if path and Path(path).exists() else None


def _download() -> bool:
    return _succeeds(sys.executable, "-m", "playwright", "install", "chromium")


def _install_package() -> bool:
    if not _is_root() or not shutil.which("apt-get"):
        return False
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *DEBIAN_PACKAGES)
    return _succeeds("apt-get", "update", "-qq") and _succeeds(*install)


def _succeeds(*command: str) -> bool:
    print(f"  browser: {' '.join(command)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def main() -> int:
    """Print the browser's path, or the advice."""
    try:
        print(f"browser: {provide()}")
    except NoChromium as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
