"""JSON Schema 2020-12 of a class: what its JSON forms look like.

The schemas describe what `SchemaDocument.json_form` writes and `from_json_form` reads.
`docs/schemas.md` lists where JSON can't say what the class does.

Example:
    >>> from typing import Annotated
    >>> from mongokit.validators import max_length
    >>> class Tea(Document):
    ...     name: Annotated[str, max_length(50)]
    ...     grams: float = 2.0
    >>> schema = Tea.json_schema("create")
    >>> schema["required"], schema["properties"]["grams"]
    (['name'], {'type': 'number', 'title': 'Grams', 'default': 2.0})
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
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
from mongokit.jsonform import BASE64, DECIMAL, OBJECT_ID, plain
from mongokit.keywords import add, is_told, json_keywords, kinds_of
from mongokit.labels import descriptions_of, rule_of, summary_of, title_of, with_rules
from mongokit.operators import IS, NOT, OR
from mongokit.schema import (
    ALWAYS_KNOWN,
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
from mongokit.scope import Mode, Scope, check_mode
from mongokit.types import EnumType, Set
from mongokit.validators import Constraint

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFS = "#/$defs/{name}"

Schema = dict[str, Any]

_REFERENCE: Schema = {
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
    DBRef: _REFERENCE,
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array"},
}
_ALL_BUT_NULL = ["array", "boolean", "number", "object", "string"]


def json_schema(document_class: Any, mode: Mode = "store", *, ref_template: str = DEFS) -> Schema:
    """Return the JSON Schema of a class; `SchemaDocument.json_schema` is this.

    Args:
        document_class: The class.
        mode: What the schema is for.
        ref_template: Where the embedded classes' schemas are.

    Raises:
        ValueError: There is no such mode.
    """
    writer = _Writer(mode, ref_template)
    schema = writer.document(Scope.of(document_class), is_root=True)
    if ref_template == DEFS:
        schema = {"$schema": DIALECT, **schema}
        if writer.definitions:
            schema["$defs"] = writer.definitions
    return schema


def definitions(
    document_class: Any, mode: Mode = "store", *, ref_template: str = DEFS
) -> dict[str, Schema]:
    """Return the schemas that a class's own one refers to: those of its embedded classes, by name.

    For documents that keep them elsewhere than in `$defs`, such as OpenAPI's.

    Args:
        document_class: The class.
        mode: What the schemas are for.
        ref_template: Where they will be, with `{name}` in it.

    Raises:
        ValueError: There is no such mode.

    Example:
        >>> class Address(Embedded):
        ...     city: str
        >>> class Person(Document):
        ...     home: Address
        >>> there = "#/components/schemas/{name}"
        >>> Person.json_schema("read", ref_template=there)["properties"]["home"]
        {'$ref': '#/components/schemas/Address', 'title': 'Home'}
        >>> list(definitions(Person, "read", ref_template=there))
        ['Address']
    """
    writer = _Writer(mode, ref_template)
    writer.document(Scope.of(document_class), is_root=True)
    return writer.definitions


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands.

    Attributes:
        scope: What is said of its path.
        is_field: Whether what is said of the path is said of the node: the items of a list have
            their list's path.
        in_list: Whether it stands inside a list: a merge patch replaces lists as a whole.
        is_option: Whether it is one of several, which say together whether null may stand there.
    """

    scope: Scope
    is_field: bool = True
    in_list: bool = False
    is_option: bool = False

    def item(self) -> _Place:
        return replace(self, is_field=False, in_list=True, is_option=False)

    def part(self, *, is_option: bool = False) -> _Place:
        return replace(self, is_field=False, is_option=is_option)

    def field(self) -> _Place:
        return replace(self, is_field=True, is_option=False)


