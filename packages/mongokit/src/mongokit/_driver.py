"""PyMongo's private names: all that the mapper needs of them, each with a public way beside it.

Private names change without notice, so no other module uses one. Where a name is missing, or is
not what it was, the public way gives the same result, only slower. Compared with the sources of
PyMongo 4.9 and 4.20; the tests were run on 4.9, 4.11, 4.13, 4.16 and 4.20.
"""

from __future__ import annotations

import logging
import struct
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.cursor import Cursor
from pymongo.monitoring import CommandListener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bson.codec_options import CodecOptions

T = TypeVar("T")
D = TypeVar("D", bound=Mapping[str, Any])

# MongoDB manual, Limits and Thresholds: the maximum BSON document size is 16 mebibytes.
DEFAULT_MAX_BSON_SIZE = 16 * 1024 * 1024

# What is decoded at a time: so many documents, or as many as reach this size in bytes.
CHUNK_COUNT = 64
CHUNK_SIZE = 64 * 1024
# A reply that is smaller in bytes is decoded whole, by the driver.
CHUNKED_FROM = 16 * 1024

# BSON specification, 1.1: types of elements, what a value of a fixed size takes in bytes, and the
# types whose value begins with its length.
_DOCUMENT = 3
_ARRAY = 4
_VALUE_SIZES = {1: 8, 6: 0, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16}
_STRINGS = {2, 13, 14}
_SMALLEST = 5
_EMPTY = b"\5\0\0\0\0"
_LENGTH = struct.Struct("<i")
_length_at = _LENGTH.unpack_from
_array_of_documents_to_buffer: Any = getattr(bson, "_array_of_documents_to_buffer", None)
_command_log = logging.getLogger("pymongo.command")

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


