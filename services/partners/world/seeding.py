"""Filling a database with the world, once: again only when the feed, the world's rules, the epoch or the tables change.

All of it is one transaction. What the pricing API was told survives: those offers and their changes are laid over the new
world, for every ASIN it still sells. Returns announced through the API do not, because their orders are dated anew, and
neither do promotions laid out through it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import bindparam, delete, insert, inspect, select, update
from sqlalchemy.orm import Session

from services.partners.database.models import SCHEMA_VERSION, Base, Meta, Offer, PriceChange
from services.partners.database.sessions import Database
from services.partners.world.build import build
from services.partners.world.feed import Feed
from services.partners.world.rows import Row, World

SCHEMA, WORLD, EPOCH = "schema", "world", "epoch"
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Seeded:
    """What the database holds; ``is_new`` when it was laid out just now."""

    is_new: bool
    epoch: datetime
    products: int


def this_week(now: datetime) -> datetime:
    """The Monday before ``now``, at midnight UTC: the default epoch, so that parcels on their way stay on their way."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday())


def fingerprint(feed: Feed, epoch: datetime) -> str:
    """Changes with whatever the world is made from, its own code and rules included."""
    digest = hashlib.sha256(f"{feed.fingerprint} {epoch.isoformat()}".encode())
    for path in sorted((*HERE.glob("*.py"), *HERE.glob("data/*.toml"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def seed(database: Database, feed: Feed, epoch: datetime) -> Seeded:
    """The world of ``feed`` at ``epoch`` in ``database``; does nothing where it is there already.

    Raises:
        FeedError: a line of the feed is unusable; nothing was changed.
    """
    wanted = fingerprint(feed, epoch)
    kept: tuple[list[Row], list[Row]] = ([], [])
    with database.write() as session:
        connection = session.connection()
        known = _meta(session)
        if known.get(WORLD) == wanted and known.get(SCHEMA) == str(SCHEMA_VERSION):
            return Seeded(False, datetime.fromisoformat(known[EPOCH]), int(known["products"]))
        if known.get(SCHEMA) == str(SCHEMA_VERSION):
            kept = _told_by_api(session)
        world = build(feed.records(), epoch)
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        _write(session, world)
        _lay_over(session, world, *kept)
        facts = {
            SCHEMA: str(SCHEMA_VERSION),
            WORLD: wanted,
            EPOCH: epoch.isoformat(),
            "products": str(len(world.products)),
        }
        session.execute(insert(Meta), [{"name": name, "value": value} for name, value in facts.items()])
        return Seeded(True, epoch, len(world.products))


def _meta(session: Session) -> dict[str, str]:
    if not inspect(session.connection()).has_table(Meta.__tablename__):
        return {}
    return {row.name: row.value for row in session.scalars(select(Meta))}


def _write(session: Session, world: World) -> None:
    connection = session.connection()
    for model, rows in world.tables():
        if rows:
            connection.execute(insert(model.__table__), rows)  # pyright: ignore[reportArgumentType]


def _told_by_api(session: Session) -> tuple[list[Row], list[Row]]:
    """Offers that were set through the API, and every change that was."""
    offers = session.scalars(select(Offer).where(Offer.set_by_api)).all()
    changes = session.scalars(
        select(PriceChange).where(PriceChange.set_by_api).order_by(PriceChange.asin, PriceChange.revision)
    ).all()
    return [_row(offer) for offer in offers], [_row(change) for change in changes]


def _row(found: Base) -> Row:
    return {column.key: getattr(found, column.key) for column in inspect(found).mapper.column_attrs}


def _lay_over(session: Session, world: World, offers: Sequence[Row], changes: Sequence[Row]) -> None:
    """The API's word over the world's: the newest states, in their order, after those of the world that are older."""
    sold = {row["asin"] for row in world.products}
    by_asin: dict[str, list[Row]] = {}
    for change in changes:
        if change["asin"] in sold:
            by_asin.setdefault(change["asin"], []).append(change)
    if not by_asin:
        return
    before: dict[str, list[Row]] = {}
    for row in world.price_changes:
        if row["asin"] in by_asin and row["changed_at"] < by_asin[row["asin"]][0]["changed_at"]:
            before.setdefault(row["asin"], []).append(row)
    history = [
        {**row, "revision": revision}
        for asin, told in by_asin.items()
        for revision, row in enumerate((*before.get(asin, ()), *told), start=1)
    ]
    session.execute(delete(PriceChange).where(PriceChange.asin.in_(list(by_asin))))
    session.execute(insert(PriceChange), history)
    last = {row["asin"]: row["revision"] for row in history}
    over = [
        {
            "told": row["asin"],
            **{name: row[name] for name in ("price_cents", "list_price_cents", "stock", "as_of")},
            # Never an earlier revision than one that was given out: an entity tag must not mean two states.
            "revision": max(last[row["asin"]], row["revision"]),
            "set_by_api": True,
        }
        for row in offers
        if row["asin"] in last
    ]
    statement = update(Offer.__table__).where(Offer.__table__.c.asin == bindparam("told"))  # pyright: ignore[reportArgumentType]
    session.connection().execute(statement, over)
