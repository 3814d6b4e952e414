"""Constraints as the keywords of schemas, as far as there are any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

from bson import Decimal128

from mongokit.operators import IS, OR
from mongokit.schema import (
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    OperatorNode,
    ScalarNode,
    TupleNode,
    UnionNode,
)
from mongokit.validators import PATTERNS, Constraint, with_end

Kinds = frozenset[str]
"""What values may be, as far as constraints tell them apart; see `kinds_of`."""

ALL: Kinds = frozenset({"text", "bytes", "array", "object", "number", "decimal"})

_KINDS: dict[type, str] = {
    bool: "other",
    int: "number",
    float: "number",
    str: "text",
    bytes: "bytes",
    list: "array",
    tuple: "array",
    set: "set",
    frozenset: "set",
    dict: "object",
    Decimal: "decimal",
    Decimal128: "decimal",
}
_FORMATS = {"email": "email", "url": "uri"}
_LENGTHS = (("text", "Length"), ("array", "Items"), ("set", "Items"), ("object", "Properties"))
# PCRE's `$` also matches before a last line break.
_END = r"(?![\s\S])"
_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def kinds_of(node: Node) -> Kinds:
    """Return the kinds of values that may stand at a node.

    Args:
        node: The node.

    Example:
        >>> sorted(kinds_of(User.__mongokit__.tree.fields["name"]))
        ['text']
    """
    match node:
        case ScalarNode():
            return _kinds([node.kind])
        case CustomNode():
            types = node.custom.python_type
            return _kinds(types if isinstance(types, tuple) else [types])
        case ListNode() | TupleNode():
            return frozenset({"array"})
        case MappingNode() | KeyedNode() | EmbeddedNode():
            return frozenset({"object"})
        case I18nNode():
            return kinds_of(node.inner)
        case OperatorNode(operator=OR()):
            return _kinds(node.operator.operands)
        case OperatorNode(operator=IS()):
            return _kinds(type(operand) for operand in node.operator.operands)
        case UnionNode():
            return frozenset().union(*(kinds_of(option) for option in node.options))
    return ALL


def _kinds(types: Iterable[type]) -> Kinds:
    return frozenset(
        next((_KINDS[base] for base in kind.__mro__ if base in _KINDS), "other") for kind in types
    )


def json_keywords(constraint: Constraint, kinds: Kinds) -> dict[str, Any]:
    """Return a constraint as keywords of JSON Schema, as far as there are any.

    `one_of` has none here: its values are written as the node writes its own.

    Args:
        constraint: The constraint.
        kinds: What it meets.

    Example:
        >>> from mongokit.validators import max_length
        >>> json_keywords(max_length(3), frozenset({"array"}))
        {'maxItems': 3}
    """
    limit, rule = constraint.limit, constraint.rule
    match rule:
        case "max_length" | "min_length" | "length":
            return _lengths(rule, limit, kinds)
        case "pattern":
            return {"pattern": limit} if "text" in kinds else {}
        case "email" | "url":
            named = {"format": _FORMATS[rule]} if kinds == {"text"} else {}
            return {**named, "pattern": PATTERNS[rule]} if "text" in kinds else {}
        case "unique_items":
            return {"uniqueItems": True} if "array" in kinds else {}
    number = _number(limit)
    if number is None or "number" not in kinds:
        return {}
    return {_BOUNDS.get(rule, "multipleOf"): number}


def is_told(constraint: Constraint, kinds: Kinds) -> bool:
    """Tell whether the keywords of JSON Schema say all that a constraint does.

    Args:
        constraint: The constraint.
        kinds: What it meets.

    Example:
        >>> from mongokit.validators import ge
        >>> is_told(ge(0), frozenset({"number"})), is_told(ge(0), frozenset({"decimal"}))
        (True, False)
    """
    match constraint.rule:
        case "max_length" | "min_length" | "length":
            return kinds == ALL or "bytes" not in kinds
        case "ge" | "gt" | "le" | "lt" | "multiple_of":
            return _number(constraint.limit) is not None and (
                kinds == ALL or "decimal" not in kinds
            )
    return True


def mongo_keywords(constraint: Constraint, kinds: Kinds) -> dict[str, Any]:
    """Return a constraint as keywords of MongoDB's `$jsonSchema`, as far as there are any.

    Args:
        constraint: The constraint.
        kinds: What it meets.

    Example:
        >>> from mongokit.validators import gt
        >>> mongo_keywords(gt(0), frozenset({"number"}))
        {'minimum': 0, 'exclusiveMinimum': True}
    """
    limit, rule = constraint.limit, constraint.rule
    match rule:
        case "max_length" | "min_length" | "length":
            return _lengths(rule, limit, kinds - {"bytes"})
        case "pattern" | "email" | "url":
            expression = PATTERNS.get(rule, limit)
            return {"pattern": with_end(expression, _END)} if "text" in kinds else {}
        case "unique_items":
            return {"uniqueItems": True} if "array" in kinds else {}
    if isinstance(limit, date) or not kinds & {"number", "decimal"}:
        return {}
    number = Decimal128(limit) if isinstance(limit, Decimal) else limit
    match rule:
        case "multiple_of":
            return {"multipleOf": _number(limit)}
        case "gt":
            return {"minimum": number, "exclusiveMinimum": True}
        case "lt":
            return {"maximum": number, "exclusiveMaximum": True}
    return {_BOUNDS[rule]: number}


def _lengths(rule: str, limit: Any, kinds: Kinds) -> dict[str, Any]:
    low, high = limit if rule == "length" else (limit, limit)
    low, high = (None if rule == "max_length" else low), (None if rule == "min_length" else high)
    found: dict[str, Any] = {}
    for kind, name in _LENGTHS:
        if kind in kinds:
            found |= {f"min{name}": low, f"max{name}": high}
    if "bytes" in kinds and "text" not in kinds:
        # Three bytes are four characters of base64, and so are one or two of them.
        found |= {"minLength": _base64(low), "maxLength": _base64(high)}
    return {name: value for name, value in found.items() if value is not None}


def _base64(length: int | None) -> int | None:
    return None if length is None else (length + 2) // 3 * 4


def _number(limit: Any) -> int | float | None:
    if isinstance(limit, date):
        return None
    if isinstance(limit, Decimal128):
        limit = limit.to_decimal()
    if isinstance(limit, Decimal):
        limit = int(limit) if limit == limit.to_integral_value() else float(limit)
    if isinstance(limit, int):
        return int(limit)
    return float(limit) if isinstance(limit, float) and isfinite(limit) else None


def add(schema: dict[str, Any], keywords: dict[str, Any]) -> None:
    """Put keywords into a schema beside what it says already.

    Args:
        schema: The schema.
        keywords: What else must hold.

    Example:
        >>> schema = {"minLength": 1}
        >>> add(schema, {"minLength": 3, "maxLength": 5})
        >>> schema
        {'minLength': 1, 'maxLength': 5, 'allOf': [{'minLength': 3}]}
    """
    clashing = {name: value for name, value in keywords.items() if name in schema}
    schema |= {name: value for name, value in keywords.items() if name not in clashing}
    if any(schema[name] != value for name, value in clashing.items()):
        schema["allOf"] = [*schema.get("allOf", ()), clashing]
