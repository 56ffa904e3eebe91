"""The ingest function's share of ``mangaassist.wiring``: joins the run to its adapters, each imported on first use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mangaassist.catalogue.settings import IngestSettings

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from mangaassist.catalogue.ingestion import RunReport
    from mangaassist.catalogue.ports import FeedObject
    from mangaassist.ports import PolicySource


async def ingest(feed: FeedObject) -> RunReport:
    """Ingest one file with the embedding model of the policy in force, the same for the whole run."""
    from mangaassist.adapters.bedrock_embedding import BedrockDocumentEmbedder
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.dynamodb_catalogue import DynamoDBCatalogue
    from mangaassist.adapters.opensearch_index import OpenSearchCatalogueIndex
    from mangaassist.adapters.s3_feed import S3Feeds
    from mangaassist.catalogue.documents import VectorMapping, index_name
    from mangaassist.catalogue.ingestion import Ingestion

    settings = IngestSettings.load()
    embedding = (await policies().current()).embedding
    return await Ingestion(
        feeds=S3Feeds(client("s3", read_timeout_seconds=30.0, attempts=4)),
        catalogue=DynamoDBCatalogue(client("dynamodb", attempts=6), settings.catalogue_table),
        index=OpenSearchCatalogueIndex(
            search(),
            name=index_name(embedding.model_id, embedding.dimensions),
            alias=settings.search_alias,
            vectors=VectorMapping(
                embedding.dimensions,
                m=settings.vector_m or None,
                ef_construction=settings.vector_ef_construction or None,
                compression_level=settings.vector_compression_level or None,
            ),
        ),
        # Nobody waits for a feed: throttled embedding calls are given time, with the SDK's backoff and jitter.
        embedder=BedrockDocumentEmbedder(
            client("bedrock-runtime", read_timeout_seconds=20.0, attempts=8),
            concurrency=settings.embedding_concurrency,
        ),
        embedding=embedding,
        store_url=settings.store_url,
        visibility_timeout_seconds=settings.visibility_timeout_seconds,
    ).run(feed)


@cache
def policies() -> PolicySource:
    """The model policy, which names the embedding model."""
    from mangaassist.adapters.appconfig_policy import AppConfigPolicySource

    settings = IngestSettings.load()
    return AppConfigPolicySource(
        application=settings.policy_application,
        environment=settings.policy_environment,
        profile=settings.policy_profile,
    )


@cache
def search() -> OpenSearch:
    """The collection; a writer waits longer than a reader would."""
    from mangaassist.adapters.opensearch_search import connect

    return connect(IngestSettings.load().search_endpoint, timeout_seconds=30.0)
