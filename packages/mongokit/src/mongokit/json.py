"""Documents as JSON and back: classic MongoKit's form, and MongoDB Extended JSON v2.

The classic form is for browsers: datetimes are integers (milliseconds since the epoch), ObjectIds
`{"$oid": hex}`, references stand embedded, CustomTypes in their Python form. It is read with the
declaration beside it, since the text alone does not say which integers are datetimes. Types that
classic could not write have their Extended JSON form in it. Extended JSON is for MongoDB's tools:
the stored form, and every type survives.

Example:
    >>> post.to_json_type()["published"], post.to_json_type()["author"]["name"]
    (86400000, 'Ada')
    >>> db.Post.from_json(post.to_json())["author"] == ada
    True
    >>> db.Post.from_extended_json(post.to_extended_json(canonical=True)) == post
    True
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from bson import Code, DBRef, Int64, ObjectId, json_util
from bson.binary import UuidRepresentation
from bson.errors import BSONError
from bson.json_util import CANONICAL_JSON_OPTIONS, RELAXED_JSON_OPTIONS, JSONOptions

from mongokit import references
from mongokit.convert import content_of
from mongokit.helpers import fromtimestamp, totimestamp
from mongokit.operators import IS, OR
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
)

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from mongokit.binding import Binding
    from mongokit.document import Document

D = TypeVar("D", bound="Document")

# UUIDs by their standard form, so that the text is the same whatever the connection stores.
_OPTIONS: JSONOptions = RELAXED_JSON_OPTIONS.with_options(
    uuid_representation=UuidRepresentation.STANDARD
)


def to_json_type(document: Document) -> dict[str, Any]:
    """Return a document as what `json.dumps` takes; `Document.to_json_type` is this.

    Args:
        document: The document.

    Raises:
        TypeError: It holds something that neither JSON nor Extended JSON has a form for.
    """
    return _document(document, (), located=False)


def to_json(document: Document) -> str:
    """Return a document as JSON; `Document.to_json` is this.

    Args:
        document: The document.

    Raises:
        TypeError: It holds something that neither JSON nor Extended JSON has a form for.
    """
    return json.dumps(_document(document, (), located=True))


def from_json(binding: Binding[D], text: str | bytes, session: ClientSession | None = None) -> D:
    """Read what `to_json` wrote; `Documents.from_json` is this.

    Args:
        binding: The class and the collection of the new document.
        text: A JSON object.
        session: Read what it references in this session.

    Raises:
        ValueError: The text is no JSON object, or a part of it is malformed Extended JSON.
        AutoReferenceError: A referenced document is not stored.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"a document is a JSON object, not {type(content).__name__}")
    reader = _Reader(binding)
    document = binding.new({key: reader.field(key, value) for key, value in content.items()})
    if binding.model.has_references:
        references.fetch([document], session)
    return document


def to_extended_json(document: Document, *, canonical: bool = False) -> str:
    """Return a document's stored form; `Document.to_extended_json` is this.

    Args:
        document: The document.
        canonical: Whether numbers and datetimes keep their exact BSON types.

    Raises:
        TypeError: It holds something that BSON can't.
    """
    convert = type(document).__mongokit__.to_bson
    stored = content_of(document) if convert is None else convert(document)
    binding = document._binding
    return json_util.dumps(stored, json_options=_extended(binding, canonical=canonical))


