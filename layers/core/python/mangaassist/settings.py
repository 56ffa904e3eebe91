"""The environment of each function, one frozen record per function.

Plain dataclasses rather than pydantic: every function loads this module on every cold start, ``$connect`` must stay
within a tenth of ``import boto3``, and the values come from our own template, not from strangers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Self, get_type_hints


class MissingSetting(RuntimeError):
    """A variable the function cannot work without is absent or has the wrong form; ``name`` says which."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(
            f"environment variable {name} {problem}; the stack that deploys this function sets it"
        )


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """What every function knows. Field ``x_y`` is read from the variable ``X_Y``."""

    environment: str = "local"

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Raises:
            MissingSetting: a required variable is absent, or a number is not one.
        """
        source = os.environ if environ is None else environ
        types = get_type_hints(cls)
        values: dict[str, object] = {}
        for field in fields(cls):
            name = field.name.upper()
            raw = source.get(name, "")
            if not raw:
                if field.default is MISSING:
                    raise MissingSetting(name, "is not set")
                continue
            if types[field.name] is int:
                if not raw.isdecimal():
                    raise MissingSetting(name, "is not a whole number")
                values[field.name] = int(raw)
            else:
                values[field.name] = raw
        return cls(**values)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, kw_only=True)
class OriginSettings(FunctionSettings):
    """``origin_secret`` is the ARN of what CloudFront proves itself with; absent where nothing stands in front."""

    origin_secret: str | None = None


@dataclass(frozen=True, kw_only=True)
class GuestTokenSettings(OriginSettings):
    """``guest_token_secret`` is the ARN of the signing secret."""

    guest_token_secret: str
    guest_token_ttl_seconds: int = 3_600


@dataclass(frozen=True, kw_only=True)
class AuthorizerSettings(GuestTokenSettings):
    """Ids of the user pool and of the page's client in it; absent where only guests come."""

    user_pool: str | None = None
    user_pool_client: str | None = None


@dataclass(frozen=True, kw_only=True)
class OriginRotationSettings(FunctionSettings):
    """The CloudFront distribution that sends the origin secret."""

    distribution_id: str


@dataclass(frozen=True, kw_only=True)
class SessionSettings(FunctionSettings):
    """The sessions table; session data lives ``session_ttl_seconds`` (24 h by default, SES-1)."""

    sessions_table: str
    session_ttl_seconds: int = 86_400


@dataclass(frozen=True, kw_only=True)
class PolicySettings(FunctionSettings):
    """Ids of the AppConfig application, environment and profile that hold the model policy."""

    policy_application: str
    policy_environment: str
    policy_profile: str


@dataclass(frozen=True, kw_only=True)
class SearchSettings(FunctionSettings):
    """The collection and the alias that readers and writers use, never an index name."""

    search_endpoint: str
    search_alias: str = "catalogue-live"


@dataclass(frozen=True, kw_only=True)
class StorefrontSettings(FunctionSettings):
    """Where product pages live, without a slash at the end; the path of a series is added to it."""

    store_url: str = "https://store.example"


@dataclass(frozen=True, kw_only=True)
class MessageSettings(SessionSettings, PolicySettings, SearchSettings, StorefrontSettings):
    """Everything the ``message`` function needs."""

    management_endpoint: str
    """Callback URL of the WebSocket stage; configuration, because an event is not to be trusted with it."""
    guardrail_function: str
    model_profiles: str | None = None
    """JSON object: ARNs of our own inference profiles by model id, so that the bill tells tiers apart; absent where
    there are none."""
    intent_endpoint: str | None = None
    """Absent where no classifier is deployed: then unsure questions take the default intent."""
    rerank_endpoint: str | None = None
    """Absent where no reranker is deployed: then search's own order stands."""
    rerank_budget_ms: int = 150
    """Longest wait for the reranker; its own target is 50 ms (RET-3)."""
    cache_endpoint: str | None = None
    """Host and port of Valkey, over TLS; absent where no cache is deployed, and nothing may then be missed."""
    cache_name: str | None = None
    """Part of what an IAM token for the cache signs."""
    cache_user: str | None = None
    """Id and name alike."""
    catalogue_target: str | None = None
    """Host and port of the catalogue service; absent where none runs."""
    catalogue_tls: str | None = None
    """``true`` where the service has a certificate."""
    partners_url: str | None = None
    """Base of the partners' services; absent where there are none."""
    partners_credential_secret: str | None = None
    """ARN of the secret with the credential that partners take."""
    partner_pricing_url: str | None = None
    """Where pricing answers, if not where the others do; so for reviews and promotions."""
    partner_pricing_credential_secret: str | None = None
    partner_reviews_url: str | None = None
    partner_reviews_credential_secret: str | None = None
    partner_promotions_url: str | None = None
    partner_promotions_credential_secret: str | None = None
    personalize_user_campaign: str | None = None
    """ARN of the campaign or recommender that knows titles for a shopper."""
    personalize_similar_campaign: str | None = None
    """ARN of the one that knows titles like a title."""
    capacity_table: str | None = None
    """Where bought model capacity is published; absent where none is ever bought."""
    deadline_ms: int = 25_000
    """Whole-request deadline, inside the gateway's 29 s (RES-5)."""
