"""Prod on this machine: the twin holds prod's own templates, and shoppers reach it through the edge alone."""

from __future__ import annotations

import json

import httpx
import pytest
import websockets
from websockets.exceptions import InvalidStatus

from stacks.environments import ENVIRONMENTS
from tests.infrastructure.bundles import without_bundles
from tests.infrastructure.synthesized import synthesize
from tools.twin.addresses import local_address
from tools.twin.deployment import emulator_client, regions
from tools.twin.supervisor import Twin

pytestmark = pytest.mark.environments("prod")


def test_what_is_deployed_is_what_aws_would_get_but_for_the_layers(twin: Twin) -> None:
    expected = synthesize(ENVIRONMENTS["prod"]).templates
    deployed = {}
    for region in regions(twin.layout.assembly):
        client = emulator_client(twin.layout, "cloudformation", region=region)
        for stack in client.describe_stacks()["Stacks"]:
            name = stack["StackName"]
            if name.startswith("MangaAssist-"):
                assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), name
                body = client.get_template(StackName=name)["TemplateBody"]
                template = json.loads(body) if isinstance(body, str) else body
                deployed[name.removeprefix("MangaAssist-prod-")] = template
    assert deployed.keys() == expected.keys()
    for concern, template in expected.items():
        assert without_bundles(deployed[concern]) == without_bundles(template), concern


@pytest.mark.req("SEC-5")
async def test_the_apis_themselves_answer_nobody_who_comes_around_the_edge(twin: Twin) -> None:
    urls, emulator = twin.urls(), twin.layout.ports["emulator"]
    token = httpx.post(f"{urls.api}/v1/chat/guest-tokens", trust_env=False).raise_for_status().json()["token"]
    direct = local_address(twin.outputs()["Chat"]["HttpApiUrl"], emulator)
    for headers in ({}, {"x-origin-secret": "forged"}):
        answer = httpx.post(f"{direct}/$default/v1/chat/guest-tokens", headers=headers, trust_env=False)
        assert answer.status_code == 403
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(
                local_address(twin.outputs()["Chat"]["WebSocketUrl"], emulator),
                subprotocols=[websockets.Subprotocol("mangaassist"), websockets.Subprotocol(token)],
                additional_headers=headers,
                proxy=None,
            )
        assert refused.value.response.status_code in (401, 403)
