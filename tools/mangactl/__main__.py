"""``python -m tools.mangactl``."""

from __future__ import annotations

from tools.mangactl.cli import main

raise SystemExit(main())
