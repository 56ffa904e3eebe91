"""The guardrail handler against the real partner services: their listings, their signals, their outages (GRD-7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from lambdas.guardrail.handler import handler
from mangaassist.adapters import clients, partner_clients
from mangaassist.adapters.dynamodb_catalogue import DynamoDBCatalogue
from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.catalogue.records import SeriesRecord
from mangaassist.guardrails import wiring
from services.partners.app import create_app
from services.partners.database.sessions import Database
from services.partners.security import Credentials
from services.partners.world.feed import open_feed
from services.partners.world.seeding import seed
from services.partners.world.suspicious import KINDS, Suspicion, suspicious_asins
from tests.contract.provider.conftest import serving
from tests.functional.adapters.misbehaving import answer, misbehaving, refused_url, silence
from tests.functional.catalogue.conftest import TABLE, Stores, stores
from tests.unit.catalogue.fakes import line, record

__all__ = ["stores"]

CREDENTIAL = "guardrail-credential-01"
EPOCH = datetime(2026, 11, 16, tzinfo=UTC)
PLENTY_MS = "60000"
"""So that a slow machine proves nothing; the budget has a test of its own."""
CONTEXT: Any = SimpleNamespace(
    aws_request_id="lambda-request",
    function_name="guardrail",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:guardrail:live",
)


def _line(number: int) -> bytes:
    series = record(f"MG{number:05d}")["volumes"][0]
    volumes = [
        {**series, "asin": f"B0{number:05d}{volume:03d}", "volume": volume, "title": f"Vol. {volume}"}
        for volume in range(1, 9)
    ]
    return line(f"MG{number:05d}", volumes=volumes, volume_count=8, mature=False)


@pytest.fixture
def world(stores: Stores, tmp_path: Path) -> Iterator[tuple[str, list[SeriesRecord]]]:
    """Twenty series that both the catalogue and the partners know; the address of the latter."""
    feed = tmp_path / "feed"
    feed.mkdir()
    (feed / "part.jsonl").write_bytes(b"\n".join(_line(number) for number in range(1, 21)))
    records = open_feed(feed).records()
    DynamoDBCatalogue(stores.dynamodb, TABLE).write([(each, each.series_id) for each in records])
    database = Database(f"sqlite:///{tmp_path / 'partners.db'}")
    seed(database, open_feed(feed), EPOCH)
    app = create_app(database, Credentials(CREDENTIAL, "guardrail-administrator-01"), clock=lambda: EPOCH)
    with serving(app) as url:
        yield url, records
    database.close()


@pytest.fixture
def deployed(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The function's environment, but for where the partners are."""
    arn = boto3.client("secretsmanager").create_secret(Name="partners", SecretString=CREDENTIAL)["ARN"]
    for name, value in {
        "CATALOGUE_TABLE": TABLE,
        "PARTNERS_CREDENTIAL_SECRET": arn,
        "TRUST_BUDGET_MS": PLENTY_MS,
        "POWERTOOLS_METRICS_NAMESPACE": "MangaAssist",
        "POWERTOOLS_SERVICE_NAME": "guardrail",
    }.items():
        monkeypatch.setenv(name, value)
    caches = (clients.client, wiring.directory, partner_clients.partner_http, partner_clients._credential)
    for cached in caches:
        cached.cache_clear()
    made: list[PartnerHttp] = []

    def make(*arguments: Any, **options: Any) -> PartnerHttp:
        made.append(PartnerHttp(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(partner_clients, "PartnerHttp", make)
    yield monkeypatch
    for http in made:
        http.close()
    for cached in caches:
        cached.cache_clear()


def judged(*asins: str, allowed: tuple[str, ...] = ()) -> dict[str, Any]:
    event = {"text": " ".join(asins), "language": "en", "allowed_asins": list(allowed), "request_id": "r1"}
    return handler(event, CONTEXT)


def _of_each_kind(records: list[SeriesRecord]) -> Mapping[Suspicion, str]:
    return {kind: asin for asin, kind in suspicious_asins(records, EPOCH.year).items()}


@pytest.mark.req("GRD-7")
def test_each_kind_of_suspicious_listing_is_taken_out_and_every_good_one_stays(
    world: tuple[str, list[SeriesRecord]], deployed: pytest.MonkeyPatch
) -> None:
    url, records = world
    deployed.setenv("PARTNERS_URL", url)
    suspicious = _of_each_kind(records)
    assert set(suspicious) == set(KINDS)
    for asin in suspicious.values():
        assert judged(asin)["text"] == "this title"
        assert judged(asin, allowed=(asin,))["stages"]["asin"] == "removed"
    every = suspicious_asins(records, EPOCH.year)
    good = [volume.asin for each in records for volume in each.volumes if volume.asin not in every]
    assert len(good) > 100
    verdict = judged(*good, allowed=tuple(good[::2]))
    assert (verdict["text"], verdict["stages"]["asin"]) == (" ".join(good), "passed")


@pytest.mark.req("GRD-7")
def test_what_the_catalogue_does_not_know_goes_and_what_nobody_sells_too(
    world: tuple[str, list[SeriesRecord]], deployed: pytest.MonkeyPatch
) -> None:
    url, records = world
    deployed.setenv("PARTNERS_URL", url)
    sold = records[0].volumes[0].asin
    verdict = judged(sold, "B0WRONG001", "B0NOTSOLD1", allowed=("B0NOTSOLD1",))
    assert verdict["text"] == f"{sold} this title this title"


@pytest.mark.req("GRD-7", "RES-5")
def test_pricing_out_of_order_leaves_the_existence_check(
    world: tuple[str, list[SeriesRecord]], deployed: pytest.MonkeyPatch
) -> None:
    known = world[1][0].volumes[0].asin
    deployed.setenv("PARTNERS_URL", refused_url())
    verdict = judged(known, "B0WRONG001")
    assert verdict["text"] == f"{known} this title"
    assert verdict["stages"]["asin"] == "unavailable"


@pytest.mark.req("GRD-7", "RES-5")
def test_silence_and_garbage_too(world: tuple[str, list[SeriesRecord]], deployed: pytest.MonkeyPatch) -> None:
    known = world[1][0].volumes[0].asin
    deployed.setenv("TRUST_BUDGET_MS", "100")
    with misbehaving() as server:
        deployed.setenv("PARTNERS_URL", server.url)
        for script in (silence(), answer(b"<html>", content_type="text/html"), answer({"signals": 7})):
            server.will(script)
            assert judged(known, "B0WRONG001")["stages"]["asin"] == "unavailable"


def test_without_a_pricing_service_listings_are_not_judged(
    world: tuple[str, list[SeriesRecord]], deployed: pytest.MonkeyPatch
) -> None:
    deployed.delenv("PARTNERS_URL", raising=False)
    distrusted = _of_each_kind(world[1])["distrusted"]
    verdict = judged(distrusted, "B0WRONG001")
    assert (verdict["text"], verdict["stages"]["asin"]) == (f"{distrusted} this title", "removed")
