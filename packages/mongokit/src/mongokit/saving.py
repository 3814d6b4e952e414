"""One save of a document together with what it references.

A referenced document is written only if it was changed since it was read or saved. To know that,
a document of a class that some other class references remembers the bytes that it was read from.
A referenced document that is not stored is never inserted: that is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import bson
from bson import DBRef
from bson.raw_bson import RawBSONDocument
from pymongo.errors import ConnectionFailure, PyMongoError

from mongokit import locking
from mongokit.convert import stored_form
from mongokit.errors import AutoReferenceError, MongoKitError
from mongokit.places import Place
from mongokit.references import (
    fetch,
    hashable,
    is_document,
    is_eager,
    read_stored,
    referenced,
    remember,
    unfetched,
)
from mongokit.schema_document import bound


@dataclass(slots=True)
class _Change:
    """A referenced document that has to be written."""

    document: Any
    encoded: bytes
    before: bytes = b""
    remembered: bytes | None = None
    version: Any = None  # of a class with `version_field`: the one in memory before


_being_saved: ContextVar[frozenset[int]] = ContextVar("_being_saved", default=frozenset())


class Saving:
    """One save of a document with references: all of it takes effect, or nothing does.

    Used as a context manager round everything that the save does. When the block raises, the
    DBRefs that were fetched by it are back in the document, and the referenced documents that
    were written are put back as they were, each unless another writer has changed it meanwhile.
    They stay written when the connection was lost, since nobody knows then what took effect, and
    inside a transaction, which the server ends itself.

    Args:
        document: The document.
        session: Read and write in this session.

    Raises:
        AutoReferenceError: A referenced document is not stored.
        StaleDocument: A referenced document of a class with `version_field` was changed by
            somebody else since it was read.

    Example:
        >>> post["author"].age = 37
        >>> with Saving(post) as saving:
        ...     saving.write_referenced()
        >>> db.User.get_from_id(1).age
        37
    """

    def __init__(self, document: Any, session: Any = None) -> None:
        self.document = document
        self.session = session
        self._refs = [(place, place.value) for place in unfetched(document)]
        self._written: list[_Change] = []

    def __enter__(self) -> Saving:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is None:
            return
        for place, ref in self._refs:
            if _still_holds(place):
                place.put(ref)
        for change in reversed(self._written):
            remember(change.document, change.remembered)
            if _version_field(change) is not None:
                locking.restore(change.document, change.version)
        if not isinstance(error, ConnectionFailure) and not _in_transaction(self.session):
            for change in reversed(self._written):
                with suppress(PyMongoError):  # the error that led here is the one to be told
                    _put_back(change)

    def fetch_assigned(self) -> None:
        """Fetch the references that were assigned as DBRefs, in the session of the save."""
        if self._refs and self.session is not None and is_eager(type(self.document)):
            fetch([self.document], self.session)

    def write_referenced(self, new_id: Any = None) -> None:
        """Write each referenced document that was changed since it was read.

        Args:
            new_id: The `_id` that the document itself will get.
        """
        with _having(self.document, new_id):
            changes = _changes(self.document)
        if not changes:
            return
        changes = _with_before(self.document, changes, self.session)
        saved = _being_saved.get() | {id(self.document), *(id(c.document) for c in changes)}
        token = _being_saved.set(saved)
        try:
            for change in changes:
                self._write(change)
        finally:
            _being_saved.reset(token)

    def _write(self, change: _Change) -> None:
        document = change.document
        change.remembered = document.__dict__.get("_stored")
        if _version_field(change) is not None:
            change.version = locking.remembered(document)
        self._written.append(change)
        if _overrides_save(type(document)):
            document.save(**({} if self.session is None else {"session": self.session}))
            change.encoded = document.__dict__.get("_stored", change.encoded)
            return
        collection = bound(document).collection
        wanted: dict[str, Any] = {}
        if _version_field(change) is not None:
            wanted = locking.guard(document)
            numbered = stored_form(document)
            numbered[locking.field_of(document)] = locking.next_version(document)
            change.encoded = bson.encode(numbered, False, bound(document).options)
        content = RawBSONDocument(change.encoded)
        wanted["_id"] = content["_id"]
        result = collection.replace_one(wanted, content, session=self.session)
        if result.acknowledged and not result.matched_count:
            raise self._why_not_written(document, collection)
        remember(document, change.encoded)
        if _version_field(change) is not None:
            locking.set_version(document, locking.next_version(document))

    def _why_not_written(self, document: Any, collection: Any) -> MongoKitError:
        if type(document).__mongokit__.version_field is not None:
            error = locking.stale(document, collection, self.session)
            if error.found is not None:
                return error
        return _not_stored(self.document, document)


def _version_field(change: _Change) -> str | None:
    field: str | None = type(change.document).__mongokit__.version_field
    return field


def _still_holds(place: Place) -> bool:
    container = place.container
    if isinstance(container, dict):
        return dict.__contains__(container, place.key) and is_document(place.value)
    return place.key < len(container) and is_document(place.value)


def _in_transaction(session: Any) -> bool:
    return session is not None and bool(session.in_transaction)


def _overrides_save(cls: Any) -> bool:
    base = next(base for base in cls.__mro__ if "_binding" in vars(base))
    return cls.save is not base.save


@contextmanager
def _having(document: Any, new_id: Any) -> Iterator[None]:
    """Give a new document its `_id` for a moment: in a cycle it is referenced itself."""
    if new_id is None:
        yield
        return
    had_field = dict.__contains__(document, "_id")
    dict.__setitem__(document, "_id", new_id)
    try:
        yield
    finally:
        if had_field:
            dict.__setitem__(document, "_id", None)
        else:
            dict.__delitem__(document, "_id")


def _changes(root: Any) -> list[_Change]:
    """The changed documents that `root` leads to, those that others reference first."""
    seen = {id(root), *_being_saved.get()}
    changes: list[_Change] = []

    def visit(owner: Any) -> None:
        for place, document in referenced(owner):
            if id(document) in seen:
                continue
            seen.add(id(document))
            binding = bound(document)
            if dict.get(document, "_id") is None:
                text = (
                    f"{type(owner).__name__}.{place.node.path}: save the {type(document).__name__}"
                )
                raise AutoReferenceError(f"{text} before what references it: it has no _id yet")
            visit(document)
            encoded = bson.encode(stored_form(document), False, binding.options)
            known = document.__dict__.get("_stored")
            if known is None or not _is_same(document, known, encoded):
                changes.append(_Change(document, encoded))

    visit(root)
    return changes


def _is_same(document: Any, stored: bytes, encoded: bytes) -> bool:
    """Tell whether what a document would store now is what it was read from.

    The stored bytes are read once more where they differ: a CustomType may store a value in
    another way than it was written, and so may an old reference without database.
    """
    if stored == encoded:
        return True
    binding = bound(document)
    model = type(document).__mongokit__
    content = bson.decode(stored, binding.options)
    if model.to_python is not None:
        content = model.to_python(content)
    if model.to_bson is not None:
        content = model.to_bson(content)
    database = binding.collection.database.name
    for place in model.references.of(content):
        ref = place.value
        if isinstance(ref, DBRef) and ref.database is None:
            place.put(DBRef(ref.collection, ref.id, database))
    return bson.encode(content, False, binding.options) == encoded


def _with_before(root: Any, changes: list[_Change], session: Any) -> list[_Change]:
    """Read what is stored of the changed documents; one query per collection.

    A document of which nothing was remembered is left out if it is stored as it is.
    """
    groups: dict[Any, list[_Change]] = {}
    for change in changes:
        groups.setdefault(bound(change.document).collection, []).append(change)
    for collection, group in groups.items():
        ids = [RawBSONDocument(change.encoded)["_id"] for change in group]
        stored = {
            hashable(raw["_id"]): bytes(raw.raw) for raw in read_stored(collection, ids, session)
        }
        for change, identity in zip(group, ids, strict=True):
            before = stored.get(hashable(identity))
            if before is None:
                raise _not_stored(root, change.document)
            change.before = before
    return [
        change
        for change in changes
        if "_stored" in change.document.__dict__
        or not _is_same(change.document, change.before, change.encoded)
    ]


def _put_back(change: _Change) -> None:
    written, before = RawBSONDocument(change.encoded), RawBSONDocument(change.before)
    wanted = {"_id": before["_id"], "$expr": {"$eq": ["$$ROOT", {"$literal": written}]}}
    collection, field = bound(change.document).collection, _version_field(change)
    if field is None:
        collection.replace_one(wanted, before)
        return
    # Under a version of its own: who has read what was written for a moment must not take what is
    # stored from now on for it.
    version = written[field] + 1
    result = collection.replace_one(wanted, {**before, field: version})
    if result.acknowledged and result.matched_count:
        locking.set_version(change.document, version)


def _not_stored(root: Any, document: Any) -> AutoReferenceError:
    collection = bound(document).collection
    return AutoReferenceError(
        f"{type(root).__name__} references a {type(document).__name__} with _id "
        f"{dict.get(document, '_id')!r}, which is not stored in the collection {collection.name} "
        f"of the database {collection.database.name}"
    )
