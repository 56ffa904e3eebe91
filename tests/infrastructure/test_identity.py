"""Shoppers sign in with Cognito; the page is its one client and keeps no secret."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.deployment import deployed
from stacks.environments import ENVIRONMENTS
from tests.infrastructure.synthesized import ROOT, Synthesized, synthesize


def _pool(application: Synthesized) -> dict[str, Any]:
    return application.only("AWS::Cognito::UserPool", "Identity")["Properties"]


def _client(application: Synthesized) -> dict[str, Any]:
    return application.only("AWS::Cognito::UserPoolClient", "Identity")["Properties"]


@pytest.fixture(scope="session")
def under_names() -> Synthesized:
    """``prod`` with names of its own."""
    return synthesize(deployed(ENVIRONMENTS["prod"], ROOT / "deployment.example.toml"))


@pytest.mark.req("SEC-1")
def test_prod_asks_for_a_second_factor_and_watches_for_threats(prod: Synthesized) -> None:
    pool = _pool(prod)
    assert pool["MfaConfiguration"] == "ON"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"], "no text messages"
    assert pool["UserPoolTier"] == "PLUS"
    assert pool["UserPoolAddOns"] == {"AdvancedSecurityMode": "ENFORCED"}


@pytest.mark.req("SEC-1")
def test_shoppers_sign_in_by_a_proven_address_and_a_long_password(prod: Synthesized) -> None:
    pool = _pool(prod)
    assert pool["UsernameAttributes"] == ["email"]
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["UserAttributeUpdateSettings"] == {"AttributesRequireVerificationBeforeUpdate": ["email"]}
    password = pool["Policies"]["PasswordPolicy"]
    assert password["MinimumLength"] >= 12
    assert all(password[f"Require{kind}"] for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols"))
    assert pool["AccountRecoverySetting"]["RecoveryMechanisms"] == [{"Name": "verified_email", "Priority": 1}]


@pytest.mark.req("IAC-4")
def test_accounts_of_shoppers_outlive_a_mistake_in_prod(prod: Synthesized) -> None:
    pool = prod.only("AWS::Cognito::UserPool", "Identity")
    assert pool["Properties"]["DeletionProtection"] == "ACTIVE"
    assert pool["DeletionPolicy"] == pool["UpdateReplacePolicy"] == "Retain"


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_page_keeps_no_secret_and_handles_no_password(name: str) -> None:
    client = _client(synthesize(ENVIRONMENTS[name]))
    assert client["GenerateSecret"] is False
    assert set(client["ExplicitAuthFlows"]) == {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert client["EnableTokenRevocation"] is True
    assert client["AccessTokenValidity"] == client["IdTokenValidity"] == 60
    assert client["TokenValidityUnits"]["AccessToken"] == "minutes"


@pytest.mark.req("SEC-1")
def test_under_a_name_of_its_own_the_page_signs_in_by_code(under_names: Synthesized) -> None:
    client = _client(under_names)
    assert client["AllowedOAuthFlows"] == ["code"], "never implicit: its tokens end up in addresses"
    assert client["AllowedOAuthFlowsUserPoolClient"] is True
    assert client["CallbackURLs"] == client["LogoutURLs"] == ["https://chat.shop.example/"]
    domain = under_names.only("AWS::Cognito::UserPoolDomain", "Identity")["Properties"]
    assert domain["Domain"] == "mangaassist-prod-111122223333"


def test_without_a_name_there_is_no_page_to_return_to(prod: Synthesized) -> None:
    assert not prod.resources("AWS::Cognito::UserPoolDomain")
    assert not _client(prod).get("AllowedOAuthFlowsUserPoolClient")


@pytest.mark.req("SEC-1")
def test_the_authorizer_knows_the_pool_and_the_client(application: Synthesized) -> None:
    variables = application.function("authorizer")["Environment"]["Variables"]
    if application.settings.identity is None:
        assert not {"USER_POOL", "USER_POOL_CLIENT"} & set(variables)
        return
    assert "Pool" in variables["USER_POOL"]["Fn::ImportValue"]
    assert "PoolPage" in variables["USER_POOL_CLIENT"]["Fn::ImportValue"]


@pytest.mark.req("SEC-4")
def test_checking_a_token_takes_no_permission_on_the_pool(prod: Synthesized) -> None:
    assert not [action for action in prod.permissions("authorizer") if action.startswith("cognito")]
