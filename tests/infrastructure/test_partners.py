"""What functions are given of partners and of Personalize: addresses, credentials by name, leave to ask."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.environments import ENVIRONMENTS, EnvironmentSettings
from tests.infrastructure.synthesized import Synthesized, readable, synthesize

RECOMMENDER = "arn:aws:personalize:us-east-1:111122223333:recommender/for-you"


def changed(name: str, **changes: Any) -> EnvironmentSettings:
    return EnvironmentSettings.model_validate({**dict(ENVIRONMENTS[name]), **changes})


@pytest.fixture(scope="module")
def partnered() -> Synthesized:
    """Staging with partners, one of them elsewhere and with a credential of its own, and a recommender."""
    return synthesize(
        changed(
            "staging",
            account="111122223333",
            partners={
                "url": "https://partners.shop.example",
                "credential_secret": "shop/assistant",
                "credential_key_arn": "arn:aws:kms:us-east-1:111122223333:key/1",
                "own": [
                    {"name": "orders", "url": "https://orders.example/api", "credential_secret": "orders"},
                    {"name": "pricing", "url": "https://prices.example"},
                ],
            },
            personalize={"user_campaign": RECOMMENDER},
        )
    )


def variables(application: Synthesized, folder: str) -> dict[str, str]:
    found = application.function(folder)["Environment"]["Variables"]
    return {name: readable(value) for name, value in found.items()}


@pytest.mark.parametrize("folder", ["message", "guardrail"])
def test_without_partners_nothing_names_any(application: Synthesized, folder: str) -> None:
    found = variables(application, folder)
    assert found["PARTNERS_URL"] == found["PARTNERS_CREDENTIAL_SECRET"] == ""
    assert not [name for name in found if name.startswith("PARTNER_")]


@pytest.mark.parametrize(("folder", "stack"), [("message", "Chat"), ("guardrail", "Guardrail")])
def test_a_parameter_names_them_in_any_environment_and_is_empty_unless_given(
    application: Synthesized, folder: str, stack: str
) -> None:
    """The twin gives it; the template is the one that goes to AWS."""
    template = application.templates[stack]
    assert template["Parameters"]["PartnersUrl"]["Default"] == ""
    assert template["Conditions"]["PartnersUrlGiven"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "PartnersUrl"}, ""]}]
    }
    found = application.function(folder)["Environment"]["Variables"]
    assert found["PARTNERS_URL"] == {
        "Fn::If": ["PartnersUrlGiven", {"Ref": "PartnersUrl"}, {"Ref": "AWS::NoValue"}]
    }
    condition, given, otherwise = found["PARTNERS_CREDENTIAL_SECRET"]["Fn::If"]
    assert (condition, otherwise) == ("PartnersUrlGiven", {"Ref": "AWS::NoValue"})
    assert readable(given).endswith(f":secret:{application.settings.resource_prefix}-partners")


@pytest.mark.req("SEC-4", "SEC-6")
@pytest.mark.parametrize("folder", ["message", "guardrail"])
def test_the_credential_is_one_secret_known_by_name(application: Synthesized, folder: str) -> None:
    (arn,) = application.permissions(folder)["secretsmanager:GetSecretValue"]
    assert arn.endswith(f":secret:{application.settings.resource_prefix}-partners-??????")
    assert "*" not in arn


@pytest.mark.req("SEC-4", "SEC-6")
def test_a_partner_may_have_an_address_and_a_credential_of_its_own(partnered: Synthesized) -> None:
    found = variables(partnered, "message")
    secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:"
    assert found["PARTNERS_URL"] == "https://partners.shop.example"
    assert found["PARTNERS_CREDENTIAL_SECRET"] == f"{secret}shop/assistant"
    assert found["PARTNER_ORDERS_URL"] == "https://orders.example/api"
    assert found["PARTNER_ORDERS_CREDENTIAL_SECRET"] == f"{secret}orders"
    assert found["PARTNER_PRICING_URL"] == "https://prices.example"
    assert "PARTNER_PRICING_CREDENTIAL_SECRET" not in found, "it takes the one that all take"
    assert partnered.permissions("message")["secretsmanager:GetSecretValue"] == [
        f"{secret}orders-??????",
        f"{secret}shop/assistant-??????",
    ]


@pytest.mark.req("SEC-4")
def test_guardrail_knows_the_one_partner_it_asks(partnered: Synthesized) -> None:
    found = variables(partnered, "guardrail")
    assert {name for name in found if name.startswith("PARTNER")} == {
        "PARTNERS_URL",
        "PARTNERS_CREDENTIAL_SECRET",
        "PARTNER_PRICING_URL",
    }
    assert len(partnered.permissions("guardrail")["secretsmanager:GetSecretValue"]) == 1


@pytest.mark.req("SEC-4")
def test_the_organisations_key_is_used_through_secrets_manager_only(partnered: Synthesized) -> None:
    for folder in ("message", "guardrail"):
        role = partnered.function(folder)["Role"]["Fn::GetAtt"][0]
        (condition,) = [
            statement["Condition"]
            for policy in partnered.resources("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Properties"]["Roles"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Resource"] == "arn:aws:kms:us-east-1:111122223333:key/1"
        ]
        assert condition == {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}}


@pytest.mark.req("SEC-4")
def test_recommendations_come_from_what_is_named_and_nothing_else(
    local: Synthesized, partnered: Synthesized
) -> None:
    found = variables(local, "message")
    campaigns = [found["PERSONALIZE_SIMILAR_CAMPAIGN"], found["PERSONALIZE_USER_CAMPAIGN"]]
    assert local.permissions("message")["personalize:GetRecommendations"] == campaigns
    assert [arn.rsplit(":", 1)[1] for arn in campaigns] == [
        "campaign/mangaassist-local-similar",
        "campaign/mangaassist-local-user",
    ]
    assert partnered.permissions("message")["personalize:GetRecommendations"] == [RECOMMENDER]
    assert "PERSONALIZE_SIMILAR_CAMPAIGN" not in variables(partnered, "message")


def test_without_campaigns_nobody_may_ask_for_recommendations(prod: Synthesized) -> None:
    assert "personalize:GetRecommendations" not in prod.permissions("message")
    assert not [name for name in variables(prod, "message") if name.startswith("PERSONALIZE")]


@pytest.mark.req("IAC-2")
def test_recommendations_are_asked_for_over_a_private_path(partnered: Synthesized) -> None:
    services = {
        readable(endpoint["Properties"]["ServiceName"])
        for endpoint in partnered.resources("AWS::EC2::VPCEndpoint", "Network").values()
    }
    assert "com.amazonaws.us-east-1.personalize-runtime" in services
    assert "com.amazonaws.us-east-1.secretsmanager" in services


@pytest.mark.parametrize(
    ("name", "partners", "problem"),
    [
        ("dev", {"url": "http://partners.example"}, "not https"),
        ("dev", {"own": [{"name": "orders", "url": "http://orders.example"}]}, "not https"),
        ("dev", {"own": [{"name": "weather", "url": "https://w.example"}]}, "orders"),
        ("dev", {"own": [{"name": "orders", "url": "https://o.example"}] * 2}, "one address"),
        ("dev", {"url": "https://partners.example?key=1"}, "url"),
        ("dev", {"credential_secret": "two words"}, "credential_secret"),
    ],
)
def test_partners_that_cannot_be_asked_are_refused(name: str, partners: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        changed(name, partners=partners)


def test_a_laptop_may_ask_without_tls() -> None:
    assert changed("local", partners={"url": "http://partners.test:8080"}).partners.urls
