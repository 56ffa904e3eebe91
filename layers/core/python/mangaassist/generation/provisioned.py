"""Provisioned before on demand: a tier resolves to the ARN that is active for its model, and overflows (GEN-9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mangaassist.generation.models import split_profile
from mangaassist.generation.policy import TierChoice


def with_provisioned(chain: Sequence[TierChoice], active: Mapping[str, str]) -> tuple[TierChoice, ...]:
    """The chain with a provisioned link in front of each model that has one.

    The on-demand link of the same tier stays behind it, so that a throttled, deleted or failing purchase overflows to
    on demand before another tier steps in.

    Args:
        chain: links of a task, first choice first.
        active: ARNs by foundation model id, as published by the capacity schedule.
    """
    links: list[TierChoice] = []
    for choice in chain:
        arn = active.get(split_profile(choice.model_id)[1])
        if arn is not None:
            links.append(choice._replace(provisioned_arn=arn))
        links.append(choice)
    return tuple(links)


class NothingProvisioned:
    """A ``ProvisionedModels`` for deployments that buy no throughput: everything is on demand."""

    async def active(self) -> Mapping[str, str]:
        """Nothing."""
        return {}