class _Writer:
    """Writes the schemas of one mode, and of the embedded classes that it meets."""

    def __init__(self, mode: Mode, ref_template: str) -> None:
        check_mode(mode)
        self.mode = mode
        self.ref_template = ref_template
        self.definitions: dict[str, Schema] = {}
        self.names: dict[Any, str] = {}

    # Documents.

    def document(self, scope: Scope, *, is_root: bool = False, in_list: bool = False) -> Schema:
        """Return the schema of a class's documents."""
        cls = scope.model.document_class
        tree = scope.model.tree
        schema: Schema = {"type": "object", "title": cls.__name__}
        if summary := summary_of(cls):
            schema["description"] = summary
        place = _Place(scope, in_list=in_list)
        if isinstance(tree, MappingNode):
            self.fields(schema, tree, place, is_root=is_root)
        elif isinstance(tree, KeyedNode):
            self.keyed(schema, tree, place)
            if is_root and self.mode == "store":
                schema["properties"] = {name: {} for name in sorted(ALWAYS_KNOWN)}
        return schema

    def fields(
        self, schema: Schema, node: MappingNode, place: _Place, *, is_root: bool = False
    ) -> None:
        """Add the declared fields of a document, or of a dict inside of it."""
        if not node.fields and not is_root:
            return
        scope, model = place.scope, place.scope.model
        properties: dict[str, Schema] = {}
        required: list[str] = []
        if is_root and model.is_document and self.mode in ("store", "read"):
            properties["_id"] = {"title": "Id"} if self.mode == "read" else {}
        for key, child in node.fields.items():
            is_id = is_root and key == "_id"
            if scope.is_left_out(child.path, self.mode) or (
                is_id and self.mode in ("create", "update")
            ):
                continue
            properties[key] = self.field(child, key, place)
            if self.is_demanded(child, key, place):
                required.append(key)
        if is_root and model.is_document and self.mode == "read":
            properties["_id"]["readOnly"] = True
            required = ["_id", *(key for key in required if key != "_id")]
        if self.mode == "store" and not model.schemaless:
            properties |= {name: {} for name in sorted(ALWAYS_KNOWN) if name not in properties}
        schema["properties"] = properties
        if required:
            schema["required"] = required
        if not model.schemaless:
            schema["additionalProperties"] = False

    def is_demanded(self, node: Node, key: str, place: _Place) -> bool:
        """Tell whether a field must be there."""
        scope = place.scope
        if self.mode in ("store", "read"):
            is_strict = not (scope.model.schemaless or scope.model.lenient)
            if is_strict and key not in ALWAYS_KNOWN:
                return True
            return node.path in scope.required or scope.demands_below(node.path)
        if self.mode == "update" and not place.in_list:
            return False
        if node.path in scope.defaults:
            return False
        return any(
            (path == node.path or path.startswith(f"{node.path}."))
            and path not in scope.defaults
            and not scope.is_left_out(path, self.mode)
            for path in scope.required
        )

    def field(self, node: Node, key: str, place: _Place) -> Schema:
        """Return the schema of a field, with what is said of it to people."""
        scope, path = place.scope, node.path
        cls = scope.model.document_class
        schema = self.node(node, place.field())
        schema.pop("title", None)
        schema["title"] = scope.titles.get(path) or title_of(key)
        described = scope.descriptions.get(path) or descriptions_of(cls).get(path)
        if text := with_rules(described, self.rules(node, scope)):
            schema["description"] = text
        if path in scope.examples:
            schema["examples"] = [_shown(node, example) for example in scope.examples[path]]
        if path in scope.defaults:
            self.default(schema, node, scope.defaults[path])
        if self.mode == "read" and path in scope.read_only:
            schema["readOnly"] = True
        return schema

    def default(self, schema: Schema, node: Node, value: Any) -> None:
        if callable(value) or (isinstance(value, list) and any(callable(item) for item in value)):
            return
        try:
            schema["default"] = _shown(node, value)
        except TypeError:
            return

    def rules(self, node: Node, scope: Scope) -> list[str]:
        """Return what validators demand that no keyword says."""
        kinds = kinds_of(node)
        validators = [*scope.validators.get(node.path, ()), *node.checks]
        told = [
            rule_of(each, b"" if "bytes" in kinds else "")
            for each in validators
            if not (isinstance(each, Constraint) and is_told(each, kinds))
        ]
        if isinstance(node, ListNode):
            told += [f"each item: {rule}" for rule in self.rules(node.item, _silent(scope))]
        return told

    # Nodes.

    def node(self, node: Node, place: _Place) -> Schema:
        """Return the schema of the values at a node."""
        scope = place.scope
        is_required = place.is_field and node.path in scope.required
        below = scope.demands_below(node.path) and not isinstance(node, ListNode)
        none = not (place.is_option or below or (is_required and not node.none))
        none = none and node.allows_none
        schema = self.kind(node, place)
        validators = [*node.checks]
        if place.is_field and not isinstance(node, I18nNode):
            validators += scope.validators.get(node.path, ())
        self.constrain(schema, node, validators)
        if is_required and not isinstance(node, CustomNode):
            self.fill(schema, node, place)
        return _nullable(schema) if none else _not_null(schema)

    def constrain(
        self, schema: Schema, node: Node, validators: Iterable[Callable[[Any], Any]]
    ) -> None:
        kinds = kinds_of(node)
        for constraint in validators:
            if not isinstance(constraint, Constraint):
                continue
            if constraint.rule == "one_of":
                add(schema, {"enum": _unique(_shown(node, each) for each in constraint.limit)})
            else:
                add(schema, json_keywords(constraint, kinds))

    def kind(self, node: Node, place: _Place) -> Schema:
        match node:
            case ScalarNode():
                return self.scalar(node)
            case MappingNode():
                schema: Schema = {"type": "object"}
                self.fields(schema, node, place)
                return schema
            case KeyedNode():
                schema = {"type": "object"}
                self.keyed(schema, node, place)
                return schema
            case ListNode():
                return {"type": "array", **_unless_any("items", self.node(node.item, place.item()))}
            case TupleNode():
                return {
                    "type": "array",
                    "prefixItems": [self.node(item, place.item()) for item in node.items],
                    "items": False,
                    "minItems": len(node.items),
                    "maxItems": len(node.items),
                }
            case I18nNode():
                inner = self.node(node.inner, place.part())
                if place.is_field:
                    self.constrain_inner(inner, node, place.scope)
                return {"type": "object", **_unless_any("additionalProperties", inner)}
            case EmbeddedNode():
                return self.embedded(node, place)
            case UnionNode():
                part = place.part(is_option=True)
                return {"anyOf": [self.node(option, part) for option in node.options]}
            case CustomNode():
                return self.custom(node)
            case OperatorNode():
                return _operator(node)
            case ReferenceNode():
                return dict(_REFERENCE)
            case ManagerNode():
                return {"not": {}}
        return {}

    def constrain_inner(self, inner: Schema, node: I18nNode, scope: Scope) -> None:
        was_nullable = _takes_null(inner)
        self.constrain(inner, node.inner, scope.validators.get(node.path, ()))
        if was_nullable:
            _nullable(inner)

    def fill(self, schema: Schema, node: Node, place: _Place) -> None:
        """A required list or dict must not be empty (the classic rule)."""
        kinds = frozenset({"object"}) if isinstance(node, I18nNode) else kinds_of(node)
        if "array" in kinds:
            schema["minItems"] = max(schema.get("minItems", 0), 1)
        if self.mode == "update" and not place.in_list:
            return  # {} in a merge patch changes nothing
        name = next((name for cls, name in self.names.items() if _is_of(node, cls)), None)
        whole = self.definitions[name] if name is not None and "$ref" in schema else schema
        if "object" in kinds and not whole.get("required"):
            schema["minProperties"] = max(schema.get("minProperties", 0), 1)

    def scalar(self, node: ScalarNode) -> Schema:
        schema = _of_type(node.kind)
        if issubclass(node.kind, int) and node.kind not in (bool, Int64):
            if not node.refuses:
                schema["type"] = ["integer", "boolean"]  # in Python a bool is an int
            elif self.mode == "store":
                schema |= {"minimum": -(2**63), "maximum": 2**63 - 1}
        return schema

    def keyed(self, schema: Schema, node: KeyedNode, place: _Place) -> None:
        value = self.node(node.value, place.field())
        path = node.value.path
        if path in place.scope.titles:
            value["title"] = place.scope.titles[path]
        rules = self.rules(node.value, place.scope)
        if text := with_rules(place.scope.descriptions.get(path), rules):
            value["description"] = text
        schema |= _unless_any("additionalProperties", value)
        if not issubclass(node.key, str):
            schema["maxProperties"] = 0  # BSON's keys are text, and so are those of JSON

    def embedded(self, node: EmbeddedNode, place: _Place) -> Schema:
        cls = node.document_class
        scope = place.scope.inside(node.path, cls)
        is_whole = self.mode == "update" and place.in_list
        if is_whole or place.scope.reaches_into(node.path):
            return self.document(scope, in_list=place.in_list)
        name = self.names.get(cls)
        if name is None:
            taken = set(self.names.values())
            name = next(
                each
                for each in (cls.__name__, *(f"{cls.__name__}{n}" for n in range(2, 1000)))
                if each not in taken
            )
            self.names[cls] = name
            self.definitions[name] = {}  # keeps the order in which they are met
            self.definitions[name] = self.document(scope)
        return {"$ref": self.ref_template.format(name=name)}

    def custom(self, node: CustomNode) -> Schema:
        custom = node.custom
        if isinstance(custom, EnumType):
            return _enum(member.value for member in custom.kind)
        if isinstance(custom, Set):
            item = custom._structure_type
            schema: Schema = {"type": "array", "uniqueItems": True}
            if item is None:  # what a set can hold
                schema["items"] = {"type": ["boolean", "null", "number", "string"]}
            else:
                schema["items"] = self.scalar(ScalarNode(node.path, item))
            return schema
        if isinstance(custom, i18n):
            return {"type": "object", **self.languages(custom._field_type, node.path)}
        python = _of_types(custom.python_type)
        return python if python else _of_types(custom.mongo_type)

    def languages(self, wanted: Any, path: str) -> Schema:
        if wanted is None or wanted == []:
            return {"additionalProperties": {"type": ["array", "null"]}} if wanted == [] else {}
        is_list = isinstance(wanted, list)
        schema = _nullable(self.scalar(ScalarNode(path, wanted[0] if is_list else wanted)))
        if is_list:
            schema = {"type": ["array", "null"], "items": schema}
        return {"additionalProperties": schema}


