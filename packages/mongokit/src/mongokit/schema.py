"""The schema tree: what a class declares, as nodes that know their path.

A declaration is read once, when its class is made; everything else (validation, skeletons,
conversions, schemas, indexes) reads only this tree. `build` makes it from a classic `structure`.
Each node keeps its dotted path, in which `$str` stands for "any key of type str".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import Binary, Regex

from mongokit.errors import AuthorizedTypeError, BadKeyError, StructureError
from mongokit.operators import IS, AnyOf, SchemaOperator
from mongokit.types import CustomType

ALWAYS_KNOWN = frozenset({"_id", "_ns", "_revision", "_version"})
"""Fields that no structure has to declare."""

_OLD_TYPE_KEYS = {"$unicode": "$str", "$basestring": "$str", "$long": "$int"}

# What the driver gives back for a value of this type, beside the type itself.
_READ_BACK_AS: dict[type, tuple[type, ...]] = {Binary: (bytes,), re.Pattern: (Regex,)}


@dataclass(slots=True)
class Node:
    """One place in a declaration.

    Attributes:
        path: Its dotted path; '' is the document itself.
        none: Whether None may stand there, where an annotation says so; else `allows_none`.
        checks: Validators of the items of a list and the like, which no path leads to.
    """

    path: str
    none: bool | None = field(default=None, kw_only=True)
    checks: tuple[Any, ...] = field(default=(), kw_only=True)

    @property
    def allows_none(self) -> bool:
        """Whether None may stand there. Classic: where no declared content has an empty form."""
        if self.none is not None:
            return self.none
        return not isinstance(self, (MappingNode, KeyedNode, ListNode, TupleNode))


@dataclass(slots=True)
class AnyNode(Node):
    """`None`: any authorized type."""

    authorized: tuple[type, ...]


@dataclass(slots=True)
class ScalarNode(Node):
    """One type. `dict` and `list` without further detail are scalars too.

    Attributes:
        kind: The declared type.
        accepts: What a value may be an instance of.
        refuses: What it may not, all the same. An annotation means what type checkers say, and no
            more: a float may be an int (PEP 484), but no number a bool.
    """

    kind: type
    accepts: tuple[type, ...] = ()
    refuses: tuple[type, ...] = ()
    annotated: bool = False

    def __post_init__(self) -> None:
        self.accepts = (self.kind, *_READ_BACK_AS.get(self.kind, ()))
        if self.kind is list:
            self.accepts = (list, tuple)
        if self.annotated and issubclass(self.kind, (int, float)) and self.kind is not bool:
            self.refuses = (bool,)
            if self.kind is float:
                self.accepts = (float, int)

    def takes(self, value: Any) -> bool:
        """Tell whether a value other than None is of the type."""
        return isinstance(value, self.accepts) and not (
            self.refuses and isinstance(value, self.refuses)
        )


@dataclass(slots=True)
class MappingNode(Node):
    """A nested dict with declared keys; `{}` declares none and takes any."""

    fields: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True)
class KeyedNode(Node):
    """`{str: spec}`: any number of keys of one type."""

    key: type
    value: Node


@dataclass(slots=True)
class ListNode(Node):
    """`[spec]`: every item follows one spec."""

    item: Node


@dataclass(slots=True)
class TupleNode(Node):
    """`(spec, spec)`: a list of exactly so many items, each with its own spec."""

    items: tuple[Node, ...]


@dataclass(slots=True)
class CustomNode(Node):
    """A `CustomType` instance."""

    custom: CustomType


@dataclass(slots=True)
class OperatorNode(Node):
    """`OR`, `NOT` or `IS`."""

    operator: SchemaOperator


@dataclass(slots=True)
class UnionNode(Node):
    """`AnyOf`: what one of several specs takes."""

    options: tuple[Node, ...]


@dataclass(slots=True)
class EmbeddedNode(Node):
    """A `SchemaDocument` class (or a `Document` class without `use_autorefs`), stored in place."""

    document_class: Any


@dataclass(slots=True)
class ReferenceNode(Node):
    """A `Document` class under `use_autorefs`, stored as a DBRef.

    Attributes:
        target: The class, or the name that it is registered under.
    """

    target: Any

    @property
    def target_name(self) -> str:
        """The name of the referenced class."""
        return self.target if isinstance(self.target, str) else self.target.__name__


@dataclass(slots=True)
class ManagerNode(Node):
    """A manager where a class belongs: the class can be made, but no document validates."""


@dataclass(slots=True)
class I18nNode(Node):
    """A field with one value per language; `inner` is what each value follows."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Said:
    """A spec, and what only an annotation says beside it.

    Attributes:
        spec: As it stands in a `structure`; its parts may be `Said` too.
        none: Whether None may stand there.
        checks: Validators of a value there.
    """

    spec: Any
    none: bool = False
    checks: tuple[Any, ...] = ()


