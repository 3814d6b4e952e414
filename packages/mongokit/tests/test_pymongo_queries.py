"""PyMongo's own queries: the same results on PyMongo's collections and on ours."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import bson
import pytest
from bson import SON, CodecOptions, Decimal128, UuidRepresentation
from bson.codec_options import TypeCodec, TypeRegistry
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.command_cursor import CommandCursor, RawBatchCommandCursor
from pymongo.cursor import RawBatchCursor
from pymongo.errors import (
    ExecutionTimeout,
    OperationFailure,
)
from pymongo.monitoring import CommandListener

from mongokit import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection
    from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent

Doc = dict[str, Any]


class Sent(CommandListener):
    """Remembers the commands that a client sends."""

    def __init__(self) -> None:
        self.commands: list[Doc] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to remember."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to remember."""


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture(params=[MongoClient, Connection], ids=["pymongo", "mongokit"])
def listened(
    request: pytest.FixtureRequest, mongodb_uri: str, database_name: str, sent: Sent
) -> Iterator[Collection[Doc]]:
    """A collection whose commands `sent` remembers."""
    with request.param(mongodb_uri, event_listeners=[sent]) as client:
        yield client[database_name]["things"]


@pytest.fixture
def numbers(any_col: Collection[Doc]) -> Collection[Doc]:
    """Ten documents, `_id` and `n` from 0 to 9."""
    any_col.insert_many([{"_id": n, "n": n, "odd": n % 2} for n in range(10)])
    return any_col


# find
def test_find_gives_plain_dicts(numbers: Collection[Doc]) -> None:
    found = list(numbers.find())

    assert {type(document) for document in found} == {dict}
    assert sorted(document["_id"] for document in found) == list(range(10))


def test_find_takes_its_arguments_by_position(numbers: Collection[Doc]) -> None:
    found = numbers.find({"odd": 1}, {"_id": 1}, 1, 2).sort("_id")

    assert list(found) == [{"_id": 3}, {"_id": 5}]


# PyMongo 4.9 warns that the session may end before the cursor.
@pytest.mark.filterwarnings("ignore:use an explicit session with no_cursor_timeout:UserWarning")
def test_find_sends_every_keyword(listened: Collection[Doc], sent: Sent) -> None:
    listened.insert_one({"_id": 1, "a": 1})
    listened.create_index("a", name="by_a")
    sent.commands.clear()

    listened.find(
        filter={"a": 1},
        projection={"a": True},
        skip=0,
        limit=5,
        no_cursor_timeout=True,
        sort=[("a", DESCENDING)],
        allow_partial_results=True,
        batch_size=3,
        collation={"locale": "en"},
        hint="by_a",
        max_time_ms=5000,
        return_key=False,
        show_record_id=False,
        comment="why",
        allow_disk_use=True,
        let={"x": 1},
    ).min([("a", 0)]).max([("a", 9)]).to_list()

    command = sent.commands[0]
    assert {name: command[name] for name in command.keys() - {"lsid", "$db", "$clusterTime"}} == {
        "find": "things",
        "filter": {"a": 1},
        "projection": {"a": True},
        "limit": 5,
        "noCursorTimeout": True,
        "sort": {"a": -1},
        "allowPartialResults": True,
        "batchSize": 3,
        "collation": {"locale": "en"},
        "hint": "by_a",
        "maxTimeMS": 5000,
        "min": {"a": 0},
        "max": {"a": 9},
        "returnKey": False,
        "showRecordId": False,
        "comment": "why",
        "allowDiskUse": True,
        "let": {"x": 1},
    }


def test_find_refuses_arguments_of_a_wrong_type(any_col: Collection[Doc]) -> None:
    for arguments in (
        {"skip": "1"},
        {"limit": "1"},
        {"no_cursor_timeout": 1},
        {"batch_size": "1"},
        {"allow_partial_results": 1},
        {"filter": 1},
    ):
        with pytest.raises(TypeError):
            any_col.find(**arguments)
    with pytest.raises(ValueError, match="batch_size must be >= 0"):
        any_col.find(batch_size=-1)
    with pytest.raises(ValueError, match="not a valid value for cursor_type"):
        any_col.find(cursor_type=5)
    with pytest.raises(TypeError, match="surprise"):
        any_col.find(surprise=1)


def test_projections_include_exclude_and_slice(any_col: Collection[Doc]) -> None:
    any_col.insert_one({"_id": 1, "a": 1, "b": {"c": 2, "d": 3}, "l": [1, 2, 3]})

    assert any_col.find_one({}, ["a"]) == {"_id": 1, "a": 1}
    assert any_col.find_one({}, {"b.c": 1, "_id": 0}) == {"b": {"c": 2}}
    assert any_col.find_one({}, {"b": 0, "l": 0}) == {"_id": 1, "a": 1}
    assert any_col.find_one({}, {"l": {"$slice": 1}, "a": 0, "b": 0}) == {"_id": 1, "l": [1]}


