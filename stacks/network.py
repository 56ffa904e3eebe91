"""The VPC: two zones, public and private subnets, endpoints, and groups that admit each other and nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import jsii
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.log_group import log_group
from stacks.constructs.log_key import admit_logs
from stacks.constructs.placement import Placement
from stacks.environments import EnvironmentSettings, Network

CATALOGUE_PORT: Final = 50_051
"""Where gRPC is by custom; of the load balancer and of the tasks."""
CATALOGUE_NAME: Final = "catalogue"
"""Of the container, of the log group, and the first label of the name by which the service is found."""
CIDR: Final = "10.0.0.0/16"
SUBNETS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"Public": ("10.0.1.0/24", "10.0.2.0/24"), "Private": ("10.0.10.0/24", "10.0.11.0/24")}
)
"""By kind, one range per zone (IAC-2)."""

INTERFACE_ENDPOINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "appconfigdata": "the model policy decides which models see a shopper's words: it is read over a private path",
        "bedrock-runtime": "prompts and answers",
        "lambda": "the answer that message hands to the guardrail function",
        "personalize-runtime": "who asks for recommendations, and what is recommended",
        "sagemaker.runtime": "questions for the classifier, chunks for the reranker",
        "secretsmanager": "the credential that partners know us by",
        "xray": "traces, which functions send from where they run",
    }
)
"""Services that functions inside call by themselves, with what stays off the internet thereby. The collection has one
more, see ``search_endpoint``. Left out: S3 and DynamoDB (gateway endpoints, free of charge), Logs (Lambda ships a
function's lines itself), KMS (asked by DynamoDB and S3 on a function's behalf), STS (no function inside calls it), and
execute-api: it serves private APIs only, and with private DNS it would answer the posts to
WebSocket connections with 403."""

TASK_ENDPOINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ecr.api": "where the layers of an image are",
        "ecr.dkr": "an image's manifest; its layers come from S3, by the gateway endpoint",
        "logs": "log lines, which the agent beside a task ships over the task's own interface",
    }
)
"""What Fargate needs to start a task that has no way to the internet."""

PREFIX_LISTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "us-east-1": {"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"},
        "us-west-2": {"s3": "pl-68a54001", "dynamodb": "pl-00a54069"},
    }
)
"""What security groups call the addresses behind the gateway endpoints; AWS fixed them once per region:
``aws ec2 describe-managed-prefix-lists --filters Name=prefix-list-name,Values=com.amazonaws.<region>.s3``"""

OUTSIDE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "authorizer": "decides while a shopper waits for the handshake and reads one secret by a signed request",
        "connect": "runs once per connection, in bursts after a reconnect storm; speaks to DynamoDB alone",
        "disconnect": "as connect",
        "guest_token": "as authorizer",
        "model_capacity": "works for operators, on Bedrock's control plane, and sees no shopper's data",
        "model_warmup": "sends questions of its own making to the model endpoints",
        "policy_seed": "works for the deployment, on AppConfig's control plane, and sees no shopper's data",
        "policy_validator": "a pure check of the document that AppConfig hands it; calls nothing",
        "prewarm": "works for operators, on the control planes of what it warms, and sees no shopper's data",
        "rotate_guest_secret": "makes a new secret on Secrets Manager's behalf and speaks to nothing else",
        "rotate_origin_secret": "as rotate_guest_secret, and tells CloudFront's control plane",
        "web_publish": "works for the deployment: copies the public page from bucket to bucket",
    }
)
"""Functions that stay out of the VPC, and why. Out there they reach AWS by signed requests over TLS and can reach
nothing private; inside they would cost addresses and endpoints and gain nothing."""


class UnknownPrefixLists(ValueError):
    """The prefix lists of this region have not been written down yet."""

    def __init__(self, region: str) -> None:
        self.region = region
        super().__init__(f"add the prefix lists of {region} to PREFIX_LISTS in stacks/network.py")


@jsii.implements(ec2.IIpAddresses)
class FixedRanges:
    """Hands out the ranges of ``SUBNETS`` where CDK would compute its own."""

    def allocate_vpc_cidr(self) -> ec2.VpcIpamOptions:
        return ec2.VpcIpamOptions(cidr_block=CIDR)

    def allocate_subnets_cidr(
        self, *, requested_subnets: Sequence[ec2.RequestedSubnet], vpc_cidr: str
    ) -> ec2.SubnetIpamOptions:
        left = {kind: iter(ranges) for kind, ranges in SUBNETS.items()}
        return ec2.SubnetIpamOptions(
            allocated_subnets=[
                ec2.AllocatedSubnet(cidr=next(left[request.configuration.name]))
                for request in requested_subnets
            ]
        )


@dataclass(frozen=True, kw_only=True)
class CatalogueGroups:
    """Who reaches the catalogue: clients its load balancer, and this its tasks."""

    clients: ec2.SecurityGroup
    balancer: ec2.SecurityGroup
    tasks: ec2.SecurityGroup


def catalogue_target(settings: EnvironmentSettings) -> str:
    """``host:port`` by which clients inside the VPC reach the catalogue service."""
    return f"{CATALOGUE_NAME}.{settings.catalogue_namespace}:{CATALOGUE_PORT}"


def interface_endpoints(settings: EnvironmentSettings) -> tuple[str, ...]:
    """Services that get an interface endpoint in this environment, the collection's aside."""
    unused = {
        *(() if settings.endpoints else ("sagemaker.runtime",)),
        *(() if settings.personalize.is_used else ("personalize-runtime",)),
    }
    return (
        *(service for service in INTERFACE_ENDPOINTS if service not in unused),
        *(TASK_ENDPOINTS if settings.catalogue else ()),
    )


