"""Whether a value in a filter can match what a valid document has at a place.

Every answer is on the safe side: a value is refused only where no valid document matches it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bson import DBRef, Decimal128

from mongokit.kinds import ARRAY, NULL, NUMBER, STRING, Kinds, kind_of
from mongokit.schema import (
    ALWAYS_KNOWN,
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    ReferenceNode,
    ScalarNode,
    TupleNode,
    UnionNode,
    join,
)
from mongokit.stored import (
    ANYTHING,
    Stored,
    UndeclaredIdNode,
    choices_of,
    inside,
    items_of,
    languages,
    own_kinds,
    referenced_id,
)

_HEX_ID = re.compile(r"[0-9a-fA-F]{24}")
# Compared with values of every kind.
_ENDS = frozenset({NULL, "minKey", "maxKey"})


@dataclass(slots=True)
class Mismatch:
    """Why a value can never match.

    Attributes:
        path: Where: the value's own path, or one inside it.
        node: What the declaration says there; None if it has no such field.
        value: What stands in the filter there.
    """

    path: str
    node: Node | None
    value: Any


def kinds_at(at: Stored) -> Kinds:
    """Return the kinds that a comparison meets at a place: of the value, and of a list's items.

    Args:
        at: The place.
    """
    found: set[str] = set()
    for place in (at, *items_of(at)):
        kinds = own_kinds(place.node)
        if kinds is None:
            return None
        found |= kinds
    return frozenset(found)


def never_equals(at: Stored, value: Any, path: str, *, collated: bool = False) -> Mismatch | None:
    """Return why no value at a place, and no item of a list there, equals `value`; None if one may.

    Args:
        at: The place.
        value: What the filter compares with; a pattern is a value here.
        path: How the query calls the place.
        collated: Whether texts that differ may be equal, by the query's collation.

    Example:
        >>> tree = Stored(User.__mongokit__.tree.fields["age"])
        >>> never_equals(tree, 36.0, "age") is None
        True
        >>> never_equals(tree, "36", "age").path
        'age'
    """
    found = _unequal(at, value, path, collated)
    if found is None:
        return None
    return _deepest(found, (_unequal(item, value, path, collated) for item in items_of(at)))


def never_compares(at: Stored, value: Any, path: str) -> Mismatch | None:
    """Return why nothing at a place is less or more than `value`; None if something may be.

    Args:
        at: The place.
        value: What the filter compares with.
        path: How the query calls the place.
    """
    if isinstance(at.node, UndeclaredIdNode):
        return _unequal(at, value, path, collated=True)
    kind, kinds = kind_of(value), kinds_at(at)
    if kind is None or kind in _ENDS or kinds is None or kind in kinds:
        return None
    return Mismatch(path, at.node, value)


def _unequal(at: Stored, value: Any, path: str, collated: bool) -> Mismatch | None:
    """Why the whole of what stands at a place can't equal `value`."""
    if value is None:
        return None
    node = at.node
    match node:
        case UndeclaredIdNode():
            is_hex = isinstance(value, str) and _HEX_ID.fullmatch(value)
            return Mismatch(path, node, value) if is_hex else None
        case MappingNode() if node.fields or not node.path:
            return _unequal_fields(node, at.schemaless, value, path, collated)
        case EmbeddedNode():
            return _unequal_embedded(node, value, path, collated)
        case UnionNode():
            options = [at._replace(node=option) for option in node.options]
            found = (_unequal(option, value, path, collated) for option in options)
            return _deepest(Mismatch(path, node, value), found)
        case KeyedNode() if isinstance(value, Mapping):
            below = at._replace(node=node.value)
            left_out = ALWAYS_KNOWN if not node.path else frozenset()
            pairs = [(join(path, str(k)), v) for k, v in value.items() if k not in left_out]
            return _first(_unequal(below, item, where, collated) for where, item in pairs)
        case ReferenceNode():
            return _unequal_reference(node, referenced_id(node), value, path, collated)
        case ScalarNode() if issubclass(node.kind, DBRef):
            return _unequal_reference(node, ANYTHING, value, path, collated)
        case ListNode() | TupleNode() | I18nNode() | CustomNode() if kind_of(value) == ARRAY:
            return _unequal_items(at, value, path, collated)
    choices = choices_of(node)
    if choices is not None:
        equal = any(_same(choice, value, collated) for choice in choices)
        return None if equal else Mismatch(path, node, value)
    return _of_another_kind(node, value, path)


