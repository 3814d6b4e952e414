"""References between documents: fetched a batch at a time, and validated.

The references of a whole batch of documents take one query per collection, and so do the
references of what these queries find, level by level. A document that stands twice in one batch is
one object; so cycles close. A class with `lazy_autorefs = True` keeps its DBRefs until a field is
read (`doc["author"]`, `doc.get("author")`, `doc.author`); `fetch` completes many of its documents
at once. How referenced documents are saved is the business of `saving`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import bson
from bson import DBRef
from bson.raw_bson import RawBSONDocument

from mongokit.convert import stored_id
from mongokit.errors import AutoReferenceError, SchemaDocumentError
from mongokit.explain import refers_to
from mongokit.places import Place
from mongokit.schema_document import bound

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

_NO_DATABASE = (
    "the reference {path} of {name} names no database. Set force_autorefs_current_db = True on "
    "{name} if the database of the document itself is meant"
)

# Far below the 16 MiB that one filter may have, whatever the ids are.
_IDS_PER_QUERY = 10_000


def are_fetched(document_class: Any) -> bool:
    """Tell whether documents of the class are completed with what they reference when read.

    Args:
        document_class: A `Document` class.

    Example:
        >>> are_fetched(Post)
        True
    """
    return bool(document_class._fetches_references)


def note_targets(registered: Mapping[str, Any]) -> None:
    """Mark the classes that others reference by name, or whose namesakes they reference.

    Args:
        registered: The classes of one connection by name.
    """
    for document_class in registered.values():
        for node in document_class.__mongokit__.references.nodes:
            if node.target_name in registered:
                registered[node.target_name]._is_referenced = True


def fetch(documents: Iterable[Any], session: ClientSession | None = None) -> None:
    """Put the referenced documents in place of the DBRefs of all `documents`.

    Documents that were read are complete already, unless their class has `lazy_autorefs`.

    Args:
        documents: Documents of one connection, of any classes.
        session: Read in this session.

    Raises:
        AutoReferenceError: A referenced document is not stored, or its class not registered.
        RuntimeError: A reference without database; see `force_autorefs_current_db`.
        pymongo.errors.PyMongoError: The driver's error.

    Example:
        >>> posts = list(db.posts.Post.find())
        >>> fetch(posts)
    """
    complete = list(documents)
    for error in _Fetch(session).run(complete, [unfetched(document) for document in complete]):
        raise error


def resolve(documents: Sequence[Any], session: Any = None) -> dict[int, Exception]:
    """Do what `fetch` does for those documents that are completed when read.

    Args:
        documents: Documents that were just read.
        session: Read in this session.

    Returns:
        The index of each document that can't be completed, with the error. The others are whole.
    """
    complete = [document for document in documents if are_fetched(type(document))]
    if not complete:
        return {}
    reader = _Fetch(session)
    if not any(reader.run(complete, [_eager(document) for document in complete])):
        return {}
    found = ((index, reader.error_below(document)) for index, document in enumerate(documents))
    return {index: error for index, error in found if error is not None}


def unfetched(document: Any) -> list[Place]:
    """Return the places of a document where DBRefs stand.

    Args:
        document: A `Document`.
    """
    """The places of `document` that hold a DBRef where a document is declared."""
    places = type(document).__mongokit__.references.of(document)
    return [place for place in places if isinstance(place.value, DBRef)]


def _eager(document: Any) -> list[Place]:
    cls = type(document)
    return unfetched(document) if cls.__mongokit__.has_references and is_eager(cls) else []


def is_eager(document_class: Any) -> bool:
    """Tell whether references of a class are fetched without being asked for.

    Args:
        document_class: A `Document` class.
    """
    """Tell whether what documents of the class reference is fetched without being asked for."""
    return not document_class.lazy_autorefs


def referenced(document: Any) -> list[tuple[Place, Any]]:
    """Return the documents that `document` holds in places for references, with the places.

    Args:
        document: A `Document`.
    """
    places = type(document).__mongokit__.references.of(document)
    return [(place, value) for place in places if is_document(value := place.value)]


def is_document(value: Any) -> bool:
    """Tell whether a value is a `Document`.

    Args:
        value: Anything.
    """
    """Tell whether `value` is an instance of a `Document` class."""
    model = getattr(type(value), "__mongokit__", None)
    return model is not None and bool(model.is_document)


# Reading.

_Address = tuple[str, str]
_Key = tuple[str, str, Any]


@dataclass(slots=True)
class _Pending:
    """One DBRef on its way to be replaced."""

    owner: Any
    place: Place
    key: _Key
    binding: Any


class _Fetch:
    """One batch: what has been read so far, and what could not be."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.bindings: dict[tuple[_Address, Any], Any] = {}
        self.known: dict[_Key, list[Any]] = {}
        self.broken: dict[int, Exception] = {}

    def run(self, documents: list[Any], places: list[list[Place]]) -> Iterable[Exception]:
        """Complete the documents, level by level; return the errors."""
        for document in documents:
            self._know(document)
        read: list[Any] = []
        level = list(zip(documents, places, strict=True))
        while level:
            found = self._complete(level)
            read += found
            level = [(document, _eager(document)) for document in found]
        for document in read:
            if type(document).migration_handler is not None:
                document._binding._migrated(document, self.session)
        return self.broken.values()

    def error_below(self, document: Any) -> Exception | None:
        """Return why a document, or one that it leads to, could not be completed."""
        seen: set[int] = set()
        waiting = [document]
        while waiting:
            current = waiting.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            if id(current) in self.broken:
                return self.broken[id(current)]
            waiting += [value for _, value in referenced(current)]
        return None

    def _know(self, document: Any) -> None:
        if dict.get(document, "_id") is None or document._binding is None or document._projected:
            return
        collection = document._binding.collection
        key = (collection.database.name, collection.name, hashable(stored_id(document)))
        self.known.setdefault(key, []).append(document)

    def _find(self, pending: _Pending) -> Any:
        for document in self.known.get(pending.key, ()):
            if refers_to(pending.place.node, document):
                return document
        return None

    def _complete(self, level: list[tuple[Any, list[Place]]]) -> list[Any]:
        """Replace the DBRefs of one level; return the documents that were read for it."""
        waiting: list[_Pending] = []
        wanted: dict[_Address, dict[Any, Any]] = {}
        collections: dict[_Address, Any] = {}
        for owner, places in level:
            for place in places:
                pending = self._located(owner, place)
                if pending is None:
                    continue
                if (document := self._find(pending)) is not None:
                    place.put(document)
                    continue
                waiting.append(pending)
                database, collection, key = pending.key
                wanted.setdefault((database, collection), {})[key] = place.value.id
                collections[database, collection] = pending.binding.collection
        stored = {
            address: read_stored(collections[address], list(ids.values()), self.session)
            for address, ids in wanted.items()
        }
        return self._put(waiting, stored)

    def _put(
        self, waiting: list[_Pending], stored: dict[_Address, list[RawBSONDocument]]
    ) -> list[Any]:
        by_key: dict[tuple[_Key, int], Any] = {}
        for pending in {id(p.binding): p for p in waiting}.values():
            binding = pending.binding
            address = pending.key[:2]
            for raw in stored[address]:
                content = bson.decode(raw.raw, binding.collection.codec_options)
                key = (*address, hashable(content["_id"]))
                by_key[key, id(binding)] = (content, raw.raw)
        found: list[Any] = []
        for pending in waiting:
            document = self._find(pending)
            if document is None and (pending.key, id(pending.binding)) in by_key:
                content, encoded = by_key[pending.key, id(pending.binding)]
                document = pending.binding._make(content, encoded=encoded)
                self.known.setdefault(pending.key, []).append(document)
                found.append(document)
            if document is None:
                self.broken.setdefault(id(pending.owner), _missing(pending))
            else:
                pending.place.put(document)
        return found

    def _located(self, owner: Any, place: Place) -> _Pending | None:
        """Find out where a DBRef points, and as what to read it."""
        ref: DBRef = place.value
        own = bound(owner).collection.database
        name, path = type(owner).__name__, place.node.path
        database = own
        if ref.database is None and not type(owner).force_autorefs_current_db:
            error = RuntimeError(_NO_DATABASE.format(path=path, name=name))
            self.broken.setdefault(id(owner), error)
            return None
        if ref.database is not None and ref.database != own.name:
            database = own.client[ref.database]
        target = _target(place, own.client)
        if isinstance(target, str):
            text = f"{name}.{path} references {target}, which is not registered"
            self.broken.setdefault(id(owner), AutoReferenceError(text))
            return None
        binding = owner._binding.sibling(database[ref.collection], target)
        return _Pending(owner, place, (database.name, ref.collection, hashable(ref.id)), binding)


