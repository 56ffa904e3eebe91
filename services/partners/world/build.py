"""The world, from the feed's records: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.customers import add_customers
from services.partners.world.orders import add_orders
from services.partners.world.pricing import add_pricing
from services.partners.world.promotions import add_promotions
from services.partners.world.reviews import add_reviews
from services.partners.world.rows import World


def build(records: Sequence[SeriesRecord], epoch: datetime) -> World:
    """The world of ``records``, in the order of their ids, at ``epoch``: nothing in it that has happened is later."""
    world = World(epoch)
    add_pricing(world, records)
    add_customers(world, records)
    add_promotions(world, records)
    add_orders(world, records)
    add_reviews(world, records)
    return world
