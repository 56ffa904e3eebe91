"""The restore drill (docs/runbooks/restore.md, cases A and D) on the running twin, with the time of every step.

The emulator keeps no point in time: its point-in-time restore copies the table as it is. So the damage comes after a
backup, and it is the backup that brings the items back; the point-in-time call is made to see that it fits the table.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any, Final

from mangaassist.protocol import FinalFrame
from tools.chat_client import ChatClient
from tools.mangactl.capacity_rehearsals import RehearsalFailed, Stage
from tools.twin.deployment import emulator_client
from tools.twin.layout import CREDENTIALS, REGION

QUESTION: Final = "Recommend horror manga like Junji Ito"
DAMAGED: Final = 40
"""Half of them overwritten, half deleted."""
BATCH: Final = 25
INGEST_SECONDS: Final = 900
"""The function's own limit."""
BAD_INDEX: Final = "catalogue-drill"

Item = dict[str, Any]
Items = dict[tuple[str, str], Item]


def rehearse_restore(stage: Stage) -> None:
    """Damage the catalogue and the index, and mend both as the runbook says."""
    table = stage.output("Ingest", "CatalogueTableName")
    with ExitStack() as mended:
        mended.enter_context(_feeds_wait(stage))
        _restore_items(stage, table, mended)
        _rebuild_index(stage, mended)
    cards = asyncio.run(_cards(stage))
    stage.expect(cards >= 3, f"feeds are taken again, and a question is answered with {cards} products")


# --- case A: items are wrong --------------------------------------------------------------------------


def _restore_items(stage: Stage, table: str, mended: ExitStack) -> None:
    database = stage.client("dynamodb")
    good = _items(database, table)
    backup = database.create_backup(TableName=table, BackupName="drill")["BackupDetails"]["BackupArn"]
    mended.callback(database.delete_backup, BackupArn=backup)
    _damage(database, table, good)
    wrong = _differences(good, _items(database, table))
    stage.expect(len(wrong) == DAMAGED, f"{len(wrong)} of {len(good):,} items are wrong or missing")

    side, point = f"{table}-drill", f"{table}-drill-point"
    with _timed(stage, "restored aside from the backup"):
        database.restore_table_from_backup(TargetTableName=side, BackupArn=backup)
        mended.callback(database.delete_table, TableName=side)
        database.get_waiter("table_exists").wait(TableName=side, WaiterConfig={"Delay": 1})
    if _has_recovery(database, table):
        with _timed(stage, "point-in-time recovery is on, and its restore fits the table"):
            database.restore_table_to_point_in_time(
                SourceTableName=table, TargetTableName=point, UseLatestRestorableTime=True
            )
            mended.callback(database.delete_table, TableName=point)
            database.get_waiter("table_exists").wait(TableName=point, WaiterConfig={"Delay": 1})

    restored = _items(database, side)
    found = _differences(restored, _items(database, table))
    stage.expect(found == wrong, "comparing both tables finds exactly what was damaged")
    with _timed(stage, f"{len(found)} items copied back"):
        _write(database, table, [restored[key] for key in sorted(found)])
    stage.expect(_items(database, table) == good, "the table is as it was, item by item")


def _damage(database: Any, table: str, good: Items) -> None:
    chosen = sorted(good)[:DAMAGED]
    half = DAMAGED // 2
    _write(database, table, [{**good[key], "drill": {"S": "wrong"}} for key in chosen[:half]])
    for key in chosen[half:]:
        database.delete_item(TableName=table, Key={name: good[key][name] for name in ("pk", "sk")})


def _items(database: Any, table: str) -> Items:
    pages = database.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}


def _differences(right: Items, seen: Items) -> set[tuple[str, str]]:
    return {key for key, item in right.items() if seen.get(key) != item}


def _write(database: Any, table: str, items: list[Item]) -> None:
    for start in range(0, len(items), BATCH):
        left = {table: [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]}
        while left:
            left = database.batch_write_item(RequestItems=left)["UnprocessedItems"]


