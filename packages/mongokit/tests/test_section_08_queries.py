"""Section 8: queries on managers and documents."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from pymongo import monitoring

from mongokit import (
    Collection,
    Connection,
    Cursor,
    Database,
    Document,
    MultipleResultsFound,
    OperationFailure,
    StructureError,
)


class User(Document):
    structure = {"name": str, "age": int}


@pytest.fixture(autouse=True)
def _people(connection: Connection, col: Collection) -> None:
    connection.register(User)
    col.insert_many([{"_id": n, "name": f"user {n}", "age": 20 + n} for n in range(5)])


def test_find_gives_a_cursor_of_documents(col: Collection) -> None:
    cursor = col.User.find({"age": {"$gte": 22}})

    assert type(cursor) is Cursor
    found = list(cursor)
    assert [type(user) for user in found] == [User] * 3
    assert found[0].collection is col
    assert dict(found[0]) == {"_id": 2, "name": "user 2", "age": 22}


def test_sort_skip_limit_slices_and_indexing_keep_the_class(col: Collection) -> None:
    cursor = col.User.find().sort("_id", -1)

    assert type(cursor[0]) is User
    assert cursor[0]["_id"] == 4
    assert [u["_id"] for u in col.User.find().sort("_id", 1)[1:3]] == [1, 2]
    assert {type(u) for u in col.User.find()[1:3]} == {User}
    assert [u["_id"] for u in col.User.find().sort("_id").skip(1).limit(2)] == [1, 2]


def test_next_rewind_clone_and_copies_keep_the_class(col: Collection) -> None:
    cursor = col.User.find().sort("_id", 1)

    assert type(next(cursor)) is User
    assert type(cursor.next()) is User
    cursor.rewind()
    assert [u["_id"] for u in cursor] == [0, 1, 2, 3, 4]
    for other in (cursor.clone(), copy.copy(cursor), copy.deepcopy(cursor)):
        assert {type(u) for u in other} == {User}


def test_for_and_next_may_be_mixed(col: Collection) -> None:
    cursor = col.User.find(batch_size=2).sort("_id", 1)
    seen = [cursor.next()["_id"]]
    for user in cursor:
        seen.append(user["_id"])
        if len(seen) == 3:
            seen.append(cursor.next()["_id"])

    assert seen == [0, 1, 2, 3, 4]
    with pytest.raises(StopIteration):
        cursor.next()


def test_a_rewind_inside_a_loop_starts_again(col: Collection) -> None:
    cursor = col.User.find().sort("_id", 1)
    seen = []
    for user in cursor:
        seen.append(user["_id"])
        if len(seen) == 2:
            cursor.rewind()

    assert seen == [0, 1, 0, 1, 2, 3, 4]


def test_to_list_gives_documents(col: Collection) -> None:
    cursor = col.User.find().sort("_id", 1)

    assert [u["_id"] for u in cursor.to_list(2)] == [0, 1]
    assert [type(u) for u in cursor.to_list()] == [User] * 3
    assert cursor.to_list() == []


def test_find_one_takes_a_filter_or_an_id(col: Collection) -> None:
    for found in (
        col.User.find_one({"_id": 3}),
        col.User.find_one(3),
        col.User.get_from_id(3),
        col.User.one({"age": 23}),
        col.User().find_one(3),
        col.User().one({"_id": 3}),
    ):
        assert type(found) is User
        assert found["_id"] == 3
    assert col.User.find_one({"_id": 99}) is None
    assert col.User.get_from_id(99) is None
    assert col.User.one({"_id": 99}) is None


def test_one_refuses_more_than_one_and_reads_two_at_the_most(
    mongodb_uri: str, db: Database
) -> None:
    returned: list[int] = []

    class Listener(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None: ...

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            if event.command_name == "find":
                returned.append(len(event.reply["cursor"]["firstBatch"]))

        def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    with Connection(mongodb_uri, event_listeners=[Listener()]) as client:
        client.register(User)
        with pytest.raises(MultipleResultsFound):
            client[db.name].things.User.one()

    assert returned == [2]


def test_find_random_gives_one_or_none(col: Collection, db: Database) -> None:
    found = col.User.find_random()
    assert type(found) is User
    assert db.empty.User.find_random() is None
    found = col.User.find_random({"name": "user 3"})
    assert found is not None
    assert found["_id"] == 3
    assert col.User.find_random({"name": "nobody"}) is None


def test_fetch_wants_every_declared_field_and_leaves_the_spec(col: Collection) -> None:
    col.insert_one({"_id": 9, "name": "no age"})
    spec = {"name": {"$gt": "a"}}

    assert sorted(u["_id"] for u in col.User.fetch()) == [0, 1, 2, 3, 4]
    assert sorted(u["_id"] for u in col.User.fetch(spec)) == [0, 1, 2, 3, 4]
    assert spec == {"name": {"$gt": "a"}}
    assert [u["_id"] for u in col.User.fetch({"name": "user 1"})] == [1]
    found = col.User.fetch_one({"name": "user 1"})
    assert type(found) is User
    assert col.User.fetch_one({"name": "no age"}) is None
    with pytest.raises(MultipleResultsFound):
        col.User.fetch_one()


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_find_and_modify_gives_a_document_or_none(col: Collection) -> None:
    before = col.User.find_and_modify({"_id": 1}, {"$inc": {"age": 1}})
    after = col.User.find_and_modify({"_id": 1}, {"$inc": {"age": 1}}, new=True)
    nobody = col.User.find_and_modify({"_id": 99}, {"$inc": {"age": 1}})

    assert type(before) is type(after) is User
    assert after is not None
    assert (before["age"], after["age"], nobody) == (21, 23, None)


def test_distinct_and_count(col: Collection) -> None:
    assert sorted(col.User.distinct("age")) == [20, 21, 22, 23, 24]
    assert col.User.count() == 5
    assert col.User.count({"age": {"$gt": 22}}) == 2


def test_a_bound_document_has_the_same_query_methods(col: Collection) -> None:
    user = col.User.find_one(1)
    assert user is not None

    assert [u["_id"] for u in user.find({"_id": 2})] == [2]
    assert user.get_from_id(3)["_id"] == 3


def test_find_on_a_collection_wraps_where_asked_to(col: Collection) -> None:
    assert {type(u) for u in col.find()} == {dict}
    assert {type(u) for u in col.find(wrap=User)} == {User}
    assert {type(u) for u in col.find(wrap=col.User)} == {User}


def test_a_collection_has_the_same_queries_without_wrapping(col: Collection, db: Database) -> None:
    stored = {"_id": 3, "name": "user 3", "age": 23}

    for found in (
        col.one({"age": 23}),
        col.get_from_id(3),
        col.fetch_one({"age": 23}),
        col.find_random({"age": 23}),
        *col.fetch({"age": 23}),
    ):
        assert found == stored
        assert type(found) is dict
    assert type(col.find_random()) is dict
    assert col.one({"age": 99}) is None
    assert col.get_from_id(99) is None
    assert db.empty.find_random() is None
    assert len(col.fetch().to_list()) == 5
    with pytest.raises(MultipleResultsFound):
        col.one()
    with pytest.raises(MultipleResultsFound):
        col.fetch_one()
    with pytest.raises(OperationFailure, match=r"(?i)text"):  # the engine has no such index
        col.find_fulltext("ada")


def test_the_old_spellings_are_accepted_by_managers(col: Collection) -> None:
    with pytest.warns(PendingDeprecationWarning):
        found = list(col.User.find(spec={"_id": 1}, fields=["name"]))

    assert found == [{"_id": 1, "name": "user 1"}]
    assert type(found[0]) is User


def test_a_partial_document_says_so_when_it_is_saved(col: Collection) -> None:
    for user in (
        col.User.find_one({"_id": 1}, ["name"]),
        next(iter(col.User.find({"_id": 1}, {"name": 1}))),
        col.User.find({"_id": 1}, projection=["name"]).next(),
        col.User.one({"_id": 1}, ["name"]),
    ):
        assert user is not None
        assert dict(user) == {"_id": 1, "name": "user 1"}
        with pytest.raises(StructureError, match=r"missed fields \['age'\] in User.*projection"):
            user.save()
    assert col.find_one({"_id": 1}) == {"_id": 1, "name": "user 1", "age": 21}


def test_results_are_of_the_class_that_the_type_field_names(
    connection: Connection, col: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    class Animal(Document):
        structure = {"_type": str, "name": str}

    class Cat(Animal):
        structure = {"lives": int}

    connection.register([Animal, Cat])
    col.delete_many({})
    col.Animal({"_type": "Animal", "name": "a"}).save()
    cat = col.Cat()
    cat["name"] = "c"
    cat.save()
    col.insert_one({"_type": "Unicorn", "name": "u"})

    with caplog.at_level(logging.WARNING, logger="mongokit"):
        found = {d["name"]: type(d) for d in col.Animal.find()}
        found_again = {d["name"]: type(d) for d in col.Animal.find()}

    assert found == found_again == {"a": Animal, "c": Cat, "u": Animal}
    assert len([r for r in caplog.records if "Unicorn" in r.getMessage()]) == 1
    assert type(col.Animal.find_one({"name": "c"})) is Cat
    unicorn = col.Animal.find_one({"name": "u"})
    assert unicorn is not None
    assert unicorn["_type"] == "Unicorn"


def test_reading_changes_nothing_and_keeps_undeclared_fields(col: Collection) -> None:
    stored: dict[str, Any] = {"_id": 50, "name": "x", "legacy": {"deep": [1, {"a": None}]}}
    col.insert_one(stored)

    user = col.User.find_one(50)

    assert user == stored
    assert col.find_one(50) == stored


def test_fulltext_search_reports_the_servers_own_error(col: Collection) -> None:
    with pytest.raises(Exception, match=r"(?i)text"):
        col.User.find_fulltext("ada")
