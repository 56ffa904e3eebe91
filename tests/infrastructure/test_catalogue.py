"""The catalogue service: who may reach it, what it may do, how many tasks there are, and who hears when there are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stacks.catalogue import HEALTH, STOP_SECONDS
from stacks.constructs.catalogue_balancer import DRAIN_SECONDS
from stacks.environments import ENVIRONMENTS, EnvironmentSettings, lean
from stacks.network import CATALOGUE_PORT
from stacks.raised import catalogue_cluster, catalogue_service
from tests.infrastructure.synthesized import Synthesized, readable, synthesize

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module", params=["staging", "prod"])
def served(request: pytest.FixtureRequest) -> Synthesized:
    """The environments in which the service runs."""
    application = synthesize(ENVIRONMENTS[request.param])
    assert application.settings.catalogue is not None
    return application


def with_catalogue(name: str, **changes: Any) -> EnvironmentSettings:
    settings = ENVIRONMENTS[name]
    assert settings.catalogue is not None
    catalogue = settings.catalogue.model_dump() | changes
    return EnvironmentSettings.model_validate({**dict(settings), "catalogue": catalogue})


@pytest.fixture(scope="module")
def encrypted() -> Synthesized:
    """Staging with a name and a certificate of its own, and an image of another registry."""
    return synthesize(
        with_catalogue(
            "staging",
            namespace="internal.shop.example",
            certificate_arn=CERTIFICATE,
            image="111122223333.dkr.ecr.us-east-1.amazonaws.com/catalogue@sha256:" + "0" * 64,
        )
    )


def container(application: Synthesized) -> dict[str, Any]:
    task = application.only("AWS::ECS::TaskDefinition", "Catalogue")["Properties"]
    (found,) = task["ContainerDefinitions"]
    return found


def permissions(application: Synthesized, role: str) -> dict[str, list[str]]:
    """Actions of a role of the stack and what they reach."""
    allowed: dict[str, list[str]] = {}
    for policy in application.resources("AWS::IAM::Policy", "Catalogue").values():
        (name,) = [each["Ref"] for each in policy["Properties"]["Roles"]]
        if not name.startswith(role):
            continue
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            for action in actions:
                allowed.setdefault(action, []).append(readable(statement["Resource"]))
    return allowed


def alarms(application: Synthesized) -> dict[str, dict[str, Any]]:
    prefix = f"{application.settings.resource_prefix}-catalogue-watch-"
    return {
        made["Properties"]["AlarmName"].removeprefix(prefix): made["Properties"]
        for made in application.resources("AWS::CloudWatch::Alarm", "Catalogue").values()
    }


@pytest.mark.req("SEC-4")
def test_the_service_reads_the_catalogue_table_and_may_do_nothing_else(served: Synthesized) -> None:
    allowed = permissions(served, "TaskRole")
    # One for each call that services/catalogue/table.py makes, said here once more: more would be too much.
    reads = {"dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan"}
    assert set(allowed) == {*reads, "kms:Decrypt", "kms:DescribeKey"}
    for action in reads:
        (table,) = allowed[action]
        assert "Catalogue" in table
    (statement,) = [
        each
        for policy in served.resources("AWS::IAM::Policy", "Catalogue").values()
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
        if "kms:Decrypt" in each["Action"]
    ]
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}


@pytest.mark.req("SEC-4")
def test_what_starts_a_task_pulls_one_image_and_writes_one_log(served: Synthesized) -> None:
    allowed = permissions(served, "ExecutionRole")
    assert set(allowed) == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    anywhere = {action for action, on in allowed.items() if "*" in on}
    assert anywhere == {"ecr:GetAuthorizationToken"}, "it takes no resource"
    for role in served.resources("AWS::IAM::Role", "Catalogue").values():
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        assert "ManagedPolicyArns" not in role["Properties"]


@pytest.mark.req("CAT-1", "SEC-4")
def test_a_container_is_nobody_and_changes_nothing_on_its_disk(served: Synthesized) -> None:
    made = container(served)
    assert made["ReadonlyRootFilesystem"] is True
    user, _, group = made["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert made["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}, "InitProcessEnabled": True}
    assert "Privileged" not in made
    assert "Secrets" not in made
    task = served.only("AWS::ECS::TaskDefinition", "Catalogue")["Properties"]
    assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    assert task["RequiresCompatibilities"] == ["FARGATE"]


def test_a_container_is_told_its_port_and_table_and_asked_for_its_health(served: Synthesized) -> None:
    made = container(served)
    port, number, table, name = made["Command"]
    assert (port, number, table) == ("--port", str(CATALOGUE_PORT), "--table")
    assert "Catalogue" in readable(name)
    assert made["HealthCheck"]["Command"] == list(HEALTH)
    assert [each["ContainerPort"] for each in made["PortMappings"]] == [CATALOGUE_PORT]
    assert made["StopTimeout"] == STOP_SECONDS > DRAIN_SECONDS, "calls in flight end before the task does"


@pytest.mark.req("SEC-7")
def test_log_lines_are_encrypted_and_forgotten_in_time(served: Synthesized) -> None:
    options = container(served)["LogConfiguration"]["Options"]
    groups = served.resources("AWS::Logs::LogGroup", "Catalogue")
    group = groups[options["awslogs-group"]["Ref"]]["Properties"]
    (key,) = served.resources("AWS::KMS::Key", "Catalogue")
    assert group["KmsKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert {each["Properties"]["RetentionInDays"] for each in groups.values()} == {
        served.settings.log_retention_days
    }
    names = {each["Properties"]["LogGroupName"] for each in groups.values()}
    cluster = catalogue_cluster(served.settings)
    assert names == {
        f"/mangaassist/{served.settings.name}/catalogue",
        f"/aws/ecs/containerinsights/{cluster}/performance",
    }


@pytest.mark.req("CAT-1", "IAC-2")
def test_tasks_are_in_private_subnets_of_two_zones_without_an_address_outside(served: Synthesized) -> None:
    service = served.only("AWS::ECS::Service", "Catalogue")["Properties"]
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    subnets = [readable(subnet) for subnet in network["Subnets"]]
    assert len(subnets) == 2
    assert all("PrivateSubnet" in subnet for subnet in subnets)
    (group,) = map(readable, network["SecurityGroups"])
    assert "CatalogueTasks" in group
    assert service["AvailabilityZoneRebalancing"] == "ENABLED"
    assert service["EnableExecuteCommand"] is False


@pytest.mark.req("CAT-1")
def test_a_version_that_does_not_work_is_taken_back(served: Synthesized) -> None:
    deployment = served.only("AWS::ECS::Service", "Catalogue")["Properties"]["DeploymentConfiguration"]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["MinimumHealthyPercent"] == 100
    assert deployment["Alarms"]["Rollback"] is True
    known = {each["AlarmName"] for each in alarms(served).values()}
    assert set(deployment["Alarms"]["AlarmNames"]) <= known
    assert len(deployment["Alarms"]["AlarmNames"]) == 3


@pytest.mark.req("CAT-1", "IAC-2", "SEC-5")
def test_the_load_balancer_is_internal_logged_and_behind_a_group_of_its_own(served: Synthesized) -> None:
    balancer = served.only("AWS::ElasticLoadBalancingV2::LoadBalancer", "Catalogue")["Properties"]
    assert (balancer["Type"], balancer["Scheme"]) == ("network", "internal")
    assert all("PrivateSubnet" in readable(subnet) for subnet in balancer["Subnets"])
    (group,) = map(readable, balancer["SecurityGroups"])
    assert "CatalogueBalancer" in group
    attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    protected = served.settings.protection.deletion_protection
    assert attributes["deletion_protection.enabled"] == json.dumps(protected)
    assert attributes["load_balancing.cross_zone.enabled"] == "true"
    assert attributes["access_logs.s3.enabled"] == "true"
    bucket = served.only("AWS::S3::Bucket", "Catalogue")["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (key,) = served.resources("AWS::KMS::Key", "Catalogue")
    assert f"{key}" in str(bucket["BucketEncryption"])
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 90


@pytest.mark.req("SEC-5")
def test_nobody_but_elastic_load_balancing_writes_the_access_log(served: Synthesized) -> None:
    (policy,) = served.resources("AWS::S3::BucketPolicy", "Catalogue").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    assert [each["Condition"] for each in statements if each["Effect"] == "Deny"] == [
        {"Bool": {"aws:SecureTransport": "false"}}
    ]
    uses = served.only("AWS::KMS::Key", "Catalogue")["Properties"]["KeyPolicy"]["Statement"]
    (delivery,) = [each for each in uses if "delivery" in str(each["Principal"])]
    assert delivery["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    writers = [each for each in statements if each["Effect"] == "Allow" and "s3:PutObject" in each["Action"]]
    assert writers
    for each in writers:
        assert each["Principal"] != "*"
        assert "AWSLogs/" in readable(each["Resource"])


def test_without_a_certificate_the_listener_speaks_tcp_and_prod_says_so(prod: Synthesized) -> None:
    listener = prod.only("AWS::ElasticLoadBalancingV2::Listener", "Catalogue")["Properties"]
    assert (listener["Protocol"], listener["Port"]) == ("TCP", CATALOGUE_PORT)
    variables = prod.function("message")["Environment"]["Variables"]
    assert "CATALOGUE_TLS" not in variables


@pytest.mark.req("SEC-5")
def test_with_a_certificate_it_speaks_tls_and_http_2(encrypted: Synthesized) -> None:
    listener = encrypted.only("AWS::ElasticLoadBalancingV2::Listener", "Catalogue")["Properties"]
    assert (listener["Protocol"], listener["Port"]) == ("TLS", CATALOGUE_PORT)
    assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert listener["AlpnPolicy"] == ["HTTP2Only"]
    assert "TLS13" in listener["SslPolicy"]
    variables = encrypted.function("message")["Environment"]["Variables"]
    assert variables["CATALOGUE_TLS"] == "true"
    assert readable(variables["CATALOGUE_TARGET"]) == "catalogue.internal.shop.example:50051"
    namespace = encrypted.only("AWS::ServiceDiscovery::PrivateDnsNamespace", "Catalogue")["Properties"]
    assert namespace["Name"] == "internal.shop.example", "the name that the certificate is for"


@pytest.mark.req("CAT-1")
def test_the_load_balancer_asks_each_task_whether_it_is_there(served: Synthesized) -> None:
    targets = served.only("AWS::ElasticLoadBalancingV2::TargetGroup", "Catalogue")["Properties"]
    assert (targets["Protocol"], targets["Port"], targets["TargetType"]) == ("TCP", CATALOGUE_PORT, "ip")
    assert targets["HealthCheckProtocol"] == "TCP"
    attributes = {each["Key"]: each["Value"] for each in targets["TargetGroupAttributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == str(DRAIN_SECONDS)
    assert attributes["deregistration_delay.connection_termination.enabled"] == "true"
    service = served.only("AWS::ECS::Service", "Catalogue")["Properties"]
    (attached,) = service["LoadBalancers"]
    (id,) = served.resources("AWS::ElasticLoadBalancingV2::TargetGroup", "Catalogue")
    assert attached == {
        "ContainerName": "catalogue",
        "ContainerPort": CATALOGUE_PORT,
        "TargetGroupArn": {"Ref": id},
    }


@pytest.mark.req("CAT-1")
def test_clients_find_it_by_a_name_that_means_the_load_balancer(served: Synthesized) -> None:
    (balancer,) = served.resources("AWS::ElasticLoadBalancingV2::LoadBalancer", "Catalogue")
    instance = served.only("AWS::ServiceDiscovery::Instance", "Catalogue")["Properties"]
    assert instance["InstanceAttributes"] == {"AWS_ALIAS_DNS_NAME": {"Fn::GetAtt": [balancer, "DNSName"]}}
    name = served.only("AWS::ServiceDiscovery::Service", "Catalogue")["Properties"]["Name"]
    namespace = served.only("AWS::ServiceDiscovery::PrivateDnsNamespace", "Catalogue")["Properties"]
    variables = served.function("message")["Environment"]["Variables"]
    assert readable(variables["CATALOGUE_TARGET"]) == f"{name}.{namespace['Name']}:{CATALOGUE_PORT}"


@pytest.mark.req("IAC-2")
def test_only_message_may_ask_and_only_the_load_balancer_reaches_tasks(served: Synthesized) -> None:
    groups = ("CatalogueBalancer", "CatalogueClients", "CatalogueTasks")

    def name(reference: Any) -> str:
        (found,) = [group for group in groups if readable(reference).startswith("${" + group)]
        return found

    rules = {
        (name(rule["Properties"]["SourceSecurityGroupId"]), name(rule["Properties"]["GroupId"]))
        for rule in served.resources("AWS::EC2::SecurityGroupIngress").values()
        if rule["Properties"]["ToPort"] == CATALOGUE_PORT
    }
    assert rules == {("CatalogueBalancer", "CatalogueTasks"), ("CatalogueClients", "CatalogueBalancer")}
    assert not served.resources("AWS::EC2::SecurityGroupIngress", "Catalogue"), "all of them in Network"
    assert not served.resources("AWS::EC2::SecurityGroupEgress", "Catalogue")
    assert not served.resources("AWS::EC2::SecurityGroup", "Catalogue")
    asking = {
        folder
        for folder, function in served.functions().items()
        if any(
            "CatalogueClients" in readable(group)
            for group in function["Properties"].get("VpcConfig", {}).get("SecurityGroupIds", [])
        )
    }
    assert asking == {"message"}


@pytest.mark.req("CAT-1", "CAP-1")
def test_scaling_has_bounds_and_a_deploy_leaves_the_number_of_tasks_alone(served: Synthesized) -> None:
    catalogue = served.settings.catalogue
    assert catalogue is not None
    service = served.only("AWS::ECS::Service", "Catalogue")["Properties"]
    assert "DesiredCount" not in service
    target = served.only("AWS::ApplicationAutoScaling::ScalableTarget", "Catalogue")["Properties"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (catalogue.min_tasks, catalogue.max_tasks)
    assert target["ResourceId"] == f"service/{catalogue_cluster(served.settings)}/{service['ServiceName']}"
    assert service["ServiceName"] == catalogue_service(served.settings)
    configurations = [
        policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]
        for policy in served.resources("AWS::ApplicationAutoScaling::ScalingPolicy", "Catalogue").values()
    ]
    cpu = [each["PredefinedMetricSpecification"] for each in configurations if "Predefined" in str(each)]
    assert cpu == [{"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}]
    (calls,) = [each for each in configurations if "CustomizedMetricSpecification" in each]
    assert calls["TargetValue"] == catalogue.calls_per_task_per_minute
    queries = {each["Id"]: each for each in calls["CustomizedMetricSpecification"]["Metrics"]}
    assert queries["each"]["Expression"] == "calls / tasks"
    assert queries["calls"]["MetricStat"]["Stat"] == "Sum"
    assert queries["calls"]["MetricStat"]["Metric"]["MetricName"] == "CatalogueRequests"
    assert queries["tasks"]["MetricStat"]["Metric"]["MetricName"] == "RunningTaskCount"
    assert [id for id, each in queries.items() if each["ReturnData"]] == ["each"]


@pytest.mark.req("CAT-1")
def test_prod_has_a_task_for_each_zone_and_staging_one_small_one(prod: Synthesized) -> None:
    assert prod.settings.catalogue is not None
    assert prod.settings.catalogue.min_tasks >= 2
    staging = ENVIRONMENTS["staging"].catalogue
    assert staging is not None
    assert (staging.min_tasks, staging.cpu) == (1, 256)


@pytest.mark.req("OBS-3")
def test_alarms_say_when_nobody_answers_and_when_it_is_slow_wrong_or_full(served: Synthesized) -> None:
    found = alarms(served)
    severities = {name: made["AlarmDescription"][1:].split("]")[0] for name, made in found.items()}
    assert severities == {
        "cpu": "ticket",
        "errors": "ticket",
        "latency": "ticket",
        "memory": "ticket",
        "missing-tasks": "ticket",
        "no-task": "page",
        "stale": "ticket",
        "unhealthy": "ticket",
    }
    assert found["no-task"]["TreatMissingData"] == "breaching"
    assert found["latency"]["ExtendedStatistic"] == "p99"
    missing = {each.get("Expression") for each in found["missing-tasks"]["Metrics"]}
    assert "wanted - running" in missing
    named = {
        each["MetricStat"]["Metric"]["MetricName"]
        for each in found["errors"]["Metrics"]
        if "MetricStat" in each
    }
    assert named == {"CatalogueErrors", "CatalogueRequests"}


def test_an_image_of_ours_lies_in_a_repository_whose_tags_do_not_move(prod: Synthesized) -> None:
    repository = prod.only("AWS::ECR::Repository", "CatalogueImages")["Properties"]
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert json.dumps(container(prod)["Image"]).endswith('":", {"Ref": "ImageTag"}]]}')
    assert prod.templates["Catalogue"]["Parameters"]["ImageTag"]["Default"] == "1"


def test_an_image_of_another_registry_needs_no_repository_of_ours(encrypted: Synthesized) -> None:
    assert "CatalogueImages" not in encrypted.templates
    assert container(encrypted)["Image"].startswith("111122223333.dkr.ecr.us-east-1.amazonaws.com/catalogue@")
    pulled = permissions(encrypted, "ExecutionRole")["ecr:BatchGetImage"]
    assert pulled == ["arn:aws:ecr:us-east-1:111122223333:repository/catalogue"]


@pytest.mark.req("CAP-6")
@pytest.mark.parametrize("settings", [ENVIRONMENTS["dev"], ENVIRONMENTS["local"], lean(ENVIRONMENTS["prod"])])
def test_where_nothing_may_cost_nothing_runs_and_the_chat_knows(settings: EnvironmentSettings) -> None:
    application = synthesize(settings)
    assert not {"Catalogue", "CatalogueImages"} & set(application.templates)
    variables = application.function("message")["Environment"]["Variables"]
    assert readable(variables["CATALOGUE_TARGET"]) == "", "absent, unless a parameter names one"


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        ("prod", {"min_tasks": 1}, "two tasks"),
        ("staging", {"min_tasks": 3}, "above max_tasks"),
        ("staging", {"memory_mb": 4_096}, "Fargate gives cpu=256"),
        ("staging", {"cpu": 512, "memory_mb": 1_500}, "in steps of 1024"),
        ("staging", {"certificate_arn": CERTIFICATE}, "without namespace"),
        (
            "staging",
            {
                "namespace": "shop.example",
                "certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1"),
            },
            "looks for it in us-east-1",
        ),
        ("staging", {"image": "docker.io/library/python:3"}, "image"),
    ],
)
def test_settings_that_cannot_work_are_refused(name: str, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        with_catalogue(name, **changes)


def test_a_service_without_a_network_is_refused() -> None:
    settings = ENVIRONMENTS["dev"]
    catalogue = ENVIRONMENTS["staging"].catalogue
    with pytest.raises(ValueError, match="catalogue without network"):
        EnvironmentSettings.model_validate({**dict(settings), "catalogue": catalogue})