def _is_of(node: Node, cls: Any) -> bool:
    return isinstance(node, EmbeddedNode) and node.document_class is cls


def _silent(scope: Scope) -> Scope:
    """The scope of a list's items, of which their path does not speak."""
    return replace(scope, validators={})


def _of_type(kind: type) -> Schema:
    for base in kind.__mro__:
        if base in _SCALARS:
            return dict(_SCALARS[base])
    return {}


def _of_types(kinds: Any) -> Schema:
    types = kinds if isinstance(kinds, tuple) else (kinds,)
    schemas = [_of_type(kind) for kind in types]
    return _any_of(schemas) if all(schemas) else {}


def _any_of(schemas: list[Schema]) -> Schema:
    """One of several; where only their types tell them apart, these are named together."""
    schemas = _unique(schemas)
    if len(schemas) == 1:
        return schemas[0]
    if all(set(schema) == {"type"} and isinstance(schema["type"], str) for schema in schemas):
        types = [schema["type"] for schema in schemas]
        if "number" in types:
            types = [each for each in types if each != "integer"]
        return {"type": types[0] if len(types) == 1 else types}
    return {"anyOf": schemas}


def _operator(node: OperatorNode) -> Schema:
    operands = node.operator.operands
    match node.operator:
        case OR():
            return _of_types(tuple(operands))
        case IS():
            return _enum(operands)
        case NOT():
            excluded = [schema for kind in operands if (schema := _excluded(kind, operands))]
            return {"not": _any_of(excluded)} if excluded else {}
    return {}


