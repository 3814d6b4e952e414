"""Numbered pages and keyset pages of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from mongokit.connection import Connection
from mongokit.paginator import KeysetPage, Paginator, keyset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymongo.collection import Collection as PlainCollection

    from mongokit.collection import Collection

_SORTS: list[Sequence[tuple[str, int]]] = [
    [],
    [("_id", -1)],
    [("name", 1)],
    [("name", -1)],
    [("at.year", -1), ("name", 1)],
    [("name", 1), ("_id", -1)],
    [("name", 1), ("at.year", -1), ("_id", 1)],
]


@pytest.fixture
def things(mongodb_uri: str, database_name: str) -> Iterator[Collection]:
    connection = Connection(mongodb_uri)
    yield connection[database_name]["things"]
    connection.close()


@pytest.fixture
def numbers(things: Collection) -> Collection:
    """25 documents whose `_id` counts from 0."""
    things.insert_many([{"_id": n} for n in range(25)])
    return things


def test_a_middle_page_knows_its_items_and_neighbours(numbers: Collection) -> None:
    page = Paginator(numbers.find().sort("_id"), page=2, limit=10)

    assert [item["_id"] for item in page.items] == list(range(10, 20))
    assert (page.start_index, page.end_index, page.count) == (11, 20, 25)
    assert (page.current_page, page.previous_page, page.next_page) == (2, 1, 3)
    assert (page.has_previous, page.has_next, page.is_paginated) == (True, True, True)
    assert (page.num_pages, page.page_range) == (3, [1, 2, 3])


def test_the_first_page_is_the_default_and_has_none_before_it(numbers: Collection) -> None:
    page = Paginator(numbers.find().sort("_id"))

    assert [item["_id"] for item in page.items] == list(range(10))
    assert (page.start_index, page.end_index) == (1, 10)
    assert (page.has_previous, page.previous_page, page.next_page) == (False, None, 2)


def test_the_last_page_ends_with_the_last_item(numbers: Collection) -> None:
    page = Paginator(numbers.find().sort("_id"), page=3)

    assert [item["_id"] for item in page.items] == [20, 21, 22, 23, 24]
    assert (page.start_index, page.end_index) == (21, 25)
    assert (page.has_next, page.next_page, page.previous_page) == (False, None, 2)


def test_a_page_after_the_last_is_empty_and_leads_back_to_the_last(numbers: Collection) -> None:
    page = Paginator(numbers.find(), page=9)

    assert page.items == []
    assert (page.start_index, page.end_index) == (0, 0)
    assert (page.has_next, page.previous_page) == (False, 3)


def test_an_empty_result_has_no_pages(things: Collection) -> None:
    page = Paginator(things.find())

    assert page.items == []
    assert (page.count, page.num_pages, page.page_range) == (0, 0, [])
    assert (page.start_index, page.end_index) == (0, 0)
    assert (page.has_previous, page.has_next, page.is_paginated) == (False, False, False)


def test_one_full_page_is_not_paginated(numbers: Collection) -> None:
    page = Paginator(numbers.find(), limit=25)

    assert (page.num_pages, page.is_paginated, page.has_next) == (1, False, False)


def test_the_filter_and_the_sort_hold_on_each_page(numbers: Collection) -> None:
    cursor = numbers.find({"_id": {"$gte": 10}}).sort("_id", -1)

    assert [item["_id"] for item in Paginator(cursor, 2, 4).items] == [20, 19, 18, 17]
    assert Paginator(cursor, 2, 4).count == 15


def test_the_cursor_that_was_given_is_not_changed(numbers: Collection) -> None:
    cursor = numbers.find().sort("_id")
    next(cursor)

    page = Paginator(cursor, 2, 10)
    assert (len(page.items), page.count) == (10, 25)

    assert next(cursor)["_id"] == 1


@pytest.mark.parametrize(("page", "limit"), [(0, 10), (-1, 10), (1, 0)])
def test_a_page_or_limit_below_one_is_refused(numbers: Collection, page: int, limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Paginator(numbers.find(), page, limit)


class _Commands(CommandListener):
    """The names of the commands that a client sends."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Any) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


def test_a_page_asks_once_for_its_items_and_once_for_the_count(
    mongodb_uri: str, database_name: str
) -> None:
    commands = _Commands()
    connection = Connection(mongodb_uri, event_listeners=[commands])
    try:
        page = Paginator(connection[database_name]["things"].find())
        assert commands.names == []

        for _ in range(2):
            assert (page.items, page.count, page.has_next, page.end_index) == ([], 0, False, 0)

        assert commands.names == ["find", "aggregate"]
    finally:
        connection.close()


# Keyset pages
@pytest.fixture
def people(mongodb_uri: str, database_name: str) -> Iterator[PlainCollection[dict[str, Any]]]:
    """Documents with equal, missing and null values in the fields they are sorted by."""
    names = ["Ada", "Bob", None, "Ada", "Cy", "Ada", None, "Bob", "Cy", "Ada"]
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        collection = client[database_name]["people"]
        documents: list[dict[str, Any]] = []
        for n, name in enumerate(names):
            document: dict[str, Any] = {"_id": n, "name": name, "at": {"year": 2000 + n % 3}}
            if n in (4, 6):
                del document["at"]
            if n == 2:
                del document["name"]
            documents.append(document)
        collection.insert_many(documents)
        yield collection


