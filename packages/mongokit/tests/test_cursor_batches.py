"""Batches that are decoded a few documents at a time: all else is as the driver does it."""

from __future__ import annotations

import copy
import itertools
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import bson
import pytest
from bson import SON, CodecOptions
from bson.codec_options import TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from pymongo import CursorType, MongoClient
from pymongo.cursor import Cursor as PyMongoCursor
from pymongo.errors import CursorNotFound, OperationFailure
from pymongo.monitoring import CommandListener

from mongokit import Collection, Connection, Database, Document, _driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT = 700
BATCH = 300  # documents, about 60 KiB
NEW_YEAR = datetime(2024, 1, 1)  # noqa: DTZ001 - as the driver gives it


class Item(Document):
    structure = {"n": int, "text": str, "inner": {"at": datetime}}


class Owner(Document):
    structure = {"item": Item}
    use_autorefs = True


def content(n: int) -> dict[str, Any]:
    return {"_id": n, "n": n, "text": "x" * 120, "inner": {"at": NEW_YEAR}}


@pytest.fixture
def items(connection: Connection, col: Collection) -> Collection:
    """A collection with more documents than fit in one batch of the tests."""
    connection.register([Item, Owner])
    col.insert_many([content(n) for n in range(COUNT)])
    return col


@pytest.fixture
def plain(mongodb_uri: str, database_name: str) -> Iterator[Any]:
    """The same collection as PyMongo has it."""
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        yield client[database_name]["things"]


def in_chunks(cursor: Any) -> bool:
    """Whether a part of the cursor's batch is not decoded yet."""
    return cursor._rest is not None


def _ids(documents: Any) -> list[Any]:
    return [document["_id"] for document in documents]


# What is handed out.
def test_only_the_first_documents_of_a_batch_are_decoded_at_first(items: Collection) -> None:
    cursor = items.Item.find(batch_size=BATCH)

    next(cursor)

    buffer = _driver.buffer_of(cursor)
    assert in_chunks(cursor)
    assert buffer is not None
    assert len(buffer) == _driver.CHUNK_COUNT - 1


def test_all_documents_come_once_and_in_order(items: Collection, plain: Any) -> None:
    sizes = (0, 64, 150, BATCH, COUNT)
    limits = (0, 1, 64, 65, BATCH, BATCH + 1, COUNT, -150)
    for batch_size, limit in itertools.product(sizes, limits):
        query = {"batch_size": batch_size, "limit": limit, "sort": [("_id", 1)]}
        expected = list(plain.find(**query))

        assert list(items.Item.find(**query)) == expected
        assert items.Item.find(**query).to_list() == expected


def test_documents_are_of_the_class_and_equal_to_what_the_driver_decodes(
    items: Collection, plain: Any
) -> None:
    cursor = items.Item.find().sort("_id")

    found = list(cursor)

    assert found == list(plain.find().sort("_id"))
    assert {type(item) for item in found} == {Item}


@pytest.mark.parametrize("count", [64, 65, 127, 128, 129, BATCH])
def test_a_batch_that_ends_with_its_chunk_is_at_its_end(items: Collection, count: int) -> None:
    cursor = items.Item.find(limit=count, batch_size=COUNT)

    taken = sum(1 for _ in range(count) if next(cursor))

    assert taken == count
    assert not in_chunks(cursor)
    assert not cursor.alive
    with pytest.raises(StopIteration):
        next(cursor)


def test_large_documents_make_small_chunks(items: Collection) -> None:
    items.delete_many({})
    items.insert_many([{**content(n), "text": "x" * 50_000} for n in range(10)])
    cursor = items.Item.find().sort("_id")

    first = next(cursor)

    buffer = _driver.buffer_of(cursor)
    assert first["_id"] == 0
    assert buffer is not None
    assert len(buffer) == 1
    assert _ids(cursor) == list(range(1, 10))