def _excluded(kind: type, operands: Iterable[type]) -> Schema:
    # What has no type of its own in JSON is text there, and can't be told from text.
    if kind is float and int not in operands:
        return {"type": "number", "not": {"type": "integer"}}
    own = kind in (type(None), bool, int, float, str, dict, list)
    return _of_type(kind) if own and kind is not type(None) else {}


def _enum(values: Iterable[Any]) -> Schema:
    forms = _unique(plain(value) for value in values)
    types = _unique(_json_type(form) for form in forms if form is not None)
    if "number" in types:
        types = [each for each in types if each != "integer"]
    schema: Schema = {"type": types[0] if len(types) == 1 else types} if types else {}
    return {**schema, "enum": forms}


def _json_type(form: Any) -> str:
    if isinstance(form, bool):
        return "boolean"
    kinds = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds[type(form)]


def _unique(forms: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for form in forms:
        if not any(
            form == other and isinstance(form, bool) is isinstance(other, bool) for other in found
        ):
            found.append(form)
    return found


def _shown(node: Node, value: Any) -> Any:
    """The JSON form of a value that the declaration names: a default, an example."""
    try:
        return plain(value)
    except TypeError:
        if isinstance(node, CustomNode):
            return plain(node.custom.to_bson(value))
        raise


def _unless_any(keyword: str, schema: Schema) -> Schema:
    return {keyword: schema} if schema else {}


def _takes_null(schema: Schema) -> bool:
    types = schema.get("type", "null")
    return "null" in (types if isinstance(types, list) else [types])


def _nullable(schema: Schema) -> Schema:
    """The schema with null allowed; it is changed."""
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
    elif "type" in schema and not _takes_null(schema):
        types = schema["type"]
        schema["type"] = [*(types if isinstance(types, list) else [types]), "null"]
    return schema


def _not_null(schema: Schema) -> Schema:
    """The schema with null refused, where it would take it; it is changed."""
    if schema.keys() & {"type", "$ref", "anyOf"}:
        return schema
    return {"type": list(_ALL_BUT_NULL), **schema}
