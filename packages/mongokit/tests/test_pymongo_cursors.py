"""PyMongo's own cursors: the same behaviour on PyMongo's collections and on ours."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import ASCENDING, DESCENDING, CursorType
from pymongo.errors import InvalidOperation

from mongokit import Collection as OurCollection
from mongokit import Cursor as OurCursor
from mongokit import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymongo.collection import Collection
    from pymongo.cursor import Cursor
    from pymongo.database import Database

Doc = dict[str, Any]


@pytest.fixture
def numbers(any_col: Collection[Doc]) -> Collection[Doc]:
    """Ten documents, `_id` and `n` from 0 to 9."""
    any_col.insert_many([{"_id": n, "n": n, "odd": n % 2} for n in range(10)])
    return any_col


def _ids(documents: Any) -> list[int]:
    return [document["_id"] for document in documents]


# iterating
def test_a_cursor_is_its_own_iterator(numbers: Collection[Doc]) -> None:
    cursor = numbers.find().sort("_id")

    assert iter(cursor) is cursor
    assert next(cursor)["_id"] == 0
    assert cursor.next()["_id"] == 1
    assert _ids(cursor) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert list(cursor) == []
    with pytest.raises(StopIteration):
        cursor.next()


def test_a_loop_that_is_left_goes_on_where_it_was(numbers: Collection[Doc]) -> None:
    cursor = numbers.find(batch_size=3).sort("_id")

    seen: list[int] = []
    for document in cursor:
        seen.append(document["_id"])
        if len(seen) == 4:
            break

    assert seen == [0, 1, 2, 3]
    assert next(cursor)["_id"] == 4
    assert _ids(cursor) == [5, 6, 7, 8, 9]


def test_two_loops_over_one_cursor_share_its_position(numbers: Collection[Doc]) -> None:
    cursor = numbers.find(batch_size=2).sort("_id")

    pairs = list(zip(cursor, cursor, strict=True))

    assert [(a["_id"], b["_id"]) for a, b in pairs] == [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]


def test_nothing_is_sent_before_the_first_document_is_asked_for(any_col: Collection[Doc]) -> None:
    cursor = any_col.find().sort("_id")
    any_col.insert_one({"_id": 1})

    assert cursor.cursor_id is None
    assert cursor.address is None
    assert _ids(cursor) == [1]


def test_retrieved_cursor_id_and_alive_tell_the_state(numbers: Collection[Doc]) -> None:
    cursor = numbers.find(batch_size=4)
    assert (cursor.retrieved, cursor.cursor_id, cursor.alive) == (0, None, True)

    next(cursor)
    assert cursor.retrieved == 4
    assert cursor.cursor_id
    assert cursor.address is not None

    for _ in range(4):
        next(cursor)
    assert cursor.retrieved == 8

    assert len(list(cursor)) == 5
    assert (cursor.retrieved, cursor.cursor_id, cursor.alive) == (10, 0, False)


def test_alive_holds_while_documents_are_left_in_the_buffer(numbers: Collection[Doc]) -> None:
    cursor = numbers.find({"_id": {"$lt": 2}})

    next(cursor)
    assert cursor.cursor_id == 0
    assert cursor.alive
    next(cursor)
    assert not cursor.alive


def test_to_list_takes_the_rest_or_so_many(numbers: Collection[Doc]) -> None:
    cursor = numbers.find(batch_size=3).sort("_id")

    assert _ids(cursor.to_list(2)) == [0, 1]
    next(cursor)
    assert _ids(cursor.to_list()) == [3, 4, 5, 6, 7, 8, 9]
    assert cursor.to_list() == []
    with pytest.raises(ValueError, match="greater than 0"):
        numbers.find().to_list(0)


# close
def test_a_closed_cursor_gives_nothing_more(numbers: Collection[Doc]) -> None:
    cursor = numbers.find(batch_size=2)
    next(cursor)

    cursor.close()
    cursor.close()

    assert len(list(cursor)) <= 1


def test_a_with_block_closes_the_cursor(numbers: Collection[Doc]) -> None:
    with numbers.find(batch_size=2) as cursor:
        next(cursor)
        was_alive = cursor.alive

    cursor.to_list()
    assert (was_alive, cursor.alive) == (True, False)


# options are set before the first document
def test_options_are_chained(numbers: Collection[Doc]) -> None:
    cursor = numbers.find()

    chained = (
        cursor.sort([("odd", DESCENDING), ("n", ASCENDING)])
        .skip(1)
        .limit(3)
        .batch_size(2)
        .hint("_id_")
        .comment("why")
        .max_time_ms(5000)
        .collation({"locale": "en"})
        .allow_disk_use(True)
        .add_option(0)
        .remove_option(0)
    )

    assert chained is cursor
    assert _ids(cursor) == [3, 5, 7]


@pytest.mark.parametrize(
    "change",
    [
        lambda cursor: cursor.sort("_id"),
        lambda cursor: cursor.skip(1),
        lambda cursor: cursor.limit(1),
        lambda cursor: cursor.hint("_id_"),
        lambda cursor: cursor.comment("late"),
        lambda cursor: cursor.max_time_ms(1),
        lambda cursor: cursor.max_await_time_ms(1),
        lambda cursor: cursor.batch_size(1),
        lambda cursor: cursor.collation({"locale": "en"}),
        lambda cursor: cursor.where("true"),
        lambda cursor: cursor[1:2],
        lambda cursor: cursor[1],
        lambda cursor: cursor.max([("_id", 1)]),
        lambda cursor: cursor.min([("_id", 1)]),
        lambda cursor: cursor.allow_disk_use(True),
        lambda cursor: cursor.add_option(16),
    ],
)
def test_no_option_is_taken_after_the_first_document(
    numbers: Collection[Doc], change: Callable[[Cursor[Doc]], Any]
) -> None:
    with numbers.find() as cursor:
        next(cursor)

        with pytest.raises(InvalidOperation, match="cannot set options after executing query"):
            change(cursor)


def test_options_refuse_values_of_a_wrong_type(any_col: Collection[Doc]) -> None:
    cursor: Any = any_col.find()
    calls: list[Callable[[], Any]] = [
        lambda: cursor.skip("1"),
        lambda: cursor.limit("1"),
        lambda: cursor.batch_size("1"),
        lambda: cursor.max_time_ms("1"),
        lambda: cursor.sort(5),
        lambda: cursor.hint(5.5),
        lambda: cursor.max({"a": 1}),
        lambda: cursor.add_option("1"),
    ]

    for call in calls:
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="skip must be >= 0"):
        cursor.skip(-1)
    with pytest.raises(ValueError, match="batch_size must be >= 0"):
        cursor.batch_size(-1)


def test_sort_takes_a_field_a_list_or_a_mapping(numbers: Collection[Doc]) -> None:
    for argument in ([("n", -1)], {"n": -1}):
        assert _ids(numbers.find().sort(argument))[:2] == [9, 8]
    assert _ids(numbers.find().sort("n", -1))[:2] == [9, 8]
    assert _ids(numbers.find().sort(["odd", "n"]))[:2] == [0, 2]
    assert _ids(numbers.find().sort("n", 1).sort("n", -1))[:2] == [9, 8]


def test_limits_below_zero_and_of_zero_mean_what_they_mean(numbers: Collection[Doc]) -> None:
    assert len(list(numbers.find().limit(-3))) == 3
    assert len(list(numbers.find().limit(0))) == 10
    assert len(list(numbers.find().limit(20))) == 10
    assert len(list(numbers.find(batch_size=2).limit(5))) == 5


# indexing and slicing
def test_an_index_gives_one_document(numbers: Collection[Doc]) -> None:
    cursor = numbers.find().sort("_id")

    assert cursor[0]["_id"] == 0
    assert cursor[7]["_id"] == 7
    assert cursor.skip(2)[1]["_id"] == 3
    assert type(cursor[1]) is dict
    with pytest.raises(IndexError, match="no such item"):
        numbers.find()[10]
    with pytest.raises(IndexError, match="do not support negative indices"):
        numbers.find()[-1]
    with pytest.raises(TypeError, match="cannot be applied to Cursor"):
        numbers.find()["a"]  # type: ignore[call-overload]


def test_a_slice_sets_skip_and_limit_of_the_same_cursor(numbers: Collection[Doc]) -> None:
    cursor = numbers.find().sort("_id")

    assert cursor[2:5] is cursor
    assert _ids(cursor) == [2, 3, 4]
    assert _ids(numbers.find().sort("_id")[7:]) == [7, 8, 9]
    assert _ids(numbers.find().sort("_id")[:2]) == [0, 1]
    assert _ids(numbers.find()[3:3]) == []
    assert _ids(numbers.find().sort("_id")[2:8][1:3]) == [1, 2]


def test_a_slice_refuses_steps_and_negative_bounds(numbers: Collection[Doc]) -> None:
    with pytest.raises(IndexError, match="do not support slice steps"):
        numbers.find()[0:9:2]
    with pytest.raises(IndexError, match="do not support negative indices"):
        numbers.find()[-3:]
    with pytest.raises(IndexError, match="stop index must be greater than start"):
        numbers.find()[5:2]


# clone, rewind, copy
def test_rewind_starts_again_with_the_same_query(numbers: Collection[Doc]) -> None:
    cursor = numbers.find({"odd": 1}, batch_size=2).sort("_id").limit(3)
    assert _ids([next(cursor), next(cursor)]) == [1, 3]

    assert cursor.rewind() is cursor
    assert (cursor.retrieved, cursor.cursor_id) == (0, None)
    assert _ids(cursor) == [1, 3, 5]
    assert _ids(cursor.rewind().limit(1)) == [1]


def test_a_clone_is_unread_and_independent(numbers: Collection[Doc]) -> None:
    cursor = numbers.find({"odd": 1}).sort("_id").skip(1).limit(2)
    next(cursor)

    clone = cursor.clone()

    assert type(clone) is type(cursor)
    assert clone.collection is cursor.collection
    assert clone.retrieved == 0
    assert _ids(clone.limit(3)) == [3, 5, 7]
    assert _ids(cursor) == [5]


def test_copies_share_or_copy_the_query(any_col: Collection[Doc]) -> None:
    query: Doc = {"a": {"b": 1}}
    cursor = any_col.find(query)

    shallow, deep, cloned = copy.copy(cursor), copy.deepcopy(cursor), cursor.clone()
    query["a"]["b"] = 2
    any_col.insert_many([{"_id": 1, "a": {"b": 1}}, {"_id": 2, "a": {"b": 2}}])

    assert [_ids(each) for each in (cursor, shallow, deep, cloned)] == [[2], [2], [1], [1]]


# what the cursor tells
def test_explain_and_distinct_answer_for_the_query(numbers: Collection[Doc]) -> None:
    assert numbers.find({"odd": 1}).explain()["queryPlanner"]
    assert sorted(numbers.find({"odd": 1}).distinct("n")) == [1, 3, 5, 7, 9]


def test_the_collection_of_a_cursor_is_the_one_that_made_it(any_col: Collection[Doc]) -> None:
    assert any_col.find().collection is any_col
    assert any_col.find().session is None


def test_a_tailable_cursor_ends_while_it_is_alive(any_db: Database[Doc]) -> None:
    log = any_db.create_collection("log", capped=True, size=65536)
    log.insert_many([{"_id": n} for n in range(3)])

    with log.find(cursor_type=CursorType.TAILABLE) as cursor:
        assert _ids(cursor) == [0, 1, 2]
        assert cursor.alive
        log.insert_one({"_id": 3})
        assert _ids(cursor) == [3]
        assert cursor.alive


def test_a_command_cursor_is_an_iterator_with_the_same_end(any_db: Database[Doc]) -> None:
    any_db["a"].insert_many([{"_id": n} for n in range(5)])

    cursor = any_db["a"].aggregate([{"$sort": {"_id": 1}}], batchSize=2)

    assert iter(cursor) is cursor
    assert cursor.cursor_id
    assert cursor.next() == {"_id": 0}
    assert cursor.try_next() == {"_id": 1}
    assert cursor.batch_size(1) is cursor
    assert _ids(cursor) == [2, 3, 4]
    assert cursor.try_next() is None
    assert (cursor.alive, cursor.cursor_id) == (False, 0)
    cursor.close()


# what is ours alone
class Number(Document):
    structure = {"n": int, "odd": int}


def test_a_wrapped_cursor_keeps_all_that_but_gives_documents(col: OurCollection) -> None:
    col.insert_many([{"_id": n, "n": n, "odd": n % 2} for n in range(10)])
    cursor = col.documents(Number).find({"odd": 1}, batch_size=2).sort("_id")

    assert type(cursor) is OurCursor
    assert type(cursor[1]) is Number
    assert type(cursor.clone().next()) is Number
    assert {type(number) for number in cursor.clone()[1:4]} == {Number}
    assert [number["n"] for number in cursor.limit(3)] == [1, 3, 5]
    assert (cursor.retrieved, cursor.alive) == (3, False)
    assert {type(number) for number in cursor.rewind().to_list()} == {Number}
