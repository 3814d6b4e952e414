"""PyMongo 2's calls on collections, cursors, databases and clients."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from bson.objectid import ObjectId
from bson.son import SON
from pymongo.command_cursor import CommandCursor
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
)

from mongokit.errors import DeprecationError
from mongokit.legacy import LegacyClient, LegacyCollection, LegacyCursor, LegacyDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture
def client(mongodb_uri: str) -> Iterator[LegacyClient]:
    client = LegacyClient(mongodb_uri)
    yield client
    client.close()


@pytest.fixture
def db(client: LegacyClient, database_name: str) -> LegacyDatabase:
    return LegacyDatabase(client, database_name)


@pytest.fixture
def things(db: LegacyDatabase) -> LegacyCollection:
    return LegacyCollection(db, "things")


class Hostile(dict[str, Any]):
    """A document whose class gives other meanings to the methods of dict."""

    def get(self, *args: Any) -> Any:
        raise AssertionError("get was called")

    def items(self) -> Any:
        raise AssertionError("items was called")

    def keys(self) -> Any:
        raise AssertionError("keys was called")

    def update(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("update was called")

    def __getitem__(self, key: str) -> Any:
        raise AssertionError("__getitem__ was called")

    def __setitem__(self, key: str, value: Any) -> None:
        raise AssertionError("__setitem__ was called")

    def __contains__(self, key: object) -> bool:
        raise AssertionError("__contains__ was called")

    def __iter__(self) -> Any:
        raise AssertionError("__iter__ was called")


def _all(collection: LegacyCollection) -> list[dict[str, Any]]:
    return list(collection.find().sort("_id"))


# insert
def test_insert_of_one_document_returns_its_id_and_gives_it_one(things: LegacyCollection) -> None:
    document: dict[str, Any] = {"a": 1}

    _id = things.insert(document)

    assert isinstance(_id, ObjectId)
    assert document == {"a": 1, "_id": _id}
    assert _all(things) == [document]


def test_insert_of_several_documents_returns_their_ids_in_order(things: LegacyCollection) -> None:
    documents: list[dict[str, Any]] = [{"_id": 2}, {"_id": 1}, {"a": 1}]

    ids = things.insert(documents)

    assert ids[:2] == [2, 1]
    assert documents[2]["_id"] == ids[2]
    assert things.count() == 3


def test_insert_takes_any_iterable_of_documents(things: LegacyCollection) -> None:
    assert things.insert({"_id": n} for n in range(3)) == [0, 1, 2]


def test_insert_of_nothing_is_refused(things: LegacyCollection) -> None:
    with pytest.raises(InvalidOperation):
        things.insert([])


def test_insert_without_manipulation_leaves_the_document_alone(things: LegacyCollection) -> None:
    document = {"a": 1}

    assert things.insert(document, manipulate=False) is None
    assert document == {"a": 1}
    assert things.count() == 1


@pytest.mark.parametrize("documents", [{"_id": 1}, [{"_id": 1}], [{"_id": 2}, {"_id": 1}]])
def test_inserting_an_id_twice_is_a_duplicate_key_error(
    things: LegacyCollection, documents: Any
) -> None:
    things.insert({"_id": 1})

    with pytest.raises(DuplicateKeyError) as caught:
        things.insert(documents)

    assert caught.value.code == 11000


def test_continue_on_error_inserts_what_it_can(things: LegacyCollection) -> None:
    things.insert({"_id": 1})

    with pytest.raises(DuplicateKeyError):
        things.insert([{"_id": 1}, {"_id": 2}], continue_on_error=True)

    assert _all(things) == [{"_id": 1}, {"_id": 2}]


def test_another_error_of_several_inserts_stays_pymongos(things: LegacyCollection) -> None:
    things.database.create_collection("strict", validator={"a": {"$exists": True}})
    strict = LegacyCollection(things.database, "strict")

    with pytest.raises(BulkWriteError):
        strict.insert([{"_id": 1}])


def test_an_unknown_option_is_a_type_error(things: LegacyCollection) -> None:
    with pytest.raises(TypeError):
        things.insert({}, no_such_option=1)


# save
def test_save_inserts_then_replaces(things: LegacyCollection) -> None:
    document: dict[str, Any] = {"a": 1}

    _id = things.save(document)
    again = things.save({"_id": _id, "b": 2})

    assert document["_id"] == _id == again
    assert _all(things) == [{"_id": _id, "b": 2}]


def test_save_with_an_unknown_id_inserts(things: LegacyCollection) -> None:
    assert things.save({"_id": 7, "a": 1}) == 7
    assert _all(things) == [{"_id": 7, "a": 1}]


def test_save_of_something_else_is_a_type_error(things: LegacyCollection) -> None:
    with pytest.raises(TypeError, match="list"):
        things.save([])  # type: ignore[arg-type]


@pytest.mark.parametrize("write", ["insert", "save"])
def test_writing_a_document_calls_none_of_its_own_methods(
    things: LegacyCollection, write: str
) -> None:
    document = Hostile(a=1)

    _id = getattr(things, write)(document)

    assert dict.__getitem__(document, "_id") == _id
    assert _all(things) == [{"_id": _id, "a": 1}]
    things.save(document)
    things.update({"_id": _id}, document)
    assert things.count() == 1


# update
def test_update_with_operators_changes_one_or_all(things: LegacyCollection) -> None:
    things.insert([{"_id": n} for n in range(3)])

    one = things.update({}, {"$set": {"a": 1}})
    every = things.update({}, {"$set": {"a": 1}}, multi=True)

    assert one == {"n": 1, "nModified": 1, "ok": 1.0, "updatedExisting": True}
    assert every == {"n": 3, "nModified": 2, "ok": 1.0, "updatedExisting": True}


def test_update_with_a_document_replaces(things: LegacyCollection) -> None:
    things.insert({"_id": 1, "a": 1, "b": 1})

    answer = things.update({"a": 1}, {"a": 2}, upsert=False, multi=False)

    assert answer == {"n": 1, "nModified": 1, "ok": 1.0, "updatedExisting": True}
    assert _all(things) == [{"_id": 1, "a": 2}]


def test_update_of_nothing_says_so(things: LegacyCollection) -> None:
    expected = {"n": 0, "nModified": 0, "ok": 1.0, "updatedExisting": False}

    assert things.update({"a": 1}, {"$set": {"a": 2}}) == expected
    assert things.update({"a": 1}, {"a": 2}) == expected


@pytest.mark.parametrize("change", [{"$set": {"b": 1}}, {"a": 1, "b": 1}])
def test_an_upsert_answers_with_the_new_id(
    things: LegacyCollection, change: dict[str, Any]
) -> None:
    answer = things.update({"a": 1}, change, upsert=True)

    assert answer is not None
    assert answer == {
        "n": 1,
        "nModified": 0,
        "ok": 1.0,
        "updatedExisting": False,
        "upserted": things.find()[0]["_id"],
    }


def test_update_of_many_with_a_document_is_refused(things: LegacyCollection) -> None:
    with pytest.raises(ValueError, match=r"\$"):
        things.update({}, {"a": 1}, multi=True)


# remove
def test_remove_by_filter_id_or_all(things: LegacyCollection) -> None:
    things.insert([{"_id": n, "odd": n % 2} for n in range(6)])

    assert things.remove({"odd": 1}) == {"n": 3, "ok": 1.0}
    assert things.remove(0) == {"n": 1, "ok": 1.0}
    assert things.remove({}, multi=False) == {"n": 1, "ok": 1.0}
    assert things.remove() == {"n": 1, "ok": 1.0}
    assert things.remove() == {"n": 0, "ok": 1.0}


# write concerns
@pytest.mark.parametrize("options", [{"safe": False}, {"w": 0}])
def test_an_unacknowledged_write_has_no_answer(
    things: LegacyCollection, options: dict[str, Any]
) -> None:
    assert things.update({}, {"$set": {"a": 1}}, **options) is None
    assert things.remove({}, **options) is None
    assert things.insert({"_id": 1}, **options) == 1
    assert things.write_concern.acknowledged


def test_a_write_concern_of_one_call_is_sent(things: LegacyCollection) -> None:
    things.insert({"_id": 1}, j=True, safe=True)

    assert things.update({}, {"$set": {"a": 1}}, w=1, wtimeout=1000) == {
        "n": 1,
        "nModified": 1,
        "ok": 1.0,
        "updatedExisting": True,
    }


# last_status
def test_last_status_is_that_of_this_threads_last_legacy_write(
    things: LegacyCollection, db: LegacyDatabase
) -> None:
    assert db.last_status() == {"n": 0, "ok": 1.0, "err": None}
    things.insert([{"_id": 1}, {"_id": 2}])
    assert db.last_status() == {"n": 2, "ok": 1.0, "err": None}
    in_thread: list[dict[str, Any]] = []

    def write() -> None:
        things.remove({})
        in_thread.append(db.last_status())

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()

    assert in_thread == [{"n": 2, "ok": 1.0, "err": None}]
    assert db.last_status()["n"] == 2
    things.update({"_id": 1}, {"$set": {"a": 1}}, upsert=True)
    assert db.last_status() == {
        "n": 1,
        "nModified": 0,
        "ok": 1.0,
        "updatedExisting": False,
        "upserted": 1,
        "err": None,
    }


def test_last_status_of_a_failed_write_has_its_error(
    things: LegacyCollection, db: LegacyDatabase
) -> None:
    things.insert({"_id": 1})

    with pytest.raises(DuplicateKeyError):
        things.insert({"_id": 1})

    status = db.last_status()
    assert (status["n"], status["code"]) == (0, 11000)
    assert "duplicate" in status["err"]


# reads
def test_count_and_find_one_with_old_names(things: LegacyCollection) -> None:
    things.insert([{"_id": n, "odd": n % 2} for n in range(3)])

    assert things.count() == 3
    assert things.count({"odd": 1}) == 1
    assert things.find_one(spec_or_id=1) == {"_id": 1, "odd": 1}
    assert things.find_one(spec_or_id={"odd": 1}) == {"_id": 1, "odd": 1}
    assert things.find_one(2, {"odd": 1}) == {"_id": 2, "odd": 0}
    assert things.find_one(filter={"_id": 7}) is None
    with pytest.raises(TypeError, match="spec_or_id"):
        things.find_one({}, spec_or_id=1)


def test_a_cursor_counts_its_query_or_its_page(things: LegacyCollection) -> None:
    things.insert([{"_id": n} for n in range(5)])
    cursor = LegacyCursor(things, {"_id": {"$gt": 0}}, limit=2)

    assert cursor.count() == 4
    assert cursor.count(True) == 2
    assert cursor.count(with_limit_and_skip=True) == 2


def test_an_aggregation_is_pymongos_cursor_and_answers_as_a_reply(
    things: LegacyCollection,
) -> None:
    things.insert([{"_id": n} for n in range(3)])
    pipeline = [{"$match": {"_id": {"$gt": 0}}}, {"$sort": {"_id": 1}}]

    cursor = things.aggregate(pipeline, batchSize=1)
    reply = things.aggregate(pipeline)

    assert isinstance(cursor, CommandCursor)
    assert list(cursor) == [{"_id": 1}, {"_id": 2}]
    assert reply["result"] == [{"_id": 1}, {"_id": 2}]
    assert reply["result"] == [{"_id": 1}, {"_id": 2}]
    assert reply["ok"] == 1.0
    with pytest.raises(KeyError):
        reply["errmsg"]


def test_an_aggregation_takes_one_stage_or_several_as_arguments(things: LegacyCollection) -> None:
    things.insert([{"_id": n} for n in range(3)])

    assert len(list(things.aggregate({"$match": {"_id": 1}}))) == 1
    assert len(list(things.aggregate({"$match": {}}, {"$limit": 2}))) == 2
    with pytest.raises(TypeError, match="stages"):
        things.aggregate({"$match": {}}, 2)


def test_an_aggregation_takes_a_session_where_pymongo_does(
    things: LegacyCollection, client: LegacyClient
) -> None:
    things.insert({"_id": 1})

    with client.start_session() as session:
        assert list(things.aggregate([{"$match": {}}], session)) == [{"_id": 1}]
        assert list(things.aggregate([{"$match": {}}], session=session)) == [{"_id": 1}]


# find_and_modify
def test_find_and_modify_changes_and_returns_one(things: LegacyCollection) -> None:
    things.insert([{"_id": n, "n": 0} for n in range(3)])

    assert things.find_and_modify({"_id": 1}, {"$inc": {"n": 1}}) == {"_id": 1, "n": 0}
    assert things.find_and_modify({"_id": 1}, {"$inc": {"n": 1}}, new=True) == {"_id": 1, "n": 2}
    last = things.find_and_modify({}, {"n": 9}, sort=[("_id", -1)], new=True, fields=["n"])
    assert last == {"_id": 2, "n": 9}
    assert things.find_and_modify({}, sort={"_id": 1}, remove=True) == {"_id": 0, "n": 0}
    assert things.find_and_modify({"_id": 7}, {"$set": {"n": 1}}) is None
    assert things.find_and_modify({"_id": 7}, {"$set": {"n": 1}}, upsert=True, new=True) == {
        "_id": 7,
        "n": 1,
    }


@pytest.mark.parametrize("options", [{}, {"w": 1}])
def test_find_and_modify_gives_the_whole_reply_when_asked(
    things: LegacyCollection, options: dict[str, Any]
) -> None:
    things.insert({"_id": 1, "n": 0, "x": 1})

    reply = things.find_and_modify(
        {"_id": 1},
        {"$inc": {"n": 1}},
        sort=[("_id", 1)],
        full_response=True,
        new=True,
        fields=["n"],
        **options,
    )

    assert reply["value"] == {"_id": 1, "n": 1}
    assert reply["lastErrorObject"]["updatedExisting"] is True
    removed = things.find_and_modify({"_id": 1}, remove=True, full_response=True)
    assert removed["value"] == {"_id": 1, "n": 1, "x": 1}
    assert things.count() == 0


@pytest.mark.parametrize("options", [{}, {"update": {"a": 1}, "remove": True}])
def test_find_and_modify_needs_exactly_one_of_update_and_remove(
    things: LegacyCollection, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="either"):
        things.find_and_modify({}, **options)


# indexes
def test_indexes_are_created_with_the_options_of_then(things: LegacyCollection) -> None:
    assert things.ensure_index("a", unique=True, drop_dups=True) == "a_1"
    assert things.ensure_index([("b", -1), ("a", 1)], 300) == "b_-1_a_1"
    assert things.create_index("c", ttl=300, dropDups=True) == "c_1"
    assert things.create_index(key_or_list=[("d", 1)], cache_for=1) == "d_1"

    information = things.index_information()

    assert information["a_1"]["unique"] is True
    assert set(information) == {"_id_", "a_1", "b_-1_a_1", "c_1", "d_1"}
    with pytest.raises(TypeError, match="key_or_list"):
        things.create_index("a", key_or_list="a")


# commands that servers dropped
@pytest.mark.parametrize("key", [["a"], "function(document) {}", None])
def test_the_servers_refusal_of_group_comes_through(things: LegacyCollection, key: Any) -> None:
    with pytest.raises(OperationFailure):
        things.group(key, {}, {"n": 0}, "function(d, o) { o.n++ }", "function(o) {}")


def test_map_reduce_gives_the_collection_with_the_result(things: LegacyCollection) -> None:
    things.insert({"_id": 1})

    try:
        result = things.map_reduce("function() {}", "function(k, v) {}", "result")
    except OperationFailure as refusal:
        pytest.skip(f"this server keeps no result of mapReduce: {refusal.code}")
    assert result == things.database["result"]


def test_inline_map_reduce_gives_the_results_or_the_reply(things: LegacyCollection) -> None:
    things.insert({"_id": 1})
    functions = "function() {}", "function(k, v) {}"

    assert things.inline_map_reduce(*functions) == []
    assert things.inline_map_reduce(*functions, full_response=True)["results"] == []


def test_map_reduce_needs_a_place_for_its_result(things: LegacyCollection) -> None:
    with pytest.raises(TypeError, match="out"):
        things.map_reduce("function() {}", "function(k, v) {}", None)  # type: ignore[arg-type]


# databases and clients
def test_a_database_has_its_client_and_a_client_its_address(
    db: LegacyDatabase, client: LegacyClient
) -> None:
    assert db.connection is client
    assert (client.host, client.port) == client.address


def test_names_of_databases_and_collections(
    things: LegacyCollection, db: LegacyDatabase, client: LegacyClient
) -> None:
    things.insert({"_id": 1})
    LegacyCollection(db, "system.js").insert({"_id": "f"})

    assert db.name in client.database_names()
    assert sorted(db.collection_names()) == ["system.js", "things"]
    assert db.collection_names(include_system_collections=False) == ["things"]


def test_calls_that_are_gone_say_what_takes_their_place(
    db: LegacyDatabase, client: LegacyClient
) -> None:
    gone: list[tuple[str, Callable[[], object]]] = [
        ("credentials", lambda: db.authenticate("ada", "secret")),
        ("credentials", db.logout),
        ("aggregate", lambda: db.eval("1")),
        ("JavaScript", lambda: db.system_js),
        ("mongodump", lambda: client.copy_database("a", "b")),
    ]

    for match, call in gone:
        with pytest.raises(DeprecationError, match=match):
            call()


def test_users_are_added_changed_and_removed(db: LegacyDatabase) -> None:
    def roles() -> list[list[str]]:
        users = db.command("usersInfo")["users"]
        return [[role["role"] for role in user["roles"]] for user in users]

    db.add_user("ada", "secret")
    assert roles() == [["dbOwner"]]
    db.add_user("ada", "another")
    assert roles() == [["dbOwner"]]
    db.add_user("ada", read_only=True)
    assert roles() == [["read"]]
    db.add_user("ada", roles=["readWrite"])
    assert roles() == [["readWrite"]]
    db.remove_user("ada")
    assert roles() == []
    with pytest.raises(OperationFailure):
        db.remove_user("ada")


def test_disconnect_closes_the_client(mongodb_uri: str) -> None:
    client = LegacyClient(mongodb_uri)
    client.admin.command("ping")

    client.disconnect()

    with pytest.raises(InvalidOperation):
        client.admin.command("ping")


# warnings
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("insert", lambda things: things.insert({"_id": 1})),
        ("save", lambda things: things.save({"_id": 1})),
        ("update", lambda things: things.update({}, {"a": 1})),
        ("remove", lambda things: things.remove({})),
        ("count", lambda things: things.count()),
        ("ensure_index", lambda things: things.ensure_index("a")),
        ("create_index", lambda things: things.create_index("a", ttl=1)),
        ("find_and_modify", lambda things: things.find_and_modify({}, {"a": 1})),
        ("find_one", lambda things: things.find_one(spec_or_id=1)),
        ("aggregate", lambda things: things.aggregate({"$match": {}})),
        ("aggregate", lambda things: things.aggregate([])["ok"]),
        ("Cursor.count", lambda things: LegacyCursor(things).count()),
        ("last_status", lambda things: things.database.last_status()),
        ("collection_names", lambda things: things.database.collection_names()),
        ("database_names", lambda things: things.database.client.database_names()),
        ("Database.connection", lambda things: things.database.connection),
        ("MongoClient.host", lambda things: things.database.client.host),
        ("MongoClient.port", lambda things: things.database.client.port),
    ],
)
def test_each_legacy_call_warns_once_at_the_callers_line(
    things: LegacyCollection, name: str, call: Callable[[LegacyCollection], Any]
) -> None:
    with pytest.warns(PendingDeprecationWarning, match=name) as caught:
        call(things)

    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.filterwarnings("error::PendingDeprecationWarning")
def test_pymongo_4s_own_calls_do_not_warn(things: LegacyCollection) -> None:
    things.insert_one({"_id": 1})
    things.create_index([("a", 1)])
    things.create_index("b", unique=True)

    assert things.find_one({"_id": 1}) == {"_id": 1}
    assert list(things.aggregate([{"$match": {}}])) == [{"_id": 1}]
    assert things.count_documents({}) == 1


def test_documents_of_another_dict_class_are_stored_in_their_order(
    things: LegacyCollection,
) -> None:
    things.insert(SON([("_id", 1), ("b", 1), ("a", 2)]))

    assert list(things.find()[0]) == ["_id", "b", "a"]