def test_a_small_reply_is_decoded_by_the_driver(items: Collection) -> None:
    cursor = items.Item.find(limit=20)

    next(cursor)

    assert not in_chunks(cursor)
    assert len(list(cursor)) == 19


def test_an_empty_result_ends_at_once(items: Collection) -> None:
    assert list(items.Item.find({"n": -1})) == []
    assert list(items.Item.find()[5:5]) == []


# The state of the cursor, step by step.
@pytest.mark.parametrize("options", [{}, {"limit": 500}, {"limit": BATCH}, {"skip": 650}])
def test_the_state_is_the_drivers_own_at_every_step(
    items: Collection, plain: Any, options: dict[str, int]
) -> None:
    ours = items.Item.find(batch_size=BATCH, **options).sort("_id")
    drivers = plain.find(batch_size=BATCH, **options).sort("_id")

    def state(cursor: Any) -> Any:
        return (cursor.alive, cursor.retrieved, bool(cursor.cursor_id), cursor.session is None)

    assert state(ours) == state(drivers)
    for expected in drivers:
        assert next(ours) == expected
        assert state(ours) == state(drivers)
    with pytest.raises(StopIteration):
        next(ours)
    assert state(ours) == state(drivers)


@pytest.mark.parametrize("steps", [1, 63, 64, 65, 200, BATCH, BATCH + 1])
def test_a_closed_cursor_hands_out_what_it_has_received(
    items: Collection, plain: Any, steps: int
) -> None:
    ours = items.Item.find(batch_size=BATCH).sort("_id")
    drivers = plain.find(batch_size=BATCH).sort("_id")
    for _ in range(steps):
        next(ours)
        next(drivers)

    ours.close()
    drivers.close()

    assert list(ours) == list(drivers)
    assert (ours.alive, ours.retrieved) == (False, drivers.retrieved)


@pytest.mark.parametrize("steps", [1, 64, 65, 299, 300, 301])
def test_a_rewind_starts_again_also_inside_a_loop(items: Collection, steps: int) -> None:
    cursor = items.Item.find(batch_size=BATCH).sort("_id")
    loop = iter(cursor)
    assert [next(loop)["_id"] for _ in range(steps)] == list(range(steps))

    cursor.rewind()

    assert (cursor.retrieved, in_chunks(cursor)) == (0, False)
    assert _ids(loop) == list(range(COUNT))
    assert list(cursor) == []


@pytest.mark.parametrize("copied", [lambda c: c.clone(), copy.copy, copy.deepcopy])
def test_a_copy_starts_at_the_first_document_and_leaves_the_cursor_alone(
    items: Collection, copied: Callable[[Any], Any]
) -> None:
    cursor = items.Item.find(batch_size=BATCH).sort("_id")
    for _ in range(100):
        next(cursor)

    other = copied(cursor)

    assert not in_chunks(other)
    assert _ids(other) == list(range(COUNT))
    assert _ids(cursor) == list(range(100, COUNT))


def test_next_loops_and_to_list_share_one_position(items: Collection) -> None:
    cursor = items.Item.find(batch_size=BATCH).sort("_id")

    taken = [next(cursor)["_id"]]
    loop = iter(cursor)
    taken += [next(loop)["_id"] for _ in range(70)]
    taken += _ids(cursor.to_list(130))
    taken += [cursor.next()["_id"], next(loop)["_id"]]
    taken += _ids(cursor.to_list())

    assert taken == list(range(COUNT))
    assert cursor.to_list() == []


def test_a_with_block_closes_the_cursor(items: Collection) -> None:
    with items.Item.find(batch_size=BATCH) as cursor:
        next(cursor)

    assert len(list(cursor)) == BATCH - 1
    assert not cursor.alive


def test_an_index_gives_one_document_and_a_slice_its_part(items: Collection) -> None:
    assert items.Item.find().sort("_id")[650] == content(650)
    assert _ids(items.Item.find().sort("_id")[100:400]) == list(range(100, 400))


