"""Gap: CloudFormation drops ``CorsConfiguration`` of an HTTP API, so every preflight answers 403."""
# pyright: reportMissingImports=false

from __future__ import annotations

from ministack.services import apigateway

from tools.twin.emulator.patches._provisioners import Properties, after


def restore(api_id: str, attributes: Properties, properties: Properties) -> None:
    """Store the configuration with the lower-case names that the emulator's own API uses."""
    if cors := properties.get("CorsConfiguration"):
        named = {name[0].lower() + name[1:]: value for name, value in cors.items()}
        apigateway._apis[api_id]["corsConfiguration"] = named


def apply() -> None:
    """Restore CORS after an API was created or updated."""
    after("AWS::ApiGatewayV2::Api", restore)
