"""Change streams of a class: what happens to its documents, with the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from bson import Timestamp
    from pymongo.change_stream import CollectionChangeStream
    from pymongo.client_session import ClientSession

    from mongokit.binding import Binding

D = TypeVar("D", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class Change(Generic[D]):
    """One change of a collection, as a change stream tells it.

    Attributes:
        operation: `'insert'`, `'update'`, `'replace'` or `'delete'`; of the collection itself
            `'drop'`, `'rename'`, `'invalidate'` and what newer servers add.
        id: The `_id` of the document; None for a change of the collection.
        document: The document after the change; None where there is none, where it was not asked
            for, and for an update of a document that is gone by the time it is looked up.
        before: The document before the change, if `full_document_before_change` was asked for
            and the collection keeps it.
        updated: What an update has set: dotted path to value, as stored.
        removed: The dotted paths that an update has removed.
        resume_token: Where to go on: `watch(resume_after=...)`.
        cluster_time: When the server made the change.
        raw: The event as the driver gives it.

    Example:
        >>> users = db.documents(User)
        >>> with users.watch() as stream:
        ...     users.update_one({"_id": 1}, {"$inc": {"age": 1}}).modified_count
        ...     change = stream.try_next()
        1
        >>> change.operation, change.id, change.updated
        ('update', 1, {'age': 37})
        >>> change.document.name
        'Ada'
    """

    operation: str
    id: Any
    document: D | None
    before: D | None
    updated: dict[str, Any]
    removed: list[str]
    resume_token: Mapping[str, Any]
    cluster_time: Timestamp | None
    raw: Mapping[str, Any] = field(repr=False)


class ChangeStream(Generic[D]):
    """The changes of one collection as they happen; `Documents.watch` makes it.

    An iterator and a context manager. It waits for what comes next, and goes on by itself after
    a network error, as the driver's does.

    Args:
        stream: The driver's change stream.
        binding: As what documents are read.
        session: Read what they reference in this session.

    Example:
        >>> users = db.documents(User)
        >>> with users.watch() as stream:
        ...     users({"_id": 3, "name": "Eva", "email": None, "age": 28}).save()
        ...     for change in stream:
        ...         print(change.operation, change.document.name)
        ...         break
        insert Eva
    """

    def __init__(
        self,
        stream: CollectionChangeStream[Any],
        binding: Binding[Any],
        session: ClientSession | None = None,
    ) -> None:
        """Take the stream, which is open already."""
        self._stream = stream
        self._binding = binding
        self._session = session

    @property
    def resume_token(self) -> Mapping[str, Any] | None:
        """Where to go on after what was read last; None before anything is known."""
        return self._stream.resume_token

    @property
    def alive(self) -> bool:
        """Whether there may be more: not after `close()`, nor once the collection was dropped."""
        return self._stream.alive

    def try_next(self) -> Change[D] | None:
        """Return the next change, or None if there is none at the moment.

        Raises:
            AutoReferenceError: The document references one that is not stored. The change is in
                no way lost: `resume_after` with a token of before gives it again.
            pymongo.errors.PyMongoError: The driver can't go on.

        Example:
            >>> with db.documents(User).watch() as stream:
            ...     stream.try_next() is None
            True
        """
        event = self._stream.try_next()
        return None if event is None else self._change(event)

    def __iter__(self) -> Iterator[Change[D]]:
        return self

    def __next__(self) -> Change[D]:
        """Wait for the next change, and return it.

        Raises:
            StopIteration: The stream was closed, or the collection dropped.
        """
        return self._change(self._stream.next())

    next = __next__

    def close(self) -> None:
        """End the stream on the server; a loop over it ends.

        Example:
            >>> stream = db.documents(User).watch()
            >>> stream.close()
            >>> stream.alive
            False
        """
        self._stream.close()

    def __enter__(self) -> Self:
        """Return the stream; it is closed at the end of the block."""
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.close()

    def _change(self, event: Mapping[str, Any]) -> Change[D]:
        key = event.get("documentKey")
        description = event.get("updateDescription") or {}
        return Change(
            operation=event["operationType"],
            id=None if key is None else self._id(key["_id"]),
            document=self._document(event.get("fullDocument")),
            before=self._document(event.get("fullDocumentBeforeChange")),
            updated=dict(description.get("updatedFields") or {}),
            removed=list(description.get("removedFields") or ()),
            resume_token=event["_id"],
            cluster_time=event.get("clusterTime"),
            raw=event,
        )

    def _id(self, stored: Any) -> Any:
        convert = self._binding.model.to_python
        return stored if convert is None else convert({"_id": stored})["_id"]

    def _document(self, raw: Mapping[str, Any] | None) -> D | None:
        if raw is None:
            return None
        document: D = self._binding.hydrate(dict(raw), session=self._session)
        return document


def watch(
    binding: Binding[Any],
    pipeline: Sequence[Mapping[str, Any]] | None,
    *,
    session: ClientSession | None,
    options: Mapping[str, Any],
) -> ChangeStream[Any]:
    """See `Documents.watch`."""
    stream = binding.collection.watch(pipeline, session=session, **options)
    return ChangeStream(stream, binding, session)
