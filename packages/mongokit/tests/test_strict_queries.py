"""Under `strict_queries` a query that could only match nothing is refused before it is sent."""

# MongoDB's datetimes are naive UTC unless asked
# ruff: noqa: DTZ001, DTZ007

from __future__ import annotations

import enum
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from bson import Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo import monitoring
from pymongo.errors import OperationFailure

from mongokit import (
    IS,
    NOT,
    OR,
    Collection,
    Connection,
    CustomType,
    Document,
    Embedded,
    MongoKitError,
    QueryTypeError,
    SchemaDocument,
    Set,
    UnknownFieldError,
)
from mongokit import i18n as languages
from mongokit.cursor import StrictCursor
from mongokit.strict import check_filter, check_projection, check_sort

HEX = "54f0e5aa313f5d824680d6c9"
ID = ObjectId(HEX)
DAY = datetime(2026, 11, 23)
KEY = UUID(int=7)


class Day(CustomType):
    mongo_type = datetime
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return value and datetime.strptime(value, "%Y-%m-%d")

    def to_python(self, value: Any) -> Any:
        return value and value.strftime("%Y-%m-%d")


class Address(SchemaDocument):
    structure = {"street": str, "zip": int, "lines": [str]}


class Loose(SchemaDocument):
    structure = {"code": int}
    use_schemaless = True


class Team(Document):
    structure = {"name": str}


class Named(Document):
    structure = {"_id": str, "name": str}


class User(Document):
    structure = {
        "name": str,
        "email": str,
        "age": int,
        "score": float,
        "is_active": bool,
        "team": Team,
        "parent": Named,
        "boss": "Named",
        "link": DBRef,
        "born": datetime,
        "joined": Day(),
        "photo": bytes,
        "key": OR(ObjectId, int),
        "not_text": NOT(str),
        "role": IS("admin", "editor", "reader"),
        "level": IS(1, 2),
        "tags": [str],
        "grid": [[int]],
        "pair": (int, str),
        "friends": [ObjectId],
        "roles": [IS("admin", "reader")],
        "orders": [{"sku": str, "amount": int, "notes": [str]}],
        "labels": Set(str),
        "mixed": Set(),
        "title": str,
        "subtitle": languages(str),
        "address": Address,
        "loose": Loose,
        "place": {"city": str, "at": [float], "inner": {"depth": int}},
        "points": {str: int},
        "games": {str: {"won": int}},
        "open": {},
        "dict": dict,
        "list": list,
        "any": None,
        "pattern": re.Pattern,
        "uuid": UUID,
        "amount": Decimal128,
        "big": Int64,
        "code": Code,
        "stamp": Timestamp,
        "_type": str,
    }
    i18n = ["title"]
    use_autorefs = True
    strict_queries = True


MODEL = User.__mongokit__

