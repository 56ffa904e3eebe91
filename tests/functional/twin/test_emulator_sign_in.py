"""Tokens that a user pool makes, not we: the emulator's Cognito signs them and publishes its keys."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mangaassist.adapters.user_pool_keys import UserPoolKeys, address
from mangaassist.errors import DependencyError, InvalidToken
from mangaassist.identity.user_token import UserPool, verify
from tests.functional.twin.emulators import Emulator

PASSWORD = "Correct-horse-7"


@dataclass(frozen=True)
class SignedIn:
    """A shopper of one pool and what signing in gave the page."""

    pool: UserPool
    subject: str
    access: str
    id: str

    def keys(self, emulator: Emulator) -> UserPoolKeys:
        return UserPoolKeys(address(self.pool, {"AWS_ENDPOINT_URL": emulator.url}))


def _sign_in(emulator: Emulator, name: str) -> SignedIn:
    cognito = emulator.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName=name)["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="page", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="reader@shop.example")
    cognito.admin_set_user_password(
        UserPoolId=pool, Username="reader@shop.example", Password=PASSWORD, Permanent=True
    )
    result = cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "reader@shop.example", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    user = cognito.admin_get_user(UserPoolId=pool, Username="reader@shop.example")
    (subject,) = [found["Value"] for found in user["UserAttributes"] if found["Name"] == "sub"]
    return SignedIn(UserPool(pool, client), subject, result["AccessToken"], result["IdToken"])


@pytest.fixture(scope="module")
def reader(patched: Emulator) -> SignedIn:
    return _sign_in(patched, "shoppers")


@pytest.mark.req("SEC-1")
def test_a_real_access_token_names_its_shopper(patched: Emulator, reader: SignedIn) -> None:
    caller = verify(reader.access, pool=reader.pool, keys=reader.keys(patched))
    assert caller.subject == f"user-{reader.subject}"
    assert caller.kind == "user"


@pytest.mark.req("SEC-1")
def test_a_real_id_token_does_not(patched: Emulator, reader: SignedIn) -> None:
    with pytest.raises(InvalidToken) as refused:
        verify(reader.id, pool=reader.pool, keys=reader.keys(patched))
    assert refused.value.reason == "token_use"


@pytest.mark.req("SEC-1")
def test_a_shopper_of_another_pool_stays_outside(patched: Emulator, reader: SignedIn) -> None:
    stranger = _sign_in(patched, "another shop's shoppers")
    with pytest.raises(InvalidToken):
        verify(stranger.access, pool=reader.pool, keys=reader.keys(patched))
    assert verify(stranger.access, pool=stranger.pool, keys=stranger.keys(patched)).kind == "user"


def test_keys_of_a_pool_that_is_not_there_are_a_failed_dependency(
    patched: Emulator, reader: SignedIn
) -> None:
    missing = UserPoolKeys(
        address(UserPool("us-east-1_missing00", "page"), {"AWS_ENDPOINT_URL": patched.url})
    )
    with pytest.raises(DependencyError):
        verify(reader.access, pool=reader.pool, keys=missing)
