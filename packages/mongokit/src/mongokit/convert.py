"""Between what a document holds and what the database stores: closures made from the tree.

Each function is None where nothing has to be converted, so that classes without CustomTypes,
languages and references pay nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bson import DBRef

from mongokit.dotted import DecodedDotedDict, DotedDict
from mongokit.i18n import from_stored, to_stored
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
    TupleNode,
)

Converter = Callable[[Any], Any]


def to_bson(node: Node) -> Converter | None:
    """Return what makes the stored form of a value at `node`, or None if it is the same.

    The function copies what it changes, so that the document keeps its Python form whatever
    happens to the copy.
    """
    if isinstance(node, CustomNode):
        return node.custom.to_bson
    if isinstance(node, ReferenceNode):
        return _to_dbref
    if isinstance(node, I18nNode):
        return _i18n_to_bson(to_bson(node.inner))
    if isinstance(node, EmbeddedNode):
        return _embedded_to_bson(node.document_class)
    return _structural(node, to_bson)  # a union's options have one form


def to_python(node: Node) -> Converter | None:
    """Return what makes the Python form of a stored value at `node`, or None if it is the same.

    It copies what it changes too. References stay DBRefs; fetching them is the business of
    `references`.
    """
    if isinstance(node, CustomNode):
        return _custom_to_python(node)
    if isinstance(node, I18nNode):
        inner = to_python(node.inner)
        return lambda value: from_stored(value, inner)
    if isinstance(node, EmbeddedNode):
        model = node.document_class.__mongokit__
        embedded: Converter | None = model.to_python
        return embedded and (lambda value: embedded(value) if isinstance(value, dict) else value)
    return _structural(node, to_python)


def content_of(document: dict[Any, Any]) -> dict[Any, Any]:
    """Return a plain dict of what `document` holds, whatever methods its class overrides.

    Args:
        document: A dict of any class.
    """
    # dict.copy is one step in C, but goes through an overridden `__iter__` and `keys`.
    if type(document).__iter__ is dict.__iter__:
        return dict.copy(document)
    return dict(dict.items(document))


def stored_form(document: Any) -> dict[str, Any]:
    """Return what the database stores of a document: a plain dict, the document stays as it is.

    Args:
        document: A `SchemaDocument`.
    """
    convert: Converter | None = type(document).__mongokit__.to_bson
    # A plain dict is encoded faster than a subclass of it, and shows no overridden method.
    return content_of(document) if convert is None else convert(document)


def stored_id(document: Any) -> Any:
    """Return the `_id` in the form that the database has.

    Args:
        document: A `Document`.

    Raises:
        KeyError: It has none.
    """
    convert: Converter | None = type(document).__mongokit__.to_bson
    if not dict.__contains__(document, "_id"):
        raise KeyError(f"_id: this {type(document).__name__} was never saved")
    identity = dict.__getitem__(document, "_id")
    return identity if convert is None else convert({"_id": identity})["_id"]


def _copy(value: dict[Any, Any]) -> dict[Any, Any]:
    return DecodedDotedDict(value) if isinstance(value, DotedDict) else content_of(value)


def _structural(node: Node, convert: Callable[[Node], Converter | None]) -> Converter | None:
    if isinstance(node, MappingNode):
        return _mapping(node, convert)
    if isinstance(node, KeyedNode):
        return _keyed(convert(node.value), frozenset() if node.path else ALWAYS_KNOWN)
    if isinstance(node, ListNode):
        return _list(convert(node.item))
    if isinstance(node, TupleNode):
        return _tuple([convert(item) for item in node.items])
    return None


def _mapping(node: MappingNode, convert: Callable[[Node], Converter | None]) -> Converter | None:
    steps = [(key, f) for key, child in node.fields.items() if (f := convert(child)) is not None]
    if not steps:
        return None

    def mapping(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        out = _copy(value)
        for key, function in steps:
            if dict.__contains__(out, key):
                dict.__setitem__(out, key, function(dict.__getitem__(out, key)))
        return out

    return mapping


def _keyed(function: Converter | None, left_out: frozenset[str]) -> Converter | None:
    if function is None:
        return None

    def keyed(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        out = _copy(value)
        for key in dict.keys(value):
            if key not in left_out:
                dict.__setitem__(out, key, function(dict.__getitem__(value, key)))
        return out

    return keyed


def _list(function: Converter | None) -> Converter | None:
    if function is None:
        return None

    def items(value: Any) -> Any:
        return [function(item) for item in value] if isinstance(value, (list, tuple)) else value

    return items


def _tuple(functions: list[Converter | None]) -> Converter | None:
    if not any(functions):
        return None

    def items(value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(functions):
            return value
        return [f(item) if f else item for f, item in zip(functions, value, strict=True)]

    return items


def _custom_to_python(node: CustomNode) -> Converter:
    custom = node.custom

    def convert(value: Any) -> Any:
        # Anything that is not in BSON form stays: Python form, as in `User({"tags": {1, 2}})`, and
        # what neither form has, which `validate` refuses. Where both forms are of one type
        # nothing tells them apart, and the value is taken as stored.
        if value is None or isinstance(value, custom.mongo_type):
            return custom.to_python(value)
        return value

    return convert


def _i18n_to_bson(inner: Converter | None) -> Converter:
    return lambda value: to_stored(value, inner) if isinstance(value, dict) else value


def _embedded_to_bson(document_class: Any) -> Converter | None:
    inner: Converter | None = document_class.__mongokit__.to_bson
    if inner is None:
        return None
    return lambda value: inner(value) if isinstance(value, dict) else value


def _to_dbref(value: Any) -> Any:
    binding = getattr(value, "_binding", None)
    if binding is None:  # None, a DBRef, or whatever a save without validation lets through
        return value
    collection = binding.collection
    identity = None if dict.get(value, "_id") is None else stored_id(value)
    return DBRef(collection.name, identity, collection.database.name)
