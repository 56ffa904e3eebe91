"""A training plan (``stacks/data/training_plans.toml``) as a SageMaker pipeline definition, schema 2020-12-01.

train -> compile for Neuron, where the plan asks for it -> evaluate -> gate -> register. A registered version waits for
approval; nothing here deploys. The steps run ``services/models/training`` out of one zip file, so that a pipeline and
the code it runs are released together.
"""

from __future__ import annotations

import tomllib
from typing import Any, Final

from pydantic import Field

from stacks.constructs.bundling import ROOT
from stacks.environments import EndpointRole, Settings

PLANS: Final = ROOT / "stacks" / "data" / "training_plans.toml"
SCHEMA_VERSION: Final = "2020-12-01"
REPORT: Final = "evaluation.json"
LOCAL_STORAGE: Final = frozenset({"g4dn", "g5", "g6", "g6e", "g7", "g7e", "p4d", "p5", "trn1"})
"""Instance families whose disk encrypts itself by hardware; SageMaker refuses a key for them."""


class Job(Settings):
    """The machine of one step, and how long it may run."""

    instance: str
    volume_gb: int = Field(ge=10)
    longest_seconds: int = Field(ge=60, le=86_400)


class Training(Job):
    """Hyperparameters reach the job as text."""

    hyperparameters: dict[str, int | float | str]


class Compilation(Job):
    """The fixed shape a Neuron model is compiled for."""

    batch: int = Field(ge=1, le=32)
    sequence: int = Field(ge=16, le=512)
    target: str = Field(pattern=r"^(inf2|trn1|trn2)$")


class Gate(Settings):
    """What a metric of the report must reach for the model to be registered."""

    metric: str = Field(pattern=r"^[a-z_]+$")
    at_least: float | None = None
    at_most: float | None = None


class Evaluation(Job):
    """At least one gate: a model nobody judged is not registered."""

    gate: tuple[Gate, ...] = Field(min_length=1)


class Plan(Settings):
    """How one model is made; ``base`` and ``examples`` are prefixes of the artefact bucket."""

    base: str = Field(pattern=r"^[a-z0-9-]+/.*/$")
    examples: str = Field(pattern=r"^[a-z0-9-]+/.*/$")
    task: EndpointRole
    training: Training
    compilation: Compilation | None = None
    evaluation: Evaluation


class Places(Settings):
    """What differs between environments; values may be CDK tokens."""

    bucket: str
    key_arn: str
    role_arn: str
    code_uri: str
    code_name: str
    package_group: str
    training_image: str
    serving_image: str
    serving_instance: str


def training_plan(role: EndpointRole) -> Plan:
    """The committed plan of a model."""
    return Plan.model_validate(tomllib.loads(PLANS.read_text("utf-8"))[role])


def definition(role: EndpointRole, plan: Plan, places: Places) -> dict[str, Any]:
    """The pipeline's document."""
    steps = [_train(plan, places)]
    artefact: Any = _get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    if plan.compilation is not None:
        steps.append(_compile(plan, plan.compilation, places, artefact))
        compiled = _get("Steps.Compile.ProcessingOutputConfig.Outputs['compiled'].S3Output.S3Uri")
        registered: Any = {"Std:Join": {"On": "/", "Values": [compiled, "model.tar.gz"]}}
    else:
        registered = artefact
    steps.append(_evaluate(plan, places, artefact, after=steps[-1]["Name"]))
    steps.append(_gate(plan, places, registered))
    return {
        "Version": SCHEMA_VERSION,
        "Metadata": {"model": role},
        "Parameters": [
            _parameter("BaseModel", f"s3://{places.bucket}/{plan.base}"),
            _parameter("Examples", f"s3://{places.bucket}/{plan.examples}"),
            # An approval is a person's: the delivery of an endpoint reads approved versions only.
            _parameter("ApprovalStatus", "PendingManualApproval", "PendingManualApproval", "Approved"),
        ],
        "PipelineExperimentConfig": {
            "ExperimentName": _get("Execution.PipelineName"),
            "TrialName": _get("Execution.PipelineExecutionId"),
        },
        "Steps": steps,
    }


def _train(plan: Plan, places: Places) -> dict[str, Any]:
    job = plan.training
    channels = {
        "code": places.code_uri,
        "base": _get("Parameters.BaseModel"),
        "examples": _get("Parameters.Examples"),
    }
    return {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": places.training_image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3"],
                "ContainerArguments": [f"/opt/ml/input/data/code/{places.code_name}", "train", plan.task],
            },
            "RoleArn": places.role_arn,
            "HyperParameters": {name: str(value) for name, value in job.hyperparameters.items()},
            "InputDataConfig": [
                {
                    "ChannelName": name,
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": uri,
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
                for name, uri in channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": _run(plan, places, "trained"), "KmsKeyId": places.key_arn},
            "ResourceConfig": {"InstanceCount": 1, **_machine(job, places)},
            "StoppingCondition": {"MaxRuntimeInSeconds": job.longest_seconds},
            "EnableNetworkIsolation": True,
        },
    }


