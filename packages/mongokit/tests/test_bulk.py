"""`insert_many` and `bulk_write` on a manager: all documents validated first."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import DeleteOne, UpdateOne
from pymongo.errors import BulkWriteError

from mongokit import BulkValidationError, Collection, Connection, Document, Set


class User(Document):
    structure = {"name": str, "age": int, "tags": Set(str)}
    default_values = {"age": 0}


@pytest.fixture(autouse=True)
def _registered(connection: Connection) -> None:
    connection.register(User)


def user(n: int, **fields: Any) -> dict[str, Any]:
    return {"name": f"user {n}", "age": n, "tags": {"b", "a"}, **fields}


def test_insert_many_stores_contents_and_documents_and_returns_their_ids(col: Collection) -> None:
    document = col.User(user(2))

    ids = col.documents(User).insert_many([user(1, _id=7), document])

    assert ids == [7, document["_id"]]
    assert col.find_one({"_id": 7}) == {**user(1), "_id": 7, "tags": ["a", "b"]}
    assert document["tags"] == {"a", "b"}
    assert {type(u) for u in col.User.find()} == {User}


def test_one_bad_document_keeps_all_from_being_stored(col: Collection) -> None:
    good = col.User(user(1))

    with pytest.raises(BulkValidationError, match="2 of 4 documents do not validate") as caught:
        col.documents(User).insert_many([good, user(2, age="x"), user(3), {"name": 5}])

    assert sorted(caught.value.failures) == [1, 3]
    assert [f.path for f in caught.value.failures[1]] == ["age"]
    assert col.count_documents({}) == 0
    assert "_id" not in good


def test_unordered_stores_the_good_and_reports_the_bad(col: Collection) -> None:
    with pytest.raises(BulkValidationError) as caught:
        col.documents(User).insert_many([user(1), user(2, age="x"), user(3)], ordered=False)

    assert list(caught.value.failures) == [1]
    assert sorted(d["age"] for d in col.find()) == [1, 3]
    assert len(caught.value.inserted_ids) == 2


@pytest.mark.parametrize(("ordered", "stored"), [(True, [1]), (False, [1, 3])])
def test_what_the_server_refuses_has_no_id_and_the_rest_has(
    col: Collection, ordered: bool, stored: list[int]
) -> None:
    col.create_index("name", unique=True)
    documents = [col.User(user(n)) for n in (1, 2, 3)]
    documents[1]["name"] = "user 1"

    with pytest.raises(BulkWriteError):
        col.documents(User).insert_many(documents, ordered=ordered)

    assert sorted(d["age"] for d in col.find()) == stored
    assert [u["age"] for u in documents if "_id" in u] == stored


def test_ids_of_large_documents_are_returned_too(col: Collection) -> None:
    ids = col.documents(User).insert_many([user(1, name="x" * 5_000_000), user(2, _id=2)])

    assert len(ids) == 2
    assert {each["_id"] for each in col.find({}, {"_id": 1})} == set(ids)


def test_no_documents_is_a_type_error_as_with_pymongo(col: Collection) -> None:
    with pytest.raises(TypeError):
        col.documents(User).insert_many([])


def test_an_overridden_validate_is_asked(connection: Connection, col: Collection) -> None:
    class Picky(User):
        def validate(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("never")

    connection.register(Picky)

    with pytest.raises(BulkValidationError, match="never"):
        col.documents(Picky).insert_many([user(1)])


def test_bulk_write_saves_documents_and_passes_operations_on(col: Collection) -> None:
    col.insert_many([{"_id": 1, "name": "old"}, {"_id": 2, "name": "gone"}, {"_id": 3, "age": 1}])
    new = col.User(user(9))

    result = col.documents(User).bulk_write(
        [
            new,
            col.User(user(1, _id=1)),
            DeleteOne({"_id": 2}),
            UpdateOne({"_id": 3}, {"$inc": {"age": 1}}),
        ]
    )

    assert (result.inserted_count, result.deleted_count, result.modified_count) == (1, 1, 2)
    assert sorted((d["_id"], d["age"]) for d in col.find({"_id": {"$in": [1, 3]}})) == [
        (1, 1),
        (3, 2),
    ]
    assert col.find_one({"_id": new["_id"]}) is not None


def test_bulk_write_sends_nothing_if_a_document_is_bad(col: Collection) -> None:
    with pytest.raises(BulkValidationError):
        col.documents(User).bulk_write([col.User(user(1)), user(2, age="x")])

    assert col.count_documents({}) == 0