def _find(
    collection: PlainCollection[dict[str, Any]], page: KeysetPage, limit: int
) -> list[dict[str, Any]]:
    return page.in_order(collection.find(page.filter).sort(page.sort).limit(limit))


@pytest.mark.parametrize("sort", _SORTS, ids=str)
@pytest.mark.parametrize("limit", [1, 3, 10])
def test_pages_forward_and_backward_are_the_whole_result_in_order(
    people: PlainCollection[dict[str, Any]], sort: Sequence[tuple[str, int]], limit: int
) -> None:
    whole = _find(people, keyset({}, sort), 0)
    assert len(whole) == 10

    forward: list[dict[str, Any]] = []
    page = keyset({}, sort)
    while found := _find(people, page, limit):
        forward += found
        page = keyset({}, sort, after=page.position(found[-1]))

    assert forward == whole

    backward: list[dict[str, Any]] = []
    page = keyset({}, sort, before=keyset({}, sort).position(whole[-1]))
    while found := _find(people, page, limit):
        backward = found + backward
        page = keyset({}, sort, before=page.position(found[0]))

    assert backward == whole[:-1]


@pytest.mark.parametrize(
    "filter",
    [
        {"name": "Ada"},
        {"_id": {"$gte": 3}},
        {"$or": [{"name": "Ada"}, {"name": "Bob"}]},
        {"$and": [{"name": "Ada"}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("sort", _SORTS, ids=str)
def test_the_filter_holds_on_each_page(
    people: PlainCollection[dict[str, Any]],
    filter: dict[str, Any],
    sort: Sequence[tuple[str, int]],
) -> None:
    whole = _find(people, keyset(filter, sort), 0)
    given = dict(filter)

    paged: list[dict[str, Any]] = []
    page = keyset(filter, sort)
    while found := _find(people, page, 2):
        paged += found
        page = keyset(filter, sort, after=page.position(found[-1]))

    assert paged == whole
    assert filter == given


def test_documents_inserted_and_deleted_meanwhile_shift_nothing(
    people: PlainCollection[dict[str, Any]],
) -> None:
    page = keyset({})
    first = _find(people, page, 3)
    people.insert_one({"_id": -1})
    people.delete_one({"_id": 1})

    second = _find(people, keyset({}, after=page.position(first[-1])), 3)

    assert [document["_id"] for document in second] == [3, 4, 5]


def test_the_id_is_added_to_the_sort_in_the_direction_of_the_last_field() -> None:
    assert keyset({}, "name").sort == [("name", 1), ("_id", 1)]
    assert keyset({}, [("name", -1)]).sort == [("name", -1), ("_id", -1)]
    assert keyset({}, ["name", "_id", "at"]).sort == [("name", 1), ("_id", 1), ("at", 1)]
    assert keyset({}).sort == [("_id", 1)]


def test_a_page_by_id_alone_is_one_range() -> None:
    assert keyset({"a": 1}, after=(5,)).filter == {"a": 1, "_id": {"$gt": 5}}
    assert keyset({"a": 1}, before=(5,)).filter == {"a": 1, "_id": {"$lt": 5}}
    assert keyset({"_id": {"$ne": 1}}, after=(5,)).filter == {
        "$and": [{"_id": {"$ne": 1}}, {"_id": {"$gt": 5}}]
    }


@pytest.mark.parametrize(
    ("sort", "places", "match"),
    [
        ("name", {"after": ("Ada",)}, "name, _id"),
        ("name", {"before": ("Ada", 1, 2)}, "name, _id"),
        ((), {"after": "5"}, "_id"),
        ((), {"after": (1,), "before": (2,)}, "not both"),
        ([("name", 2)], {}, "direction of name"),
    ],
)
def test_a_place_that_does_not_fit_is_refused(sort: Any, places: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        keyset({}, sort, **places)


def test_a_place_without_an_id_is_refused() -> None:
    with pytest.raises(KeyError, match="_id"):
        keyset({}, "name").position({"name": "Ada"})


def test_nothing_comes_before_a_null_id(people: PlainCollection[dict[str, Any]]) -> None:
    people.insert_one({"_id": None})

    page = keyset({}, [("_id", -1)])
    last = _find(people, page, 0)[-1]

    assert last == {"_id": None}
    assert _find(people, keyset({}, [("_id", -1)], after=page.position(last)), 0) == []


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b.c", "d"]), unique=True), st.integers())
def test_a_position_has_a_value_for_each_sorted_field(fields: list[str], value: int) -> None:
    page = keyset({}, fields)
    document = {"_id": 1, "a": value, "b": {"c": value}}

    position = page.position(document)

    assert position == tuple(1 if f == "_id" else None if f == "d" else value for f, _ in page.sort)


def test_what_is_no_cursor_or_no_number_is_a_type_error_that_names_it(things: Collection) -> None:
    wrong: Any
    for wrong in ([1, 2], things.aggregate([])):
        with pytest.raises(TypeError, match=r"cursor must be what find\(\) returns"):
            Paginator(wrong)
    for wrong in ("2", None, 1.0):
        with pytest.raises(TypeError, match="page must be an int"):
            Paginator(things.find(), page=wrong)
        with pytest.raises(TypeError, match="limit must be an int"):
            Paginator(things.find(), limit=wrong)
