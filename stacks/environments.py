"""Everything that differs between deployments: one frozen, cross-validated settings object per environment."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Profile = Literal["standard", "lean"]
PROFILES: Final = get_args(Profile)

DOMAIN: Final = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"

LogRetentionDays = Literal[1, 7, 14, 30, 60, 90, 180, 365]
"""Of the steps CloudWatch Logs offers, those in use."""


class UnknownEnvironment(ValueError):
    """No environment has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"unknown environment {name!r}: choose one of {', '.join(ENVIRONMENTS)} (-c environment=NAME)"
        )


class UnknownProfile(ValueError):
    """No profile has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"unknown profile {name!r}: choose one of {', '.join(PROFILES)} (-c profile=NAME)")


class NoStandby(ValueError):
    """There is no standby of this environment in this region; the message says why."""


class Settings(BaseModel):
    """Frozen, keyword-only (pydantic accepts nothing else), and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataProtection(Settings):
    """How hard it is to lose data; ``retain`` keeps tables, keys, buckets and logs when their stack goes."""

    retain: bool
    deletion_protection: bool
    """Tables, collection and stacks refuse deletion until this is switched off."""
    point_in_time_recovery: bool

    @model_validator(mode="after")
    def _protected_is_retained(self) -> Self:
        if self.deletion_protection and not self.retain:
            raise ValueError(
                "deletion_protection without retain: a protected table would block its stack's deletion"
            )
        return self


class SearchCapacity(Settings):
    """OpenSearch compute units (OCU) of the collection group, the same bounds for searching and indexing."""

    min_ocu: int
    """0 scales to zero after 10 idle minutes; the next request then waits 10-30 s."""
    max_ocu: int

    @model_validator(mode="after")
    def _allowed_steps(self) -> Self:
        for name, value in (("min_ocu", self.min_ocu), ("max_ocu", self.max_ocu)):
            smallest = 0 if name == "min_ocu" else 2
            if not smallest <= value <= 1_700 or (value not in (0, 2, 4, 8) and value % 16):
                raise ValueError(
                    f"{name}={value}: OCU come as 0 (minimum only), 2, 4, 8 or multiples of 16 up to 1700"
                )
        if self.min_ocu > self.max_ocu:
            raise ValueError(f"min_ocu={self.min_ocu} is above max_ocu={self.max_ocu}")
        return self


class Throttle(Settings):
    """Requests per second a stage lets through, and the burst above it."""

    rate_per_second: int = Field(gt=0)
    burst: int = Field(gt=0)


class Network(Settings):
    """A VPC of our own; without one the functions run outside any VPC and reach AWS by signed requests only."""

    nat_gateways: int = Field(ge=1, le=2)
    """Functions inside post to WebSocket connections, which are public: at least one NAT gateway is needed."""
    zones: tuple[str, str] = ("a", "b")
    """Letters of the two availability zones; an account that lacks one of them names two others."""

    @model_validator(mode="after")
    def _two_zones(self) -> Self:
        if len(set(self.zones)) != 2 or not all(len(zone) == 1 and zone.islower() for zone in self.zones):
            raise ValueError(f"zones={self.zones}: two different letters, as in us-east-1a and us-east-1b")
        return self


class CacheLimits(Settings):
    """What ElastiCache Serverless (Valkey) may grow to, which caps what it may cost."""

    max_storage_gb: int = Field(ge=1, le=5_000)
    max_ecpu_per_second: int = Field(ge=1_000, le=15_000_000)


class Backups(Settings):
    """Copies of the tables in a vault of their own, beside the point-in-time recovery of the tables themselves."""

    daily_days: int = Field(default=35, ge=7)
    monthly_days: int = Field(default=365, ge=120)
    """30 days at hand, the rest in cold storage, which asks for 90 days at least."""
    locked: bool = False
    """Nobody, the account's root included, can delete a copy before its time, once three days have passed."""


