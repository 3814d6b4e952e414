"""Dot notation on documents: declared fields as attributes.

They are read through properties, which cost a tenth of `__getattr__`; that one is left for fields
that are not declared, or whose names are no identifiers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from mongokit.compiler import default_value
from mongokit.dotted import DotedDict, in_languages, to_dotted
from mongokit.nearest import near_name
from mongokit.schema import (
    AnyNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    ScalarNode,
)

M = TypeVar("M", bound=Callable[..., Any])


def yields_to_fields(method: M) -> M:
    """Mark a method that is younger than MongoKit: a field of its name stands before it.

    Classes have fields called `errors` or `patch`, and read them as attributes.

    Args:
        method: The method.
    """
    method._yields_to_fields = True  # type: ignore[attr-defined]
    return method


class FieldProperty(property):
    """A declared field as an attribute; never hides another attribute of the class."""


class NoField:
    """In the place of a base's field property, where a class has no dot notation."""

    def __get__(self, doc: Any, cls: Any = None) -> NoReturn:
        raise AttributeError


def add_field_properties(cls: Any, tree: Node) -> None:
    """Make the declared fields of a class attributes, where nothing else has their name.

    Args:
        cls: A `SchemaDocument` class with dot notation.
        tree: Its schema tree.
    """
    fields = dict(tree.fields) if isinstance(tree, MappingNode) else {}
    for name, node in {"_id": ScalarNode("_id", object), **fields}.items():
        present = getattr(cls, name, None)
        # A method that is younger than the classes that have a field of its name.
        yields = getattr(present, "_yields_to_fields", False)
        if name.isidentifier() and (
            present is None or yields or isinstance(present, FieldProperty)
        ):
            if present is None and hasattr(cls, name):
                continue
            setattr(cls, name, FieldProperty(_reader(cls, name, node)))


def hide_field_properties(cls: Any) -> None:
    """Take back the attributes that a class without dot notation inherits from one with it.

    Args:
        cls: A `SchemaDocument` class.
    """
    bases = cls.__mro__[1:]
    fields = {n for base in bases for n, v in vars(base).items() if isinstance(v, FieldProperty)}
    for name in fields - vars(cls).keys():
        found = [vars(base)[name] for base in bases if name in vars(base)]
        if isinstance(found[0], FieldProperty):
            others = (each for each in found if not isinstance(each, (FieldProperty, NoField)))
            setattr(cls, name, next(others, NoField()))


def _reader(cls: Any, name: str, node: Node) -> Callable[[Any], Any]:
    if isinstance(node, I18nNode):
        return lambda doc: _read_i18n(doc, name)
    if any(path.startswith(f"{name}.") for path in cls.i18n):
        return lambda doc: _read_above_i18n(doc, name)
    if node.none is not None and (embed := _embedder(node)) is not None:
        return lambda doc: _read_embedded(doc, name, embed)
    containers = (MappingNode, KeyedNode, ListNode, AnyNode)
    if isinstance(node, containers) or (
        isinstance(node, ScalarNode) and issubclass(node.kind, (dict, list))
    ):
        return lambda doc: read_container(doc, name)

    def read(doc: Any) -> Any:
        try:
            return doc[name]
        except KeyError:
            return _plain_attribute(doc, name)

    return read


def _embedder(node: Node) -> Callable[[Any, bool], Any] | None:
    """Return what makes documents of the dicts at an annotated node, in place where it can.

    It takes the value, and whether the program made it.
    """
    match node:
        case EmbeddedNode():
            cls = node.document_class

            def embed(value: Any, made: bool) -> Any:
                if type(value) is not dict and not isinstance(value, DotedDict):
                    return value
                document = cls.__new__(cls)
                dict.update(document, value)
                if made:
                    document.__dict__["_made"] = True
                return document

            return embed
        case ListNode():
            item = _embedder(node.item)

            def embed_items(value: Any, made: bool) -> Any:
                if item is not None and type(value) is list:
                    for index, each in enumerate(value):
                        if type(each) is dict:
                            value[index] = item(each, made)
                return value

            return item and embed_items
        case KeyedNode():
            inner = _embedder(node.value)

            def embed_values(value: Any, made: bool) -> Any:
                if inner is not None and isinstance(value, dict):
                    for key, each in dict.items(value):
                        if type(each) is dict or type(each) is DotedDict:
                            dict.__setitem__(value, key, inner(each, made))
                return value

            return inner and embed_values
    return None


