"""Where images of the catalogue service lie: a stack of its own, because a service cannot start before its image is there."""

from __future__ import annotations

from aws_cdk import CfnOutput
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.environments import EnvironmentSettings

KEPT_IMAGES = 30
"""The one in service and all that anybody would go back to."""


class CatalogueImagesStack(EnvironmentStack):
    """One repository, whose tags never move: what was reviewed is what runs."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings) -> None:
        super().__init__(
            scope, "CatalogueImages", settings=settings, description="Images of the catalogue service"
        )
        self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=f"{settings.resource_prefix}-catalogue",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            lifecycle_rules=[ecr.LifecycleRule(description="Old images go", max_image_count=KEPT_IMAGES)],
            removal_policy=self.removal_policy,
        )
        CfnOutput(self, "CatalogueRepositoryUri", value=self.repository.repository_uri)
