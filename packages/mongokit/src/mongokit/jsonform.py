"""Documents in the form that their JSON Schemas describe; `jsonreading` is the way back.

Unlike `to_json_type`, which keeps classic MongoKit's form, this is what a JSON API speaks: an
ObjectId is its 24 hexadecimal digits, a datetime RFC 3339 text in UTC, a Decimal its digits, bytes
are base64, an Enum's member is its value.

Example:
    >>> class Note(Document):
    ...     text: str
    ...     due: datetime
    >>> note = Note(text="Tea", due=datetime(2026, 11, 23, 16))
    >>> note.json_form()
    {'text': 'Tea', 'due': '2026-11-23T16:00:00.000Z'}
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bson import (
    DBRef,
    Decimal128,
    ObjectId,
    Regex,
    json_util,
)
from bson.codec_options import DEFAULT_CODEC_OPTIONS
from bson.tz_util import utc

from mongokit.convert import content_of, stored_id
from mongokit.explain import union_takes
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
    UnionNode,
)
from mongokit.scope import Mode, Scope, check_mode

if TYPE_CHECKING:
    from mongokit.compiler import Model

NOT_FINITE: Mapping[str, str] = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""What Extended JSON calls the numbers that JSON has not."""


def json_form(document: Any, mode: Mode = "read") -> dict[str, Any]:
    """Return a document in the form of its JSON Schema; `SchemaDocument.json_form` is this.

    Args:
        document: The document.
        mode: What the form is for; see `SchemaDocument.json_schema`.

    Raises:
        TypeError: It holds something that has no JSON form.
        ValueError: There is no such mode.
    """
    written: dict[str, Any] = _writer_of(type(document).__mongokit__, mode)(document)
    return written


# Writing: functions made of the tree at the first use of a mode, as `convert` makes them.

Write = Callable[[Any], Any]
_ABSENT = object()


def plain(value: Any, mode: Mode = "store") -> Any:
    """Return the JSON form of a value of any type that BSON or a declaration knows.

    Args:
        value: The value.
        mode: What the form is for, where it is or holds a document.

    Raises:
        TypeError: There is no JSON form for it.

    Example:
        >>> plain([b"Ada", {3, 1}, Decimal("9.90")])
        ['QWRh', [1, 3], '9.90']
    """
    kind = type(value)
    if kind in _THEMSELVES:
        return value
    for base in kind.__mro__ if not isinstance(value, enum.Enum) else (enum.Enum,):
        write = _WRITERS.get(base)
        if write is not None:
            return write(value, mode)
    try:
        return json_util.default(value)
    except TypeError:
        raise TypeError(f"{kind.__name__} has no JSON form") from None


def _time(value: datetime) -> str:
    if value.tzinfo is utc:  # as the driver makes it; `replace` takes four times as long
        value = datetime.combine(value.date(), value.time())
    elif value.tzinfo is not None:
        try:
            value = value.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:  # before year 1 or after 9999, but not where it was taken
            return value.isoformat("T", "milliseconds")
    return value.isoformat("T", "milliseconds") + "Z"  # naive ones are in UTC


def _number(value: float, _: Mode) -> Any:
    return float(value) if isfinite(value) else {"$numberDouble": NOT_FINITE[str(float(value))]}


def _items(values: Iterable[Any], mode: Mode) -> list[Any]:
    return [plain(value, mode) for value in values]


def _set_items(values: Iterable[Any], mode: Mode) -> list[Any]:
    found = list(values)
    try:
        return _items(sorted(found), mode)
    except TypeError:  # no order among these items
        return _items(found, mode)


def _object(value: dict[Any, Any], mode: Mode) -> Any:
    model = getattr(type(value), "__mongokit__", None)
    if model is not None:
        return _writer_of(model, mode)(value)
    return {str(key): plain(item, mode) for key, item in dict.items(value)}


def _pattern(value: Any, _: Mode) -> Any:
    text: Any = value.pattern
    return text.decode("latin-1") if isinstance(text, bytes) else text


def _text(value: Any, _: Mode) -> str:
    return str(value)


_THEMSELVES = frozenset({str, int, bool, type(None)})
_ATOMS: dict[type, Write] = {ObjectId: str, datetime: _time}
_WRITERS: dict[type, Callable[[Any, Mode], Any]] = {
    int: lambda value, _: int(value),
    float: _number,
    str: lambda value, _: "".join([value]),  # the text alone, whatever a subclass makes of str()
    bytes: lambda value, _: base64.b64encode(value).decode("ascii"),
    datetime: lambda value, _: _time(value),
    date: lambda value, _: value.isoformat(),
    Decimal: _text,
    Decimal128: _text,
    ObjectId: _text,
    UUID: _text,
    re.Pattern: _pattern,
    Regex: _pattern,
    enum.Enum: lambda value, mode: plain(value.value, mode),
    dict: _object,
    list: _items,
    tuple: _items,
    set: _set_items,
    frozenset: _set_items,
    DBRef: lambda value, mode: _object(dict(value.as_doc()), mode),
}


def _writer_of(model: Model, mode: Mode) -> Write:
    writers: dict[str, Write] = model.cache.setdefault("json_form", {})
    if mode not in writers:
        check_mode(mode)
        writers[mode] = _document(Scope.of(model.document_class), mode)
    return writers[mode]


