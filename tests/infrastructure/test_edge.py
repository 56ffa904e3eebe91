"""Everything public is reached through the firewall, and what goes around it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mangaassist.identity.origin import HEADER
from stacks.checks.default_endpoints_closed import RULE as CLOSED
from stacks.deployment import deployed
from stacks.edge import REDACTED_HEADERS
from stacks.environments import ENVIRONMENTS, EnvironmentSettings
from tests.infrastructure.synthesized import ROOT, Synthesized, readable, synthesize

EXAMPLE = ROOT / "deployment.example.toml"
EVERYWHERE_IN_AWS = ("dev", "staging", "prod")


@pytest.fixture(scope="session")
def under_names() -> Synthesized:
    """``prod`` with names of its own."""
    return synthesize(deployed(ENVIRONMENTS["prod"], EXAMPLE))


@pytest.fixture(scope="session")
def abroad() -> Synthesized:
    """An environment whose region is not the one that CloudFront is managed in."""
    dev = ENVIRONMENTS["dev"]
    kept = {name: getattr(dev, name) for name in EnvironmentSettings.model_fields}
    return synthesize(EnvironmentSettings.model_validate({**kept, "region": "ap-northeast-1"}))


@pytest.fixture(params=EVERYWHERE_IN_AWS)
def in_aws(request: pytest.FixtureRequest) -> Synthesized:
    """Each environment that lives in AWS."""
    return synthesize(ENVIRONMENTS[request.param])


def _distribution(application: Synthesized) -> dict[str, Any]:
    return application.only("AWS::CloudFront::Distribution", "Web")["Properties"]["DistributionConfig"]


def _origin(config: dict[str, Any], path: str) -> dict[str, Any]:
    (behavior,) = [found for found in config["CacheBehaviors"] if found["PathPattern"] == path]
    (origin,) = [origin for origin in config["Origins"] if origin["Id"] == behavior["TargetOriginId"]]
    return origin


def _rules(application: Synthesized) -> dict[str, dict[str, Any]]:
    acl = application.only("AWS::WAFv2::WebACL", "Edge")["Properties"]
    return {rule["Name"]: rule for rule in acl["Rules"]}


# --- the firewall ---------------------------------------------------------------------------------


@pytest.mark.req("SEC-5")
def test_the_distribution_has_the_firewall_in_front(in_aws: Synthesized) -> None:
    acl = in_aws.only("AWS::WAFv2::WebACL", "Edge")["Properties"]
    assert acl["Scope"] == "CLOUDFRONT"
    assert acl["DefaultAction"] == {"Allow": {}}
    assert readable(_distribution(in_aws)["WebACLId"]).startswith("${import:ExportsOutputFnGetAttWebAclArn")


@pytest.mark.req("SEC-5")
def test_the_firewall_knows_reputation_bad_inputs_and_the_common_rules(in_aws: Synthesized) -> None:
    managed = {
        name: rule
        for name, rule in _rules(in_aws).items()
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }
    assert set(managed) == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    }
    for rule in managed.values():
        assert rule["OverrideAction"] == {"None": {}}, "blocks, and does not only count"
        assert "RuleActionOverrides" not in rule["Statement"]["ManagedRuleGroupStatement"]


@pytest.mark.req("SEC-5")
def test_the_firewall_limits_rates_and_guest_tokens_more_tightly(in_aws: Synthesized) -> None:
    edge = in_aws.settings.edge
    assert edge is not None
    rates = {
        name: rule["Statement"]["RateBasedStatement"]
        for name, rule in _rules(in_aws).items()
        if "RateBasedStatement" in rule["Statement"]
    }
    everything, tokens = rates["RateRequests"], rates["RateGuestTokens"]
    assert everything["Limit"] == edge.requests_per_five_minutes
    assert "ScopeDownStatement" not in everything
    assert tokens["Limit"] == edge.guest_tokens_per_five_minutes < everything["Limit"]
    match = tokens["ScopeDownStatement"]["ByteMatchStatement"]
    assert match["SearchString"] == "/v1/chat/guest-tokens"
    assert [step["Type"] for step in match["TextTransformations"]] == [
        "URL_DECODE",
        "NORMALIZE_PATH",
        "LOWERCASE",
    ]
    routes = {
        route["Properties"]["RouteKey"] for route in in_aws.resources("AWS::ApiGatewayV2::Route").values()
    }
    assert f"POST {match['SearchString']}" in routes, "the path that is limited is the one that is served"
    for rate in rates.values():
        assert (rate["AggregateKeyType"], rate["EvaluationWindowSec"]) == ("IP", 300)
    for name in rates:
        assert _rules(in_aws)[name]["Action"] == {"Block": {}}


def test_every_rule_has_a_metric_and_none_keeps_whole_requests(prod: Synthesized) -> None:
    acl = prod.only("AWS::WAFv2::WebACL", "Edge")["Properties"]
    for visible in (acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl["Rules"])):
        assert visible["CloudWatchMetricsEnabled"] is True
        assert visible["SampledRequestsEnabled"] is False, "a sample would hold tokens"
    assert len({rule["Priority"] for rule in acl["Rules"]}) == len(acl["Rules"])


def test_a_wrong_rule_can_be_set_to_count() -> None:
    dev = ENVIRONMENTS["dev"]
    assert dev.edge is not None
    edge = dev.edge.model_copy(update={"counted_rules": ("SizeRestrictions_BODY",)})
    rules = _rules(synthesize(dev.model_copy(update={"edge": edge})))
    group = rules["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]
    assert group["RuleActionOverrides"] == [{"ActionToUse": {"Count": {}}, "Name": "SizeRestrictions_BODY"}]


@pytest.mark.req("SEC-5")
def test_refusals_are_logged_without_tokens(in_aws: Synthesized) -> None:
    logging = in_aws.only("AWS::WAFv2::LoggingConfiguration", "Edge")["Properties"]
    redacted = {field["SingleHeader"]["Name"] for field in logging["RedactedFields"]}
    assert redacted == set(REDACTED_HEADERS) == {"sec-websocket-protocol", "authorization", "cookie"}
    (destination,) = logging["LogDestinationConfigs"]
    group = readable(destination).removesuffix("}").split("${")[-1]
    name = in_aws.resources("AWS::Logs::LogGroup", "Edge")[group]["Properties"]["LogGroupName"]
    assert name == f"aws-waf-logs-mangaassist-{in_aws.settings.name}"
    assert not readable(destination).endswith(":*")
    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"


def test_only_log_deliveries_of_this_account_may_write_there(prod: Synthesized) -> None:
    policy = prod.only("AWS::Logs::ResourcePolicy", "Edge")["Properties"]
    (statement,) = json.loads(readable(policy["PolicyDocument"]))["Statement"]
    assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "${AWS::AccountId}"}
    assert len(statement["Resource"]) == 2
    assert all(arn.endswith(":log-stream:*") for arn in statement["Resource"])


@pytest.mark.req("SEC-7")
def test_cloudfront_logs_accesses_without_what_names_a_session(in_aws: Synthesized) -> None:
    delivery = in_aws.only("AWS::Logs::Delivery", "EdgeWatch")["Properties"]
    source = in_aws.only("AWS::Logs::DeliverySource", "EdgeWatch")["Properties"]
    assert source["LogType"] == "ACCESS_LOGS"
    assert ":cloudfront::" in readable(source["ResourceArn"])
    assert delivery["DeliverySourceName"] == source["Name"]
    fields = set(delivery["RecordFields"])
    assert {"c-ip", "cs-uri-stem", "sc-status", "x-edge-result-type"} <= fields
    assert not fields & {"cs-uri-query", "cs(Cookie)", "cs(Referer)"}
    groups = in_aws.resources("AWS::Logs::LogGroup", "Edge").values()
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {
        in_aws.settings.log_retention_days
    }


# --- one origin for shoppers ----------------------------------------------------------------------


@pytest.mark.req("SEC-5")
def test_the_websocket_is_behind_the_firewall_too(in_aws: Synthesized) -> None:
    config = _distribution(in_aws)
    (socket,) = [found for found in config["CacheBehaviors"] if found["PathPattern"] == "/live"]
    assert socket["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "AWS's CachingDisabled"
    assert socket["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac", (
        "AllViewerExceptHostHeader: passes Sec-WebSocket-* on"
    )
    assert socket["ViewerProtocolPolicy"] == "https-only"
    names = {
        stage["Properties"]["StageName"]
        for stage in in_aws.resources("AWS::ApiGatewayV2::Stage", "Chat").values()
    }
    assert "live" in names, "the path is the stage: CloudFront passes it on as it comes"


@pytest.mark.req("SEC-5")
def test_both_apis_are_sent_the_secret_over_tls(in_aws: Synthesized) -> None:
    config = _distribution(in_aws)
    for path in ("/v1/*", "/live"):
        origin = _origin(config, path)
        assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
        assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]
        (header,) = origin["OriginCustomHeaders"]
        assert header["HeaderName"] == HEADER
        value = readable(header["HeaderValue"])
        assert value.startswith("{{resolve:secretsmanager:${import:ExportsOutputRefOriginSecret")
        assert value.endswith(":SecretString:::}}")
    page = [origin for origin in config["Origins"] if "S3OriginConfig" in origin]
    assert all("OriginCustomHeaders" not in origin for origin in page)


@pytest.mark.req("SEC-5")
def test_the_functions_at_the_door_know_the_secret(in_aws: Synthesized) -> None:
    for folder in ("authorizer", "guest_token"):
        variables = in_aws.function(folder)["Environment"]["Variables"]
        assert readable(variables["ORIGIN_SECRET"]).startswith("${OriginSecret")
        assert (
            readable(variables["ORIGIN_SECRET"])
            in in_aws.permissions(folder)["secretsmanager:GetSecretValue"]
        )


@pytest.mark.req("SEC-5")
def test_a_handshake_without_the_secret_costs_nothing(in_aws: Synthesized) -> None:
    authorizer = in_aws.only("AWS::ApiGatewayV2::Authorizer", "Chat")["Properties"]
    assert authorizer["IdentitySource"] == [
        "route.request.header.Sec-WebSocket-Protocol",
        f"route.request.header.{HEADER}",
    ]


def test_every_http_route_checks_where_a_request_comes_from(in_aws: Synthesized) -> None:
    """A new route needs the check in its function, and then its function here."""
    checked = {"guest_token"}
    integrations = in_aws.resources("AWS::ApiGatewayV2::Integration", "Chat")
    (http,) = [
        api
        for api, found in in_aws.resources("AWS::ApiGatewayV2::Api", "Chat").items()
        if found["Properties"]["ProtocolType"] == "HTTP"
    ]
    behind = {
        readable(found["Properties"]["IntegrationUri"])
        for found in integrations.values()
        if found["Properties"]["ApiId"] == {"Ref": http}
    }
    aliases = in_aws.resources("AWS::Lambda::Alias", "Chat")
    served = {
        in_aws.templates["Chat"]["Resources"][aliases[uri.strip("${}")]["Properties"]["FunctionName"]["Ref"]][
            "Properties"
        ]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for uri in behind
    }
    assert served == checked


@pytest.mark.req("SEC-5")
def test_the_page_connects_to_its_own_origin(in_aws: Synthesized) -> None:
    page = in_aws.only("Custom::PublishedPage", "Web")["Properties"]
    config = json.loads(readable(page["Config"]))
    assert config["websocket_url"].startswith("wss://${Distribution")
    assert config["websocket_url"].endswith(".DomainName}/live")
    assert config["api_base"] == ""


def test_the_twin_has_no_edge(local: Synthesized) -> None:
    assert "Edge" not in local.templates
    config = _distribution(local)
    assert "WebACLId" not in config
    assert [found["PathPattern"] for found in config["CacheBehaviors"]] == ["/v1/*"]
    assert "OriginCustomHeaders" not in _origin(config, "/v1/*")
    assert "ORIGIN_SECRET" not in local.function("authorizer")["Environment"]["Variables"]


# --- names of our own -----------------------------------------------------------------------------


@pytest.mark.req("SEC-5")
def test_under_names_of_our_own_the_default_endpoints_are_closed(under_names: Synthesized) -> None:
    apis = under_names.resources("AWS::ApiGatewayV2::Api", "Chat").values()
    assert len(apis) == 2
    assert not [found for template in under_names.templates.values() for found in CLOSED.check(template)]
    assert all(api["Properties"]["DisableExecuteApiEndpoint"] is True for api in apis)
    for template in under_names.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] in ("AWS::CloudFront::Distribution", "Custom::PublishedPage"):
                assert ".execute-api." not in json.dumps(resource)


@pytest.mark.req("SEC-5")
def test_cloudfront_reaches_the_apis_by_their_names(under_names: Synthesized) -> None:
    config = _distribution(under_names)
    assert _origin(config, "/v1/*")["DomainName"] == "api-origin.chat.shop.example"
    assert _origin(config, "/live")["DomainName"] == "ws-origin.chat.shop.example"
    names = under_names.resources("AWS::ApiGatewayV2::DomainName", "Chat")
    assert {name["Properties"]["DomainName"] for name in names.values()} == {
        "api-origin.chat.shop.example",
        "ws-origin.chat.shop.example",
        "ws-origin-us-east-1.chat.shop.example",
    }
    for name in names.values():
        (configuration,) = name["Properties"]["DomainNameConfigurations"]
        assert configuration["EndpointType"] == "REGIONAL"
        assert configuration["SecurityPolicy"] == "TLS_1_2"
    keys = {
        names[mapping["Properties"]["DomainName"]["Ref"]]["Properties"]["DomainName"]: mapping[
            "Properties"
        ].get("ApiMappingKey")
        for mapping in under_names.resources("AWS::ApiGatewayV2::ApiMapping", "Chat").values()
    }
    assert keys == {
        "api-origin.chat.shop.example": None,
        "ws-origin.chat.shop.example": "live",
        "ws-origin-us-east-1.chat.shop.example": "live",
    }


def test_functions_post_to_connections_by_the_open_name(under_names: Synthesized) -> None:
    variables = under_names.function("message")["Environment"]["Variables"]
    assert variables["MANAGEMENT_ENDPOINT"] == "https://ws-origin-us-east-1.chat.shop.example/live"
    (may,) = under_names.permissions("message")["execute-api:ManageConnections"]
    assert may.endswith("/live/POST/@connections/*"), "IAM knows the stage, whatever the name"


@pytest.mark.req("SEC-5")
def test_the_page_is_served_under_its_name_by_tls_1_2(under_names: Synthesized) -> None:
    config = _distribution(under_names)
    assert config["Aliases"] == ["chat.shop.example"]
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert config["ViewerCertificate"]["SslSupportMethod"] == "sni-only"
    page = under_names.only("Custom::PublishedPage", "Web")["Properties"]
    assert json.loads(readable(page["Config"]))["websocket_url"] == "wss://chat.shop.example/live"
    headers = under_names.only("AWS::CloudFront::ResponseHeadersPolicy", "Web")["Properties"]
    policy = headers["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]["ContentSecurityPolicy"]
    assert "connect-src 'self' wss://chat.shop.example;" in policy["ContentSecurityPolicy"]


def test_the_names_are_recorded_over_both_protocols(under_names: Synthesized) -> None:
    records = {
        (found["Properties"]["Name"], found["Properties"]["Type"])
        for found in under_names.resources("AWS::Route53::RecordSet").values()
    }
    assert records == {
        (f"{name}chat.shop.example.", type)
        for name in ("", "api-origin.", "ws-origin.", "ws-origin-us-east-1.")
        for type in ("A", "AAAA")
    }


@pytest.mark.req("SEC-5")
def test_without_names_it_is_said_that_the_endpoints_stay_open(in_aws: Synthesized) -> None:
    apis = in_aws.resources("AWS::ApiGatewayV2::Api", "Chat").values()
    assert all("DisableExecuteApiEndpoint" not in api["Properties"] for api in apis)
    assert in_aws.settings.domains is None


# --- far from where CloudFront is managed ---------------------------------------------------------


def test_elsewhere_the_edge_is_still_managed_where_cloudfront_is(abroad: Synthesized) -> None:
    config = _distribution(abroad)
    assert config["WebACLId"] == {
        "Fn::GetStackOutput": {
            "StackName": "MangaAssist-dev-Edge",
            "OutputName": "WebAclArn",
            "Region": "us-east-1",
        }
    }
    assert "WebAclArn" in abroad.templates["Edge"]["Outputs"]
    source = abroad.only("AWS::Logs::DeliverySource", "EdgeWatch")["Properties"]
    assert '"Region": "ap-northeast-1"' in json.dumps(source)
    assert "DistributionId" in abroad.templates["Web"]["Outputs"]
    topics = abroad.resources("AWS::SNS::Topic", "EdgeAlerts")
    assert len(topics) == 2, "an alarm there tells topics there"
    for concern in ("Edge", "EdgeWatch"):
        for alarm in abroad.resources("AWS::CloudWatch::Alarm", concern).values():
            assert all(":us-east-1:" in readable(action) for action in alarm["Properties"]["AlarmActions"])


# --- rotation -------------------------------------------------------------------------------------


@pytest.mark.req("SEC-6")
def test_both_secrets_are_rotated_and_under_a_key_of_ours(in_aws: Synthesized) -> None:
    secrets = in_aws.resources("AWS::SecretsManager::Secret", "Chat")
    assert len(secrets) == 2
    assert all("KmsKeyId" in secret["Properties"] for secret in secrets.values())
    schedules = {
        concern: in_aws.only("AWS::SecretsManager::RotationSchedule", concern)["Properties"]
        for concern in ("Chat", "Web")
    }
    for schedule in schedules.values():
        assert schedule["RotationRules"] == {"AutomaticallyAfterDays": in_aws.settings.secret_rotation_days}
        assert schedule["RotateImmediatelyOnUpdate"] is False
    assert readable(schedules["Chat"]["SecretId"]).startswith("${GuestTokenSecret")
    assert "OriginSecret" in readable(schedules["Web"]["SecretId"])


@pytest.mark.req("SEC-6")
@pytest.mark.parametrize("concern", ["Chat", "Web"])
def test_secrets_manager_alone_calls_the_rotation(prod: Synthesized, concern: str) -> None:
    (permission,) = [
        found["Properties"]
        for found in prod.resources("AWS::Lambda::Permission", concern).values()
        if found["Properties"]["Principal"] == "secretsmanager.amazonaws.com"
    ]
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    schedule = prod.only("AWS::SecretsManager::RotationSchedule", concern)
    assert schedule["Properties"]["RotationLambdaARN"] == permission["FunctionName"], "the alias"


@pytest.mark.req("SEC-4", "SEC-6")
@pytest.mark.parametrize("folder", ["rotate_guest_secret", "rotate_origin_secret"])
def test_a_rotation_touches_its_own_secret_and_its_own_distribution(prod: Synthesized, folder: str) -> None:
    may = prod.permissions(folder)
    on_secret = {action for action in may if action.startswith("secretsmanager:")}
    assert on_secret == {
        f"secretsmanager:{action}"
        for action in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    }
    (secret,) = {resource for action in on_secret for resource in may[action]}
    assert ("OriginSecret" in secret) == (folder == "rotate_origin_secret")
    edge = {action: on for action, on in may.items() if action.split(":")[0] in ("cloudfront", "wafv2")}
    if folder == "rotate_guest_secret":
        assert edge == {}
        return
    assert set(edge) == {
        "cloudfront:GetDistributionConfig",
        "cloudfront:UpdateDistribution",
        "wafv2:GetWebACL",
    }
    assert all("*" not in resource for on in edge.values() for resource in on)
    variables = prod.function(folder)["Environment"]["Variables"]
    assert variables["DISTRIBUTION_ID"]["Ref"].startswith("Distribution")
