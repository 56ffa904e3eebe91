"""The services that know the shop's facts: the catalogue, the partners, the recommender."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from stacks.environments.settings.base import DOMAIN, Settings

URL: Final = r"^https?://[^\s/?#]+(/[^\s?#]*)?$"
NAME_OF_SECRET: Final = r"^[A-Za-z0-9/_+=.@-]{1,500}$"  # noqa: S105 - the form of a name


class Catalogue(Settings):
    """The catalogue service: how large a task is and how many there are; it answers inside the VPC only."""

    cpu: Literal[256, 512, 1_024, 2_048, 4_096]
    """1024 are a whole CPU."""
    memory_mb: int = Field(ge=512, le=30_720)
    min_tasks: int = Field(ge=1)
    """On ordinary days; a sale raises it."""
    max_tasks: int = Field(ge=1)
    calls_per_task_per_minute: int = Field(default=12_000, ge=1)
    """Where another task starts, if its CPU does not say so first: 200 a second, an estimate until a load test."""
    image: str | None = Field(
        default=None, pattern=r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[^:@]+[:@].+$"
    )
    """Of another registry, best by digest; ``None`` takes the repository of stack ``CatalogueImages``."""
    namespace: str | None = Field(default=None, pattern=DOMAIN)
    """Private zone that holds ``catalogue.<namespace>``; ``None``: one that nobody else has, ``<prefix>.internal``."""
    certificate_arn: str | None = Field(
        default=None, pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/.+$"
    )
    """For ``catalogue.<namespace>``, in the region of the environment; without it calls inside the VPC are not
    encrypted, and the security groups alone say who may make them."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_tasks > self.max_tasks:
            raise ValueError(f"min_tasks={self.min_tasks} is above max_tasks={self.max_tasks}")
        cpus = self.cpu / 1_024
        low, high = (512, 2_048) if self.cpu == 256 else (int(1_024 * max(1, 2 * cpus)), int(8_192 * cpus))
        if not low <= self.memory_mb <= high or (self.memory_mb % 1_024 and self.memory_mb != 512):
            raise ValueError(
                f"memory_mb={self.memory_mb}: Fargate gives cpu={self.cpu} {low} to {high}, in steps of 1024"
            )
        if self.certificate_arn and not self.namespace:
            raise ValueError(
                "certificate_arn without namespace: nobody signs for the name the service has without one"
            )
        return self


PartnerName = Literal["orders", "pricing", "profile", "promotions", "returns", "reviews", "shipping"]


class PartnerAddress(Settings):
    """Where one partner answers, when it is not where the others do."""

    name: PartnerName
    url: str = Field(pattern=URL)
    credential_secret: str | None = Field(default=None, pattern=NAME_OF_SECRET)
    """``None``: the credential that all of them take."""


class Partners(Settings):
    """The services of other teams: orders, prices, reviews and the rest; each answers without, only poorer."""

    url: str | None = Field(default=None, pattern=URL)
    """Base of every partner that has no address of its own; ``None``: there are none."""
    credential_secret: str | None = Field(default=None, pattern=NAME_OF_SECRET)
    """Name of the secret, made by whoever got the credential; ``None``: ``<prefix>-partners``."""
    credential_key_arn: str | None = Field(default=None, pattern=r"^arn:aws:kms:[a-z0-9-]+:\d{12}:key/.+$")
    """The key of the secrets, where it is not the one that Secrets Manager keeps for the account."""
    own: tuple[PartnerAddress, ...] = ()
    """Partners that answer elsewhere."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [each.name for each in self.own]
        if len(set(names)) < len(names):
            raise ValueError(f"own: a partner has one address, but these are named: {', '.join(names)}")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address there is."""
        return (*((self.url,) if self.url else ()), *(each.url for each in self.own))


class Personalize(Settings):
    """Campaigns or recommenders of Amazon Personalize: a campaign's name in this account, or an ARN."""

    user_campaign: str | None = Field(
        default=None, pattern=r"^(arn:aws:personalize:.+|[A-Za-z0-9][\w-]{0,62})$"
    )
    """Titles for a shopper."""
    similar_campaign: str | None = Field(
        default=None, pattern=r"^(arn:aws:personalize:.+|[A-Za-z0-9][\w-]{0,62})$"
    )
    """Titles like a title."""

    @property
    def is_used(self) -> bool:
        """Whether anything is asked of it."""
        return bool(self.user_campaign or self.similar_campaign)
