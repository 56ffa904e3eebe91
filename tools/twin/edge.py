"""The edge of the twin, standing in for CloudFront: one origin for the page and the HTTP API.

``/v1/*`` goes to the deployed HTTP API; everything else comes from the deployed web bucket, with the response headers
policy that the template gives the distribution. Hosts of deployed APIs become the emulator's, in ``config.json`` and in
the content security policy. Run: ``python -m tools.twin.edge --port N --emulator-port N --outputs FILE``.
"""

from __future__ import annotations

import argparse
import mimetypes
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import httpx
import uvicorn
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tools.twin import stack_outputs
from tools.twin.addresses import local_address
from tools.twin.faults import FaultInjector, Scope
from tools.twin.layout import CREDENTIALS, HOST, REGION

HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "proxy-authorization",
}
NOT_PASSED_ON = HOP_BY_HOP | {"date"}  # this server dates its own answers
NOT_DEPLOYED = "The page is not deployed yet: run `make up` and reload."
CLOUDFRONT = "{http://cloudfront.amazonaws.com/doc/2020-05-31/}"


@dataclass(frozen=True)
class StoredObject:
    """An object of the web bucket as it was last read."""

    etag: str
    content_type: str
    body: bytes


class Origin:
    """What the deployed stacks offer: the web bucket, the HTTP API, the headers policy."""

    def __init__(self, client: httpx.AsyncClient, emulator_port: int, outputs: Path) -> None:
        self._client, self._port, self._outputs = client, emulator_port, outputs
        self._emulator = f"http://{HOST}:{emulator_port}"
        self._credentials = Credentials(
            CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
        )
        self._objects: dict[str, StoredObject] = {}
        self._policy: tuple[float, dict[str, str]] | None = None

    async def stored(self, key: str) -> StoredObject | None:
        """The object ``key`` of the web bucket; read again only when it changed."""
        bucket = stack_outputs.read(self._outputs).get("Web", {}).get("WebBucketName")
        if bucket is None:
            return None
        url, known = f"{self._emulator}/{bucket}/{quote(key)}", self._objects.get(f"{bucket}/{key}")
        answer = await self._signed(url, "s3", {"If-None-Match": known.etag} if known else {})
        if answer.status_code == httpx.codes.NOT_MODIFIED and known:
            return known
        if answer.status_code != httpx.codes.OK:
            return None
        content_type = answer.headers.get("content-type") or "binary/octet-stream"
        if content_type == "binary/octet-stream":
            content_type = mimetypes.guess_type(key)[0] or content_type
        found = StoredObject(answer.headers["etag"], content_type, answer.content)
        self._objects[f"{bucket}/{key}"] = found
        return found

    def api(self) -> str | None:
        """The HTTP API as the emulator serves it."""
        url = stack_outputs.read(self._outputs).get("Chat", {}).get("HttpApiUrl")
        return f"{local_address(url, self._port).rstrip('/')}/$default" if url else None

    async def security_headers(self) -> Mapping[str, str]:
        """The headers of the deployed response headers policy; read again after each deployment."""
        deployed = self._outputs.stat().st_mtime if self._outputs.is_file() else 0.0
        if self._policy is None or self._policy[0] != deployed:
            url = f"{self._emulator}/2020-05-31/response-headers-policy?Type=custom"
            answer = await self._signed(url, "cloudfront", {})
            policies = ElementTree.fromstring(answer.content) if answer.is_success else None  # noqa: S314 - our own
            self._policy = (deployed, headers_of(policies) if policies is not None else {})
        return {name: self.local(value) for name, value in self._policy[1].items()}

    def local(self, text: str) -> str:
        """``text`` with the hosts of deployed APIs replaced by the emulator's."""
        return local_address(text, self._port)

    async def _signed(self, url: str, service: str, headers: Mapping[str, str]) -> httpx.Response:
        request = AWSRequest("GET", url, headers=dict(headers))
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(self._credentials, service, REGION).add_auth(request)
        return await self._client.get(url, headers=dict(request.headers))


