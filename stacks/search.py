"""The vector collection that holds the catalogue index; indexes and aliases are made by ingestion, not by a deploy."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_opensearchserverless as aoss
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.environments import EnvironmentSettings
from stacks.network import NetworkStack

READER: Final = ("aoss:DescribeCollectionItems",), ("aoss:DescribeIndex", "aoss:ReadDocument")
INDEXER: Final = (
    (
        "aoss:CreateCollectionItems",
        "aoss:DeleteCollectionItems",
        "aoss:DescribeCollectionItems",
        "aoss:UpdateCollectionItems",
    ),
    (
        "aoss:CreateIndex",
        "aoss:DeleteIndex",
        "aoss:DescribeIndex",
        "aoss:ReadDocument",
        "aoss:UpdateIndex",
        "aoss:WriteDocument",
    ),
)
"""Permissions on the collection (aliases) and on its indexes."""


class SearchStack(EnvironmentStack):
    """One OpenSearch Serverless collection of the NextGen generation.

    Name, type, group, generation and tags are create-only: changing one replaces the collection.
    """

    def __init__(
        self, scope: Construct, *, settings: EnvironmentSettings, network: NetworkStack | None
    ) -> None:
        super().__init__(scope, "Search", settings=settings, description="Vector collection of the catalogue")
        self.collection_name = settings.resource_prefix
        resource = f"collection/{self.collection_name}"
        self.key = self.own_key(f"Catalogue index of {settings.name}")
        # Create-only: the key that is there when the collection is made stays its key.
        encryption = aoss.CfnSecurityPolicy(
            self,
            "Encryption",
            name=self.collection_name,
            type="encryption",
            policy=self.to_json_string(
                {
                    "Rules": [{"ResourceType": "collection", "Resource": [resource]}],
                    "AWSOwnedKey": False,
                    "KmsARN": self.key.key_arn,
                }
            ),
        )
        reached = aoss.CfnSecurityPolicy(
            self,
            "Network",
            name=self.collection_name,
            type="network",
            policy=self.to_json_string(
                [{"Rules": [{"ResourceType": "collection", "Resource": [resource]}], **_reachable(network)}]
            ),
        )
        self.group = aoss.CfnCollectionGroup(
            self,
            "Group",
            name=self.collection_name,
            generation="NEXTGEN",
            standby_replicas="ENABLED",
            capacity_limits=aoss.CfnCollectionGroup.CapacityLimitsProperty(
                min_search_capacity_in_ocu=settings.search.min_ocu,
                max_search_capacity_in_ocu=settings.search.max_ocu,
                min_indexing_capacity_in_ocu=settings.search.min_ocu,
                max_indexing_capacity_in_ocu=settings.search.max_ocu,
            ),
        )
        self.collection = aoss.CfnCollection(
            self,
            "Collection",
            name=self.collection_name,
            collection_group_name=self.group.name,
            type="VECTORSEARCH",
            standby_replicas="ENABLED",
            deletion_protection="ENABLED" if settings.protection.deletion_protection else "DISABLED",
        )
        for required in (encryption, reached, self.group):
            self.collection.add_resource_dependency(required)
        for stateful in (self.group, self.collection):
            stateful.apply_removal_policy(self.removal_policy)
        CfnOutput(self, "CollectionEndpoint", value=self.collection.attr_collection_endpoint)

    @property
    def endpoint(self) -> str:
        """Address of the collection, scheme included."""
        return self.collection.attr_collection_endpoint

    def grant_read(self, function: PythonFunction) -> None:
        """Let ``function`` search."""
        self._grant(function, "reader", READER)

    def grant_index(self, function: PythonFunction) -> None:
        """Let ``function`` create, fill, switch and delete indexes."""
        self._grant(function, "indexer", INDEXER)

    def _grant(
        self, function: PythonFunction, name: str, actions: tuple[tuple[str, ...], tuple[str, ...]]
    ) -> None:
        function.allow("aoss:APIAccessAll", on=[self.collection.attr_arn])
        on_collection, on_indexes = actions
        # In the function's stack, where the role is: here it would make the two stacks depend on each other.
        stack = Stack.of(function)
        aoss.CfnAccessPolicy(
            function,
            "SearchAccess",
            name=f"{self.collection_name}-{name}",
            type="data",
            policy=stack.to_json_string(
                [
                    {
                        "Rules": [
                            {
                                "ResourceType": "collection",
                                "Resource": [f"collection/{self.collection_name}"],
                                "Permission": list(on_collection),
                            },
                            {
                                "ResourceType": "index",
                                "Resource": [f"index/{self.collection_name}/*"],
                                "Permission": list(on_indexes),
                            },
                        ],
                        "Principal": [function.role.role_arn],
                    }
                ]
            ),
        )


def _reachable(network: NetworkStack | None) -> dict[str, object]:
    """From inside the VPC by its endpoint alone; without a VPC over the internet, where only signed requests count."""
    if network is None:
        return {"AllowFromPublic": True}
    return {"AllowFromPublic": False, "SourceVPCEs": [network.search_endpoint.vpc_endpoint_id]}
