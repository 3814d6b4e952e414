"""`update_one` and `update_many` of a manager: what is refused, and what is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import DBRef, Decimal128, Int64, ObjectId
from pymongo.errors import WriteError

from mongokit import (
    IS,
    NOT,
    OR,
    AutoReferenceError,
    Connection,
    CustomType,
    Database,
    Document,
    Documents,
    InvalidDocument,
    RequireFieldError,
    SchemaDocument,
    SchemaDocumentError,
    SchemaTypeError,
    Set,
    StructureError,
    UnknownFieldError,
    ValidationError,
)
from mongokit.compiler import UNBOUND_OPTIONS
from mongokit.updates import CheckedUpdate


class Upper(CustomType):
    """Lower case in memory, upper case in the database."""

    mongo_type = str
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return None if value is None else value.upper()

    def to_python(self, value: Any) -> Any:
        return None if value is None else value.lower()


class Day(CustomType):
    """A day's ordinal in memory, a datetime in the database."""

    mongo_type = datetime
    python_type = int

    def to_bson(self, value: Any) -> Any:
        return None if value is None else datetime.fromordinal(value)

    def to_python(self, value: Any) -> Any:
        return None if value is None else value.toordinal()


class Address(SchemaDocument):
    structure = {"city": str, "zip": str, "floors": [int]}
    required_fields = ["city"]
    validators = {"zip": lambda value: len(value) == 5}


class City(Document):
    structure = {"name": str}


def _short(value: str) -> bool:
    if len(value) > 10:
        raise ValueError("%s is too long")
    return True


class User(Document):
    structure = {
        "name": str,
        "nick": str,
        "age": int,
        "score": float,
        "balance": Decimal128,
        "big": Int64,
        "is_admin": bool,
        "born": datetime,
        "code": Upper,
        "day": Day,
        "tags": [str],
        "codes": [Upper],
        "labels": Set(str),
        "items": [{"product": str, "amount": int, "codes": [Upper]}],
        "pair": (str, int),
        "address": Address,
        "addresses": [Address],
        "counts": {str: int},
        "nested": {"one": {"two": int}, "list": [[int]]},
        "anything": None,
        "free": dict,
        "free_list": list,
        "empty": {},
        "either": OR(int, str),
        "never": NOT(str),
        "state": IS("new", "old"),
        "title": str,
        "texts": [str],
        "city": City,
        "cities": [City],
    }
    i18n = ["title"]
    use_autorefs = True
    required_fields = ["name", "items.product", "texts"]
    validators = {
        "name": _short,
        "age": lambda value: value >= 0,
        "title": _short,
        "items.amount": lambda value: value > 0,
        "tags": lambda value: len(value) < 3,
        "address": lambda value: value.get("city") != "Nowhere",
    }


def content() -> dict[str, Any]:
    address = {"city": "London", "zip": "12345", "floors": [1]}
    return {
        **dict.fromkeys(User.structure or {}),
        "_id": 1,
        "name": "Ada",
        "age": 36,
        "score": 1.5,
        "big": Int64(1),
        "balance": Decimal128("1"),
        "tags": ["a"],
        "codes": ["x"],
        "labels": {"a"},
        "items": [{"product": "pen", "amount": 1, "codes": []}],
        "pair": ["a", 1],
        "address": address,
        "addresses": [dict(address)],
        "counts": {"x": 1},
        "nested": {"one": {"two": 1}, "list": [[1]]},
        "free": {"x": 1},
        "free_list": [1],
        "empty": {},
        "either": 1,
        "title": {"en": "Mouse"},
        "texts": ["t"],
        "cities": [],
    }


@pytest.fixture
def users(connection: Connection, db: Database) -> Documents[User]:
    connection.register([User, City])
    manager = db["users"].documents(User)
    db["cities"].documents(City)({"_id": "paris", "name": "Paris"}).save()
    manager(content()).save()
    return manager


def stored(users: Documents[User]) -> dict[str, Any]:
    raw = users.collection.find_one({"_id": 1})
    assert raw is not None
    return raw


