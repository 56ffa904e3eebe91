"""A name of our own for an API: the only way to it once the default endpoint is closed."""

from __future__ import annotations

from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from stacks.environments import HostedZone


class ApiDomain(Construct):
    """A regional domain name over TLS 1.2, recorded in ``zone`` if there is one."""

    def __init__(
        self, scope: Construct, id: str, *, name: str, certificate_arn: str, zone: HostedZone | None
    ) -> None:
        super().__init__(scope, id)
        self.domain = apigatewayv2.DomainName(
            self,
            "Name",
            domain_name=name,
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", certificate_arn),
            endpoint_type=apigatewayv2.EndpointType.REGIONAL,
            security_policy=apigatewayv2.SecurityPolicy.TLS_1_2,
        )
        if zone is not None:
            record(
                self,
                name,
                zone,
                targets.ApiGatewayv2DomainProperties(
                    self.domain.regional_domain_name, self.domain.regional_hosted_zone_id
                ),
            )


def record(scope: Construct, name: str, zone: HostedZone, target: route53.IAliasRecordTarget) -> None:
    """Point ``name`` at ``target``, over IPv4 and IPv6."""
    hosted = route53.HostedZone.from_hosted_zone_attributes(
        scope, "Zone", hosted_zone_id=zone.id, zone_name=zone.name
    )
    alias = route53.RecordTarget.from_alias(target)
    # A full stop ends a name; without it the zone's own name would be added once more.
    route53.ARecord(scope, "Ipv4", zone=hosted, record_name=f"{name}.", target=alias)
    route53.AaaaRecord(scope, "Ipv6", zone=hosted, record_name=f"{name}.", target=alias)
