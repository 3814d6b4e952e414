"""Clients, databases and collections as objects: the same on PyMongo's and on ours."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest
from bson import SON, CodecOptions
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.errors import (
    CollectionInvalid,
    ConfigurationError,
    InvalidName,
    InvalidOperation,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern

from mongokit import Collection as OurCollection
from mongokit import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymongo.database import Database

Doc = dict[str, Any]
ClientClass = type[MongoClient[Doc]]


@pytest.fixture(params=[MongoClient, Connection], ids=["pymongo", "mongokit"])
def client_class(request: pytest.FixtureRequest) -> ClientClass:
    """PyMongo's class of clients, then ours."""
    made: ClientClass = request.param
    return made


# names
def test_attributes_and_items_are_databases_and_collections(any_client: MongoClient[Doc]) -> None:
    assert any_client.shop == any_client["shop"]
    assert any_client.shop.orders == any_client["shop"]["orders"]
    assert any_client.shop.orders.lines == any_client["shop"]["orders.lines"]
    assert any_client.shop["orders"]["lines"].full_name == "shop.orders.lines"
    assert any_client.shop.orders.database == any_client.shop
    assert any_client.shop.client is any_client


def test_names_that_start_with_an_underscore_are_items_only(any_db: Database[Doc]) -> None:
    for store in (any_db.client, any_db, any_db["things"]):
        with pytest.raises(AttributeError, match=r"has no attribute '_hidden'.*\['(.*)_hidden'\]"):
            _ = store._hidden
        assert store["_hidden"].name.endswith("_hidden")


@pytest.mark.parametrize("name", ["", "a..b", ".a", "a.", "a$b", "a\x00b"])
def test_names_that_no_collection_may_have_are_refused(any_db: Database[Doc], name: str) -> None:
    with pytest.raises(InvalidName):
        _ = any_db[name]
    with pytest.raises(InvalidName):
        _ = any_db["a"][name]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a$b", "a/b", "a\\b", "a\x00b", 'a"b'])
def test_names_that_no_database_may_have_are_refused(
    any_client: MongoClient[Doc], name: str
) -> None:
    with pytest.raises(InvalidName):
        _ = any_client[name]


def test_names_of_other_types_are_refused(any_client: MongoClient[Doc]) -> None:
    with pytest.raises(TypeError, match="must be an instance of str"):
        _ = any_client[5]  # type: ignore[index]
    with pytest.raises(TypeError, match="must be an instance of str"):
        _ = any_client["a"][5]  # type: ignore[index]


# equality, hash, truth, text
def test_equal_names_on_equal_clients_are_equal(
    client_class: ClientClass, mongodb_uri: str
) -> None:
    with client_class(mongodb_uri) as one, client_class(mongodb_uri) as two:
        assert one == two
        assert hash(one) == hash(two)
        assert one["a"] == two["a"]
        assert one["a"] != one["b"]
        assert one["a"]["x"] == two["a"]["x"]
        assert one["a"]["x"] != one["a"]["y"]
        assert one["a"]["x"] != one["b"]["x"]
        assert hash(one["a"]["x"]) == hash(two["a"]["x"])
        assert len({one["a"], two["a"], one["a"]["x"], two["a"]["x"]}) == 2
        assert one["a"]["x"] == two["a"].get_collection("x", write_concern=WriteConcern(w=0))
        assert one["a"] != "a"
        assert one["a"]["x"] != "x"


def test_databases_and_collections_have_no_truth_value(any_db: Database[Doc]) -> None:
    for store in (any_db, any_db["things"]):
        with pytest.raises(NotImplementedError, match="compare with None instead"):
            bool(store)
    assert bool(any_db.client)


def test_nothing_of_them_is_iterable(any_db: Database[Doc]) -> None:
    store: Any
    for store in (any_db.client, any_db, any_db["things"]):
        assert not isinstance(store, Iterable)
        with pytest.raises(TypeError, match="object is not iterable"):
            iter(store)
        with pytest.raises(TypeError, match="object is not iterable"):
            next(store)
        with pytest.raises(TypeError, match="iterable"):
            _ = "a" in store


def test_a_collection_is_not_callable(any_db: Database[Doc]) -> None:
    with pytest.raises(TypeError, match="'things'"):
        any_db["things"]()
    with pytest.raises(TypeError, match="'surprise'"):
        any_db["things"].surprise(1)


