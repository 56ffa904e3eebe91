"""The way to the catalogue's tasks: an internal network load balancer, its listener, its access log."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.environments import Catalogue, EnvironmentSettings
from stacks.network import CATALOGUE_PORT, CatalogueGroups

ACCESS_LOG_DAYS: Final = 90
DRAIN_SECONDS: Final = 45
"""How long calls in flight may go on with a task that leaves; the longest a turn lasts is 25 s (RES-5)."""


class CatalogueBalancer(Construct):
    """TCP, or TLS with a certificate; a layer-4 balancer, because gRPC wants whole connections and no more of it.

    Which task gets a connection is decided once, when it is made: the server ends connections after a while
    (``max_connection_age``), so that tasks that come later get their share.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: EnvironmentSettings,
        catalogue: Catalogue,
        vpc: ec2.IVpc,
        groups: CatalogueGroups,
        key: kms.Key,
    ) -> None:
        super().__init__(scope, id)
        self.access_log = s3.Bucket(
            self,
            "AccessLog",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(ACCESS_LOG_DAYS))],
            removal_policy=RemovalPolicy.RETAIN if settings.protection.retain else RemovalPolicy.DESTROY,
        )
        self.balancer = elbv2.NetworkLoadBalancer(
            self,
            "Balancer",
            load_balancer_name=f"{settings.resource_prefix}-catalogue",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            internet_facing=False,
            security_groups=[groups.balancer],
            # With two tasks each zone has one: without it, a zone whose task is replaced would answer nobody.
            cross_zone_enabled=True,
            deletion_protection=settings.protection.deletion_protection,
        )
        self._admit_delivery(key)
        # One line per TLS connection; Elastic Load Balancing logs none for plain TCP.
        self.balancer.log_access_logs(self.access_log)
        self.targets = elbv2.NetworkTargetGroup(
            self,
            "Tasks",
            vpc=vpc,
            port=CATALOGUE_PORT,
            protocol=elbv2.Protocol.TCP,
            target_type=elbv2.TargetType.IP,
            deregistration_delay=Duration.seconds(DRAIN_SECONDS),
            # An idle channel would otherwise go on talking to a task that has left.
            connection_termination=True,
            preserve_client_ip=False,
            # That a port is open; whether the service behind it can answer is asked by the container's own check.
            health_check=elbv2.HealthCheck(
                protocol=elbv2.Protocol.TCP,
                interval=Duration.seconds(10),
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
            ),
        )
        certificate = catalogue.certificate_arn
        self.listener = self.balancer.add_listener(
            "Listener",
            port=CATALOGUE_PORT,
            protocol=elbv2.Protocol.TLS if certificate else elbv2.Protocol.TCP,
            certificates=[certificates.Certificate.from_certificate_arn(self, "Certificate", certificate)]
            if certificate
            else None,
            ssl_policy=elbv2.SslPolicy.TLS13_RES if certificate else None,
            # gRPC clients refuse a connection that does not settle on HTTP/2 by ALPN.
            alpn_policy=elbv2.AlpnPolicy.HTTP2_ONLY if certificate else None,
            default_target_groups=[self.targets],
        )

    def _admit_delivery(self, key: kms.Key) -> None:
        """Load balancers write through the log delivery of the account (NLB guide, bucket requirements)."""
        stack = Stack.of(self)
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
                actions=[
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey*",
                    "kms:ReEncrypt*",
                ],
                resources=["*"],
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {
                        "aws:SourceArn": f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:*"
                    },
                },
            )
        )
