"""The tables. Amounts are whole cents, times are UTC.

| area | tables |
| --- | --- |
| catalogue's shadow | ``series``, ``products`` |
| pricing | ``offers`` (now), ``price_changes`` (ever) |
| trust | ``sellers``, ``listings`` |
| reviews | ``star_counts`` (all ratings), ``reviews`` (those with words) |
| promotions | ``promotions``, ``promotion_series`` |
| customers | ``customers``, ``orders``, ``order_lines``, ``order_events``, ``shipments``, ``shipment_lines`` |
| returns | ``returns``, ``return_lines`` |
| about itself | ``meta`` |
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 1
"""Raise it with any change to these tables: a database of another version is made anew."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time; SQLite, which knows no time zones, keeps it as UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse what has no time zone, then speak UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Python's types to the database's."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's way to say it
        datetime: UtcDateTime(),
        str: String(300),
        list[str]: JSON(),
        dict[str, Any]: JSON(),
    }


AsinColumn = String(10)
IdColumn = String(64)


class Meta(Base):
    """What this database was filled from."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    value: Mapped[str]


class Series(Base):
    """As far as promotions, ratings and trust need it."""

    __tablename__ = "series"

    series_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    title: Mapped[str]
    established: Mapped[bool]
    mature: Mapped[bool]


class Product(Base):
    """One sellable book."""

    __tablename__ = "products"

    asin: Mapped[str] = mapped_column(AsinColumn, primary_key=True)
    series_id: Mapped[str] = mapped_column(ForeignKey("series.series_id"), index=True)
    title: Mapped[str]
    volume: Mapped[int]


class Offer(Base):
    """What a book costs now. ``revision`` grows by one with every change; ``set_by_api`` outlives a new world."""

    __tablename__ = "offers"

    asin: Mapped[str] = mapped_column(ForeignKey("products.asin"), primary_key=True)
    price_cents: Mapped[int]
    list_price_cents: Mapped[int | None]
    stock: Mapped[int]
    as_of: Mapped[datetime]
    revision: Mapped[int]
    set_by_api: Mapped[bool] = mapped_column(index=True)


class PriceChange(Base):
    """One state of an offer, from ``changed_at`` until the next; ``revision`` is the offer's then."""

    __tablename__ = "price_changes"

    asin: Mapped[str] = mapped_column(ForeignKey("offers.asin"), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    price_cents: Mapped[int]
    list_price_cents: Mapped[int | None]
    stock: Mapped[int]
    changed_at: Mapped[datetime]
    set_by_api: Mapped[bool]


class Seller(Base):
    """Who sells; ``rating_tenths`` is 0 to 50."""

    __tablename__ = "sellers"

    seller_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    name: Mapped[str]
    since: Mapped[datetime]
    rating_tenths: Mapped[int]


class Listing(Base):
    """Whose offer a product is and how far it is trusted; ``trust_percent`` is 0 to 100."""

    __tablename__ = "listings"

    asin: Mapped[str] = mapped_column(ForeignKey("products.asin"), primary_key=True)
    seller_id: Mapped[str] = mapped_column(ForeignKey("sellers.seller_id"))
    listed_at: Mapped[datetime]
    trust_percent: Mapped[int]


class StarCount(Base):
    """How many ratings of a series have so many stars."""

    __tablename__ = "star_counts"

    series_id: Mapped[str] = mapped_column(ForeignKey("series.series_id"), primary_key=True)
    stars: Mapped[int] = mapped_column(Integer, primary_key=True)
    count: Mapped[int]


class Review(Base):
    """A rating with words; ``customer_id`` is known where the shopper bought the book here, and is never told."""

    __tablename__ = "reviews"
    __table_args__ = (Index("reviews_by_series", "series_id", "written_at", "review_id"),)

    review_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    series_id: Mapped[str] = mapped_column(ForeignKey("series.series_id"))
    asin: Mapped[str] = mapped_column(ForeignKey("products.asin"))
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.customer_id"))
    stars: Mapped[int]
    language: Mapped[str] = mapped_column(String(2))
    text: Mapped[str]
    written_at: Mapped[datetime]


class Promotion(Base):
    """A reduction that runs from ``starts_at`` until ``ends_at``; without series it is for everything."""

    __tablename__ = "promotions"

    promotion_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    title_en: Mapped[str]
    title_ja: Mapped[str]
    percent_off: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    code: Mapped[str | None]


class PromotionSeries(Base):
    """Which series a promotion is for."""

    __tablename__ = "promotion_series"

    promotion_id: Mapped[str] = mapped_column(ForeignKey("promotions.promotion_id"), primary_key=True)
    series_id: Mapped[str] = mapped_column(ForeignKey("series.series_id"), primary_key=True)


class Customer(Base):
    """A made-up shopper: an id and tastes, nothing else."""

    __tablename__ = "customers"

    customer_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    language: Mapped[str] = mapped_column(String(2))
    favourite_genres: Mapped[list[str]]
    favourite_series: Mapped[list[str]]
    mature_allowed: Mapped[bool]


class Order(Base):
    """One order of one customer."""

    __tablename__ = "orders"
    __table_args__ = (Index("orders_by_customer", "customer_id", "placed_at", "order_id"),)

    order_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"))
    placed_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(20))


class OrderLine(Base):
    """``unit_price_cents`` is what was paid; ``opened_set`` is a sealed set that the customer says they opened."""

    __tablename__ = "order_lines"

    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    asin: Mapped[str] = mapped_column(ForeignKey("products.asin"), primary_key=True)
    position: Mapped[int]
    quantity: Mapped[int]
    unit_price_cents: Mapped[int]
    sealed_set: Mapped[bool]
    opened_set: Mapped[bool]


class OrderEvent(Base):
    """What became of an order, in order."""

    __tablename__ = "order_events"

    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    status: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]


class Shipment(Base):
    """A parcel of an order."""

    __tablename__ = "shipments"

    shipment_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), index=True)
    carrier: Mapped[str]
    status: Mapped[str] = mapped_column(String(20))
    shipped_at: Mapped[datetime | None]
    estimated_delivery: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]


class ShipmentLine(Base):
    """Which line of its order a parcel holds; a line travels whole."""

    __tablename__ = "shipment_lines"
    __table_args__ = (
        ForeignKeyConstraint(["order_id", "asin"], ["order_lines.order_id", "order_lines.asin"]),
    )

    shipment_id: Mapped[str] = mapped_column(ForeignKey("shipments.shipment_id"), primary_key=True)
    asin: Mapped[str] = mapped_column(AsinColumn, primary_key=True)
    order_id: Mapped[str] = mapped_column(IdColumn)


class Return(Base):
    """Announced by a customer; ``idempotency_key`` and ``request_digest`` tell a repeat from a new one."""

    __tablename__ = "returns"

    return_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(128), unique=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"))
    reason: Mapped[str] = mapped_column(String(32))
    refund_cents: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class ReturnLine(Base):
    """A line of an order can be sent back once, whole: the key says so, whoever asks at the same moment."""

    __tablename__ = "return_lines"
    __table_args__ = (
        ForeignKeyConstraint(["order_id", "asin"], ["order_lines.order_id", "order_lines.asin"]),
    )

    order_id: Mapped[str] = mapped_column(IdColumn, primary_key=True)
    asin: Mapped[str] = mapped_column(AsinColumn, primary_key=True)
    return_id: Mapped[str] = mapped_column(ForeignKey("returns.return_id"), index=True)
