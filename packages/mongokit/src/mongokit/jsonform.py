"""Documents in the form that their JSON Schemas describe, and back.

Unlike `to_json_type`, which keeps classic MongoKit's form, this is what a JSON API speaks: an
ObjectId is its 24 hexadecimal digits, a datetime RFC 3339 text in UTC, a Decimal its digits, bytes
are base64, an Enum's member is its value. Reading goes by the declaration, since the text alone
does not say what it stands for; what can't be read stays as it is, for `validate()` to refuse.

Example:
    >>> class Note(Document):
    ...     text: str
    ...     due: datetime
    >>> note = Note(text="Tea", due=datetime(2026, 11, 23, 16))
    >>> note.json_form()
    {'text': 'Tea', 'due': '2026-11-23T16:00:00.000Z'}
    >>> Note.from_json_form({"text": "Tea", "due": "2026-11-23T17:00:00+01:00"})["due"]
    datetime.datetime(2026, 11, 23, 16, 0, tzinfo=datetime.timezone.utc)
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
    json_util,
)
from bson.codec_options import DEFAULT_CODEC_OPTIONS

from mongokit.convert import content_of, stored_id
from mongokit.explain import is_int64, union_takes
from mongokit.operators import IS, NOT, OR
from mongokit.schema import (
    ALWAYS_KNOWN,
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
from mongokit.scope import Mode, Scope, check_mode
from mongokit.types import EnumType, Set

if TYPE_CHECKING:
    from mongokit.compiler import Model

BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
DECIMAL = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$|^-?Infinity$|^-?s?NaN$"
OBJECT_ID = "^[0-9a-fA-F]{24}$"

# RFC 3339, 5.6; leap seconds have no place in BSON.
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


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


def from_json_form(document_class: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a document in Python form; `SchemaDocument.from_json_form` is this.

    Args:
        document_class: The class.
        content: What `json.loads` gave.
    """
    model: Model = document_class.__mongokit__
    read = _Reader(model).value(dict(content), model.tree)
    fields = model.tree.fields if isinstance(model.tree, MappingNode) else {}
    if model.is_document and "_id" in read and "_id" not in fields:
        read["_id"] = _object_id(read["_id"])
    return dict(read)


# Writing: functions made of the tree at the first use of a mode, as `convert` makes them.

Write = Callable[[Any], Any]


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
    if kind is str or kind is int or kind is bool or value is None:
        return value
    for base in kind.__mro__ if not isinstance(value, enum.Enum) else (enum.Enum,):
        write = _WRITERS.get(base)
        if write is not None:
            return write(value, mode)
    try:
        return json_util.default(value)
    except TypeError:
        raise TypeError(f"{kind.__name__} has no JSON form") from None


def _time(value: datetime, _: Mode) -> str:
    if value.tzinfo is not None:
        try:
            value = value.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:  # before year 1 or after 9999, but not where it was taken
            return value.isoformat(timespec="milliseconds")
    return value.isoformat(timespec="milliseconds") + "Z"  # naive ones are in UTC


def _number(value: float, _: Mode) -> Any:
    return float(value) if isfinite(value) else {"$numberDouble": _NOT_FINITE[str(float(value))]}


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