def test_find_one_takes_a_filter_an_id_or_nothing(numbers: Collection[Doc]) -> None:
    assert numbers.find_one(3) == numbers.find_one({"_id": 3}) == {"_id": 3, "n": 3, "odd": 1}
    assert numbers.find_one(sort=[("n", DESCENDING)]) == {"_id": 9, "n": 9, "odd": 1}
    assert numbers.find_one({"n": {"$gt": 3}}, sort=[("n", ASCENDING)], skip=1, limit=7) == {
        "_id": 5,
        "n": 5,
        "odd": 1,
    }
    assert numbers.find_one("nothing") is None


def test_a_query_that_takes_too_long_is_an_execution_timeout(
    mongodb_uri: str, numbers: Collection[Doc]
) -> None:
    admin = numbers.database.client.admin
    fault = {"failCommands": ["find"], "errorCode": 50, "appName": "slow"}
    try:
        admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fault)
    except OperationFailure:
        pytest.skip("this server has no test commands")
    client_class: type[MongoClient[Doc]] = type(numbers.database.client)

    with client_class(mongodb_uri, appname="slow") as client:
        store = client[numbers.database.name][numbers.name]
        with pytest.raises(ExecutionTimeout):
            store.find(max_time_ms=10).to_list()

    admin.command("configureFailPoint", "failCommand", mode="off")


# what documents are decoded to
def test_the_document_class_of_the_codec_options_is_what_comes_back(
    numbers: Collection[Doc],
) -> None:
    son: Any = numbers.with_options(CodecOptions(document_class=SON))
    raw: Any = numbers.with_options(CodecOptions(document_class=RawBSONDocument))

    assert type(son.find_one(1)) is SON
    assert type(next(son.aggregate([{"$match": {"_id": 1}}]))) is SON
    assert type(raw.find_one(1)) is RawBSONDocument
    assert bson.decode(raw.find_one(1).raw) == {"_id": 1, "n": 1, "odd": 1}
    assert [type(document) for document in raw.find().limit(2)] == [RawBSONDocument] * 2


class Money:
    """A type that BSON does not know."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class MoneyCodec(TypeCodec):
    """Stores `Money` as a Decimal128."""

    @property
    def python_type(self) -> Any:
        return Money

    @property
    def bson_type(self) -> Any:
        return Decimal128

    def transform_python(self, value: Any) -> Any:
        return Decimal128(value.text)

    def transform_bson(self, value: Any) -> Any:
        return Money(str(value))


def test_a_type_registry_converts_both_ways(any_col: Collection[Doc]) -> None:
    options: CodecOptions[Doc] = CodecOptions(type_registry=TypeRegistry([MoneyCodec()]))
    shop = any_col.with_options(codec_options=options)

    shop.insert_one({"_id": 1, "price": Money("9.99")})

    assert any_col.find_one(1) == {"_id": 1, "price": Decimal128("9.99")}
    assert shop.find_one({"price": Money("9.99")}) == {"_id": 1, "price": Money("9.99")}
    assert shop.distinct("price") == [Money("9.99")]
    assert shop.aggregate([{"$project": {"price": 1}}]).next()["price"] == Money("9.99")
    changed = shop.find_one_and_update({"_id": 1}, {"$set": {"price": Money("5.00")}})
    assert changed == {"_id": 1, "price": Money("9.99")}


def test_a_type_registry_of_the_client_reaches_every_collection(
    any_client: MongoClient[Doc], mongodb_uri: str, database_name: str
) -> None:
    registry = TypeRegistry([MoneyCodec()])
    client_class = type(any_client)

    with client_class(mongodb_uri, type_registry=registry, tz_aware=True) as client:
        store = client[database_name]["sub"]["shop"]
        store.insert_one({"_id": 1, "price": Money("1.00"), "at": datetime(2026, 1, 1, tzinfo=UTC)})
        found = store.find_one()

    assert found == {"_id": 1, "price": Money("1.00"), "at": datetime(2026, 1, 1, tzinfo=UTC)}
    assert found["at"].tzinfo is not None


def test_uuids_follow_the_codec_options(any_col: Collection[Doc]) -> None:
    """Without options PyMongo refuses UUIDs; our connection's default is `standard`."""
    value = uuid4()
    options: CodecOptions[Doc] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)

    any_col.with_options(options).insert_one({"_id": value})

    assert any_col.with_options(options).find_one() == {"_id": value}


