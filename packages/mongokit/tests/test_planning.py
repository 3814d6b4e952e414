"""The plan: what is declared beside what a server has, in words and as data, applied on command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from annotated_types import MaxLen
from pymongo.errors import OperationFailure

from mongokit import Connection, Document, UniqueIndexConflict

if TYPE_CHECKING:
    from mongokit import Database


class User(Document):
    __collection__ = "users"
    name: Annotated[str, MaxLen(50)]
    email: str
    indexes = [{"fields": "email", "unique": True}, {"fields": ["name", ("email", -1)]}]


class Loose(Document):
    structure = {"name": str}


@pytest.fixture(autouse=True)
def registered(connection: Connection) -> None:
    connection.register([User, Loose])


def test_nothing_is_there_yet(connection: Connection, db: Database) -> None:
    found = connection.plan(db)

    assert str(found).splitlines() == [
        "users: a collection to create",
        "  create the index email_1 (email 1, unique=True)",
        "  create the index name_1_email_-1 (name 1, email -1)",
    ]
    assert not found.is_empty
    assert db.list_collection_names() == []


def test_what_is_applied_is_no_longer_planned(connection: Connection, db: Database) -> None:
    done = connection.plan(db, validators="strict").apply()

    assert done == [
        "created users",
        "created users.email_1",
        "created users.name_1_email_-1",
        "set the validator of users",
    ]
    assert str(connection.plan(db, validators="strict")) == "nothing to do"
    assert connection.plan(db, validators="strict").is_empty
    assert connection.plan(db.name, validators="strict").apply() == []


def test_the_plan_is_data_too(connection: Connection, db: Database) -> None:
    db["users"].create_index("email")
    db["users"].create_index("old")

    found = json.loads(json.dumps(connection.plan(db, validators="warn").as_data()))

    (users,) = found["collections"]
    assert (users["collection"], users["classes"], users["exists"]) == ("users", ["User"], True)
    assert [each["name"] for each in users["indexes"]["missing"]] == ["name_1_email_-1"]
    (different,) = users["indexes"]["different"]
    assert different["changes"]["unique"] == {"declared": True, "stored": None}
    assert [each["name"] for each in users["indexes"]["unknown"]] == ["old_1"]
    assert users["validator"]["state"] == "missing"
    assert users["validator"]["declared"]["validationAction"] == "warn"


def test_what_is_different_or_unknown_stays_unless_asked_for(
    connection: Connection, db: Database
) -> None:
    db["users"].create_index("email")
    db["users"].create_index("old")

    connection.plan(db).apply()
    kept = sorted(db["users"].index_information())
    done = connection.plan(db).apply(replace=True, drop=True)

    assert kept == ["_id_", "email_1", "name_1_email_-1", "old_1"]
    assert done == ["dropped users.email_1", "created users.email_1", "dropped users.old_1"]
    assert connection.plan(db).is_empty
    assert sorted(db["users"].index_information()) == ["_id_", "email_1", "name_1_email_-1"]


def test_validators_are_left_alone_unless_asked_for(connection: Connection, db: Database) -> None:
    connection.plan(db).apply()

    assert connection.plan(db).is_empty
    assert "validator" not in db["users"].options()


@pytest.mark.parametrize(("wish", "action"), [("warn", "warn"), ("strict", "error")])
def test_a_validator_is_what_the_class_declares(
    connection: Connection, db: Database, wish: Any, action: str
) -> None:
    connection.plan(db, validators=wish).apply()

    options = db["users"].options()
    assert options["validator"] == {"$jsonSchema": User.mongo_schema()}
    assert options["validationAction"] == action
    bad = {"name": "n" * 51, "email": "a"}
    if wish == "warn":
        db["users"].insert_one(bad)
        return
    with pytest.raises(OperationFailure) as caught:
        db["users"].insert_one(bad)
    assert caught.value.code == 121


def test_documents_that_are_older_than_the_validator_may_be_changed(
    connection: Connection, db: Database
) -> None:
    db["users"].insert_one({"_id": 1, "name": "Ada"})

    connection.plan(db, validators="strict").apply()
    db["users"].update_one({"_id": 1}, {"$set": {"name": "Eva"}})

    assert db["users"].find_one(1) == {"_id": 1, "name": "Eva"}


def test_a_changed_declaration_changes_the_validator(connection: Connection, db: Database) -> None:
    connection.plan(db, validators="strict").apply()

    class Changed(Document):
        __collection__ = "users"
        name: str
        email: str
        phone: str | None = None
        indexes = User.indexes

    plan = connection.plan(db, validators="strict", classes=[Changed])

    assert str(plan).splitlines() == [
        "users:",
        "  change the validator (error): phone is new, name is another",
    ]
    assert plan.apply() == ["set the validator of users"]
    db.documents(Changed)(name="n" * 51, email="a", phone="1").save()


def test_another_action_is_a_difference(connection: Connection, db: Database) -> None:
    connection.plan(db, validators="warn").apply()

    assert "validationAction is declared error, stored warn" in str(
        connection.plan(db, validators="strict")
    )


def test_classes_that_share_a_collection_are_planned_together(
    connection: Connection, db: Database
) -> None:
    class Guest(Document):
        __collection__ = "users"
        nick: str
        indexes = [{"fields": "nick"}, {"fields": "email", "unique": True, "check": False}]

    connection.register([Guest])
    connection.plan(db, validators="strict").apply()

    (plan,) = connection.plan(db, validators="strict").collections
    assert plan.classes == ("User", "Guest")
    assert plan.is_empty
    assert not plan.indexes.unknown
    db.documents(Guest)(nick="g").save()
    db.documents(User)(name="Ada", email="a").save()
    with pytest.raises(OperationFailure):
        db["users"].insert_one({"name": "Ada", "nick": "g"})


def test_classes_of_another_database_are_left_out(connection: Connection, db: Database) -> None:
    class Elsewhere(Document):
        __database__ = "elsewhere"
        __collection__ = "things"
        structure = {"a": int}

    connection.register([Elsewhere])

    assert [each.name for each in connection.plan(db).collections] == ["users"]


@pytest.mark.parametrize(
    ("index", "documents", "values"),
    [
        ({"fields": "email", "unique": True}, [{"email": "a"}] * 2, [({"email": "a"}, 2)]),
        ({"fields": "email", "unique": True}, [{}] * 3, [({"email": None}, 3)]),
        ({"fields": "email", "unique": True, "sparse": True}, [{}] * 3, []),
        (
            {
                "fields": "email",
                "unique": True,
                "partialFilterExpression": {"name": {"$exists": True}},
            },
            [{"email": "a"}, {"email": "a", "name": "x"}, {"email": "b"}],
            [],
        ),
        ({"fields": ["name", "email"], "unique": True}, [{"name": "x"}, {"email": "x"}], []),
        (
            {"fields": ["name", "email"], "unique": True},
            [{"name": "x", "email": "y"}] * 2,
            [({"name": "x", "email": "y"}, 2)],
        ),
        (
            {"fields": "tags", "unique": True, "check": False},
            [{"tags": ["a", "b"]}, {"tags": ["b", "b"]}],
            [({"tags": "b"}, 2)],
        ),
        ({"fields": "tags", "unique": True, "check": False}, [{"tags": ["b", "b"]}], []),
        (
            {"fields": "a.b", "unique": True, "check": False},
            [{"a": {"b": 1}}, {"a": {"b": 1.0}}],
            [({"a.b": 1}, 2)],
        ),
    ],
)
def test_values_that_a_unique_index_would_stumble_over(
    connection: Connection,
    db: Database,
    index: dict[str, Any],
    documents: list[dict[str, Any]],
    values: list[tuple[dict[str, Any], int]],
) -> None:
    class Thing(Document):
        __collection__ = "users"
        structure = {"name": str, "email": str}
        indexes = [index]

    db["users"].insert_many([{"_id": n, **each} for n, each in enumerate(documents)])
    plan = connection.plan(db, classes=[Thing])

    assert [(dict(found.values), found.count) for found in plan.conflicts()] == values
    if not values:
        plan.apply()
        return
    with pytest.raises(UniqueIndexConflict, match=r"can't be unique: 1 value stands in") as caught:
        plan.apply()
    assert caught.value.conflicts == plan.conflicts()
    assert list(db["users"].index_information()) == ["_id_"]


def test_a_list_of_conflicts_is_bounded(connection: Connection, db: Database) -> None:
    db["users"].insert_many([{"email": str(n % 50), "name": str(n)} for n in range(500)])

    found = connection.plan(db).conflicts()

    assert len(found) == 20
    assert {each.count for each in found} == {10}
    assert {len(each.ids) for each in found} == {3}
    assert str(found[0]).endswith(", ...)")


def test_an_unknown_wish_is_refused(connection: Connection, db: Database) -> None:
    wish: Any = "on"

    with pytest.raises(ValueError, match=r"validators is one of off, warn, strict"):
        connection.plan(db, validators=wish)