ACCEPTED: list[dict[Any, Any]] = [
    {},
    {"name": "Ada", "age": 36},
    {"name": None},
    {"age": 36.5},
    {"age": Int64(36)},
    {"age": Decimal128("36")},
    {"age": True},  # it validates as an int, and is stored as a bool
    {"score": 1},
    {"amount": 1.5},
    {"big": 1},
    {"born": DAY},
    {"born": {"$gt": DAY, "$lte": MaxKey()}},
    {"born": {"$gte": MinKey()}},
    {"photo": b"x"},
    {"uuid": KEY},
    {"key": ID},
    {"key": 3},
    {"not_text": "whatever"},
    {"not_text.a.b": 1},
    {"code": Code("x")},
    {"stamp": Timestamp(1, 1)},
    # _id and what no structure has to declare
    {"_id": ID},
    {"_id": "User-6f1e0a3e"},
    {"_id": {"$in": [ID, 1, None]}},
    {"_id": {"compound": HEX}},
    {"_id.compound": HEX},
    {"_ns": "users", "_revision": 3, "_version": 1, "_type": "User"},
    # patterns
    {"name": re.compile("^A")},
    {"name": Regex("^A")},
    {"name": {"$regex": "^a", "$options": "i"}},
    {"name": {"$not": re.compile("^A")}},
    {"tags": re.compile("^a")},
    {"tags": {"$in": [re.compile("^a"), "b"]}},
    {"orders.sku": {"$regex": "^a"}},
    {"role": re.compile("^a")},
    {"pattern": re.compile("x")},
    {"any": re.compile("x")},
    # lists: the whole, an item, a position
    {"tags": "a"},
    {"tags": ["a", "b"]},
    {"tags": []},
    {"tags": {"$in": ["a", ["b"]]}},
    {"tags": {"$all": ["a", "b"]}},
    {"tags": {"$size": 2}},
    {"tags": {"$gt": []}},
    {"tags": {"$elemMatch": {"$gt": "a", "$lt": "c"}}},
    {"tags.0": "a"},
    {"tags.0": {"$exists": True}},
    {"friends": ID},
    {"grid": [1, 2]},
    {"grid": [[1, 2]]},
    {"grid": {"$elemMatch": {"$size": 2}}},
    {"grid.0.1": 3},
    {"pair": [1, "a"]},
    {"pair": "a"},
    {"pair.0": 1},
    {"pair.1": "a"},
    {"pair": {"$gt": [1]}},
    {"labels": "a"},
    {"labels": ["a"]},
    {"mixed": 3},
    {"list": 3},
    {"list.0.a": 3},
    {"roles": "admin"},
    # documents in lists
    {"orders": {"sku": "a", "amount": 1, "notes": []}},
    {"orders": [{"sku": "a"}]},
    {"orders.sku": "a"},
    {"orders.0.sku": "a"},
    {"orders.notes": "a"},
    {"orders.notes.0": "a"},
    {"orders.notes": {"$size": 1}},
    {"orders": {"$elemMatch": {"sku": "a", "amount": {"$gt": 1}}}},
    {"orders": {"$elemMatch": {"$or": [{"sku": "a"}, {"amount": 1}]}}},
    {"orders": {"$all": [{"$elemMatch": {"sku": "a"}}, {"$elemMatch": {"sku": "b"}}]}},
    {"orders": {"$elemMatch": {"notes": {"$elemMatch": {"$eq": "a"}}}}},
    {"orders": {"$size": 3}},
    # dicts
    {"place": {"city": "Paris", "at": [1.0], "inner": {"depth": 1}}},
    {"place": {}},
    {"place.inner.depth": 1},
    {"place._id": 1},
    {"place.at": {"$near": [1.0, 2.0], "$maxDistance": 3}},
    {"place.at": {"$geoWithin": {"$center": [[0, 0], 1]}}},
    {"dict": {"$geoIntersects": {"$geometry": {"type": "Point", "coordinates": [0, 0]}}}},
    {"points.chess": 3},
    {"points": {"chess": 3}},
    {"games.chess.won": 3},
    {"games": {"chess": {"won": 1}}},
    {"open.whatever": ID},
    {"open": {"a": HEX}},
    {"dict.a.0.b": 1},
    {"any.a.b": 1},
    {"any": {"a": 1}},
    # classes in place of types
    {"address.zip": 75001},
    {"address": {"street": "a", "zip": 1, "lines": ["a"]}},
    {"address.lines": "a"},
    {"address._id": 1},
    {"loose.code": 1},
    {"loose.undeclared": 1},
    {"loose": {"code": 1, "undeclared": 2}},
    {"team": DBRef("teams", ID)},
    {"team": {"$ref": "teams", "$id": ID}},
    {"team": {"$in": [DBRef("teams", 1)]}},
    {"team.$id": ID},
    {"team.$id": {"$in": [ID]}},
    {"team.$ref": "teams"},
    {"team.$db": "test"},
    {"team": None},
    {"parent.$id": HEX},
    {"boss.$id": HEX},
    {"link": DBRef("teams", HEX)},
    {"link.$id": HEX},
    {"joined": DAY},
    {"joined": {"$lt": DAY}},
    # values per language
    {"title.value": "Mouse"},
    {"title.lang": "en"},
    {"title.0.value": "Mouse"},
    {"title": {"lang": "en", "value": "Mouse"}},
    {"title": [{"lang": "en", "value": "Mouse"}]},
    {"title": {"$elemMatch": {"lang": "en", "value": re.compile("^M")}}},
    {"title": {"$size": 2}},
    {"subtitle.value": "Mouse"},
    # choices
    {"role": "admin"},
    {"role": {"$in": ["admin", None]}},
    {"role": {"$ne": "admin"}},
    {"role": {"$gt": "b"}},
    {"level": 1.0},
    {"level": Decimal128("1.00")},
    # logic, and what concerns no field
    {"$and": [{"name": "a"}, {"$or": [{"age": 1}, {"age": 2}]}], "$nor": [{"name": "b"}]},
    {"$expr": {"$gt": ["$whatever", 1]}},
    {"$where": "this.x == 1", "$comment": "why", "$sampleRate": 0.5},
    {"$jsonSchema": {"required": ["whatever"]}},
    {"$text": {"$search": "x"}},
    {"$alwaysTrue": 1},
    {"age": {"$exists": False}},
    {"age": {"$type": "string"}},
    {"age": {"$mod": [2, 0]}},
    {"age": {"$bitsAllSet": [0]}},
    {"photo": {"$bitsAnyClear": 1}},
    {"age": {"$not": {"$gt": 3}}},
    {"age": {"$in": []}},
    {"age": {"$_internalEq": "x"}},
    # what the driver or the server refuses aloud
    {3: 4},
    {"$and": {"name": 1}},
    {"age": {"$in": 3}},
    {"age": complex(1, 2)},
]


@pytest.mark.parametrize("filter", ACCEPTED, ids=str)
def test_query_that_may_match_is_accepted(filter: dict[str, Any]) -> None:
    check_filter(MODEL, filter)


