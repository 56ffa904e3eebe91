"""Findings that we live with in what the primary and the standby both have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs import IConstruct

from stacks.alerts import AlertsStack
from stacks.checks.acknowledge import acknowledge, logical_id

if TYPE_CHECKING:
    from stacks.chat import ChatStack
    from stacks.model_policy import ModelPolicyStack


def acknowledge_model_policy(policy: ModelPolicyStack) -> None:
    """Record the exceptions of the model policy's stack."""
    acknowledge(
        policy.seed.role,
        f"AwsSolutions-IAM5[Resource::arn:aws:appconfig:{policy.region}:<AWS::AccountId>:application/"
        f"<{logical_id(policy.application)}>/environment/<{logical_id(policy.policy_environment)}>/deployment/*]",
        "watches the one deployment it starts, whose number AppConfig makes",
    )


def acknowledge_chat(chat: ChatStack) -> None:
    """Record the exceptions of the chat's stack."""
    for key, route in chat.websocket.routes.items():
        if key != "$connect":
            acknowledge(
                route,
                "AwsSolutions-APIG4",
                "API Gateway runs WebSocket authorizers on $connect only; the connection keeps the identity it got there",
            )
    if chat.settings.domains is None:
        reason = (
            "without names of our own CloudFront has no other way to the APIs; functions at the door refuse what lacks its "
            "secret"
            if chat.settings.edge
            else "the twin has no edge and no other way in"
        )
        for api in (chat.websocket.api, chat.http.api):
            acknowledge(api, "MangaAssist::MangaAssist-DefaultEndpointsClosed", reason)
    acknowledge(
        chat.guest_token_route,
        "AwsSolutions-APIG4",
        "this is where somebody without an identity gets one; the stage is throttled",
    )
    acknowledge(
        chat.websocket.log_role,
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
        "AmazonAPIGatewayPushToCloudWatchLogs]",
        "API Gateway accepts no narrower role: it uses one per account and region for the logs of every API",
    )
    if chat.rotation is None:
        acknowledge(
            chat.secret, "AwsSolutions-SMG4", "the twin is made anew with every start, its secrets too"
        )
    if chat.origin_secret is not None:
        acknowledge(
            chat.origin_secret,
            "AwsSolutions-SMG4",
            "rotated by the schedule of the Web stack, where the distribution is that has to send the new value",
        )
    acknowledge(
        chat.message.role,
        f"AwsSolutions-IAM5[Resource::arn:aws:execute-api:{chat.region}:<AWS::AccountId>:"
        f"<{logical_id(chat.websocket.api)}>/live/POST/@connections/*]",
        "connection ids are made by API Gateway at run time",
    )


def acknowledge_alerts(app: IConstruct) -> None:
    """Record the exceptions of the topics in every region of ``app``."""
    for node in app.node.find_all():
        if isinstance(node, AlertsStack):
            acknowledge(
                node.undelivered,
                "AwsSolutions-SQS3",
                "is itself where undelivered alarms end; an alarm watches its depth",
            )
