"""The methods of ``CatalogueService``: each reads its request, asks, and answers, or raises a ``Refusal``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from mangaassist.catalogue_api.v1 import catalogue_pb2_grpc
from mangaassist.errors import DependencyError
from services.catalogue import refusals
from services.catalogue.calls import deadline
from services.catalogue.follower import ChangesLost, Follower
from services.catalogue.model import By, Query
from services.catalogue.products import Products
from services.catalogue.refusals import DEFAULT_PAGE, LONGEST_TERM, MOST_ASINS, MOST_PAGE, Refusal
from services.catalogue.tokens import (
    BadToken,
    Place,
    page_token,
    read_page_token,
    read_resume_token,
    resume_token,
)
from services.catalogue.tokens import Position as LogPosition

NAME = "mangaassist.catalogue.v1.CatalogueService"


class CatalogueService(catalogue_pb2_grpc.CatalogueServiceServicer):
    """Answers from the books by key and from the follower's read model."""

    def __init__(self, products: Products, follower: Follower) -> None:
        self._products = products
        self._follower = follower

    async def GetProducts(self, request: pb.GetProductsRequest, context: Any) -> pb.GetProductsResponse:
        """Up to 100 books by ASIN."""
        if not 1 <= len(request.asins) <= MOST_ASINS:
            raise refusals.invalid(
                f"asins has {len(request.asins)} entries: send 1 to {MOST_ASINS} a call, and split larger batches"
            )
        self._loaded()
        found = await self._products.get(request.asins, until=deadline())
        return pb.GetProductsResponse(
            products=[product for product in found.values() if product is not None],
            unknown_asins=[asin for asin, product in found.items() if product is None],
        )

    async def FindProducts(self, request: pb.FindProductsRequest, context: Any) -> pb.FindProductsResponse:
        """One page of a search."""
        query, limit = _query(request)
        follower = self._loaded()
        found = follower.model.find(query, limit=limit, after=_after(request.page_token, query))
        token = "" if found.next_place is None else page_token(found.next_place, _identity(query))
        return pb.FindProductsResponse(products=found.products, next_page_token=token)

    async def GetSeries(self, request: pb.GetSeriesRequest, context: Any) -> pb.GetSeriesResponse:
        """One series."""
        if not 1 <= len(request.series_id) <= LONGEST_TERM:
            raise refusals.invalid(f"series_id must have 1 to {LONGEST_TERM} characters")
        model = self._loaded().model
        series = model.series(request.series_id)
        if series is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "there is no series of this series_id")
        answer = pb.GetSeriesResponse(series=series.message)
        answer.series.asins[:] = model.asins(request.series_id)
        return answer

    async def WatchChanges(
        self, request: pb.WatchChangesRequest, context: Any
    ) -> AsyncIterator[pb.WatchChangesResponse]:
        """Changes as they are applied, each with the token to go on after it."""
        follower = self._loaded()
        if request.resume_token:
            position = _position(request.resume_token)
        else:
            position = follower.position
            yield pb.WatchChangesResponse(resume_token=resume_token(position))
        try:
            async for entry in follower.watch(position):
                yield pb.WatchChangesResponse(
                    series_ids=entry.series_ids,
                    changed_at=entry.changed_at,
                    resume_token=resume_token(LogPosition(follower.position.log, entry.sequence)),
                )
        except ChangesLost:
            raise Refusal(
                grpc.StatusCode.OUT_OF_RANGE,
                "changes since this resume_token are not kept any more: watch without one, then read anew what you need",
            ) from None
        except DependencyError as error:
            raise refusals.of_dependency(error) from error
        raise refusals.going_away()

    def _loaded(self) -> Follower:
        if not self._follower.is_loaded:
            raise refusals.loading()
        return self._follower


def _query(request: pb.FindProductsRequest) -> tuple[Query, int]:
    by: By | None = request.WhichOneof("by")
    if by is None:
        raise refusals.invalid("name one of title, creator, genre or series_id")
    term: str = getattr(request, by)
    if not 1 <= len(term) <= LONGEST_TERM:
        raise refusals.invalid(f"{by} must have 1 to {LONGEST_TERM} characters")
    if not 0 <= request.page_size <= MOST_PAGE:
        raise refusals.invalid(f"page_size must be 1 to {MOST_PAGE}, or 0 for {DEFAULT_PAGE}")
    return Query(by, term, request.every_volume), request.page_size or DEFAULT_PAGE


def _after(token: str, query: Query) -> Place | None:
    if not token:
        return None
    try:
        return read_page_token(token, _identity(query))
    except BadToken:
        raise refusals.invalid(
            "page_token is none that this query was answered with: send the next_page_token of the same query, unchanged"
        ) from None


def _position(token: str) -> LogPosition:
    try:
        return read_resume_token(token)
    except BadToken:
        raise refusals.invalid(
            "resume_token is none of this service's: send the last one you were given, unchanged"
        ) from None


def _identity(query: Query) -> tuple[str, str, bool]:
    """A page may have another size than the one before, but must be of the same query."""
    return query.by, query.term, query.every_volume
