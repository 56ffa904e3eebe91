"""Brings the partners' database into the states that the contracts name, each from nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from services.partners.database import models
from services.partners.database.sessions import Database
from tests.contract.consumer.expectations import (
    BOOK,
    CHEAP_BOOK,
    CUSTOMER,
    ORDER,
    OTHER_ORDER,
    SERIES,
)
from tests.contract.consumer.products import NOON

SOMEBODY_ELSE: Final = "customer-7002"
CHANGED: Final = datetime(2026, 10, 1, 9, tzinfo=UTC)
DELIVERED: Final = datetime(2026, 10, 24, 10, tzinfo=UTC)


States = Mapping[str, Callable[[], None]]


def arrangements(database: Database) -> States:
    """What to call for each state; it begins by clearing what the one before left."""

    def arranging(arrange: Callable[[Session], None]) -> Callable[[], None]:
        def into_state() -> None:
            models.Base.metadata.drop_all(database.engine)
            models.Base.metadata.create_all(database.engine)
            with database.write() as session:
                arrange(session)

        return into_state

    return {name: arranging(arrange) for name, arrange in STATES.items()}


def _series(session: Session) -> None:
    session.add(models.Series(series_id=SERIES, title="The Contract", established=True, mature=False))
    session.flush()


def _book(
    session: Session, asin: str, volume: int, *, price: int, list_price: int | None, stock: int
) -> None:
    session.add(
        models.Product(asin=asin, series_id=SERIES, title=f"The Contract, Vol. {volume}", volume=volume)
    )
    session.flush()
    session.add(
        models.Offer(
            asin=asin,
            price_cents=price,
            list_price_cents=list_price,
            stock=stock,
            as_of=CHANGED,
            revision=1,
            set_by_api=False,
        )
    )
    session.flush()


def _two_books(session: Session) -> None:
    _series(session)
    _book(session, BOOK, 1, price=999, list_price=1299, stock=7)
    _book(session, CHEAP_BOOK, 2, price=499, list_price=None, stock=0)


def _comparable_books(session: Session) -> None:
    _two_books(session)
    _book(session, "B0CONTRAC3", 3, price=1099, list_price=None, stock=1)
    session.add(
        models.Seller(
            seller_id="seller-7", name="Bookseller", since=NOON - timedelta(days=900), rating_tenths=48
        )
    )
    session.flush()
    session.add(
        models.Listing(
            asin=BOOK, seller_id="seller-7", listed_at=NOON - timedelta(days=400), trust_percent=91
        )
    )


def _rated_book(session: Session) -> None:
    _two_books(session)
    session.add_all(
        models.StarCount(series_id=SERIES, stars=stars, count=count) for stars, count in ((5, 9), (3, 3))
    )


def _promotion(session: Session) -> None:
    _series(session)
    session.add(
        models.Promotion(
            promotion_id="promo-contract",
            title_en="Autumn reading",
            title_ja="秋の読書",
            percent_off=15,
            starts_at=datetime(2026, 11, 1, tzinfo=UTC),
            ends_at=datetime(2026, 12, 1, tzinfo=UTC),
            code="AUTUMN15",
        )
    )
    session.flush()
    session.add(models.PromotionSeries(promotion_id="promo-contract", series_id=SERIES))


def _customer(session: Session, customer_id: str = CUSTOMER) -> None:
    session.add(
        models.Customer(
            customer_id=customer_id,
            language="ja",
            favourite_genres=["horror"],
            favourite_series=[SERIES],
            mature_allowed=False,
        )
    )
    session.flush()


def _order(session: Session, order_id: str, customer_id: str, status: str, placed_at: datetime) -> None:
    session.add(models.Order(order_id=order_id, customer_id=customer_id, placed_at=placed_at, status=status))
    session.flush()
    session.add_all(
        [
            models.OrderLine(
                order_id=order_id,
                asin=BOOK,
                position=1,
                quantity=1,
                unit_price_cents=999,
                sealed_set=False,
                opened_set=False,
            ),
            models.OrderEvent(order_id=order_id, position=1, status=status, at=placed_at),
        ]
    )
    session.flush()


def _parcel(session: Session, status: str, *, estimated: datetime | None, delivered: datetime | None) -> None:
    shipment_id = ORDER.replace("order", "shipment") + "-1"
    session.add(
        models.Shipment(
            shipment_id=shipment_id,
            order_id=ORDER,
            carrier="Tanuki Parcel",
            status=status,
            shipped_at=datetime(2026, 10, 21, 10, tzinfo=UTC),
            estimated_delivery=estimated,
            delivered_at=delivered,
        )
    )
    session.flush()
    session.add(models.ShipmentLine(shipment_id=shipment_id, asin=BOOK, order_id=ORDER))


def _delivered_order(session: Session) -> None:
    _two_books(session)
    _customer(session)
    _order(session, ORDER, CUSTOMER, "delivered", datetime(2026, 10, 20, 10, tzinfo=UTC))
    _parcel(session, "delivered", estimated=None, delivered=DELIVERED)


def _order_on_its_way(session: Session) -> None:
    _two_books(session)
    _customer(session)
    _order(session, ORDER, CUSTOMER, "shipped", datetime(2026, 10, 20, 10, tzinfo=UTC))
    _parcel(session, "in_transit", estimated=datetime(2026, 11, 5, 10, tzinfo=UTC), delivered=None)


def _two_orders(session: Session) -> None:
    _delivered_order(session)
    _order(session, "order-7001-02", CUSTOMER, "processing", datetime(2026, 11, 1, 10, tzinfo=UTC))


def _order_of_somebody_else(session: Session) -> None:
    _delivered_order(session)
    _customer(session, SOMEBODY_ELSE)
    _order(session, OTHER_ORDER, SOMEBODY_ELSE, "processing", datetime(2026, 11, 1, 10, tzinfo=UTC))


def _nothing(session: Session) -> None:
    pass


STATES: Final[dict[str, Callable[[Session], None]]] = {
    "a reduced book and one at its list price are on offer": _two_books,
    "no book is on offer": _nothing,
    "a book of a series with comparable prices is on offer": _comparable_books,
    "a book was rated": _rated_book,
    "a promotion with a code runs for a series": _promotion,
    "no promotion runs": _nothing,
    "a customer has one delivered order": _delivered_order,
    "a customer has one order on its way": _order_on_its_way,
    "a customer has two orders": _two_orders,
    "an order is somebody else's": _order_of_somebody_else,
    "a customer has told their tastes": _customer,
    "no customer is known": _nothing,
}