class EndpointFleet(Settings):
    """One SageMaker endpoint: its instances and how far it scales."""

    instance_type: str = Field(pattern=r"^ml\.[a-z0-9]+\.[a-z0-9]+$")
    min_instances: int = Field(ge=1)
    """With one instance an update moves all traffic at once: a canary is at most half of the instances."""
    max_instances: int = Field(ge=1)
    image: str | None = Field(
        default=None, pattern=r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[^:@]+[:@].+$"
    )
    """Container image; ``None`` takes AWS's ready-made one (``stacks/constructs/serving_images.py``)."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_instances > self.max_instances:
            raise ValueError(
                f"min_instances={self.min_instances} is above max_instances={self.max_instances}"
            )
        return self


class ModelServing(Settings):
    """The models of our own that run all the time: the intent classifier on Inferentia, the reranker on a GPU."""

    intent: EndpointFleet
    reranker: EndpointFleet


EndpointRole = Literal["intent", "reranker"]


class Throughput(Settings):
    """Bedrock throughput that is bought before sales, for a model that it is sold for (CAP-2)."""

    model_id: str
    commitment: Literal["none", "OneMonth", "SixMonths"]
    """No default: ``none`` is billed by the hour until it is deleted, a term is owed to its end."""
    hours_before: int = Field(default=48, ge=1, le=48)
    hours_after: int = Field(default=24, ge=0, le=24)
    max_units: int = Field(default=1, ge=1, le=20)


class Capacity(Settings):
    """What this deployment makes of the sale calendar."""

    calendar_share_percent: int = Field(default=100, ge=1, le=100)
    """Of the calendar's expected concurrency."""
    business_hours: bool = True
    """Whether capacity is raised every day from 11:00 to 21:00 in Japan."""
    message_ceiling: int = Field(default=500, ge=1)
    """Most environments of the message function that are ever kept warm."""
    endpoints_elsewhere: int | None = Field(default=None, ge=1)
    """Most instances of model endpoints that another deployment owns and this one may raise; ``None`` leaves them."""
    throughput: tuple[Throughput, ...] = ()


class Catalogue(Settings):
    """The catalogue service: how large a task is and how many there are; it answers inside the VPC only."""

    cpu: Literal[256, 512, 1_024, 2_048, 4_096]
    """1024 are a whole CPU."""
    memory_mb: int = Field(ge=512, le=30_720)
    min_tasks: int = Field(ge=1)
    """On ordinary days; a sale raises it."""
    max_tasks: int = Field(ge=1)
    calls_per_task_per_minute: int = Field(default=12_000, ge=1)
    """Where another task starts, if its CPU does not say so first: 200 a second, an estimate until a load test."""
    image: str | None = Field(
        default=None, pattern=r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[^:@]+[:@].+$"
    )
    """Of another registry, best by digest; ``None`` takes the repository of stack ``CatalogueImages``."""
    namespace: str | None = Field(default=None, pattern=DOMAIN)
    """Private zone that holds ``catalogue.<namespace>``; ``None``: one that nobody else has, ``<prefix>.internal``."""
    certificate_arn: str | None = Field(
        default=None, pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/.+$"
    )
    """For ``catalogue.<namespace>``, in the region of the environment; without it calls inside the VPC are not
    encrypted, and the security groups alone say who may make them."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_tasks > self.max_tasks:
            raise ValueError(f"min_tasks={self.min_tasks} is above max_tasks={self.max_tasks}")
        cpus = self.cpu / 1_024
        low, high = (512, 2_048) if self.cpu == 256 else (int(1_024 * max(1, 2 * cpus)), int(8_192 * cpus))
        if not low <= self.memory_mb <= high or (self.memory_mb % 1_024 and self.memory_mb != 512):
            raise ValueError(
                f"memory_mb={self.memory_mb}: Fargate gives cpu={self.cpu} {low} to {high}, in steps of 1024"
            )
        if self.certificate_arn and not self.namespace:
            raise ValueError(
                "certificate_arn without namespace: nobody signs for the name the service has without one"
            )
        return self


PartnerName = Literal["orders", "pricing", "profile", "promotions", "returns", "reviews", "shipping"]

URL: Final = r"^https?://[^\s/?#]+(/[^\s?#]*)?$"
NAME_OF_SECRET: Final = r"^[A-Za-z0-9/_+=.@-]{1,500}$"  # noqa: S105 - the form of a name


class PartnerAddress(Settings):
    """Where one partner answers, when it is not where the others do."""

    name: PartnerName
    url: str = Field(pattern=URL)
    credential_secret: str | None = Field(default=None, pattern=NAME_OF_SECRET)
    """``None``: the credential that all of them take."""


class Partners(Settings):
    """The services of other teams: orders, prices, reviews and the rest; each answers without, only poorer."""

    url: str | None = Field(default=None, pattern=URL)
    """Base of every partner that has no address of its own; ``None``: there are none."""
    credential_secret: str | None = Field(default=None, pattern=NAME_OF_SECRET)
    """Name of the secret, made by whoever got the credential; ``None``: ``<prefix>-partners``."""
    credential_key_arn: str | None = Field(default=None, pattern=r"^arn:aws:kms:[a-z0-9-]+:\d{12}:key/.+$")
    """The key of the secrets, where it is not the one that Secrets Manager keeps for the account."""
    own: tuple[PartnerAddress, ...] = ()
    """Partners that answer elsewhere."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [each.name for each in self.own]
        if len(set(names)) < len(names):
            raise ValueError(f"own: a partner has one address, but these are named: {', '.join(names)}")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address there is."""
        return (*((self.url,) if self.url else ()), *(each.url for each in self.own))


class Personalize(Settings):
    """Campaigns or recommenders of Amazon Personalize: a campaign's name in this account, or an ARN."""

    user_campaign: str | None = Field(
        default=None, pattern=r"^(arn:aws:personalize:.+|[A-Za-z0-9][\w-]{0,62})$"
    )
    """Titles for a shopper."""
    similar_campaign: str | None = Field(
        default=None, pattern=r"^(arn:aws:personalize:.+|[A-Za-z0-9][\w-]{0,62})$"
    )
    """Titles like a title."""

    @property
    def is_used(self) -> bool:
        """Whether anything is asked of it."""
        return bool(self.user_campaign or self.similar_campaign)


