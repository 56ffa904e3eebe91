"""What the assistant expects of the catalogue: the fields it reads, and answers to what it asks."""

from __future__ import annotations

from typing import Any, Final

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from tools.contracts.messages import field_of

STATE: Final = "the catalogue knows two volumes of Uzumaki"
FIRST, SECOND, UNKNOWN = "B000001001", "B000001002", "B0UNKNOWN1"

READ: Final = {
    pb.Product: (
        "asin",
        "series_id",
        "title",
        "series_title",
        "series_title_ja",
        "volume",
        "creators",
        "genres",
        "publisher",
        "status",
        "mature",
        "buyable",
        "creators_ja",
        "year",
        "volume_count",
        "demographics",
    ),
    pb.GetProductsRequest: ("asins",),
    pb.GetProductsResponse: ("products", "unknown_asins"),
    pb.FindProductsRequest: (
        "title",
        "creator",
        "genre",
        "series_id",
        "page_size",
        "page_token",
        "every_volume",
    ),
    pb.FindProductsResponse: ("products", "next_page_token"),
}


def product(asin: str, volume: int) -> dict[str, Any]:
    return {
        "asin": asin,
        "series_id": "MG00001",
        "title": f"Uzumaki, Vol. {volume}",
        "series_title": "Uzumaki",
        "series_title_ja": "うずまき",
        "volume": volume,
        "creators": ["Junji Ito"],
        "genres": ["Horror"],
        "publisher": "Shogakukan",
        "status": "SERIES_STATUS_FINISHED",
        "mature": True,
        "buyable": True,
        "creators_ja": ["伊藤潤二"],
        "year": 1998,
        "volume_count": 2,
        "demographics": ["Seinen"],
    }


def _found(description: str, query: dict[str, Any], *products: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "method": "FindProducts",
        "request": query,
        "response": {"products": list(products), "next_page_token": ""},
    }


INTERACTIONS: Final[list[dict[str, Any]]] = [
    {
        "description": "a request for two books and an unknown one",
        "method": "GetProducts",
        "request": {"asins": [FIRST, UNKNOWN, SECOND]},
        "response": {
            "products": [product(FIRST, 1), product(SECOND, 2)],
            "unknown_asins": [UNKNOWN],
        },
    },
    {
        "description": "a request for no book at all",
        "method": "GetProducts",
        "request": {"asins": []},
        "code": "INVALID_ARGUMENT",
    },
    _found("a search by Japanese title", {"title": "うずまき", "page_size": 5}, product(FIRST, 1)),
    _found("a search by creator", {"creator": "Junji Ito", "page_size": 5}, product(FIRST, 1)),
    _found("a search by genre", {"genre": "Horror", "page_size": 5}, product(FIRST, 1)),
    _found(
        "a request for the volumes of a series",
        {"series_id": "MG00001", "page_size": 5},
        product(FIRST, 1),
        product(SECOND, 2),
    ),
    _found("a search for what is not there", {"title": "zzzzzz", "page_size": 5}),
    {
        "description": "a search with a page token that nobody gave out",
        "method": "FindProducts",
        "request": {"title": "Uzumaki", "page_size": 5, "page_token": "made-up"},
        "code": "INVALID_ARGUMENT",
    },
]


def document() -> dict[str, Any]:
    """The contract."""
    return {
        "consumer": {"name": "mangaassist"},
        "provider": {"name": "catalogue"},
        "service": "mangaassist.catalogue.v1.CatalogueService",
        "fields": {
            message.DESCRIPTOR.name: {
                name: field_of(message.DESCRIPTOR.fields_by_name[name]) for name in names
            }
            for message, names in READ.items()
        },
        "interactions": [{"state": STATE, **interaction} for interaction in INTERACTIONS],
    }