def type_key(key: type) -> str:
    """Return how a type key stands in a path.

    Example:
        >>> type_key(str)
        '$str'
    """
    return f"${key.__name__}"


def normalize_path(path: str) -> str:
    """Return `path` with the type keys of Python 2 in today's spelling.

    Example:
        >>> normalize_path("a.$unicode.b")
        'a.$str.b'
    """
    if "$" not in path:
        return path
    return ".".join(_OLD_TYPE_KEYS.get(part, part) for part in path.split("."))


def join(path: str, key: str) -> str:
    """Return the path of `key` below `path`."""
    return f"{path}.{key}" if path else key


class _Builder:
    """Reads one class's structure; holds only what every step needs."""

    def __init__(
        self,
        class_name: str,
        authorized: tuple[type, ...],
        *,
        autorefs: bool,
        i18n: frozenset[str] = frozenset(),
    ) -> None:
        self.class_name = class_name
        self.authorized = authorized
        self.autorefs = autorefs
        self.i18n = i18n
        self.annotated = False

    def is_authorized(self, candidate: Any) -> bool:
        return candidate is None or (
            isinstance(candidate, type) and issubclass(candidate, self.authorized)
        )

    def node(self, spec: Any, path: str) -> Node:
        if path in self.i18n:
            return I18nNode(path, self._node(spec, path))
        return self._node(spec, path)

    def _node(self, spec: Any, path: str) -> Node:
        if isinstance(spec, Said):
            return self._said(spec, path)
        if spec is None:
            return AnyNode(path, self.authorized)
        if isinstance(spec, type):
            return self._type(spec, path)
        if hasattr(type(spec), "__mongokit__"):  # an instance where a class belongs
            return ManagerNode(path)
        if isinstance(spec, Mapping):
            return self._mapping(spec, path)
        if isinstance(spec, list):
            return ListNode(path, self._list_item(spec, path))
        if isinstance(spec, tuple):
            return TupleNode(path, tuple(self._node(item, path) for item in spec))
        if isinstance(spec, CustomType):
            return self._custom(spec, path)
        if isinstance(spec, AnyOf):
            return self._union(spec, path)
        if isinstance(spec, SchemaOperator):
            return self._operator(spec, path)
        if isinstance(spec, str) and self.autorefs:
            return ReferenceNode(path, spec)
        msg = f"{self.class_name}: {spec} is not a type"
        raise TypeError(msg)

    def _union(self, spec: AnyOf, path: str) -> Node:
        options = tuple(self._node(option, path) for option in spec.operands)
        for node in (each for option in options for each in walk(option)):
            model = node.document_class.__mongokit__ if isinstance(node, EmbeddedNode) else None
            if isinstance(node, (CustomNode, ReferenceNode)) or (model and model.to_python):
                msg = (
                    f"{self.class_name}: {path} can't be one of several with a type whose stored "
                    "form is another one: what is stored could be another option's"
                )
                raise StructureError(msg, path=path)
        return UnionNode(path, options)

    def _said(self, said: Said, path: str) -> Node:
        around, self.annotated = self.annotated, True
        node = self._node(said.spec, path)
        self.annotated = around
        node.none = said.none
        node.checks = said.checks
        return node

    def _type(self, spec: type, path: str) -> Node:
        model = getattr(spec, "__mongokit__", None)
        if model is not None:
            if self.autorefs and model.is_document:
                return ReferenceNode(path, spec)
            return EmbeddedNode(path, spec)
        if issubclass(spec, CustomType):
            return self._custom(spec(), path)
        if issubclass(spec, SchemaOperator) or not self.is_authorized(spec):
            where = f"{self.class_name}.{path}" if self.annotated else self.class_name
            msg = f"{where}: {spec} is not an authorized type"
            raise StructureError(msg, path=path)
        return ScalarNode(path, spec, annotated=self.annotated)

    def _custom(self, custom: CustomType, path: str) -> Node:
        kinds = custom.mongo_type
        for kind in kinds if isinstance(kinds, tuple) else (kinds,):
            if not self.is_authorized(kind):
                msg = f"{self.class_name}: {kind} is not an authorized type"
                raise StructureError(msg, path=path)
        return CustomNode(path, custom)

    def _list_item(self, spec: list[Any], path: str) -> Node:
        if len(spec) > 1:
            msg = (
                f"{self.class_name}: {path} must declare one type for all its items "
                f"(got {len(spec)}); use a tuple for a list of fixed length"
            )
            raise StructureError(msg, path=path)
        return self._node(spec[0], path) if spec else AnyNode(path, self.authorized)

    def _operator(self, operator: SchemaOperator, path: str) -> Node:
        for operand in operator.operands:
            kind = type(operand) if isinstance(operator, IS) else operand
            if not self.is_authorized(kind):
                msg = (
                    f"{self.class_name}: {operand} in {operator} is not an authorized type "
                    f"({type(operand).__name__} found)"
                )
                raise StructureError(msg, path=path)
        return OperatorNode(path, operator)

    def _mapping(self, spec: Mapping[Any, Any], path: str) -> Node:
        fields: dict[str, Node] = {}
        for key, value in spec.items():
            if isinstance(key, type):
                return self._keyed(spec, key, value, path)
            self._check_key(key)
            fields[key] = self.node(value, join(path, key))
        return MappingNode(path, fields)

    def _keyed(self, spec: Mapping[Any, Any], key: type, value: Any, path: str) -> Node:
        if not issubclass(key, self.authorized):
            msg = f"{self.class_name}: {key} is not an authorized type"
            raise AuthorizedTypeError(msg, path=path)
        if len(spec) > 1:
            msg = f"{self.class_name}: {path or 'structure'} mixes a type key with other keys"
            raise StructureError(msg, path=path)
        return KeyedNode(path, key, self.node(value, join(path, type_key(key))))

    def _check_key(self, key: Any) -> None:
        if not isinstance(key, str):
            msg = f"{self.class_name}: {key} must be a str or a type"
            raise StructureError(msg)
        if "." in key:
            msg = f"{self.class_name}: {key} must not contain '.'"
            raise BadKeyError(msg, path=key)
        if key.startswith("$"):
            msg = f"{self.class_name}: {key} must not start with '$'"
            raise BadKeyError(msg, path=key)