# aggregation, distinct, counting
def test_aggregate_gives_a_command_cursor(numbers: Collection[Doc]) -> None:
    pipeline: list[Doc] = [
        {"$match": {"odd": 1}},
        {"$group": {"_id": None, "sum": {"$sum": "$n"}}},
    ]

    with numbers.aggregate(pipeline) as cursor:
        assert isinstance(cursor, CommandCursor)
        assert cursor.alive
        assert cursor.to_list() == [{"_id": None, "sum": 25}]
        assert not cursor.alive


def test_aggregate_takes_let_batch_size_comment_and_max_time(
    listened: Collection[Doc], sent: Sent
) -> None:
    listened.insert_many([{"_id": n} for n in range(5)])
    sent.commands.clear()

    found = list(
        listened.aggregate(
            [{"$match": {"$expr": {"$gt": ["$_id", "$$least"]}}}, {"$sort": {"_id": 1}}],
            let={"least": 1},
            comment="why",
            batchSize=1,
            maxTimeMS=5000,
            allowDiskUse=True,
        )
    )

    assert found == [{"_id": 2}, {"_id": 3}, {"_id": 4}]
    command = sent.commands[0]
    assert command["cursor"] == {"batchSize": 1}
    assert (command["comment"], command["maxTimeMS"]) == ("why", 5000)
    assert {next(iter(each)) for each in sent.commands[1:]} == {"getMore"}


def test_aggregate_writes_with_out_and_merge(numbers: Collection[Doc]) -> None:
    db = numbers.database

    assert list(numbers.aggregate([{"$match": {"odd": 1}}, {"$out": "odds"}])) == []
    assert list(numbers.aggregate([{"$match": {"odd": 0}}, {"$merge": {"into": "odds"}}])) == []

    assert db["odds"].count_documents({}) == 10


def test_a_database_aggregates_too(any_client: MongoClient[Doc]) -> None:
    with any_client.admin.aggregate([{"$currentOp": {}}, {"$limit": 1}]) as cursor:
        assert isinstance(cursor, CommandCursor)
        assert all(isinstance(operation, dict) for operation in cursor)


def test_aggregate_refuses_what_is_no_list_of_stages(any_col: Collection[Doc]) -> None:
    with pytest.raises(TypeError, match="pipeline must be a list"):
        any_col.aggregate("text")  # type: ignore[arg-type]
    with pytest.raises(OperationFailure):
        any_col.aggregate([{"$surprise": 1}])


def test_raw_batches_are_the_servers_bytes(numbers: Collection[Doc]) -> None:
    # PyMongo annotates the batches as documents.
    found: Any = numbers.find_raw_batches({"odd": 1}, batch_size=3).sort("_id")
    grouped: Any = numbers.aggregate_raw_batches([{"$match": {"_id": 1}}])

    assert isinstance(found, RawBatchCursor)
    batches = list(found)
    assert len(batches) == 2
    assert [document["_id"] for batch in batches for document in bson.decode_all(batch)] == [
        *(1, 3, 5, 7, 9)
    ]
    assert isinstance(grouped, RawBatchCommandCursor)
    assert bson.decode_all(next(grouped)) == [{"_id": 1, "n": 1, "odd": 1}]
    with pytest.raises(Exception, match="Cannot call __getitem__ on RawBatchCursor"):
        numbers.find_raw_batches()[0]


def test_distinct_takes_a_key_and_a_filter(numbers: Collection[Doc]) -> None:
    numbers.insert_one({"_id": 10, "tags": ["a", "b"], "sub": {"x": 1}})

    assert sorted(numbers.distinct("odd")) == [0, 1]
    assert sorted(numbers.distinct("n", {"odd": 0})) == [0, 2, 4, 6, 8]
    assert sorted(numbers.distinct("tags")) == ["a", "b"]
    assert numbers.distinct("sub.x") == [1]
    with pytest.raises(TypeError, match="key must be an instance of str"):
        numbers.distinct(1)  # type: ignore[arg-type]


def test_counts_are_exact_or_estimated(numbers: Collection[Doc]) -> None:
    assert numbers.count_documents({}) == numbers.estimated_document_count() == 10
    assert numbers.count_documents({"odd": 1}, skip=1, limit=3) == 3
    assert numbers.count_documents({"n": {"$regex": "x"}}) == 0
    with pytest.raises(TypeError):
        numbers.count_documents()  # type: ignore[call-arg]


def test_patterns_match_as_filters(any_col: Collection[Doc]) -> None:
    any_col.insert_many([{"_id": "Ada"}, {"_id": "Grace"}])

    assert any_col.find_one({"_id": {"$regex": re.compile("^a", re.IGNORECASE)}}) == {"_id": "Ada"}
