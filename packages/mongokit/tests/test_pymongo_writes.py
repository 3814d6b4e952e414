"""PyMongo's own writes: the same results on PyMongo's collections and on ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId, encode
from bson.raw_bson import RawBSONDocument
from pymongo import (
    DeleteMany,
    DeleteOne,
    InsertOne,
    ReplaceOne,
    ReturnDocument,
    UpdateMany,
    UpdateOne,
    WriteConcern,
)
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
    WriteError,
)

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.collection import Collection

Doc = dict[str, Any]


def _all(collection: Collection[Doc]) -> list[Doc]:
    return list(collection.find().sort("_id"))


@pytest.fixture
def numbers(any_col: Collection[Doc]) -> Collection[Doc]:
    """Six documents, `_id` and `n` from 0 to 5."""
    any_col.insert_many([{"_id": n, "n": n, "even": n % 2 == 0} for n in range(6)])
    return any_col


# inserts
def test_insert_one_gives_the_document_an_object_id(any_col: Collection[Doc]) -> None:
    document: Doc = {"a": 1}

    result = any_col.insert_one(document)

    assert result.acknowledged
    assert type(result.inserted_id) is ObjectId
    assert document == {"a": 1, "_id": result.inserted_id}
    assert _all(any_col) == [document]


def test_insert_one_keeps_an_id_of_any_type(any_col: Collection[Doc]) -> None:
    for given in (7, "text", 1.5, {"a": 1}, None):
        assert any_col.insert_one({"_id": given}).inserted_id == given


def test_insert_one_refuses_what_is_no_document(any_col: Collection[Doc]) -> None:
    for wrong in (1, "a", [{"a": 1}], None):
        with pytest.raises(TypeError, match="document must be an instance of dict"):
            any_col.insert_one(wrong)  # type: ignore[arg-type]


def test_insert_one_of_a_raw_document_adds_no_id(any_col: Collection[Doc]) -> None:
    raw: Any = RawBSONDocument(encode({"_id": 1, "a": 2}))

    assert any_col.insert_one(raw).inserted_id is None
    assert _all(any_col) == [{"_id": 1, "a": 2}]


def test_a_duplicate_key_error_carries_the_servers_details(any_col: Collection[Doc]) -> None:
    any_col.insert_one({"_id": 1})

    with pytest.raises(DuplicateKeyError) as raised:
        any_col.insert_one({"_id": 1})

    assert raised.value.code == 11000
    assert raised.value.details is not None
    assert raised.value.details["keyPattern"] == {"_id": 1}


def test_insert_many_returns_the_ids_in_order(any_col: Collection[Doc]) -> None:
    documents: list[Doc] = [{"a": 1}, {"_id": 5}, {"a": 2}]

    result = any_col.insert_many(documents)

    assert result.inserted_ids == [document["_id"] for document in documents]
    assert result.inserted_ids[1] == 5
    assert any_col.count_documents({}) == 3


def test_insert_many_takes_a_generator(any_col: Collection[Doc]) -> None:
    assert any_col.insert_many({"_id": n} for n in range(3)).inserted_ids == [0, 1, 2]


def test_insert_many_refuses_nothing_and_what_is_no_document(any_col: Collection[Doc]) -> None:
    with pytest.raises(TypeError, match="non-empty"):
        any_col.insert_many([])
    with pytest.raises(TypeError, match="documents must be a non-empty list"):
        any_col.insert_many({"a": 1})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="document must be an instance of dict"):
        any_col.insert_many([1])  # type: ignore[list-item]


@pytest.mark.parametrize(("ordered", "stored"), [(True, [1]), (False, [1, 2])])
def test_insert_many_stops_at_an_error_only_when_ordered(
    any_col: Collection[Doc], ordered: bool, stored: list[int]
) -> None:
    with pytest.raises(BulkWriteError) as raised:
        any_col.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}], ordered=ordered)

    assert raised.value.details["nInserted"] == len(stored)
    assert raised.value.details["writeErrors"][0]["index"] == 1
    assert [document["_id"] for document in _all(any_col)] == stored


def test_an_unacknowledged_result_refuses_its_counts(any_col: Collection[Doc]) -> None:
    unacknowledged = any_col.with_options(write_concern=WriteConcern(w=0))

    result = unacknowledged.delete_many({})

    assert not result.acknowledged
    with pytest.raises(InvalidOperation, match="deleted_count is not available"):
        _ = result.deleted_count


# updates
def test_update_one_changes_one_and_counts(numbers: Collection[Doc]) -> None:
    result = numbers.update_one({"even": True}, {"$inc": {"n": 10}})

    assert (result.matched_count, result.modified_count) == (1, 1)
    assert result.upserted_id is None
    assert not result.did_upsert
    assert numbers.count_documents({"n": {"$gte": 10}}) == 1


def test_update_many_changes_all_that_match(numbers: Collection[Doc]) -> None:
    result = numbers.update_many({"even": True}, {"$set": {"n": 0}})

    assert (result.matched_count, result.modified_count) == (3, 2)
    assert result.raw_result is not None
    assert result.raw_result["n"] == 3


def test_an_upsert_reports_the_new_id(any_col: Collection[Doc]) -> None:
    generated = any_col.update_one({"a": 1}, {"$set": {"b": 2}}, upsert=True)
    given = any_col.update_many({"_id": 7}, {"$set": {"b": 2}}, upsert=True)
    replaced = any_col.replace_one({"_id": 8}, {"b": 2}, upsert=True)

    assert type(generated.upserted_id) is ObjectId
    assert (given.upserted_id, replaced.upserted_id) == (7, 8)
    assert (given.matched_count, given.modified_count) == (0, 0)
    assert any_col.count_documents({"b": 2}) == 3


def test_array_filters_choose_the_elements(any_col: Collection[Doc]) -> None:
    any_col.insert_one({"_id": 1, "scores": [1, 8, 3, 9]})

    any_col.update_one(
        {"_id": 1}, {"$set": {"scores.$[high]": 0}}, array_filters=[{"high": {"$gt": 5}}]
    )
    any_col.update_many({}, {"$inc": {"scores.$[low]": 1}}, array_filters=[{"low": 3}])

    assert _all(any_col) == [{"_id": 1, "scores": [1, 0, 4, 0]}]


def test_an_update_takes_a_pipeline(numbers: Collection[Doc]) -> None:
    numbers.update_many({"_id": {"$lt": 2}}, [{"$set": {"double": {"$multiply": ["$n", 2]}}}])

    assert [document.get("double") for document in _all(numbers)[:3]] == [0, 2, None]


def test_update_takes_hint_let_collation_and_comment(any_col: Collection[Doc]) -> None:
    any_col.insert_one({"_id": 1, "name": "Ada"})
    any_col.create_index("name", name="by_name")

    result = any_col.update_one(
        {"$expr": {"$eq": ["$name", "$$wanted"]}},
        {"$set": {"found": True}},
        hint="by_name",
        let={"wanted": "Ada"},
        comment="a comment",
    )
    collated = any_col.update_many(
        {"name": "ADA"}, {"$set": {"again": True}}, collation={"locale": "en", "strength": 2}
    )

    assert (result.modified_count, collated.modified_count) == (1, 1)


def test_updates_and_replacements_are_told_apart_before_sending(any_col: Collection[Doc]) -> None:
    with pytest.raises(ValueError, match="update only works with \\$ operators"):
        any_col.update_one({}, {"a": 1})
    with pytest.raises(ValueError, match="update only works with \\$ operators"):
        any_col.update_many({}, {"a": 1})
    with pytest.raises(ValueError, match="replacement can not include \\$ operators"):
        any_col.replace_one({}, {"$set": {"a": 1}})


def test_a_refused_update_is_a_write_error(numbers: Collection[Doc]) -> None:
    with pytest.raises(WriteError) as raised:
        numbers.update_one({"_id": 1}, {"$inc": {"even": 1}})

    assert raised.value.code == 14
    assert numbers.find_one({"_id": 1}) == {"_id": 1, "n": 1, "even": False}


def test_replace_one_replaces_all_but_the_id(numbers: Collection[Doc]) -> None:
    replacement: Doc = {"new": True}

    result = numbers.replace_one({"n": 3}, replacement)

    assert (result.matched_count, result.modified_count) == (1, 1)
    assert numbers.find_one({"_id": 3}) == {"_id": 3, "new": True}
    assert replacement == {"new": True}


# deletes
def test_deletes_count_what_went(numbers: Collection[Doc]) -> None:
    assert numbers.delete_one({"even": True}).deleted_count == 1
    assert numbers.delete_many({"even": True}).deleted_count == 2
    assert numbers.delete_one({"_id": -1}).deleted_count == 0
    assert numbers.delete_many({}).deleted_count == 3
    assert _all(numbers) == []


# find and change
def test_find_one_and_update_returns_before_or_after(numbers: Collection[Doc]) -> None:
    before = numbers.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}})
    after = numbers.find_one_and_update(
        {"_id": 1},
        {"$inc": {"n": 1}},
        projection={"n": True, "_id": False},
        return_document=ReturnDocument.AFTER,
    )

    assert before == {"_id": 1, "n": 1, "even": False}
    assert after == {"n": 3}


def test_find_one_and_update_sorts_and_upserts(numbers: Collection[Doc]) -> None:
    last = numbers.find_one_and_update({}, {"$set": {"last": True}}, sort=[("_id", -1)])
    made = numbers.find_one_and_update(
        {"_id": 9}, {"$set": {"n": 9}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    none = numbers.find_one_and_update({"_id": -1}, {"$set": {"n": 1}})

    assert last is not None
    assert last["_id"] == 5
    assert made == {"_id": 9, "n": 9}
    assert none is None


def test_find_one_and_replace_and_delete_return_the_document(numbers: Collection[Doc]) -> None:
    replaced = numbers.find_one_and_replace(
        {"_id": 1}, {"x": 1}, return_document=ReturnDocument.AFTER
    )
    deleted = numbers.find_one_and_delete({"even": True}, sort=[("_id", -1)], projection=["n"])

    assert replaced == {"_id": 1, "x": 1}
    assert deleted == {"_id": 4, "n": 4}
    assert numbers.find_one_and_delete({"_id": 4}) is None


# bulk writes
def test_bulk_write_counts_each_kind(any_col: Collection[Doc]) -> None:
    result = any_col.bulk_write(
        [
            InsertOne({"_id": 1, "a": [1, 2]}),
            InsertOne({"_id": 2}),
            InsertOne({"_id": 3}),
            UpdateOne({"_id": 1}, {"$set": {"a.$[x]": 9}}, array_filters=[{"x": 2}]),
            UpdateMany({"_id": {"$gt": 1}}, {"$set": {"b": 1}}),
            ReplaceOne({"_id": 2}, {"c": 1}),
            UpdateOne({"_id": 4}, {"$set": {"d": 1}}, upsert=True),
            DeleteOne({"_id": 3}),
            DeleteMany({"_id": -1}),
        ]
    )

    assert (result.inserted_count, result.matched_count, result.modified_count) == (3, 4, 4)
    assert (result.deleted_count, result.upserted_count) == (1, 1)
    assert result.upserted_ids == {6: 4}
    assert _all(any_col) == [{"_id": 1, "a": [1, 9]}, {"_id": 2, "c": 1}, {"_id": 4, "d": 1}]


@pytest.mark.parametrize(("ordered", "inserted"), [(True, 1), (False, 2)])
def test_bulk_write_reports_its_errors(
    any_col: Collection[Doc], ordered: bool, inserted: int
) -> None:
    requests: list[InsertOne[Doc]] = [InsertOne({"_id": n}) for n in (1, 1, 2)]

    with pytest.raises(BulkWriteError) as raised:
        any_col.bulk_write(requests, ordered=ordered)

    assert raised.value.details["nInserted"] == inserted
    assert raised.value.details["writeErrors"][0]["code"] == 11000


def test_bulk_write_refuses_nothing_and_what_is_no_operation(any_col: Collection[Doc]) -> None:
    with pytest.raises(InvalidOperation, match="No operations to execute"):
        any_col.bulk_write([])
    with pytest.raises(TypeError, match="not a valid request"):
        any_col.bulk_write([{"_id": 1}])  # type: ignore[list-item]


def test_a_clients_bulk_write_goes_to_several_collections(
    any_client: MongoClient[Doc], any_col: Collection[Doc]
) -> None:
    other = any_col.database["others"]

    result = any_client.bulk_write(
        [
            InsertOne({"_id": 1}, namespace=any_col.full_name),
            InsertOne({"_id": 2}, namespace=other.full_name),
            UpdateOne({"_id": 1}, {"$set": {"a": 1}}, namespace=any_col.full_name),
        ],
        verbose_results=True,
    )

    assert (result.inserted_count, result.modified_count) == (2, 1)
    assert result.insert_results[1].inserted_id == 2
    assert (_all(any_col), _all(other)) == ([{"_id": 1, "a": 1}], [{"_id": 2}])


def test_a_validator_of_the_server_holds_unless_it_is_bypassed(
    any_client: MongoClient[Doc], any_col: Collection[Doc]
) -> None:
    strict = any_col.database.create_collection("strict", validator={"a": {"$type": "int"}})

    with pytest.raises(OperationFailure) as raised:
        strict.insert_one({"a": "text"})
    strict.insert_one({"a": "text"}, bypass_document_validation=True)

    assert raised.value.code == 121
    assert strict.count_documents({}) == 1
