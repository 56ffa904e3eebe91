"""Which proposals may be shown: sold, in stock, trusted, not mature unless allowed, of the genres asked for; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mangaassist.guardrails.trust import Thresholds, suspicion
from mangaassist.recommendations.facts import Candidate, Proposal, Wish
from mangaassist.recommendations.popularity import Popularity
from mangaassist.store.facts import Offer, Product, TrustSignals


@dataclass(frozen=True, slots=True)
class Known:
    """What the services say about the proposals; ``None`` where a service did not answer."""

    products: Mapping[str, Product] | None
    offers: Mapping[str, Offer] | None
    trust: Mapping[str, TrustSignals] | None


def allowed(
    proposals: Sequence[Proposal], wish: Wish, known: Known, popularity: Popularity, limits: Thresholds
) -> list[Candidate]:
    """Proposals that pass, in their order, each ASIN once.

    A service that answered and does not know a title rules it out. One that did not answer condemns nothing, except that
    a title of which nobody can say whether it is mature, or of the genre asked for, is not shown.
    """
    passed: dict[str, Candidate] = {}
    unwanted = {*wish.without, *wish.like}
    known_series = (
        {_series_of(asin, known, popularity) for asin in unwanted} if wish.other_series else set[str]()
    )
    for proposal in proposals:
        asin = proposal.asin
        if asin in unwanted or asin in passed or not _sellable(asin, known, limits):
            continue
        candidate = _described(proposal, wish, known, popularity)
        if candidate is None or candidate.series_id in known_series:
            continue
        if not wish.genres or not set(wish.genres).isdisjoint(candidate.genres):
            passed[asin] = candidate
    return list(passed.values())


def _series_of(asin: str, known: Known, popularity: Popularity) -> str:
    """As far as anybody knows; else a series of its own."""
    if known.products is not None and asin in known.products:
        return known.products[asin].series_id
    title = popularity.get(asin)
    return title.series_id if title else asin


def _sellable(asin: str, known: Known, limits: Thresholds) -> bool:
    if known.offers is not None and (asin not in known.offers or not known.offers[asin].in_stock):
        return False
    return known.trust is None or (asin in known.trust and suspicion(known.trust[asin], limits) is None)


def _described(proposal: Proposal, wish: Wish, known: Known, popularity: Popularity) -> Candidate | None:
    asin, mature_allowed = proposal.asin, wish.profile is not None and wish.profile.mature_allowed
    offer = (known.offers or {}).get(asin)
    if known.products is None:
        # The catalogue is silent; the list that ships with us still knows its own titles.
        title = popularity.get(asin)
        if title is None:
            return Candidate(proposal, asin, (), None, offer) if mature_allowed and not wish.genres else None
        is_shown = mature_allowed or not title.mature
        return Candidate(proposal, title.series_id, title.genres, None, offer) if is_shown else None
    product = known.products.get(asin)
    if product is None or not product.buyable or (product.mature and not mature_allowed):
        return None
    return Candidate(proposal, product.series_id, product.genres, product, offer)
