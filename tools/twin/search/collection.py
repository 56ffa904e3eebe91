"""The collection: its indexes, its aliases, and the one file that says which exist.

``collection.json`` is replaced atomically, so that a change of several aliases, or of an index and its mappings,
is there after a kill as a whole or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

from tools.twin.search.aliases import AliasTable, apply_actions, without_indexes
from tools.twin.search.clock import Clock
from tools.twin.search.errors import OpenSearchError, illegal_argument, index_not_found, parsing
from tools.twin.search.index import Batch, Index, new_record
from tools.twin.search.mappings import Mappings
from tools.twin.search.settings import SearchSettings

RECORD_VERSION = 1
STATIC_SETTINGS = {"knn", "number_of_shards"}
DYNAMIC_SETTINGS = {"number_of_replicas", "refresh_interval", "knn.algo_param.ef_search", "max_result_window"}


class StateInUse(RuntimeError):
    """Another process serves this state directory."""


class Collection:
    """Everything the service keeps, under one directory."""

    def __init__(self, path: Path, settings: SearchSettings, clock: Clock) -> None:
        self._path, self.settings, self.clock = path, settings, clock
        path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path / "lock")
        self.indexes: dict[str, Index] = {}
        self.aliases: AliasTable = {}
        self._load()

    # --- names --------------------------------------------------------------------------------------

    def resolve(self, expression: str, *, ignore_unavailable: bool = False) -> list[Index]:
        """The indexes an expression names: index, alias, ``a,b``, ``prefix*``, ``_all``."""
        found: dict[str, Index] = {}
        for name in expression.split(","):
            if name == "_all" or "*" in name:
                pattern = "*" if name == "_all" else name
                members = [index for index in self.indexes if fnmatchcase(index, pattern)]
                members += [
                    m for alias, ms in self.aliases.items() if fnmatchcase(alias, pattern) for m in ms
                ]
            elif name in self.indexes:
                members = [name]
            elif name in self.aliases:
                members = list(self.aliases[name])
            elif ignore_unavailable:
                members = []
            else:
                raise index_not_found(name)
            found |= {member: self.indexes[member] for member in members}
        return list(found.values())

    def exists(self, expression: str) -> bool:
        """Whether every name of an expression is an index or an alias."""
        try:
            return bool(self.resolve(expression)) or "*" in expression
        except OpenSearchError:
            return False

    def single(self, name: str) -> Index:
        """The one index behind a name, for reads by id."""
        indexes = self.resolve(name)
        if len(indexes) != 1:
            raise illegal_argument(
                f"alias [{name}] has more than one index associated with it, can't execute a single index op"
            )
        return indexes[0]

    def writable(self, name: str) -> Index:
        """The index that writes to ``name`` go to; created when nothing has the name, as OpenSearch does."""
        if name in self.indexes:
            return self.indexes[name]
        if name not in self.aliases:
            return self.create(name, {})
        members = self.aliases[name]
        writers = [member for member, options in members.items() if options.get("is_write_index")]
        if (
            not writers
            and len(members) == 1
            and not any("is_write_index" in options for options in members.values())
        ):
            writers = list(members)
        if len(writers) != 1:
            raise illegal_argument(
                f"no write index is defined for alias [{name}]. The write index may be explicitly disabled using"
                " is_write_index=false or the alias points to multiple indices without one being designated as a"
                " write index"
            )
        return self.indexes[writers[0]]

    # --- changes ------------------------------------------------------------------------------------

    def create(self, name: str, body: Mapping[str, Any]) -> Index:
        self._check_new_name(name)
        unknown = set(body) - {"settings", "mappings", "aliases"}
        if unknown:
            raise parsing(f"unknown key [{min(unknown)}] for create index")
        settings = index_settings(_object(body, "settings"), STATIC_SETTINGS | DYNAMIC_SETTINGS)
        record = new_record(settings, Mappings(_object(body, "mappings"), self.settings))
        adds = [
            {"add": {"index": name, "alias": a, **(o or {})}} for a, o in _object(body, "aliases").items()
        ]
        aliases = apply_actions(adds, self.aliases, {*self.indexes, name}).aliases if adds else self.aliases
        index = Index(name, self._path / "indexes" / record["uuid"], self.clock, self.settings, record)
        self.indexes[name], self.aliases = index, aliases
        self._save()
        return index

    def delete(self, expression: str) -> None:
        doomed = expression.split(",")
        for name in doomed:
            if name in self.aliases:
                raise illegal_argument(
                    f"The provided expression [{name}] matches an alias, specify the corresponding concrete indices"
                    " instead."
                )
            if name not in self.indexes:
                raise index_not_found(name)
        self._drop(doomed, without_indexes(self.aliases, doomed))

    def change_aliases(self, actions: object) -> None:
        """Apply alias actions, all or none."""
        change = apply_actions(actions, self.aliases, self.indexes)
        self._drop(change.dropped, change.aliases)

    def put_mapping(self, index: Index, document: Mapping[str, Any]) -> None:
        merged = index.mappings.merged(document)
        Mappings(document, self.settings)  # today's rules for what is new; what exists was accepted before
        batch = index.batch()
        batch.grow(merged)
        self.commit(batch)

    def put_settings(self, index: Index, body: Mapping[str, Any]) -> None:
        changed = index_settings(body, DYNAMIC_SETTINGS | STATIC_SETTINGS)["index"]
        fixed = STATIC_SETTINGS & set(changed)
        if fixed:
            raise illegal_argument(
                f"Can't update non dynamic settings [[index.{min(fixed)}]] for open indices [[{index.name}]]"
            )
        index.settings["index"] = {**index.settings["index"], **changed}
        self._save()

    def commit(self, batch: Batch) -> None:
        """Make a batch durable, with the mappings it needed."""
        if batch.commit():
            self._save()
            for index in self.indexes.values():
                index.drop_old_generations()

    def close(self) -> None:
        for index in self.indexes.values():
            index.close()
        self._lock.close()

    # --- the file -----------------------------------------------------------------------------------

    def _load(self) -> None:
        root = self._path / "indexes"
        root.mkdir(exist_ok=True)
        file = self._path / "collection.json"
        if file.exists():
            record = json.loads(file.read_text(encoding="utf-8"))
            if record["version"] != RECORD_VERSION:
                raise StateInUse(
                    f"{file} has format {record['version']}: start with --fresh or another --state"
                )
            self.aliases = record["aliases"]
            for name, each in record["indexes"].items():
                index = Index(name, root / each["uuid"], self.clock, self.settings, each)
                index.drop_old_generations()
                self.indexes[name] = index
        known = {index.uuid for index in self.indexes.values()}
        for path in root.iterdir():
            if path.name not in known:  # its creation or deletion was interrupted
                shutil.rmtree(path, ignore_errors=True)

    def _save(self) -> None:
        record = {
            "version": RECORD_VERSION,
            "indexes": {name: index.record() for name, index in self.indexes.items()},
            "aliases": self.aliases,
        }
        temporary = self._path / "collection.json.new"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(record, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path / "collection.json")

    def _drop(self, names: list[str], aliases: AliasTable) -> None:
        doomed = [self.indexes.pop(name) for name in dict.fromkeys(names)]
        self.aliases = aliases
        self._save()
        for index in doomed:
            index.delete_files()

    def _check_new_name(self, name: str) -> None:
        if name in self.indexes:
            raise OpenSearchError(
                400,
                "resource_already_exists_exception",
                f"index [{name}/{self.indexes[name].uuid}] already exists",
                index=name,
                index_uuid=self.indexes[name].uuid,
            )
        if name in self.aliases:
            reason = "already exists as alias"
        elif name != name.lower():
            reason = "must be lowercase"
        elif any(mark in name for mark in '\\/*?"<>| ,#:'):
            reason = 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?, #, :]'
        elif name.startswith(("_", "-", "+")):
            reason = "must not start with '_', '-', or '+'"
        elif name in (".", "..") or len(name.encode()) > 255:
            reason = "must not be '.' or '..' nor longer than 255 bytes"
        else:
            return
        raise OpenSearchError(
            400,
            "invalid_index_name_exception",
            f"Invalid index name [{name}], {reason}",
            index=name,
            index_uuid="_na_",
        )


def index_settings(body: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    """Index settings in one nested shape, whichever of OpenSearch's spellings they came in."""
    flat: dict[str, Any] = {}

    def flatten(node: Mapping[str, Any], prefix: str) -> None:
        for key, value in node.items():
            path = prefix + key
            if isinstance(value, dict):
                flatten(value, path + ".")
            else:
                flat[path.removeprefix("index.")] = value

    flatten(body, "")
    unknown = set(flat) - known
    if unknown:
        raise illegal_argument(f"unknown setting [index.{min(unknown)}]; this service knows {sorted(known)}")
    # OpenSearch gives settings back as strings.
    return {"index": {name: _text(value) for name, value in flat.items()}}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _object(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise parsing(f"key [{key}] must be an object")
    return value


def _locked(path: Path) -> IO[str]:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StateInUse(
            f"{path.parent} is in use by another search service: stop it or pass another --state"
        ) from None
    return file
