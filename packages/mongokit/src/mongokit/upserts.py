"""What an upsert inserts where nothing matches: built as the server does, and checked whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bson import Decimal128, Regex, Timestamp

from mongokit.convert import to_python
from mongokit.errors import MongoKitError, StructureError
from mongokit.explain import MISSING, failures
from mongokit.i18n import from_stored
from mongokit.schema import CustomNode, I18nNode, Node
from mongokit.targets import targets

if TYPE_CHECKING:
    from mongokit.compiler import Model
    from mongokit.updates import CheckedUpdate


def insert_failures(update: CheckedUpdate, filter: Mapping[str, Any]) -> Iterator[Exception]:
    """Yield every failure of the document that an upsert inserts where nothing matches.

    Args:
        update: An update in which each value is valid by itself.
        filter: The filter of the upsert.
    """
    document = _inserted(update, filter)
    for error in failures(update.model, document, update.options):
        if isinstance(error, StructureError) and error.rule == "missing":
            text = (
                "where nothing matches, an upsert inserts only what the filter and the update give"
            )
            error.args = (f"{error.args[0]}: {text}; give the rest with $setOnInsert",)
        yield error


def _inserted(update: CheckedUpdate, filter: Mapping[str, Any]) -> dict[str, Any]:
    """The new document in its Python form."""
    document: dict[str, Any] = {}
    for path, value in _equalities(filter):
        node = _node_at(update.model, path)
        convert = None if node is None else to_python(node)
        _put(document, path, value if convert is None else convert(value))
    for operator, found, value in update.changes:
        target = found[0]
        made = _made(operator, target.node, value, update.sent[operator][target.given])
        if made is not MISSING:
            _put(document, target.given, made)
    return document


def _equalities(filter: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields that a filter gives a value.

    MongoDB manual, db.collection.updateOne: an upsert takes the equality clauses of the query.
    """
    for path, wanted in filter.items():
        if path == "$and" and isinstance(wanted, list):
            for each in wanted:
                yield from _equalities(each)
        elif path.startswith("$") or isinstance(wanted, (re.Pattern, Regex)):
            continue
        elif not isinstance(wanted, Mapping) or not any(str(k).startswith("$") for k in wanted):
            yield path, wanted
        elif "$eq" in wanted:
            yield path, wanted["$eq"]
        else:
            values = wanted.get("$in", wanted.get("$all"))
            if isinstance(values, (list, tuple)) and len(values) == 1:
                yield path, values[0]


def _node_at(model: Model, path: str) -> Node | None:
    try:
        return targets(model, path)[0].node
    except MongoKitError:
        return None  # stored all the same, and refused for it


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    at: Any = document
    for part in above:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            return  # the server refuses the update
    at[last] = value


def _made(operator: str, node: Node | None, value: Any, sent: Any) -> Any:
    """What an operator makes of a missing field, in its Python form; MISSING for nothing."""
    match operator:
        case "$set" | "$setOnInsert" | "$min" | "$max":
            return value
        case "$inc":
            return sent
        case "$mul":
            return Decimal128("0") if isinstance(sent, Decimal128) else type(sent)(0)
        case "$bit":
            return 0 if "and" in sent else next(iter(sent.values()))
        case "$currentDate":
            wants_timestamp = isinstance(value, Mapping) and value["$type"] == "timestamp"
            now: Any = Timestamp(0, 1) if wants_timestamp else datetime.now(UTC)
            return node.custom.to_python(now) if isinstance(node, CustomNode) else now
        case "$push" | "$addToSet":
            return _pushed(node, value, sent)
    return MISSING


def _pushed(node: Node | None, value: Any, sent: Any) -> Any:
    has_each = isinstance(sent, Mapping) and "$each" in sent
    if isinstance(node, CustomNode):
        return node.custom.to_python(list(sent["$each"] if has_each else [sent]))
    items = list(value["$each"] if has_each else [value])
    return from_stored(items) if isinstance(node, I18nNode) else items
