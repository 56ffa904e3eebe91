"""Endpoints, their releases and their training: what the templates promise."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mangaassist.warmup.wiring import WarmUpSettings
from services.models.training.evaluate import REPORT
from services.models.training.metrics import Guess, intent_metrics, reranker_metrics
from stacks.constructs.serving_images import NoImage, repository_arn, serving_image
from stacks.constructs.training_code import training_code
from stacks.constructs.training_pipeline import has_local_storage, training_plan
from stacks.environments import ENVIRONMENTS, EnvironmentSettings
from stacks.model_registry import ROLES
from tests.infrastructure.synthesized import Synthesized, readable, synthesize
from tools.twin.interpreters import CACHE

SCHEMA = Path(__file__).parent / "data" / "sagemaker_pipeline_2020_12_01.schema.json"
SERVED = [name for name, settings in ENVIRONMENTS.items() if settings.models is not None]


@pytest.fixture(params=SERVED)
def served(request: pytest.FixtureRequest) -> Synthesized:
    """Each environment with endpoints of its own."""
    return synthesize(ENVIRONMENTS[request.param])


def endpoint_part(application: Synthesized, type: str, role: str) -> dict[str, Any]:
    """The one resource of this type that belongs to an endpoint."""
    found = [
        resource["Properties"]
        for name, resource in application.resources(type, "Models").items()
        if name.startswith(role.capitalize())
    ]
    assert len(found) == 1, (type, role)
    return found[0]


def changed(name: str, **changes: Any) -> EnvironmentSettings:
    return EnvironmentSettings(**{**ENVIRONMENTS[name].model_dump(), **changes})


# --- endpoints ------------------------------------------------------------------------------------


@pytest.mark.req("INT-3", "RET-3")
@pytest.mark.parametrize(("role", "type"), [("intent", "ml.inf2.xlarge"), ("reranker", "ml.g6.xlarge")])
def test_the_classifier_runs_on_inferentia_and_the_reranker_on_a_gpu(
    served: Synthesized, role: str, type: str
) -> None:
    (variant,) = endpoint_part(served, "AWS::SageMaker::EndpointConfig", role)["ProductionVariants"]
    fleet = getattr(served.settings.models, role)
    assert variant["InstanceType"] == type
    assert variant["InitialInstanceCount"] == fleet.min_instances
    assert variant["VariantName"] == "AllTraffic"
    endpoint = endpoint_part(served, "AWS::SageMaker::Endpoint", role)
    assert endpoint["EndpointName"] == f"mangaassist-{served.settings.name}-{role}"
    assert endpoint["RetainAllVariantProperties"] is True


def test_only_the_message_and_the_warm_up_function_may_ask_them(served: Synthesized) -> None:
    arns = [
        f"arn:aws:sagemaker:us-east-1:${{AWS::AccountId}}:endpoint/mangaassist-{served.settings.name}-{role}"
        for role in ("intent", "reranker")
    ]
    for folder in served.functions():
        allowed = served.permissions(folder).get("sagemaker:InvokeEndpoint")
        assert allowed == (arns if folder in ("message", "model_warmup") else None), folder
    variables = served.function("message")["Environment"]["Variables"]
    assert variables["INTENT_ENDPOINT"] == f"mangaassist-{served.settings.name}-intent"
    assert variables["RERANK_ENDPOINT"] == f"mangaassist-{served.settings.name}-reranker"


def test_without_models_nothing_of_them_is_deployed() -> None:
    lean = synthesize(changed("staging", models=None))
    assert "Models" not in lean.templates
    assert "ModelRegistry" not in lean.templates
    variables = lean.function("message")["Environment"]["Variables"]
    assert not {"INTENT_ENDPOINT", "RERANK_ENDPOINT"} & set(variables)
    assert "sagemaker:InvokeEndpoint" not in lean.permissions("message")


@pytest.mark.req("SEC-5")
@pytest.mark.parametrize("role", ROLES)
def test_containers_have_no_way_out(served: Synthesized, role: str) -> None:
    model = endpoint_part(served, "AWS::SageMaker::Model", role)
    assert model["EnableNetworkIsolation"] is True
    assert len(model["VpcConfig"]["Subnets"]) == 2
    (group,) = served.resources("AWS::EC2::SecurityGroup", "Models").values()
    assert "SecurityGroupIngress" not in group["Properties"]
    assert not served.resources("AWS::EC2::SecurityGroupIngress", "Models")
    (egress,) = served.resources("AWS::EC2::SecurityGroupEgress", "Models").values()
    assert egress["Properties"]["DestinationPrefixListId"].startswith("pl-")
    assert (egress["Properties"]["FromPort"], egress["Properties"]["ToPort"]) == (443, 443)


def test_without_a_network_the_instances_are_in_no_vpc() -> None:
    bare = synthesize(changed("staging", network=None, cache=None, catalogue=None))
    for role in ROLES:
        assert "VpcConfig" not in endpoint_part(bare, "AWS::SageMaker::Model", role)
    for policy in bare.resources("AWS::IAM::Policy", "Models").values():
        assert "ec2:" not in json.dumps(policy)


@pytest.mark.req("SEC-5")
@pytest.mark.parametrize("role", ROLES)
def test_answers_are_captured_and_requests_never(served: Synthesized, role: str) -> None:
    config = endpoint_part(served, "AWS::SageMaker::EndpointConfig", role)
    capture = config["DataCaptureConfig"]
    assert capture["CaptureOptions"] == [{"CaptureMode": "Output"}]
    assert readable(capture["DestinationS3Uri"]).endswith(f"/captured/{role}")
    assert "ModelRegistry" in capture["KmsKeyId"]["Fn::ImportValue"]
    # SageMaker refuses a volume key for types whose own disk is encrypted by hardware.
    assert ("KmsKeyId" in config) is (role == "intent")


def test_local_storage_is_known_by_family() -> None:
    assert [has_local_storage(f"ml.{family}.xlarge") for family in ("inf2", "c6i", "m7i")] == [False] * 3
    assert [has_local_storage(f"ml.{family}.xlarge") for family in ("g5", "g6", "g6e")] == [True] * 3


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("role", ROLES)
def test_an_endpoint_reads_its_own_artefacts_and_writes_its_own_captures(
    prod: Synthesized, role: str
) -> None:
    statements = endpoint_part(prod, "AWS::IAM::Policy", role)["PolicyDocument"]["Statement"]
    bucket = "arn:aws:s3:::mangaassist-prod-models-${AWS::AccountId}"
    allowed: dict[str, list[str]] = {}
    for statement in statements:
        actions, on = statement["Action"], statement["Resource"]
        for action in actions if isinstance(actions, list) else [actions]:
            allowed.setdefault(action, []).extend(map(readable, on if isinstance(on, list) else [on]))
    assert allowed["s3:GetObject"] == [f"{bucket}/released/{role}/*", f"{bucket}/runs/{role}/*"]
    assert allowed["s3:PutObject"] == [f"{bucket}/captured/{role}/*"]
    repository = repository_arn(serving_image(role, prod.settings))  # pyright: ignore[reportArgumentType]
    assert allowed["ecr:BatchGetImage"] == [repository]
    anywhere = {action for action, on in allowed.items() if on == ["*"]}
    assert anywhere - {action for action in anywhere if action.startswith("ec2:")} == {
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
    }
    role_document = endpoint_part(prod, "AWS::IAM::Role", role)
    (trust,) = role_document["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert "ManagedPolicyArns" not in role_document


def test_an_artefact_is_released_by_parameter_and_stays_in_its_prefix(served: Synthesized) -> None:
    for role in ROLES:
        parameter = served.templates["Models"]["Parameters"][f"{role.capitalize()}Artefact"]
        url = endpoint_part(served, "AWS::SageMaker::Model", role)["PrimaryContainer"]["ModelDataUrl"]
        assert readable(url).endswith(f"/${{{role.capitalize()}Artefact}}")
        assert f"/{role}/" in parameter["Default"]
        assert parameter["AllowedPattern"].startswith(f"^(released|runs)/{role}/")


# --- updates, scaling, alarms ---------------------------------------------------------------------


def rollback_alarms(application: Synthesized, role: str) -> set[str]:
    deployment = endpoint_part(application, "AWS::SageMaker::Endpoint", role)["DeploymentConfig"]
    names = deployment["AutoRollbackConfiguration"]["Alarms"]
    alarms = application.resources("AWS::CloudWatch::Alarm", "Models")
    return {alarms[name["AlarmName"]["Ref"]]["Properties"]["MetricName"] for name in names}


@pytest.mark.req("CAP-3")
def test_prod_updates_are_watched_and_taken_back(prod: Synthesized) -> None:
    intent = endpoint_part(prod, "AWS::SageMaker::Endpoint", "intent")["DeploymentConfig"]
    routing = intent["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == "CANARY"
    assert routing["CanarySize"] == {"Type": "CAPACITY_PERCENT", "Value": 10}
    assert routing["WaitIntervalInSeconds"] >= 5 * 60, "longer than the alarms need"
    reranker = endpoint_part(prod, "AWS::SageMaker::Endpoint", "reranker")["DeploymentConfig"]
    assert reranker["RollingUpdatePolicy"]["MaximumBatchSize"] == {"Type": "CAPACITY_PERCENT", "Value": 50}
    assert "BlueGreenUpdatePolicy" not in reranker
    for role in ROLES:
        assert rollback_alarms(prod, role) == {"ModelLatency", "Invocation5XXErrors"}


def test_a_single_instance_moves_at_once_and_is_still_watched() -> None:
    staging = synthesize(ENVIRONMENTS["staging"])
    for role in ROLES:
        deployment = endpoint_part(staging, "AWS::SageMaker::Endpoint", role)["DeploymentConfig"]
        routing = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
        assert routing["Type"] == "ALL_AT_ONCE"
        assert rollback_alarms(staging, role) == {"ModelLatency", "Invocation5XXErrors"}


@pytest.mark.req("CAP-3")
@pytest.mark.parametrize("role", ROLES)
def test_endpoints_scale_by_invocations_and_by_bursts(served: Synthesized, role: str) -> None:
    target = endpoint_part(served, "AWS::ApplicationAutoScaling::ScalableTarget", role)
    fleet = getattr(served.settings.models, role)
    assert (target["MinCapacity"], target["MaxCapacity"]) == (fleet.min_instances, fleet.max_instances)
    assert target["ResourceId"] == f"endpoint/mangaassist-{served.settings.name}-{role}/variant/AllTraffic"
    assert target["ScalableDimension"] == "sagemaker:variant:DesiredInstanceCount"
    policies = {
        policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"][
            "PredefinedMetricType"
        ]: policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]
        for name, policy in served.resources("AWS::ApplicationAutoScaling::ScalingPolicy", "Models").items()
        if name.startswith(role.capitalize())
    }
    assert set(policies) == {
        "SageMakerVariantInvocationsPerInstance",
        "SageMakerVariantConcurrentRequestsPerModelHighResolution",
    }
    for policy in policies.values():
        assert (policy["ScaleOutCooldown"], policy["ScaleInCooldown"]) == (60, 300)


@pytest.mark.parametrize("role", ROLES)
def test_slow_failing_and_missing_instances_raise_alarms(served: Synthesized, role: str) -> None:
    alarms = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for name, alarm in served.resources("AWS::CloudWatch::Alarm", "Models").items()
        if name.startswith(role.capitalize())
    }
    name = f"mangaassist-{served.settings.name}-{role}"
    for alarm in alarms.values():
        assert {"Name": "EndpointName", "Value": name} in alarm["Dimensions"]
        assert {"Name": "VariantName", "Value": "AllTraffic"} in alarm["Dimensions"]
        assert alarm["AlarmActions"]
    latency = alarms["ModelLatency"]
    assert (latency["ExtendedStatistic"], latency["Threshold"]) == ("p99", 50_000), "microseconds"
    assert alarms["Invocation5XXErrors"]["TreatMissingData"] == "notBreaching"
    assert alarms["CPUUtilization"]["TreatMissingData"] == "breaching"
    assert alarms["CPUUtilization"]["Namespace"] == "/aws/sagemaker/Endpoints"


# --- warm-up --------------------------------------------------------------------------------------


@pytest.mark.req("CAP-3")
def test_an_endpoint_that_comes_into_service_is_warmed(served: Synthesized) -> None:
    rule = served.only("AWS::Events::Rule", "Models")["Properties"]
    names = [f"mangaassist-{served.settings.name}-{role}" for role in ("intent", "reranker")]
    assert rule["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Endpoint State Change"],
        "detail": {"EndpointName": names, "EndpointStatus": ["IN_SERVICE"]},
    }
    (target,) = rule["Targets"]
    alias = served.only("AWS::Lambda::Alias", "Models")["Properties"]
    assert alias["FunctionName"] == {"Ref": served.logical_id("model_warmup")}
    assert target["DeadLetterConfig"]
    variables = served.function("model_warmup")["Environment"]["Variables"]
    settings = WarmUpSettings.load({name: readable(value) for name, value in variables.items()})
    assert [settings.intent_endpoint, settings.rerank_endpoint] == names


@pytest.mark.req("SEC-4")
def test_the_warm_up_may_do_this_and_nothing_else(prod: Synthesized) -> None:
    assert {
        action for action in prod.permissions("model_warmup") if not action.startswith(("logs:", "xray:"))
    } == {
        "sagemaker:DescribeEndpoint",
        "sagemaker:InvokeEndpoint",
        # The failure queue; added by CDK's destination, and its key by the queue.
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:SendMessage",
    }


# --- registry and training ------------------------------------------------------------------------


@pytest.mark.req("SEC-5", "IAC-4")
def test_artefacts_are_versioned_encrypted_and_kept(served: Synthesized) -> None:
    resource = served.only("AWS::S3::Bucket", "ModelRegistry")
    bucket = resource["Properties"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    captured = [
        each for each in bucket["LifecycleConfiguration"]["Rules"] if each.get("Prefix") == "captured/"
    ]
    assert captured[0]["ExpirationInDays"] == 30
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    kept = "Retain" if served.settings.protection.retain else "Delete"
    assert resource["DeletionPolicy"] == kept
    assert served.only("AWS::KMS::Key", "ModelRegistry")["DeletionPolicy"] == kept


def pipelines(application: Synthesized) -> dict[str, dict[str, Any]]:
    """The definitions, tokens in readable form, by model."""
    found = {}
    for pipeline in application.resources("AWS::SageMaker::Pipeline", "ModelRegistry").values():
        body = pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"]
        role = pipeline["Properties"]["PipelineName"].rsplit("-", 1)[1]
        found[role] = json.loads(readable(body))
    return found


def steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every step by name, those behind the gate too."""
    gate = definition["Steps"][-1]["Arguments"]
    return {step["Name"]: step for step in (*definition["Steps"], *gate["IfSteps"], *gate["ElseSteps"])}


