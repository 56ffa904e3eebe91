"""The edge of the twin, standing in for CloudFront: one origin for the page and the APIs.

The deployed distribution decides (``distribution.py``): what matches one of its behaviors goes to that API, with the
headers CloudFront adds, as a request or as a WebSocket; everything else comes from the deployed web bucket, with the
response headers policy that the template gives the distribution. Hosts of deployed APIs and of the distribution become
this machine's, in ``config.json`` and in the content security policy. The firewall is not played.
Run: ``python -m tools.twin.edge --port N --emulator-port N --outputs FILE``.
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
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tools.twin import stack_outputs
from tools.twin.addresses import local_address
from tools.twin.distribution import Behavior, behavior_of, behaviors_in
from tools.twin.faults import FaultInjector, Scope
from tools.twin.layout import CREDENTIALS, HOST, REGION
from tools.twin.socket_relay import relay

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
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
NO_EMULATOR = "The emulator does not answer: see `mangactl twin status`."
NOT_DEPLOYED = "The page is not deployed yet: run `make up` and reload."
CLOUDFRONT = "{http://cloudfront.amazonaws.com/doc/2020-05-31/}"


@dataclass(frozen=True)
class StoredObject:
    """An object of the web bucket as it was last read."""

    etag: str
    content_type: str
    body: bytes


class Origin:
    """What the deployed stacks offer: the web bucket, the distribution's other behaviors, the headers policy."""

    def __init__(self, client: httpx.AsyncClient, port: int, emulator_port: int, outputs: Path) -> None:
        self._client, self._outputs = client, outputs
        self._own, self._port = f"{HOST}:{port}", emulator_port
        self._emulator = f"http://{HOST}:{emulator_port}"
        self._credentials = Credentials(
            CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
        )
        self._objects: dict[str, StoredObject] = {}
        self._policy: tuple[float, dict[str, str]] | None = None

    @property
    def is_deployed(self) -> bool:
        """Whether there is a page to serve."""
        return "Web" in stack_outputs.read(self._outputs)

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

    async def behavior(self, path: str) -> Behavior | None:
        """Where the distribution sends ``path``; ``None`` when that is the page.

        Read anew each time: a rotation changes the headers, and CloudFront's own delay would only slow the twin down.
        """
        distribution = stack_outputs.read(self._outputs).get("Web", {}).get("DistributionId")
        if distribution is None:
            return None
        url = f"{self._emulator}/2020-05-31/distribution/{distribution}/config"
        answer = await self._signed(url, "cloudfront", {})
        answer.raise_for_status()
        return behavior_of(behaviors_in(answer.text), path)

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
        """``text`` with the hosts of deployed APIs replaced by the emulator's, and the distribution's by our own."""
        return local_address(stack_outputs.at_edge(text, self._outputs, self._own), self._port)

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


def application(port: int, emulator_port: int, outputs: Path) -> Starlette:
    """The edge on ``port`` in front of one emulator; ``outputs`` is the file the CDK writes."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=httpx.Timeout(30, connect=5), trust_env=False) as client:
            app.state.client, app.state.origin = client, Origin(client, port, emulator_port, outputs)
            yield

    return Starlette(
        routes=[
            Route("/_twin/health", health),
            Route("/{path:path}", viewer_request, methods=METHODS),
            WebSocketRoute("/{path:path}", viewer_socket),
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


async def viewer_request(request: Request) -> Response:
    """An API's answer, or a file of the page."""
    origin: Origin = request.app.state.origin
    if not origin.is_deployed:
        return Response(NOT_DEPLOYED, 503, media_type="text/plain")
    try:
        behavior = await origin.behavior(request.url.path)
    except httpx.HTTPError:
        return Response(NO_EMULATOR, 502, media_type="text/plain")
    if behavior is None:
        return await page(request)
    if request.method not in behavior.methods:
        return Response("This distribution is not configured to allow the method.", 403)
    return await api(request, origin.local(f"https://{behavior.host}"), behavior)


async def viewer_socket(socket: WebSocket) -> None:
    """A WebSocket of an API, from its handshake to its end."""
    origin: Origin = socket.app.state.origin
    try:
        behavior = await origin.behavior(socket.url.path)
    except httpx.HTTPError:
        await socket.send_denial_response(Response(NO_EMULATOR, 502))
        return
    if behavior is None:
        await socket.send_denial_response(Response(status_code=404))
        return
    await relay(socket, origin.local(f"wss://{behavior.host}") + socket.url.path, behavior.headers)


async def page(request: Request) -> Response:
    """A file of the page."""
    if request.method not in ("GET", "HEAD"):
        return Response(status_code=405)
    origin: Origin = request.app.state.origin
    key = request.path_params["path"] or "index.html"
    try:
        found = await origin.stored(key)
        headers = dict(await origin.security_headers())
    except httpx.TransportError:
        return Response(NO_EMULATOR, 502, media_type="text/plain")
    if found is None:
        return Response("Not found", 404, headers, "text/plain")
    headers |= {"content-type": found.content_type, "cache-control": "no-cache"}
    if key == "config.json":
        return Response(origin.local(found.body.decode()), headers=headers)
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers={**headers, "etag": found.etag})
    return Response(found.body, headers={**headers, "etag": found.etag})


async def api(request: Request, address: str, behavior: Behavior) -> Response:
    """A call of the HTTP API at ``address``, passed through as it comes, with the headers that CloudFront adds."""
    client: httpx.AsyncClient = request.app.state.client
    dropped = HOP_BY_HOP | {"host"} | set(behavior.headers)
    headers = [(name, value) for name, value in request.headers.items() if name not in dropped]
    headers += behavior.headers.items()
    url = httpx.URL(f"{address}/$default{request.url.path}", query=request.url.query.encode())
    try:
        outgoing = client.build_request(request.method, url, headers=headers, content=await request.body())
        incoming = await client.send(outgoing, stream=True)
    except httpx.TransportError:
        return JSONResponse({"message": NO_EMULATOR}, 502)

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
        application(options.port, options.emulator_port, options.outputs),
        host=HOST,
        port=options.port,
        access_log=False,
        server_header=False,
        log_level="info",
        ws="websockets-sansio",
        # Bytes pass through: what the API compresses or limits is its own affair.
        ws_per_message_deflate=False,
        ws_ping_interval=None,
    )


if __name__ == "__main__":
    main()
