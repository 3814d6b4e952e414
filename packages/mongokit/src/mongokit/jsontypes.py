"""JSON Schemas of single types, of operators and of listed values.

Example:
    >>> of_type(datetime), nullable(of_type(str))
    ({'type': 'string', 'format': 'date-time'}, {'type': ['string', 'null']})
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

from mongokit.jsonform import plain
from mongokit.jsonreading import BASE64, DECIMAL, OBJECT_ID
from mongokit.operators import IS, NOT, OR
from mongokit.schema import OperatorNode

Schema = dict[str, Any]

REFERENCE: Schema = {
    "type": "object",
    "properties": {"$ref": {"type": "string"}, "$id": {}, "$db": {"type": "string"}},
    "required": ["$ref", "$id"],
}
_BYTES: Schema = {"type": "string", "contentEncoding": "base64", "pattern": BASE64}
_UINT32: Schema = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}


def _object(fields: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_SCALARS: dict[type, Schema] = {
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bytes: _BYTES,
    Binary: _BYTES,
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    ObjectId: {"type": "string", "pattern": OBJECT_ID},
    UUID: {"type": "string", "format": "uuid"},
    Decimal: {"type": "string", "pattern": DECIMAL},
    Decimal128: {"type": "string", "pattern": DECIMAL},
    re.Pattern: {"type": "string", "format": "regex"},
    Regex: {"type": "string", "format": "regex"},
    Code: {"type": "string"},
    Int64: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    Timestamp: _object({"$timestamp": _object({"t": _UINT32, "i": _UINT32})}),
    MinKey: _object({"$minKey": {"const": 1}}),
    MaxKey: _object({"$maxKey": {"const": 1}}),
    DBRef: REFERENCE,
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array"},
}
_ALL_BUT_NULL = ["array", "boolean", "number", "object", "string"]


def of_type(kind: type) -> Schema:
    """Return the schema of a type, `{}` for one that JSON has no form for.

    Args:
        kind: The type.
    """
    for base in kind.__mro__:
        if base in _SCALARS:
            return dict(_SCALARS[base])
    return {}


def of_types(kinds: Any) -> Schema:
    """Return the schema of one of several types, `{}` where JSON has no form for one of them.

    Args:
        kinds: A type, or a tuple of them.
    """
    types = kinds if isinstance(kinds, tuple) else (kinds,)
    schemas = [of_type(kind) for kind in types]
    return _any_of(schemas) if all(schemas) else {}


def _any_of(schemas: list[Schema]) -> Schema:
    """One of several; where only their types tell them apart, these are named together."""
    schemas = unique(schemas)
    if len(schemas) == 1:
        return schemas[0]
    if all(set(schema) == {"type"} and isinstance(schema["type"], str) for schema in schemas):
        types = [schema["type"] for schema in schemas]
        if "number" in types:
            types = [each for each in types if each != "integer"]
        return {"type": types[0] if len(types) == 1 else types}
    return {"anyOf": schemas}


def of_operator(node: OperatorNode) -> Schema:
    """Return the schema of `OR`, `IS` or `NOT`.

    Args:
        node: The operator's node.
    """
    operands = node.operator.operands
    match node.operator:
        case OR():
            return of_types(tuple(operands))
        case IS():
            return enumeration(operands)
        case NOT():
            excluded = [schema for kind in operands if (schema := _excluded(kind, operands))]
            return {"not": _any_of(excluded)} if excluded else {}
    return {}


def _excluded(kind: type, operands: Iterable[type]) -> Schema:
    # What has no type of its own in JSON is text there, and can't be told from text.
    if kind is float and int not in operands:
        return {"type": "number", "not": {"type": "integer"}}
    own = kind in (type(None), bool, int, float, str, dict, list)
    return of_type(kind) if own and kind is not type(None) else {}


def enumeration(values: Iterable[Any]) -> Schema:
    """Return the schema of listed values.

    Args:
        values: The values, in Python form.
    """
    forms = unique(plain(value) for value in values)
    types = unique(_json_type(form) for form in forms if form is not None)
    if "number" in types:
        types = [each for each in types if each != "integer"]
    schema: Schema = {"type": types[0] if len(types) == 1 else types} if types else {}
    return {**schema, "enum": forms}


def _json_type(form: Any) -> str:
    if isinstance(form, bool):
        return "boolean"
    kinds = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds[type(form)]


def unique(forms: Iterable[Any]) -> list[Any]:
    """Return some forms, each once: to JSON true is not 1.

    Args:
        forms: JSON forms.
    """
    found: list[Any] = []
    for form in forms:
        if not any(
            form == other and isinstance(form, bool) is isinstance(other, bool) for other in found
        ):
            found.append(form)
    return found


def takes_null(schema: Schema) -> bool:
    """Tell whether a schema's types let null pass.

    Args:
        schema: The schema.
    """
    types = schema.get("type", "null")
    return "null" in (types if isinstance(types, list) else [types])


def nullable(schema: Schema) -> Schema:
    """Return a schema with null allowed; it is changed.

    Args:
        schema: The schema.
    """
    for part in schema.get("allOf", ()):
        if "enum" in part and None not in part["enum"]:
            part["enum"] = [*part["enum"], None]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if "$ref" in schema:
        reference = {"$ref": schema.pop("$ref")}
        return {"anyOf": [reference, {"type": "null"}], **schema}
    if "anyOf" in schema:
        if {"type": "null"} not in schema["anyOf"]:
            schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    elif "type" in schema and not takes_null(schema):
        types = schema["type"]
        schema["type"] = [*(types if isinstance(types, list) else [types]), "null"]
    return schema


def not_null(schema: Schema) -> Schema:
    """Return a schema with null refused, where it would take it; it is changed.

    Args:
        schema: The schema.
    """
    if schema.keys() & {"type", "$ref", "anyOf"}:
        return schema
    return {"type": list(_ALL_BUT_NULL), **schema}