def test_texts_name_class_host_and_names(client_class: ClientClass) -> None:
    with client_class("mongodb://localhost:1/", connect=False) as client:
        assert repr(client).startswith(f"{client_class.__name__}(host=['localhost:1']")
        assert repr(client["a"]) == f"Database({client!r}, 'a')"
        assert repr(client["a"]["b"]["c"]) == f"Collection({client['a']!r}, 'b.c')"


# copies and pickles
@pytest.mark.parametrize("of", [lambda db: db.client, lambda db: db, lambda db: db["things"]])
def test_what_holds_sockets_and_locks_is_neither_pickled_nor_copied_deep(
    any_db: Database[Doc], of: Callable[[Database[Doc]], Any]
) -> None:
    any_db.command("ping")

    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(of(any_db))
    with pytest.raises(TypeError, match="pickle"):
        copy.deepcopy(of(any_db))


def test_a_shallow_copy_of_a_database_is_equal(any_db: Database[Doc]) -> None:
    assert copy.copy(any_db) == any_db
    assert copy.copy(any_db)["things"].count_documents({}) == 0


def test_a_shallow_copy_of_our_collection_is_equal_too(col: OurCollection) -> None:
    """PyMongo's ends in a RecursionError."""
    assert copy.copy(col) == col
    assert copy.copy(col).count_documents({}) == 0


# options, inherited from client to database to collection
OPTIONS: dict[str, Any] = {
    "codec_options": CodecOptions(document_class=SON, tz_aware=True),
    "read_preference": ReadPreference.SECONDARY_PREFERRED,
    "write_concern": WriteConcern(w=1, j=True),
    "read_concern": ReadConcern("majority"),
}


def _options_of(store: Any) -> dict[str, Any]:
    return {name: getattr(store, name) for name in OPTIONS}


def test_options_of_the_client_reach_its_databases_and_collections(
    client_class: ClientClass,
) -> None:
    with client_class(
        "mongodb://localhost:1/?readConcernLevel=local&readPreference=nearest&w=1",
        connect=False,
        document_class=SON,
        tz_aware=True,
        uuidRepresentation="standard",
    ) as client:
        options = _options_of(client)
        assert options["codec_options"].document_class is SON
        assert options["codec_options"].tz_aware is True
        assert options["read_preference"] == ReadPreference.NEAREST
        assert options["read_concern"] == ReadConcern("local")
        assert options["write_concern"] == WriteConcern(w=1)
        for store in (client["a"], client["a"]["b"], client["a"]["b"]["c"], client.a.b.c.d):
            assert _options_of(store) == options


def test_with_options_changes_what_is_given_and_keeps_the_rest(any_db: Database[Doc]) -> None:
    for store in (any_db, any_db["things"]):
        before = _options_of(store)
        for name, value in OPTIONS.items():
            changed = store.with_options(**{name: value})
            assert type(changed) is type(store)
            assert changed.name == store.name
            assert _options_of(changed) == before | {name: value}
        assert _options_of(store.with_options()) == before
        assert _options_of(store.with_options(*OPTIONS.values())) == OPTIONS
        assert _options_of(store) == before


def test_options_reach_what_is_below(any_db: Database[Doc]) -> None:
    database = any_db.with_options(**OPTIONS)
    collection = any_db["things"].with_options(**OPTIONS)

    for below in (
        *(database["a"], database.a, database["a"]["b"], database.get_collection("a")),
        *(collection["b"], collection.b, collection.b.c),
        *(database.with_options()["a"], database["a"].with_options()),
        any_db.client.get_database(any_db.name, **OPTIONS)["a"],
        any_db.get_collection("a", **OPTIONS)["b"],
    ):
        assert _options_of(below) == OPTIONS
    assert _options_of(any_db["things"]["b"]) == _options_of(any_db)


def test_create_collection_takes_options_too(any_db: Database[Doc]) -> None:
    assert _options_of(any_db.create_collection("made", **OPTIONS)) == OPTIONS
    with pytest.raises(CollectionInvalid):
        any_db.create_collection("made")


# the client
def test_the_default_database_comes_from_the_uri(client_class: ClientClass) -> None:
    with client_class("mongodb://localhost:1/shop", connect=False) as client:
        assert client.get_default_database() == client["shop"]
        assert client.get_default_database("other") == client["shop"]
        assert client.get_database() == client["shop"]
        assert client.get_database("other") == client["other"]
        assert _options_of(client.get_default_database(**OPTIONS)) == OPTIONS
    with client_class("mongodb://localhost:1/", connect=False) as client:
        assert client.get_default_database("other") == client["other"]
        with pytest.raises(ConfigurationError, match="No default database"):
            client.get_default_database()
        with pytest.raises(ConfigurationError, match="No default database"):
            client.get_database()