def at(raw: Any, path: str) -> Any:
    for part in path.split("."):
        raw = raw[int(part)] if isinstance(raw, list) else raw[part]
    return raw


@pytest.mark.parametrize(
    ("operator", "path", "value", "where", "result"),
    [
        ("$set", "name", "Grace", "name", "Grace"),
        ("$set", "age", None, "age", None),
        ("$set", "nested.one.two", 3, "nested.one.two", 3),
        ("$set", "nested.list.0.0", 3, "nested.list", [[3]]),
        ("$set", "code", "abc", "code", "ABC"),
        ("$set", "codes", ["a", "b"], "codes", ["A", "B"]),
        ("$set", "codes.0", "b", "codes", ["B"]),
        ("$set", "labels", {"b", "a"}, "labels", ["a", "b"]),
        ("$set", "items.0.codes", ["q"], "items.0.codes", ["Q"]),
        ("$set", "items.$[].amount", 3, "items.0.amount", 3),
        ("$set", "counts.y", 2, "counts", {"x": 1, "y": 2}),
        ("$set", "pair.1", 7, "pair", ["a", 7]),
        ("$set", "address.zip", "54321", "address.zip", "54321"),
        ("$set", "addresses.0.floors.1", 2, "addresses.0.floors", [1, 2]),
        ("$set", "free.any.thing", object, "free.any.thing", "refused by bson"),
        ("$set", "free.any.thing", [1], "free.any.thing", [1]),
        ("$set", "free_list.0", {"a": 1}, "free_list", [{"a": 1}]),
        ("$set", "anything.deep", 1, "anything", "the server's error"),
        ("$set", "empty.deep.er", 1, "empty", {"deep": {"er": 1}}),
        ("$set", "either", "text", "either", "text"),
        ("$set", "state", "old", "state", "old"),
        ("$set", "title", {"fr": "Souris"}, "title", [{"lang": "fr", "value": "Souris"}]),
        ("$set", "title.0.value", "Rat", "title", [{"lang": "en", "value": "Rat"}]),
        ("$setOnInsert", "name", "Grace", "name", "Ada"),
        ("$min", "age", 20, "age", 20),
        ("$max", "age", 20, "age", 36),
        ("$inc", "age", 2, "age", 38),
        ("$inc", "score", 1, "score", 2.5),
        ("$inc", "big", 1, "big", Int64(2)),
        ("$inc", "balance", Decimal128("0.5"), "balance", Decimal128("1.5")),
        ("$inc", "balance", 1, "balance", Decimal128("2")),
        ("$inc", "items.0.amount", 2, "items.0.amount", 3),
        ("$inc", "either", 2, "either", 3),
        ("$inc", "counts.z", 4, "counts.z", 4),
        ("$inc", "free.x", 0.5, "free.x", 1.5),
        ("$mul", "age", 2, "age", 72),
        ("$bit", "age", {"or": 1}, "age", 37),
        ("$currentDate", "born", True, "age", 36),
        ("$currentDate", "day", {"$type": "date"}, "age", 36),
        ("$push", "tags", "b", "tags", ["a", "b"]),
        ("$push", "codes", "y", "codes", ["X", "Y"]),
        ("$push", "labels", "b", "labels", ["a", "b"]),
        ("$push", "free_list", {"b": 2}, "free_list", [1, {"b": 2}]),
        ("$push", "nested.list.0", 5, "nested.list", [[1, 5]]),
        (
            "$push",
            "tags",
            {"$each": ["c", "b"], "$sort": 1, "$slice": 2, "$position": 0},
            "tags",
            ["a", "b"],
        ),
        (
            "$push",
            "items",
            {"$each": [{"product": "ink", "amount": 2, "codes": ["z"]}], "$sort": {"amount": -1}},
            "items.0",
            {"product": "ink", "amount": 2, "codes": ["Z"]},
        ),
        (
            "$push",
            "title",
            {"lang": "fr", "value": "Souris"},
            "title.1",
            {"lang": "fr", "value": "Souris"},
        ),
        ("$addToSet", "tags", "a", "tags", ["a"]),
        ("$addToSet", "tags", {"$each": ["a", "b"]}, "tags", ["a", "b"]),
        ("$addToSet", "labels", {"$each": ["a", "b"]}, "labels", ["a", "b"]),
        ("$pull", "tags", "a", "tags", []),
        ("$pull", "tags", {"$in": ["a"]}, "tags", []),
        ("$pull", "codes", "x", "codes", []),
        ("$pull", "items", {"amount": {"$gt": 0}}, "items", []),
        ("$pull", "title", {"lang": "en"}, "title", []),
        ("$pullAll", "codes", ["x"], "codes", []),
        ("$pop", "tags", 1, "tags", []),
        ("$unset", "counts.x", "", "counts", {}),
        ("$unset", "free.x", "", "free", {}),
        ("$unset", "tags.0", "", "tags", [None]),
        ("$rename", "free.x", "free.y", "free", {"y": 1}),
    ],
)
def test_valid_update_is_sent_in_its_stored_form(
    users: Documents[User], operator: str, path: str, value: Any, where: str, result: Any
) -> None:
    if value is object:
        with pytest.raises(Exception, match="cannot encode object"):
            users.update_one({"_id": 1}, {operator: {path: value()}})
        return
    if result == "the server's error":
        with pytest.raises(WriteError):
            users.update_one({"_id": 1}, {operator: {path: value}})
        return

    update = users.update_one({"_id": 1}, {operator: {path: value}})

    assert update.matched_count == 1
    found = at(stored(users), where)
    assert (found, type(found)) == (result, type(result))
    read = users.get_from_id(1)
    assert read is not None
    read.validate()


