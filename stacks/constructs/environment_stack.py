"""What every stack has in common: its name, where it goes, its tags, its protection."""

from __future__ import annotations

from typing import Final

from aws_cdk import Environment, RemovalPolicy, Stack, Tags
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.environments import EnvironmentSettings

CREATE_ONLY_TAGS: Final = [
    "AWS::OpenSearchServerless::Collection",
    "AWS::OpenSearchServerless::CollectionGroup",
]
"""Changing a tag of these replaces them, data and all, so they carry none."""


class EnvironmentStack(Stack):
    """Stack ``MangaAssist-<environment>-<concern>``."""

    def __init__(
        self,
        scope: Construct,
        concern: str,
        *,
        settings: EnvironmentSettings,
        description: str,
        region: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            f"MangaAssist-{settings.name}-{concern}",
            description=description,
            env=Environment(account=settings.account, region=region or settings.region),
            termination_protection=settings.protection.deletion_protection,
        )
        self.settings = settings
        for key, value in (
            ("application", "mangaassist"),
            ("environment", settings.name),
            ("concern", concern),
        ):
            Tags.of(self).add(key, value, exclude_resource_types=CREATE_ONLY_TAGS)

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What happens to data when the stack goes."""
        return RemovalPolicy.RETAIN if self.settings.protection.retain else RemovalPolicy.DESTROY

    def own_key(self, description: str, *, id: str = "Key", alias: str | None = None) -> kms.Key:
        """A key of this stack's own, renewed every year, which stays as long as the data under it."""
        return kms.Key(
            self,
            id,
            alias=alias,
            description=description,
            enable_key_rotation=True,
            removal_policy=self.removal_policy,
        )