def _target(place: Place, client: Any) -> Any:
    """The class that a reference means on this connection, or its name if nobody has it."""
    node = place.node
    return getattr(client, "_documents", {}).get(node.target_name, node.target)


def hashable(identity: Any) -> Any:
    """Return a dict key for an `_id`: True and 1 are two, as they are for the database.

    Args:
        identity: The `_id`.
    """
    if isinstance(identity, (bool, Mapping)):
        return bson.encode({"": identity})
    return identity


def _missing(pending: _Pending) -> AutoReferenceError:
    database, collection, _ = pending.key
    place = pending.place
    return AutoReferenceError(
        f"{type(pending.owner).__name__}.{place.node.path}: no {place.node.target_name} with "
        f"_id {place.value.id!r} is stored in the collection {collection} of the database "
        f"{database}"
    )


def read_stored(collection: Any, ids: list[Any], session: Any) -> list[RawBSONDocument]:
    """Read documents by their ids, undecoded; one round trip unless they exceed 16 MiB.

    Args:
        collection: The collection, ours or PyMongo's own.
        ids: The ids, in their stored form.
        session: Read in this session.

    Returns:
        Those that are stored, in any order.

    Raises:
        pymongo.errors.PyMongoError: The driver's error.
    """
    options = collection.codec_options.with_options(document_class=RawBSONDocument)
    raw: Any = collection.with_options(codec_options=options)
    found: list[RawBSONDocument] = []
    remaining = iter(ids)
    while chunk := list(islice(remaining, _IDS_PER_QUERY)):
        # One more than can be found, so that the server closes the cursor in its first reply.
        found += raw.find({"_id": {"$in": chunk}}, batch_size=len(chunk) + 1, session=session)
    return found


