"""The SageMaker contract, kept by real processes."""

from __future__ import annotations

import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.models import intent as intent_service
from services.models import reranker as reranker_service
from services.models.contract import MAXIMUM_BODY_BYTES
from services.models.settings import Settings
from tests.functional.models.conftest import free_port
from tests.functional.services.conftest import Start, answers, command

SECRET = "karen@example.com"


def ask(http: httpx.Client, document: Any) -> Any:
    answer = http.post("/invocations", json=document)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.req("INT-3")
def test_the_classifier_answers_labels_and_confidences(intent: httpx.Client) -> None:
    ready = intent.get("/ping").json()
    assert ready == {"status": "ready", "backend": "stand-in:lexical-logistic-regression"}
    scores = ask(intent, {"inputs": "荷物はいつ届きますか"})
    assert scores[0]["label"] == "order_status"
    assert len(scores) == 9
    assert sum(score["score"] for score in scores) == pytest.approx(1, abs=1e-4)
    one, other = ask(intent, {"inputs": ["thank you", "talk to a human agent please"]})
    assert (one[0]["label"], other[0]["label"]) == ("chitchat", "escalation")


@pytest.mark.req("RET-3")
def test_the_reranker_orders_ten_texts(reranker: httpx.Client) -> None:
    assert reranker.get("/ping").json()["backend"].startswith("stand-in:")
    texts = ["Naruto / ナルト\nMasashi Kishimoto / 岸本斉史\nAction アクション"] * 9
    texts.insert(6, "Uzumaki / うずまき\nJunji Ito / 伊藤潤二\nHorror ホラー")
    ranked = ask(reranker, {"query": "うずまきの作者は？", "texts": texts, "truncate": True})
    assert ranked[0]["index"] == 6
    assert sorted(entry["index"] for entry in ranked) == list(range(10))
    assert all(set(entry) == {"index", "score"} for entry in ranked), "no text leaves unless it was asked for"
    with_text = ask(reranker, {"query": "horror", "texts": ["b", "a"], "return_text": True})
    assert sorted(entry["text"] for entry in with_text) == ["a", "b"]


def test_the_server_adds_nothing_to_what_the_service_answers(
    intent: httpx.Client, reranker: httpx.Client, artefacts: Path
) -> None:
    settings = Settings(artefacts, "127.0.0.1", 1, "auto", 1)
    for http, service, document in (
        (intent, intent_service.load(settings), {"inputs": "recommend me a mystery"}),
        (reranker, reranker_service.load(settings), {"query": "mystery", "texts": ["Mystery", "Horror"]}),
    ):
        assert ask(http, document) == service.answer(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("service", "body", "status"),
    [
        ("intent", b"", 400),
        ("intent", b"\xff\xfe", 400),
        ("intent", f'"{SECRET}"'.encode(), 400),
        ("intent", json.dumps({"inputs": {"text": SECRET}}).encode(), 400),
        ("intent", json.dumps({"inputs": []}).encode(), 400),
        ("intent", json.dumps({"inputs": [SECRET, 7]}).encode(), 400),
        ("intent", json.dumps({"inputs": SECRET * 5_000}).encode(), 400),
        ("intent", json.dumps({"inputs": [SECRET] * 33}).encode(), 413),
        ("intent", b'{"inputs": "' + b"x" * MAXIMUM_BODY_BYTES + b'"}', 413),
        ("reranker", b"{", 422),
        ("reranker", json.dumps({"query": SECRET}).encode(), 422),
        ("reranker", json.dumps({"query": " ", "texts": [SECRET]}).encode(), 422),
        ("reranker", json.dumps({"query": SECRET, "texts": SECRET}).encode(), 422),
        ("reranker", json.dumps({"query": SECRET, "texts": [SECRET] * 33}).encode(), 413),
    ],
)
def test_what_is_wrong_is_said_without_repeating_it(
    service: str, body: bytes, status: int, request: pytest.FixtureRequest
) -> None:
    http: httpx.Client = request.getfixturevalue(service)
    answer = http.post("/invocations", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["error"]
    assert SECRET not in answer.text
    assert http.get("/ping").status_code == 200


def test_other_media_types_methods_and_paths_are_refused(intent: httpx.Client) -> None:
    assert (
        intent.post("/invocations", content=b"hello", headers={"content-type": "text/csv"}).status_code == 415
    )
    assert intent.get("/invocations").status_code == 405
    assert intent.post("/predict", json={}).status_code == 404


def test_many_at_once_are_all_answered(intent: httpx.Client) -> None:
    with ThreadPoolExecutor(12) as pool:
        labels = list(pool.map(lambda _: ask(intent, {"inputs": "where is my order"})[0]["label"], range(48)))
    assert set(labels) == {"order_status"}


@pytest.mark.req("CAP-3")
def test_an_instance_is_ready_only_after_its_warm_up(start: Start, tmp_path: Path) -> None:
    module = "tests.functional.services.slow_model"
    with start("-m", module, status=503, MODEL_FOLDER=str(tmp_path), WAIT_FOR_LOAD="1") as server:
        refused = server.http.post("/invocations", json={})
        assert refused.status_code == 503
        assert refused.json() == {"error": "the model is being loaded"}
        (tmp_path / "loaded").touch()
        answers(server.http, 200, server.process)


def test_a_running_call_is_finished_and_one_too_many_is_refused(start: Start, tmp_path: Path) -> None:
    module = "tests.functional.services.slow_model"
    with start("-m", module, MODEL_FOLDER=str(tmp_path), MODEL_MOST_WAITING="1") as server:
        found: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: found.append(server.http.post("/invocations", json={})))
        asking.start()
        while not (tmp_path / "asked").exists():
            assert asking.is_alive()
        assert server.http.post("/invocations", json={}).status_code == 503
        server.process.send_signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        asking.join(20)
        assert found[0].json() == {"late": True}
        # uvicorn ends by the signal it was told to end by.
        assert server.process.wait(20) == -signal.SIGTERM


def test_a_surprise_in_the_model_is_a_500_and_only_its_class_is_logged(start: Start, tmp_path: Path) -> None:
    with start("-m", "tests.functional.services.slow_model", MODEL_FOLDER=str(tmp_path)) as server:
        answer = server.http.post("/invocations", json={"inputs": f"break {SECRET}"})
        server.process.terminate()
        _, told = server.process.communicate(timeout=20)
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert SECRET not in told
    assert "invocation failed: RuntimeError" in told


@pytest.mark.parametrize(
    ("service", "variables", "status", "words"),
    [
        ("intent", {"MODEL_BACKEND": "magic"}, 2, "choose one of auto, neuron, onnx, torch, small"),
        ("reranker", {"MODEL_MOST_WAITING": "none"}, 2, "MODEL_MOST_WAITING is 'none'"),
        ("intent", {}, 1, "cannot be served: auto finds no transformer, usable: none"),
        ("reranker", {"MODEL_BACKEND": "neuron"}, 1, "cannot be served: neuron finds no transformer"),
    ],
)
def test_what_cannot_be_served_ends_with_one_line(
    service: str, variables: dict[str, str], status: int, words: str, tmp_path: Path
) -> None:
    process = command(
        "-m", f"services.models.{service}", port=free_port(), MODEL_FOLDER=str(tmp_path), **variables
    )
    _, told = process.communicate(timeout=30)
    assert process.returncode == status
    assert words in told.splitlines()[-1]
    assert "Traceback" not in told
