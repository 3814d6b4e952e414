"""`watch` of a manager: typed change events, with the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson import Timestamp
from pymongo.errors import OperationFailure

from mongokit import (
    AutoReferenceError,
    Change,
    ChangeStream,
    Connection,
    Database,
    Document,
    Documents,
    Set,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.replica_set


class User(Document):
    __collection__ = "users"
    structure = {"name": str, "age": int, "tags": Set(str), "friend": "User", "_type": str}
    use_autorefs = True
    use_dot_notation = True


class Admin(User):
    structure = {"rights": [str]}


@pytest.fixture
def users(connection: Connection, db: Database) -> Documents[User]:
    connection.register([User, Admin])
    return db.documents(User)


@pytest.fixture
def stream(users: Documents[User]) -> Iterator[ChangeStream[User]]:
    with users.watch() as opened:
        yield opened


def new(users: Documents[User], identity: Any, **fields: Any) -> User:
    content = {"name": "Ada", "age": 36, "tags": {"a"}, "friend": None, "_type": "User"}
    user = users({"_id": identity, **content, **fields})
    user.save()
    return user


def test_changes_come_in_order_with_their_documents(
    users: Documents[User], stream: ChangeStream[User]
) -> None:
    user = new(users, 1)
    user.patch(age=37, unset=[], add_to_set={"tags": "b"})
    user["name"] = "Grace"
    user.save()
    user.delete()

    insert, update, replace, delete = (next(stream) for _ in range(4))

    assert [change.operation for change in (insert, update, replace, delete)] == [
        *("insert", "update", "replace", "delete"),
    ]
    assert {change.id for change in (insert, update, replace, delete)} == {1}
    assert type(insert.document) is User
    assert insert.document.tags == {"a"}
    assert insert.document.collection is users.collection
    assert (update.updated["age"], update.removed) == (37, [])
    assert update.document is None  # it was gone when it was looked up
    assert replace.document is not None
    assert replace.document.name == "Grace"
    assert (delete.document, delete.updated, delete.removed) == (None, {}, [])
    assert isinstance(delete.cluster_time, Timestamp)
    assert delete.raw["operationType"] == "delete"


def test_document_of_an_update_is_looked_up(
    users: Documents[User], stream: ChangeStream[User]
) -> None:
    new(users, 1)
    users.collection.update_one({"_id": 1}, {"$set": {"age": 40}, "$unset": {"name": ""}})

    next(stream)
    update = next(stream)

    assert (update.updated, update.removed) == ({"age": 40}, ["name"])
    assert update.document is not None
    assert update.document.age == 40


def test_nothing_new_is_none_and_does_not_wait(stream: ChangeStream[User]) -> None:
    assert stream.try_next() is None
    assert stream.alive
    assert stream.resume_token is not None


def test_stream_goes_on_after_a_token(users: Documents[User], stream: ChangeStream[User]) -> None:
    for number in range(3):
        new(users, number)
    first = next(stream)
    stream.close()

    with users.watch(resume_after=first.resume_token) as resumed:
        rest = [next(resumed), next(resumed)]

    assert [change.id for change in rest] == [1, 2]
    assert not stream.alive
    assert list(stream) == []


def test_events_are_chosen_by_a_pipeline(users: Documents[User]) -> None:
    with users.watch([{"$match": {"operationType": "delete"}}], full_document=None) as stream:
        new(users, 1).delete()
        change = stream.try_next()

    assert change is not None
    assert change.operation == "delete"


def test_full_document_is_left_out_when_asked(users: Documents[User]) -> None:
    user = new(users, 1)

    with users.watch(full_document=None) as stream:
        user.patch(age=1)
        change = next(stream)

    assert (change.document, change.updated) == (None, {"age": 1})


def test_only_this_collection_is_watched(
    users: Documents[User], db: Database, stream: ChangeStream[User]
) -> None:
    db["others"].insert_one({"_id": 5})
    new(users, 1)

    assert next(stream).id == 1
    assert stream.try_next() is None


def test_documents_are_of_the_class_that_they_name_and_have_their_references(
    users: Documents[User], db: Database, stream: ChangeStream[User]
) -> None:
    friend = new(users, 1)
    admin = db.documents(Admin)({**friend, "_id": 2, "friend": friend, "rights": ["all"]})
    admin.save()

    next(stream)
    change = next(stream)

    assert type(change.document) is Admin
    assert type(change.document["friend"]) is User
    assert change.document["friend"] == friend


def test_missing_reference_is_an_error_and_the_stream_goes_on(
    users: Documents[User], stream: ChangeStream[User]
) -> None:
    friend = new(users, 1)
    new(users, 2, friend=friend)
    friend.delete()
    next(stream)
    token = stream.resume_token

    with pytest.raises(AutoReferenceError):
        next(stream)

    assert next(stream).operation == "delete"
    with users.watch(resume_after=token) as again, pytest.raises(AutoReferenceError):
        next(again)


def test_document_before_the_change_is_there_where_the_collection_keeps_it(
    users: Documents[User], db: Database
) -> None:
    db.create_collection("users", changeStreamPreAndPostImages={"enabled": True})
    user = new(users, 1)

    with users.watch(full_document_before_change="whenAvailable") as stream:
        user.patch(age=40)
        user.delete()
        changes: list[Change[User]] = [next(stream), next(stream)]

    ages = [change.before["age"] for change in changes if change.before]
    assert ages == [36, 40]


def test_dropped_collection_ends_the_stream(
    users: Documents[User], stream: ChangeStream[User]
) -> None:
    new(users, 1)
    users.collection.drop()

    seen = [(change.operation, change.id) for change in stream]

    assert seen == [("insert", 1), ("drop", None), ("invalidate", None)]
    assert not stream.alive


def test_token_that_means_nothing_is_the_servers_error(users: Documents[User]) -> None:
    with pytest.raises(OperationFailure):
        users.watch(resume_after={"_data": "nonsense"})


def test_changes_are_read_in_a_session(users: Documents[User], connection: Connection) -> None:
    with connection.start_session() as session, users.watch(session=session) as stream:
        new(users, 1)
        change = next(stream)

    assert change.document is not None
    assert change.document["_id"] == 1


class Watched(Document):
    structure = {"name": str}

    def watch(self) -> str:
        return "mine"


def test_class_with_a_watch_of_its_own_keeps_it(db: Database) -> None:
    manager: Any = db["watched"].documents(Watched)

    assert manager.watch() == "mine"