def _document(scope: Scope, mode: Mode) -> Write:
    """Return what writes the documents of a class."""
    tree = scope.model.tree
    if isinstance(tree, MappingNode):
        return _mapping(tree, scope, mode, is_root=True)
    write = _writer(tree.value, scope, mode) if isinstance(tree, KeyedNode) else None
    is_sent = mode in ("create", "update")
    return lambda doc: {
        str(key): plain(item, mode) if write is None or key in ALWAYS_KNOWN else write(item)
        for key, item in content_of(doc).items()
        if not (is_sent and key == "_id")
    }


def _mapping(node: MappingNode, scope: Scope, mode: Mode, *, is_root: bool = False) -> Write:
    # What clients get is what the class declares, whatever else was stored once.
    is_open = mode == "store" or scope.model.schemaless or not (node.fields or is_root)
    writers: dict[Any, Write | None] = {
        key: None if scope.is_left_out(child.path, mode) else _writer(child, scope, mode)
        for key, child in node.fields.items()
    }
    if is_root and scope.model.is_document:
        if mode in ("create", "update"):
            writers["_id"] = None
        elif "_id" not in writers:
            writers = {"_id": _plain(mode), **writers}
    if not is_open:
        stored = dict.get  # also where a class has a `get` of its own
        shown = [(key, str(key), write) for key, write in writers.items() if write is not None]

        def declared(value: Any) -> Any:
            if not isinstance(value, dict):
                return plain(value, mode)
            form: dict[str, Any] = {}
            for key, name, write in shown:
                item = stored(value, key, _ABSENT)
                kind = type(item)
                # Most values are of types that have one form, whatever is declared: no more steps.
                if kind in _THEMSELVES:
                    form[name] = item
                elif (atom := _ATOMS.get(kind)) is not None:
                    form[name] = atom(item)
                elif item is not _ABSENT:
                    form[name] = write(item)
            return form

        return declared

    otherwise = _plain(mode)

    def mapping(value: Any) -> Any:
        if not isinstance(value, dict):
            return plain(value, mode)
        return {
            str(key): write(item)
            for key, item in content_of(value).items()
            if (write := writers.get(key, otherwise)) is not None
        }

    return mapping


def _writer(node: Node, scope: Scope, mode: Mode) -> Write:
    """Return what writes the values that stand where `node` is declared."""
    match node:
        case MappingNode():
            return _mapping(node, scope, mode)
        case EmbeddedNode():
            return _embedded(_document(scope.inside(node.path, node.document_class), mode), mode)
        case KeyedNode():
            return _keyed(_writer(node.value, scope, mode), mode)
        case I18nNode():
            return _keyed(_writer(node.inner, scope, mode), mode)
        case ListNode():
            return _list(_writer(node.item, scope, mode), mode)
        case TupleNode():
            return _tuple([_writer(item, scope, mode) for item in node.items], mode)
        case UnionNode():
            return _union(node, scope, mode)
        case CustomNode():
            return _custom(node, mode)
        case ReferenceNode():
            return lambda value: _reference(value, mode)
    return _plain(mode)


def _plain(mode: Mode) -> Write:
    """Return what writes values of any type; those that are their own JSON form at once."""

    def write(value: Any) -> Any:
        kind = type(value)
        if kind in _THEMSELVES:
            return value
        known = _WRITERS.get(kind)
        return plain(value, mode) if known is None else known(value, mode)

    return write


def _embedded(write: Write, mode: Mode) -> Write:
    return lambda value: write(value) if isinstance(value, dict) else plain(value, mode)


def _keyed(write: Write, mode: Mode) -> Write:
    def keyed(value: Any) -> Any:
        if not isinstance(value, dict):
            return plain(value, mode)
        return {str(key): write(item) for key, item in dict.items(value)}

    return keyed


def _list(write: Write, mode: Mode) -> Write:
    def items(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return plain(value, mode)
        return [write(item) for item in value]

    return items


def _tuple(writers: list[Write], mode: Mode) -> Write:
    def items(value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(writers):
            return plain(value, mode)
        return [write(item) for write, item in zip(writers, value, strict=True)]

    return items


def _union(node: UnionNode, scope: Scope, mode: Mode) -> Write:
    options = [
        (UnionNode(node.path, (option,)), _writer(option, scope, mode)) for option in node.options
    ]

    def union(value: Any) -> Any:
        if not isinstance(value, (dict, list, tuple)):
            return plain(value, mode)
        for option, write in options:
            if union_takes(scope.model, option, value, DEFAULT_CODEC_OPTIONS):
                return write(value)
        # None takes it; what the options hide stays hidden all the same.
        kind = dict if isinstance(value, dict) else list
        for option, write in options:
            if _kind_of_inside(option.options[0]) is kind:
                return write(value)
        return plain(value, mode)

    return union


def _kind_of_inside(node: Node) -> type | None:
    if isinstance(node, (MappingNode, KeyedNode, I18nNode, EmbeddedNode)):
        return dict
    return list if isinstance(node, (ListNode, TupleNode)) else None


def _custom(node: CustomNode, mode: Mode) -> Write:
    def custom(value: Any) -> Any:
        try:
            return plain(value, mode)
        except TypeError:  # a Python form that JSON has none for: the stored one says it
            if not isinstance(value, node.custom.python_type):
                raise
            return plain(node.custom.to_bson(value), mode)

    return custom


def _reference(value: Any, mode: Mode) -> Any:
    if not hasattr(type(value), "__mongokit__"):
        return plain(value, mode)
    binding = getattr(value, "_binding", None)
    identity = None if dict.get(value, "_id") is None else plain(stored_id(value))
    if binding is None:
        name = getattr(value, "__collection__", None) or type(value).__name__
        return {"$ref": name, "$id": identity}
    collection = binding.collection
    return {"$ref": collection.name, "$id": identity, "$db": collection.database.name}
