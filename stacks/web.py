"""The page: a private bucket behind CloudFront, which also fronts the HTTP API so that the page has one origin."""

from __future__ import annotations

from aws_cdk import CfnOutput, CustomResource, Duration, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from mangaassist.identity.origin import HEADER as ORIGIN_HEADER
from stacks.chat import ChatStack
from stacks.constructs.api_domain import record
from stacks.constructs.bundling import ROOT
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.secret_rotation import SecretRotation
from stacks.constructs.websocket_api import STAGE
from stacks.edge import EdgeStack
from stacks.environments import EnvironmentSettings

PROTOCOL_VERSION = 3
DISTRIBUTION_ID_OUTPUT = "DistributionId"


class WebStack(EnvironmentStack):
    """Publishes ``web/`` together with a ``config.json`` that tells the page where to connect."""

    def __init__(
        self, scope: Construct, *, settings: EnvironmentSettings, chat: ChatStack, edge: EdgeStack | None
    ) -> None:
        super().__init__(scope, "Web", settings=settings, description="The demo page and the chat widget")
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            # Everybody may read the page; a key of ours would keep it from nobody, and its policy would have to name
            # the distribution, which names the bucket.
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            # A release that broke the page, or somebody who emptied the bucket, is undone by the version before.
            versioned=True,
            removal_policy=self.removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="forget-versions",
                    noncurrent_version_expiration=Duration.days(30),
                    expired_object_delete_marker=True,
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
        )
        self.distribution = self._distribution(settings, chat, edge)
        domain = settings.domains.page if settings.domains else self.distribution.distribution_domain_name
        websocket_url = f"wss://{domain}/{STAGE}" if edge else chat.websocket.url
        self._publish(settings, websocket_url)
        self.rotation = self._rotation(settings, chat, edge)
        if settings.domains and settings.domains.hosted_zone:
            record(
                self,
                settings.domains.page,
                settings.domains.hosted_zone,
                targets.CloudFrontTarget(self.distribution),
            )
        CfnOutput(self, "WebBucketName", value=self.bucket.bucket_name)
        CfnOutput(self, "PageUrl", value=f"https://{domain}/")
        CfnOutput(self, "ChatUrl", value=websocket_url)
        CfnOutput(self, DISTRIBUTION_ID_OUTPUT, value=self.distribution.distribution_id)

    def _distribution(
        self, settings: EnvironmentSettings, chat: ChatStack, edge: EdgeStack | None
    ) -> cloudfront.Distribution:
        domains = settings.domains
        behaviors = {"/v1/*": self._to_api(chat.http.host, chat, cloudfront.AllowedMethods.ALLOW_ALL)}
        if edge:
            # A handshake is a GET. CloudFront passes its headers on, and then the bytes in both directions.
            behaviors[f"/{STAGE}"] = self._to_api(
                chat.websocket.host, chat, cloudfront.AllowedMethods.ALLOW_GET_HEAD
            )
        return cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"MangaAssist {settings.name}",
            default_root_object="index.html",
            # CloudFront decides for its own domain.
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021 if domains else None,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            domain_names=[domains.page] if domains else None,
            certificate=acm.Certificate.from_certificate_arn(
                self, "Certificate", domains.page_certificate_arn
            )
            if domains
            else None,
            web_acl_id=edge.web_acl_arn(self) if edge else None,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(self.bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                response_headers_policy=self._security_headers(settings, chat),
            ),
            additional_behaviors=behaviors,
        )

    def _to_api(
        self, host: str, chat: ChatStack, methods: cloudfront.AllowedMethods
    ) -> cloudfront.BehaviorOptions:
        # CloudFormation puts the value in at deployment; no template and no log ever holds it.
        proof = chat.origin_secret.secret_value.unsafe_unwrap() if chat.origin_secret else None
        return cloudfront.BehaviorOptions(
            origin=origins.HttpOrigin(
                host,
                origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                custom_headers={ORIGIN_HEADER: proof} if proof else None,
            ),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=methods,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            # API Gateway recognizes an API by the host it is called at.
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        )

    def _rotation(
        self, settings: EnvironmentSettings, chat: ChatStack, edge: EdgeStack | None
    ) -> SecretRotation | None:
        days = settings.secret_rotation_days
        if days is None or edge is None or chat.origin_secret_arn is None:
            return None
        rotation = SecretRotation(
            self,
            "OriginSecretRotation",
            settings=settings,
            folder="rotate_origin_secret",
            description="Gives CloudFront a new secret to prove itself with",
            days=days,
            secret_arn=chat.origin_secret_arn,
            key=chat.secret_key,
            variables={"DISTRIBUTION_ID": self.distribution.distribution_id},
        )
        rotation.function.allow(
            "cloudfront:GetDistributionConfig",
            "cloudfront:UpdateDistribution",
            on=[self.distribution.distribution_arn],
        )
        acl = edge.web_acl_arn(self)
        if acl is not None:
            # CloudFront asks whether the caller may see the web ACL that the distribution keeps.
            rotation.function.allow("wafv2:GetWebACL", on=[acl])
        return rotation

    def _security_headers(
        self, settings: EnvironmentSettings, chat: ChatStack
    ) -> cloudfront.ResponseHeadersPolicy:
        # Behind the edge the WebSocket is of the page's own origin; older browsers want it named all the same.
        if settings.edge is None:
            websocket = [chat.websocket.url]
        else:
            websocket = [f"wss://{settings.domains.page}"] if settings.domains else []
        # The page states the same for itself; only a header can forbid framing and name this very WebSocket.
        policy = {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": " ".join(["'self'", *websocket]),
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        return cloudfront.ResponseHeadersPolicy(
            self,
            "SecurityHeaders",
            response_headers_policy_name=f"{settings.resource_prefix}-page",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy="; ".join(f"{name} {value}" for name, value in policy.items()),
                    override=True,
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.STRICT_ORIGIN_WHEN_CROSS_ORIGIN,
                    override=True,
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(365), include_subdomains=True, override=True
                ),
            ),
        )

    def _publish(self, settings: EnvironmentSettings, websocket_url: str) -> None:
        page = s3_assets.Asset(self, "Page", path=str(ROOT / "web"), exclude=[".*"])
        self.publisher = PythonFunction(
            self,
            "WebPublish",
            settings=settings,
            folder="web_publish",
            description="Copies the page into its bucket",
            timeout_seconds=120,
        )
        self.publisher.allow("s3:GetObject", on=[page.bucket.arn_for_objects(page.s3_object_key)])
        self.publisher.allow("s3:PutObject", "s3:DeleteObject", on=[self.bucket.arn_for_objects("*")])
        self.publisher.allow("s3:ListBucket", on=[self.bucket.bucket_arn])
        resource = CustomResource(
            self,
            "PublishedPage",
            resource_type="Custom::PublishedPage",
            service_token=self.publisher.alias.function_arn,
            # Without it a function that cannot even start keeps the deploy waiting for an hour.
            service_timeout=Duration.minutes(5),
            properties={
                "SourceBucket": page.s3_bucket_name,
                "SourceKey": page.s3_object_key,
                "TargetBucket": self.bucket.bucket_name,
                "Config": Stack.of(self).to_json_string(
                    {
                        "environment": settings.name,
                        "websocket_url": websocket_url,
                        "api_base": "",
                        "protocol_version": PROTOCOL_VERSION,
                    }
                ),
            },
        )
        resource.node.add_dependency(self.publisher.role)