UNKNOWN: list[tuple[dict[str, Any], str, str | None]] = [
    ({"nmae": "Ada"}, "nmae", "name"),
    ({"Email": "a"}, "Email", "email"),
    ({"id": ID}, "id", "_id"),
    ({"unheard": 1}, "unheard", None),
    ({"nmae": {"$exists": True}}, "nmae", "name"),
    ({"$or": [{"age": 1}, {"agee": 1}]}, "agee", "age"),
    ({"name.first": "a"}, "name.first", None),
    ({"name.0": "a"}, "name.0", None),
    ({"adress.zip": 1}, "adress.zip", "address.zip"),
    ({"address.zpi": 1}, "address.zpi", "address.zip"),
    ({"address": {"zpi": 1}}, "address.zpi", "address.zip"),
    ({"place.inner.deptj": 1}, "place.inner.deptj", "place.inner.depth"),
    ({"place": {"inner": {"deptj": 1}}}, "place.inner.deptj", "place.inner.depth"),
    ({"orders.skuu": 1}, "orders.skuu", "orders.sku"),
    ({"orders.0.skuu": 1}, "orders.0.skuu", "orders.0.sku"),
    ({"orders": {"skuu": 1}}, "orders.skuu", "orders.sku"),
    ({"orders": {"$elemMatch": {"skuu": 1}}}, "orders.skuu", "orders.sku"),
    ({"orders": {"$not": {"$elemMatch": {"skuu": 1}}}}, "orders.skuu", "orders.sku"),
    ({"orders.$": 1}, "orders.$", None),
    ({"orders.$[].sku": "a"}, "orders.$[].sku", None),
    ({"tags": {"$elemMatch": {"a": 1}}}, "tags.a", None),
    ({"pair.2": 1}, "pair.2", None),
    ({"team.name": "a"}, "team.name", None),
    ({"team._id": ID}, "team._id", "team.$id"),
    ({"title.en": "Mouse"}, "title.en", "title.value"),
    ({"games.chess.wno": 1}, "games.chess.wno", "games.chess.won"),
    ({"_tpye": "User"}, "_tpye", "_type"),
    ({"age": {"$gtt": 3}}, "age.$gtt", "$gt"),
    ({"age": {"$not": {"$ltte": 3}}}, "age.$ltte", "$lte"),
    ({"age": {"$or": [1, 2]}}, "age.$or", None),
    ({"$orr": []}, "$orr", "$or"),
    ({"$gt": 3}, "$gt", None),
]


@pytest.mark.parametrize(("filter", "path", "suggestion"), UNKNOWN, ids=str)
def test_name_that_is_not_declared_is_refused_with_the_nearest(
    filter: dict[str, Any], path: str, suggestion: str | None
) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        check_filter(MODEL, filter)

    assert (caught.value.path, caught.value.suggestion) == (path, suggestion)
    assert caught.value.document_class is User
    assert str(caught.value).endswith(f"did you mean {suggestion}?" if suggestion else "") or (
        suggestion is None
    )