class BedrockControls(Settings):
    """A guardrail, and inference profiles that carry cost tags; both are free until they are used."""

    guardrail_profile: str = Field(default="us.guardrail.v1:0", pattern=r"^[a-z-]+\.guardrail\.v1:0$")
    """Where the Standard tier, the only one that reads Japanese, may process text: it needs a cross-region profile."""


class HostedZone(Settings):
    """The Route 53 zone in which our names are recorded; without it somebody records them elsewhere."""

    id: str = Field(pattern=r"^Z[A-Z0-9]+$")
    name: str = Field(pattern=DOMAIN)


class Domains(Settings):
    """Names of our own. Shoppers see ``page`` alone, which also serves ``/v1`` and the WebSocket at ``/live``."""

    page: str = Field(pattern=DOMAIN)
    page_certificate_arn: str = Field(pattern=r"^arn:aws:acm:us-east-1:\d{12}:certificate/.+$")
    """In us-east-1, where CloudFront looks."""
    api: str = Field(pattern=DOMAIN)
    """Where CloudFront reaches the HTTP API."""
    websocket: str = Field(pattern=DOMAIN)
    """Where CloudFront reaches the WebSocket API, which shares no name with another kind of API."""
    api_certificate_arn: str = Field(pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/.+$")
    """For ``api`` and ``websocket``, in the region of the environment."""
    standby_certificate_arn: str | None = Field(
        default=None, pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/.+$"
    )
    """For the same two names, in the region that takes over; with it and ``hosted_zone`` they fail over. Either
    certificate must then hold for ``callback`` of its region, too."""
    hosted_zone: HostedZone | None = None

    def callback(self, region: str) -> str:
        """Where functions post to connections of this region, once ``websocket`` may be another region's: beside it, so
        that a wildcard certificate holds for both."""
        first, rest = self.websocket.split(".", 1)
        return f"{first}-{region}.{rest}"

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = (self.page, self.api, self.websocket)
        if len(set(names)) < len(names):
            raise ValueError(f"page, api and websocket need three different names, not {', '.join(names)}")
        zone = self.hosted_zone
        if zone and not all(name == zone.name or name.endswith(f".{zone.name}") for name in names):
            raise ValueError(f"hosted_zone {zone.name} does not hold all of {', '.join(names)}")
        return self


class Edge(Settings):
    """CloudFront and WAF in front of the WebSocket, the HTTP API and the page.

    Both APIs answer only what carries CloudFront's secret. Without ``domains`` their default endpoints stay reachable,
    because CloudFront itself has no other way to them.
    """

    web_acl: bool = True
    requests_per_five_minutes: int = Field(default=2_000, ge=10)
    """Of one address, after which WAF refuses it for a while. Offices and mobile carriers share addresses."""
    guest_tokens_per_five_minutes: int = Field(default=100, ge=10)
    """Of one address: a shopper needs one an hour, an office or a mobile carrier's gateway many."""
    counted_rules: tuple[str, ...] = ()
    """Rules of AWS's common set that only count, where they have refused shoppers wrongly."""
    domains: Domains | None = None

    @model_validator(mode="after")
    def _guest_tokens_are_the_narrower_gate(self) -> Self:
        if self.guest_tokens_per_five_minutes > self.requests_per_five_minutes:
            raise ValueError(
                "guest_tokens_per_five_minutes is above requests_per_five_minutes: it would never count"
            )
        return self


class Identity(Settings):
    """Sign-in with a Cognito user pool; guests come in without it."""

    mfa: Literal["optional", "required"] = "optional"
    """By an authenticator app; text messages can be redirected."""
    threat_protection: bool = False
    """Refuses leaked passwords and challenges unusual sign-ins; Cognito's Plus plan, paid per active shopper."""
    access_token_minutes: int = Field(default=60, ge=5, le=1_440)
    refresh_token_days: int = Field(default=30, ge=1, le=365)
    return_urls: tuple[str, ...] = ()
    """Where a sign-in may return to, beside the page under its own domain."""


class Alerting(Settings):
    """Who hears of an alarm, and where its runbook is read."""

    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Subscribed to every severity when set; pager integrations subscribe to the topics by themselves."""
    runbook_base: str = "docs/runbooks"
    """Prefix of the runbook links in alarm descriptions: a path of the repository, or its address on the web."""
    monthly_budget_usd: int | None = Field(default=None, gt=0)


class Observability(Settings):
    """Dashboards, and alarms on everything that AWS and the product report."""

    anomaly_detection: bool = False
    """Alarms on what is unusual. They learn from two weeks of real traffic, which only a shop that is open has."""


class LogArchive(Settings):
    """Logs in a bucket, after their hot days in CloudWatch (SEC-7)."""

    years: int = Field(default=7, ge=1)


class Audit(Settings):
    """CloudTrail and Config rules, for an account that this environment has for itself."""

    archive_years: int = Field(default=7, ge=1)


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
    def _endpoints_have_one_owner(self) -> Self:
        if self.models is not None and (self.intent_endpoint or self.rerank_endpoint):
            raise ValueError("models and an endpoint served elsewhere: the chat could ask only one of them")
        return self

    @model_validator(mode="after")
    def _token_ends_before_session(self) -> Self:
        if self.guest_token_ttl_seconds > self.session_ttl_seconds:
            raise ValueError(
                "guest_token_ttl_seconds is above session_ttl_seconds: the token would outlive its session"
            )
        return self

    @model_validator(mode="after")
    def _provisioned_fits_reserved(self) -> Self:
        reserved, provisioned = self.message_reserved_concurrency, self.message_provisioned_concurrency
        if reserved is not None and provisioned is not None and provisioned > reserved:
            raise ValueError(
                f"message_provisioned_concurrency={provisioned} is above the reserved {reserved}"
            )
        return self

    @model_validator(mode="after")
    def _warm_ceiling_fits_reserved(self) -> Self:
        reserved, base = self.message_reserved_concurrency, self.message_provisioned_concurrency
        if base is None:
            return self
        if reserved is not None and self.capacity.message_ceiling > reserved:
            raise ValueError(
                f"capacity.message_ceiling={self.capacity.message_ceiling} is above the reserved {reserved}"
            )
        if base > self.capacity.message_ceiling:
            raise ValueError(
                f"message_provisioned_concurrency={base} is above capacity.message_ceiling"
                f"={self.capacity.message_ceiling}"
            )
        return self

    @model_validator(mode="after")
    def _cache_is_inside_a_network(self) -> Self:
        if self.cache is not None and self.network is None:
            raise ValueError("cache without network: Valkey is reached from inside a VPC only")
        return self

    @model_validator(mode="after")
    def _catalogue_is_inside_a_network(self) -> Self:
        if self.catalogue is None:
            return self
        if self.network is None:
            raise ValueError("catalogue without network: its load balancer is reached from inside a VPC only")
        if self.catalogue.certificate_arn:
            _, _, _, region, owner, _ = self.catalogue.certificate_arn.split(":", 5)
            if region != self.region:
                raise ValueError(
                    f"catalogue.certificate_arn is in {region}: the load balancer looks for it in {self.region}"
                )
            if self.account not in (None, owner):
                raise ValueError(
                    f"catalogue.certificate_arn is of {owner}, and this account is {self.account}"
                )
        return self

    @model_validator(mode="after")
    def _partners_are_asked_over_tls(self) -> Self:
        if self.name != "local" and (
            plain := [url for url in self.partners.urls if not url.startswith("https://")]
        ):
            raise ValueError(f"partners: {plain[0]} is not https; credentials and orders travel there")
        return self

    @model_validator(mode="after")
    def _replicas_are_elsewhere(self) -> Self:
        if self.region in self.replica_regions or len(set(self.replica_regions)) < len(self.replica_regions):
            raise ValueError(
                f"replica_regions={self.replica_regions}: each another region than {self.region}, once"
            )
        return self

    @model_validator(mode="after")
    def _certificates_are_where_they_are_looked_for(self) -> Self:
        if self.domains is None:
            return self
        _, _, _, region, owner, _ = self.domains.api_certificate_arn.split(":", 5)
        if region != self.region:
            raise ValueError(f"api_certificate_arn is in {region}: API Gateway looks for it in {self.region}")
        owners = {owner, self.domains.page_certificate_arn.split(":")[4], self.account or owner}
        if self.domains.standby_certificate_arn:
            _, _, _, other, standby_owner, _ = self.domains.standby_certificate_arn.split(":", 5)
            if other not in (*self.replica_regions, self.region if self.standby_of else None):
                raise ValueError(
                    f"standby_certificate_arn is in {other}: no replica of {self.name} is there "
                    f"({', '.join(self.replica_regions) or 'it has none'})"
                )
            owners.add(standby_owner)
        if len(owners) > 1:
            raise ValueError(f"certificates and account differ: {', '.join(sorted(owners))}")
        return self

    @model_validator(mode="after")
    def _production_is_safe(self) -> Self:
        if self.name != "prod":
            return self
        guarded = self.protection
        if not (guarded.retain and guarded.deletion_protection and guarded.point_in_time_recovery):
            raise ValueError(
                "prod keeps its data: retain, deletion_protection and point_in_time_recovery must be on"
            )
        if self.log_retention_days < 90:
            raise ValueError("prod logs stay 90 days or longer (SEC-7)")
        if not self.operations_key:
            raise ValueError(
                "prod encrypts its logs and queues with a key of its own: set operations_key (SEC-5)"
            )
        if self.standby_of is not None:
            # The rest is the primary's: its edge stands in front of both, its vault keeps the tables of both.
            return self
        if self.search.min_ocu < 2 and self.profile != "lean":
            raise ValueError("prod search must not scale to zero: set search.min_ocu to 2 or more")
        if self.backups is None or not self.backups.locked:
            raise ValueError("prod keeps backups in a locked vault: set backups with locked=True (IAC-4)")
        if self.models and min(self.models.intent.min_instances, self.models.reranker.min_instances) < 2:
            raise ValueError(
                "prod endpoints need min_instances of 2 or more: a canary is at most half of them"
            )
        if self.catalogue and self.catalogue.min_tasks < 2:
            raise ValueError("prod runs two tasks of the catalogue or more, one in each zone: set min_tasks")
        if self.edge is None or not self.edge.web_acl:
            raise ValueError("prod is reached through the edge only: set edge with its web ACL (SEC-5)")
        if self.identity is None or not self.identity.threat_protection:
            raise ValueError("prod has sign-in under threat protection: set identity (SEC-1)")
        if self.secret_rotation_days is None:
            raise ValueError("prod rotates its secrets: set secret_rotation_days (SEC-6)")
        return self

    @model_validator(mode="after")
    def _host_bundles_stay_local(self) -> Self:
        if self.bundle_for == "host" and self.name != "local":
            raise ValueError(
                "bundle_for='host' is for environment local: Lambda has its own interpreter (the twin takes any "
                "environment through on_this_machine)"
            )
        return self


_DISPOSABLE: Final = DataProtection(retain=False, deletion_protection=False, point_in_time_recovery=False)
_RECOVERABLE: Final = DataProtection(retain=False, deletion_protection=False, point_in_time_recovery=True)
_PERMANENT: Final = DataProtection(retain=True, deletion_protection=True, point_in_time_recovery=True)

ENVIRONMENTS: Final[Mapping[str, EnvironmentSettings]] = MappingProxyType(
    {
        settings.name: settings
        for settings in (
            EnvironmentSettings(
                name="local",
                bundle_for="host",
                log_level="DEBUG",
                log_retention_days=1,
                protection=_DISPOSABLE,
                search=SearchCapacity(min_ocu=0, max_ocu=2),
                intent_endpoint="mangaassist-local-intent",
                rerank_endpoint="mangaassist-local-reranker",
                personalize=Personalize(
                    user_campaign="mangaassist-local-user", similar_campaign="mangaassist-local-similar"
                ),
                message_provisioned_concurrency=1,
                capacity=Capacity(
                    calendar_share_percent=25,
                    endpoints_elsewhere=4,
                    throughput=(Throughput(model_id="amazon.nova-lite-v1:0", commitment="none"),),
                ),
                websocket_throttle=Throttle(rate_per_second=1_000, burst=500),
                http_throttle=Throttle(rate_per_second=100, burst=50),
            ),
            EnvironmentSettings(
                name="dev",
                log_level="DEBUG",
                log_retention_days=7,
                protection=_DISPOSABLE,
                message_memory_mb=1_024,
                capacity=Capacity(calendar_share_percent=1, business_hours=False),
                search=SearchCapacity(min_ocu=0, max_ocu=2),
                bedrock=BedrockControls(),
                edge=Edge(),
                identity=Identity(),
                secret_rotation_days=30,
                alerting=Alerting(monthly_budget_usd=300),
                observability=Observability(),
                websocket_throttle=Throttle(rate_per_second=50, burst=100),
                http_throttle=Throttle(rate_per_second=10, burst=20),
            ),
            EnvironmentSettings(
                name="staging",
                log_retention_days=30,
                protection=_RECOVERABLE,
                capacity=Capacity(calendar_share_percent=10, business_hours=False),
                search=SearchCapacity(min_ocu=0, max_ocu=8),
                network=Network(nat_gateways=1),
                cache=CacheLimits(max_storage_gb=2, max_ecpu_per_second=5_000),
                backups=Backups(),
                models=ModelServing(
                    intent=EndpointFleet(instance_type="ml.inf2.xlarge", min_instances=1, max_instances=2),
                    reranker=EndpointFleet(instance_type="ml.g6.xlarge", min_instances=1, max_instances=2),
                ),
                catalogue=Catalogue(cpu=256, memory_mb=512, min_tasks=1, max_tasks=2),
                bedrock=BedrockControls(),
                edge=Edge(),
                identity=Identity(threat_protection=True),
                secret_rotation_days=30,
                alerting=Alerting(monthly_budget_usd=6_000),
                operations_key=True,
                observability=Observability(),
                websocket_throttle=Throttle(rate_per_second=500, burst=1_000),
                http_throttle=Throttle(rate_per_second=50, burst=100),
            ),
            EnvironmentSettings(
                name="prod",
                log_retention_days=90,
                protection=_PERMANENT,
                message_reserved_concurrency=500,
                message_provisioned_concurrency=5,
                search=SearchCapacity(min_ocu=2, max_ocu=16),
                network=Network(nat_gateways=2),
                cache=CacheLimits(max_storage_gb=50, max_ecpu_per_second=100_000),
                replica_regions=("us-west-2",),
                backups=Backups(locked=True),
                models=ModelServing(
                    intent=EndpointFleet(instance_type="ml.inf2.xlarge", min_instances=2, max_instances=8),
                    reranker=EndpointFleet(instance_type="ml.g6.xlarge", min_instances=2, max_instances=8),
                ),
                catalogue=Catalogue(cpu=1_024, memory_mb=2_048, min_tasks=2, max_tasks=12),
                bedrock=BedrockControls(),
                edge=Edge(requests_per_five_minutes=2_000, guest_tokens_per_five_minutes=100),
                identity=Identity(mfa="required", threat_protection=True),
                secret_rotation_days=30,
                alerting=Alerting(monthly_budget_usd=60_000),
                operations_key=True,
                observability=Observability(anomaly_detection=True),
                log_archive=LogArchive(years=7),
                audit=Audit(archive_years=7),
                websocket_throttle=Throttle(rate_per_second=2_000, burst=4_000),
                http_throttle=Throttle(rate_per_second=200, burst=400),
            ),
        )
    }
)


def environment_named(name: str, profile: str = "standard") -> EnvironmentSettings:
    """The settings of environment ``name``.

    Raises:
        UnknownEnvironment: there is none of that name.
        UnknownProfile: ``profile`` is neither ``standard`` nor ``lean``.
    """
    if name not in ENVIRONMENTS:
        raise UnknownEnvironment(name)
    if profile not in PROFILES:
        raise UnknownProfile(profile)
    return lean(ENVIRONMENTS[name]) if profile == "lean" else ENVIRONMENTS[name]


def on_this_machine(settings: EnvironmentSettings) -> EnvironmentSettings:
    """``settings`` with layers built for this machine's interpreter and nothing else changed, for the local twin.

    The one way around the rule that only ``local`` may say so: a copy, which is not validated again. AWS could not run
    what comes of it, so nobody writes it into an environment; ``app.py`` asks for it when it renders for the twin.
    """
    return settings.model_copy(update={"bundle_for": "host"})


def lean(settings: EnvironmentSettings) -> EnvironmentSettings:
    """``settings`` without what costs while nobody asks anything (CAP-6).

    The price: no private network, so functions reach AWS over the internet by signed requests; no shared cache; intents
    end with the rules and search's own order stands, as there is no model of ours; products come from the index and the
    table, as no catalogue service runs; the first question after ten idle
    minutes waits 10-30 s for search. What protects data stays: keys, backups, replicas, the edge.
    """
    changes: dict[str, object] = {
        "profile": "lean",
        "network": None,
        "cache": None,
        "models": None,
        "catalogue": None,
        "message_provisioned_concurrency": None,
        "search": settings.search.model_copy(update={"min_ocu": 0}),
        "capacity": settings.capacity.model_copy(update={"business_hours": False, "throughput": ()}),
    }
    kept = {name: getattr(settings, name) for name in EnvironmentSettings.model_fields}
    return EnvironmentSettings.model_validate(kept | changes)


def standby(settings: EnvironmentSettings, region: str) -> EnvironmentSettings:
    """``settings`` as they wait in ``region`` for the primary to be lost: a pilot light (RES-7).

    Lean, and without what belongs to the primary or to the account: the edge, the page, rotation, backups, dashboards,
    audit. Sign-in stays behind, as user pools are of one region; shoppers go on as guests. Campaigns and keys of the
    organisation are named by ARNs of the primary's region and are left out, too.

    Raises:
        NoStandby: nothing is replicated to that region, or the names have no certificate there.
    """
    if region not in settings.replica_regions:
        raise NoStandby(
            f"{settings.name} has no replica in {region}: its replica_regions are "
            f"{', '.join(settings.replica_regions) or 'none'}"
        )
    waiting = lean(settings)
    edge = waiting.edge
    if edge and edge.domains:
        certificate = edge.domains.standby_certificate_arn
        if certificate is None or certificate.split(":")[3] != region:
            raise NoStandby(
                f"{settings.name}.domains has names but no standby_certificate_arn for them in {region} "
                "(deployment.example.toml)"
            )
        names = edge.domains.model_copy(update={"api_certificate_arn": certificate})
        edge = edge.model_copy(update={"domains": names})
    changes: dict[str, object] = {
        "region": region,
        "standby_of": settings.region,
        "replica_regions": (),
        "edge": edge,
        "backups": None,
        "identity": None,
        "secret_rotation_days": None,
        "observability": None,
        "log_archive": None,
        "audit": None,
        "personalize": Personalize(),
        "partners": settings.partners.model_copy(update={"credential_key_arn": None}),
    }
    kept = {name: getattr(waiting, name) for name in EnvironmentSettings.model_fields}
    return EnvironmentSettings.model_validate(kept | changes)