class ChunkedCursor(Cursor[D]):
    """PyMongo's cursor, which can decode the documents of a batch a few at a time.

    PyMongo decodes a whole batch, up to 16 MiB, before it hands out the first document. All of
    them are alive then: the collector of cyclic garbage walks over them again and again, and none
    is in the processor's cache any more when its turn comes. That costs more than the decoding.
    Here the batch stays bytes, as for PyMongo's own `find_raw_batches`, and `_refresh`, which
    the driver calls whenever its buffer is empty, decodes the next chunk before it asks the server
    for another batch. All else is the driver's: which batches, limits, closing, errors.

    The difference that can be seen: a document that can't be decoded is an error when its chunk
    is reached, no longer when its batch is.

    The driver decodes as ever where someone else is to see the reply as it is (command listeners,
    debug logs, client-side encryption), where documents stay raw, and where this PyMongo is not
    made as described.
    """

    _unpacking: bool = False
    _unpacked: _Batch | None = None  # by the call of `_refresh` that is running
    _rest: _Batch | None = None  # what is still to be decoded of the last batch

    def _wants_chunks(self) -> bool:
        """Whether this cursor's documents are decoded in chunks; not unless a subclass says so."""
        return False

    def _refresh(self) -> int:
        if self._rest is not None and not self._data:
            return self._next_chunk(self._rest)
        self._unpacking = _CHUNKS_WORK and self._wants_chunks()
        if not self._unpacking:
            return super()._refresh()
        try:
            return super()._refresh()
        finally:
            # Also after an error: what the driver has put into its buffer will be handed out.
            if self._data and self._unpacked is not None and self._unpacked.is_left:
                self._rest = self._unpacked
            self._unpacking = False
            self._unpacked = None

    def _next_chunk(self, batch: _Batch) -> int:
        self._rest = None
        try:
            self._data = deque(batch.take())
        except BaseException:
            self.close()  # as the driver does
            raise
        if batch.is_left:
            self._rest = batch
        return len(self._data)

    def _unpack_response(
        self,
        response: Any,
        cursor_id: int | None,
        codec_options: CodecOptions[Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        # Called inside `_refresh`, as often as the driver tries: only the last result counts.
        self._unpacked = None
        if self._unpacking and self._may_chunk(response, codec_options):
            split = _split(response.raw_command_response(), codec_options)
            if split is not None:
                reply, self._unpacked = split
                return [reply]
        return super()._unpack_response(response, cursor_id, codec_options, *args, **kwargs)

    def _may_chunk(self, response: Any, codec_options: CodecOptions[Any]) -> bool:
        """Whether nobody but this cursor is to see what is in the reply, and it is worth it."""
        client: Any = self.collection.database.client
        listeners = client._event_listeners
        return (
            len(response.raw_command_response()) >= CHUNKED_FROM
            and not self._explain
            and not issubclass(codec_options.document_class, RawBSONDocument)
            and not client._encrypter
            and listeners is not None
            and not (listeners.enabled_for_commands and _reads_replies(listeners))
            and not _command_log.isEnabledFor(logging.DEBUG)
        )

    @property
    def alive(self) -> bool:
        """Whether there may be more documents, as PyMongo says it.

        Example:
            >>> db.users.find().alive
            True
        """
        return self._rest is not None or super().alive

    def rewind(self) -> Self:
        """Start again from the first document.

        Example:
            >>> users = db.users.find().sort("name")
            >>> users.next()["name"], users.rewind().next()["name"]
            ('Ada', 'Ada')
        """
        self._rest = None
        super().rewind()
        return self


class _Batch:
    """The documents of a batch, of which the driver sees the first chunk, and the whole length.

    Args:
        array: The documents as an array of BSON.
        ends: Where each chunk ends there.
        count: The number of documents.
        options: How they are decoded.

    Raises:
        bson.errors.InvalidBSON: One of the first chunk can't be decoded.
    """

    __slots__ = ("_array", "_count", "_ends", "_first", "_options", "_start")

    def __init__(
        self, array: memoryview, ends: deque[int], count: int, options: CodecOptions[Any]
    ) -> None:
        self._array = array
        self._options = options
        self._start = _LENGTH.size
        self._ends = ends
        self._count = count
        self._first = self.take() if ends else []

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        first, self._first = self._first, []  # not kept alive by the batch
        return iter(first)

    @property
    def is_left(self) -> bool:
        return bool(self._ends)

    def take(self) -> list[Any]:
        """Return the next chunk, decoded."""
        start, self._start = self._start, self._ends.popleft()
        elements = self._array[start : self._start]
        # Copied as an array of its own: a copy that fits into the processor's cache, and into
        # memory that the process has already, costs next to nothing; one of a whole batch does.
        array = b"".join((_LENGTH.pack(len(elements) + _SMALLEST), elements, b"\0"))
        return bson.decode_all(_array_of_documents_to_buffer(array), self._options)


def _chunks_of(array: memoryview) -> tuple[deque[int], int] | None:
    """Return where each chunk of an array's documents ends, and the number of documents.

    None means that the array is malformed, or not all of documents: PyMongo 4.9 crashes on such a
    one when it makes a stream of it.
    """
    ends: deque[int] = deque()
    length_at, end = _length_at, len(array) - 1
    at, count, full, far = _LENGTH.size, 0, CHUNK_COUNT, CHUNK_SIZE
    digits, longer = 1, 10  # a key is its index in decimal
    try:
        while at < end:
            if count == longer:
                digits, longer = digits + 1, longer * 10
            value = at + digits + 2
            size = length_at(array, value)[0]
            if array[at] != _DOCUMENT or array[value - 1] or size < _SMALLEST:
                return None
            at = value + size
            count += 1
            if count == full or at >= far:
                ends.append(at)
                full, far = count + CHUNK_COUNT, at + CHUNK_SIZE
    except struct.error:  # it ends inside an element
        return None
    if at != end:
        return None
    if count and (not ends or ends[-1] < at):
        ends.append(at)
    return ends, count


def _elements(document: memoryview) -> Iterator[tuple[int, str, int, int]]:
    """Yield type, name, start and end of each value in a document of BSON.

    Ends early at a type that no reply of a server has.
    """
    at, end = _LENGTH.size, len(document) - 1
    while at < end:
        name, _, _ = bytes(document[at + 1 : at + 65]).partition(b"\0")
        kind, start = document[at], at + 2 + len(name)
        if kind in (_DOCUMENT, _ARRAY):
            at = start + _length_at(document, start)[0]
        elif kind in _STRINGS:
            at = start + _LENGTH.size + _length_at(document, start)[0]
        elif kind in _VALUE_SIZES:
            at = start + _VALUE_SIZES[kind]
        else:
            return
        yield kind, name.decode("utf-8", "replace"), start, at


def _reads_replies(listeners: Any) -> bool:
    """Whether a command listener may look at what is in a reply: all but those that say no."""
    return not all(
        getattr(each, "reads_no_replies", False)
        for each in listeners.event_listeners()
        if isinstance(each, CommandListener)
    )


def _split(
    payload: bytes | memoryview, options: CodecOptions[Any]
) -> tuple[dict[str, Any], _Batch] | None:
    """Return a cursor's reply with its documents as a `_Batch`, and that; None for any other.

    The batch is found in the reply's bytes and stays there: what is decoded is the reply with an
    empty array in its place.
    """
    reply = memoryview(payload)
    try:
        cursor = next(
            (found for found in _elements(reply) if found[:2] == (_DOCUMENT, "cursor")), None
        )
        if cursor is None:
            return None
        _, _, outer, outer_end = cursor
        found = next(
            (
                (name, outer + start, outer + end)
                for kind, name, start, end in _elements(reply[outer:outer_end])
                if kind == _ARRAY and name in ("firstBatch", "nextBatch")
            ),
            None,
        )
    except struct.error:  # it ends inside an element
        return None
    if found is None:
        return None
    key, start, end = found
    array = reply[start:end]
    chunks = _chunks_of(array)
    if chunks is None:
        return None
    batch = _Batch(array, *chunks, options)
    rest = bytearray(b"".join((reply[:start], _EMPTY, reply[end:])))
    for place in (0, outer):
        _LENGTH.pack_into(rest, place, _length_at(rest, place)[0] - (end - start) + _SMALLEST)
    plain: dict[str, Any] = bson.decode(bytes(rest))
    plain["cursor"][key] = batch
    return plain, batch


def _is_as_known() -> bool:
    """Whether this PyMongo has all the private names that `ChunkedCursor` needs, as they were."""
    refreshing = [getattr(Cursor, name, None) for name in ("next", "_next_batch")]
    return (
        all("_refresh" in _names_in(function) for function in refreshing)
        and "unpack_response" in _names_in(getattr(Cursor, "_unpack_response", None))
        and _array_of_documents_to_buffer is not None
        and {"_data", "_explain", "_retrieved"} <= _names_in(getattr(Cursor, "__init__", None))
        and {"_encrypter", "_event_listeners"} <= _names_in(MongoClient.__init__)
    )


def _names_in(function: Any) -> set[str]:
    """The names of attributes and globals in a function's body."""
    code = getattr(function, "__code__", None)
    return set() if code is None else set(code.co_names)


_CHUNKS_WORK = _is_as_known()


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
