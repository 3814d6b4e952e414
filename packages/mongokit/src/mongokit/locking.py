"""Optimistic locking: what a document writes carries the version that it was read with.

The version is an int field that the class declares and names as its `version_field`. The filter of
a write asks for the version that the document has in memory, the write itself puts in the next
one; so of two writers who read the same version one finds nothing to write to, and is told.

PyMongo sends a write again when the connection broke under it (`retryWrites`, on by default). The
second try has the first one's transaction number: a server that has run it already answers with
the first result, so the retry never meets its own new version and is not taken for a lost race.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bson import Int64
from pymongo import ReadPreference
from pymongo.errors import DuplicateKeyError

from mongokit.convert import stored_id
from mongokit.errors import SchemaTypeError, StaleDocument, StructureError
from mongokit.schema import MappingNode, Node, ScalarNode

_MISSING = object()
_DUPLICATE_KEY = 11000


def check_version_field(cls: Any, tree: Node | None) -> None:
    """Check what a class names as its `version_field`; its metaclass calls this.

    Args:
        cls: The class.
        tree: Its schema tree, None for a class without structure.

    Raises:
        StructureError: It is no declared field at the top, or no int.
    """
    name = cls.version_field
    if name is None:
        return
    node = tree.fields.get(name) if isinstance(tree, MappingNode) else None
    if not isinstance(node, ScalarNode) or node.kind not in (int, Int64):
        raise StructureError(
            f"{cls.__name__}: version_field names {name!r}, which must be declared as an int field",
            path=name,
            rule="version",
            document_class=cls,
        )


def field_of(document: Any) -> str:
    """Return the name of the field that counts the versions of a document.

    Args:
        document: A document of a class with `version_field`.
    """
    field: str = type(document).__mongokit__.version_field
    return field


def version_of(document: Any) -> int | None:
    """Return the version that a document was read or saved with; None before its first save.

    Args:
        document: A document of a class with `version_field`.

    Raises:
        SchemaTypeError: What it has there is no int.
    """
    name = field_of(document)
    version = dict.get(document, name)
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int):
        raise SchemaTypeError(
            f"{name} must be an instance of int not {type(version).__name__}",
            path=name,
            value=version,
            document_class=type(document),
        )
    # What a new document may start with is no version either: the first one is 1.
    return version if version > 0 else None


def next_version(document: Any, *, is_new: bool = False) -> int:
    """Return the version that the next write of a document puts in.

    Args:
        document: A document of a class with `version_field`.
        is_new: Whether it is stored for the first time, whatever version it has.
    """
    version = 0 if is_new else version_of(document) or 0
    return version_type(type(document).__mongokit__)(version + 1)


def guard(document: Any) -> dict[str, Any]:
    """Return the conditions under which a document of a class with `version_field` is not stale.

    Args:
        document: The document.
    """
    name = field_of(document)
    version = version_of(document)
    if version is None and dict.get(document, name) is not None:
        return {name: {"$in": [None, dict.get(document, name)]}}
    return {name: version}


def store(document: Any, collection: Any, content: Any, new_id: Any, session: Any) -> None:
    """Send a document of a class with `version_field`, which has its next version in `content`.

    Args:
        document: The document. Its version and `_id` are set when it is stored.
        collection: Where to, with the write concern.
        content: What is stored.
        new_id: The `_id` of a new document, None for one that has an `_id`.
        session: Write in this session.

    Raises:
        StaleDocument: Somebody else has written or removed it meanwhile.
        pymongo.errors.PyMongoError: Any error of the driver's.
    """
    if new_id is not None:
        collection.insert_one(content, session=session)
        dict.__setitem__(document, "_id", new_id)
        set_version(document, 1)
        return
    version = version_of(document)
    wanted = {"_id": content["_id"], **guard(document)}
    try:
        # Only a document that has no version yet is inserted: any other one would come back.
        result = collection.replace_one(wanted, content, upsert=version is None, session=session)
    except DuplicateKeyError as error:
        if version is None and (lost := refused_insert(document, collection, session, error)):
            raise lost from error
        raise
    # Without acknowledgement nobody knows.
    if version is None or not result.acknowledged or result.matched_count:
        set_version(document, next_version(document))
    else:
        raise stale(document, collection, session)


def set_version(document: Any, version: int) -> None:
    """Set the version of a document in memory.

    Args:
        document: A document of a class with `version_field`.
        version: Its version.
    """
    kind = version_type(type(document).__mongokit__)
    dict.__setitem__(document, field_of(document), kind(version))


def remembered(document: Any) -> Any:
    """Return what `restore` takes to make the version in memory what it is now.

    Args:
        document: A document of a class with `version_field`.
    """
    return dict.get(document, field_of(document), _MISSING)


def restore(document: Any, version: Any) -> None:
    """Make the version of a document in memory what it was.

    Args:
        document: A document of a class with `version_field`.
        version: What `remembered` returned.
    """
    field = field_of(document)
    if version is _MISSING:
        dict.pop(document, field, None)
    else:
        dict.__setitem__(document, field, version)


def version_type(model: Any) -> Callable[[int], int]:
    """Return the declared type of the version, `int` or `bson.Int64`.

    Args:
        model: What a class with `version_field` declares.
    """
    kind: Callable[[int], int] = model.tree.fields[model.version_field].kind
    return kind


def is_current(document: Any, stored: Any) -> bool:
    """Tell whether a stored version is the one that a document was read with.

    Args:
        document: A document of a class with `version_field`.
        stored: What stands in that field of the stored document.
    """
    version = version_of(document)
    if version is None:
        return stored is None or stored == dict.get(document, field_of(document))
    return bool(stored == version)


def stale(document: Any, collection: Any, session: Any) -> StaleDocument:
    """Return the error for a document whose write found nothing to write to.

    Args:
        document: A document of a class with `version_field`.
        collection: Where it is stored.
        session: Read in this session.
    """
    stored = _stored_version(document, collection, session)
    return stale_error(document, None if stored is _MISSING else stored or 0)


def stale_error(document: Any, found: int | None) -> StaleDocument:
    """Return the error for a document of which another version is stored.

    Args:
        document: A document of a class with `version_field`.
        found: The version that is stored, 0 for none, None when the document is gone.
    """
    return StaleDocument(
        document_class=getattr(type(document), "__mongokit_of__", type(document)),
        id=dict.get(document, "_id"),
        expected=version_of(document),
        found=found,
    )


def refused_insert(
    document: Any, collection: Any, session: Any, error: DuplicateKeyError
) -> StaleDocument | None:
    """Return the error for a document that could not be inserted because it is there already.

    Args:
        document: A document without a version, of a class with `version_field`.
        collection: Where it is stored.
        session: The session that it was to be written in.
        error: What the server said. Which unique index it names says little: where several have
            the document's values it may be any of them.

    Returns:
        None when it was another unique index that had its values.
    """
    if session is not None and session.in_transaction:
        # The server has ended the transaction: nothing can be read in it any more.
        if not is_on_id(error.details or {}):
            return None
        return stale(document, collection, None)
    stored = _stored_version(document, collection, session)
    if stored is _MISSING or not stored:
        return None
    return stale_error(document, stored)


def is_on_id(problem: Mapping[str, Any]) -> bool:
    """Tell whether a duplicate key is the `_id`.

    Args:
        problem: What the server said of it.
    """
    return problem.get("code") == _DUPLICATE_KEY and list(problem.get("keyPattern", ())) == ["_id"]


def _stored_version(document: Any, collection: Any, session: Any) -> Any:
    name = field_of(document)
    primary = collection.with_options(read_preference=ReadPreference.PRIMARY)
    found = primary.find_one({"_id": stored_id(document)}, {name: 1}, session=session)
    return _MISSING if found is None else found.get(name)