def _deepest(found: Mismatch, others: Iterable[Mismatch | None]) -> Mismatch | None:
    """The mismatch that says most; None if there is none in one of several cases."""
    for other in others:
        if other is None:
            return None
        if len(other.path) > len(found.path):
            found = other
    return found


def _first(found: Iterable[Mismatch | None]) -> Mismatch | None:
    return next((each for each in found if each is not None), None)


def _of_another_kind(node: Node, value: Any, path: str) -> Mismatch | None:
    kind, kinds = kind_of(value), own_kinds(node)
    if kind is None or kinds is None or kind in kinds:
        return None
    return Mismatch(path, node, value)


def _unequal_fields(
    node: MappingNode, schemaless: bool, value: Any, path: str, collated: bool
) -> Mismatch | None:
    if not isinstance(value, Mapping):
        if schemaless and isinstance(value, DBRef):  # a document of undeclared fields
            return None
        return None if kind_of(value) is None else Mismatch(path, node, value)
    for key, item in value.items():
        where = join(path, str(key))
        if key in node.fields:
            below = _unequal(Stored(node.fields[key], schemaless), item, where, collated)
            if below is not None:
                return below
        elif not schemaless and key not in ALWAYS_KNOWN:
            return Mismatch(where, None, item)
    return None


def _unequal_embedded(node: EmbeddedNode, value: Any, path: str, collated: bool) -> Mismatch | None:
    if not isinstance(value, Mapping):
        return _of_another_kind(node, value, path)
    return _unequal(inside(node), value, path, collated)


def _unequal_reference(
    node: Node, id_node: Node, value: Any, path: str, collated: bool
) -> Mismatch | None:
    identity: Any
    if isinstance(value, DBRef):
        identity = value.id
    elif isinstance(value, Mapping) and "$ref" in value:
        identity = value.get("$id")
    else:
        return None if kind_of(value) is None else Mismatch(path, node, value)
    return _unequal(Stored(id_node), identity, join(path, "$id"), collated)


def _unequal_items(at: Stored, value: Any, path: str, collated: bool) -> Mismatch | None:
    node = at.node
    if isinstance(node, TupleNode):
        if len(node.items) != len(value):
            return Mismatch(path, node, value)
        pairs = zip(node.items, value, strict=True)
        return _first(_unequal(at._replace(node=n), v, path, collated) for n, v in pairs)
    if isinstance(node, CustomNode) and _of_another_kind(node, value, path):
        return Mismatch(path, node, value)
    below = languages(node).item if isinstance(node, I18nNode) else None
    places = [at._replace(node=below)] if below else list(items_of(at))
    return _first(_unequal(place, item, path, collated) for place in places for item in value)


def _same(operand: Any, value: Any, collated: bool) -> bool:
    kind = kind_of(value)
    if kind is None:
        return True
    if kind_of(operand) != kind:
        return False
    if kind == STRING and collated:
        return True
    if kind == NUMBER and (isinstance(operand, Decimal128) or isinstance(value, Decimal128)):
        return True  # compared by the server's rules
    if isinstance(value, float) and math.isnan(value):  # equal for the server
        return True
    # The others have more than one form of an equal value: Binary and bytes, aware and naive.
    return kind not in {STRING, NUMBER, "bool", "objectId"} or bool(operand == value)
