"""The only place that joins the domain to AWS: one builder per collaborator, made once per execution environment.

Every builder imports the adapter it needs inside itself, so that importing this module costs nothing and each
function pays for what it uses alone.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from mangaassist import metrics
from mangaassist.observability import count, logger
from mangaassist.settings import MessageSettings, SessionSettings

if TYPE_CHECKING:
    from mangaassist.adapters.dynamodb_sessions import DynamoDBSessions
    from mangaassist.adapters.partner_http import PartnerHttp
    from mangaassist.chat.service import ChatService
    from mangaassist.chat.shelf import Services
    from mangaassist.ports import FrameChannel, ProvisionedModels
    from mangaassist.store.ports import Pricing, Products, Promotions, Recommender, Reviews


@cache
def sessions() -> DynamoDBSessions:
    """The session store of ``connect``, ``disconnect`` and ``message``."""
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.dynamodb_sessions import DynamoDBSessions

    settings = SessionSettings.load()
    return DynamoDBSessions(
        # Milliseconds in a good hour: a turn has no time for a longer wait, and two attempts at it.
        client("dynamodb", read_timeout_seconds=2.0),
        settings.sessions_table,
        ttl_seconds=settings.session_ttl_seconds,
    )


def channel(connection_id: str) -> FrameChannel:
    """The socket of one client of this stage."""
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.websocket_channel import WebSocketChannel

    endpoint = MessageSettings.load().management_endpoint
    return WebSocketChannel(
        # Delivery repeats what failed; 2 s leave an error frame its place before the gateway's 29 s.
        client("apigatewaymanagementapi", endpoint_url=endpoint, read_timeout_seconds=2.0, attempts=1),
        connection_id,
    )


@cache
def chat_service() -> ChatService:
    """Everything the ``message`` function is made of."""
    from mangaassist.adapters.appconfig_policy import AppConfigPolicySource
    from mangaassist.adapters.bedrock_embedding import BedrockEmbedder
    from mangaassist.adapters.bedrock_models import BedrockLanguageModel
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.lambda_judge import LambdaJudge
    from mangaassist.adapters.opensearch_search import OpenSearchChunks, connect
    from mangaassist.adapters.sagemaker_intents import SageMakerIntents
    from mangaassist.adapters.sagemaker_reranker import SageMakerReranker
    from mangaassist.chat.groundwork import Groundwork
    from mangaassist.chat.promotions import PromotionAnswers
    from mangaassist.chat.service import ChatService
    from mangaassist.chat.shelf import Shelves
    from mangaassist.chat.suggestions import Suggestions
    from mangaassist.chat.turn import TurnStory
    from mangaassist.chat.understanding import Understanding
    from mangaassist.retrieval.reranking import Reranking
    from mangaassist.retrieval.retriever import Retriever

    settings = MessageSettings.load()
    shelves = Shelves(lambda: _store(settings), on_missing=_store_missed)
    policies = AppConfigPolicySource(
        application=settings.policy_application,
        environment=settings.policy_environment,
        profile=settings.policy_profile,
    )
    # One attempt: a turn's own fallback chain is quicker and cheaper than a silent retry of the same model.
    bedrock = client("bedrock-runtime", read_timeout_seconds=25.0, attempts=1)
    classifier = (
        SageMakerIntents(
            client("sagemaker-runtime", read_timeout_seconds=1.0, attempts=1), settings.intent_endpoint
        )
        if settings.intent_endpoint
        else None
    )
    reranking = (
        Reranking(
            SageMakerReranker(
                # Nobody waits for an answer past the budget, so its thread need not linger much longer either.
                client(
                    "sagemaker-runtime",
                    read_timeout_seconds=2 * settings.rerank_budget_ms / 1000,
                    attempts=1,
                ),
                settings.rerank_endpoint,
            ),
            budget_ms=settings.rerank_budget_ms,
            on_fallback=_reranker_fell_back,
        )
        if settings.rerank_endpoint
        else None
    )
    return ChatService(
        sessions=sessions(),
        story=TurnStory(
            groundwork=Groundwork(
                understanding=Understanding(classifier, on_fallback=_classifier_fell_back),
                retriever=Retriever(
                    embedder=BedrockEmbedder(client("bedrock-runtime", read_timeout_seconds=3.0), policies),
                    search=OpenSearchChunks(connect(settings.search_endpoint), settings.search_alias),
                    reranking=reranking,
                ),
                suggestions=Suggestions(
                    shelves, store_url=settings.store_url, on_fallback=_suggestions_fell_back
                ),
                shelves=shelves,
            ),
            shelves=shelves,
            promotions=PromotionAnswers(shelves, store_url=settings.store_url),
            policies=policies,
            model=BedrockLanguageModel(bedrock, json.loads(settings.model_profiles or "{}")),
            judge=LambdaJudge(
                client("lambda", read_timeout_seconds=5.0, attempts=1), settings.guardrail_function
            ),
            on_fallback=_model_fell_back,
            provisioned=_provisioned(settings),
            on_overflow=_model_overflowed,
        ),
        deadline_ms=settings.deadline_ms,
        session_ttl_seconds=settings.session_ttl_seconds,
        on_turn_failed=_turn_failed,
    )


def warm_up() -> None:
    """Make everything that the first turn of this environment would make; asks no service."""
    chat_service().story.shelves.open()


def _store(settings: MessageSettings) -> Services:
    from mangaassist.chat.shelf import Services
    from mangaassist.store.unconnected import NoPricing, NoProducts, NoPromotions, NoReviews

    products: Products = NoProducts()
    if settings.catalogue_target:
        from mangaassist.adapters.grpc_catalogue import GrpcProducts, connect
        from mangaassist.observability import current_request_id
        from mangaassist.resilience.breaker import ConsecutiveFailures

        channel = connect(settings.catalogue_target, tls=settings.catalogue_tls == "true")
        products = GrpcProducts(channel, request_id=current_request_id, breaker=ConsecutiveFailures())
    pricing: Pricing = NoPricing()
    if http := _partner(settings, settings.partner_pricing_url, settings.partner_pricing_credential_secret):
        from mangaassist.adapters.partner_pricing import HttpPricing

        pricing = HttpPricing(http)
    reviews: Reviews = NoReviews()
    if http := _partner(settings, settings.partner_reviews_url, settings.partner_reviews_credential_secret):
        from mangaassist.adapters.partner_reviews import HttpReviews

        reviews = HttpReviews(http)
    promotions: Promotions = NoPromotions()
    if http := _partner(
        settings, settings.partner_promotions_url, settings.partner_promotions_credential_secret
    ):
        from mangaassist.adapters.partner_promotions import HttpPromotions

        promotions = HttpPromotions(http)
    return Services(products, pricing, reviews, promotions, _recommender(settings))


def _recommender(settings: MessageSettings) -> Recommender | None:
    """What is not deployed is not missed: popular titles are all there is then."""
    if settings.personalize_user_campaign is None and settings.personalize_similar_campaign is None:
        return None
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.personalize_runtime import Campaigns, PersonalizeRuntime
    from mangaassist.resilience.breaker import ConsecutiveFailures
    from mangaassist.resilience.guarded import Guarded
    from mangaassist.resilience.retrying import Retrying

    campaigns = Campaigns(
        user=settings.personalize_user_campaign, similar=settings.personalize_similar_campaign
    )
    return PersonalizeRuntime(
        # Nobody waits for it longer; a thread that hangs must be free again for the next question.
        client("personalize-runtime", read_timeout_seconds=0.5, attempts=1),
        campaigns,
        # Popular titles are at hand, and quicker than a second attempt.
        Guarded(Retrying(attempts=1), ConsecutiveFailures()),
    )


def _partner(settings: MessageSettings, own_url: str | None, own_secret: str | None) -> PartnerHttp | None:
    """The client of one partner; those at one address share it."""
    url, secret = own_url or settings.partners_url, own_secret or settings.partners_credential_secret
    if url is None or secret is None:
        return None
    from mangaassist.adapters.partner_clients import partner_http

    return partner_http(url, secret)


def _provisioned(settings: MessageSettings) -> ProvisionedModels:
    if settings.capacity_table is None:
        from mangaassist.generation.provisioned import NothingProvisioned

        return NothingProvisioned()
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.dynamodb_capacity import DynamoDBProvisionedModels

    # A turn waits for this: with on demand at hand there is nothing worth a longer wait.
    return DynamoDBProvisionedModels(
        client("dynamodb", read_timeout_seconds=1.0, attempts=1), settings.capacity_table
    )


def _classifier_fell_back(reason: str) -> None:
    logger().warning("intent classifier unavailable; default intent used", reason=reason)
    count(metrics.INTENT_CLASSIFIER_FALLBACK, reason=reason)


def _reranker_fell_back(reason: str) -> None:
    logger().warning("reranker unavailable; search order kept", reason=reason)
    count(metrics.RERANKER_FALLBACK, reason=reason)


def _suggestions_fell_back(part: str, reason: str) -> None:
    logger().warning("suggestions are made without a part", part=part, reason=reason)
    from mangaassist.store.parts import RECOMMENDATIONS

    if part == RECOMMENDATIONS:
        count(metrics.RECOMMENDER_FALLBACK, reason=reason)


def _store_missed(service: str, reason: str) -> None:
    logger().warning(
        "a service of the store did not answer; its facts are left out", service=service, reason=reason
    )
    count(metrics.STORE_SERVICE_MISSED, service=service)


def _model_fell_back(fallback_from: str, fallback_to: str, reason: str) -> None:
    logger().warning("model fallback", fallback_from=fallback_from, fallback_to=fallback_to, reason=reason)
    count(metrics.MODEL_FALLBACK, fallback_from=fallback_from, fallback_to=fallback_to)


def _model_overflowed(tier: str, reason: str) -> None:
    logger().warning("provisioned capacity did not take a call; on demand did", tier=tier, reason=reason)
    count(metrics.THROUGHPUT_OVERFLOW, tier=tier)


def _turn_failed(response_id: str, error: BaseException) -> None:
    # The class and our own facts only: a foreign exception's text may quote what the shopper wrote.
    from mangaassist.errors import MangaAssistError

    detail = str(error) if isinstance(error, MangaAssistError) else ""
    logger().error("turn failed", response_id=response_id, error_type=type(error).__name__, detail=detail)
