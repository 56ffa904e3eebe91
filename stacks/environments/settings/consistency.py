"""What must hold between the settings of one environment; what concerns a single group stands with that group.

Whoever changes a value is told here, before anything is built, which other value it disagrees with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.environments.settings.environment import EnvironmentSettings


def check(settings: EnvironmentSettings) -> None:
    """Hold ``settings`` to every rule.

    Raises:
        ValueError: the first rule that is broken, and what would keep it.
    """
    for rule in (
        _endpoints_have_one_owner,
        _token_ends_before_session,
        _provisioned_fits_reserved,
        _warm_ceiling_fits_reserved,
        _cache_is_inside_a_network,
        _catalogue_is_inside_a_network,
        _partners_are_asked_over_tls,
        _replicas_are_elsewhere,
        _certificates_are_where_they_are_looked_for,
        _production_keeps_its_data,
        _production_is_safe,
        _host_bundles_stay_local,
    ):
        rule(settings)


def _endpoints_have_one_owner(settings: EnvironmentSettings) -> None:
    if settings.models is not None and (settings.intent_endpoint or settings.rerank_endpoint):
        raise ValueError("models and an endpoint served elsewhere: the chat could ask only one of them")


def _token_ends_before_session(settings: EnvironmentSettings) -> None:
    if settings.guest_token_ttl_seconds > settings.session_ttl_seconds:
        raise ValueError(
            "guest_token_ttl_seconds is above session_ttl_seconds: the token would outlive its session"
        )


def _provisioned_fits_reserved(settings: EnvironmentSettings) -> None:
    reserved, provisioned = settings.message_reserved_concurrency, settings.message_provisioned_concurrency
    if reserved is not None and provisioned is not None and provisioned > reserved:
        raise ValueError(f"message_provisioned_concurrency={provisioned} is above the reserved {reserved}")


def _warm_ceiling_fits_reserved(settings: EnvironmentSettings) -> None:
    reserved, base = settings.message_reserved_concurrency, settings.message_provisioned_concurrency
    if base is None:
        return
    if reserved is not None and settings.capacity.message_ceiling > reserved:
        raise ValueError(
            f"capacity.message_ceiling={settings.capacity.message_ceiling} is above the reserved {reserved}"
        )
    if base > settings.capacity.message_ceiling:
        raise ValueError(
            f"message_provisioned_concurrency={base} is above capacity.message_ceiling"
            f"={settings.capacity.message_ceiling}"
        )


def _cache_is_inside_a_network(settings: EnvironmentSettings) -> None:
    if settings.cache is not None and settings.network is None:
        raise ValueError("cache without network: Valkey is reached from inside a VPC only")


def _catalogue_is_inside_a_network(settings: EnvironmentSettings) -> None:
    if settings.catalogue is None:
        return
    if settings.network is None:
        raise ValueError("catalogue without network: its load balancer is reached from inside a VPC only")
    if settings.catalogue.certificate_arn:
        _, _, _, region, owner, _ = settings.catalogue.certificate_arn.split(":", 5)
        if region != settings.region:
            raise ValueError(
                f"catalogue.certificate_arn is in {region}: the load balancer looks for it in {settings.region}"
            )
        if settings.account not in (None, owner):
            raise ValueError(
                f"catalogue.certificate_arn is of {owner}, and this account is {settings.account}"
            )


def _partners_are_asked_over_tls(settings: EnvironmentSettings) -> None:
    if settings.name != "local" and (
        plain := [url for url in settings.partners.urls if not url.startswith("https://")]
    ):
        raise ValueError(f"partners: {plain[0]} is not https; credentials and orders travel there")


def _replicas_are_elsewhere(settings: EnvironmentSettings) -> None:
    regions = settings.replica_regions
    if settings.region in regions or len(set(regions)) < len(regions):
        raise ValueError(f"replica_regions={regions}: each another region than {settings.region}, once")


def _certificates_are_where_they_are_looked_for(settings: EnvironmentSettings) -> None:
    if settings.domains is None:
        return
    _, _, _, region, owner, _ = settings.domains.api_certificate_arn.split(":", 5)
    if region != settings.region:
        raise ValueError(f"api_certificate_arn is in {region}: API Gateway looks for it in {settings.region}")
    owners = {owner, settings.domains.page_certificate_arn.split(":")[4], settings.account or owner}
    if settings.domains.standby_certificate_arn:
        _, _, _, other, standby_owner, _ = settings.domains.standby_certificate_arn.split(":", 5)
        if other not in (*settings.replica_regions, settings.region if settings.standby_of else None):
            raise ValueError(
                f"standby_certificate_arn is in {other}: no replica of {settings.name} is there "
                f"({', '.join(settings.replica_regions) or 'it has none'})"
            )
        owners.add(standby_owner)
    if len(owners) > 1:
        raise ValueError(f"certificates and account differ: {', '.join(sorted(owners))}")


def _production_keeps_its_data(settings: EnvironmentSettings) -> None:
    if settings.name != "prod":
        return
    guarded = settings.protection
    if not (guarded.retain and guarded.deletion_protection and guarded.point_in_time_recovery):
        raise ValueError(
            "prod keeps its data: retain, deletion_protection and point_in_time_recovery must be on"
        )
    if settings.log_retention_days < 90:
        raise ValueError("prod logs stay 90 days or longer (SEC-7)")
    if not settings.operations_key:
        raise ValueError(
            "prod encrypts its logs and queues with a key of its own: set operations_key (SEC-5)"
        )


def _production_is_safe(settings: EnvironmentSettings) -> None:
    """Of the primary alone: its edge stands in front of both regions, its vault keeps the tables of both."""
    if settings.name != "prod" or settings.standby_of is not None:
        return
    models, catalogue, edge, identity = settings.models, settings.catalogue, settings.edge, settings.identity
    if settings.search.min_ocu < 2 and settings.profile != "lean":
        raise ValueError("prod search must not scale to zero: set search.min_ocu to 2 or more")
    if settings.backups is None or not settings.backups.locked:
        raise ValueError("prod keeps backups in a locked vault: set backups with locked=True (IAC-4)")
    if models and min(models.intent.min_instances, models.reranker.min_instances) < 2:
        raise ValueError("prod endpoints need min_instances of 2 or more: a canary is at most half of them")
    if catalogue and catalogue.min_tasks < 2:
        raise ValueError("prod runs two tasks of the catalogue or more, one in each zone: set min_tasks")
    if edge is None or not edge.web_acl:
        raise ValueError("prod is reached through the edge only: set edge with its web ACL (SEC-5)")
    if identity is None or not identity.threat_protection:
        raise ValueError("prod has sign-in under threat protection: set identity (SEC-1)")
    if settings.secret_rotation_days is None:
        raise ValueError("prod rotates its secrets: set secret_rotation_days (SEC-6)")


def _host_bundles_stay_local(settings: EnvironmentSettings) -> None:
    if settings.bundle_for == "host" and settings.name != "local":
        raise ValueError(
            "bundle_for='host' is for environment local: Lambda has its own interpreter (the twin takes any "
            "environment through on_this_machine)"
        )
