"""How a query's refusal is told: what the place is declared as, and the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from bson import Decimal128, Int64, ObjectId, Regex

from mongokit.kinds import ARRAY, NUMBER, STRING, kind_of
from mongokit.matching import Mismatch
from mongokit.schema import (
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    OperatorNode,
    ReferenceNode,
    ScalarNode,
    TupleNode,
    UnionNode,
)
from mongokit.stored import ANYTHING, UndeclaredIdNode, choices_of
from mongokit.types import DateType, DecimalType, EnumType

# What makes a value of the declared type out of a text or a number.
_WAYS: dict[type, str] = {
    **{kind: f"{kind.__name__}(...)" for kind in (ObjectId, UUID, Decimal128, Int64)},
    **{kind: f"{kind.__name__}(...)" for kind in (str, int, float)},
    bool: "True or False",
    datetime: "a datetime",
}
_CONVERTIBLE = frozenset({STRING, NUMBER, "objectId", "bool"})


def declared_as(node: Node) -> str:
    """Return what a place is declared as, in the declaration's own words.

    Args:
        node: The place.

    Example:
        >>> declared_as(ListNode("tags", ScalarNode("tags", str)))
        '[str]'
    """
    match node:
        case ScalarNode():
            return node.kind.__name__
        case ListNode():
            return f"[{declared_as(node.item)}]"
        case TupleNode():
            return f"({', '.join(map(declared_as, node.items))})"
        case CustomNode():
            custom = node.custom
            of_annotation = isinstance(custom, (DateType, DecimalType, EnumType))
            return (custom.python_type if of_annotation else type(custom)).__name__
        case OperatorNode():
            return repr(node.operator)
        case UnionNode():
            return " or ".join(map(declared_as, node.options))
        case EmbeddedNode():
            return str(node.document_class.__name__)
        case ReferenceNode():
            return node.target_name
        case I18nNode():
            return f"{declared_as(node.inner)} per language"
        case UndeclaredIdNode():
            return "ObjectId"
        case MappingNode() | KeyedNode():
            return "dict"
    return "anything"


def told(found: Mismatch, verb: str = "equal") -> str:
    """Return the sentence that says why a value can never match, without the value.

    Args:
        found: Why.
        verb: What the value is never found to do.

    Example:
        >>> told(Mismatch("_id", ScalarNode("_id", ObjectId), "54f0e5aa313f5d824680d6c9"))
        '_id can never equal a str: it is declared as ObjectId; use ObjectId(...)'
    """
    node, value, path = found.node, found.value, found.path
    name = _name_of(value)
    came = f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"
    choices = None if node is None else choices_of(node)
    if choices is not None:
        return f"{path} can never {verb} this {name}: it is one of {choices!r}"
    match node:
        case UndeclaredIdNode():
            return (
                f"{path} can hardly {verb} a str of 24 hexadecimal digits: _id is an ObjectId "
                "unless it is declared; use ObjectId(...), or declare _id"
            )
        case CustomNode():
            kinds = node.custom.mongo_type
            stored = kinds if isinstance(kinds, tuple) else (kinds,)
            names = " or ".join(kind.__name__ for kind in stored)
            return (
                f"{path} can never {verb} {came}: it is declared as {declared_as(node)} and stored "
                f"as {names}; use the stored form, as to_bson() makes it"
            )
        case I18nNode():
            return (
                f"{path} can never {verb} {came}: it is stored as a list of lang and value; "
                f"use {path}.value"
            )
        case ReferenceNode():
            return (
                f"{path} can never {verb} {came}: it references {node.target_name} by a DBRef; "
                f"use a DBRef, or {path}.$id"
            )
        case TupleNode() if kind_of(value) == ARRAY:
            came = f"a list of {len(value)}"
    text = f"{path} can never {verb} {came}: it is declared as {declared_as(node or ANYTHING)}"
    way = _way_out(node, value, path)
    return f"{text}; {way}" if way else text


def _name_of(value: Any) -> str:
    if isinstance(value, (re.Pattern, Regex)):
        return "regular expression"
    return type(value).__name__


def _way_out(node: Node | None, value: Any, path: str) -> str | None:
    if isinstance(value, Mapping) and any(str(key).startswith("$") for key in value):
        return f"an operator stands at the dotted path: {{'{path}': ...}}"
    while isinstance(node, ListNode):
        node = node.item
    if isinstance(node, ScalarNode) and kind_of(value) in _CONVERTIBLE and node.kind in _WAYS:
        return f"use {_WAYS[node.kind]}"
    return None
