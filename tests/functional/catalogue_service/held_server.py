"""A catalogue server of its own process whose reads wait for a file: ``python -m …held_server FOLDER ARGUMENTS``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import boto3
from moto import mock_aws

from mangaassist.adapters.dynamodb_catalogue import DynamoDBCatalogue
from mangaassist.catalogue.records import read_line
from services.catalogue.__main__ import serve
from services.catalogue.facts import Volume
from services.catalogue.settings import read_settings
from services.catalogue.table import CatalogueTable
from services.catalogue.telemetry import configure_logs
from tests.unit.catalogue.fakes import line


class Held(CatalogueTable):
    """Says that it was asked by making the file ``asked``, and waits for ``go``."""

    folder: Path

    def volumes(self, asins: Sequence[str], *, until: float | None = None) -> dict[str, Volume]:
        (self.folder / "asked").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.01)
        return super().volumes(asins, until=until)


def main() -> int:
    settings = read_settings(sys.argv[2:])
    configure_logs(settings.log_level)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName=settings.table,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        DynamoDBCatalogue(client, settings.table).write([(read_line(line("MG00001")), "hash")])
        table = Held(client, settings.table, settings.shard)
        table.folder = Path(sys.argv[1])
        return asyncio.run(serve(table, settings))


if __name__ == "__main__":
    raise SystemExit(main())