def _compile(plan: Plan, job: Compilation, places: Places, artefact: Any) -> dict[str, Any]:
    return _processing(
        "Compile",
        job,
        places,
        image=places.serving_image,
        arguments=["compile", plan.task, str(job.batch), str(job.sequence), job.target],
        inputs={"model": artefact},
        outputs={"compiled": _run(plan, places, "compiled")},
    )


def _evaluate(plan: Plan, places: Places, artefact: Any, *, after: str) -> dict[str, Any]:
    step = _processing(
        "Evaluate",
        plan.evaluation,
        places,
        image=places.training_image,
        arguments=["evaluate", plan.task],
        inputs={"model": artefact, "examples": _get("Parameters.Examples")},
        outputs={"report": _run(plan, places, "report")},
    )
    return {
        **step,
        "DependsOn": [after],
        "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "report", "FilePath": REPORT}],
    }


def _gate(plan: Plan, places: Places, registered: Any) -> dict[str, Any]:
    conditions = [
        {
            "Type": kind,
            "LeftValue": {
                "Std:JsonGet": {
                    "PropertyFile": _get("Steps.Evaluate.PropertyFiles.Report"),
                    "Path": f"metrics.{gate.metric}",
                }
            },
            "RightValue": bound,
        }
        for gate in plan.evaluation.gate
        for kind, bound in (("GreaterThanOrEqualTo", gate.at_least), ("LessThanOrEqualTo", gate.at_most))
        if bound is not None
    ]
    wanted = ", ".join(
        f"{gate.metric} {'>=' if gate.at_least is not None else '<='} "
        f"{gate.at_least if gate.at_least is not None else gate.at_most}"
        for gate in plan.evaluation.gate
    )
    return {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {
            "Conditions": conditions,
            "IfSteps": [_register(plan, places, registered)],
            "ElseSteps": [
                {
                    "Name": "Refused",
                    "Type": "Fail",
                    "Arguments": {"ErrorMessage": f"the model is not good enough: it needs {wanted}"},
                }
            ],
        },
    }


def _register(plan: Plan, places: Places, registered: Any) -> dict[str, Any]:
    report = {"Std:Join": {"On": "/", "Values": [_run(plan, places, "report"), REPORT]}}
    return {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": places.package_group,
            "ModelApprovalStatus": _get("Parameters.ApprovalStatus"),
            "ModelMetrics": {
                "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}
            },
            "InferenceSpecification": {
                "Containers": [{"Image": places.serving_image, "ModelDataUrl": registered}],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
                "SupportedRealtimeInferenceInstanceTypes": [places.serving_instance],
            },
        },
    }


def _processing(
    name: str,
    job: Job,
    places: Places,
    *,
    image: str,
    arguments: list[str],
    inputs: dict[str, Any],
    outputs: dict[str, Any],
) -> dict[str, Any]:
    root = "/opt/ml/processing"
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "RoleArn": places.role_arn,
            "AppSpecification": {
                "ImageUri": image,
                "ContainerEntrypoint": ["python3", f"{root}/input/code/{places.code_name}"],
                "ContainerArguments": arguments,
            },
            "ProcessingInputs": [
                {
                    "InputName": each,
                    "AppManaged": False,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"{root}/input/{each}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        "S3DataDistributionType": "FullyReplicated",
                    },
                }
                for each, uri in {"code": places.code_uri, **inputs}.items()
            ],
            "ProcessingOutputConfig": {
                "KmsKeyId": places.key_arn,
                "Outputs": [
                    {
                        "OutputName": each,
                        "AppManaged": False,
                        "S3Output": {
                            "S3Uri": uri,
                            "LocalPath": f"{root}/output/{each}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for each, uri in outputs.items()
                ],
            },
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, **_machine(job, places)}},
            "StoppingCondition": {"MaxRuntimeInSeconds": job.longest_seconds},
            "NetworkConfig": {"EnableNetworkIsolation": True},
        },
    }


def _machine(job: Job, places: Places) -> dict[str, Any]:
    machine: dict[str, Any] = {"InstanceType": job.instance, "VolumeSizeInGB": job.volume_gb}
    return machine if has_local_storage(job.instance) else {**machine, "VolumeKmsKeyId": places.key_arn}


def has_local_storage(instance_type: str) -> bool:
    """Whether SageMaker refuses a volume key for this type (``ml.g6.xlarge``: yes)."""
    return instance_type.split(".")[1] in LOCAL_STORAGE


def _run(plan: Plan, places: Places, what: str) -> dict[str, Any]:
    """A folder of this execution alone, so that no version is ever written over."""
    values = [f"s3://{places.bucket}/runs/{plan.task}", _get("Execution.PipelineExecutionId"), what]
    return {"Std:Join": {"On": "/", "Values": values}}


def _parameter(name: str, default: str, *choices: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"Name": name, "Type": "String", "DefaultValue": default}
    return {**parameter, "EnumValues": list(choices)} if choices else parameter


def _get(path: str) -> dict[str, str]:
    return {"Get": path}
