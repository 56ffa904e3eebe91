"""The VPC: its ranges, what reaches what, and which functions are inside."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.constructs.python_function import NETWORK_INTERFACES
from stacks.environments import ENVIRONMENTS, EnvironmentSettings, lean
from stacks.network import INTERFACE_ENDPOINTS, OUTSIDE, TASK_ENDPOINTS, UnknownPrefixLists
from tests.infrastructure.synthesized import ROOT, Synthesized, readable, synthesize

INSIDE = {"guardrail", "ingest", "message"}
GROUPS_OF = {
    "guardrail": ["Functions", "Internet"],
    "ingest": ["Functions"],
    "message": ["Functions", "Internet", "CatalogueClients"],
}
"""Guardrail asks a partner about listings; message asks several, and posts to connections."""
ENDPOINT_OF = {
    "aoss": "aoss-data",
    "appconfig": "appconfigdata",
    "bedrock": "bedrock-runtime",
    "lambda": "lambda",
    "personalize": "personalize-runtime",
    "sagemaker": "sagemaker.runtime",
    "secretsmanager": "secretsmanager",
    "xray": "xray",
}
"""Which endpoint serves an IAM prefix when a function calls the service by itself."""
WITHOUT_ENDPOINT = {
    "dynamodb": "gateway endpoint",
    "s3": "gateway endpoint",
    "ec2": "Lambda handles a function's interfaces",
    "elasticache": "signed into the connection, no call",
    "execute-api": "public addresses only",
    "kms": "asked by DynamoDB and S3",
    "logs": "Lambda ships the lines",
    "sqs": "Lambda writes to the failure queue",
}


@pytest.fixture(scope="module", params=["staging", "prod"])
def networked(request: pytest.FixtureRequest) -> Synthesized:
    """The environments with a network."""
    application = synthesize(ENVIRONMENTS[request.param])
    assert application.settings.network is not None
    return application


def _endpoints(application: Synthesized) -> dict[str, dict[str, Any]]:
    """Properties by the last part of the service name."""
    return {
        readable(endpoint["Properties"]["ServiceName"]).split(".", 3)[3]: endpoint["Properties"]
        for endpoint in application.resources("AWS::EC2::VPCEndpoint", "Network").values()
    }


def _group(application: Synthesized, name: str) -> dict[str, Any]:
    """A reference to a security group."""
    (found,) = [
        logical_id
        for logical_id in application.resources("AWS::EC2::SecurityGroup", "Network")
        if logical_id[:-8] == name
    ]
    return {"Fn::GetAtt": [found, "GroupId"]}


@pytest.mark.req("IAC-2")
def test_the_ranges_are_the_ones_written_down(networked: Synthesized) -> None:
    assert networked.only("AWS::EC2::VPC", "Network")["Properties"]["CidrBlock"] == "10.0.0.0/16"
    subnets = {
        subnet["Properties"]["CidrBlock"]: (
            logical_id.removeprefix("Vpc")[:-14],
            subnet["Properties"]["AvailabilityZone"],
            subnet["Properties"]["MapPublicIpOnLaunch"],
        )
        for logical_id, subnet in networked.resources("AWS::EC2::Subnet", "Network").items()
    }
    assert subnets == {
        "10.0.1.0/24": ("PublicSubnet1", "us-east-1a", False),
        "10.0.2.0/24": ("PublicSubnet2", "us-east-1b", False),
        "10.0.10.0/24": ("PrivateSubnet1", "us-east-1a", False),
        "10.0.11.0/24": ("PrivateSubnet2", "us-east-1b", False),
    }


@pytest.mark.req("IAC-1", "IAC-2")
def test_an_account_in_the_settings_asks_nobody_for_its_zones() -> None:
    settings = ENVIRONMENTS["staging"].model_copy(update={"account": "123456789012"})
    subnets = synthesize(settings).resources("AWS::EC2::Subnet", "Network").values()
    assert {subnet["Properties"]["AvailabilityZone"] for subnet in subnets} == {"us-east-1a", "us-east-1b"}


@pytest.mark.req("IAC-2")
def test_private_subnets_leave_by_nat_and_public_ones_by_the_gateway(networked: Synthesized) -> None:
    assert networked.settings.network is not None
    gateways = networked.resources("AWS::EC2::NatGateway", "Network")
    assert len(gateways) == networked.settings.network.nat_gateways
    for logical_id, route in networked.resources("AWS::EC2::Route", "Network").items():
        target = "NatGatewayId" if "Private" in logical_id else "GatewayId"
        assert target in route["Properties"], logical_id
    for gateway in gateways.values():
        assert "Public" in gateway["Properties"]["SubnetId"]["Ref"]


@pytest.mark.req("IAC-2")
def test_groups_admit_the_functions_and_nobody_else(networked: Synthesized) -> None:
    functions = _group(networked, "Functions")
    ingress = [
        (
            rule["Properties"]["GroupId"],
            rule["Properties"]["SourceSecurityGroupId"],
            rule["Properties"]["ToPort"],
        )
        for rule in networked.resources("AWS::EC2::SecurityGroupIngress", "Network").values()
    ]
    expected = [
        (_group(networked, "Endpoints"), functions, 443),
        (_group(networked, "Cache"), functions, 6379),
        (_group(networked, "Endpoints"), _group(networked, "CatalogueTasks"), 443),
        (_group(networked, "CatalogueBalancer"), _group(networked, "CatalogueClients"), 50_051),
        (_group(networked, "CatalogueTasks"), _group(networked, "CatalogueBalancer"), 50_051),
    ]
    assert sorted(ingress, key=str) == sorted(expected, key=str)
    for group in networked.resources("AWS::EC2::SecurityGroup").values():
        assert "SecurityGroupIngress" not in group["Properties"]


@pytest.mark.req("IAC-2")
def test_functions_reach_endpoints_gateways_and_cache_and_only_one_group_the_internet(
    networked: Synthesized,
) -> None:
    reached: dict[str, set[tuple[str, int]]] = {}
    for rule in networked.resources("AWS::EC2::SecurityGroupEgress", "Network").values():
        properties = rule["Properties"]
        assert properties["FromPort"] == properties["ToPort"]
        target = properties.get("DestinationPrefixListId") or readable(
            properties["DestinationSecurityGroupId"]
        )
        reached.setdefault(readable(properties["GroupId"]), set()).add((target, properties["ToPort"]))
    endpoints, gateways = readable(_group(networked, "Endpoints")), ("pl-63a5400a", "pl-02cd2c6b")
    assert reached == {
        readable(_group(networked, "Functions")): {
            (endpoints, 443),
            (readable(_group(networked, "Cache")), 6379),
            *((gateway, 443) for gateway in gateways),
        },
        readable(_group(networked, "CatalogueClients")): {
            (readable(_group(networked, "CatalogueBalancer")), 50_051)
        },
        readable(_group(networked, "CatalogueBalancer")): {
            (readable(_group(networked, "CatalogueTasks")), 50_051)
        },
        readable(_group(networked, "CatalogueTasks")): {
            (endpoints, 443),
            *((gateway, 443) for gateway in gateways),
        },
    }
    open_to_all = {
        logical_id[:-8]: (rule["FromPort"], rule["ToPort"])
        for logical_id, group in networked.resources("AWS::EC2::SecurityGroup", "Network").items()
        for rule in group["Properties"].get("SecurityGroupEgress", [])
        if rule["CidrIp"] == "0.0.0.0/0"
    }
    assert open_to_all == {"Internet": (443, 443)}


def test_a_region_without_known_prefix_lists_is_refused() -> None:
    settings = EnvironmentSettings(
        **{**ENVIRONMENTS["staging"].model_dump(), "region": "eu-west-1", "replica_regions": ()}
    )
    with pytest.raises(UnknownPrefixLists, match="eu-west-1"):
        synthesize(settings)


@pytest.mark.req("IAC-2")
def test_there_is_an_endpoint_for_each_service_that_functions_inside_call_and_for_no_other(
    networked: Synthesized,
) -> None:
    called = {
        action.split(":")[0] for folder in INSIDE for action in networked.permissions(folder)
    } - WITHOUT_ENDPOINT.keys()
    interfaces = {
        service
        for service, properties in _endpoints(networked).items()
        if properties["VpcEndpointType"] == "Interface"
    }
    tasks = set(TASK_ENDPOINTS) if networked.settings.catalogue else set()
    assert interfaces == {ENDPOINT_OF[service] for service in called} | tasks
    assert interfaces <= {*INTERFACE_ENDPOINTS, *TASK_ENDPOINTS, "aoss-data"}
    assert "execute-api" not in interfaces


@pytest.mark.req("IAC-2", "SEC-5")
def test_interface_endpoints_are_private_and_behind_their_group(networked: Synthesized) -> None:
    for service, properties in _endpoints(networked).items():
        if properties["VpcEndpointType"] == "Interface":
            assert properties["PrivateDnsEnabled"] is True, service
            assert properties["SecurityGroupIds"] == [_group(networked, "Endpoints")], service
            assert len(properties["SubnetIds"]) == 2, service


@pytest.mark.req("IAC-2", "SEC-5")
def test_gateway_endpoints_lead_to_this_account_only(networked: Synthesized) -> None:
    gateways = {
        service: properties
        for service, properties in _endpoints(networked).items()
        if properties["VpcEndpointType"] == "Gateway"
    }
    assert {service.strip(".") for service in gateways} == {"s3", "dynamodb"}
    for properties in gateways.values():
        assert len(properties["RouteTableIds"]) == 2
        statement, *images = properties["PolicyDocument"]["Statement"]
        # Image layers lie in a bucket of AWS's own, the same for everybody, and can only be read from there.
        assert [(each["Action"], each["Resource"]) for each in images] == (
            [("s3:GetObject", "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*")]
            if networked.settings.catalogue and "s3" in readable(properties["ServiceName"])
            else []
        )
        own = {"Ref": "AWS::AccountId"}
        assert statement["Condition"] == {
            "StringEquals": {"aws:PrincipalAccount": own, "aws:ResourceAccount": own}
        }
        assert not [action for action in statement["Action"] if "*" in action]


@pytest.mark.req("IAC-2")
def test_gateway_endpoints_let_functions_do_what_their_roles_allow(networked: Synthesized) -> None:
    through = {
        action
        for properties in _endpoints(networked).values()
        if properties["VpcEndpointType"] == "Gateway"
        for action in properties["PolicyDocument"]["Statement"][0]["Action"]
    }
    wanted = {
        action
        for folder in INSIDE
        for action in networked.permissions(folder)
        if action.split(":")[0] in {"s3", "dynamodb"}
    }
    assert wanted <= through


@pytest.mark.req("SEC-5")
def test_all_traffic_is_logged_encrypted_and_forgotten_in_time(networked: Synthesized) -> None:
    log = networked.only("AWS::EC2::FlowLog", "Network")["Properties"]
    assert log["TrafficType"] == "ALL"
    assert log["ResourceType"] == "VPC"
    group = networked.resources("AWS::Logs::LogGroup", "Network")[log["LogGroupName"]["Ref"]]["Properties"]
    assert group["RetentionInDays"] == networked.settings.log_retention_days
    (key,) = networked.resources("AWS::KMS::Key", "Network")
    assert group["KmsKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    _, logs = networked.resources("AWS::KMS::Key", "Network")[key]["Properties"]["KeyPolicy"]["Statement"]
    assert logs["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    assert readable(logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]).endswith(
        f":log-group:{group['LogGroupName']}"
    )


@pytest.mark.req("IAC-2", "SEC-5")
def test_functions_are_inside_the_private_subnets_or_say_why_not(networked: Synthesized) -> None:
    placed = {
        folder: function["Properties"]["VpcConfig"]
        for folder, function in networked.functions().items()
        if "VpcConfig" in function["Properties"]
    }
    assert set(placed) == INSIDE
    assert set(networked.functions()) - INSIDE <= set(OUTSIDE)
    assert set(OUTSIDE) <= {path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py")}
    for folder, config in placed.items():
        groups = [readable(group) for group in config["SecurityGroupIds"]]
        assert all("PrivateSubnet" in readable(subnet) for subnet in config["SubnetIds"])
        names = GROUPS_OF[folder]
        assert [name for name in names if any(name in group for group in groups)] == names
        assert len(groups) == len(names), "only these may leave for the internet, or ask the catalogue"


@pytest.mark.req("SEC-4")
def test_a_function_inside_cannot_handle_network_interfaces_itself(networked: Synthesized) -> None:
    for folder in INSIDE:
        assert set(networked.permissions(folder)) >= set(NETWORK_INTERFACES)
        role = networked.function(folder)["Role"]["Fn::GetAtt"][0]
        (denied,) = [
            statement
            for policy in networked.resources("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Properties"]["Roles"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny"
        ]
        assert sorted(denied["Action"]) == sorted(NETWORK_INTERFACES)
        condition = readable(denied["Condition"]["ArnLike"]["lambda:SourceFunctionArn"])
        assert condition == "arn:aws:lambda:us-east-1:${AWS::AccountId}:function:*"


@pytest.mark.parametrize("name", ["local", "dev"])
def test_without_a_network_nothing_is_in_a_vpc(name: str) -> None:
    application = synthesize(ENVIRONMENTS[name])
    assert "Network" not in application.templates
    for function in application.functions().values():
        assert "VpcConfig" not in function["Properties"]


@pytest.mark.req("CAP-6")
def test_lean_has_neither_nat_nor_endpoints_nor_cache() -> None:
    application = synthesize(lean(ENVIRONMENTS["prod"]))
    assert not {"Network", "Cache"} & set(application.templates)
    for type in ("AWS::EC2::NatGateway", "AWS::EC2::VPCEndpoint", "AWS::ElastiCache::ServerlessCache"):
        assert application.resources(type) == {}
    assert "Backup" in application.templates
