"""Gap: ``Fn::GetAtt UserPool.ProviderURL`` has no answer; it is ``https://`` and the provider's name."""

from __future__ import annotations

from tools.twin.emulator.patches._provisioners import Properties, after


def answer(pool: str, attributes: Properties, properties: Properties) -> None:
    """Add the attribute."""
    attributes["ProviderURL"] = f"https://{attributes['ProviderName']}"


def apply() -> None:
    """Answer the attribute after a pool was created or updated."""
    after("AWS::Cognito::UserPool", answer)
