"""Sessions over one synchronous engine; routes run in the thread pool.

Synchronous, because SQLite works inside the process: its "asynchronous" driver is a thread with a queue in front, which the
web framework's own pool does already, and PostgreSQL's synchronous driver needs nothing else either. As many threads as
connections, so that a busy database makes callers wait at one place only.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import Session

CONNECTIONS = 8
"""Threads too. Two cores are kept busy by fewer; the rest wait for a disk."""
WAIT_SECONDS = 5
"""For a connection of the pool, and for another writer of the same SQLite file."""
SEED_WAIT_SECONDS = 60
"""For a process that lays out the same database; the second one then finds it done."""

_WRITES = "partners_writes"


class DatabaseError(Exception):
    """The URL cannot mean a database; one line that says what to give."""


class Database:
    """Read sessions and write transactions."""

    def __init__(self, url: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Open nothing yet.

        Raises:
            DatabaseError: no such database, or SQLite without a file.
        """
        self.engine = _engine(url, wait_seconds)

    @contextmanager
    def read(self) -> Generator[Session, None, None]:
        """A session that sees one state of the database."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Generator[Session, None, None]:
        """A transaction: all of it at the end of the block, or nothing when the block raises."""
        # SQLite promotes a reader to a writer only while nobody else wrote in between, and fails at once otherwise
        # (https://www.sqlite.org/isolation.html): a transaction that will write says so when it begins.
        with (
            self.engine.connect().execution_options(**{_WRITES: True}) as connection,
            connection.begin(),
            Session(connection, join_transaction_mode="rollback_only", autoflush=False) as session,
        ):
            yield session
            session.flush()

    def answers(self) -> bool:
        """Whether a query comes back."""
        with self.engine.connect() as connection:
            return connection.execute(text("SELECT 1")).scalar() == 1

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def _engine(url: str, wait_seconds: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(
                parsed, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=wait_seconds, pool_pre_ping=True
            )
        if parsed.database in (None, "", ":memory:"):
            raise DatabaseError("SQLite needs a file: sqlite:///relative/path or sqlite:////absolute/path")
        engine = create_engine(
            parsed,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=wait_seconds,
            connect_args={"timeout": wait_seconds},
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise DatabaseError(
            "the database URL is none that can be opened here: give sqlite:///PATH, or a URL whose driver is installed"
        ) from None
    _speak_sqlite(engine)
    return engine


def _speak_sqlite(engine: Engine) -> None:
    """What SQLite must be told and other databases do by themselves."""

    @event.listens_for(engine, "connect")
    def _(dbapi_connection: Any, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
        # None: Python's driver leaves transactions to the "begin" below.
        dbapi_connection.isolation_level = None
        for setting in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL"):
            dbapi_connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
