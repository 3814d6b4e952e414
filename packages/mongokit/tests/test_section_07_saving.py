"""Section 7: saving, deleting, reloading; PyMongo one step away."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bson import DBRef, ObjectId
from pymongo import MongoClient, monitoring
from pymongo.errors import DuplicateKeyError

from mongokit import (
    Collection,
    Connection,
    Database,
    Document,
    OperationFailure,
    SchemaTypeError,
)


class User(Document):
    structure = {"name": str, "age": int, "tags": [str]}
    required_fields = ["name"]


@pytest.fixture(autouse=True)
def _registered(connection: Connection) -> None:
    connection.register(User)


def ada(**fields: Any) -> dict[str, Any]:
    return {"name": "Ada", "age": 36, "tags": ["math"], **fields}


def test_a_document_without_id_is_inserted_and_gets_an_object_id(col: Collection) -> None:
    user = col.User(ada())

    result = user.save()

    assert result is None
    assert isinstance(user["_id"], ObjectId)
    assert col.find_one() == user


def test_uuid_gives_a_readable_id(col: Collection) -> None:
    user = col.User(ada())
    user.save(uuid=True)

    assert re.fullmatch(r"User-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", user["_id"])
    assert col.find_one({"_id": user["_id"]}) == user


def test_uuid_keeps_an_id_that_is_there(col: Collection) -> None:
    user = col.User(ada(_id=7))
    user.save(uuid=True)

    assert user["_id"] == 7


def test_a_document_with_id_replaces_or_is_inserted(col: Collection) -> None:
    user = col.User(ada(_id="ada"))
    user.save()
    user["age"] = 37
    user.save()

    assert list(col.find()) == [ada(_id="ada", age=37)]


def test_the_content_is_the_same_objects_after_a_save(col: Collection) -> None:
    user = col.User(ada())
    tags = user["tags"]
    user.save()

    assert user["tags"] is tags


def test_an_invalid_document_is_not_saved(col: Collection) -> None:
    user = col.User(ada(age="old"))

    with pytest.raises(SchemaTypeError):
        user.save()

    assert user == ada(age="old")
    assert col.count_documents({}) == 0


def test_validation_can_be_left_out_and_forced(connection: Connection, col: Collection) -> None:
    class Trusting(User):
        skip_validation = True

    connection.register(Trusting)
    bad = ada(age="old")

    col.Trusting(bad).save()
    col.User(bad).save(validate=False)
    with pytest.raises(SchemaTypeError):
        col.Trusting(bad).save(validate=True)
    assert col.count_documents({}) == 2


def test_a_failed_save_leaves_the_document_and_the_database_as_they_were(col: Collection) -> None:
    col.create_index("name", unique=True)
    col.User(ada(_id=1)).save()
    new, other = col.User(ada()), col.User(ada(_id=2, name="Bob"))
    other.save()
    other["name"] = "Ada"

    for doc in (new, other):
        before = dict(doc)
        with pytest.raises(DuplicateKeyError):
            doc.save()
        assert doc == before

    assert [d["name"] for d in col.find().sort("_id")] == ["Ada", "Bob"]


def test_write_concern_options_and_session_are_taken(
    connection: Connection, col: Collection
) -> None:
    user = col.User(ada())
    with connection.start_session() as session, session.start_transaction():
        user.save(session=session)
        assert col.find_one() is None
        session.abort_transaction()
    assert col.count_documents({}) == 0

    col.User(ada(_id=1)).save(w=1, j=True)
    col.User(ada(_id=2)).save(True, None, True)
    assert col.count_documents({}) == 2


def test_an_unknown_argument_of_save_is_a_type_error(col: Collection) -> None:
    with pytest.raises(TypeError, match="surprise"):
        col.User(ada()).save(surprise=1)
    assert col.count_documents({}) == 0


def test_safe_false_is_not_acknowledged(mongodb_uri: str, database_name: str) -> None:
    seen: list[Any] = []

    class Listener(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name == "insert":
                seen.append(event.command.get("writeConcern"))

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

        def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    with Connection(mongodb_uri, event_listeners=[Listener()]) as client:
        client.register(User)
        client[database_name].things.User(ada()).save(safe=False)
        client[database_name].things.User(ada()).save()

    assert [concern and concern.get("w") for concern in seen] == [0, None]


def test_the_document_is_sent_as_one_encoding(col: Collection) -> None:
    user = col.User(ada())
    user.save()
    raw = col.with_options().find_one()

    assert raw is not None
    assert list(raw) == ["_id", "name", "age", "tags"]


def test_delete_removes_by_id(col: Collection) -> None:
    user, other = col.User(ada()), col.User(ada())
    user.save()
    other.save()

    user.delete()

    assert [d["_id"] for d in col.find()] == [other["_id"]]


def test_reload_replaces_the_content_with_what_is_stored(col: Collection) -> None:
    user = col.User(ada())
    user.save()
    col.update_one({}, {"$set": {"age": 40}, "$unset": {"tags": 1}})
    user["name"] = "changed"

    user.reload()

    assert user == {"_id": user["_id"], "name": "Ada", "age": 40}


def test_reload_without_id_is_a_key_error_and_without_document_an_operation_failure(
    col: Collection,
) -> None:
    with pytest.raises(KeyError):
        col.User(ada()).reload()
    user = col.User(ada(_id=1))
    with pytest.raises(OperationFailure):
        user.reload()
    assert user == ada(_id=1)


def test_get_dbref_names_collection_id_and_database(db: Database, col: Collection) -> None:
    user = col.User(ada())
    with pytest.raises(AssertionError, match="You must specify an '_id' for using this method"):
        user.get_dbref()
    user.save()

    assert user.get_dbref() == DBRef("things", user["_id"], db.name)


def test_pymongo_gives_and_takes_plain_dicts(col: Collection) -> None:
    col.insert_one({"anything": [1, {"goes": None}]})
    col.insert_one(col.User(ada()))

    assert {type(d) for d in col.find()} == {dict}
    assert type(col.find_one()) is dict


def test_data_round_trips_through_plain_pymongo(
    mongodb_uri: str, db: Database, col: Collection
) -> None:
    with MongoClient[dict[str, Any]](mongodb_uri) as plain:
        plain[db.name].things.insert_one(ada(_id=1))
        user = col.User.get_from_id(1)
        assert user is not None
        user["age"] += 1
        user.save()

        assert plain[db.name].things.find_one() == ada(_id=1, age=37)
