"""The page: private behind CloudFront, one origin with the API, published with its configuration."""

from __future__ import annotations

import json

import pytest

from mangaassist.versions import CURRENT_VERSION
from tests.infrastructure.synthesized import Synthesized, readable


def _distribution(application: Synthesized) -> dict:
    return application.only("AWS::CloudFront::Distribution", "Web")["Properties"]["DistributionConfig"]


@pytest.mark.req("SEC-5")
def test_only_cloudfront_reads_the_bucket(application: Synthesized) -> None:
    statements = application.only("AWS::S3::BucketPolicy", "Web")["Properties"]["PolicyDocument"]["Statement"]
    (reader,) = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert reader["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert reader["Action"] == "s3:GetObject"
    assert "AWS:SourceArn" in reader["Condition"]["StringEquals"]
    assert application.only("AWS::CloudFront::OriginAccessControl", "Web")


def test_the_api_is_served_under_the_page_s_origin_and_never_cached(application: Synthesized) -> None:
    config = _distribution(application)
    (api,) = [found for found in config["CacheBehaviors"] if found["PathPattern"] == "/v1/*"]
    assert api["ViewerProtocolPolicy"] == "https-only"
    assert "POST" in api["AllowedMethods"]
    assert api["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "AWS's CachingDisabled"
    assert api["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader"
    (origin,) = [origin for origin in config["Origins"] if origin["Id"] == api["TargetOriginId"]]
    assert ".execute-api.us-east-1." in readable(origin["DomainName"])
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert config["DefaultRootObject"] == "index.html"


@pytest.mark.req("SEC-5")
def test_the_page_may_talk_to_its_own_origin_and_its_websocket_only(application: Synthesized) -> None:
    policy = application.only("AWS::CloudFront::ResponseHeadersPolicy", "Web")["Properties"]
    headers = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    text = readable(headers["ContentSecurityPolicy"]["ContentSecurityPolicy"])
    rules = dict(rule.split(" ", 1) for rule in text.split("; "))
    own, *websocket = rules["connect-src"].split(" ")
    assert own == "'self'"
    # Behind the edge the WebSocket is of the page's own origin.
    assert [url.startswith("wss://") for url in websocket] == ([] if application.settings.edge else [True])
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert "unsafe" not in text
    assert headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000
    assert headers["FrameOptions"]["FrameOption"] == "DENY"


def test_the_page_is_published_with_its_configuration(application: Synthesized) -> None:
    page = application.only("Custom::PublishedPage", "Web")["Properties"]
    assert page["TargetBucket"] == {"Ref": "Bucket83908E77"}
    config = json.loads(readable(page["Config"]))
    websocket_url = config.pop("websocket_url")
    assert websocket_url.startswith("wss://")
    assert websocket_url.endswith("/live")
    assert config == {
        "environment": application.settings.name,
        "api_base": "",
        "protocol_version": CURRENT_VERSION,
    }


@pytest.mark.req("SEC-4")
def test_the_publisher_reads_one_object_and_writes_one_bucket(local: Synthesized) -> None:
    may = local.permissions("web_publish")
    page = local.only("Custom::PublishedPage", "Web")["Properties"]
    (source,) = may["s3:GetObject"]
    assert source.endswith(readable(page["SourceKey"]))
    assert may["s3:PutObject"] == may["s3:DeleteObject"] == ["${Bucket83908E77.Arn}/*"]
    assert may["s3:ListBucket"] == ["${Bucket83908E77.Arn}"]


@pytest.mark.req("SEC-5")
def test_a_release_that_broke_the_page_can_be_taken_back(application: Synthesized) -> None:
    bucket = application.only("AWS::S3::Bucket", "Web")["Properties"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