MISMATCHED: list[tuple[dict[str, Any], str, str]] = [
    ({"name": 3}, "name", "str"),
    ({"name": b"Ada"}, "name", "str"),
    ({"name": ["Ada"]}, "name", "str"),
    ({"name": {}}, "name", "str"),
    ({"age": "36"}, "age", "int"),
    ({"age": {"$gt": "36"}}, "age", "int"),
    ({"age": {"$in": [36, "37"]}}, "age", "int"),
    ({"age": {"$ne": ""}}, "age", "int"),
    ({"age": {"$nin": [1, ""]}}, "age", "int"),
    ({"age": {"$not": {"$gte": "36"}}}, "age", "int"),
    ({"age": DAY}, "age", "int"),
    ({"age": MinKey()}, "age", "int"),
    ({"score": True}, "score", "float"),
    ({"amount": False}, "amount", "Decimal128"),
    ({"is_active": 1}, "is_active", "bool"),
    ({"is_active": "true"}, "is_active", "bool"),
    ({"born": "2026-11-23"}, "born", "datetime"),
    ({"born": {"$gt": 1700000000}}, "born", "datetime"),
    ({"joined": "2026-11-23"}, "joined", "Day"),
    ({"photo": "x"}, "photo", "bytes"),
    ({"uuid": str(KEY)}, "uuid", "UUID"),
    ({"key": HEX}, "key", "<ObjectId or int>"),
    ({"code": 3}, "code", "Code"),
    ({"pattern": "x"}, "pattern", "Pattern"),
    # _id
    ({"_id": HEX}, "_id", "ObjectId"),
    ({"_id": {"$in": [1, HEX.upper()]}}, "_id", "ObjectId"),
    ({"_id": {"$gt": HEX}}, "_id", "ObjectId"),
    ({"_id": {"$ne": HEX}}, "_id", "ObjectId"),
    ({"friends": HEX}, "friends", "[ObjectId]"),
    ({"friends": {"$all": [ID, HEX]}}, "friends", "[ObjectId]"),
    ({"friends": {"$elemMatch": {"$eq": HEX}}}, "friends", "ObjectId"),
    ({"friends.0": HEX}, "friends.0", "ObjectId"),
    # patterns
    ({"age": re.compile("3")}, "age", "int"),
    ({"age": {"$regex": "3"}}, "age", "int"),
    ({"age": {"$in": [re.compile("3")]}}, "age", "int"),
    ({"age": {"$not": Regex("3")}}, "age", "int"),
    ({"name": {"$eq": re.compile("A")}}, "name", "str"),
    ({"friends": re.compile("^5")}, "friends", "[ObjectId]"),
    ({"level": re.compile("1")}, "level", "<is 1 or is 2>"),
    # lists
    ({"tags": 3}, "tags", "[str]"),
    ({"tags": ["a", 3]}, "tags", "str"),
    ({"tags": [["a"]]}, "tags", "str"),
    ({"tags.0": 3}, "tags.0", "str"),
    ({"grid": 3}, "grid", "[[int]]"),
    ({"pair": ["a", 1]}, "pair", "int"),
    ({"pair": [1]}, "pair", "(int, str)"),
    ({"pair.0": "a"}, "pair.0", "int"),
    ({"pair": DAY}, "pair", "(int, str)"),
    ({"labels": 3}, "labels", "Set"),
    ({"labels": ["a", 3]}, "labels", "str"),
    ({"orders": 3}, "orders", "[dict]"),
    ({"orders.amount": "3"}, "orders.amount", "int"),
    ({"orders": {"sku": 3}}, "orders.sku", "str"),
    ({"orders": {"sku": "a", "notes": "a"}}, "orders.notes", "[str]"),
    ({"orders": {"$elemMatch": {"amount": {"$gt": "3"}}}}, "orders.amount", "int"),
    ({"orders": {"$elemMatch": {"$gt": 3}}}, "orders", "dict"),
    # operators for other kinds
    ({"name": {"$size": 3}}, "name", "str"),
    ({"name": {"$elemMatch": {"a": 1}}}, "name", "str"),
    ({"name": {"$mod": [2, 0]}}, "name", "str"),
    ({"name": {"$bitsAllSet": 3}}, "name", "str"),
    ({"name": {"$near": [1, 2]}}, "name", "str"),
    ({"name": {"$geoWithin": {"$center": [[0, 0], 1]}}}, "name", "str"),
    # dicts
    ({"place": "Paris"}, "place", "dict"),
    ({"place": {"city": 3}}, "place.city", "str"),
    ({"place": {"city": {"$ne": "Paris"}}}, "place.city", "str"),
    ({"place": {"city": re.compile("P")}}, "place.city", "str"),
    ({"place": {"at": 1.0}}, "place.at", "[float]"),
    ({"place": DBRef("places", 1)}, "place", "dict"),
    ({"points.chess": "3"}, "points.chess", "int"),
    ({"points": {"chess": "3"}}, "points.chess", "int"),
    ({"points": 3}, "points", "dict"),
    ({"dict": 3}, "dict", "dict"),
    ({"open": 3}, "open", "dict"),
    # classes in place of types
    ({"address": 3}, "address", "Address"),
    ({"address": {"zip": "75001"}}, "address.zip", "int"),
    ({"loose": {"code": "1"}}, "loose.code", "int"),
    ({"team": ID}, "team", "Team"),
    ({"team": {"name": "a"}}, "team", "Team"),
    ({"team": Team({"_id": ID, "name": "a"})}, "team", "Team"),
    ({"team": DBRef("teams", HEX)}, "team.$id", "ObjectId"),
    ({"team.$id": HEX}, "team.$id", "ObjectId"),
    ({"team.$ref": 3}, "team.$ref", "str"),
    ({"parent.$id": ID}, "parent.$id", "str"),
    ({"parent": DBRef("named", ID)}, "parent.$id", "str"),
    ({"link": ID}, "link", "DBRef"),
    # values per language
    ({"title": "Mouse"}, "title", "str per language"),
    ({"title.value": 3}, "title.value", "str"),
    ({"title": {"lang": "en", "value": 3}}, "title.value", "str"),
    # choices
    ({"role": "admn"}, "role", "<is 'admin' or is 'editor' or is 'reader'>"),
    ({"role": {"$ne": "admn"}}, "role", "<is 'admin' or is 'editor' or is 'reader'>"),
    ({"role": {"$in": ["admin", "admn"]}}, "role", "<is 'admin' or is 'editor' or is 'reader'>"),
    ({"role": 3}, "role", "<is 'admin' or is 'editor' or is 'reader'>"),
    ({"role": {"$gt": 3}}, "role", "<is 'admin' or is 'editor' or is 'reader'>"),
    ({"roles": "editor"}, "roles", "[<is 'admin' or is 'reader'>]"),
    ({"level": True}, "level", "<is 1 or is 2>"),
    ({"level": 3}, "level", "<is 1 or is 2>"),
]


