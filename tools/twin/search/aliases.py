"""Alias actions, checked and applied as a whole: a pure function from one alias table to the next."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tools.twin.search.errors import OpenSearchError, illegal_argument, index_not_found, parsing

AliasTable = dict[str, dict[str, dict[str, Any]]]
"""Alias to index to options (``is_write_index``)."""


@dataclass(frozen=True, slots=True)
class Change:
    """The table after the actions, and the indexes that ``remove_index`` drops with it."""

    aliases: AliasTable
    dropped: list[str]


def apply_actions(actions: object, aliases: AliasTable, indexes: Collection[str]) -> Change:
    """Apply every action or raise and change nothing."""
    if not isinstance(actions, list) or not actions:
        raise illegal_argument("No action specified: send a list of actions")
    table, dropped = copy.deepcopy(aliases), list[str]()
    for action in actions:
        if not isinstance(action, dict) or len(action) != 1:
            raise parsing("[aliases] each action is an object with one of add, remove, remove_index")
        verb, options = next(iter(action.items()))
        if verb not in ("add", "remove", "remove_index") or not isinstance(options, dict):
            raise parsing(f"[aliases] unknown field [{verb}]")
        allowed = {"index", "indices", "alias", "aliases", "is_write_index", "must_exist"}
        if set(options) - allowed:
            raise parsing(f"[{verb}] unknown field [{min(set(options) - allowed)}] (filters are not offered)")
        names = _names(options, "index", "indices")
        for name in names:
            if name not in indexes or name in dropped:
                raise index_not_found(name)
        match verb:
            case "add":
                for alias in _names(options, "alias", "aliases"):
                    _check_name(alias, set(indexes) - set(dropped))
                    for name in names:
                        table.setdefault(alias, {})[name] = _options(options)
            case "remove":
                _remove(table, names, _names(options, "alias", "aliases"), options.get("must_exist", True))
            case _:
                dropped += names
                table = without_indexes(table, names)
    for alias, members in table.items():
        writers = sorted(name for name, options in members.items() if options.get("is_write_index"))
        if len(writers) > 1:
            raise OpenSearchError(
                500,
                "illegal_state_exception",
                f"alias [{alias}] has more than one write index [{','.join(writers)}]",
            )
    return Change({alias: members for alias, members in table.items() if members}, dropped)


def without_indexes(aliases: Mapping[str, Mapping[str, dict[str, Any]]], gone: Collection[str]) -> AliasTable:
    """The table once these indexes no longer exist."""
    table = {
        alias: {name: options for name, options in members.items() if name not in gone}
        for alias, members in aliases.items()
    }
    return {alias: members for alias, members in table.items() if members}


def _remove(table: AliasTable, names: list[str], aliases: list[str], must_exist: object) -> None:
    absent = [alias for alias in aliases if not any(name in table.get(alias, {}) for name in names)]
    if absent and must_exist is not False:
        raise aliases_missing(absent)
    for alias in aliases:
        for name in names:
            table.get(alias, {}).pop(name, None)


def aliases_missing(aliases: list[str]) -> OpenSearchError:
    listed = ", ".join(aliases)
    return OpenSearchError(
        404,
        "aliases_not_found_exception",
        f"aliases [{listed}] missing",
        **{"resource.id": listed, "resource.type": "aliases"},
    )


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    if "is_write_index" not in options:
        return {}
    if not isinstance(options["is_write_index"], bool):
        raise parsing("[is_write_index] is true or false")
    return {"is_write_index": options["is_write_index"]}


def _names(options: Mapping[str, Any], one: str, many: str) -> list[str]:
    given = options.get(one, options.get(many))
    names = given if isinstance(given, list) else [given]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise illegal_argument(f"One of [{one}] or [{many}] is required")
    return names


def _check_name(alias: str, indexes: Collection[str]) -> None:
    if alias in indexes:
        reason = "an index or data stream exists with the same name as the alias"
    elif alias.startswith(("_", "-", "+")) or any(mark in alias for mark in '\\/*?"<>| ,#:'):
        reason = 'must not contain whitespace or any of \\/*?"<>|,#: nor start with _, - or +'
    else:
        return
    raise OpenSearchError(400, "invalid_alias_name_exception", f"Invalid alias name [{alias}]: {reason}")