def test_databases_are_listed_and_dropped(
    any_client: MongoClient[Doc], any_db: Database[Doc]
) -> None:
    any_db["a"].insert_one({})

    assert any_db.name in any_client.list_database_names()
    with any_client.list_databases(nameOnly=True, filter={"name": any_db.name}) as cursor:
        assert [each["name"] for each in cursor] == [any_db.name]
    any_client.drop_database(any_db)
    assert any_db.name not in any_client.list_database_names()
    any_client.drop_database(any_db.name)
    with pytest.raises(TypeError, match="must be an instance of str or a Database"):
        any_client.drop_database(5)  # type: ignore[arg-type]


def test_a_client_knows_its_server(any_client: MongoClient[Doc]) -> None:
    any_client.admin.command("ping")

    assert any_client.server_info()["versionArray"]
    assert any_client.address in any_client.nodes
    assert any_client.is_primary
    assert any_client.options.pool_options.max_pool_size == 100
    assert any_client.topology_description.has_writable_server()


def test_arguments_of_the_client_keep_their_positions(client_class: ClientClass) -> None:
    with client_class("localhost", 1, SON, True, False) as client:
        assert client.codec_options.document_class is SON
        assert client.codec_options.tz_aware is True
    for wrong in ({"surprise": 1}, {"maxPoolSize": -1}, {"journal": "text"}):
        with pytest.raises((ConfigurationError, ValueError, TypeError)):
            client_class("localhost", 1, connect=False, **wrong)
    with pytest.raises(TypeError, match="port must be an instance of int"):
        client_class("localhost", "1")  # type: ignore[arg-type]


def test_a_closed_client_can_not_be_used(client_class: ClientClass, mongodb_uri: str) -> None:
    client = client_class(mongodb_uri)
    client.admin.command("ping")

    client.close()
    client.close()

    with pytest.raises(InvalidOperation, match="Cannot use MongoClient after close"):
        client.list_database_names()
    with pytest.raises(InvalidOperation, match="Cannot use MongoClient after close"):
        client["a"]["b"].find_one()
    with pytest.raises(InvalidOperation, match="Cannot use MongoClient after close"):
        client["a"]["b"].insert_one({})


def test_a_with_block_closes_the_client(client_class: ClientClass, mongodb_uri: str) -> None:
    with client_class(mongodb_uri) as client:
        client.admin.command("ping")

    with pytest.raises(InvalidOperation, match="after close"):
        client.admin.command("ping")


def test_no_server_is_an_error_within_the_given_time(client_class: ClientClass) -> None:
    with (
        client_class("localhost", 1, serverSelectionTimeoutMS=50) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        client.admin.command("ping")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return subprocess.run(  # noqa: S603 - the interpreter of this run
        [sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=60
    )


FORKED = """
import os, sys, warnings
from {module} import {name} as Client
warnings.simplefilter("ignore", DeprecationWarning)
client = Client({uri!r})
client.admin.command("ping")
child = os.fork()
if child == 0:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = client.admin.command("ping")["ok"]
    texts = [str(warning.message) for warning in caught]
    os._exit(0 if answer == 1.0 and any("opened before fork" in text for text in texts) else 1)
status = os.waitpid(child, 0)[1]
client.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_client_warns_in_a_forked_child_and_works(
    client_class: ClientClass, mongodb_uri: str
) -> None:
    module, name = ("mongokit", "Connection")
    if client_class is MongoClient:
        module, name = ("pymongo", "MongoClient")
    program = FORKED.format(module=module, name=name, uri=mongodb_uri)

    ended = _run("-c", program)

    assert ended.returncode == 0, ended.stderr


def test_a_client_that_was_never_closed_warns_with_the_line_that_made_it(
    client_class: ClientClass, mongodb_uri: str, tmp_path: Any
) -> None:
    module, name = ("mongokit", "Connection")
    if client_class is MongoClient:
        module, name = ("pymongo", "MongoClient")
    program = tmp_path / "careless.py"
    program.write_text(
        f"from {module} import {name}\n"
        f"client = {name}({mongodb_uri!r})\n"
        "client.admin.command('ping')\n"
        "del client\n"
        "import gc; gc.collect()\n"
    )

    ended = _run("-X", "dev", str(program))

    assert ended.returncode == 0, ended.stderr
    assert f"Unclosed {name} opened at" in ended.stderr
    assert "careless.py" in ended.stderr