@pytest.mark.parametrize(("filter", "path", "expected"), MISMATCHED, ids=str)
def test_value_that_can_never_match_is_refused_with_what_is_declared(
    filter: dict[str, Any], path: str, expected: str
) -> None:
    with pytest.raises(QueryTypeError) as caught:
        check_filter(MODEL, filter)

    assert (caught.value.path, caught.value.expected) == (path, expected)
    assert caught.value.document_class is User
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize(
    ("filter", "text"),
    [
        ({"nmae": 1}, "nmae is not a field of User: did you mean name?"),
        ({"unheard": 1}, "unheard is not a field of User"),
        ({"age": {"$gtt": 3}}, "age: $gtt is not a query operator: did you mean $gt?"),
        ({"$orr": []}, "$orr is not a query operator: did you mean $or?"),
        (
            {"friends": HEX},
            "friends can never equal a str: it is declared as [ObjectId]; use ObjectId(...)",
        ),
        (
            {"_id": HEX},
            (
                "_id can hardly equal a str of 24 hexadecimal digits: _id is an ObjectId "
                "unless it is declared; use ObjectId(...), or declare _id"
            ),
        ),
        ({"name": 3}, "name can never equal an int: it is declared as str; use str(...)"),
        ({"age": {"$gt": "3"}}, "age can never be $gt a str: it is declared as int; use int(...)"),
        (
            {"age": {"$ne": ""}},
            (
                "age can never equal a str: it is declared as int; use int(...) "
                "($ne is true of every document)"
            ),
        ),
        (
            {"role": {"$in": ["admn"]}},
            "role can never equal this str: it is one of ['admin', 'editor', 'reader']",
        ),
        (
            {"joined": "2026-11-23"},
            (
                "joined can never equal a str: it is declared as Day and stored as datetime; "
                "use the stored form, as to_bson() makes it"
            ),
        ),
        (
            {"title": "Mouse"},
            (
                "title can never equal a str: it is stored as a list of lang and value; "
                "use title.value"
            ),
        ),
        (
            {"team": ID},
            (
                "team can never equal an ObjectId: it references Team by a DBRef; "
                "use a DBRef, or team.$id"
            ),
        ),
        (
            {"place": {"city": {"$ne": "Paris"}}},
            (
                "place.city can never equal a dict: it is declared as str; "
                "an operator stands at the dotted path: {'place.city': ...}"
            ),
        ),
        ({"pair": [1]}, "pair can never equal a list of 1: it is declared as (int, str)"),
        ({"name": {"$size": 1}}, "name can never match $size: it is declared as str"),
        (
            {"age": re.compile("3")},
            "age can never match a regular expression: it is declared as int",
        ),
        (
            {"born": "2026"},
            "born can never equal a str: it is declared as datetime; use a datetime",
        ),
    ],
    ids=str,
)
def test_text_says_where_what_and_the_way_out(filter: dict[str, Any], text: str) -> None:
    with pytest.raises(MongoKitError) as caught:
        check_filter(MODEL, filter)

    assert str(caught.value) == text


def test_value_is_on_the_error_but_not_in_its_text() -> None:
    with pytest.raises(QueryTypeError) as caught:
        check_filter(MODEL, {"age": {"$in": [1, "s3cret"]}})

    assert caught.value.value == "s3cret"
    assert "s3cret" not in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_collation_makes_other_spellings_of_a_choice_possible() -> None:
    check_filter(MODEL, {"role": "ADMIN"}, collated=True)

    with pytest.raises(QueryTypeError):
        check_filter(MODEL, {"role": "ADMIN"})


def test_schemaless_class_takes_any_field_but_checks_the_declared_ones() -> None:
    class Free(Document):
        structure = {"age": int, "place": {"city": str}}
        use_schemaless = True
        strict_queries = True

    check_filter(Free.__mongokit__, {"anything": HEX, "place.street.number": 1, "place": {"x": 1}})
    with pytest.raises(QueryTypeError):
        check_filter(Free.__mongokit__, {"age": "3"})
    with pytest.raises(QueryTypeError):
        check_filter(Free.__mongokit__, {"place": {"city": 3}})
    with pytest.raises(QueryTypeError):
        check_filter(Free.__mongokit__, {"_id": HEX})


def test_class_without_structure_is_not_checked() -> None:
    class Bare(Document):
        strict_queries = True

    check_filter(Bare.__mongokit__, {"anything": 1, "_id": HEX, "x": {"$gtt": 1}})
    check_sort(Bare.__mongokit__, "anything")
    check_projection(Bare.__mongokit__, {"anything": 1})


def test_structure_of_a_type_key_takes_any_key_and_checks_the_values() -> None:
    class Scores(Document):
        structure = {str: int}
        strict_queries = True

    check_filter(Scores.__mongokit__, {"_id": ID, "chess": 3})
    with pytest.raises(QueryTypeError):
        check_filter(Scores.__mongokit__, {"chess": "3"})
    with pytest.raises(QueryTypeError):
        check_filter(Scores.__mongokit__, {"_id": HEX})


