"""VersionedDocument: every save is kept, as a numbered revision in a collection beside.

The number of a save is settled by the stored document: the write that replaces it puts in the next
number, all at once. So two writers never share a number, and the stored document is always the last
revision. The copy follows, and is there before `save()` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import bson
from pymongo import ReadPreference, ReturnDocument, WriteConcern
from pymongo.errors import DuplicateKeyError

from mongokit import _driver, locking, references
from mongokit.convert import stored_id
from mongokit.document import Document, save_document
from mongokit.errors import MaxDocumentSizeError
from mongokit.schema_document import bound


class RevisionDocument(Document):
    """One kept revision: the id and number of the document that it is of, and its whole content.

    Example:
        >>> revisions = page.versioning_collection.documents(RevisionDocument)
        >>> revisions.find_one({"id": "home", "revision": 1})
        {'_id': ..., 'id': 'home', 'revision': 1,
         'doc': {'_id': 'home', 'text': 'Hi', '_revision': 1}}
    """

    structure: ClassVar[Any] = {"id": None, "revision": int, "doc": dict}
    required_fields: ClassVar[list[str]] = ["id", "revision", "doc"]
    indexes: ClassVar[list[Any]] = [{"fields": ["id", "revision"], "unique": True}]


class VersionedDocument(Document):
    """A document of which every save is kept, and every `patch`; updates by a manager are not.

    A save adds the field `_revision` (1, 2, ...), and stores a copy as `{'id', 'revision', 'doc'}`
    in the collection `versioned_{collection}`, with a unique index on id and revision.

    Example:
        >>> @connection.register
        ... class Page(VersionedDocument):
        ...     structure = {"text": str}
        >>> page = db.pages.Page({"_id": "news", "text": "Hello"})
        >>> page.save()
        >>> page["text"] = "Hello again"
        >>> page.save()
        >>> page["_revision"], page.get_revision(1)["text"]
        (2, 'Hello')
    """

    _companions: ClassVar[tuple[type[Any], ...]] = (RevisionDocument,)

    @property
    def versioning_collection(self) -> Any:
        """The collection that the revisions are kept in.

        Raises:
            ConnectionError: The document was made without a collection.

        Example:
            >>> page.versioning_collection.name
            'versioned_pages'
        """
        collection = bound(self).collection
        return collection.database[f"versioned_{collection.name}"]

    def save(  # type: ignore[override]
        self,
        versioning: bool = True,
        uuid: bool = False,
        validate: bool | None = None,
        safe: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Validate the document, store the whole of it, and keep a copy as a new revision.

        Args:
            versioning: Whether a revision is kept; without it the number stays as it is.
            uuid: As for `Document.save`.
            validate: As for `Document.save`.
            safe: As for `Document.save`, with `versioning=False`. A save that keeps a revision
                has to be acknowledged.
            *args: Part of the classic signature.
            **kwargs: As for `Document.save`.

        Raises:
            See `Document.save`. A revision holds the document and a little more: one that is just
            within the server's limit may be refused with `MaxDocumentSizeError`.

        Example:
            >>> page["text"] = "Hello again"
            >>> page.save()
            >>> page["_revision"]
            3
        """
        if not versioning:
            Document.save(self, uuid, validate, safe, *args, **kwargs)
            return
        save_document(
            self, _store_revision, uuid=uuid, validate=validate, safe=True, options=kwargs
        )

    def delete(self, versioning: bool = False, *args: Any, **kwargs: Any) -> None:
        """Remove the stored document of this `_id`.

        Args:
            versioning: Whether its revisions are removed too.
            *args: Part of the classic signature.
            **kwargs: `session=`.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.

        Example:
            >>> page.delete(versioning=True)
            >>> page.get_last_revision_id() is None
            True
        """
        Document.delete(self, *args, **kwargs)
        if versioning:
            self.versioning_collection.delete_many(
                _revisions_of(stored_id(self)), session=kwargs.get("session")
            )

    def remove(
        self, query: Any = None, versioning: bool = False, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Remove the documents that match.

        Args:
            query: A filter, or an `_id`; None for all.
            versioning: Whether their revisions are removed too.
            *args: Part of the classic signature.
            **kwargs: `session=`.

        Returns:
            `{'n': how many documents were removed, 'ok': 1.0}`, as PyMongo 2 did.

        Raises:
            ConnectionError: The document was made without a collection.

        Example:
            >>> db.Page.remove({"text": "Hello"}, versioning=True)
            {'n': 1, 'ok': 1.0}
        """
        collection = bound(self).collection
        session = kwargs.get("session")
        wanted = query if isinstance(query, Mapping) else {} if query is None else {"_id": query}
        ids = []
        if versioning:
            found = collection.find(wanted, {"_id": 1}, session=session)
            ids = [document["_id"] for document in found]
        removed = collection.delete_many(wanted, session=session)
        for identity in ids:
            self.versioning_collection.delete_many(_revisions_of(identity), session=session)
        return {"n": removed.deleted_count if removed.acknowledged else 0, "ok": 1.0}

    def get_revision(self, revision_number: int, session: Any = None) -> Any:
        """Return the document as it was at one revision, or None.

        Args:
            revision_number: 1 for the first.
            session: Read in this session.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.

        Example:
            >>> page.get_revision(1)["text"]
            'Hi'
        """
        query = {**_revisions_of(stored_id(self)), "revision": revision_number}
        kept = self._revisions().find_one(query, session=session)
        return None if kept is None else self._at(kept, session)

    def get_revisions(self, session: Any = None) -> Iterator[Any]:
        """Yield the document as it was at each revision, the first one first.

        Args:
            session: Read in this session.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.

        Example:
            >>> [old["text"] for old in page.get_revisions()]
            ['Hi', 'Hello']
        """
        query = _revisions_of(stored_id(self))
        for kept in self._revisions().find(query, session=session).sort("revision", 1):
            yield self._at(kept, session)

    def get_last_revision_id(self, session: Any = None) -> int | None:
        """Return the number of the last kept revision, None if there is none.

        Args:
            session: Read in this session.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.

        Example:
            >>> page.get_last_revision_id()
            2
        """
        return _last_revision(self.versioning_collection, stored_id(self), session) or None

    def _revisions(self) -> Any:
        """The revisions, read as documents of the class are."""
        options = bound(self).collection.codec_options
        return self.versioning_collection.with_options(codec_options=options)

    def _at(self, kept: Mapping[str, Any], session: Any) -> Any:
        # Not migrated: that would change the stored document to complete an old copy of it.
        document = bound(self)._make(kept["doc"])
        if references.are_fetched(type(document)):
            references.fetch([document], session)
        return document


def _revisions_of(identity: Any) -> dict[str, Any]:
    """The filter for the revisions of one document.

    Classic MongoKit kept every id as text; so a text may stand for an id of another type, and
    what it really is stands in the copy.
    """
    forms = [identity] if isinstance(identity, str) else [identity, str(identity)]
    return {"id": {"$in": forms}, "doc._id": identity}


def _last_revision(collection: Any, identity: Any, session: Any) -> int:
    found = collection.find_one(
        _revisions_of(identity), {"revision": 1}, sort=[("revision", -1)], session=session
    )
    return int(found["revision"]) if found else 0


# Storing.

# By identity: a collection of another connection is equal, but its database may be a new one.
_indexed: WeakValueDictionary[int, Any] = WeakValueDictionary()

_ABSENT = object()


def _store_revision(
    document: Any, collection: Any, content: Any, new_id: Any, session: Any
) -> None:
    """Store the document under the next revision number, and the copy of it."""
    if not collection.write_concern.acknowledged:  # who wins a race has to be known
        collection = collection.with_options(write_concern=WriteConcern())
    kept = document.versioning_collection
    _ensure_index(kept, session)
    content = {**content, "_revision": 0}
    _check_copy(document, content)
    turn = _Turn(collection, kept, content, session)
    if new_id is None and type(document).__mongokit__.version_field is not None:
        turn.replace_unless_stale(document)
    elif new_id is None:
        turn.replace(dict.get(document, "_revision"))
    else:
        turn.insert(1)
    number = turn.keep_copy()
    if new_id is not None:
        dict.__setitem__(document, "_id", new_id)
    dict.__setitem__(document, "_revision", number)
    if (version := type(document).__mongokit__.version_field) is not None:
        locking.set_version(document, content[version])
    if type(document)._is_referenced:
        references.remember(document, bson.encode(content, False, bound(document).options))


class _Turn:
    """One save on its way to a number; `content` has the number once it is stored."""

    def __init__(self, collection: Any, kept: Any, content: dict[str, Any], session: Any) -> None:
        self.collection = collection.with_options(read_preference=ReadPreference.PRIMARY)
        self.kept = kept.with_options(
            read_preference=ReadPreference.PRIMARY, codec_options=collection.codec_options
        )
        self.content = content
        self.identity = content["_id"]
        self.session = session
        self.guard: dict[str, Any] = {}  # what the stored document must match beside its `_id`

    def insert(self, number: int) -> None:
        self.content["_revision"] = number
        self.collection.insert_one(self.content, session=self.session)

    def replace(self, base: Any) -> None:
        """Replace the stored document, which has the revision `base` unless somebody was faster.

        The first try finds the document by its id and revision, which is cheap on every server.
        A lost race is settled by the server itself: it puts the next number in. (The embedded
        engine reads the whole collection for that, so it is not the first try.)
        """
        if base is None:
            base = self._stored_revision()
        if base is _ABSENT:
            if self._inserts():
                return
        elif isinstance(base, int) and self._replaces(base):
            return
        while not self._takes_next():
            if self._inserts():
                return

    def replace_unless_stale(self, document: Any) -> None:
        """Do what `replace` does, if the stored document has the version that was read.

        Raises:
            StaleDocument: It has not.
        """
        self.guard = locking.guard(document)
        base = dict.get(document, "_revision")
        if isinstance(base, int) and self._replaces(base):
            return
        if self._takes_next():
            return
        is_new = locking.version_of(document) is None
        if not (is_new and self._stored_revision() is _ABSENT and self._inserts()):
            raise locking.stale(document, self.collection, self.session)

    def _inserts(self) -> bool:
        try:
            self.insert(_last_revision(self.kept, self.identity, self.session) + 1)
        except DuplicateKeyError:
            if self._stored_revision() is _ABSENT:
                raise  # not the id: another unique index has a value of this document
            return False
        return True

    def _replaces(self, base: int) -> bool:
        self.content["_revision"] = base + 1
        result = self.collection.replace_one(
            {"_id": self.identity, "_revision": base, **self.guard},
            self.content,
            session=self.session,
        )
        return bool(result.matched_count)

    def _takes_next(self) -> bool:
        number = {"$add": [{"$ifNull": ["$_revision", 0]}, 1]}
        stored = self.collection.find_one_and_update(
            {"_id": self.identity, **self.guard},
            [
                {
                    "$replaceWith": {
                        "$mergeObjects": [{"$literal": self.content}, {"_revision": number}]
                    }
                }
            ],
            {"_revision": 1},
            return_document=ReturnDocument.AFTER,
            session=self.session,
        )
        if stored is None:
            return False
        self.content["_revision"] = stored["_revision"]
        return True

    def _stored_revision(self) -> Any:
        found = self.collection.find_one(
            {"_id": self.identity}, {"_revision": 1}, session=self.session
        )
        return _ABSENT if found is None else found.get("_revision")

    def keep_copy(self) -> int:
        """Store the copy; return its number.

        The number may be taken, where a save without versioning has stored an old one: then the
        copy gets the next free one, and the document follows.
        """
        stored = number = self.content["_revision"]
        while not self._keeps_copy(number):
            number = _last_revision(self.kept, self.identity, self.session) + 1
        if number != stored:
            self.collection.update_one(
                {"_id": self.identity, "_revision": stored},
                {"$set": {"_revision": number}},
                session=self.session,
            )
        return int(number)

    def _keeps_copy(self, number: int) -> bool:
        self.content["_revision"] = number
        copy = {"id": self.identity, "revision": number, "doc": self.content}
        try:
            self.kept.insert_one(copy, session=self.session)
        except DuplicateKeyError:
            taken = {"id": self.identity, "revision": number}
            if self.kept.find_one(taken, {"_id": 1}, session=self.session) is None:
                raise  # not the number: some other unique index
            return False
        return True


def _keep_patched(document: Any, raw: dict[str, Any], session: Any) -> None:
    """Keep a copy of a document that was changed in place, which has its number already."""
    collection, kept = bound(document).collection, document.versioning_collection
    _ensure_index(kept, session)
    _Turn(collection, kept, raw, session).keep_copy()


VersionedDocument._keep_revision = staticmethod(_keep_patched)


def _ensure_index(kept: Any, session: Any) -> None:
    """Create the unique index, once for each collection object."""
    if _indexed.get(id(kept)) is kept or (session is not None and session.in_transaction):
        return
    RevisionDocument.generate_index(kept)
    _indexed[id(kept)] = kept


def _check_copy(document: Any, content: Mapping[str, Any]) -> None:
    options = bound(document).options
    copy = {"_id": bson.ObjectId(), "id": content["_id"], "revision": 0, "doc": content}
    size = len(bson.encode(copy, False, options))
    limit = _driver.max_bson_size(bound(document).collection.database.client)
    # An int64 in place of an int32, twice, when the numbers are large.
    if size + 8 > limit:
        raise MaxDocumentSizeError(
            f"a revision of {type(document).__name__} is {size + 8} bytes as BSON, "
            f"{size + 8 - limit} more than the server accepts"
        )