def _has_recovery(database: Any, table: str) -> bool:
    described = database.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    return described["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


# --- case D: the index is wrong -----------------------------------------------------------------------


def _rebuild_index(stage: Stage, mended: ExitStack) -> None:
    search = _search(stage)
    mended.callback(search.close)
    alias = _alias(stage)
    (live,) = search.indices.get_alias(name=alias)
    described = search.indices.get(index=live)[live]
    search.indices.create(
        index=BAD_INDEX,
        body={"settings": {"index.knn": True}, "mappings": described["mappings"]},
    )
    _point(search, alias, BAD_INDEX, instead_of=live)
    search.indices.delete(index=live)
    lost = asyncio.run(_answered(stage))
    stage.expect(
        lost.metadata.retrieval_mode == "fallback" and all(card.recommended for card in lost.cards),
        "the index is gone and the alias on an empty one: answers find nothing, and name suggestions at most",
    )

    with _timed(stage, "index built again from the feed"):
        reports = _ingest_all(stage)
    stage.expect(all(not report["quarantined"] for report in reports), "no part of the feed was refused")
    (now,) = search.indices.get_alias(name=alias)
    stage.expect(now == live, f"the alias is on the rebuilt index {now}, by ingest itself")
    search.indices.delete(index=BAD_INDEX)


def _alias(stage: Stage) -> str:
    """What readers call the index."""
    found = stage.client("lambda").get_function_configuration(
        FunctionName=stage.output("Ingest", "IngestFunctionName")
    )
    return found["Environment"]["Variables"]["SEARCH_ALIAS"]


def _point(search: Any, alias: str, index: str, *, instead_of: str) -> None:
    """One call: readers see the one or the other, never none."""
    actions = [
        {"remove": {"index": instead_of, "alias": alias}},
        {"add": {"index": index, "alias": alias}},
    ]
    search.indices.update_aliases(body={"actions": actions})


def _ingest_all(stage: Stage) -> list[Mapping[str, Any]]:
    """The ingest function on every part of the feed, as an operator runs it; nothing is uploaded."""
    bucket, function = stage.output("Ingest", "FeedBucketName"), stage.output("Ingest", "IngestFunctionName")
    objects = stage.client("s3").list_objects_v2(Bucket=bucket, Prefix="feed/")["Contents"]
    with ThreadPoolExecutor(len(objects)) as pool:
        return list(pool.map(lambda each: _ingest(stage, function, bucket, each["Key"]), objects))


def _ingest(stage: Stage, function: str, bucket: str, key: str) -> Mapping[str, Any]:
    client = emulator_client(stage.twin.layout, "lambda", patience_seconds=INGEST_SECONDS)
    answer = client.invoke(
        FunctionName=f"{function}:live", Payload=json.dumps({"bucket": bucket, "key": key})
    )
    report = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RehearsalFailed(f"ingest failed on {key}: {report.get('errorMessage', report)}")
    return report


def _search(stage: Stage) -> Any:
    from botocore.credentials import Credentials
    from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection

    credentials = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    return OpenSearch(
        hosts=[stage.twin.urls().search],
        http_auth=Urllib3AWSV4SignerAuth(credentials, REGION, "aoss"),
        connection_class=Urllib3HttpConnection,
        timeout=30,
    )


# --- around both --------------------------------------------------------------------------------------


@contextmanager
def _feeds_wait(stage: Stage) -> Iterator[None]:
    """Uploads start nothing meanwhile; they wait in the bucket."""
    resources = stage.client("cloudformation").describe_stack_resources(
        StackName=f"MangaAssist-{stage.twin.layout.held.environment}-Ingest"
    )["StackResources"]
    rule = next(
        each["PhysicalResourceId"] for each in resources if each["ResourceType"] == "AWS::Events::Rule"
    )
    events = stage.client("events")
    events.disable_rule(Name=rule)
    try:
        stage.expect(events.describe_rule(Name=rule)["State"] == "DISABLED", "new feeds wait")
        yield
    finally:
        events.enable_rule(Name=rule)


@contextmanager
def _timed(stage: Stage, what: str) -> Iterator[None]:
    began = monotonic()
    yield
    stage.expect(True, f"{what} ({monotonic() - began:.1f} s)")


async def _cards(stage: Stage) -> int:
    """How many products the answer to a question shows; none where the index found nothing."""
    last = await _answered(stage)
    return len(last.cards) if last.metadata.retrieval_mode == "vector" else 0


async def _answered(stage: Stage) -> FinalFrame:
    """How the answer to a question ended."""
    urls = stage.twin.urls()
    async with await ChatClient.connect(urls.websocket, urls.api) as client:
        frames = [frame async for frame in client.ask(QUESTION)]
    last = frames[-1]
    if not isinstance(last, FinalFrame):
        raise RehearsalFailed(f"the turn ended with {last}")
    return last