class NetworkStack(EnvironmentStack):
    """Everything that decides which packets may go where."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, network: Network) -> None:
        self._zones = [f"{settings.region}{letter}" for letter in network.zones]
        super().__init__(
            scope, "Network", settings=settings, description="VPC, endpoints and security groups"
        )
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=FixedRanges(),
            availability_zones=self._zones,
            nat_gateways=network.nat_gateways,
            subnet_configuration=[
                # Hosts the NAT gateways only: whatever else starts here gets no public address.
                ec2.SubnetConfiguration(
                    name="Public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            ],
            # CDK empties the default group with a function of its own making, which may revoke the rules of any group.
            # Ours stays as AWS made it, admitting only itself, and nothing may use it: rule
            # MangaAssist-NoDefaultSecurityGroup. Config is therefore not asked about it (stacks/audit.py).
            restrict_default_security_group=False,
        )
        self._log_flows(settings)
        self.functions = self._group("Functions", "Functions: endpoints, tables, buckets and cache")
        self.internet = self._group(
            "Internet", "Functions that post to WebSocket connections, which have public addresses only"
        )
        self.endpoints = self._group("Endpoints", "Interface endpoints: reached by functions")
        self.cache = self._group("Cache", "Valkey: reached by functions")
        self.catalogue = self._catalogue_groups() if settings.catalogue else None
        self._connect_groups()
        self._gateway_endpoints()
        for service in interface_endpoints(settings):
            self._interface_endpoint(service)
        self.search_endpoint = self._interface_endpoint("aoss-data")
        """The only way into the collection: its network policy names this endpoint."""

    @property
    def availability_zones(self) -> list[str]:
        """Known without asking an account."""
        return self._zones

    def placement(self, *, internet: bool = False, catalogue: bool = False) -> Placement:
        """Where a function runs.

        Args:
            internet: whether it reaches public addresses, through NAT and over TLS only.
            catalogue: whether it reaches the catalogue service, where there is one.
        """
        return Placement(
            vpc=self.vpc,
            subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=(
                self.functions,
                *((self.internet,) if internet else ()),
                *((self.catalogue.clients,) if catalogue and self.catalogue else ()),
            ),
        )

    def _group(self, name: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=False)

    def _catalogue_groups(self) -> CatalogueGroups:
        groups = CatalogueGroups(
            clients=self._group("CatalogueClients", "Functions that ask the catalogue service"),
            balancer=self._group(
                "CatalogueBalancer", "Load balancer of the catalogue: reached by its clients"
            ),
            tasks=self._group("CatalogueTasks", "Tasks of the catalogue: reached by their load balancer"),
        )
        port = ec2.Port.tcp(CATALOGUE_PORT)
        for source, target, what, who in (
            (groups.clients, groups.balancer, "The catalogue", "Clients"),
            (groups.balancer, groups.tasks, "Tasks, and their health", "Load balancer"),
        ):
            source.add_egress_rule(target, port, what)
            target.add_ingress_rule(source, port, who)
        groups.tasks.add_egress_rule(self.endpoints, ec2.Port.tcp(443), "Image and log lines")
        self.endpoints.add_ingress_rule(groups.tasks, ec2.Port.tcp(443), "Tasks of the catalogue")
        return groups

    def _connect_groups(self) -> None:
        https, valkey = ec2.Port.tcp(443), ec2.Port.tcp(6379)
        for target, port, what in (
            (self.endpoints, https, "Interface endpoints"),
            (self.cache, valkey, "Valkey"),
        ):
            self.functions.add_egress_rule(target, port, what)
            target.add_ingress_rule(self.functions, port, "Functions")
        if self.region not in PREFIX_LISTS:
            raise UnknownPrefixLists(self.region)
        for service, prefix_list in PREFIX_LISTS[self.region].items():
            for group in (self.functions, *((self.catalogue.tasks,) if self.catalogue else ())):
                group.add_egress_rule(
                    ec2.Peer.prefix_list(prefix_list), https, f"{service} by its gateway endpoint"
                )
        # The callback address of a WebSocket API is public and its addresses are many and change; the role decides
        # to which API a function may post.
        self.internet.add_egress_rule(ec2.Peer.any_ipv4(), https, "WebSocket connections, through NAT")

    def _gateway_endpoints(self) -> None:
        """S3 and DynamoDB, this account's alone: whoever takes over a function cannot carry data to another account."""
        for name, service, actions in (
            (
                "S3",
                ec2.GatewayVpcEndpointAwsService.S3,
                ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"),
            ),
            (
                "DynamoDb",
                ec2.GatewayVpcEndpointAwsService.DYNAMODB,
                (
                    "dynamodb:BatchGetItem",
                    "dynamodb:BatchWriteItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                    "dynamodb:UpdateItem",
                    *(("dynamodb:Scan",) if self.catalogue else ()),
                ),
            ),
        ):
            endpoint = self.vpc.add_gateway_endpoint(
                f"{name}Endpoint",
                service=service,
                subnets=[ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)],
            )
            endpoint.add_to_policy(
                iam.PolicyStatement(
                    principals=[iam.AnyPrincipal()],
                    actions=list(actions),
                    resources=["*"],
                    conditions={
                        "StringEquals": {
                            "aws:PrincipalAccount": self.account,
                            "aws:ResourceAccount": self.account,
                        }
                    },
                )
            )
            if name == "S3" and self.catalogue:
                endpoint.add_to_policy(
                    iam.PolicyStatement(
                        principals=[iam.AnyPrincipal()],
                        actions=["s3:GetObject"],
                        # AWS's own bucket, from which everybody's image layers are read (ECR guide, VPC endpoints).
                        resources=[f"arn:{self.partition}:s3:::prod-{self.region}-starport-layer-bucket/*"],
                    )
                )

    def _interface_endpoint(self, service: str) -> ec2.InterfaceVpcEndpoint:
        name = "".join(part.capitalize() for part in service.replace(".", "-").split("-"))
        return ec2.InterfaceVpcEndpoint(
            self,
            f"{name}Endpoint",
            vpc=self.vpc,
            service=ec2.InterfaceVpcEndpointService(f"com.amazonaws.{self.region}.{service}", 443),
            subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[self.endpoints],
            # CDK would admit the whole VPC by its range; the group admits functions.
            open=False,
            private_dns_enabled=True,
        )

    def _log_flows(self, settings: EnvironmentSettings) -> None:
        key = self.own_key(f"Flow logs of {settings.name}", id="FlowLogsKey")
        name = "network"
        admit_logs(key, settings=settings, name=name)
        group = log_group(self, "FlowLogs", settings=settings, name=name, key=key)
        ec2.FlowLog(
            self,
            "FlowLog",
            resource_type=ec2.FlowLogResourceType.from_vpc(self.vpc),
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )
