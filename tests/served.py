"""Whether an index serves a command whole: it looks at nothing that it does not answer or change.

A query is served by an index if its fields stand in the order *equality, sort, range*: all
conditions of equality (and of `$in`) are on the first fields, the order is that of the fields that
follow, all as declared or all the other way round, and what else is asked for is one range of the
next field. So no condition is left that would only be looked at in the documents themselves.

It must also end: a command that pins no unique key needs a limit, or a declared reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bson import Regex

Keys = tuple[tuple[str, int], ...]
Kind = Literal["equal", "in", "range", "other"]

BY_ID: Keys = (("_id", 1),)
_RANGES = {"$gt", "$gte", "$lt", "$lte", "$ne"}  # `$ne` is two of them
# Stages of a pipeline that only turn over what came before them.
_HARMLESS = {"$project", "$set", "$addFields", "$unset", "$group", "$count", "$limit"}


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Attributes:
        keys: Field and direction, in order.
        is_unique: Whether no two documents have the same values there.
    """

    keys: Keys
    is_unique: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a part of a command looks for.

    Attributes:
        filter: The conditions.
        sort: The order.
        limit: How many at most; 0 for all.
        batch: How many in each answer; 0 for as many as the server likes.
    """

    filter: Mapping[str, Any]
    sort: Mapping[str, int]
    limit: int = 0
    batch: int = 0


def fault(
    name: str, command: Mapping[str, Any], indexes: Sequence[Index], *, may_walk: bool = False
) -> str | None:
    """Return why no index serves a command whole, or None if one does.

    Args:
        name: The command, such as `find`.
        command: It, as the driver sends it.
        indexes: Those of the collection, without that of the `_id`.
        may_walk: Whether it may go on to the end of the collection: in portions, in the order of
            the `_id`, or along what it has equal.

    Example:
        >>> fault("find", {"filter": {"city": "London"}, "limit": 1}, [])
        'no index serves it whole'
    """
    if name == "findAndModify":
        return "the embedded engine reads the whole collection for it"
    if name == "count" and not command.get("query"):
        return None if may_walk else "it counts the collection"
    if name == "aggregate":
        for stage in command["pipeline"]:
            joined = stage.get("$lookup", {})
            if joined.get("foreignField") == "_id" and "pipeline" not in joined:
                continue  # of each one other document
            if not {*stage} <= {"$match", "$sort", *_HARMLESS}:
                return f"it has a stage {next(iter(stage))}"
    if command.get("skip"):
        return "the server walks over what it skips"
    every = (Index(BY_ID, is_unique=True), *indexes)
    faults = (_fault_of(each, every, may_walk) for each in _readings(name, command))
    return next((found for found in faults if found), None)


def shape(name: str, command: Mapping[str, Any]) -> str:
    """Return what a command looks for, with a question mark in place of each value.

    Args:
        name: The command.
        command: It, as the driver sends it.

    Example:
        >>> shape("find", {"find": "users", "filter": {"role": "admin"}, "limit": 1})
        'find on users: {"role": "?"}, limit 1'
    """
    said = [
        json.dumps(_without_values(each.filter))
        + (f", sort {json.dumps(dict(each.sort))}" if each.sort else "")
        + (f", limit {each.limit}" if each.limit else "")
        for each in _readings(name, command)
    ]
    return f"{name} on {command[name]}: " + "; ".join(dict.fromkeys(said))


def _fault_of(reading: Reading, indexes: Sequence[Index], may_walk: bool) -> str | None:
    kinds = {name: _kind(value) for name, value in reading.filter.items()}
    if refused := [name for name in kinds if name.startswith("$")]:
        return f"it has a condition {refused[0]}"
    if any(_is_pattern(value) for value in reading.filter.values()):
        return "it has a pattern"
    if any(_pins(index, kinds, {"equal"}) for index in indexes):
        return None  # at most one document is looked at, whatever else is asked for
    if not any(_serves(index.keys, kinds, reading.sort) for index in indexes):
        return "no index serves it whole"
    is_bounded = reading.limit or any(_pins(index, kinds, {"equal", "in"}) for index in indexes)
    if is_bounded:
        return None
    along_equal = bool(kinds) and {*kinds.values()} == {"equal"}
    in_portions = not kinds and dict(reading.sort) == {"_id": 1} and reading.batch > 0
    if may_walk and (along_equal or in_portions):
        return None
    return "it has no limit"


def _is_pattern(value: object) -> bool:
    if isinstance(value, Mapping):
        return "$regex" in value or any(_is_pattern(inner) for inner in value.values())
    return isinstance(value, re.Pattern | Regex)


def _pins(index: Index, kinds: Mapping[str, Kind], by: set[Kind]) -> bool:
    """Tell whether the conditions name each document by a key that no two have."""
    return index.is_unique and all(kinds.get(name) in by for name, _ in index.keys)


def _serves(keys: Keys, kinds: Mapping[str, Kind], sort: Mapping[str, int]) -> bool:
    first = 0
    while first < len(keys) and kinds.get(keys[first][0]) in ("equal", "in"):
        first += 1
    rest = keys[first:]
    left = {*kinds} - {name for name, _ in keys[:first]}
    if left and not (rest and left == {rest[0][0]} and kinds[rest[0][0]] == "range"):
        return False
    wanted = [(name, way) for name, way in sort.items() if kinds.get(name) != "equal"]
    following = rest[: len(wanted)]
    turned = [(name, -way) for name, way in following]
    return wanted in ([*following], turned)


def _kind(value: object) -> Kind:
    if isinstance(value, Mapping) and any(str(key).startswith("$") for key in value):
        operators = {*value}
        if operators == {"$eq"}:
            return "equal"
        if operators == {"$in"}:
            return "in"
        return "range" if operators <= _RANGES else "other"
    return "equal"


def _readings(name: str, command: Mapping[str, Any]) -> list[Reading]:
    match name:
        case "find":
            return [
                Reading(
                    command.get("filter", {}),
                    command.get("sort", {}),
                    command.get("limit", 0),
                    command.get("batchSize", 0),
                )
            ]
        case "count" | "distinct":
            return [Reading(command.get("query", {}), {})]
        case "findAndModify":
            return [Reading(command.get("query", {}), command.get("sort") or {}, 1)]
        case "update":
            return [Reading(e["q"], {}, 0 if e.get("multi") else 1) for e in command["updates"]]
        case "delete":
            return [Reading(e["q"], {}, e.get("limit", 0)) for e in command["deletes"]]
        case "aggregate":
            return [_reading_of(command["pipeline"])]
    raise ValueError(f"{name} is not a command that looks for documents")


def _reading_of(pipeline: Sequence[Mapping[str, Any]]) -> Reading:
    """Return what the first stages of a pipeline look for, those that an index can serve."""
    found: dict[str, Any] = {}
    for stage in pipeline:
        ((operator, value),) = stage.items()
        if operator not in ("$match", "$sort", "$limit") or operator in found:
            break
        found[operator] = value
    return Reading(found.get("$match", {}), found.get("$sort", {}), found.get("$limit", 0))


def _without_values(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _without_values(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [*{json.dumps(inner): inner for inner in map(_without_values, value)}.values()]
    return "?"
