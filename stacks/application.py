"""The stacks of one environment, in the order in which they build on each other."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import App

from stacks.alerts import AlertsStack
from stacks.audit import AuditStack
from stacks.backup import BackupStack
from stacks.bedrock import BedrockStack
from stacks.cache import CacheStack
from stacks.capacity import CapacityStack
from stacks.capacity_state import CapacityStateStack
from stacks.catalogue import CatalogueStack
from stacks.catalogue_images import CatalogueImagesStack
from stacks.chat import ChatStack
from stacks.edge import EDGE_REGION, EdgeStack
from stacks.edge_watch import EdgeWatchStack
from stacks.environments import EnvironmentSettings
from stacks.guardrail import GuardrailStack
from stacks.identity import IdentityStack
from stacks.ingest import IngestStack
from stacks.log_archive import LogArchiveStack
from stacks.model_policy import ModelPolicyStack
from stacks.model_registry import ModelRegistryStack
from stacks.models import ModelsStack
from stacks.network import NetworkStack
from stacks.observability import ObservabilityStack
from stacks.replica import ReplicaStack
from stacks.search import SearchStack
from stacks.sessions import SessionsStack
from stacks.web import WebStack


@dataclass(frozen=True, kw_only=True)
class MangaAssist:
    """The stacks of one environment."""

    alerts: AlertsStack
    network: NetworkStack | None
    cache: CacheStack | None
    replicas: tuple[ReplicaStack, ...]
    backup: BackupStack | None
    sessions: SessionsStack
    search: SearchStack
    policy: ModelPolicyStack
    bedrock: BedrockStack | None
    registry: ModelRegistryStack | None
    models: ModelsStack | None
    ingest: IngestStack
    catalogue_images: CatalogueImagesStack | None
    catalogue: CatalogueStack | None
    guardrail: GuardrailStack
    capacity_state: CapacityStateStack
    identity: IdentityStack | None
    chat: ChatStack
    edge: EdgeStack | None
    edge_watch: EdgeWatchStack | None
    capacity: CapacityStack
    web: WebStack
    observability: ObservabilityStack | None
    audit: AuditStack | None
    log_archive: LogArchiveStack | None


def build(app: App, settings: EnvironmentSettings) -> MangaAssist:
    """Add the stacks of one environment to ``app``."""
    alerts = AlertsStack(app, settings=settings)
    network = NetworkStack(app, settings=settings, network=settings.network) if settings.network else None
    cache = (
        CacheStack(app, settings=settings, limits=settings.cache, network=network)
        if settings.cache and network
        else None
    )
    replicas = tuple(
        ReplicaStack(app, settings=settings, region=region) for region in settings.replica_regions
    )
    sessions = SessionsStack(app, settings=settings)
    search = SearchStack(app, settings=settings, network=network)
    policy = ModelPolicyStack(app, settings=settings)
    bedrock = BedrockStack(app, settings=settings, controls=settings.bedrock) if settings.bedrock else None
    registry = ModelRegistryStack(app, settings=settings, models=settings.models) if settings.models else None
    models = (
        ModelsStack(app, settings=settings, models=settings.models, registry=registry, network=network)
        if settings.models and registry
        else None
    )
    ingest = IngestStack(app, settings=settings, search=search, policy=policy, network=network)
    catalogue_images = (
        CatalogueImagesStack(app, settings=settings)
        if settings.catalogue and settings.catalogue.image is None
        else None
    )
    catalogue = (
        CatalogueStack(
            app,
            settings=settings,
            catalogue=settings.catalogue,
            network=network,
            groups=network.catalogue,
            ingest=ingest,
            images=catalogue_images,
        )
        if settings.catalogue and network and network.catalogue
        else None
    )
    guardrail = GuardrailStack(app, settings=settings, ingest=ingest, network=network)
    capacity_state = CapacityStateStack(app, settings=settings)
    identity = (
        IdentityStack(app, settings=settings, identity=settings.identity) if settings.identity else None
    )
    chat = ChatStack(
        app,
        settings=settings,
        sessions=sessions,
        search=search,
        policy=policy,
        guardrail=guardrail,
        network=network,
        cache=cache,
        capacity=capacity_state,
        identity=identity,
    )
    capacity = CapacityStack(app, settings=settings, state=capacity_state, chat=chat, search=search)
    if catalogue is not None:
        capacity.add_stack_dependency(catalogue, "raises the tasks of the service, which it knows by name")
    edge = EdgeStack(app, settings=settings, edge=settings.edge) if settings.edge else None
    web = WebStack(app, settings=settings, chat=chat, edge=edge)
    edge_watch = EdgeWatchStack(app, settings=settings, edge=edge, web=web, chat=chat) if edge else None
    # Alarms tell topics of their own region only, and what the edge does is measured in one.
    edge_alerts = (
        AlertsStack(app, settings=settings, concern="EdgeAlerts", region=EDGE_REGION)
        if edge and settings.region != EDGE_REGION
        else alerts
    )
    for at_the_edge in filter(None, (edge, edge_watch)):
        at_the_edge.add_stack_dependency(
            edge_alerts, "its alarms tell the topics there, which they know by name"
        )
    backup = (
        BackupStack(
            app,
            settings=settings,
            backups=settings.backups,
            tables=(sessions.table, ingest.catalogue, capacity_state.table),
        )
        if settings.backups
        else None
    )
    for copied in (sessions, ingest, chat):
        for replica in replicas:
            copied.add_stack_dependency(
                replica, "its replicas need the key and the bucket over there, its health check the switch"
            )
    for stack in (
        sessions,
        search,
        policy,
        ingest,
        guardrail,
        chat,
        capacity,
        web,
        *filter(None, (cache, backup, models, catalogue)),
    ):
        stack.add_stack_dependency(alerts, "its alarms tell the topics there, which they know by name")
    observability = (
        ObservabilityStack(
            app,
            settings=settings,
            observability=settings.observability,
            sessions=sessions,
            search=search,
            ingest=ingest,
            guardrail=guardrail,
            chat=chat,
            catalogue=catalogue,
        )
        if settings.observability
        else None
    )
    # After all others, because it subscribes to every log group there is.
    log_archive = (
        LogArchiveStack(app, settings=settings, archive=settings.log_archive)
        if settings.log_archive
        else None
    )
    audit = (
        AuditStack(app, settings=settings, audit=settings.audit, sessions_table_arn=sessions.table.table_arn)
        if settings.audit
        else None
    )
    for stack in filter(None, (observability, log_archive, audit)):
        stack.add_stack_dependency(alerts, "its alarms tell the topics there, which they know by name")
    return MangaAssist(
        alerts=alerts,
        network=network,
        cache=cache,
        replicas=replicas,
        backup=backup,
        sessions=sessions,
        search=search,
        policy=policy,
        bedrock=bedrock,
        registry=registry,
        models=models,
        ingest=ingest,
        catalogue_images=catalogue_images,
        catalogue=catalogue,
        guardrail=guardrail,
        capacity_state=capacity_state,
        identity=identity,
        chat=chat,
        edge=edge,
        edge_watch=edge_watch,
        capacity=capacity,
        web=web,
        observability=observability,
        audit=audit,
        log_archive=log_archive,
    )
