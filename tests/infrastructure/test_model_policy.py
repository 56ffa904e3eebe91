"""The frame of the model policy, and that a deploy never overwrites an operator's flip."""

from __future__ import annotations

import json

import pytest

from mangaassist.generation.policy import json_schema
from tests.infrastructure.synthesized import Synthesized


@pytest.mark.req("OPS-2", "GEN-2")
def test_a_document_is_checked_by_schema_and_by_function(application: Synthesized) -> None:
    profile = application.only("AWS::AppConfig::ConfigurationProfile", "ModelPolicy")["Properties"]
    assert profile["Type"] == "AWS.Freeform"
    assert profile["LocationUri"] == "hosted"
    schema, function = profile["Validators"]
    assert schema["Type"] == "JSON_SCHEMA"
    assert json.loads(schema["Content"]) == json_schema()
    assert len(schema["Content"]) < 32_768
    assert function["Type"] == "LAMBDA"
    alias = application.resources("AWS::Lambda::Alias", "ModelPolicy")[function["Content"]["Ref"]][
        "Properties"
    ]
    assert alias["FunctionName"] == {"Ref": application.logical_id("policy_validator")}
    permission = application.only("AWS::Lambda::Permission", "ModelPolicy")["Properties"]
    assert permission["Principal"] == "appconfig.amazonaws.com"
    assert permission["FunctionName"] == function["Content"]


@pytest.mark.req("OPS-2")
def test_an_emergency_reaches_everyone_at_once(application: Synthesized) -> None:
    strategies = application.resources("AWS::AppConfig::DeploymentStrategy", "ModelPolicy")
    instant, gradual = (
        strategies["InstantStrategy"]["Properties"],
        strategies["GradualStrategy"]["Properties"],
    )
    assert (instant["DeploymentDurationInMinutes"], instant["FinalBakeTimeInMinutes"]) == (0, 0)
    assert instant["GrowthFactor"] == 100
    assert gradual["DeploymentDurationInMinutes"] > 0
    assert gradual["FinalBakeTimeInMinutes"] > 0
    assert gradual["GrowthFactor"] < 100


@pytest.mark.req("OPS-2")
def test_the_template_holds_no_document_that_a_deploy_could_put_back(application: Synthesized) -> None:
    types = {resource["Type"] for resource in application.templates["ModelPolicy"]["Resources"].values()}
    assert "AWS::AppConfig::HostedConfigurationVersion" not in types
    assert "AWS::AppConfig::Deployment" not in types
    seed = application.only("Custom::SeededPolicy", "ModelPolicy")
    # Ids only: nothing that changes when the built-in policy does, so CloudFormation has no update to send.
    assert seed["Properties"] == {
        "ServiceToken": seed["Properties"]["ServiceToken"],
        "ServiceTimeout": "300",
        "ApplicationId": {"Ref": "Application"},
        "EnvironmentId": {"Ref": "Environment"},
        "ConfigurationProfileId": {"Ref": "Profile"},
        "DeploymentStrategyId": {"Ref": "InstantStrategy"},
    }
    role_policy = application.function("policy_seed")["Role"]["Fn::GetAtt"][0]
    assert any(name.startswith(role_policy[:14]) for name in seed["DependsOn"])


@pytest.mark.req("SEC-4")
def test_the_seed_reaches_this_application_only(application: Synthesized) -> None:
    for action, arns in application.permissions("policy_seed").items():
        if action.startswith("appconfig:"):
            own = ("application/${Application}", "deploymentstrategy/${InstantStrategy}")
            assert all(any(part in arn for part in own) for arn in arns), action