def test_explain_is_what_the_driver_gives(items: Collection, plain: Any) -> None:
    assert set(items.Item.find().explain()) == set(plain.find().explain())


# Kinds of cursors.
def test_a_tailable_cursor_ends_while_it_is_alive_and_goes_on(
    items: Collection, db: Database
) -> None:
    log = db.create_collection("log", capped=True, size=1_000_000)
    log.insert_many([content(n) for n in range(200)])
    cursor = log.Item.find(cursor_type=CursorType.TAILABLE)

    first = next(cursor)
    was_in_chunks = in_chunks(cursor)
    rest = _ids(cursor)
    was_alive = cursor.alive
    log.insert_one(content(200))
    more = _ids(cursor)
    cursor.close()

    assert (first["_id"], rest) == (0, list(range(1, 200)))
    assert (was_in_chunks, was_alive, more) == (True, True, [200])


def test_an_exhaust_cursor_gives_all_documents(items: Collection) -> None:
    cursor = items.Item.find(cursor_type=CursorType.EXHAUST, batch_size=BATCH).sort("_id")

    first = next(cursor)

    assert in_chunks(cursor)
    assert [first["_id"], *_ids(cursor)] == list(range(COUNT))
    assert items.find_one({"_id": 1}) == content(1)  # the connection is free again


def test_a_list_of_all_comes_from_whole_batches(items: Collection) -> None:
    cursor = items.Item.find(batch_size=BATCH).sort("_id")

    first = _ids(cursor.to_list(1))
    buffer = _driver.buffer_of(cursor)

    assert buffer is not None
    assert (first, len(buffer)) == ([0], BATCH - 1)
    assert _ids(cursor) == list(range(1, COUNT))


def test_raw_batches_are_the_drivers_own(items: Collection, plain: Any) -> None:
    def batches(collection: Any) -> list[bytes]:
        return list(collection.find_raw_batches(batch_size=BATCH).sort("_id"))

    assert batches(items) == batches(plain)
    assert len(batches(items)) == 3


def test_plain_dicts_come_from_whole_batches(items: Collection) -> None:
    cursor = items.find(batch_size=BATCH)

    next(cursor)

    buffer = _driver.buffer_of(cursor)
    assert buffer is not None
    assert len(buffer) == BATCH - 1


def test_documents_with_references_come_from_whole_batches(items: Collection, db: Database) -> None:
    item = items.Item.find_one({"_id": 1})
    assert item is not None
    db.owners.insert_many([{"_id": n, "item": item.get_dbref()} for n in range(BATCH)])
    cursor = db.owners.Owner.find(batch_size=BATCH).sort("_id")

    first = next(cursor)

    assert first["item"] == content(1)
    assert not in_chunks(cursor)
    assert len(list(cursor)) == BATCH - 1


# Sessions.
def test_a_given_session_is_used_and_learns_the_clusters_time(
    items: Collection, connection: Connection
) -> None:
    with connection.start_session() as session:
        cursor = items.Item.find(batch_size=BATCH, session=session)

        next(cursor)

        assert in_chunks(cursor)
        assert cursor.session is session
        assert session.cluster_time is not None
        assert all(
            isinstance(value, (dict, bson.Timestamp)) for value in session.cluster_time.values()
        )
        assert session.operation_time is not None
        assert len(list(cursor)) == COUNT - 1
        assert not session.has_ended


def test_a_transaction_reads_its_own_writes(items: Collection, connection: Connection) -> None:
    with connection.start_session() as session, session.start_transaction():
        items.insert_one(content(COUNT), session=session)

        found = _ids(items.Item.find(batch_size=BATCH, session=session).sort("_id"))

    assert found == list(range(COUNT + 1))


# Who else sees a reply.
class Listener(CommandListener):
    def __init__(self) -> None:
        self.replies: list[Any] = []

    def started(self, event: Any) -> None:
        """Nothing of interest."""

    def failed(self, event: Any) -> None:
        """Nothing of interest."""

    def succeeded(self, event: Any) -> None:
        if event.command_name in ("find", "getMore"):
            self.replies.append(event.reply)


