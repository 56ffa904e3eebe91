"""The catalogue feed as the world's source: the JSONL parts that the ingest function reads too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mangaassist.catalogue.records import RejectedLine, SeriesRecord, read_line


class FeedError(Exception):
    """The folder holds no usable feed; one line that says where and what to do."""


@dataclass(frozen=True)
class Feed:
    """Parts that were found; ``fingerprint`` changes with any byte of them."""

    parts: tuple[Path, ...]
    fingerprint: str

    def records(self) -> list[SeriesRecord]:
        """Every series, by its id, so that the number of parts makes no difference.

        Raises:
            FeedError: a line is no series, or two lines are the same series or sell the same ASIN.
        """
        found: dict[str, SeriesRecord] = {}
        asins: set[str] = set()
        for part in self.parts:
            for number, line in enumerate(part.read_bytes().splitlines(), start=1):
                where = f"{part.name} line {number}"
                try:
                    record = read_line(line)
                except RejectedLine as problem:
                    raise FeedError(
                        f"{where}: {problem.reason}; build the feed anew: python -m tools.catalogue build"
                    ) from None
                mine = {volume.asin for volume in record.volumes}
                if record.series_id in found or mine & asins:
                    raise FeedError(
                        f"{where}: the series or one of its ASINs is in the feed already; leave one feed in the folder"
                    )
                found[record.series_id] = record
                asins |= mine
        return [found[series_id] for series_id in sorted(found)]


def open_feed(folder: Path) -> Feed:
    """The parts in ``folder``.

    Raises:
        FeedError: there are none.
    """
    parts = tuple(sorted(folder.glob("*.jsonl")))
    if not parts:
        raise FeedError(
            f"no *.jsonl in {folder}: build the feed with python -m tools.catalogue build --out FOLDER"
        )
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes()
        digest.update(f"{part.name} {len(content)}\n".encode() + content)
    return Feed(parts, digest.hexdigest())
