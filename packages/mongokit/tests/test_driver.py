"""What the mapper takes from PyMongo's private names, and the public way beside each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymongo import CursorType, MongoClient
from pymongo.errors import OperationFailure

from mongokit import _driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection
    from pymongo.cursor import Cursor

Document = dict[str, Any]


@pytest.fixture
def client(mongodb_uri: str) -> Iterator[MongoClient[Document]]:
    with MongoClient[Document](mongodb_uri) as client:
        yield client


@pytest.fixture
def numbers(client: MongoClient[Document], database_name: str) -> Collection[Document]:
    """Ten documents whose `_id` counts from 0."""
    collection = client[database_name]["numbers"]
    collection.insert_many([{"_id": n, "odd": n % 2} for n in range(10)])
    return collection


def _ids(cursor: Cursor[Document]) -> Iterator[Any]:
    return _driver.documents(cursor, cursor.next, lambda document: document["_id"])


def test_all_documents_come_in_order_whatever_the_batch_size(
    numbers: Collection[Document],
) -> None:
    for size in (0, 1, 2, 3, 10, 11):
        assert list(_ids(numbers.find(batch_size=size).sort("_id"))) == list(range(10))


def test_an_empty_result_yields_nothing(numbers: Collection[Document]) -> None:
    assert list(_ids(numbers.find({"_id": -1}))) == []
    assert list(_ids(numbers.find()[3:3])) == []


def test_limit_and_skip_hold_across_batches(numbers: Collection[Document]) -> None:
    cursor = numbers.find(batch_size=2).sort("_id").skip(2).limit(5)

    assert list(_ids(cursor)) == [2, 3, 4, 5, 6]


def test_next_on_the_cursor_goes_on_where_the_generator_stands(
    numbers: Collection[Document],
) -> None:
    cursor = numbers.find(batch_size=4).sort("_id")
    ids = _ids(cursor)

    taken = [next(ids), cursor.next()["_id"], next(ids), cursor.next()["_id"], cursor.next()["_id"]]

    assert taken == [0, 1, 2, 3, 4]
    assert list(ids) == [5, 6, 7, 8, 9]


def test_a_second_generator_goes_on_where_the_first_was_left(
    numbers: Collection[Document],
) -> None:
    cursor = numbers.find(batch_size=4).sort("_id")

    first = [_id for _id, _ in zip(_ids(cursor), range(2), strict=False)]

    # zip took one more than it kept.
    assert first == [0, 1]
    assert list(_ids(cursor)) == [3, 4, 5, 6, 7, 8, 9]


def test_a_rewind_between_two_documents_starts_again(numbers: Collection[Document]) -> None:
    cursor = numbers.find(batch_size=4).sort("_id")
    ids = _ids(cursor)
    assert [next(ids), next(ids)] == [0, 1]

    cursor.rewind()

    assert list(ids) == list(range(10))


def test_a_closed_cursor_hands_out_what_it_has_and_stops(numbers: Collection[Document]) -> None:
    cursor = numbers.find(batch_size=4).sort("_id")
    ids = _ids(cursor)
    assert next(ids) == 0

    cursor.close()

    assert list(ids) == [1, 2, 3]
    assert not cursor.alive


def test_alive_and_retrieved_stay_the_drivers_own(numbers: Collection[Document]) -> None:
    by_generator = numbers.find(batch_size=4).sort("_id")
    by_driver = numbers.find(batch_size=4).sort("_id")
    ids = _ids(by_generator)

    for _ in range(10):
        assert next(ids) == next(by_driver)["_id"]
        assert by_generator.alive == by_driver.alive
        assert by_generator.retrieved == by_driver.retrieved
        assert by_generator.cursor_id is None or by_driver.cursor_id is not None


def test_a_document_leaves_the_buffer_as_it_is_yielded(numbers: Collection[Document]) -> None:
    cursor = numbers.find().sort("_id")
    ids = _ids(cursor)
    next(ids)

    buffer = _driver.buffer_of(cursor)

    assert buffer is not None
    assert [document["_id"] for document in buffer] == list(range(1, 10))


def test_a_document_whose_conversion_fails_counts_as_read(numbers: Collection[Document]) -> None:
    def refuse_two(document: Document) -> int:
        if document["_id"] == 2:
            raise ValueError("two")
        return int(document["_id"])

    cursor = numbers.find().sort("_id")
    with pytest.raises(ValueError, match="two"):
        list(_driver.documents(cursor, cursor.next, refuse_two))

    assert list(_ids(cursor)) == [3, 4, 5, 6, 7, 8, 9]


def test_a_servers_error_comes_through(numbers: Collection[Document]) -> None:
    with pytest.raises(OperationFailure):
        list(_ids(numbers.find({"$unknown": 1})))


def test_a_tailable_cursor_ends_while_it_is_alive_and_goes_on(
    client: MongoClient[Document], database_name: str
) -> None:
    log = client[database_name].create_collection("log", capped=True, size=4096)
    log.insert_many([{"_id": 1}, {"_id": 2}])
    cursor = log.find(cursor_type=CursorType.TAILABLE)

    first = list(_ids(cursor))
    was_alive = cursor.alive
    log.insert_one({"_id": 3})
    second = list(_ids(cursor))
    cursor.close()

    assert (first, was_alive, second) == ([1, 2], True, [3])


def test_documents_come_without_the_private_buffer_too(
    numbers: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_driver, "buffer_of", lambda cursor: None)

    assert list(_ids(numbers.find(batch_size=3).sort("_id"))) == list(range(10))


@pytest.mark.parametrize(
    ("with_limit_and_skip", "expected"), [(False, 10), (True, 3)], ids=["query", "page"]
)
def test_count_honours_limit_and_skip_only_when_asked(
    numbers: Collection[Document], with_limit_and_skip: bool, expected: int
) -> None:
    cursor = numbers.find().sort("_id").skip(2).limit(3)
    next(cursor)

    assert _driver.count(cursor, with_limit_and_skip) == expected
    assert next(cursor)["_id"] == 3


def test_count_honours_filter_hint_and_collation(numbers: Collection[Document]) -> None:
    numbers.insert_one({"_id": "a", "name": "Ada"})

    assert _driver.count(numbers.find({"odd": 1})) == 5
    assert _driver.count(numbers.find({"odd": 1}).hint([("_id", 1)])) == 5
    found = numbers.find({"name": "ADA"})
    assert _driver.count(found) == 0
    assert _driver.count(found.collation({"locale": "en", "strength": 2})) == 1


def test_count_of_an_empty_slice_and_of_a_negative_limit(numbers: Collection[Document]) -> None:
    assert _driver.count(numbers.find()[3:3], with_limit_and_skip=True) == 0
    assert _driver.count(numbers.find(limit=-4), with_limit_and_skip=True) == 4


@pytest.mark.parametrize(("with_limit_and_skip", "expected"), [(False, 5), (True, 2)])
def test_count_works_without_the_private_names_too(
    numbers: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    with_limit_and_skip: bool,
    expected: int,
) -> None:
    monkeypatch.setattr(_driver, "_query_of", lambda cursor: None)
    cursor = numbers.find({"odd": 1}).limit(2)
    next(cursor)

    assert _driver.count(cursor, with_limit_and_skip) == expected


def test_this_pymongo_has_the_private_names(numbers: Collection[Document]) -> None:
    cursor = numbers.find()

    assert _driver.buffer_of(cursor) is not None
    assert _driver._query_of(cursor) is not None


def test_max_bson_size_is_what_the_server_says(client: MongoClient[Document]) -> None:
    hello = client.admin.command("hello")

    assert _driver.max_bson_size(client) == hello["maxBsonObjectSize"]


def test_max_bson_size_asks_no_server() -> None:
    client = MongoClient[Document]("mongodb://127.0.0.1:1/", connect=False)
    try:
        assert _driver.max_bson_size(client) == 16 * 1024 * 1024
    finally:
        client.close()