def test_command_listeners_see_the_documents(
    items: Collection, mongodb_uri: str, database_name: str
) -> None:
    listener = Listener()
    with Connection(mongodb_uri, event_listeners=[listener]) as client:
        client.register(Item)
        found = list(client[database_name]["things"].Item.find(batch_size=BATCH).sort("_id"))

    assert len(found) == COUNT
    assert [type(reply["cursor"].get("firstBatch", [])) for reply in listener.replies] == [list] * 3
    seen = [
        document
        for reply in listener.replies
        for document in reply["cursor"].get("firstBatch") or reply["cursor"]["nextBatch"]
    ]
    assert seen == found


def test_listener_that_reads_no_replies_leaves_the_decoding_in_chunks(
    items: Collection, mongodb_uri: str, database_name: str
) -> None:
    class Counting(Listener):
        reads_no_replies = True

    listener = Counting()
    with Connection(mongodb_uri, event_listeners=[listener]) as client:
        client.register(Item)
        cursor = client[database_name]["things"].Item.find(batch_size=BATCH).sort("_id")
        next(cursor)
        chunked = in_chunks(cursor)
        rest = list(cursor)

    assert chunked
    assert len(rest) == COUNT - 1
    assert len(listener.replies) == 3


def test_the_debug_log_shows_the_documents(
    items: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="pymongo.command"):
        cursor = items.Item.find(batch_size=BATCH).sort("_id")
        next(cursor)

    shown = [r.getMessage() for r in caplog.records if "firstBatch" in r.getMessage()]
    assert not in_chunks(cursor)
    assert len(shown) == 1
    assert "xxxx" in shown[0]
    assert len(list(cursor)) == COUNT - 1


