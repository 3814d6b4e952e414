"""A class as MongoDB's `$jsonSchema`: the rules of the stored form, for a collection's validator.

The dialect is JSON Schema draft 4 with `bsonType` (MongoDB manual, "$jsonSchema"): no `$ref`, no
`format`, no `default`; `exclusiveMinimum` is a boolean. Titles and descriptions are left out, so
that a validator changes only when a rule does. `docs/schemas.md` lists what it can't say.

Example:
    >>> from typing import Annotated
    >>> from mongokit.validators import ge
    >>> class Tea(Document):
    ...     name: str
    ...     grams: Annotated[int, ge(1)] = 2
    >>> schema = mongo_schema(Tea)
    >>> schema["required"], schema["properties"]["grams"]
    (['name'], {'bsonType': ['int', 'long'], 'minimum': 1})
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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

from mongokit.i18n import i18n
from mongokit.keywords import add, kinds_of, mongo_keywords
from mongokit.operators import IS, NOT, OR
from mongokit.schema import (
    ALWAYS_KNOWN,
    AnyNode,
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    ManagerNode,
    MappingNode,
    Node,
    OperatorNode,
    ReferenceNode,
    ScalarNode,
    TupleNode,
    UnionNode,
)
from mongokit.scope import Scope
from mongokit.types import DateType, DecimalType, EnumType, Set
from mongokit.validators import Constraint

Schema = dict[str, Any]

# PyMongo's documentation, "bson": what each type is encoded as.
_TYPES: dict[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("bool",),
    Int64: ("long",),
    int: ("int", "long"),
    float: ("double",),
    Code: ("javascript", "javascriptWithScope"),
    str: ("string",),
    bytes: ("binData",),
    Binary: ("binData",),
    UUID: ("binData",),
    datetime: ("date",),
    date: ("date",),
    ObjectId: ("objectId",),
    Decimal: ("decimal",),
    Decimal128: ("decimal",),
    re.Pattern: ("regex",),
    Regex: ("regex",),
    Timestamp: ("timestamp",),
    MinKey: ("minKey",),
    MaxKey: ("maxKey",),
    DBRef: ("DBRef",),
    dict: ("object",),
    list: ("array",),
    tuple: ("array",),
    set: ("array",),
}
_ALL_TYPES = tuple(
    dict.fromkeys(name for names in _TYPES.values() for name in names if name != "DBRef")
)
_BINARY = frozenset({bytes, Binary, UUID})


def mongo_schema(document_class: Any) -> Schema:
    """Return the `$jsonSchema` of a class; `SchemaDocument.mongo_schema` is this.

    Args:
        document_class: The class.
    """
    return _document(Scope.of(document_class), is_root=True)


def _document(scope: Scope, *, is_root: bool = False) -> Schema:
    tree = scope.model.tree
    schema: Schema = {"bsonType": "object"}
    if isinstance(tree, MappingNode):
        _fields(schema, tree, scope, is_root=is_root)
    elif isinstance(tree, KeyedNode):
        _keyed(schema, tree, scope)
        if is_root:
            schema["properties"] = {name: {} for name in sorted(ALWAYS_KNOWN)}
    return schema


def _fields(schema: Schema, node: MappingNode, scope: Scope, *, is_root: bool = False) -> None:
    if not node.fields and not is_root:
        return
    model = scope.model
    is_strict = not (model.schemaless or model.lenient)
    properties = {key: _node(child, scope) for key, child in node.fields.items()}
    required = [
        key
        for key, child in node.fields.items()
        if (is_strict and key not in ALWAYS_KNOWN)
        or child.path in scope.required
        or scope.demands_below(child.path)
    ]
    if not model.schemaless:
        properties |= {name: {} for name in sorted(ALWAYS_KNOWN) if name not in properties}
        schema["additionalProperties"] = False
    if properties:
        schema["properties"] = properties
    if required:  # an empty list is refused
        schema["required"] = required


def _keyed(schema: Schema, node: KeyedNode, scope: Scope) -> None:
    if value := _node(node.value, scope):
        schema["additionalProperties"] = value
    if not issubclass(node.key, str):
        schema["maxProperties"] = 0  # keys are text


def _node(node: Node, scope: Scope, *, is_field: bool = True, is_option: bool = False) -> Schema:
    """Return the schema of the stored values at a node; see `jsonschema`, which it follows."""
    is_required = is_field and node.path in scope.required
    below = scope.demands_below(node.path) and not isinstance(node, ListNode)
    none = node.allows_none and not (is_option or below or (is_required and not node.none))
    schema = _kind(node, scope, is_field=is_field)
    validators = [*node.checks]
    if is_field and not isinstance(node, I18nNode):
        validators += scope.validators.get(node.path, ())
    _constrain(schema, node, validators)
    if is_required and not isinstance(node, CustomNode):
        _fill(schema, node)
    return _nullable(schema) if none else _not_null(schema)


def _kind(node: Node, scope: Scope, *, is_field: bool) -> Schema:
    match node:
        case ScalarNode():
            return _dbref() if node.kind is DBRef else _of_types(_scalar_types(node))
        case MappingNode():
            schema: Schema = {"bsonType": "object"}
            _fields(schema, node, scope)
            return schema
        case KeyedNode():
            schema = {"bsonType": "object"}
            _keyed(schema, node, scope)
            return schema
        case ListNode():
            return _array(_node(node.item, scope, is_field=False))
        case TupleNode():
            return {
                "bsonType": "array",
                "items": [_node(item, scope, is_field=False) for item in node.items],
                "additionalItems": False,
                "minItems": len(node.items),
                "maxItems": len(node.items),
            }
        case I18nNode():
            return _languages(_inner(node, scope, is_field=is_field))
        case EmbeddedNode():
            return _document(scope.inside(node.path, node.document_class))
        case UnionNode():
            options = [
                _node(option, scope, is_field=False, is_option=True) for option in node.options
            ]
            return {"anyOf": options}
        case CustomNode():
            return _custom(node)
        case OperatorNode():
            return _operator(node)
        case ReferenceNode():
            return _dbref()
        case ManagerNode():
            return {"not": {}}
        case AnyNode():
            names = _names(kind for kind in node.authorized if kind is not type(None))
            return {} if {*_ALL_TYPES, "DBRef"} <= {*names, "null"} else _of_types(names)
    return {}


def _inner(node: I18nNode, scope: Scope, *, is_field: bool) -> Schema:
    inner = _node(node.inner, scope, is_field=False)
    if is_field:
        was_nullable = "null" in _types_of(inner)
        _constrain(inner, node.inner, scope.validators.get(node.path, ()))
        return _nullable(inner) if was_nullable else inner
    return inner


def _languages(value: Schema) -> Schema:
    return _array(
        {
            "bsonType": "object",
            "properties": {"lang": _of_types(["string"]), "value": value},
            "required": ["lang", "value"],
            "additionalProperties": False,
        }
    )


def _array(item: Schema) -> Schema:
    return {"bsonType": "array", "items": item} if item else {"bsonType": "array"}


def _scalar_types(node: ScalarNode) -> list[str]:
    names = _names([node.kind])
    if issubclass(node.kind, int) and node.kind not in (bool, Int64) and not node.refuses:
        names.append("bool")  # in Python a bool is an int
    if issubclass(node.kind, float) and node.refuses:
        names += _TYPES[int]
    return [] if node.kind is Int64 and not names else names


def _names(kinds: Iterable[Any]) -> list[str]:
    found: dict[str, None] = {}
    for kind in kinds:
        base = next((base for base in kind.__mro__ if base in _TYPES), None)
        found |= dict.fromkeys(_TYPES[base] if base is not None else ())
    return list(found)


def _of_types(names: Iterable[str]) -> Schema:
    found = list(names)
    if not found:
        return {}
    if "DBRef" in found:
        # An object to MongoDB; to the embedded engine a DBRef is of no type at all. So what it may
        # not be is said, which comes to the same.
        return {
            "not": {"bsonType": [name for name in _ALL_TYPES if name not in (*found, "object")]}
        }
    return {"bsonType": found[0] if len(found) == 1 else found}


def _dbref() -> Schema:
    return {
        **_of_types(["DBRef"]),
        "properties": {"$ref": _of_types(["string"]), "$db": _of_types(["string"])},
        "required": ["$ref", "$id"],
    }


def _types_of(schema: Schema) -> list[str]:
    names = schema.get("bsonType", "null")
    return [names] if isinstance(names, str) else list(names)


def _custom(node: CustomNode) -> Schema:
    custom = node.custom
    if isinstance(custom, EnumType):
        return _enum(member.value for member in custom.kind)
    if isinstance(custom, Set):
        item = custom._structure_type
        if item is None:  # what a set can hold
            items: Schema = {"not": _excluded((list, dict))}
        else:
            items = _of_types(_scalar_types(ScalarNode("", item)))
        return {**_array(items), "uniqueItems": True}
    if isinstance(custom, i18n):
        return _array({"bsonType": "object", "required": ["lang", "value"]})
    kinds = custom.mongo_type
    return _of_types(_names(kinds if isinstance(kinds, tuple) else (kinds,)))


def _operator(node: OperatorNode) -> Schema:
    operands = node.operator.operands
    match node.operator:
        case OR():
            return _of_types(_names(operands))
        case IS():
            return _enum(operands)
        case NOT():
            excluded = _excluded(operands)
            return {"not": excluded} if excluded else {}
    return {}


def _excluded(operands: tuple[Any, ...]) -> Schema:
    """What `NOT` excludes, as far as the database can tell it from what it does not."""
    kinds = [kind for kind in operands if kind in _TYPES and kind is not type(None)]
    names = [name for name in _names(kinds) if name not in ("binData", "object", "DBRef")]
    if set(operands) >= _BINARY:  # bytes and UUIDs are of one type there
        names.append("binData")
    if dict not in operands:
        return _of_types(names)
    # So are dicts and DBRefs, but these can be told by their fields.
    is_dict: Schema = {"bsonType": "object"}
    if DBRef not in operands:
        is_dict["not"] = {"required": ["$ref", "$id"]}
    return {"anyOf": [_of_types(names), is_dict]} if names else is_dict


def _enum(values: Iterable[Any]) -> Schema:
    """Listed values, each of its own type: to `enum` 1 and 1.0 are one."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    for value in values:
        if value is not None:
            of_type = groups.setdefault(tuple(_names([type(value)])), [])
            if value not in of_type:
                of_type.append(value)
    numbers = [names for names in groups if set(names) & {"int", "double", "decimal"}]
    if len(numbers) > 1:
        return {"anyOf": [{**_of_types(names), "enum": group} for names, group in groups.items()]}
    listed = [value for group in groups.values() for value in group]
    return {**_of_types(name for names in groups for name in names), "enum": listed}


