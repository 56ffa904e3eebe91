"""The profile service: what customers told of themselves."""

from __future__ import annotations

from typing import Final

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_wire import Wire, belongs, is_id, path_of
from mangaassist.store.facts import Profile

DEPENDENCY: Final = "profile"


class _Profile(Wire):
    customer_id: str
    language: str
    favourite_genres: tuple[str, ...]
    favourite_series: tuple[str, ...]
    mature_allowed: bool


class HttpProfiles:
    """``Profiles`` over HTTP."""

    def __init__(self, http: PartnerHttp) -> None:
        self._http = http

    async def profile(self, customer_id: str, *, deadline_ms: int) -> Profile | None:
        """A customer's profile; ``None`` for one the store does not know."""
        if not is_id(customer_id):
            return None
        path = path_of("/profile/v1/customers/{customer}", customer=customer_id)
        answer = await self._http.find(DEPENDENCY, path, _Profile, deadline_ms=deadline_ms)
        if answer is None:
            return None
        belongs(DEPENDENCY, "customer_id", expected=customer_id, actual=answer.customer_id)
        return Profile(
            customer_id=answer.customer_id,
            language=answer.language,
            favourite_genres=answer.favourite_genres,
            favourite_series=answer.favourite_series,
            mature_allowed=answer.mature_allowed,
        )