def test_declared_id_is_what_counts() -> None:
    class Text(Document):
        structure = {"_id": str}

    class Identified(Document):
        structure = {"_id": ObjectId}

    check_filter(Text.__mongokit__, {"_id": HEX})
    with pytest.raises(QueryTypeError):
        check_filter(Text.__mongokit__, {"_id": ID})
    with pytest.raises(QueryTypeError, match=r"^_id can never equal a str: it is declared as"):
        check_filter(Identified.__mongokit__, {"_id": "Text-1"})


def test_type_that_only_a_codec_can_encode_takes_any_value_and_path() -> None:
    class Money:
        pass

    class Account(Document):
        structure = {"balance": Money}
        authorized_types = [*Document.authorized_types, Money]

    check_filter(Account.__mongokit__, {"balance": "3 EUR", "balance.currency": "EUR"})


# What annotations declare


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Place(Embedded):
    city: str
    zip: int | None = None


class Event(Document):
    name: str
    views: int
    score: float
    price: Decimal
    day: date
    color: Color
    level: Level
    state: Literal["draft", "done"]
    maybe: int | None = None
    to: list[str] | str
    where: Place | list[Place]
    places: list[Place]
    by_name: dict[str, Place]

    strict_queries = True


@pytest.mark.parametrize(
    "filter",
    [
        {"name": "a", "views": 1, "score": 1, "price": Decimal128("1"), "day": DAY},
        {"price": {"$gt": 3}},
        {"color": "red", "level": 1, "state": "done"},
        {"color": {"$in": ["red", None]}},
        {"level": Level.LOW},
        {"maybe": None},
        {"to": "a"},
        {"to": ["a"]},
        {"to.0": "a"},
        {"where.city": "Paris"},
        {"where.0.city": "Paris"},
        {"where": {"city": "Paris", "zip": 1}},
        {"where": [{"city": "Paris", "zip": None}]},
        {"where": {"$elemMatch": {"city": "Paris"}}},
        {"places": {"$elemMatch": {"city": "Paris", "zip": {"$gt": 1}}}},
        {"by_name.home.zip": 1},
    ],
    ids=str,
)
def test_query_of_an_annotated_class_that_may_match_is_accepted(filter: dict[str, Any]) -> None:
    check_filter(Event.__mongokit__, filter)


@pytest.mark.parametrize(
    ("filter", "text"),
    [
        ({"nmae": 1}, "nmae is not a field of Event: did you mean name?"),
        ({"where.ctiy": 1}, "where.ctiy is not a field of Event: did you mean where.city?"),
        ({"where.0.ctiy": 1}, "where.0.ctiy is not a field of Event: did you mean where.0.city?"),
        ({"where": {"ctiy": 1}}, "where.ctiy is not a field of Event: did you mean where.city?"),
        ({"views": True}, "views can never equal a bool: it is declared as int; use int(...)"),
        ({"color": "rde"}, "color can never equal this str: it is one of ['red', 'blue']"),
        ({"level": 2}, "level can never equal this int: it is one of [1]"),
        ({"state": "doen"}, "state can never equal this str: it is one of ['draft', 'done']"),
        ({"to": 3}, "to can never equal an int: it is declared as [str] or str"),
        (
            {"where": {"zip": "1"}},
            "where.zip can never equal a str: it is declared as int; use int(...)",
        ),
        (
            {"day": "2026-11-23"},
            (
                "day can never equal a str: it is declared as date and stored as datetime; "
                "use the stored form, as to_bson() makes it"
            ),
        ),
    ],
    ids=str,
)
def test_query_of_an_annotated_class_is_refused_in_its_words(
    filter: dict[str, Any], text: str
) -> None:
    with pytest.raises(MongoKitError) as caught:
        check_filter(Event.__mongokit__, filter)

    assert str(caught.value) == text


def test_id_and_its_text_side_by_side_are_meant_to_be() -> None:
    class Identified(Document):
        structure = {"_id": ObjectId, "tags": [str]}

    for model in (MODEL, Identified.__mongokit__):
        check_filter(model, {"_id": {"$in": [ID, HEX]}})
        check_filter(model, {"_id": {"$nin": [HEX.upper(), ID]}})
        with pytest.raises(QueryTypeError):
            check_filter(model, {"_id": {"$in": [ObjectId(), HEX]}})
    check_filter(Named.__mongokit__, {"_id": {"$in": [ID, HEX]}})


# Sorts, projections, keys


@pytest.mark.parametrize(
    "sort",
    [
        None,
        "name",
        ["name", ("age", -1)],
        [("orders.sku", 1), ("tags.0", 1), ("_id", -1), ("_type", 1)],
        {"name": 1},
        {"name": 1}.items(),
        [("relevance", {"$meta": "textScore"})],
        {"relevance": {"$meta": "textScore"}},
        [("$natural", -1)],
        3,  # for the driver to refuse
        [3],
    ],
    ids=str,
)
def test_sort_by_declared_fields_is_accepted(sort: Any) -> None:
    check_sort(MODEL, sort)


