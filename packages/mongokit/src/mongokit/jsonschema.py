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

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from bson import (
    Int64,
)

from mongokit.i18n import i18n
from mongokit.jsonform import plain
from mongokit.jsontypes import (
    REFERENCE,
    Schema,
    enumeration,
    not_null,
    nullable,
    of_operator,
    of_type,
    of_types,
    takes_null,
    unique,
)
from mongokit.keywords import add, is_told, json_keywords, kinds_of
from mongokit.labels import descriptions_of, rule_of, summary_of, title_of, with_rules
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
        self.described: dict[Any, dict[str, str]] = {}

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
        shows_id = is_root and model.is_document and not scope.is_left_out("_id", self.mode)
        if shows_id and self.mode in ("store", "read"):
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
        if shows_id and self.mode == "read":
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
        if cls not in self.described:
            self.described[cls] = descriptions_of(cls)
        schema = self.node(node, place.field())
        schema["title"] = scope.titles.get(path) or title_of(key)
        described = scope.descriptions.get(path) or self.described[cls].get(path)
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
        return nullable(schema) if none else not_null(schema)

    def constrain(
        self, schema: Schema, node: Node, validators: Iterable[Callable[[Any], Any]]
    ) -> None:
        kinds = kinds_of(node)
        for constraint in validators:
            if not isinstance(constraint, Constraint):
                continue
            if constraint.rule == "one_of":
                add(schema, {"enum": unique(_shown(node, each) for each in constraint.limit)})
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
                return of_operator(node)
            case ReferenceNode():
                return dict(REFERENCE)
            case ManagerNode():
                return {"not": {}}
        return {}

    def constrain_inner(self, inner: Schema, node: I18nNode, scope: Scope) -> None:
        was_nullable = takes_null(inner)
        self.constrain(inner, node.inner, scope.validators.get(node.path, ()))
        if was_nullable:
            nullable(inner)

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
        schema = of_type(node.kind)
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
            return enumeration(member.value for member in custom.kind)
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
        python = of_types(custom.python_type)
        return python if python else of_types(custom.mongo_type)

    def languages(self, wanted: Any, path: str) -> Schema:
        if wanted is None or wanted == []:
            return {"additionalProperties": {"type": ["array", "null"]}} if wanted == [] else {}
        is_list = isinstance(wanted, list)
        schema = nullable(self.scalar(ScalarNode(path, wanted[0] if is_list else wanted)))
        if is_list:
            schema = {"type": ["array", "null"], "items": schema}
        return {"additionalProperties": schema}


def _is_of(node: Node, cls: Any) -> bool:
    return isinstance(node, EmbeddedNode) and node.document_class is cls


def _silent(scope: Scope) -> Scope:
    """The scope of a list's items, of which their path does not speak."""
    return replace(scope, validators={})


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
