"""How data is kept, and what search and cache may grow to."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, model_validator

from stacks.environments.settings.base import Settings


class DataProtection(Settings):
    """How hard it is to lose data; ``retain`` keeps tables, keys, buckets and logs when their stack goes."""

    retain: bool
    deletion_protection: bool
    """Tables, collection and stacks refuse deletion until this is switched off."""
    point_in_time_recovery: bool

    @model_validator(mode="after")
    def _protected_is_retained(self) -> Self:
        if self.deletion_protection and not self.retain:
            raise ValueError(
                "deletion_protection without retain: a protected table would block its stack's deletion"
            )
        return self


DISPOSABLE: Final = DataProtection(retain=False, deletion_protection=False, point_in_time_recovery=False)
RECOVERABLE: Final = DataProtection(retain=False, deletion_protection=False, point_in_time_recovery=True)
PERMANENT: Final = DataProtection(retain=True, deletion_protection=True, point_in_time_recovery=True)


class Backups(Settings):
    """Copies of the tables in a vault of their own, beside the point-in-time recovery of the tables themselves."""

    daily_days: int = Field(default=35, ge=7)
    monthly_days: int = Field(default=365, ge=120)
    """30 days at hand, the rest in cold storage, which asks for 90 days at least."""
    locked: bool = False
    """Nobody, the account's root included, can delete a copy before its time, once three days have passed."""


class SearchCapacity(Settings):
    """OpenSearch compute units (OCU) of the collection group, the same bounds for searching and indexing."""

    min_ocu: int
    """0 scales to zero after 10 idle minutes; the next request then waits 10-30 s."""
    max_ocu: int

    @model_validator(mode="after")
    def _allowed_steps(self) -> Self:
        for name, value in (("min_ocu", self.min_ocu), ("max_ocu", self.max_ocu)):
            smallest = 0 if name == "min_ocu" else 2
            if not smallest <= value <= 1_700 or (value not in (0, 2, 4, 8) and value % 16):
                raise ValueError(
                    f"{name}={value}: OCU come as 0 (minimum only), 2, 4, 8 or multiples of 16 up to 1700"
                )
        if self.min_ocu > self.max_ocu:
            raise ValueError(f"min_ocu={self.min_ocu} is above max_ocu={self.max_ocu}")
        return self


class CacheLimits(Settings):
    """What ElastiCache Serverless (Valkey) may grow to, which caps what it may cost."""

    max_storage_gb: int = Field(ge=1, le=5_000)
    max_ecpu_per_second: int = Field(ge=1_000, le=15_000_000)