@pytest.mark.parametrize(
    "sort", ["nmae", ["nmae"], [("nmae", 1)], {"nmae": 1}, {"nmae": 1}.items()]
)
def test_sort_by_an_undeclared_field_is_refused(sort: Any) -> None:
    with pytest.raises(UnknownFieldError, match="did you mean name"):
        check_sort(MODEL, sort)


@pytest.mark.parametrize(
    "projection",
    [
        None,
        [],
        ["name", "address.zip", "_id"],
        frozenset({"name"}),
        {"name": 1, "_id": False},
        {"orders": {"$slice": 3}},
        {"orders": {"$slice": [1, 3]}},
        {"orders": {"$elemMatch": {"sku": "a"}}},
        {"orders.$": 1},
        {"relevance": {"$meta": "textScore"}},
        {"full": {"$concat": ["$name", "$email"]}},
        {"first": {"$slice": ["$tags", 1]}},
        {"nick": "$name"},
        {"nick": "literal"},
        {"list_of": ["$name"]},
        {"address": {"zip": 1}},
        {"place": {"inner": {"depth": 1}, "city": 1}},
        {3: 1},
    ],
    ids=str,
)
def test_projection_of_declared_or_computed_fields_is_accepted(projection: Any) -> None:
    check_projection(MODEL, projection)


@pytest.mark.parametrize(
    ("projection", "path"),
    [
        (["nmae"], "nmae"),
        ({"nmae": 1}, "nmae"),
        ({"nmae": 0}, "nmae"),
        ({"nmae": False}, "nmae"),
        ({"address.zpi": 1}, "address.zpi"),
        ({"address": {"zpi": 1}}, "address.zpi"),
        ({"oders": {"$slice": 3}}, "oders"),
        ({"oders": {"$elemMatch": {"sku": "a"}}}, "oders"),
        ({"oders.$": 1}, "oders"),
        ({"orders": {"$elemMatch": {"skuu": "a"}}}, "orders.skuu"),
    ],
    ids=str,
)
def test_projection_of_an_undeclared_field_is_refused(projection: Any, path: str) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        check_projection(MODEL, projection)

    assert caught.value.path == path


@pytest.mark.parametrize(
    "projection", [{"name": {"$slice": 3}}, {"orders": {"$elemMatch": {"amount": "3"}}}], ids=str
)
def test_projection_that_can_select_nothing_is_refused(projection: Any) -> None:
    with pytest.raises(QueryTypeError):
        check_projection(MODEL, projection)


# Calls


@pytest.fixture
def users(connection: Connection, col: Collection) -> Any:
    connection.register([User, Team, Named])
    col.insert_many([{"_id": ID, "name": "Ada", "age": 36}, {"_id": 2, "name": "Grace", "age": 45}])
    return col.User


CALLS: dict[str, Any] = {
    "find": lambda users: users.find({"nmae": "Ada"}),
    "find by name": lambda users: users.find(filter={"nmae": "Ada"}),
    "find spec": lambda users: users.find(spec={"nmae": "Ada"}),
    "find fields": lambda users: users.find(fields=["nmae"]),
    "find projection": lambda users: users.find({}, ["nmae"]),
    "find projection by name": lambda users: users.find(projection={"nmae": 1}),
    "find sort": lambda users: users.find(sort=[("nmae", 1)]),
    "find sort by position": lambda users: users.find({}, None, 0, 0, False, 0, [("nmae", 1)]),
    "find wrap": lambda users: users.collection.find({"nmae": 1}, wrap=User),
    "find_one": lambda users: users.find_one({"nmae": "Ada"}),
    "find_one spec_or_id": lambda users: users.find_one(spec_or_id={"nmae": "Ada"}),
    "find_one projection": lambda users: users.find_one(ID, {"nmae": 1}),
    "find_one sort": lambda users: users.find_one(sort=[("nmae", 1)]),
    "one": lambda users: users.one({"nmae": "Ada"}),
    "fetch": lambda users: users.fetch({"nmae": "Ada"}),
    "fetch_one": lambda users: users.fetch_one({"nmae": "Ada"}),
    "find_and_modify": lambda users: users.find_and_modify({"nmae": 1}, {"$set": {"age": 1}}),
    "find_and_modify query": lambda users: users.find_and_modify(query={"nmae": 1}, remove=True),
    "find_and_modify sort": lambda users: users.find_and_modify({}, sort={"nmae": 1}, remove=True),
    "find_and_modify fields": lambda users: users.find_and_modify({}, remove=True, fields=["nmae"]),
    "count": lambda users: users.count({"nmae": "Ada"}),
    "count by name": lambda users: users.count(filter={"nmae": "Ada"}),
    "distinct": lambda users: users.distinct("nmae"),
    "distinct filter": lambda users: users.distinct("name", {"nmae": 1}),
    "distinct filter by name": lambda users: users.distinct("name", filter={"nmae": 1}),
    "find_random": lambda users: users.find_random({"nmae": "Ada"}),
    "find_fulltext": lambda users: users.find_fulltext("x", filter={"nmae": 1}),
    "find_fulltext project": lambda users: users.find_fulltext("x", project=["nmae"]),
    "cursor sort": lambda users: users.find().sort("nmae"),
    "cursor sort pairs": lambda users: users.find().sort([("nmae", -1)]),
    "cursor sort direction": lambda users: users.find().sort("nmae", -1),
    "cursor clone sort": lambda users: users.find().clone().sort("nmae"),
    "cursor distinct": lambda users: users.find().distinct("nmae"),
    "document": lambda users: users.find_one(ID).find({"nmae": "Ada"}),
}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_every_call_is_checked_in_every_spelling(name: str, users: Any) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        CALLS[name](users)

    assert (caught.value.path, caught.value.suggestion) == ("nmae", "name")


