"""Environments made from others: one that costs nothing while idle, one that waits elsewhere, one for the twin."""

from __future__ import annotations

from stacks.environments.settings.environment import EnvironmentSettings
from stacks.environments.settings.services import Personalize


class NoStandby(ValueError):
    """There is no standby of this environment in this region; the message says why."""


def on_this_machine(settings: EnvironmentSettings) -> EnvironmentSettings:
    """``settings`` with layers built for this machine's interpreter and nothing else changed, for the local twin.

    The one way around the rule that only ``local`` may say so: a copy, which is not validated again. AWS could not run
    what comes of it, so nobody writes it into an environment; ``app.py`` asks for it when it renders for the twin.
    """
    return settings.model_copy(update={"bundle_for": "host"})


def lean(settings: EnvironmentSettings) -> EnvironmentSettings:
    """``settings`` without what costs while nobody asks anything (CAP-6).

    The price: no private network, so functions reach AWS over the internet by signed requests; no shared cache; intents
    end with the rules and search's own order stands, as there is no model of ours; products come from the index and the
    table, as no catalogue service runs; the first question after ten idle
    minutes waits 10-30 s for search. What protects data stays: keys, backups, replicas, the edge.
    """
    changes: dict[str, object] = {
        "profile": "lean",
        "network": None,
        "cache": None,
        "models": None,
        "catalogue": None,
        "message_provisioned_concurrency": None,
        "search": settings.search.model_copy(update={"min_ocu": 0}),
        "capacity": settings.capacity.model_copy(update={"business_hours": False, "throughput": ()}),
    }
    kept = {name: getattr(settings, name) for name in EnvironmentSettings.model_fields}
    return EnvironmentSettings.model_validate(kept | changes)


def standby(settings: EnvironmentSettings, region: str) -> EnvironmentSettings:
    """``settings`` as they wait in ``region`` for the primary to be lost: a pilot light (RES-7).

    Lean, and without what belongs to the primary or to the account: the edge, the page, rotation, backups, dashboards,
    audit. Sign-in stays behind, as user pools are of one region; shoppers go on as guests. Campaigns and keys of the
    organisation are named by ARNs of the primary's region and are left out, too.

    Raises:
        NoStandby: nothing is replicated to that region, or the names have no certificate there.
    """
    if region not in settings.replica_regions:
        raise NoStandby(
            f"{settings.name} has no replica in {region}: its replica_regions are "
            f"{', '.join(settings.replica_regions) or 'none'}"
        )
    waiting = lean(settings)
    edge = waiting.edge
    if edge and edge.domains:
        certificate = edge.domains.standby_certificate_arn
        if certificate is None or certificate.split(":")[3] != region:
            raise NoStandby(
                f"{settings.name}.domains has names but no standby_certificate_arn for them in {region} "
                "(deployment.example.toml)"
            )
        names = edge.domains.model_copy(update={"api_certificate_arn": certificate})
        edge = edge.model_copy(update={"domains": names})
    changes: dict[str, object] = {
        "region": region,
        "standby_of": settings.region,
        "replica_regions": (),
        "edge": edge,
        "backups": None,
        "identity": None,
        "secret_rotation_days": None,
        "observability": None,
        "log_archive": None,
        "audit": None,
        "personalize": Personalize(),
        "partners": settings.partners.model_copy(update={"credential_key_arn": None}),
    }
    kept = {name: getattr(waiting, name) for name in EnvironmentSettings.model_fields}
    return EnvironmentSettings.model_validate(kept | changes)