def read_lazily(document_class: Any) -> None:
    """Make documents of a class fetch the references in a field when the field is read.

    Args:
        document_class: A `Document` class that has just been made.
    """
    for name in ("__getitem__", "get"):
        inherited = getattr(document_class, name)
        if not hasattr(inherited, "_fetches_first"):
            setattr(document_class, name, _fetching_first(inherited))


def _fetching_first(inherited: Callable[..., Any]) -> Callable[..., Any]:
    def read(self: Any, key: Any, *default: Any) -> Any:
        cls = type(self)
        if self._binding is not None:
            places = cls.__mongokit__.references.below(self, key)
            unfetched = [place for place in places if isinstance(place.value, DBRef)]
            if unfetched:
                for error in _Fetch(None).run([self], [unfetched]):
                    raise error
        return inherited(self, key, *default)

    read.__name__ = inherited.__name__
    read._fetches_first = True  # type: ignore[attr-defined]
    return read


def remember(document: Any, encoded: bytes | None) -> None:
    """Note what is stored of a document, so that a change of it can be seen.

    Args:
        document: A document that was just read or stored.
        encoded: Its stored form; None when nothing is known any more.
    """
    if encoded is None:
        document.__dict__.pop("_stored", None)
    else:
        document.__dict__["_stored"] = encoded


# Validating.

_validated: ContextVar[set[int] | None] = ContextVar("_validated", default=None)


def validate_referenced(
    document: Any, *, auto_migrate: bool = True, session: ClientSession | None = None
) -> None:
    """Fetch the references that were assigned as DBRefs, and validate what `document` references.

    Each document is validated once, also in a cycle. Where the class of `document` sets
    `raise_validation_errors = False`, the errors are added to its `validation_errors`.

    Args:
        document: A document that has passed its own check.
        auto_migrate: Passed on.
        session: Read in this session.

    Raises:
        AutoReferenceError: A referenced document is not stored.
        RuntimeError: A reference without database; see `force_autorefs_current_db`.
        SchemaDocumentError: A referenced document does not validate.
    """
    if document._binding is not None:
        for error in resolve([document], session).values():
            _raise_or_note(document, error, None)
    seen = _validated.get()
    token = None
    if seen is None:
        seen = set()
        token = _validated.set(seen)
    try:
        seen.add(id(document))
        for place, value in referenced(document):
            if id(value) not in seen and not value.skip_validation:
                seen.add(id(value))
                try:
                    value.validate(auto_migrate=auto_migrate)
                except (SchemaDocumentError, AutoReferenceError) as error:
                    _raise_or_note(document, error, place.node.path)
    finally:
        if token is not None:
            _validated.reset(token)


def _raise_or_note(document: Any, error: Exception, path: str | None) -> None:
    if document.raise_validation_errors:
        raise error
    document.validation_errors.setdefault(path, []).append(error)
