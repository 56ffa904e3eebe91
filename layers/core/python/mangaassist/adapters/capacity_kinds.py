"""The kinds of capacity that are raised before a sale, on AWS.

Where Application Auto Scaling owns a resource, its scalable target's bounds are changed and nothing else: a direct
put of provisioned concurrency, or of an instance count, would be undone by the next scaling decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mangaassist.adapters.errors import translate, translated
from mangaassist.capacity.ports import Seen

Answer = dict[str, Any]


class CapacityMissing(LookupError):
    """``what`` is not there: deploy the stack that makes it."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} does not exist")


@dataclass(frozen=True, slots=True)
class ScalableTarget:
    """The bounds that Application Auto Scaling keeps for one resource; ``client`` is an application-autoscaling one."""

    client: Any
    namespace: str
    resource_id: str
    dimension: str

    def minimum(self) -> int | None:
        """The lower bound; ``None`` while nobody has registered one."""
        found = _call(
            "application-autoscaling",
            self.client.describe_scalable_targets,
            ServiceNamespace=self.namespace,
            ResourceIds=[self.resource_id],
            ScalableDimension=self.dimension,
        )["ScalableTargets"]
        return int(found[0]["MinCapacity"]) if found else None

    def set_minimum(self, minimum: int, ceiling: int) -> None:
        """Register both bounds; the policies and the role of the target stay."""
        _call(
            "application-autoscaling",
            self.client.register_scalable_target,
            ServiceNamespace=self.namespace,
            ResourceId=self.resource_id,
            ScalableDimension=self.dimension,
            MinCapacity=minimum,
            MaxCapacity=max(minimum, ceiling),
        )


