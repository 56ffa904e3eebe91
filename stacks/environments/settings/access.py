"""How the product is reached and by whom: network, names, the edge, sign-in."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stacks.environments.settings.base import DOMAIN, Settings


class Network(Settings):
    """A VPC of our own; without one the functions run outside any VPC and reach AWS by signed requests only."""

    nat_gateways: int = Field(ge=1, le=2)
    """Functions inside post to WebSocket connections, which are public: at least one NAT gateway is needed."""
    zones: tuple[str, str] = ("a", "b")
    """Letters of the two availability zones; an account that lacks one of them names two others."""

    @model_validator(mode="after")
    def _two_zones(self) -> Self:
        if len(set(self.zones)) != 2 or not all(len(zone) == 1 and zone.islower() for zone in self.zones):
            raise ValueError(f"zones={self.zones}: two different letters, as in us-east-1a and us-east-1b")
        return self


class Throttle(Settings):
    """Requests per second a stage lets through, and the burst above it."""

    rate_per_second: int = Field(gt=0)
    burst: int = Field(gt=0)


class HostedZone(Settings):
    """The Route 53 zone in which our names are recorded; without it somebody records them elsewhere."""

    id: str = Field(pattern=r"^Z[A-Z0-9]+$")
    name: str = Field(pattern=DOMAIN)


class Domains(Settings):
    """Names of our own. Shoppers see ``page`` alone, which also serves ``/v1`` and the WebSocket at ``/live``."""

    page: str = Field(pattern=DOMAIN)
    page_certificate_arn: str = Field(pattern=r"^arn:aws:acm:us-east-1:\d{12}:certificate/.+$")
    """In us-east-1, where CloudFront looks."""
    api: str = Field(pattern=DOMAIN)
    """Where CloudFront reaches the HTTP API."""
    websocket: str = Field(pattern=DOMAIN)
    """Where CloudFront reaches the WebSocket API, which shares no name with another kind of API."""
    api_certificate_arn: str = Field(pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/.+$")
    """For ``api`` and ``websocket``, in the region of the environment."""
    standby_certificate_arn: str | None = Field(
        default=None, pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/.+$"
    )
    """For the same two names, in the region that takes over; with it and ``hosted_zone`` they fail over. Either
    certificate must then hold for ``callback`` of its region, too."""
    hosted_zone: HostedZone | None = None

    def callback(self, region: str) -> str:
        """Where functions post to connections of this region, once ``websocket`` may be another region's: beside it, so
        that a wildcard certificate holds for both."""
        first, rest = self.websocket.split(".", 1)
        return f"{first}-{region}.{rest}"

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = (self.page, self.api, self.websocket)
        if len(set(names)) < len(names):
            raise ValueError(f"page, api and websocket need three different names, not {', '.join(names)}")
        zone = self.hosted_zone
        if zone and not all(name == zone.name or name.endswith(f".{zone.name}") for name in names):
            raise ValueError(f"hosted_zone {zone.name} does not hold all of {', '.join(names)}")
        return self


class Edge(Settings):
    """CloudFront and WAF in front of the WebSocket, the HTTP API and the page.

    Both APIs answer only what carries CloudFront's secret. Without ``domains`` their default endpoints stay reachable,
    because CloudFront itself has no other way to them.
    """

    web_acl: bool = True
    requests_per_five_minutes: int = Field(default=2_000, ge=10)
    """Of one address, after which WAF refuses it for a while. Offices and mobile carriers share addresses."""
    guest_tokens_per_five_minutes: int = Field(default=100, ge=10)
    """Of one address: a shopper needs one an hour, an office or a mobile carrier's gateway many."""
    counted_rules: tuple[str, ...] = ()
    """Rules of AWS's common set that only count, where they have refused shoppers wrongly."""
    domains: Domains | None = None

    @model_validator(mode="after")
    def _guest_tokens_are_the_narrower_gate(self) -> Self:
        if self.guest_tokens_per_five_minutes > self.requests_per_five_minutes:
            raise ValueError(
                "guest_tokens_per_five_minutes is above requests_per_five_minutes: it would never count"
            )
        return self


class Identity(Settings):
    """Sign-in with a Cognito user pool; guests come in without it."""

    mfa: Literal["optional", "required"] = "optional"
    """By an authenticator app; text messages can be redirected."""
    threat_protection: bool = False
    """Refuses leaked passwords and challenges unusual sign-ins; Cognito's Plus plan, paid per active shopper."""
    access_token_minutes: int = Field(default=60, ge=5, le=1_440)
    refresh_token_days: int = Field(default=30, ge=1, le=365)
    return_urls: tuple[str, ...] = ()
    """Where a sign-in may return to, beside the page under its own domain."""