def _constrain(schema: Schema, node: Node, validators: Iterable[Callable[[Any], Any]]) -> None:
    if isinstance(node, CustomNode) and not isinstance(
        node.custom, (Set, DecimalType, DateType, EnumType)
    ):
        return  # they speak of the Python form
    kinds = kinds_of(node)
    for constraint in validators:
        if isinstance(constraint, Constraint) and constraint.rule == "one_of":
            add(schema, {"enum": _stored(node, constraint.limit)})
        elif isinstance(constraint, Constraint):
            add(schema, mongo_keywords(constraint, kinds))


def _stored(node: Node, values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(node, CustomNode):
            value = node.custom.to_bson(value)  # noqa: PLW2901
        if isinstance(value, Decimal):
            value = Decimal128(value)  # noqa: PLW2901
        if not any(
            value == other and isinstance(value, bool) is isinstance(other, bool) for other in found
        ):
            found.append(value)
    return found


def _fill(schema: Schema, node: Node) -> None:
    """A required list or dict must not be empty (the classic rule)."""
    kinds = frozenset({"array"}) if isinstance(node, I18nNode) else kinds_of(node)
    if "array" in kinds:
        schema["minItems"] = max(schema.get("minItems", 0), 1)
    if "object" in kinds and not schema.get("required"):
        schema["minProperties"] = max(schema.get("minProperties", 0), 1)


def _nullable(schema: Schema) -> Schema:
    """The schema with null allowed; it is changed."""
    for part in [schema, *schema.get("allOf", ())]:
        if "enum" in part and None not in part["enum"]:
            part["enum"] = [*part["enum"], None]
    if "anyOf" in schema:
        if {"bsonType": "null"} not in schema["anyOf"]:
            schema["anyOf"] = [*schema["anyOf"], {"bsonType": "null"}]
    elif "bsonType" in schema and "null" not in _types_of(schema):
        schema["bsonType"] = [*_types_of(schema), "null"]
    elif _refuses_null(schema):
        refused = [name for name in _types_of(schema["not"]) if name != "null"]
        schema["not"] = {"bsonType": refused}
    return schema


def _refuses_null(schema: Schema) -> bool:
    excluded = schema.get("not", {})
    return "bsonType" in excluded and "null" in _types_of(excluded)


def _not_null(schema: Schema) -> Schema:
    """The schema with null refused, where it would take it; it is changed."""
    if schema.keys() & {"bsonType", "anyOf"} or _refuses_null(schema):
        return schema
    refused = {"bsonType": "null"}
    excluded = schema.get("not")
    if excluded is None:
        return {**schema, "not": refused}
    return {**schema, "not": {"anyOf": [excluded, refused]}} if excluded else schema
