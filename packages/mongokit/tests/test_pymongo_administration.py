"""PyMongo's own indexes, collections and commands: the same on PyMongo's objects and on ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson import DBRef
from pymongo import DESCENDING, IndexModel
from pymongo.errors import CollectionInvalid, InvalidName, OperationFailure

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

Doc = dict[str, Any]


@pytest.fixture
def numbers(any_col: Collection[Doc]) -> Collection[Doc]:
    """Ten documents, `_id` from 0 to 9."""
    any_col.insert_many([{"_id": n} for n in range(10)])
    return any_col


# indexes
def test_indexes_are_created_listed_and_dropped(any_col: Collection[Doc]) -> None:
    assert any_col.create_index("a") == "a_1"
    assert any_col.create_index([("b", DESCENDING), "c"], unique=True, name="bc") == "bc"
    assert any_col.create_indexes([IndexModel([("d", 1)]), IndexModel("e", sparse=True)]) == [
        "d_1",
        "e_1",
    ]

    information = any_col.index_information()
    assert set(information) == {"_id_", "a_1", "bc", "d_1", "e_1"}
    assert information["bc"]["key"] == [("b", -1), ("c", 1)]
    assert information["bc"]["unique"] is True
    assert [index["name"] for index in any_col.list_indexes()] == list(information)

    any_col.drop_index("a_1")
    any_col.drop_index([("d", 1)])
    assert set(any_col.index_information()) == {"_id_", "bc", "e_1"}
    any_col.drop_indexes()
    assert set(any_col.index_information()) == {"_id_"}


def test_create_index_refuses_bad_keys(any_col: Collection[Doc]) -> None:
    with pytest.raises(TypeError):
        any_col.create_index(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must not be empty"):
        any_col.create_index([])
    with pytest.raises(TypeError):
        any_col.create_index()  # type: ignore[call-arg]


# collections and databases
def test_rename_moves_the_documents(numbers: Collection[Doc]) -> None:
    db = numbers.database

    numbers.rename("moved")

    assert db.list_collection_names() == ["moved"]
    assert db["moved"].count_documents({}) == 10
    with pytest.raises(InvalidName):
        db["moved"].rename("a..b")
    db["things"].insert_one({})
    with pytest.raises(OperationFailure):
        db["moved"].rename("things")
    db["moved"].rename("things", dropTarget=True)
    assert db["things"].count_documents({}) == 10


def test_drop_removes_the_collection(numbers: Collection[Doc]) -> None:
    db = numbers.database

    numbers.drop()
    numbers.drop()
    assert db.list_collection_names() == []

    db["a"].insert_one({})
    db["b"].insert_one({})
    assert db.drop_collection("a")["ok"] == 1.0
    db.drop_collection(db["b"])
    assert db.list_collection_names() == []


def test_create_collection_refuses_a_name_that_is_taken(any_db: Database[Doc]) -> None:
    made = any_db.create_collection("made", capped=True, size=4096)

    assert made == any_db["made"]
    assert made.options() == {"capped": True, "size": 4096}
    with pytest.raises(CollectionInvalid, match="already exists"):
        any_db.create_collection("made")


def test_list_collections_gives_their_details(any_db: Database[Doc]) -> None:
    any_db["a"].insert_one({})
    any_db["b"].insert_one({})

    with any_db.list_collections(filter={"name": "a"}) as cursor:
        details = list(cursor)

    assert [(each["name"], each["type"]) for each in details] == [("a", "collection")]
    assert sorted(any_db.list_collection_names()) == ["a", "b"]
    assert any_db.list_collection_names(filter={"name": {"$regex": "b"}}) == ["b"]


def test_a_database_runs_commands(any_db: Database[Doc]) -> None:
    any_db["a"].insert_many([{"_id": n} for n in range(3)])

    assert any_db.command("ping")["ok"] == 1.0
    assert any_db.command({"count": "a"})["n"] == 3
    assert any_db.command("count", "a", query={"_id": 1})["n"] == 1
    with pytest.raises(OperationFailure, match="surprise"):
        any_db.command("surprise")
    assert any_db.command("surprise", check=False)["ok"] == 0.0
    assert any_db.validate_collection("a")["valid"] is True
    with any_db.cursor_command("find", "a", sort={"_id": 1}) as cursor:
        assert [document["_id"] for document in cursor] == [0, 1, 2]


def test_dereference_follows_a_dbref_of_this_database(any_db: Database[Doc]) -> None:
    any_db["a"].insert_one({"_id": 1})

    assert any_db.dereference(DBRef("a", 1)) == {"_id": 1}
    assert any_db.dereference(DBRef("a", 1, any_db.name)) == {"_id": 1}
    assert any_db.dereference(DBRef("a", 2)) is None
    with pytest.raises(TypeError, match="cannot dereference"):
        any_db.dereference(1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="trying to dereference a DBRef that points to another"):
        any_db.dereference(DBRef("a", 1, "other"))
