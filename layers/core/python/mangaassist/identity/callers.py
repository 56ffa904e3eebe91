"""Who is calling: a guest with a token of ours, or a signed-in shopper with one of the user pool's.

The two kinds share nothing but their outer form: each has its own algorithm, its own keys and its own way to name a
subject, so that no token of one kind can pass for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mangaassist.errors import InvalidToken

if TYPE_CHECKING:
    from mangaassist.identity.user_token import SigningKeys, UserPool


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose sessions these are, until when the token said so (epoch seconds)."""

    subject: str
    kind: Literal["guest", "user"]
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Names the caller behind a token.

    ``guest_secrets`` yields the secrets that count now, the likeliest first. Without ``pool`` nobody can sign in.
    """

    guest_secrets: Callable[[], Iterable[str]]
    pool: UserPool | None = None
    keys: SigningKeys | None = None

    def caller(self, token: str | None) -> Caller:
        """Who the token speaks for.

        Raises:
            InvalidToken: it is missing, expired, forged, or meant for somebody else.
            DependencyError: the secret or the user pool's keys cannot be read.
        """
        import jwt

        from mangaassist.sessions import guest_token

        if not token:
            raise InvalidToken("missing")
        try:
            algorithm = jwt.get_unverified_header(token).get("alg")
        except jwt.InvalidTokenError:
            raise InvalidToken("malformed") from None
        # The header only chooses which check is made. Each check accepts its own algorithm with its own key and no other.
        if algorithm == guest_token.ALGORITHM:
            guest = guest_token.verify(token, self.guest_secrets())
            return Caller(guest.subject, "guest", guest.expires_at)
        if self.pool is None or self.keys is None:
            raise InvalidToken("algorithm")
        from mangaassist.identity import user_token

        return user_token.verify(token, pool=self.pool, keys=self.keys)