@pytest.mark.parametrize(
    ("operator", "path", "value", "error", "error_path", "rule"),
    [
        ("$set", "nmae", "x", UnknownFieldError, "nmae", None),
        ("$set", "address.ctiy", "x", UnknownFieldError, "address.ctiy", None),
        ("$set", "items.0.prodct", "x", UnknownFieldError, "items.0.prodct", None),
        ("$set", "name.first", "x", UnknownFieldError, "name.first", None),
        ("$set", "counts.$str", 1, UnknownFieldError, "counts.$str", None),
        ("$unset", "nmae", "", UnknownFieldError, "nmae", None),
        ("$inc", "aeg", 1, UnknownFieldError, "aeg", None),
        ("$set", "", 1, StructureError, "", "path"),
        ("$set", "nested..one", 1, StructureError, "nested..one", "path"),
        ("$set", "items.amount", 1, StructureError, "items.amount", "position"),
        ("$set", "title.en", "x", StructureError, "title.en", "position"),
        ("$set", "title.0.lang", "x", StructureError, "title.0.lang", "part"),
        ("$set", "labels.0", "x", StructureError, "labels.0", "part"),
        ("$set", "city.$id", 1, StructureError, "city.$id", "part"),
        ("$set", "pair.2", 1, StructureError, "pair.2", "length"),
        ("$set", "_id", 2, StructureError, "_id", "immutable"),
        ("$set", "name", 1, ValidationError, "name", "validator"),
        ("$set", "age", "1", ValidationError, "age", "validator"),
        ("$set", "nick", 1, SchemaTypeError, "nick", "type"),
        ("$set", "items.$[x].codes", ["x", 1], SchemaTypeError, "items.codes", "type"),
        ("$set", "score", 1, SchemaTypeError, "score", "type"),
        ("$set", "tags", "a", SchemaTypeError, "tags", "type"),
        ("$set", "tags", None, SchemaTypeError, "tags", "type"),
        ("$set", "tags", ["a", 1], SchemaTypeError, "tags", "type"),
        ("$set", "tags.1", 1, SchemaTypeError, "tags", "type"),
        ("$set", "tags.$", 1, SchemaTypeError, "tags", "type"),
        ("$set", "items.0", {"product": "x"}, StructureError, "items", "missing"),
        ("$set", "items.$[x].amount", "1", ValidationError, "items.amount", "validator"),
        ("$set", "counts.y", "1", SchemaTypeError, "counts.$str", "type"),
        ("$set", "pair", ["a"], SchemaTypeError, "pair", "length"),
        ("$set", "pair.$[]", "a", SchemaTypeError, "pair", "type"),
        ("$set", "code", 1, SchemaTypeError, "code", "type"),
        ("$set", "labels", ["a"], SchemaTypeError, "labels", "type"),
        ("$set", "state", "odd", SchemaTypeError, "state", "type"),
        ("$set", "either", 1.5, SchemaTypeError, "either", "type"),
        ("$set", "title", "Mouse", SchemaTypeError, "title", "type"),
        ("$set", "title", {"en": 1}, ValidationError, "title", "validator"),
        ("$set", "title.$.value", 1, ValidationError, "title", "validator"),
        ("$set", "title.0", {"lang": "fr"}, SchemaTypeError, "title", "type"),
        ("$set", "city", "paris", SchemaTypeError, "city", "type"),
        ("$set", "address", {"city": "x"}, StructureError, "address", "missing"),
        ("$set", "address.zip", 1, ValidationError, "address.zip", "validator"),
        ("$set", "name", "a" * 11, ValidationError, "name", "validator"),
        ("$set", "title", {"en": "a" * 11}, ValidationError, "title", "validator"),
        ("$set", "title.0.value", "a" * 11, ValidationError, "title", "validator"),
        ("$set", "items.0.amount", 0, ValidationError, "items.amount", "validator"),
        ("$set", "tags", ["a"] * 3, ValidationError, "tags", "validator"),
        ("$max", "age", -1, ValidationError, "age", "validator"),
        ("$set", "name", None, RequireFieldError, "name", "required"),
        ("$set", "texts", [], RequireFieldError, "texts", "required"),
        ("$set", "address.city", None, RequireFieldError, "address.city", "required"),
        ("$set", "items.0.product", None, RequireFieldError, "items.product", "required"),
        (
            "$push",
            "items",
            {"product": None, "amount": 1, "codes": []},
            RequireFieldError,
            "items.product",
            "required",
        ),
        ("$unset", "name", "", RequireFieldError, "name", "required"),
        ("$unset", "age", "", StructureError, "age", "missing"),
        ("$unset", "address.zip", "", StructureError, "address.zip", "missing"),
        ("$unset", "nested.one", "", StructureError, "nested.one", "missing"),
        ("$unset", "items.0", "", SchemaTypeError, "items", "type"),
        ("$unset", "title.0", "", StructureError, "title", "missing"),
        ("$rename", "age", "score", StructureError, "age", "missing"),
        ("$rename", "free.x", "age", SchemaTypeError, "age", "operator"),
        ("$rename", "free.x", "aeg", UnknownFieldError, "aeg", None),
        ("$inc", "name", 1, SchemaTypeError, "name", "operator"),
        ("$inc", "is_admin", 1, SchemaTypeError, "is_admin", "operator"),
        ("$inc", "state", 1, SchemaTypeError, "state", "operator"),
        ("$inc", "code", 1, SchemaTypeError, "code", "operator"),
        ("$inc", "age", 1.5, SchemaTypeError, "age", "type"),
        ("$inc", "age", True, SchemaTypeError, "age", "type"),
        ("$inc", "age", "1", SchemaTypeError, "age", "type"),
        ("$inc", "score", Decimal128("1"), SchemaTypeError, "score", "type"),
        ("$inc", "either", 1.5, SchemaTypeError, "either", "type"),
        ("$inc", "anything", "1", SchemaTypeError, "anything", "type"),
        ("$mul", "age", 0.5, SchemaTypeError, "age", "type"),
        ("$bit", "score", {"or": 1}, SchemaTypeError, "score", "operator"),
        ("$bit", "age", {"or": 1.5}, SchemaTypeError, "age", "type"),
        ("$currentDate", "name", True, SchemaTypeError, "name", "type"),
        ("$currentDate", "code", True, SchemaTypeError, "code", "operator"),
        ("$currentDate", "born", {"$type": "timestamp"}, SchemaTypeError, "born", "type"),
        ("$push", "name", "x", SchemaTypeError, "name", "operator"),
        ("$push", "address", "x", SchemaTypeError, "address", "operator"),
        ("$push", "pair", "x", SchemaTypeError, "pair", "operator"),
        ("$push", "tags", 1, SchemaTypeError, "tags", "type"),
        ("$push", "tags", {"$each": ["a", 1]}, SchemaTypeError, "tags", "type"),
        ("$push", "texts", {"$each": ["a"], "$slice": 0}, RequireFieldError, "texts", "required"),
        ("$push", "items", {"$each": [], "$sort": {"amuont": 1}}, UnknownFieldError, None, None),
        ("$push", "title", {"lang": 1, "value": "x"}, SchemaTypeError, "title", "type"),
        ("$push", "title", "x", SchemaTypeError, "title", "type"),
        ("$addToSet", "tags", {"$each": [1]}, SchemaTypeError, "tags", "type"),
        ("$addToSet", "address", {"$each": [1]}, SchemaTypeError, "address", "operator"),
        ("$pull", "name", "x", SchemaTypeError, "name", "operator"),
        ("$pullAll", "counts", ["x"], SchemaTypeError, "counts", "operator"),
        ("$pop", "pair", 1, SchemaTypeError, "pair", "operator"),
    ],
)
def test_what_breaks_the_declaration_is_refused_and_nothing_is_sent(
    users: Documents[User],
    operator: str,
    path: str,
    value: Any,
    error: Any,
    error_path: str | None,
    rule: str | None,
) -> None:
    before = stored(users)

    with pytest.raises(error) as caught:
        users.update_one({"_id": 1}, {operator: {path: value}})

    refused: Any = caught.value
    assert type(refused) is error
    assert error_path is None or (refused.path or "") == error_path
    assert rule is None or refused.rule == rule
    assert refused.errors
    assert stored(users) == before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", 1),
        ("name", None),
        ("name", "a" * 11),
        ("age", "1"),
        ("tags", ["a", 1]),
        ("tags", None),
        ("labels", {1}),
        ("items", [{"product": None, "amount": 0, "codes": [1]}]),
        ("items", [{"amount": 1}]),
        ("pair", ["a"]),
        ("address", {"city": None, "zip": "1", "floors": ["x"]}),
        ("address", {"city": "Nowhere", "zip": None, "floors": []}),
        ("counts", {"x": "1"}),
        ("nested", {"one": {"two": "2"}, "list": [1], "three": 3}),
        ("state", "odd"),
        ("title", {"en": 1, "fr": "a" * 11}),
        ("either", 1.5),
        ("anything", object()),
    ],
)
def test_refusals_are_those_of_validate(users: Documents[User], path: str, value: Any) -> None:
    document = users.get_from_id(1)
    assert document is not None
    dict.__setitem__(document, path, value)
    wanted = document.errors()

    with pytest.raises((SchemaDocumentError, InvalidDocument, ValueError)) as caught:
        users.update_one({"_id": 1}, {"$set": {path: value}})

    assert getattr(caught.value, "errors", wanted) == wanted
    assert str(caught.value) == wanted[0].message


