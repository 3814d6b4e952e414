"""PyMongo's own sessions, transactions and change streams: the same on its client and on ours."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from bson import DBRef
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.errors import ConfigurationError, InvalidOperation, OperationFailure
from pymongo.read_concern import ReadConcern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymongo.change_stream import ChangeStream
    from pymongo.collection import Collection

Doc = dict[str, Any]


@pytest.fixture
def session(any_client: MongoClient[Doc]) -> Iterator[ClientSession]:
    with any_client.start_session() as session:
        yield session


def _ids(collection: Collection[Doc]) -> list[Any]:
    return sorted(document["_id"] for document in collection.find())


# sessions
def test_a_session_belongs_to_its_client_and_ends(
    any_client: MongoClient[Doc], any_col: Collection[Doc]
) -> None:
    with any_client.start_session() as session:
        assert isinstance(session, ClientSession)
        assert session.client is any_client
        assert session.options.causal_consistency
        any_col.insert_one({"_id": 1}, session=session)
        assert session.operation_time is not None
        assert session.cluster_time is not None

    assert session.has_ended
    with pytest.raises(InvalidOperation, match="Cannot use ended session"):
        any_col.find_one(session=session)


def test_every_call_takes_a_session(session: ClientSession, any_col: Collection[Doc]) -> None:
    db = any_col.database
    any_col.insert_many([{"_id": n, "a": n} for n in range(3)], session=session)

    assert any_col.find(session=session).session is session
    assert any_col.find_one({"_id": 1}, session=session) == {"_id": 1, "a": 1}
    assert any_col.count_documents({}, session=session) == 3
    assert sorted(any_col.distinct("a", session=session)) == [0, 1, 2]
    assert any_col.update_one({"_id": 1}, {"$set": {"a": 9}}, session=session).modified_count == 1
    assert any_col.replace_one({"_id": 2}, {"a": 9}, session=session).modified_count == 1
    assert any_col.delete_one({"_id": 0}, session=session).deleted_count == 1
    assert any_col.create_index("a", session=session) == "a_1"
    assert len(list(any_col.aggregate([], session=session))) == 2
    assert len(list(any_col.list_indexes(session=session))) == 2
    assert db.dereference(DBRef("things", 1), session) == {"_id": 1, "a": 9}
    assert db.dereference(DBRef("things", 1), session=session) == {"_id": 1, "a": 9}
    assert db.command("ping", session=session)["ok"] == 1.0
    assert db.list_collection_names(session=session) == ["things"]
    assert db.name in any_col.database.client.list_database_names(session=session)
    any_col.drop(session=session)


def test_a_session_of_another_client_is_refused(
    session: ClientSession, any_client: MongoClient[Doc], mongodb_uri: str
) -> None:
    with (
        type(any_client)(mongodb_uri) as other,
        pytest.raises(InvalidOperation, match=r"Can only use session with the \w+ that started it"),
    ):
        other["a"]["b"].find_one(session=session)


# transactions
def test_a_transaction_is_seen_by_others_when_it_is_committed(
    session: ClientSession, any_col: Collection[Doc]
) -> None:
    any_col.insert_one({"_id": 0})

    with session.start_transaction():
        any_col.insert_one({"_id": 1}, session=session)
        inside = any_col.count_documents({}, session=session)
        outside = any_col.count_documents({})
        was_in_it = session.in_transaction

    assert (inside, outside, was_in_it, session.in_transaction) == (2, 1, True, False)
    assert _ids(any_col) == [0, 1]


def test_an_exception_in_the_block_aborts_the_transaction(
    session: ClientSession, any_col: Collection[Doc]
) -> None:
    any_col.insert_one({"_id": 0})

    with suppress(ZeroDivisionError), session.start_transaction():
        any_col.insert_one({"_id": 1}, session=session)
        any_col.delete_many({"_id": 1 // 0}, session=session)

    assert _ids(any_col) == [0]
    with pytest.raises(InvalidOperation, match="after calling abortTransaction"):
        session.commit_transaction()


def test_a_transaction_takes_its_own_concerns(
    session: ClientSession, any_col: Collection[Doc]
) -> None:
    with session.start_transaction(
        read_concern=ReadConcern("snapshot"),
        write_concern=WriteConcern("majority"),
        read_preference=ReadPreference.PRIMARY,
        max_commit_time_ms=5000,
    ):
        any_col.insert_one({"_id": 1}, session=session)
    with pytest.raises(ConfigurationError, match="unacknowledged"):
        session.start_transaction(write_concern=WriteConcern(w=0))
    with session.start_transaction():
        with pytest.raises(InvalidOperation, match="Transaction already in progress"):
            session.start_transaction()
        any_col.insert_one({"_id": 2}, session=session)

    assert _ids(any_col) == [1, 2]


def test_with_transaction_commits_and_returns_what_the_callback_does(
    session: ClientSession, any_col: Collection[Doc]
) -> None:
    def write(session: ClientSession) -> str:
        any_col.insert_one({"_id": 1}, session=session)
        any_col.database["others"].insert_one({"_id": 2}, session=session)
        return "done"

    assert session.with_transaction(write) == "done"
    assert (_ids(any_col), _ids(any_col.database["others"])) == ([1], [2])


def test_with_transaction_tries_again_after_a_transient_error(
    session: ClientSession, any_col: Collection[Doc]
) -> None:
    tries: list[int] = []

    def write(session: ClientSession) -> None:
        tries.append(1)
        any_col.insert_one({"_id": len(tries)}, session=session)
        if len(tries) < 3:
            raise OperationFailure("again", 112, {"errorLabels": ["TransientTransactionError"]})

    session.with_transaction(write)

    assert _ids(any_col) == [3]


# change streams
@pytest.mark.parametrize(
    "watched",
    [lambda col: col, lambda col: col.database, lambda col: col.database.client],
    ids=["collection", "database", "client"],
)
def test_a_change_stream_tells_what_happened(
    any_col: Collection[Doc], watched: Callable[[Collection[Doc]], Any]
) -> None:
    pipeline = [{"$match": {"ns.db": any_col.database.name}}]

    with watched(any_col).watch(pipeline, full_document="updateLookup") as stream:
        any_col.insert_one({"_id": 1})
        any_col.update_one({"_id": 1}, {"$set": {"a": 1}})
        changes = [next(stream), next(stream)]
        any_col.delete_one({"_id": 1})
        changes.append(next(stream))

    assert [change["operationType"] for change in changes] == ["insert", "update", "delete"]
    assert changes[0]["fullDocument"] == {"_id": 1}
    assert changes[1]["fullDocument"] == {"_id": 1, "a": 1}
    assert changes[2]["documentKey"] == {"_id": 1}


def _next_within(stream: ChangeStream[Doc], tries: int = 200) -> Doc | None:
    """The next change, asked for until it is there."""
    for _ in range(tries):
        if (change := stream.try_next()) is not None:
            return dict(change)
    return None


def test_a_change_stream_starts_again_after_a_change(any_col: Collection[Doc]) -> None:
    with any_col.watch(max_await_time_ms=50) as stream:
        assert stream.try_next() is None
        any_col.insert_many([{"_id": 1}, {"_id": 2}])
        first = _next_within(stream)
        assert first is not None
        token = stream.resume_token

    with any_col.watch(resume_after=token, max_await_time_ms=50) as stream:
        second = _next_within(stream)

    assert not stream.alive
    assert (first["fullDocument"], second and second["fullDocument"]) == ({"_id": 1}, {"_id": 2})
