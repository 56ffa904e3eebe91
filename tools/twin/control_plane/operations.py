"""The operations, each from a request's document to an answer's; ``ServiceError`` as the service words it."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from tools.twin.control_plane.state import ControlPlaneState, Document
from tools.twin.layout import ACCOUNT, REGION
from tools.twin.models.errors import ServiceError

LAMBDA_DIMENSION = "lambda:function:ProvisionedConcurrency"
TASK_DIMENSION = "ecs:service:DesiredCount"
VARIANT_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
VARIANT = "AllTraffic"
SIZES = {0, 2, 4, 8, *range(16, 1_697, 16)}
"""Search units that NextGen sells, in OCU."""
NAME = re.compile(r"([0-9a-zA-Z][-_]?){1,63}")
OFFERED = re.compile(r"amazon\.nova-(?:2-lite|lite|micro|pro)-v1:0(?::\d+k)?")
"""Of the list of models that throughput is sold for, those that stand for the rest; no current Claude is on it."""
LOOKS_UNTIL_IN_SERVICE = 1
"""A purchase is ``Creating`` when it is first looked at and in service from then on: no clock, so tests need none."""

SetConcurrency = Callable[[str, str, int], None]
"""Told a function, an alias and how many environments to keep warm; the emulator does know that operation."""

SetTasks = Callable[[str, str, int], None]
"""Told a cluster, a service and how many tasks it is to have; the emulator says that they run, and runs nothing."""


class Scaling:
    """Application Auto Scaling: bounds are applied at once, policies are not run."""

    def __init__(
        self, state: ControlPlaneState, set_concurrency: SetConcurrency, set_tasks: SetTasks
    ) -> None:
        self._state = state
        self._set_concurrency = set_concurrency
        self._set_tasks = set_tasks

    def register_scalable_target(self, asked: Document) -> Document:
        key = f"{asked['ServiceNamespace']}|{asked['ResourceId']}|{asked['ScalableDimension']}"
        before = self._state.tables["scalable_targets"].get(key)
        low, high = (asked.get(each, (before or {}).get(each)) for each in ("MinCapacity", "MaxCapacity"))
        if low is None or high is None or not 0 <= low <= high:
            raise ServiceError(
                "ValidationException",
                "MinCapacity and MaxCapacity are needed for a new target, the first not above the other.",
            )
        self._apply(asked["ScalableDimension"], asked["ResourceId"], low, high)
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        with self._state.changing("scalable_targets") as targets:
            targets[key] = {
                "ServiceNamespace": asked["ServiceNamespace"],
                "ResourceId": asked["ResourceId"],
                "ScalableDimension": asked["ScalableDimension"],
                "MinCapacity": low,
                "MaxCapacity": high,
                "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/application-autoscaling",
                "CreationTime": (before or {}).get("CreationTime", time.time()),
            }
        return {
            "ScalableTargetARN": f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/{digest}"
        }

    def describe_scalable_targets(self, asked: Document) -> Document:
        ids, dimension = asked.get("ResourceIds"), asked.get("ScalableDimension")
        return {
            "ScalableTargets": [
                target
                for target in self._state.tables["scalable_targets"].values()
                if target["ServiceNamespace"] == asked["ServiceNamespace"]
                and (not ids or target["ResourceId"] in ids)
                and (not dimension or target["ScalableDimension"] == dimension)
            ]
        }

    def _apply(self, dimension: str, resource_id: str, low: int, high: int) -> None:
        if dimension == LAMBDA_DIMENSION:
            _, function, alias = resource_id.split(":", 2)
            self._set_concurrency(function, alias, low)
        elif dimension == TASK_DIMENSION:
            _, cluster, service = resource_id.split("/")
            self._set_tasks(cluster, service, low)
        elif dimension == VARIANT_DIMENSION:
            _, name, _, variant = resource_id.split("/")
            with self._state.changing("endpoints") as endpoints:
                counts = endpoints.setdefault(name, {})
                counts[variant] = min(max(counts.get(variant, 1), low), high)
                if counts[variant] > low:
                    counts[variant] = low  # Nobody calls it: scaling by load would come down to the minimum.


class Search:
    """Collection groups. A group is a resource type that the emulator only records, so any of ours counts as there."""

    def __init__(self, state: ControlPlaneState) -> None:
        self._state = state

    def batch_get_collection_group(self, asked: Document) -> Document:
        names = [*asked.get("names", []), *(each.removeprefix("group-") for each in asked.get("ids", []))]
        known = [name for name in names if name.startswith("mangaassist-")]
        return {
            "collectionGroupDetails": [self._group(name) for name in known],
            "collectionGroupErrorDetails": [
                {"name": name, "errorCode": "NOT_FOUND", "errorMessage": "no such collection group"}
                for name in names
                if name not in known
            ],
        }

    def update_collection_group(self, asked: Document) -> Document:
        name = asked["id"].removeprefix("group-")
        limits = {
            # "Any field not specified resets to its default value": API model.
            "minIndexingCapacityInOCU": 0.0,
            "maxIndexingCapacityInOCU": 1_696.0,
            "minSearchCapacityInOCU": 0.0,
            "maxSearchCapacityInOCU": 1_696.0,
            **asked.get("capacityLimits", {}),
        }
        for kind in ("Indexing", "Search"):
            low, high = limits[f"min{kind}CapacityInOCU"], limits[f"max{kind}CapacityInOCU"]
            if low not in SIZES or high not in SIZES or low > high:
                raise ServiceError("ValidationException", f"{low} to {high} OCU are no capacity limits.")
        with self._state.changing("collection_groups") as groups:
            groups[name] = limits
        return {"updateCollectionGroupDetail": self._group(name)}

    def _group(self, name: str) -> Document:
        limits = self._state.tables["collection_groups"].get(name) or {
            "minIndexingCapacityInOCU": 0.0,
            "maxIndexingCapacityInOCU": 2.0,
            "minSearchCapacityInOCU": 0.0,
            "maxSearchCapacityInOCU": 2.0,
        }
        return {
            "id": f"group-{name}",
            "arn": f"arn:aws:aoss:{REGION}:{ACCOUNT}:collection-group/group-{name}",
            "name": name,
            "generation": "NEXTGEN",
            "standbyReplicas": "ENABLED",
            "capacityLimits": limits,
            "currentCapacity": {
                kind: {"capacityInOcu": limits[f"min{kind.capitalize()}CapacityInOCU"]}
                for kind in ("search", "indexing")
            },
        }


class Endpoints:
    """SageMaker endpoints, known by the ends of their names as in ``tools/twin/models/sagemaker.py``."""

    def __init__(self, state: ControlPlaneState) -> None:
        self._state = state

    def describe_endpoint(self, asked: Document) -> Document:
        name = self._known(asked["EndpointName"])
        counts = self._state.tables["endpoints"].get(name, {VARIANT: 1})
        now = time.time()
        return {
            "EndpointName": name,
            "EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}",
            "EndpointConfigName": name,
            "EndpointStatus": "InService",
            "CreationTime": now,
            "LastModifiedTime": now,
            "ProductionVariants": [
                {"VariantName": variant, "CurrentInstanceCount": count, "DesiredInstanceCount": count}
                for variant, count in counts.items()
            ],
        }

    def update_endpoint_weights_and_capacities(self, asked: Document) -> Document:
        name = self._known(asked["EndpointName"])
        with self._state.changing("endpoints") as endpoints:
            counts = endpoints.setdefault(name, {VARIANT: 1})
            for wanted in asked.get("DesiredWeightsAndCapacities", []):
                if wanted["VariantName"] not in counts:
                    raise ServiceError("ValidationException", f"no variant {wanted['VariantName']}")
                counts[wanted["VariantName"]] = wanted.get(
                    "DesiredInstanceCount", counts[wanted["VariantName"]]
                )
        return {"EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}"}

    def _known(self, name: str) -> str:
        if not name.endswith(("-intent", "-reranker")):
            raise ServiceError("ValidationException", f'Could not find endpoint "{name}".')
        return name


class Throughput:
    """Provisioned model throughput: bought once per token, billed never."""

    def __init__(self, state: ControlPlaneState) -> None:
        self._state = state

    def create(self, asked: Document) -> Document:
        name, model_id = asked.get("provisionedModelName", ""), asked.get("modelId", "")
        models = self._state.tables["provisioned_models"]
        token = asked.get("clientRequestToken")
        for model in models.values():
            if token and model["token"] == token:
                return {"provisionedModelArn": model["provisionedModelArn"]}
        if not NAME.fullmatch(name) or any(
            model["provisionedModelName"] == name for model in models.values()
        ):
            raise ServiceError("ValidationException", f"The name {name!r} is taken or is no name.")
        if not OFFERED.fullmatch(model_id):
            raise ServiceError(
                "ValidationException", f"Provisioned throughput is not supported for the model {model_id}."
            )
        units = asked.get("modelUnits")
        if not isinstance(units, int) or units < 1:
            raise ServiceError("ValidationException", "modelUnits is a whole number from 1.")
        digest = hashlib.sha256(f"{name}{len(models)}".encode()).hexdigest()[:12]
        now, base = _timestamp(), re.sub(r":\d+k$", "", model_id)
        arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:provisioned-model/{digest}"
        foundation = f"arn:aws:bedrock:{REGION}::foundation-model/{base}"
        with self._state.changing("provisioned_models") as table:
            table[digest] = {
                "token": token,
                "looks": 0,
                "model_id": base,
                "tags": asked.get("tags", []),
                "provisionedModelName": name,
                "provisionedModelArn": arn,
                "modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{model_id}",
                "desiredModelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{model_id}",
                "foundationModelArn": foundation,
                "modelUnits": units,
                "desiredModelUnits": units,
                "status": "Creating",
                "creationTime": now,
                "lastModifiedTime": now,
                **(
                    {"commitmentDuration": asked["commitmentDuration"]}
                    if "commitmentDuration" in asked
                    else {}
                ),
            }
        return {"provisionedModelArn": arn}

    def get(self, identifier: str) -> Document:
        key = self._key(identifier)
        model = self._state.tables["provisioned_models"][key]
        shown = _shown(model)
        self._look(key)
        return shown

    def _look(self, key: str) -> None:
        """Somebody saw it; time passes by being looked at."""
        with self._state.changing("provisioned_models") as table:
            table[key]["looks"] += 1
            if table[key]["looks"] >= LOOKS_UNTIL_IN_SERVICE:
                table[key]["status"] = "InService"

    def list(self, query: Mapping[str, str]) -> Document:
        wanted, status = query.get("nameContains", ""), query.get("statusEquals")
        shown = {
            key: _shown(model)
            for key, model in self._state.tables["provisioned_models"].items()
            if wanted in model["provisionedModelName"] and status in (None, model["status"])
        }
        for key in shown:
            self._look(key)
        return {"provisionedModelSummaries": list(shown.values())}

    def delete(self, identifier: str) -> Document:
        key = self._key(identifier)
        if "commitmentDuration" in self._state.tables["provisioned_models"][key]:
            raise ServiceError("ConflictException", "The commitment of this provisioned model has not ended.")
        with self._state.changing("provisioned_models") as table:
            del table[key]
        return {}

    def model_behind(self, identifier: str) -> str:
        """The foundation model that a call to a provisioned ARN is for; any other id is itself."""
        if ":provisioned-model/" not in identifier:
            return identifier
        model = self._state.tables["provisioned_models"][self._key(identifier)]
        if model["status"] != "InService":
            raise ServiceError("ModelNotReadyException", "The provisioned model is not in service yet.")
        return str(model["model_id"])

    def tags_of(self, identifier: str) -> dict[str, str]:
        """The tags of a model, by its ARN or id; none of one that is not there."""
        model = self._state.tables["provisioned_models"].get(identifier.rpartition("/")[2], {})
        return {each["key"]: each["value"] for each in model.get("tags", [])}

    def _key(self, identifier: str) -> str:
        key = identifier.rpartition("/")[2]
        if key not in self._state.tables["provisioned_models"]:
            raise ServiceError("ResourceNotFoundException", "The provided provisioned model was not found.")
        return key


def _shown(model: Document) -> dict[str, Any]:
    return {
        name: value for name, value in model.items() if name not in ("token", "looks", "model_id", "tags")
    }


def _timestamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