@pytest.mark.parametrize("call", ["find_one", "get_from_id"])
def test_hex_text_in_place_of_an_id_is_refused(call: str, users: Any) -> None:
    assert getattr(users, call)(ID)["name"] == "Ada"

    with pytest.raises(QueryTypeError, match="ObjectId"):
        getattr(users, call)(HEX)


def test_queries_that_pass_give_what_they_always_gave(users: Any) -> None:
    users.collection.create_index("name")

    assert [user["name"] for user in users.find({"age": {"$gt": 40}})] == ["Grace"]
    assert [user["name"] for user in users.find().sort("age", -1)] == ["Grace", "Ada"]
    assert [user["name"] for user in users.find(sort=[("age", 1)])[1:]] == ["Grace"]
    assert isinstance(users.find()[0], User)
    assert isinstance(users.find().clone(), StrictCursor)
    assert users.find().sort("age").distinct("name") == ["Ada", "Grace"]
    assert sorted(users.distinct("name", {"age": 36})) == ["Ada"]
    assert users.count() == 2
    assert users.count({"name": "Ada"}) == 1
    assert users.find_one({"role": "ADMIN"}, collation={"locale": "en", "strength": 2}) is None


def test_refused_query_is_not_sent(mongodb_uri: str, database_name: str) -> None:
    class Commands(monitoring.CommandListener):
        sent: list[str] = []

        def started(self, event: Any) -> None:
            self.sent.append(event.command_name)

        def succeeded(self, event: Any) -> None: ...
        def failed(self, event: Any) -> None: ...

    commands = Commands()
    with Connection(mongodb_uri, event_listeners=[commands]) as client:
        users = client[database_name].users.documents(User)
        for call in ("find", "find_one", "count"):
            with pytest.raises(UnknownFieldError):
                getattr(users, call)({"nmae": 1})

    assert commands.sent == []


def test_option_is_inherited_and_can_be_turned_off(col: Collection) -> None:
    class Child(User):
        structure = {"nick": str}

    class Free(User):
        strict_queries = False

    with pytest.raises(UnknownFieldError, match=r"^nikc is not a field of Child.*nick"):
        col.documents(Child).find({"nikc": "x"})
    assert col.documents(Free).find_one({"nikc": "x"}) is None


def test_option_set_later_counts_when_the_class_is_registered_again(
    connection: Connection, col: Collection
) -> None:
    class Later(Document):
        structure = {"name": str}

    connection.register(Later)
    assert col.Later.find_one({"nmae": 1}) is None

    Later.strict_queries = True
    connection.register(Later)

    with pytest.raises(UnknownFieldError):
        col.Later.find_one({"nmae": 1})


def test_without_the_option_nothing_is_checked(
    connection: Connection, col: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Plain(Document):
        structure = {"name": str}

    connection.register(Plain)
    for name in ("check_filter", "check_sort", "check_projection", "check_path", "check_find"):
        monkeypatch.delattr(f"mongokit.strict.{name}")
    plain = col.Plain

    assert Plain.strict_queries is False
    assert type(plain.find({"nmae": 3}).sort("nmae")) is not StrictCursor
    assert plain.find_one({"_id": HEX, "name": 3}, ["nmae"], sort=[("nmae", 1)]) is None
    assert plain.count({"nmae": 3}) == 0
    assert plain.distinct("nmae") == []
    with pytest.raises(OperationFailure):
        plain.find_one({"name": {"$gtt": 3}})


def test_collection_itself_is_never_checked(users: Any) -> None:
    assert users.collection.find_one({"nmae": 1}) is None
    assert list(users.collection.find({"nmae": 1}).sort("nmae")) == []


def test_a_connection_checks_the_queries_of_all_its_classes(
    mongodb_uri: str, database_name: str
) -> None:
    class Loose(Document):
        structure = {"name": str}

    with (
        Connection(mongodb_uri, strict_queries=True) as strict,
        Connection(mongodb_uri) as loose,
    ):
        with pytest.raises(UnknownFieldError, match=r"did you mean name\?"):
            strict[database_name]["things"].documents(Loose).find({"nmae": "Ada"})
        assert loose[database_name]["things"].documents(Loose).find_one({"nmae": "Ada"}) is None
