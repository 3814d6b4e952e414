"""Values from the JSON form that `jsonform` writes, by the declaration.

The text alone does not say what it stands for. Each function here returns what it was given where
that does not stand for a value of its type: validation then refuses it, at its path.

Example:
    >>> class Note(Document):
    ...     due: datetime
    >>> Note.from_json_form({"due": "2026-11-23T17:00:00+01:00"})
    {'due': datetime.datetime(2026, 11, 23, 16, 0, tzinfo=datetime.timezone.utc)}
    >>> Note.from_json_form({"due": "tomorrow"})
    {'due': 'tomorrow'}
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
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
)
from bson.codec_options import DEFAULT_CODEC_OPTIONS

from mongokit.explain import is_int64, union_takes
from mongokit.jsonform import NOT_FINITE, plain
from mongokit.operators import IS, NOT, OR
from mongokit.schema import (
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
        return float(text) if text in NOT_FINITE.values() else value
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