def _read_embedded(doc: Any, name: str, embed: Callable[[Any, bool], Any]) -> Any:
    try:
        value = doc[name]
    except KeyError:
        return _plain_attribute(doc, name)
    embedded = embed(value, doc._made or name in doc._added)
    if embedded is not value:
        dict.__setitem__(doc, name, embedded)
    return embedded


def read_container(doc: Any, name: str) -> Any:
    """Return a field that may hold dicts, which become `DotedDict`s in place first.

    Args:
        doc: The document.
        name: The field.

    Raises:
        AttributeError: There is no such field, nor a plain attribute of the name.
    """
    try:
        value = doc[name]
    except KeyError:
        return _plain_attribute(doc, name)
    kind = type(value)
    if kind is dict:
        value = DotedDict(value)
        dict.__setitem__(doc, name, value)
    elif kind is list and value and type(value[0]) is dict:
        # In place: somebody may hold the list already.
        value[:] = [to_dotted(item) for item in value]
    return value


def _read_i18n(doc: Any, name: str) -> Any:
    value = dict.get(doc, name, _plain_attribute)
    if value is _plain_attribute:
        return _plain_attribute(doc, name)
    if not isinstance(value, dict):
        return value
    return dict.get(value, doc._current_lang, dict.get(value, doc._fallback_lang))


def _read_above_i18n(doc: Any, name: str) -> Any:
    value = dict.get(doc, name, _plain_attribute)
    if value is _plain_attribute:
        return _plain_attribute(doc, name)
    translated = in_languages(value, doc, name)
    if translated is not value:
        dict.__setitem__(doc, name, translated)
    return translated


def _plain_attribute(doc: Any, name: str) -> Any:
    """What stands for a field that the document lacks.

    That is what stands under `name` in the instance itself, or in an annotated class the default:
    the document may be older than the field.
    """
    try:
        return doc.__dict__[name]
    except KeyError:
        model = type(doc).__mongokit__
        if model.lenient and name in model.defaults:
            value = default_value(model.defaults[name])
            if isinstance(value, (dict, list, set)):
                dict.__setitem__(doc, name, value)  # what is put into it shall be stored
            return value
        if model.lenient and isinstance(model.tree, MappingNode):
            node = model.tree.fields.get(name)
            if node is not None and node.none:
                return None
        no_attribute(doc, name)


def no_attribute(doc: Any, name: str) -> NoReturn:
    """Raise the AttributeError that Python raises itself for a missing attribute.

    Args:
        doc: The document.
        name: The missing name.

    Raises:
        AttributeError: Always.
    """
    raise AttributeError(
        f"{type(doc).__name__!r} object has no attribute {name!r}", name=name, obj=doc
    )


def is_free(cls: type, name: str) -> bool:
    """Return whether `name` is no attribute of the class, other than a field's own.

    Args:
        cls: A `SchemaDocument` class.
        name: The name.
    """
    for base in cls.__mro__:
        if name in base.__dict__:
            return isinstance(base.__dict__[name], FieldProperty)
    return True


def write_missing(doc: Any, name: str, value: Any) -> None:
    """Set a field that a document of an annotated class lacks.

    Args:
        doc: The document.
        name: The field.
        value: Its value.

    Raises:
        AttributeError: The class declares no such field.
    """
    tree = type(doc).__mongokit__.tree
    declared = tree.fields if isinstance(tree, MappingNode) else {}
    if name in declared:
        write_field(doc, name, value)
        return
    near = near_name(name, declared)
    hint = f": did you mean {near}?" if near else ""
    raise AttributeError(f"{name} is not a field of {type(doc).__name__}{hint}", name=name, obj=doc)


def write_field(doc: Any, name: str, value: Any) -> None:
    """Set a field; of one with several languages, the value in the current language.

    Args:
        doc: The document.
        name: The field.
        value: Its value.
    """
    if name not in type(doc).__mongokit__.i18n:
        doc[name] = value
        return
    values = dict.get(doc, name)
    if not isinstance(values, dict):
        values = {}
        dict.__setitem__(doc, name, values)
    values[doc._current_lang] = value