def from_extended_json(
    binding: Binding[D], text: str | bytes, session: ClientSession | None = None
) -> D:
    """Read MongoDB Extended JSON; `Documents.from_extended_json` is this.

    Args:
        binding: The class and the collection of the new document.
        text: A JSON object, relaxed or canonical.
        session: Read what it references in this session.

    Raises:
        ValueError: The text is no JSON object, or it is malformed Extended JSON.
        AutoReferenceError: A referenced document is not stored.
    """
    try:
        content = json_util.loads(text, json_options=_extended(binding, canonical=True))
    except (BSONError, TypeError) as error:
        raise ValueError(f"malformed Extended JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"a document is a JSON object, not {type(content).__name__}")
    return binding.hydrate(content, session=session)


def _extended(binding: Binding[Any] | None, *, canonical: bool) -> JSONOptions:
    options = CANONICAL_JSON_OPTIONS if canonical else RELAXED_JSON_OPTIONS
    if binding is None:
        return options.with_options(uuid_representation=UuidRepresentation.STANDARD)
    mine = binding.options
    return options.with_options(
        uuid_representation=mine.uuid_representation, tz_aware=mine.tz_aware, tzinfo=mine.tzinfo
    )


def _below(node: Node | None, key: Any) -> Node | None:
    """What is declared for a key of a dict, or an index of a list."""
    match node:
        case MappingNode():
            return node.fields.get(key)
        case KeyedNode():
            return node.value
        case ListNode():
            return node.item
        case TupleNode():
            return node.items[key] if key < len(node.items) else None
        case I18nNode():
            return node.inner
        case EmbeddedNode():
            return _below(node.document_class.__mongokit__.tree, key)
    return None


# Writing.


def _document(document: Any, above: tuple[Document, ...], *, located: bool) -> dict[str, Any]:
    """The JSON form of a document, or of one that is referenced by those `above` it."""
    content = content_of(document)
    if above and located and document._binding is not None:
        collection = document._binding.collection
        place = {"_collection": collection.name, "_database": collection.database.name}
    else:
        place = {}
    if any(document is one for one in above):  # a cycle
        return {"_id": _plain(content.get("_id"), None, above, located=located), **place}
    tree = type(document).__mongokit__.tree
    inside = (*above, document)
    return {
        **{
            str(key): _plain(value, _below(tree, key), inside, located=located)
            for key, value in content.items()
        },
        **place,
    }


def _plain(value: Any, node: Node | None, above: tuple[Document, ...], *, located: bool) -> Any:
    """Return the JSON form of a value that stands where `node` is declared."""
    match value:
        case Code(scope=dict() as scope):  # without one it is a text, which the declaration makes
            inside = _plain(scope, None, above, located=located)
            return {"$code": str(value), "$scope": inside}
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            return value if isfinite(value) else {"$numberDouble": _NOT_FINITE[str(value)]}
        case datetime():
            return totimestamp(value)
        case ObjectId():
            return {"$oid": str(value)}
        case dict() if isinstance(node, ReferenceNode) and hasattr(type(value), "__mongokit__"):
            return _document(value, above, located=located)
        case dict():
            return {
                str(key): _plain(item, _below(node, key), above, located=located)
                for key, item in content_of(value).items()
            }
        case list() | tuple() | set() | frozenset():
            items = _ordered(value) if isinstance(value, (set, frozenset)) else value
            return [
                _plain(item, _below(node, index), above, located=located)
                for index, item in enumerate(items)
            ]
        case DBRef():
            return _plain(dict(value.as_doc()), None, above, located=located)
    try:
        return json_util.default(value, _OPTIONS)
    except TypeError:
        if not isinstance(node, CustomNode):
            raise
    # A Python form that JSON has no form for: the stored one says as much.
    return _plain(node.custom.to_bson(value), None, above, located=located)


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _ordered(items: Iterable[Any]) -> list[Any]:
    found = list(items)
    try:
        return sorted(found)
    except TypeError:  # no order among these items
        return found


# Reading.


class _Reader:
    """Reads the values of one class's JSON form into what its documents are made of."""

    def __init__(self, binding: Binding[Any]) -> None:
        self.binding = binding
        self.aware = binding.options.tz_aware

    def field(self, key: str, value: Any) -> Any:
        """Return a top-level field's value."""
        return self.value(value, _below(self.binding.model.tree, key))

    def value(self, value: Any, node: Node | None) -> Any:
        """Return the value whose JSON form is `value`, where `node` is declared."""
        if isinstance(node, ReferenceNode):
            return self._reference(value, node)
        if isinstance(value, dict):
            read = _revived(
                {key: self.value(item, _below(node, key)) for key, item in value.items()}
            )
        elif isinstance(value, list):
            read = [self.value(item, _below(node, index)) for index, item in enumerate(value)]
        else:
            read = value
        match node:
            case ScalarNode():
                return self._of(read, [node.kind])
            case OperatorNode(operator=OR()):
                return self._of(read, node.operator.operands)
            case OperatorNode(operator=IS()):
                return self._listed(read, node.operator.operands)
            case CustomNode():
                return self._custom(read, node)
        return read

    def _reference(self, value: Any, node: ReferenceNode) -> Any:
        """A reference is the embedded document, of which the place and the `_id` count."""
        if not isinstance(value, Mapping) or not ("_id" in value or "$id" in value):
            return value
        identity = self.value(value["_id"] if "_id" in value else value["$id"], None)
        mine = self.binding.collection
        collection = value.get("_collection") or value.get("$ref")
        if collection is None:
            collection = getattr(node.target, "__collection__", None) or mine.name
        database = value.get("_database") or value.get("$db") or mine.database.name
        return DBRef(collection, identity, database)

    def _custom(self, value: Any, node: CustomNode) -> Any:
        """The stored form, which a new document takes: see `convert`."""
        custom = node.custom
        python = self._of(value, _types(custom.python_type))
        if python is not None and isinstance(python, custom.python_type):
            return custom.to_bson(python)
        return self._of(value, _types(custom.mongo_type))

    def _of(self, value: Any, kinds: Iterable[Any]) -> Any:
        types = [kind for kind in kinds if isinstance(kind, type)]
        if isinstance(value, list):
            made = next((t for t in types if issubclass(t, (set, frozenset, tuple))), None)
            return value if made is None else made(value)
        if isinstance(value, (bool, *types)):
            return value
        if isinstance(value, (int, float)) and any(issubclass(kind, datetime) for kind in types):
            return self._datetime(value)
        if isinstance(value, int) and Int64 in types:
            return Int64(value)
        if isinstance(value, str) and Code in types:
            return Code(value)
        return value

    def _listed(self, value: Any, operands: Iterable[Any]) -> Any:
        """A datetime that an `IS` lists."""
        for operand in operands:
            if isinstance(operand, datetime) and value == totimestamp(operand):
                return operand
        return value

    def _datetime(self, value: float) -> Any:
        try:
            read = fromtimestamp(value)
        except OverflowError:  # no datetime: validation says so
            return value
        return read.replace(tzinfo=UTC) if self.aware else read


def _revived(value: dict[str, Any]) -> Any:
    """The value that a dict is the Extended JSON form of, or the dict."""
    try:
        return json_util.object_hook(value, _OPTIONS)
    except (BSONError, TypeError) as error:
        raise ValueError(f"malformed Extended JSON: {error}") from error


def _types(kinds: Any) -> tuple[Any, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)
