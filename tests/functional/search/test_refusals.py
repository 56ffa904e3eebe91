"""What a Serverless collection does not offer, what is not signed, what is not well formed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from opensearchpy import AuthorizationException, NotFoundError, OpenSearch, RequestError, TransportError

from tests.functional.search.service import Service
from tools.twin.search.settings import MAX_BODY_BYTES


def send(service: Service, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
    """One signed request with exactly these bytes."""
    headers = {
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    request = AWSRequest(method, service.url + path, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    SigV4Auth(Credentials("test", "test"), "aoss", "us-east-1").add_auth(request)
    return httpx.request(
        method, service.url + path, content=body, headers={**headers, **dict(request.headers)}
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/{index}/_refresh"),
        ("POST", "/_refresh"),
        ("POST", "/{index}/_update_by_query"),
        ("POST", "/{index}/_delete_by_query"),
        ("POST", "/_reindex"),
        ("GET", "/_cluster/health"),
        ("GET", "/_nodes"),
        ("GET", "/_cat/health"),
        ("POST", "/{index}/_forcemerge"),
        ("POST", "/{index}/_flush"),
        ("PUT", "/_scripts/x"),
        ("POST", "/_search/scroll"),
        ("GET", "/no/such/path/here"),
    ],
)
def test_operations_that_serverless_does_not_offer_are_an_empty_404(
    client: OpenSearch, index: str, method: str, path: str
) -> None:
    with pytest.raises(NotFoundError) as raised:
        client.transport.perform_request(method, path.format(index=index))

    assert (raised.value.status_code, raised.value.error) == (404, "")


def test_a_404_says_what_is_missing_in_a_header(service: Service) -> None:
    response = send(service, "POST", "/books/_refresh")

    assert response.content == b""
    assert response.headers["x-twin-reason"] == "OpenSearch Serverless does not offer POST /books/_refresh"


@pytest.mark.parametrize("policy", ["true", "wait_for", True])
def test_refresh_policies_are_refused(client: OpenSearch, index: str, policy: Any) -> None:
    for write in (
        lambda: client.index(index=index, id="1", body={}, refresh=policy),
        lambda: client.bulk(index=index, body=[{"index": {"_id": "1"}}, {}], refresh=policy),
        lambda: client.delete(index=index, id="1", refresh=policy),
    ):
        with pytest.raises(RequestError) as raised:
            write()
        assert raised.value.error == "status_exception"
        assert (
            raised.value.info["error"]["reason"] == f"{str(policy).lower()} refresh policy is not supported."
        )
    assert not client.exists(index=index, id="1")
    assert client.index(index=index, id="1", body={}, refresh=False)["result"] == "created"


def test_unknown_parameters_and_methods_are_refused(service: Service, client: OpenSearch, index: str) -> None:
    with pytest.raises(RequestError, match="unrecognized parameter"):
        client.transport.perform_request("GET", f"/{index}/_search", params={"colour": "red"})
    with pytest.raises(TransportError) as raised:
        client.transport.perform_request("DELETE", f"/{index}/_search")
    assert raised.value.status_code == 405


def test_only_requests_signed_for_aoss_are_served(service: Service, index: str) -> None:
    unsigned = httpx.get(f"{service.url}/{index}/_count")
    assert (unsigned.status_code, unsigned.json()["error"]["type"]) == (403, "Forbidden")
    assert "--allow-unsigned" in unsigned.headers["x-twin-reason"]

    basic = httpx.get(f"{service.url}/{index}/_count", auth=("admin", "admin"))
    assert basic.status_code == 403

    with pytest.raises(AuthorizationException):
        service.client("es").count(index=index)


def test_the_content_hash_header_is_required(service: Service, index: str) -> None:
    request = AWSRequest("GET", f"{service.url}/{index}/_count")
    SigV4Auth(Credentials("test", "test"), "aoss", "us-east-1").add_auth(request)

    response = httpx.get(request.url, headers=dict(request.headers))

    assert response.status_code == 403
    assert "x-amz-content-sha256" in response.headers["x-twin-reason"]


def test_unsigned_requests_by_setting(start_service: Any) -> None:
    open_service = start_service("--allow-unsigned")

    assert httpx.get(f"{open_service.url}/_cat/indices").status_code == 200


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "request body is required"),
        (b'{"index":{}}\n{"title":"a"}', "must be terminated by a newline"),
        (b'{"index":{}}\n', "has no document after it"),
        (b"not json\n{}\n", "Malformed action/metadata line [1]"),
        (b'{"index":{}}\n{}\n{"inde', "must be terminated by a newline"),
        (b'["index"]\n{}\n', "Malformed action/metadata line [1]"),
        (b'{"upsert":{}}\n{}\n', "expected one of [create, delete, index, update] but found [upsert]"),
        (b'{"index":{},"create":{}}\n{}\n', "expected an object with one action"),
        (b'{"index":[]}\n{}\n', "expected an object of metadata"),
        (b'{"index":{"_type":"x"}}\n{}\n', "unknown parameter [_type]"),
        (b'{"delete":{}}\n', "id is missing"),
        (b"\x00\xff\xfe\n\x80\n", "Malformed action/metadata line [1]"),
    ],
)
def test_malformed_bulks_change_nothing(
    service: Service, client: OpenSearch, index: str, body: bytes, sentence: str
) -> None:
    good_first = b'{"index":{"_id":"first"}}\n{"title":"first"}\n' if body else b""

    response = send(
        service, "POST", f"/{index}/_bulk", good_first + body, content_type="application/x-ndjson"
    )

    assert response.status_code == 400
    error = response.json()["error"]
    assert sentence.replace("[1]", "[3]") in error["reason"] or sentence in error["reason"]
    assert error["root_cause"][0]["type"] == error["type"]
    assert not client.exists(index=index, id="first")


@pytest.mark.parametrize(
    "document", [b"{", b"[1]", b'"text"', b'{"title":"\\ud800"}', b'{"rating":NaN}', b"\xff"]
)
def test_a_document_that_is_not_json_fails_alone(
    service: Service, client: OpenSearch, index: str, document: bytes
) -> None:
    lines = [b'{"index":{"_id":"bad"}}', document, b'{"index":{"_id":"good"}}', b"{}", b""]

    answer = send(service, "POST", f"/{index}/_bulk", b"\n".join(lines)).json()

    bad, good = (item["index"] for item in answer["items"])
    assert (bad["status"], bad["error"]["type"], good["status"]) == (400, "mapper_parsing_exception", 201)
    assert not client.exists(index=index, id="bad")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not"),
        (b'{"size": NaN}', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"query":{"term":{"genres":"\\ud800"}}}', "not JSON"),
        (b'{"min_score":1e999}', ""),
        (b'{"query":{"range":{"year":{"gte":1e999}}}}', "must be a string, number or boolean"),
        (b'{"query":{"term":{"year":123456789012345678901234567890}}}', "out of range"),
    ],
)
def test_search_bodies_that_are_not_json_or_not_usable(
    service: Service, index: str, body: bytes, sentence: str
) -> None:
    response = send(service, "POST", f"/{index}/_search", body)

    if sentence:
        assert response.status_code == 400
        assert sentence in json.dumps(response.json()["error"])
    else:
        assert response.json()["hits"]["hits"] == []


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("rating", f"1{'0' * 400}"),
        ("rating", "1e999"),
        ("rating", '"1e999"'),
        ("year", "1e999"),
        ("added", "99999999999999999999"),
        ("added", '"99999999999999999999"'),
        ("added", '"2026-13-01"'),
        ("embedding", f"[1{'0' * 400},0,0]"),
    ],
)
def test_numbers_that_no_field_holds_are_refused_in_documents_and_in_queries(
    service: Service, index: str, field: str, raw: str
) -> None:
    clause = (
        f'{{"{field}":{{"vector":{raw},"k":1}}}}'
        if field == "embedding"
        else f'{{"{field}":{{"gte":{raw}}}}}'
    )
    query = f'{{"query":{{"{"knn" if field == "embedding" else "range"}":{clause}}}}}'

    stored = send(service, "PUT", f"/{index}/_doc/1", f'{{"{field}":{raw}}}'.encode())
    searched = send(service, "POST", f"/{index}/_search", query.encode())

    assert (stored.status_code, searched.status_code) == (400, 400)


def test_a_range_may_reach_beyond_the_fields_type(client: OpenSearch, service: Service, index: str) -> None:
    client.index(index=index, id="1", body={"year": 1998})
    service.let_writes_appear()

    for bound, expected in ((10**15, 0), (10**30, 0), (-(10**30), 1)):
        assert (
            client.count(index=index, body={"query": {"range": {"year": {"gte": bound}}}})["count"]
            == expected
        )


def test_a_huge_body_is_refused_and_the_service_goes_on(
    service: Service, client: OpenSearch, index: str
) -> None:
    with pytest.raises(TransportError) as raised:
        client.index(index=index, id="1", body={"title": "x" * (MAX_BODY_BYTES + 1)})

    assert raised.value.status_code == 413
    assert raised.value.info["error"]["type"] == "content_too_long_exception"
    assert client.count(index=index)["count"] == 0


def test_packed_bodies_are_bounded_once_unpacked(service: Service, index: str) -> None:
    small = send(
        service,
        "POST",
        f"/{index}/_count",
        gzip.compress(b'{"query":{"match_all":{}}}'),
        content_encoding="gzip",
    )
    bomb = send(
        service,
        "POST",
        f"/{index}/_count",
        gzip.compress(b" " * (MAX_BODY_BYTES * 3)),
        content_encoding="gzip",
    )
    torn = send(service, "POST", f"/{index}/_count", b"not gzip", content_encoding="gzip")

    assert [small.status_code, bomb.status_code, torn.status_code] == [200, 413, 400]


def test_other_content_types_are_refused(service: Service, index: str) -> None:
    response = send(service, "POST", f"/{index}/_search", b"{}", content_type="text/plain")

    assert response.status_code == 406
    assert response.json()["error"]["reason"] == "Content-Type header [text/plain] is not supported"


def test_a_term_too_long_for_lucene_is_refused(client: OpenSearch, index: str) -> None:
    with pytest.raises(RequestError, match="immense term"):
        client.index(index=index, id="1", body={"genres": ["x" * 40_000]})