def build(
    class_name: str,
    structure: Mapping[Any, Any],
    authorized: tuple[type, ...],
    *,
    autorefs: bool = False,
    i18n: frozenset[str] = frozenset(),
) -> Node:
    """Make the tree of a classic `structure`.

    Args:
        class_name: The declaring class's name, for error texts.
        structure: Field name to type spec.
        authorized: The types that documents of the class may hold.
        autorefs: Whether a Document class means a reference.
        i18n: Paths of the fields that hold a value per language.

    Returns:
        A `MappingNode`, or a `KeyedNode` for a structure with a type key.

    Raises:
        StructureError: A spec or an operand is not authorized; a key is neither str nor a type.
        AuthorizedTypeError: A type key is not authorized.
        BadKeyError: A key holds a dot or starts with a dollar sign.
        TypeError: A spec is no type at all.

    Example:
        >>> build("User", {"name": str}, (str,)).fields["name"].path
        'name'
    """
    return _Builder(class_name, authorized, autorefs=autorefs, i18n=i18n).node(structure, "")


def children(node: Node) -> Iterator[tuple[str | None, Node]]:
    """Yield the nodes directly below `node`, each with its key (None for list and tuple items)."""
    match node:
        case MappingNode():
            yield from node.fields.items()
        case KeyedNode():
            yield type_key(node.key), node.value
        case ListNode():
            yield None, node.item
        case TupleNode():
            for item in node.items:
                yield None, item
        case I18nNode():
            yield None, node.inner
        case UnionNode():
            for option in node.options:
                yield None, option
        case EmbeddedNode():
            tree = node.document_class.__mongokit__.tree
            if tree is not None:
                yield from children(tree)


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and every node below it, embedded classes' trees left out.

    Example:
        >>> [n.path for n in walk(build("User", {"a": {"b": str}}, (str,)))]
        ['', 'a', 'a.b']
    """
    yield node
    if not isinstance(node, EmbeddedNode):
        for _, child in children(node):
            yield from walk(child)


def find(tree: Node, path: str, *, through_lists: bool = True) -> Node | None:
    """Return the node that `path` names, or None.

    Args:
        tree: The tree to look in.
        path: A dotted path; a type key as `$str`.
        through_lists: Whether `a.b` may name a field of the documents in the list `a`.

    Example:
        >>> find(build("User", {"a": {"b": str}}, (str,)), "a.b").path
        'a.b'
    """
    node = tree
    for part in normalize_path(path).split("."):
        while through_lists and isinstance(node, ListNode):
            node = node.item
        if isinstance(node, (I18nNode, TupleNode)):
            return None
        below = next((child for key, child in children(node) if key == part), None)
        if below is None:
            return None
        node = below
    return node