def headers_of(policies: ElementTree.Element) -> dict[str, str]:
    """The response headers that a list of policies stands for; the page has one policy."""
    security = policies.find(f".//{CLOUDFRONT}SecurityHeadersConfig")
    if security is None:
        return {}

    def text(path: str) -> str | None:
        found = security.find("/".join(CLOUDFRONT + part for part in path.split("/")))
        return found.text if found is not None else None

    headers = {
        "content-security-policy": text("ContentSecurityPolicy/ContentSecurityPolicy"),
        "x-frame-options": text("FrameOptions/FrameOption"),
        "referrer-policy": text("ReferrerPolicy/ReferrerPolicy"),
        "x-content-type-options": "nosniff" if text("ContentTypeOptions/Override") else None,
        # Strict-Transport-Security is left out: it means nothing over plain HTTP.
    }
    return {name: value for name, value in headers.items() if value}


def application(emulator_port: int, outputs: Path) -> Starlette:
    """The edge in front of one emulator; ``outputs`` is the file the CDK writes."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=httpx.Timeout(30, connect=5), trust_env=False) as client:
            app.state.client, app.state.origin = client, Origin(client, emulator_port, outputs)
            yield

    return Starlette(
        routes=[
            Route("/_twin/health", health),
            Route("/v1/{path:path}", api, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
            Route("/{path:path}", page),
        ],
        middleware=[Middleware(FaultInjector, services={"edge"}, service_of=service_of)],
        lifespan=lifespan,
    )


def service_of(scope: Scope) -> str:
    """Everything here is one service to the fault injector."""
    return "edge"


async def health(request: Request) -> Response:
    """Whether the edge itself is well."""
    return JSONResponse({"status": "ok"})


async def page(request: Request) -> Response:
    """A file of the page."""
    origin: Origin = request.app.state.origin
    key = request.path_params["path"] or "index.html"
    try:
        found = await origin.stored(key)
        headers = dict(await origin.security_headers())
    except httpx.TransportError:
        return Response(
            "The emulator does not answer: see `mangactl twin status`.", 502, media_type="text/plain"
        )
    if found is None:
        return Response(NOT_DEPLOYED if key == "index.html" else "Not found", 404, headers, "text/plain")
    headers |= {"content-type": found.content_type, "cache-control": "no-cache"}
    if key == "config.json":
        return Response(origin.local(found.body.decode()), headers=headers)
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers={**headers, "etag": found.etag})
    return Response(found.body, headers={**headers, "etag": found.etag})


async def api(request: Request) -> Response:
    """A call of the HTTP API, passed through as it comes."""
    target = request.app.state.origin.api()
    if target is None:
        return JSONResponse({"message": NOT_DEPLOYED}, 503)
    client: httpx.AsyncClient = request.app.state.client
    headers = [
        (name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP and name != "host"
    ]
    url = httpx.URL(f"{target}{request.url.path}", query=request.url.query.encode())
    try:
        outgoing = client.build_request(request.method, url, headers=headers, content=await request.body())
        incoming = await client.send(outgoing, stream=True)
    except httpx.TransportError:
        return JSONResponse({"message": "the emulator does not answer"}, 502)

    async def body() -> AsyncIterator[bytes]:
        try:
            async for part in incoming.aiter_raw():
                yield part
        finally:
            await incoming.aclose()

    response = StreamingResponse(body(), incoming.status_code)
    response.raw_headers = [
        (name, value) for name, value in incoming.headers.raw if name.decode().lower() not in NOT_PASSED_ON
    ]
    return response


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--emulator-port", type=int, required=True)
    parser.add_argument("--outputs", type=Path, required=True, help="the CDK's outputs file")
    options = parser.parse_args()
    uvicorn.run(
        application(options.emulator_port, options.outputs),
        host=HOST,
        port=options.port,
        access_log=False,
        server_header=False,
        log_level="info",
        ws="none",
    )


if __name__ == "__main__":
    main()