_WRITERS: dict[type, Callable[[Any, Mode], Any]] = {
    int: lambda value, _: int(value),
    float: _number,
    str: lambda value, _: "".join([value]),  # the text alone, whatever a subclass makes of str()
    bytes: lambda value, _: base64.b64encode(value).decode("ascii"),
    datetime: _time,
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
        else:
            writers.setdefault("_id", lambda value: plain(value, mode))
    otherwise: Write | None = (lambda value: plain(value, mode)) if is_open else None

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
    return lambda value: plain(value, mode)


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


# Reading. Each function returns the value itself where it does not stand for one of its type.


def read_time(text: Any) -> Any:
    """Return the moment that RFC 3339 text names, in UTC and whole milliseconds.

    Args:
        text: The text, with its zone. Anything else comes back as it is.

    Example:
        >>> read_time("2026-01-02T01:00:00+01:00")
        datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
        >>> read_time("2026-01-02T01:00:00")
        '2026-01-02T01:00:00'
    """
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _date(text: Any) -> Any:
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def _of_text(expression: str, make: Callable[[str], Any]) -> Callable[[Any], Any]:
    matches = re.compile(expression.replace("$", r"\Z")).search

    def read(text: Any) -> Any:
        if not isinstance(text, str) or matches(text) is None:
            return text
        try:
            return make(text)
        except (ValueError, ArithmeticError):
            return text

    return read


_object_id = _of_text(OBJECT_ID, ObjectId)
_uuid = _of_text("^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", UUID)


def _integer(value: Any) -> Any:
    # JSON Schema, 4.2.3: 1.0 is an integer.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _integers(value: Any) -> Any:
    if isinstance(value, list):
        return [_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: _integers(item) for key, item in value.items()}
    return _integer(value)


def _int64(value: Any) -> Any:
    value = _integer(value)
    is_one = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return Int64(value) if is_one else value


def _float(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return value
    if isinstance(value, dict) and list(value) == ["$numberDouble"]:
        text = value["$numberDouble"]
        return float(text) if text in _NOT_FINITE.values() else value
    return value


def _compiled(text: Any) -> Any:
    try:
        return re.compile(text) if isinstance(text, str) else text
    except (re.error, OverflowError, RecursionError):
        return text


def _timestamp(value: Any) -> Any:
    inner = value.get("$timestamp") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(inner, dict) or inner.keys() != {"t", "i"}:
        return value
    numbers = [_integer(inner["t"]), _integer(inner["i"])]
    if not all(type(each) is int and 0 <= each < 2**32 for each in numbers):
        return value
    return Timestamp(*numbers)


def _key(form: dict[str, int], make: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda value: make() if value == form else value


def _dbref(value: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get("$ref"), str) or "$id" not in value:
        return value
    database = value.get("$db")
    if database is not None and not isinstance(database, str):
        return value
    rest = {key: item for key, item in value.items() if key not in ("$ref", "$id", "$db")}
    return DBRef(value["$ref"], _object_id(value["$id"]), database, rest)


_READERS: dict[type, Callable[[Any], Any]] = {
    int: _integer,
    Int64: _int64,
    float: _float,
    Code: lambda text: Code(text) if isinstance(text, str) else text,
    bytes: _of_text(BASE64, base64.b64decode),
    Binary: _of_text(BASE64, base64.b64decode),
    datetime: read_time,
    date: _date,
    Decimal: _of_text(DECIMAL, Decimal),
    Decimal128: _of_text(DECIMAL, Decimal128),
    ObjectId: _object_id,
    UUID: _uuid,
    re.Pattern: _compiled,
    Regex: _compiled,
    DBRef: _dbref,
    Timestamp: _timestamp,
    MinKey: _key({"$minKey": 1}, MinKey),
    MaxKey: _key({"$maxKey": 1}, MaxKey),
}
# Types that stand in JSON as themselves.
_AS_THEY_ARE = (str, bool, list, dict, type(None))


def _read_as(value: Any, kinds: Iterable[Any]) -> Any:
    """Return the value that the JSON form `value` has in one of several types."""
    for kind in kinds:
        if kind in _AS_THEY_ARE:
            if type(value) is kind:
                return value
            continue
        for base in kind.__mro__:
            if base in _READERS:
                read = _READERS[base](value)
                if read is not value:
                    return read
                break
    return value


def _has_form(kind: type) -> bool:
    return any(base in _READERS or base in _AS_THEY_ARE for base in kind.__mro__)


class _Reader:
    """Reads the JSON form of one class's documents."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def value(self, value: Any, node: Node | None) -> Any:
        """Return the value whose JSON form is `value`, where `node` is declared."""
        if value is None:
            return None
        match node:
            case ScalarNode():
                # An annotated float takes ints, but none that BSON can't hold.
                takes = node.takes(value) and (is_int64(value) or node.kind is not float)
                return value if takes else _read_as(value, [node.kind])
            case CustomNode():
                return self._custom(value, node)
            case OperatorNode(operator=OR()):
                operands = node.operator.operands
                return value if node.operator.validate(value) else _read_as(value, operands)
            case OperatorNode(operator=IS()):
                return _listed(value, node.operator.operands)
            case OperatorNode(operator=NOT()):
                numbers = {int, float} & set(node.operator.operands)
                return _integer(value) if numbers else value
            case ReferenceNode():
                return _dbref(value)
            case UnionNode():
                return self._union(value, node)
        if isinstance(value, dict):
            return self._object(value, node)
        if isinstance(value, list) and isinstance(node, ListNode):
            return [self.value(item, node.item) for item in value]
        if isinstance(value, list) and isinstance(node, TupleNode):
            known = [self.value(item, each) for item, each in zip(value, node.items, strict=False)]
            return [*known, *value[len(known) :]]
        return value

    def _object(self, value: dict[Any, Any], node: Node | None) -> Any:
        match node:
            case MappingNode():
                fields = node.fields
                return {key: self.value(item, fields.get(key)) for key, item in value.items()}
            case KeyedNode():
                return {key: self.value(item, node.value) for key, item in value.items()}
            case I18nNode():
                return {key: self.value(item, node.inner) for key, item in value.items()}
            case EmbeddedNode():
                model = node.document_class.__mongokit__
                return _Reader(model).value(value, model.tree)
        return value

    def _union(self, value: Any, node: UnionNode) -> Any:
        for option in node.options:
            read = self.value(value, option)
            if union_takes(
                self.model, UnionNode(node.path, (option,)), read, DEFAULT_CODEC_OPTIONS
            ):
                return read
        return _integers(value)  # so that no option that refuses ints takes them as floats

    def _custom(self, value: Any, node: CustomNode) -> Any:
        custom = node.custom
        if isinstance(custom, EnumType):
            return _listed(value, custom.kind)
        if isinstance(custom, Set):
            return _set(value, custom)
        kinds = _types(custom.python_type)
        read = _read_as(value, kinds)
        if isinstance(read, custom.python_type) or any(map(_has_form, kinds)):
            return read
        try:
            return custom.to_python(_read_as(value, _types(custom.mongo_type)))
        except Exception:  # noqa: BLE001 - whatever it raises, the value was none of its own
            return value


def _set(value: Any, custom: Set) -> Any:
    if not isinstance(value, list):
        return value
    wanted = custom._structure_type
    try:
        if wanted is None:
            return set(value)
        return {item if isinstance(item, wanted) else _read_as(item, [wanted]) for item in value}
    except TypeError:  # not hashable
        return value


def _listed(value: Any, members: Iterable[Any]) -> Any:
    """The one of some values whose JSON form is `value`."""
    for member in members:
        form = plain(member)
        if value == form and isinstance(value, bool) is isinstance(form, bool):
            return member
    return value


def _types(kinds: Any) -> tuple[Any, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)
