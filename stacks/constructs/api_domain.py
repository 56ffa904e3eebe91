"""A name of our own for an API: the only way to it once the default endpoint is closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from stacks.environments import HostedZone


@dataclass(frozen=True, kw_only=True)
class Failover:
    """Which of two records of one name this one is."""

    region: str
    """Tells the two apart."""
    check: route53.IHealthCheck | None
    """Of the primary; the secondary has none, because there is nothing after it."""


class ApiDomain(Construct):
    """A regional domain name over TLS 1.2. API Gateway takes the same name once in every region."""

    def __init__(self, scope: Construct, id: str, *, name: str, certificate_arn: str) -> None:
        super().__init__(scope, id)
        self._name = name
        self.domain = apigatewayv2.DomainName(
            self,
            "Name",
            domain_name=name,
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", certificate_arn),
            endpoint_type=apigatewayv2.EndpointType.REGIONAL,
            security_policy=apigatewayv2.SecurityPolicy.TLS_1_2,
        )

    def record(self, zone: HostedZone, failover: Failover | None) -> None:
        """Record the name in ``zone``, alone or as one of two."""
        target = targets.ApiGatewayv2DomainProperties(
            self.domain.regional_domain_name, self.domain.regional_hosted_zone_id
        )
        record(self, self._name, zone, target, failover)


def record(
    scope: Construct,
    name: str,
    zone: HostedZone,
    target: route53.IAliasRecordTarget,
    failover: Failover | None = None,
) -> None:
    """Point ``name`` at ``target``, over IPv4 and IPv6."""
    hosted = route53.HostedZone.from_hosted_zone_attributes(
        scope, "Zone", hosted_zone_id=zone.id, zone_name=zone.name
    )
    alias = route53.RecordTarget.from_alias(target)
    for id, kind in (("Ipv4", route53.ARecord), ("Ipv6", route53.AaaaRecord)):
        made = kind(
            scope,
            id,
            zone=hosted,
            # A full stop ends a name; without it the zone's own name would be added once more.
            record_name=f"{name}.",
            target=alias,
        )
        if failover is not None:
            # On the resource itself: the construct wants the target's own health evaluated, of which API Gateway
            # promises nothing; the health check alone decides.
            own = cast("route53.CfnRecordSet", made.node.default_child)
            own.failover = "PRIMARY" if failover.check else "SECONDARY"
            own.set_identifier = failover.region
            own.health_check_id = failover.check.health_check_id if failover.check else None