@pytest.mark.parametrize("role", ROLES)
def test_a_pipeline_keeps_to_the_published_schema(served: Synthesized, role: str) -> None:
    definition = pipelines(served)[role]
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(definition)
    assert definition["Version"] == "2020-12-01"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.update(Version="2021-01-01"),
        lambda document: document["Steps"][0].update(Type="Compilation"),
        lambda document: document["Steps"][0].pop("Name"),
        lambda document: document["Steps"][0].update(Extra=1),
        lambda document: document["Steps"][-1]["Arguments"]["Conditions"].clear(),
        lambda document: document["Parameters"][0].update(Type="Text"),
    ],
)
def test_the_schema_refuses_what_the_service_would(prod: Synthesized, spoil: Any) -> None:
    definition = pipelines(prod)["intent"]
    spoil(definition)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(definition)


def test_an_intent_model_is_trained_compiled_judged_and_registered(prod: Synthesized) -> None:
    definition = pipelines(prod)["intent"]
    assert [step["Name"] for step in definition["Steps"]] == ["Train", "Compile", "Evaluate", "Gate"]
    found, plan = steps(definition), training_plan("intent")
    assert plan.compilation is not None
    arguments = found["Compile"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert arguments == ["compile", "intent", "1", "128", "inf2"]
    # What compiles is what serves: an artefact of another Neuron SDK would not load.
    image = endpoint_part(prod, "AWS::SageMaker::Model", "intent")["PrimaryContainer"]["Image"]
    assert found["Compile"]["Arguments"]["AppSpecification"]["ImageUri"] == image
    (container,) = found["Register"]["Arguments"]["InferenceSpecification"]["Containers"]
    assert container["Image"] == image
    assert "Steps.Compile" in json.dumps(container["ModelDataUrl"])
    assert found["Register"]["Arguments"]["ModelPackageGroupName"] == "mangaassist-prod-intent"
    assert plan.training.hyperparameters["sequence"] == plan.compilation.sequence


def test_a_reranker_is_not_compiled_and_is_registered_as_trained(prod: Synthesized) -> None:
    definition = pipelines(prod)["reranker"]
    assert [step["Name"] for step in definition["Steps"]] == ["Train", "Evaluate", "Gate"]
    (container,) = steps(definition)["Register"]["Arguments"]["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}


def test_the_gate_of_the_classifier_is_that_of_the_requirement(prod: Synthesized) -> None:
    gate = steps(pipelines(prod)["intent"])["Gate"]["Arguments"]
    wanted = {
        (each["Type"], each["LeftValue"]["Std:JsonGet"]["Path"]): each["RightValue"]
        for each in gate["Conditions"]
    }
    assert wanted["GreaterThanOrEqualTo", "metrics.accuracy"] == 0.97
    assert wanted["LessThanOrEqualTo", "metrics.misrouting"] == 0.01
    assert ("GreaterThanOrEqualTo", "metrics.lowest_precision") in wanted
    assert [step["Type"] for step in gate["ElseSteps"]] == ["Fail"]


@pytest.mark.parametrize("role", ROLES)
def test_gates_read_metrics_that_the_evaluation_writes(prod: Synthesized, role: str) -> None:
    metrics = (
        intent_metrics([Guess("faq", 0.9, "faq")]) if role == "intent" else reranker_metrics([[True, False]])
    )
    gate = steps(pipelines(prod)[role])["Gate"]["Arguments"]
    paths = {each["LeftValue"]["Std:JsonGet"]["Path"] for each in gate["Conditions"]}
    assert paths <= {f"metrics.{name}" for name in metrics}
    evaluated = steps(pipelines(prod)[role])["Evaluate"]
    assert evaluated["PropertyFiles"][0]["FilePath"] == REPORT


@pytest.mark.parametrize("role", ROLES)
def test_jobs_are_cut_off_encrypted_and_end(prod: Synthesized, role: str) -> None:
    for step in steps(pipelines(prod)[role]).values():
        arguments = step["Arguments"]
        if step["Type"] == "Training":
            assert arguments["EnableNetworkIsolation"] is True
            assert arguments["OutputDataConfig"]["KmsKeyId"]
        elif step["Type"] == "Processing":
            assert arguments["NetworkConfig"] == {"EnableNetworkIsolation": True}
            assert arguments["ProcessingOutputConfig"]["KmsKeyId"]
        else:
            continue
        assert arguments["StoppingCondition"]["MaxRuntimeInSeconds"] <= 14_400


def test_nobody_approves_a_model_by_default(prod: Synthesized) -> None:
    for definition in pipelines(prod).values():
        parameters = {each["Name"]: each for each in definition["Parameters"]}
        assert parameters["ApprovalStatus"]["DefaultValue"] == "PendingManualApproval"


def test_the_code_of_a_pipeline_runs_out_of_its_zip_file(tmp_path: Path) -> None:
    import shutil

    archive = shutil.make_archive(str(tmp_path / "code"), "zip", training_code())
    models = sorted((CACHE / "models").glob("*/intents.npz"))
    if not models:
        from tools.twin.models.train import ensure

        models = [ensure(CACHE / "models") / "intents.npz"]
    with (tmp_path / "held_out.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["text", "label"], ["where is my order", "order_status"], ["thank you", "chitchat"]]
        )
    arguments = ["--model", str(models[-1].parent), "--examples", str(tmp_path), "--report", str(tmp_path)]
    ran = subprocess.run(
        [sys.executable, archive, "evaluate", "intent", *arguments],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads((tmp_path / REPORT).read_text())
    assert report["examples"] == 2
    assert report["backend"].startswith("stand-in:")
    assert report["metrics"]["accuracy"] == 1


# --- settings -------------------------------------------------------------------------------------


def test_prod_needs_two_instances_of_each() -> None:
    fleet = {"instance_type": "ml.inf2.xlarge", "min_instances": 1, "max_instances": 2}
    other = {"instance_type": "ml.g6.xlarge", "min_instances": 2, "max_instances": 2}
    with pytest.raises(ValueError, match="min_instances of 2"):
        changed("prod", models={"intent": fleet, "reranker": other})


def test_an_endpoint_has_one_owner() -> None:
    with pytest.raises(ValueError, match="could ask only one"):
        changed("prod", intent_endpoint="somebody-elses")


def test_an_image_of_our_own_takes_the_place_of_the_ready_made_one() -> None:
    own = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mangaassist/intent@sha256:" + "0" * 64
    models = ENVIRONMENTS["prod"].models
    assert models is not None
    settings = changed(
        "prod", models={**models.model_dump(), "intent": {**models.intent.model_dump(), "image": own}}
    )
    assert serving_image("intent", settings) == own
    assert repository_arn(own).endswith(":123456789012:repository/mangaassist/intent")
    with pytest.raises(NoImage, match=r"set models\.reranker\.image"):
        serving_image("reranker", changed("staging", region="ap-south-2"))