def test_client_side_encryption_gets_the_whole_reply(
    items: Collection, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Encrypter:
        _bypass_auto_encryption = True
        seen = 0

        def decrypt(self, reply: Any) -> bytes:
            Encrypter.seen += 1
            return bytes(reply)

        def close(self) -> None:
            """Nothing to close."""

    monkeypatch.setattr(connection, "_encrypter", Encrypter())
    cursor = items.Item.find(batch_size=BATCH).sort("_id")

    first = next(cursor)

    assert not in_chunks(cursor)
    assert [first["_id"], *_ids(cursor)] == list(range(COUNT))
    assert Encrypter.seen == 3


# Errors.
def test_a_servers_error_is_the_drivers_own(items: Collection, plain: Any) -> None:
    with pytest.raises(OperationFailure) as ours:
        list(items.Item.find({"$unknown": 1}))
    with pytest.raises(OperationFailure) as drivers:
        list(plain.find({"$unknown": 1}))

    assert ours.value.code == drivers.value.code
    assert type(ours.value.details) is type(drivers.value.details)
    assert ours.value.details is not None
    assert ours.value.details["errmsg"] == (drivers.value.details or {})["errmsg"]


def test_a_cursor_that_the_server_forgot_is_an_error_after_the_batch(items: Collection) -> None:
    cursor = items.Item.find(batch_size=BATCH).sort("_id")
    next(cursor)
    items.database.command("killCursors", items.name, cursors=[cursor.cursor_id])

    taken = [next(cursor)["_id"] for _ in range(BATCH - 1)]
    with pytest.raises(CursorNotFound):
        next(cursor)

    assert taken == list(range(1, BATCH))
    assert not cursor.alive
    assert list(cursor) == []


class Refusing(TypeDecoder):
    bson_type = int

    def __init__(self, refused: int) -> None:
        self.refused = refused

    def transform_bson(self, value: int) -> int:
        if value == self.refused:
            raise ValueError("refused")
        return value


@pytest.mark.parametrize(("refused", "before"), [(10, 0), (63, 0), (64, 64), (250, 192)])
def test_a_document_that_can_not_be_decoded_is_an_error_when_its_chunk_is_reached(
    items: Collection, refused: int, before: int
) -> None:
    options: Any = CodecOptions(type_registry=TypeRegistry([Refusing(refused)]))
    cursor = items.with_options(codec_options=options).Item.find(batch_size=BATCH).sort("n")
    taken: list[int] = []

    with pytest.raises(ValueError, match="refused"):
        taken.extend(document["n"] for document in cursor)

    assert taken == list(range(before))
    assert not cursor.alive
    assert list(cursor) == []


@pytest.mark.parametrize("length", [-5, 0, 4, 10**8, 2**31 - 1])
def test_a_malformed_reply_is_left_to_the_driver(length: int) -> None:
    reply = bson.encode({"cursor": {"firstBatch": [content(n) for n in range(200)], "id": 0}})
    at = reply.index(b"\x03100\0") + 5
    malformed = reply[:at] + length.to_bytes(4, "little", signed=True) + reply[at + 4 :]

    assert _driver._split(reply, bson.DEFAULT_CODEC_OPTIONS) is not None
    assert _driver._split(malformed, bson.DEFAULT_CODEC_OPTIONS) is None


@pytest.mark.parametrize("reply", [{"ok": 1}, {"cursor": 1}, {"cursor": {"firstBatch": [{}, 1]}}])
def test_another_reply_is_left_to_the_driver(reply: dict[str, Any]) -> None:
    assert _driver._split(bson.encode(reply), bson.DEFAULT_CODEC_OPTIONS) is None


# Codec options.
class Upper(TypeDecoder):
    bson_type = str

    def transform_bson(self, value: str) -> str:
        return value.upper()


@pytest.mark.parametrize(
    "options",
    [
        CodecOptions(tz_aware=True, tzinfo=UTC),
        CodecOptions(document_class=SON),
        CodecOptions(type_registry=TypeRegistry([Upper()])),
        CodecOptions(document_class=SON, type_registry=TypeRegistry([Upper()])),
    ],
    ids=["tz_aware", "document_class", "type_registry", "both"],
)
def test_codec_options_count_as_for_the_driver(
    items: Collection, plain: Any, options: CodecOptions[Any]
) -> None:
    expected = list(plain.with_options(codec_options=options).find().sort("_id"))
    cursor = items.with_options(codec_options=options).Item.find(batch_size=BATCH).sort("_id")

    first = next(cursor)

    assert in_chunks(cursor)
    found = [first, *cursor]
    assert found == expected
    assert type(found[-1]["inner"]) is type(expected[-1]["inner"])
    assert found[-1]["inner"]["at"].tzinfo == expected[-1]["inner"]["at"].tzinfo


def test_raw_documents_stay_raw(items: Collection) -> None:
    options: Any = CodecOptions(document_class=RawBSONDocument)
    cursor = items.with_options(codec_options=options).Item.find(batch_size=BATCH).sort("_id")

    found = list(cursor)

    assert not in_chunks(cursor)
    assert found[-1]["n"] == COUNT - 1
    assert isinstance(found[-1]["inner"], RawBSONDocument)


# The public way beside it.
def test_this_pymongo_has_the_private_names() -> None:
    assert _driver._CHUNKS_WORK


@pytest.mark.parametrize("name", ["next", "_next_batch", "_unpack_response", "__init__"])
def test_a_driver_that_works_another_way_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(PyMongoCursor, name, lambda *args, **kwargs: None)

    assert not _driver._is_as_known()


@pytest.mark.parametrize("name", ["_array_of_documents_to_buffer"])
def test_a_name_that_is_missing_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(_driver, name, None)

    assert not _driver._is_as_known()


def test_without_the_private_names_whole_batches_come(
    items: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_driver, "_CHUNKS_WORK", False)
    cursor = items.Item.find(batch_size=BATCH).sort("_id")

    first = next(cursor)

    assert not in_chunks(cursor)
    assert [first["_id"], *_ids(cursor)] == list(range(COUNT))