@dataclass(frozen=True, slots=True)
class ProvisionedConcurrency:
    """Environments kept warm behind a function's alias."""

    target: ScalableTarget
    client: Any
    function: str
    alias: str

    @classmethod
    def at(cls, address: Mapping[str, str], scaling: Any, functions: Any) -> ProvisionedConcurrency:
        """From ``function`` and ``alias``."""
        function, alias = address["function"], address["alias"]
        return cls(
            ScalableTarget(
                scaling, "lambda", f"function:{function}:{alias}", "lambda:function:ProvisionedConcurrency"
            ),
            functions,
            function,
            alias,
        )

    def minimum(self) -> int | None:
        return self.target.minimum()

    def set_minimum(self, minimum: int, ceiling: int) -> None:
        self.target.set_minimum(minimum, ceiling)

    def verify(self) -> Seen:
        """Environments that are there; settled once Lambda says that all it was asked for are."""
        from botocore.exceptions import ClientError

        try:
            found: Answer = self.client.get_provisioned_concurrency_config(
                FunctionName=self.function, Qualifier=self.alias
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ProvisionedConcurrencyConfigNotFoundException":
                return Seen(0, is_settled=True)
            raise translate("lambda", error) or error from error
        return Seen(
            int(found.get("AvailableProvisionedConcurrentExecutions", 0)),
            is_settled=found.get("Status") == "READY",
            detail=str(found.get("StatusReason", "")) if found.get("Status") == "FAILED" else "",
        )


@dataclass(frozen=True, slots=True)
class EndpointVariant:
    """Instances behind a SageMaker endpoint's variant."""

    target: ScalableTarget
    client: Any
    endpoint: str
    variant: str

    @classmethod
    def at(cls, address: Mapping[str, str], scaling: Any, endpoints: Any) -> EndpointVariant:
        """From ``endpoint`` and ``variant``."""
        endpoint, variant = address["endpoint"], address["variant"]
        return cls(
            ScalableTarget(
                scaling,
                "sagemaker",
                f"endpoint/{endpoint}/variant/{variant}",
                "sagemaker:variant:DesiredInstanceCount",
            ),
            endpoints,
            endpoint,
            variant,
        )

    def minimum(self) -> int | None:
        return self.target.minimum()

    def set_minimum(self, minimum: int, ceiling: int) -> None:
        self.target.set_minimum(minimum, ceiling)

    def verify(self) -> Seen:
        """Instances in service; an endpoint that is being updated is not settled."""
        found = _call("sagemaker", self.client.describe_endpoint, EndpointName=self.endpoint)
        for variant in found.get("ProductionVariants", []):
            if variant["VariantName"] == self.variant:
                return Seen(
                    int(variant.get("CurrentInstanceCount", 0)),
                    is_settled=found["EndpointStatus"] == "InService",
                    detail="" if found["EndpointStatus"] == "InService" else str(found["EndpointStatus"]),
                )
        raise CapacityMissing(f"variant {self.variant} of endpoint {self.endpoint}")


@dataclass(frozen=True, slots=True)
class EcsService:
    """Tasks of an ECS service on Fargate."""

    target: ScalableTarget
    client: Any
    cluster: str
    service: str

    @classmethod
    def at(cls, address: Mapping[str, str], scaling: Any, services: Any) -> EcsService:
        """From ``cluster`` and ``service``."""
        cluster, service = address["cluster"], address["service"]
        return cls(
            ScalableTarget(scaling, "ecs", f"service/{cluster}/{service}", "ecs:service:DesiredCount"),
            services,
            cluster,
            service,
        )

    def minimum(self) -> int | None:
        return self.target.minimum()

    def set_minimum(self, minimum: int, ceiling: int) -> None:
        self.target.set_minimum(minimum, ceiling)

    def verify(self) -> Seen:
        """Tasks that run; while a deployment replaces them, and after one that failed, they are not settled."""
        found = _call(
            "ecs", self.client.describe_services, cluster=self.cluster, services=[self.service]
        ).get("services", [])
        if not found or found[0].get("status") != "ACTIVE":
            raise CapacityMissing(f"service {self.service} of cluster {self.cluster}")
        states = [str(each.get("rolloutState", "COMPLETED")) for each in found[0].get("deployments", [])]
        is_settled = all(state == "COMPLETED" for state in states)
        return Seen(
            int(found[0].get("runningCount", 0)),
            is_settled=is_settled,
            detail="" if is_settled else ", ".join(states),
        )


@dataclass(frozen=True, slots=True)
class SearchCollectionGroup:
    """Search units (OCU) of an OpenSearch Serverless collection group; ``name`` is the group's."""

    client: Any
    name: str

    @classmethod
    def at(cls, address: Mapping[str, str], client: Any) -> SearchCollectionGroup:
        """From ``group``."""
        return cls(client, address["group"])

    def minimum(self) -> int | None:
        return int(self._group()["capacityLimits"].get("minSearchCapacityInOCU", 0))

    def set_minimum(self, minimum: int, ceiling: int) -> None:
        """Change the search minimum alone.

        A limit that is left out goes back to its default ("Updates to capacity limits are not incremental", API model
        opensearchserverless), so all four are sent.
        """
        group = self._group()
        limits = group["capacityLimits"]
        _call(
            "opensearchserverless",
            self.client.update_collection_group,
            id=group["id"],
            capacityLimits={
                **limits,
                "minSearchCapacityInOCU": float(minimum),
                "maxSearchCapacityInOCU": float(
                    max(minimum, ceiling, limits.get("maxSearchCapacityInOCU", 0))
                ),
            },
        )

    def verify(self) -> Seen:
        """Units that serve searches; before the service reports them, the limit it accepted."""
        group = self._group()
        current = group.get("currentCapacity", {}).get("search", {})
        units = current.get("capacityInOcu", group["capacityLimits"].get("minSearchCapacityInOCU", 0))
        return Seen(int(units), is_settled=True)

    def _group(self) -> Answer:
        found = _call("opensearchserverless", self.client.batch_get_collection_group, names=[self.name])
        details = cast("list[Answer]", found.get("collectionGroupDetails", []))
        if not details:
            raise CapacityMissing(f"collection group {self.name}")
        return details[0]


def _call(dependency: str, operation: Any, **arguments: Any) -> Answer:
    with translated(dependency):
        return cast(Answer, operation(**arguments))
