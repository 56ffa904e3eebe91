"""One deployment of the product, as one object: every setting there is, with its default where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Self, get_args

from pydantic import Field, model_validator

from stacks.environments.settings.access import Domains, Edge, Identity, Network, Throttle
from stacks.environments.settings.base import Settings
from stacks.environments.settings.capacity import Capacity
from stacks.environments.settings.consistency import check
from stacks.environments.settings.data import Backups, CacheLimits, DataProtection, SearchCapacity
from stacks.environments.settings.models import BedrockControls, EndpointRole, ModelServing
from stacks.environments.settings.operations import (
    Alerting,
    Audit,
    LogArchive,
    LogRetentionDays,
    Observability,
)
from stacks.environments.settings.services import Catalogue, Partners, Personalize

Profile = Literal["standard", "lean"]
PROFILES: Final = get_args(Profile)


class EnvironmentSettings(Settings):
    """One deployment of the product."""

    name: Literal["local", "dev", "staging", "prod"]
    profile: Profile = "standard"
    """``lean`` has nothing that costs while idle: no NAT, no GPU, no cache, search scaled to zero."""
    region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    standby_of: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    """The region whose tables and secrets this one holds replicas of, and for which it waits; see ``standby``."""
    account: str | None = Field(default=None, pattern=r"^\d{12}$")
    """``None``: whichever account the credentials belong to, so that templates render without one."""

    architecture: Literal["arm64", "x86_64"] = "arm64"
    bundle_for: Literal["lambda", "host"] = "lambda"
    """``host``: layers run on this machine's interpreter, which is where the local twin runs functions."""
    log_level: Literal["DEBUG", "INFO", "WARNING"] = "INFO"
    log_retention_days: LogRetentionDays = 30
    protection: DataProtection

    session_ttl_seconds: int = Field(default=86_400, ge=600, le=7 * 86_400)
    guest_token_ttl_seconds: int = Field(default=3_600, ge=60, le=86_400)

    message_memory_mb: int = Field(default=1_769, ge=512, le=10_240)
    """1769 MB is where a function gets a whole CPU."""
    message_reserved_concurrency: int | None = Field(default=None, ge=1)
    message_provisioned_concurrency: int | None = Field(default=None, ge=1)

    search: SearchCapacity
    model_geographies: tuple[Literal["global", "us", "eu", "jp", "au"], ...] = ("global",)
    """Where prompts may be processed: the inference profiles IAM allows. Data residency is decided here."""
    intent_endpoint: str | None = None
    """A classifier served elsewhere, such as the twin's; without ``models`` and it, unsure questions take the default."""
    rerank_endpoint: str | None = None
    """A reranker served elsewhere; without ``models`` and it, search's own order stands."""

    network: Network | None = None
    cache: CacheLimits | None = None
    replica_regions: tuple[str, ...] = ()
    """Regions that hold a replica of the tables and of the catalogue feed."""
    backups: Backups | None = None
    models: ModelServing | None = None
    catalogue: Catalogue | None = None
    """``None``: no service runs; who wants products reads what the index and the table know."""
    partners: Partners = Partners()
    personalize: Personalize = Personalize()
    """Without it recommendations are what most shoppers like."""
    capacity: Capacity = Capacity()
    bedrock: BedrockControls | None = None
    edge: Edge | None = None
    identity: Identity | None = None
    secret_rotation_days: int | None = Field(default=None, ge=7, le=365)
    """``None``: the secrets stay as they are until somebody replaces them."""
    alerting: Alerting = Alerting()
    operations_key: bool = False
    """Log groups and queues are under a key of ours, too (SEC-5), for 1 USD a month; otherwise under the services' own."""
    observability: Observability | None = None
    log_archive: LogArchive | None = None
    audit: Audit | None = None

    websocket_throttle: Throttle
    http_throttle: Throttle

    @property
    def domains(self) -> Domains | None:
        """The names of our own, if there are any."""
        return self.edge.domains if self.edge else None

    @property
    def fails_over(self) -> bool:
        """Whether Route 53 moves CloudFront's origins to another region: it needs names, their zone, and certificates
        in both."""
        domains = self.domains
        return bool(domains and domains.hosted_zone and domains.standby_certificate_arn)

    @property
    def resource_prefix(self) -> str:
        """Start of the names that AWS wants unique within an account and region."""
        return f"mangaassist-{self.name}"

    @property
    def catalogue_namespace(self) -> str:
        """The private zone in which services of ours are found."""
        own = self.catalogue.namespace if self.catalogue else None
        return own or f"{self.resource_prefix}.internal"

    @property
    def partners_secret(self) -> str:
        """Name of the secret that holds what partners know us by."""
        return self.partners.credential_secret or f"{self.resource_prefix}-partners"

    @property
    def endpoints(self) -> Mapping[EndpointRole, str]:
        """The SageMaker endpoints that answer here, by what they do: those of ``models``, or those served elsewhere."""
        if self.models is not None:
            return {role: f"{self.resource_prefix}-{role}" for role in get_args(EndpointRole)}
        elsewhere: dict[EndpointRole, str | None] = {
            "intent": self.intent_endpoint,
            "reranker": self.rerank_endpoint,
        }
        return {role: name for role, name in elsewhere.items() if name is not None}

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        check(self)
        return self
