"""PyMongo's private names: all that the mapper needs of them, each with a public way beside it.

Private names change without notice, so no other module uses one. Where a name is missing, or is
not what it was, the public way gives the same result, only slower. Compared with the sources of
PyMongo 4.9 and 4.20; the tests were run on 4.9, 4.11, 4.13, 4.16 and 4.20.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymongo import MongoClient
    from pymongo.cursor import Cursor

T = TypeVar("T")

# MongoDB manual, Limits and Thresholds: the maximum BSON document size is 16 mebibytes.
DEFAULT_MAX_BSON_SIZE = 16 * 1024 * 1024

_QUERY_NAMES = (
    *("_spec", "_skip", "_limit", "_empty", "_max_time_ms"),
    *("_hint", "_collation", "_comment", "_let"),
)


def buffer_of(cursor: Cursor[Any]) -> deque[Any] | None:
    """Return the documents that the cursor has received and not handed out yet.

    It is the cursor's own buffer, not a copy: what is taken from its left end is handed out.
    The cursor replaces it when it asks for a batch and when it is rewound, so ask again after
    every step.

    Args:
        cursor: Any cursor of PyMongo.

    Returns:
        The buffer, or None when this PyMongo keeps its documents another way.

    Example:
        >>> len(buffer_of(collection.find()))
        0
    """
    buffer = getattr(cursor, "_data", None)
    return buffer if isinstance(buffer, deque) else None


def documents(
    cursor: Cursor[Any], advance: Callable[[], Any], convert: Callable[[Any], T]
) -> Iterator[T]:
    """Yield the cursor's documents, converted, at the cost of one driver call per batch.

    The driver's own `next` asks for each batch and so decides about tailable and exhaust cursors,
    limits, closing and errors; the rest of the batch is taken from the cursor's buffer. A document
    leaves the buffer as it is yielded: `next(cursor)`, `alive`, `rewind()` and `close()` may be
    mixed in between two documents.

    Args:
        cursor: The cursor.
        advance: The driver's `next`, bound to this cursor; raises StopIteration at the end.
        convert: Makes what is yielded out of a document as the driver decoded it.

    Yields:
        The converted documents. The generator ends where `advance` ends, so on a tailable cursor
        a new one can go on.

    Raises:
        pymongo.errors.PyMongoError: What the driver's `next` raises.

    Example:
        >>> cursor = db.users.find()
        >>> [user.name for user in documents(cursor, cursor.next, User)]
        ['Ada', 'Grace']
    """
    while True:
        try:
            document = advance()
        except StopIteration:
            return
        yield convert(document)
        buffer = buffer_of(cursor)
        if buffer is not None:
            # Compared at each step: a rewind between two documents gives the cursor a new buffer.
            while buffer and cursor._data is buffer:
                yield convert(buffer.popleft())


def count(cursor: Cursor[Any], with_limit_and_skip: bool = False) -> int:
    """Count the documents that the cursor's query matches.

    Args:
        cursor: The cursor; it may have been read already, and is not changed.
        with_limit_and_skip: Count only what the cursor's own `skip` and `limit` leave.

    Returns:
        The number of documents.

    Raises:
        pymongo.errors.OperationFailure: The server refuses the filter in a count, as with
            `$where` and `$near`.

    Example:
        >>> count(db.users.find({"age": {"$gt": 30}}).limit(1))
        2
    """
    query = _query_of(cursor)
    if query is None:
        clone = cursor.clone()
        if not with_limit_and_skip:
            clone = clone.skip(0).limit(0)
        return sum(1 for _ in clone)
    options = {name: query[f"_{name}"] for name in ("hint", "collation", "comment", "let")}
    options["maxTimeMS"] = query["_max_time_ms"]
    if with_limit_and_skip:
        if query["_empty"]:
            return 0
        # A negative limit means as many documents, in one batch.
        options |= {"skip": query["_skip"] or None, "limit": abs(query["_limit"]) or None}
    given = {name: value for name, value in options.items() if value is not None}
    return cursor.collection.count_documents(query["_spec"], session=cursor.session, **given)


def _query_of(cursor: Cursor[Any]) -> dict[str, Any] | None:
    """The private names that `count` needs, or None when one of them is missing."""
    state = vars(cursor)
    if any(name not in state for name in _QUERY_NAMES):
        return None
    return {name: state[name] for name in _QUERY_NAMES}


def max_bson_size(client: MongoClient[Any]) -> int:
    """Return the largest document in bytes that the client's servers take.

    Read from what the driver has learnt by its `hello` commands: no command is sent and nothing
    is waited for.

    Args:
        client: The client.

    Returns:
        The smallest limit among the known servers; MongoDB's default, 16 MiB, when none is known
        yet.

    Example:
        >>> max_bson_size(connection)
        16777216
    """
    servers = client.topology_description.server_descriptions().values()
    known = (server.max_bson_size for server in servers if server.is_server_type_known)
    return min(known, default=DEFAULT_MAX_BSON_SIZE)
