"""What is raised before a sale: each resource, how it is sized, and the registry of its kinds.

A resource is data (``CAPACITY_RESOURCES``, written by ``stacks/capacity.py``). A kind is code: an adapter that can set,
read and verify a minimum. Another kind joins by one more entry in the registry of ``capacity/wiring.py`` and one more
resource in ``stacks/raised.py``; nothing here changes but its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from mangaassist.capacity.ports import CapacityKind

ECS_SERVICE: Final = "ecs-service"
LAMBDA_PROVISIONED_CONCURRENCY: Final = "lambda-provisioned-concurrency"
SEARCH_COLLECTION_GROUP: Final = "search-collection-group"
SAGEMAKER_VARIANT: Final = "sagemaker-variant"


class UnknownKind(ValueError):
    """No adapter is registered for ``kind``."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        self.kind = kind
        super().__init__(f"no kind of capacity is called {kind!r}: register it, or use {', '.join(known)}")


class Resource(BaseModel):
    """Something with a minimum: ``base`` on ordinary days, more before a sale, never above ``ceiling``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    kind: str
    address: dict[str, str]
    """What the kind's adapter needs to find it."""
    base: Annotated[int, Field(ge=0)]
    ceiling: Annotated[int, Field(ge=1)]
    concurrency_per_unit: Annotated[float, Field(gt=0)]
    """Shoppers answered at the same moment that one unit carries."""
    headroom: Annotated[float, Field(ge=1)] = 1.2
    """CAP-1: expected concurrency x 1.2."""
    steps: tuple[int, ...] = ()
    """The only sizes there are, where not every number is one."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.base > self.ceiling:
            raise ValueError(f"{self.name}: base {self.base} is above ceiling {self.ceiling}")
        return self

    def units(self, concurrency: int) -> int:
        """The minimum for so many shoppers at once; the base for none."""
        if concurrency <= 0:
            return self.base
        # Rounded first: 40 x 1.2 is 48.00000000000001 to a computer, and nobody wants to pay for the 49th.
        wanted = math.ceil(round(concurrency * self.headroom / self.concurrency_per_unit, 6))
        if self.steps:
            wanted = next((step for step in self.steps if step >= wanted), self.steps[-1])
        return max(self.base, min(wanted, self.ceiling))

    def is_capped(self, concurrency: int) -> bool:
        """Whether the ceiling gives less than so many shoppers need."""
        return concurrency * self.headroom / self.concurrency_per_unit > self.ceiling + 1e-6


RESOURCES: Final = TypeAdapter(tuple[Resource, ...])


@dataclass(frozen=True, slots=True)
class KindRegistry:
    """Adapter builders by kind."""

    builders: Mapping[str, Callable[[Mapping[str, str]], CapacityKind]]

    def open(self, resource: Resource) -> CapacityKind:
        """The adapter of a resource.

        Raises:
            UnknownKind: nobody registered its kind.
        """
        builder = self.builders.get(resource.kind)
        if builder is None:
            raise UnknownKind(resource.kind, tuple(self.builders))
        return builder(resource.address)
