"""Section 10, JSON: the classic form both ways, and MongoDB Extended JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from mongokit import (
    IS,
    OR,
    Connection,
    CustomType,
    Document,
    SchemaDocument,
    Set,
    fromtimestamp,
    totimestamp,
)
from mongokit.errors import ConnectionError as NoCollectionError

if TYPE_CHECKING:
    from mongokit import Collection, Database

HEX = "4b5ec45090bce737cb000002"
NOON_MS = 1264507200123  # 2010-01-26 12:00:00.123 UTC
NOON = fromtimestamp(NOON_MS)


class Day(CustomType):
    """A `date` in memory, a datetime in the database."""

    mongo_type = datetime
    python_type = date

    def to_bson(self, value: Any) -> Any:
        return value and datetime.combine(value, time())

    def to_python(self, value: Any) -> Any:
        return value and value.date()


class Shouted(CustomType):
    """Both forms are texts: small in memory, large in the database."""

    mongo_type = str
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return value and value.upper() + "!"

    def to_python(self, value: Any) -> Any:
        return value and value[:-1].lower()


def made(col: Collection, structure: dict[Any, Any], **options: Any) -> Any:
    cls = type("Doc", (Document,), {"structure": structure, **options})
    connection: Any = col.database.client
    connection.register([cls])
    return col.Doc


# Writing.


def test_to_json_type_is_ready_for_json_dumps_and_to_json_is_its_text(col: Collection) -> None:
    doc = made(col, {"a": str, "n": {"b": [int], "c": None}})(
        {"_id": "x", "a": "é", "n": {"b": [1, 2], "c": 1.5}}
    )

    assert doc.to_json_type() == {"_id": "x", "a": "é", "n": {"b": [1, 2], "c": 1.5}}
    assert doc.to_json() == json.dumps(doc.to_json_type())


def test_datetimes_are_integer_milliseconds_since_the_epoch(col: Collection) -> None:
    doc = made(col, {"at": datetime, "all": [datetime]})({"at": NOON, "all": [NOON]})

    assert doc.to_json_type() == {"at": NOON_MS, "all": [NOON_MS]}
    assert type(doc.to_json_type()["at"]) is int


def test_an_aware_datetime_is_the_same_moment(col: Collection) -> None:
    aware = NOON.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=5)))

    assert made(col, {"at": datetime})({"at": aware}).to_json_type() == {"at": NOON_MS}


def test_object_ids_are_oid_and_hex(col: Collection) -> None:
    doc = made(col, {"other": ObjectId})({"_id": ObjectId(HEX), "other": ObjectId(HEX)})

    assert doc.to_json_type() == {"_id": {"$oid": HEX}, "other": {"$oid": HEX}}


def test_a_saved_document_can_be_written(col: Collection) -> None:
    doc = made(col, {"a": int})({"a": 1})
    doc.save()

    assert json.loads(doc.to_json()) == {"a": 1, "_id": {"$oid": str(doc["_id"])}}


def test_custom_types_are_in_python_form(col: Collection) -> None:
    doc = made(col, {"a": Shouted(), "s": Set(int)})({"a": "HI!", "s": [3, 1, 2]})

    assert doc.to_json_type() == {"a": "hi", "s": [1, 2, 3]}


def test_a_python_form_that_json_has_no_form_for_is_written_as_stored(col: Collection) -> None:
    doc = made(col, {"day": Day()})()
    doc["day"] = date(1970, 1, 2)

    assert doc.to_json_type() == {"day": 86400000}


def test_i18n_fields_are_written_per_language(col: Collection) -> None:
    doc = made(col, {"title": str}, i18n=["title"])()
    doc["title"] = {"en": "Mouse", "fr": "Souris"}

    assert doc.to_json_type() == {"title": {"en": "Mouse", "fr": "Souris"}}


def test_types_that_json_lacks_have_their_extended_form(col: Collection) -> None:
    doc = made(
        col,
        {"u": UUID, "b": bytes, "d": Decimal128, "i": Int64, "r": DBRef, "p": re.Pattern},
    )(
        {
            "u": UUID(int=5),
            "b": b"\x00\xff",
            "d": Decimal128("1.50"),
            "i": Int64(7),
            "r": DBRef("users", ObjectId(HEX), "db"),
            "p": re.compile("^a", re.I),
        }
    )
    written = json.loads(doc.to_json())

    assert written["d"] == {"$numberDecimal": "1.50"}
    assert written["i"] == 7
    assert written["r"] == {"$ref": "users", "$id": {"$oid": HEX}, "$db": "db"}
    read = col.Doc.from_json(doc.to_json())
    assert {key: read[key] for key in "ubdir"} == {key: doc[key] for key in "ubdir"}
    assert read["p"].pattern == "^a"


def test_what_json_has_no_type_for_is_read_by_the_declaration(col: Collection) -> None:
    spec = {"code": Code, "scoped": Code, "long": Int64, "any": OR(int, str)}
    made(col, spec)
    doc = col.Doc(
        {
            "code": Code("f()"),
            "scoped": Code("g(x)", {"x": 1, "y": ObjectId(HEX)}),
            "long": Int64(5),
            "any": 5,
        }
    )

    read = col.Doc.from_json(doc.to_json())

    assert json.loads(doc.to_json())["code"] == "f()"
    assert read == doc
    assert [type(value) for value in read.values()] == [Code, Code, Int64, int]
    assert read["scoped"].scope == {"x": 1, "y": ObjectId(HEX)}
    read.validate()


def test_the_text_is_strict_json_whatever_the_number(col: Collection) -> None:
    doc = made(col, {"a": [float]})({"a": [float("nan"), float("inf"), float("-inf")]})

    text = doc.to_json()

    assert "NaN," not in text.replace('"NaN"', "")
    read = col.Doc.from_json(text)["a"]
    assert read[0] != read[0]
    assert read[1:] == [float("inf"), float("-inf")]


def test_what_has_no_json_form_is_a_type_error(col: Collection) -> None:
    doc = made(col, {"a": None})({"a": object()})

    with pytest.raises(TypeError):
        doc.to_json()


def test_a_document_without_collection_is_written_too() -> None:
    class Loose(Document):
        structure = {"at": datetime}

    assert Loose({"at": NOON}).to_json() == f'{{"at": {NOON_MS}}}'


def test_dotted_documents_are_written_like_others(col: Collection) -> None:
    doc = made(col, {"a": {"b": datetime}}, use_dot_notation=True)()
    doc.a.b = NOON

    assert doc.to_json_type() == {"a": {"b": NOON_MS}}


def test_writing_changes_nothing(col: Collection) -> None:
    doc = made(col, {"at": datetime, "s": Set(int), "n": {"a": [datetime]}})(
        {"at": NOON, "s": [1], "n": {"a": [NOON]}}
    )
    before = {"at": NOON, "s": {1}, "n": {"a": [NOON]}}

    doc.to_json()
    doc.to_json_type()
    doc.to_extended_json()

    assert doc == before


# References.


def referring(connection: Connection, col: Collection) -> Any:
    class Embed(Document):
        structure = {"spam": str, "at": datetime}

    class Doc(Document):
        structure = {"embed": Embed, "all": [Embed]}
        use_autorefs = True

    connection.register([Embed, Doc])
    embed = col.Embed({"_id": "e1", "spam": "eggs", "at": NOON})
    embed.save()
    doc = col.Doc({"_id": "d1", "embed": embed, "all": [embed]})
    doc.save()
    return doc


def test_references_are_embedded_with_their_place_in_to_json_only(
    connection: Connection, col: Collection
) -> None:
    doc = referring(connection, col)
    fields = {"_id": "e1", "spam": "eggs", "at": NOON_MS}
    place = {"_collection": col.name, "_database": col.database.name}

    assert json.loads(doc.to_json()) == {
        "_id": "d1",
        "embed": {**fields, **place},
        "all": [{**fields, **place}],
    }
    assert doc.to_json_type() == {"_id": "d1", "embed": fields, "all": [fields]}


def test_from_json_fetches_references_by_their_ids(connection: Connection, col: Collection) -> None:
    doc = referring(connection, col)
    text = doc.to_json().replace("eggs", "what the text says does not count")

    read = col.Doc.from_json(text)

    assert read == doc
    assert type(read["embed"]) is col.Embed.find_one().__class__
    assert read["embed"]["spam"] == "eggs"
    assert read["embed"].collection == col


def test_from_json_reads_a_reference_without_its_place(
    connection: Connection, col: Collection
) -> None:
    doc = referring(connection, col)

    assert col.Doc.from_json(json.dumps(doc.to_json_type())) == doc


def test_a_cycle_of_references_ends(connection: Connection, col: Collection) -> None:
    class Node(Document):
        structure = {"next": "Node"}
        use_autorefs = True

    connection.register(Node)
    node = col.Node({"_id": 1, "next": None})
    node["next"] = node

    assert node.to_json_type() == {"_id": 1, "next": {"_id": 1}}
    assert json.loads(node.to_json())["next"] == {
        "_id": 1,
        "_collection": col.name,
        "_database": col.database.name,
    }


# Reading.


def test_from_json_gives_a_bound_document_that_saves(col: Collection) -> None:
    doc = made(col, {"a": str})
    read: Any = doc.from_json('{"_id": "x", "a": "b"}')

    assert read.collection == col
    read.save()
    assert type(read) is type(doc).__mro__[1]
    assert col.find_one() == {"_id": "x", "a": "b"}


def test_from_json_reads_declared_datetimes_and_oids_back(col: Collection) -> None:
    manager = made(
        col,
        {
            "at": datetime,
            "deep": {"at": datetime, "n": int},
            "all": [datetime],
            "docs": [{"at": datetime}],
            "pair": (datetime, int),
            "keyed": {str: datetime},
            "either": OR(datetime, str),
            "listed": IS(NOON),
            "n": int,
            "other": ObjectId,
            "free": None,
        },
    )
    doc = manager(
        {
            "_id": ObjectId(HEX),
            "at": NOON,
            "deep": {"at": NOON, "n": NOON_MS},
            "all": [NOON, NOON],
            "docs": [{"at": NOON}, {"at": None}],
            "pair": [NOON, NOON_MS],
            "keyed": {"x": NOON},
            "either": NOON,
            "listed": NOON,
            "n": NOON_MS,
            "other": ObjectId(HEX),
            "free": {"deep": [ObjectId(HEX)]},
        }
    )

    read = manager.from_json(doc.to_json())

    assert read == doc
    read.validate()


def test_an_integer_where_both_are_declared_stays_one(col: Collection) -> None:
    manager = made(col, {"either": OR(datetime, int)})

    assert manager.from_json('{"either": 5}') == {"either": 5}


def test_from_json_reads_custom_types_back(col: Collection) -> None:
    manager = made(
        col,
        {"a": Shouted(), "s": Set(int), "day": Day(), "docs": [{"day": Day(), "s": Set(datetime)}]},
    )
    doc = manager({})
    doc["a"] = "hi"
    doc["s"] = {1, 2}
    doc["day"] = date(1970, 1, 2)
    doc["docs"] = [{"day": date(1970, 1, 3), "s": set()}]

    read = manager.from_json(doc.to_json())

    assert read == doc
    read.validate()
    read.save()
    assert col.find_one({}, {"_id": 0, "docs": 0}) == {
        "a": "HI!",
        "s": [1, 2],
        "day": fromtimestamp(86400000),
    }


def test_from_json_reads_i18n_fields_back(col: Collection) -> None:
    manager = made(col, {"at": datetime, "n": {"tags": [str]}}, i18n=["at", "n.tags"])
    doc = manager()
    doc["at"] = {"en": NOON}
    doc["n"]["tags"] = {"fr": ["a"], "en": []}

    assert manager.from_json(doc.to_json()) == doc


def test_from_json_reads_embedded_documents_back(col: Collection) -> None:
    class Address(SchemaDocument):
        structure = {"since": datetime}

    manager = made(col, {"address": Address, "old": [Address]})
    doc = manager({"address": {"since": NOON}, "old": [{"since": NOON}]})

    assert manager.from_json(doc.to_json()) == doc


def test_from_json_makes_no_skeleton(col: Collection) -> None:
    manager = made(col, {"a": str, "b": str}, default_values={"b": "c"})

    assert manager.from_json('{"a": "x"}') == {"a": "x"}


def test_from_json_gives_dot_notation(col: Collection) -> None:
    manager = made(col, {"a": {"at": datetime}}, use_dot_notation=True)

    assert manager.from_json(f'{{"a": {{"at": {NOON_MS}}}}}').a.at == NOON


def test_from_json_works_on_a_document_and_gives_a_new_one(col: Collection) -> None:
    doc = made(col, {"a": str})({"a": "old"})

    read = doc.from_json(b'{"a": "new"}')

    assert (doc["a"], read["a"]) == ("old", "new")


def test_from_json_needs_a_collection() -> None:
    class Loose(Document):
        structure = {"a": str}

    with pytest.raises(NoCollectionError):
        Loose().from_json("{}")


@pytest.mark.parametrize("text", ["[]", "3", "null", "no json", '{"a": {"$oid": "short"}}'])
def test_text_that_is_no_json_object_is_a_value_error(col: Collection, text: str) -> None:
    manager = made(col, {"a": None})

    with pytest.raises(ValueError, match=r"JSON|Expecting"):
        manager.from_json(text)


def test_what_does_not_fit_is_refused_by_validation_and_not_by_reading(col: Collection) -> None:
    read = made(col, {"at": datetime, "n": int}).from_json(f'{{"at": {10**30}, "n": "x"}}')

    assert read == {"at": 10**30, "n": "x"}
    assert [failure.path for failure in read.errors()] == ["at", "n"]


# Milliseconds.


@given(st.datetimes())
def test_totimestamp_and_fromtimestamp_are_inverse_in_milliseconds(moment: datetime) -> None:
    rounded = moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    assert fromtimestamp(totimestamp(moment)) == rounded


# Extended JSON.


def test_extended_json_is_relaxed_unless_canonical_is_asked_for(col: Collection) -> None:
    doc = made(col, {"at": datetime, "n": int})({"_id": ObjectId(HEX), "at": NOON, "n": 1})

    assert json.loads(doc.to_extended_json()) == {
        "_id": {"$oid": HEX},
        "at": {"$date": "2010-01-26T12:00:00.123Z"},
        "n": 1,
    }
    assert json.loads(doc.to_extended_json(canonical=True)) == {
        "_id": {"$oid": HEX},
        "at": {"$date": {"$numberLong": str(NOON_MS)}},
        "n": {"$numberInt": "1"},
    }


@pytest.mark.parametrize("canonical", [False, True])
def test_extended_json_is_the_stored_form_and_reads_back(col: Collection, canonical: bool) -> None:
    manager = made(
        col, {"s": Set(int), "title": str, "at": datetime, "u": UUID, "b": Binary}, i18n=["title"]
    )
    doc = manager({"_id": 1, "at": NOON, "u": UUID(int=3), "b": Binary(b"x", 5)}, gen_skel=False)
    doc["s"] = {1}
    doc["title"] = {"en": "Mouse"}

    text = doc.to_extended_json(canonical=canonical)

    assert json.loads(text)["title"] == [{"lang": "en", "value": "Mouse"}]
    assert manager.from_extended_json(text) == doc
    assert manager.from_extended_json(text).collection == col


def test_extended_json_keeps_references_as_references(
    connection: Connection, col: Collection
) -> None:
    doc = referring(connection, col)

    text = doc.to_extended_json()

    assert json.loads(text)["embed"] == {
        "$ref": col.name,
        "$id": "e1",
        "$db": col.database.name,
    }
    assert col.Doc.from_extended_json(text) == doc


def test_tz_aware_connections_read_aware_datetimes(mongodb_uri: str, database_name: str) -> None:
    class Doc(Document):
        structure = {"at": datetime}

    with Connection(mongodb_uri, tz_aware=True) as connection:
        connection.register(Doc)
        db: Database = connection[database_name]
        doc = db.things.Doc({"at": NOON.replace(tzinfo=UTC)})

        assert db.things.Doc.from_json(doc.to_json()) == doc
        assert db.things.Doc.from_extended_json(doc.to_extended_json()) == doc
