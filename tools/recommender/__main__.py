"""``python -m tools.recommender train | evaluate | popularity``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mangaassist.catalogue.records import SeriesRecord
from tools.recommender import evaluation, popularity, world
from tools.recommender.titles import Titles, describe
from tools.recommender.training import train

OUT = popularity.ROOT / "build" / "recommender"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; problems with the feed are told in one line."""
    parser = argparse.ArgumentParser(prog="python -m tools.recommender", description=__doc__)
    parser.add_argument("--feed", type=Path, help="folder of *.jsonl; the committed catalogue unless given")
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train on the synthetic world and write the model")
    training.add_argument("--out", type=Path, default=OUT)
    commands.add_parser("evaluate", help="train on the past, ask about the future, print the report")
    listing = commands.add_parser("popularity", help="write the list that functions fall back to")
    listing.add_argument("--out", type=Path, default=popularity.SHIPPED)
    given = parser.parse_args(arguments)
    from services.partners.world.feed import FeedError

    try:
        records = _records(given.feed)
    except FeedError as error:
        print(f"recommender: {error}", file=sys.stderr)
        return 2
    titles = Titles.of(records)
    if given.command == "popularity":
        given.out.write_text(popularity.text(titles), "utf-8")
        print(given.out)
        return 0
    log = world.build(records)
    if given.command == "train":
        given.out.mkdir(parents=True, exist_ok=True)
        path = train(titles, log.interactions).save(given.out)
        told = {**describe(titles), "interactions": len(log.interactions), "synthetic": True}
        print(json.dumps({**told, "model": str(path), "bytes": path.stat().st_size}, indent=2))
        return 0
    print(json.dumps(evaluation.evaluate(titles, log), indent=2))
    return 0


def _records(folder: Path | None) -> list[SeriesRecord]:
    if folder is None:
        from tools.catalogue import feed

        return list(feed.series())
    from services.partners.world.feed import open_feed

    return open_feed(folder).records()


if __name__ == "__main__":
    raise SystemExit(main())
