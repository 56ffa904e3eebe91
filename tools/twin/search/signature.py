"""The gate in front of the collection: a request must be signed for ``aoss``; the signature itself is not verified."""

from __future__ import annotations

import re
from collections.abc import Mapping

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/\d{8}/[a-z0-9-]+/(?P<service>[a-z0-9-]+)/aws4_request,\s*"
    r"SignedHeaders=[^,\s]+,\s*Signature=[0-9a-f]{64}"
)


def why_refused(headers: Mapping[str, str]) -> str | None:
    """What is wrong with a request's signature, in a sentence; ``None`` when it passes."""
    authorization = headers.get("authorization")
    if not authorization:
        return (
            "no Authorization header: sign the request with SigV4, or start the service with --allow-unsigned"
        )
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if match is None:
        return "the Authorization header is not an AWS4-HMAC-SHA256 signature"
    if match["service"] != "aoss":
        return f"signed for service [{match['service']}]: OpenSearch Serverless wants [aoss]"
    if "x-amz-content-sha256" not in headers:
        return "the header x-amz-content-sha256 is missing: OpenSearch Serverless requires it"
    return None