def test_all_failures_of_an_update_are_told(users: Documents[User]) -> None:
    with pytest.raises(ValidationError) as caught:
        users.update_one(
            {"_id": 1},
            {"$set": {"age": -1, "score": "x", "name": None}, "$push": {"tags": 5}},
        )

    assert [(failure.path, failure.rule) for failure in caught.value.errors] == [
        ("age", "validator"),
        ("score", "type"),
        ("tags", "type"),
        ("name", "required"),
    ]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("adress.city", "address.city"),
        ("items.$[].prodct", "items.$[].product"),
        ("items.$[x].prodct", "items.$[x].product"),
        ("addresses.$.ctiy", "addresses.$.city"),
        ("zzz", None),
    ],
)
def test_unknown_field_names_the_nearest(
    users: Documents[User], path: str, meant: str | None
) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        users.update_one({}, {"$set": {path: "x"}})

    assert caught.value.suggestion == meant
    assert str(caught.value).endswith(f"did you mean {meant}?" if meant else "a field of User")
    assert [failure.rule for failure in caught.value.errors] == ["unknown"]


@pytest.mark.parametrize(
    ("update", "error", "text"),
    [
        ({"name": "x"}, ValueError, r"save\(\)"),
        ({"$set": {"age": 1}, "name": "x"}, ValueError, r"save\(\)"),
        ({}, ValueError, "without operators"),
        ({"$pushAll": {"tags": ["x"]}}, ValueError, r"\$each"),
        ({"$sett": {"age": 1}}, ValueError, r"did you mean \$set"),
        ({"$set": ["age"]}, TypeError, "takes a dict"),
        ({"$set": {1: 2}}, TypeError, "texts"),
        ("age", TypeError, "not str"),
        ({"$push": {"tags": {"$eahc": []}}}, ValueError, r"did you mean \$each"),
        ({"$push": {"free_list": {"$eahc": []}}}, ValueError, r"did you mean \$each"),
        ({"$push": {"tags": {"$each": [], "$slcie": 1}}}, ValueError, r"did you mean \$slice"),
        ({"$push": {"tags": {"$slice": 1}}}, TypeError, r"\$each"),
        ({"$addToSet": {"tags": {"$each": [], "$slice": 1}}}, ValueError, "no modifier"),
        ({"$pop": {"tags": 2}}, ValueError, "1 for the last"),
        ({"$pullAll": {"tags": "a"}}, TypeError, "list of items"),
        ({"$currentDate": {"born": False}}, ValueError, r"\$currentDate takes"),
        ({"$bit": {"age": {"nor": 1}}}, ValueError, "'and', 'or' or 'xor'"),
        ({"$rename": {"free.x": 1}}, TypeError, "new name"),
    ],
)
def test_malformed_update_says_what_is_wanted(
    users: Documents[User], update: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        users.update_one({"_id": 1}, update)


def test_array_filters_and_positions_reach_the_server(users: Documents[User]) -> None:
    item = {"product": "ink", "amount": 5, "codes": []}
    users.update_one({"_id": 1}, {"$push": {"items": item}})

    users.update_one(
        {"_id": 1}, {"$set": {"items.$[x].amount": 9}}, array_filters=[{"x.product": "ink"}]
    )
    users.update_one({"_id": 1, "items.product": "pen"}, {"$inc": {"items.$.amount": 1}})

    assert [each["amount"] for each in stored(users)["items"]] == [2, 9]


def test_one_language_is_changed_by_an_array_filter(users: Documents[User]) -> None:
    users.update_one({"_id": 1}, {"$push": {"title": {"lang": "fr", "value": "Souris"}}})

    users.update_one(
        {"_id": 1}, {"$set": {"title.$[t].value": "Rat"}}, array_filters=[{"t.lang": "fr"}]
    )

    read = users.get_from_id(1)
    assert read is not None
    assert read["title"] == {"en": "Mouse", "fr": "Rat"}


def test_referenced_documents_are_stored_as_references(
    users: Documents[User], db: Database
) -> None:
    paris = db["cities"].documents(City).get_from_id("paris")
    assert paris is not None

    users.update_one({"_id": 1}, {"$set": {"city": paris}, "$push": {"cities": paris}})

    assert stored(users)["city"] == stored(users)["cities"][0] == paris.get_dbref()
    users.update_one({"_id": 1}, {"$pull": {"cities": paris}})
    assert stored(users)["cities"] == []


def test_reference_to_a_document_that_was_never_saved_is_refused(
    users: Documents[User], db: Database
) -> None:
    new = db["cities"].documents(City)({"name": "Oslo"})

    with pytest.raises(AutoReferenceError, match="save the City before"):
        users.update_one({"_id": 1}, {"$set": {"city": new}})


def test_reference_without_a_database_is_refused(users: Documents[User]) -> None:
    with pytest.raises(RuntimeError, match="names no database"):
        users.update_one({"_id": 1}, {"$set": {"city": DBRef("cities", "paris")}})


def test_numbers_are_sent_as_the_declared_type() -> None:
    update = {
        "$inc": {"score": 1, "big": 1, "balance": 1, "age": 1},
        "$mul": {"either": 2},
        "$bit": {"big": {"or": 3}},
    }

    sent = CheckedUpdate(User.__mongokit__, update, UNBOUND_OPTIONS).sent

    assert [type(each) for each in sent["$inc"].values()] == [float, Int64, Decimal128, int]
    assert type(sent["$bit"]["big"]["or"]) is Int64


def test_pipeline_is_passed_on_unchecked(users: Documents[User]) -> None:
    users.update_one({"_id": 1}, [{"$set": {"nmae": "$name"}}])

    assert stored(users)["nmae"] == "Ada"


def test_options_of_the_driver_are_passed_on(users: Documents[User]) -> None:
    result = users.update_one(
        {"name": "ADA"},
        {"$set": {"age": 1}},
        collation={"locale": "en", "strength": 2},
        comment="why",
    )

    assert result.modified_count == 1


def test_update_many_changes_all_that_match(users: Documents[User]) -> None:
    users({**content(), "_id": 2}).save()

    result = users.update_many({}, {"$inc": {"age": 1}})

    assert result.modified_count == 2
    with pytest.raises(SchemaTypeError):
        users.update_many({}, {"$inc": {"age": 1.5}})
    assert {each["age"] for each in users.collection.find()} == {37}


class Loose(Document):
    structure = {"name": str, "address": {"city": str}, "count": int, "keys": {str: int}}
    required_fields = ["name", "address.city", "keys.$str"]
    use_schemaless = True


def test_schemaless_class_takes_undeclared_fields_and_loses_declared_ones(db: Database) -> None:
    loose = db["loose"].documents(Loose)
    loose(
        {"_id": 1, "name": "Ada", "address": {"city": "x"}, "count": 1, "keys": {"a": 1, "b": 2}}
    ).save()

    loose.update_one({"_id": 1}, {"$set": {"new": {"a": 1}}, "$unset": {"count": "", "keys.a": ""}})
    loose.update_one({"_id": 1}, {"$rename": {"new": "old"}, "$push": {"many.more": 1}})

    assert db["loose"].find_one() == {
        "_id": 1,
        "name": "Ada",
        "address": {"city": "x"},
        "keys": {"b": 2},
        "old": {"a": 1},
        "many": {"more": [1]},
    }
    for path in ("name", "address", "address.city"):
        with pytest.raises(RequireFieldError):
            loose.update_one({"_id": 1}, {"$unset": {path: ""}})
    with pytest.raises(RequireFieldError):
        loose.update_one({"_id": 1}, {"$set": {"keys.c": None}})
    with pytest.raises(SchemaTypeError):
        loose.update_one({"_id": 1}, {"$set": {"count": "x"}})


class Unchecked(Document):
    structure = {"age": int, "code": Upper}
    skip_validation = True


def test_class_that_skips_validation_is_only_converted(db: Database) -> None:
    unchecked = db["unchecked"].documents(Unchecked)
    unchecked({"_id": 1, "age": 1, "code": "a"}).save()

    unchecked.update_one({"_id": 1}, {"$set": {"age": "x", "code": "b", "new": 1}})

    assert db["unchecked"].find_one() == {"_id": 1, "age": "x", "code": "B", "new": 1}


class Strict(Document):
    structure = {"name": str, "age": int}
    strict_queries = True


def test_filter_of_a_strict_class_is_checked(db: Database) -> None:
    strict = db["strict"].documents(Strict)
    document = strict({"_id": 1, "name": "x", "age": 1})
    document.save()

    with pytest.raises(UnknownFieldError, match="did you mean name"):
        strict.update_one({"nmae": "x"}, {"$set": {"age": 2}})
    with pytest.raises(UnknownFieldError, match="did you mean name"):
        document.patch(age=2, when={"nmae": "x"})
    assert strict.update_many({"name": "x"}, {"$set": {"age": 2}}).modified_count == 1


class Anything(Document):
    pass


def test_class_without_structure_takes_all(db: Database) -> None:
    anything = db["anything"].documents(Anything)
    anything({"_id": 1}).save()

    anything.update_one({"_id": 1}, {"$set": {"a.b": 1}, "$push": {"c": 1}, "$inc": {"d": 1.5}})

    assert db["anything"].find_one() == {"_id": 1, "a": {"b": 1}, "c": [1], "d": 1.5}


class Counter(Document):
    structure = {"day": str, "hits": int, "labels": Set(str), "note": str, "at": datetime}
    required_fields = ["day"]
    validators = {"hits": lambda value: value < 100}


@pytest.fixture
def counters(db: Database) -> Documents[Counter]:
    return db["counters"].documents(Counter)


def test_upsert_stores_a_document_that_validates(counters: Documents[Counter]) -> None:
    for _ in range(2):
        counters.update_one(
            {"day": "today"},
            {
                "$inc": {"hits": 1},
                "$addToSet": {"labels": "a"},
                "$currentDate": {"at": True},
                "$setOnInsert": {"note": None},
            },
            upsert=True,
        )

    found = counters.find_one()
    assert found is not None
    found.validate()
    assert (found["day"], found["hits"], found["labels"]) == ("today", 2, {"a"})


@pytest.mark.parametrize(
    ("filter", "update", "error", "text"),
    [
        ({"day": "x"}, {"$inc": {"hits": 1}}, StructureError, r"\$setOnInsert"),
        (
            {},
            {"$inc": {"hits": 1}, "$setOnInsert": {"note": None, "labels": set(), "at": None}},
            StructureError,
            r"missed fields \['day'\]",
        ),
        (
            {"day": None},
            {"$inc": {"hits": 1}, "$setOnInsert": {"note": None, "labels": set(), "at": None}},
            RequireFieldError,
            "day is required",
        ),
        (
            {"$and": [{"day": "x"}], "nte": 1},
            {"$mul": {"hits": 2}, "$setOnInsert": {"note": None, "labels": set(), "at": None}},
            StructureError,
            r"unknown fields \['nte'\]",
        ),
        (
            {"day": {"$eq": "x"}},
            {"$inc": {"hits": 100}, "$setOnInsert": {"note": None, "labels": set(), "at": None}},
            ValidationError,
            "hits does not pass",
        ),
        (
            {"day": {"$in": ["x"]}, "hits": {"$bit": 1, "$gt": 5}},
            {"$bit": {"hits": {"or": 1.5}}},
            SchemaTypeError,
            "hits must be an instance of int",
        ),
    ],
)
def test_upsert_of_what_does_not_validate_is_refused(
    counters: Documents[Counter],
    filter: dict[str, Any],
    update: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        counters.update_one(filter, update, upsert=True)

    assert counters.count() == 0


def test_upsert_takes_custom_types_of_the_filter_in_their_stored_form(
    counters: Documents[Counter],
) -> None:
    rest = {"note": None, "at": datetime(2026, 1, 1, tzinfo=UTC), "hits": 1}

    counters.update_one({"day": "x", "labels": ["b"]}, {"$setOnInsert": rest}, upsert=True)

    found = counters.find_one()
    assert found is not None
    assert found["labels"] == {"b"}
    assert isinstance(found["_id"], ObjectId)


class Overriding(Document):
    structure = {"name": str}

    def update_one(self) -> str:
        return "mine"

    def patch(self) -> str:  # type: ignore[override]
        return "mine too"


def test_class_whose_methods_mean_something_else_keeps_them(db: Database) -> None:
    manager: Any = db["overriding"].documents(Overriding)

    manager({"_id": 1, "name": "x"}).save()

    assert manager.update_one() == "mine"
    read = manager.find_one()
    assert read.patch() == "mine too"
    Document.patch(read, name="y")
    assert read["name"] == "y"


class Release(Document):
    structure = {"major": int, "patch": int}
    use_dot_notation = True


def test_field_of_the_name_of_a_new_method_stays_an_attribute(db: Database) -> None:
    release: Any = db["releases"].documents(Release)({"_id": 1, "major": 1, "patch": 2})

    assert release.patch == 2
    release.patch = 3
    release.save()
    assert release["patch"] == 3
    Document.patch(release, inc={"patch": 1})
    assert release.patch == 4
