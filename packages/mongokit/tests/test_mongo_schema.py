"""Classes as MongoDB's $jsonSchema: what is written, and that the server takes it."""

# mypy: disable-error-code="call-arg, arg-type, misc"

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from annotated_types import Ge, Interval, Len, MaxLen
from bson import Binary, DBRef, Decimal128, Int64, ObjectId, Regex
from pymongo.errors import WriteError

from mongokit import (
    IS,
    NOT,
    OR,
    AnyOf,
    Connection,
    CustomType,
    Document,
    Embedded,
    Set,
    field,
    utcnow,
)
from mongokit.mongoschema import mongo_schema
from mongokit.validators import max_length, multiple_of, one_of, pattern, url

if TYPE_CHECKING:
    from mongokit import Database

END = r"(?![\s\S])"
HALF = Decimal("0.5")
NULL_INT = {"bsonType": ["int", "long", "bool", "null"]}


class Color(enum.Enum):
    RED = "red"
    NONE = 0


class Address(Embedded):
    street: str
    city: Annotated[str, MaxLen(80)] = ""


class User(Document):
    __collection__ = "users"
    name: Annotated[str, Len(1, 50)]
    address: Address | None = None
    addresses: list[Address] = field(default_factory=list)
    color: Color = Color.RED
    price: Annotated[Decimal, Ge(HALF)] = Decimal(1)
    born: date | None = None
    seen: datetime = field(default_factory=utcnow)
    friend: User | None = None
    pair: tuple[int, str] = (1, "a")


class Shout(CustomType):
    mongo_type = bytes
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return value and value.encode()

    def to_python(self, value: Any) -> Any:
        return value and value.decode()


def of(spec: Any, **options: Any) -> Any:
    """The schema of a class's field `x`."""
    cls: Any = type("Thing", (Document,), {"structure": {"x": spec}, **options})
    return cls.mongo_schema()["properties"]["x"]


def annotated(annotation: Any) -> Any:
    """The same of an annotated class, whose field is required."""
    namespace = {"__annotations__": {"x": annotation}, "__module__": __name__}
    cls: Any = type(Document)("Thing", (Document,), namespace)
    return cls.mongo_schema()["properties"]["x"]


@pytest.mark.parametrize(
    ("spec", "schema"),
    [
        (str, {"bsonType": ["string", "null"]}),
        (int, NULL_INT),
        (Int64, {"bsonType": ["long", "null"]}),
        (float, {"bsonType": ["double", "null"]}),
        (ObjectId, {"bsonType": ["objectId", "null"]}),
        (Binary, {"bsonType": ["binData", "null"]}),
        (Regex, {"bsonType": ["regex", "null"]}),
        (None, {}),
        ([], {"bsonType": "array"}),
        ([int], {"bsonType": "array", "items": NULL_INT}),
        ({}, {"bsonType": "object"}),
        ({str: int}, {"bsonType": "object", "additionalProperties": NULL_INT}),
        (
            Set(int),
            {
                "bsonType": ["array", "null"],
                "items": {"bsonType": ["int", "long", "bool"]},
                "uniqueItems": True,
            },
        ),
        (Shout(), {"bsonType": ["binData", "null"]}),
        (OR(int, str), {"bsonType": ["int", "long", "string", "null"]}),
        (NOT(int), {"not": {"bsonType": ["int", "long"]}}),
        (NOT(bytes), {}),
        (IS("a", "b"), {"bsonType": ["string", "null"], "enum": ["a", "b", None]}),
        (
            IS(1, 1.0),
            {
                "anyOf": [
                    {"bsonType": ["int", "long"], "enum": [1]},
                    {"bsonType": "double", "enum": [1.0]},
                    {"bsonType": "null"},
                ]
            },
        ),
        (
            AnyOf(str, [int]),
            {
                "anyOf": [
                    {"bsonType": "string"},
                    {"bsonType": "array", "items": NULL_INT},
                    {"bsonType": "null"},
                ]
            },
        ),
    ],
)
def test_a_spec_as_a_schema(spec: Any, schema: Any) -> None:
    assert of(spec) == schema


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int, {"bsonType": ["int", "long"]}),
        (float, {"bsonType": ["double", "int", "long"]}),
        (Color, {"bsonType": ["string", "int", "long"], "enum": ["red", 0]}),
        (Literal["a"], {"bsonType": "string", "enum": ["a"]}),
        (Annotated[str, pattern("^a$|b$")], {"bsonType": "string", "pattern": f"^a{END}|b{END}"}),
        (Annotated[str, one_of("a")], {"bsonType": "string", "enum": ["a"]}),
        (
            Annotated[int, Interval(gt=0, lt=9)],
            {
                "bsonType": ["int", "long"],
                "minimum": 0,
                "exclusiveMinimum": True,
                "maximum": 9,
                "exclusiveMaximum": True,
            },
        ),
        (Annotated[Decimal, Ge(HALF)], {"bsonType": "decimal", "minimum": Decimal128(HALF)}),
        (Annotated[Decimal, multiple_of(HALF)], {"bsonType": "decimal", "multipleOf": 0.5}),
        (Annotated[bytes, MaxLen(3)], {"bsonType": "binData"}),
        (Annotated[str, Shout(), max_length(3)], {"bsonType": "binData"}),
        (list[int], {"bsonType": "array", "items": {"bsonType": ["int", "long"]}, "minItems": 1}),
        (Any, {"minItems": 1, "minProperties": 1}),
    ],
)
def test_an_annotation_as_a_schema(annotation: Any, schema: Any) -> None:
    assert annotated(annotation) == schema


def test_required_values_are_not_null() -> None:
    class Thing(Document):
        structure = {"a": None, "b": NOT(int), "c": {"d": str}, "e": Address}
        required_fields = ["a", "b", "c.d", "e"]

    schema = mongo_schema(Thing)["properties"]

    assert schema["a"] == {"not": {"bsonType": "null"}, "minItems": 1, "minProperties": 1}
    assert schema["b"]["not"] == {"anyOf": [{"bsonType": ["int", "long"]}, {"bsonType": "null"}]}
    assert schema["c"]["properties"]["d"] == {"bsonType": "string"}
    assert schema["e"]["bsonType"] == "object"


def test_languages_are_stored_as_a_list() -> None:
    class Book(Document):
        structure = {"title": str}
        i18n = ["title"]
        validators = {"title": max_length(3)}
        required_fields = ["title"]

    assert Book.mongo_schema()["properties"]["title"] == {
        "bsonType": "array",
        "items": {
            "bsonType": "object",
            "properties": {
                "lang": {"bsonType": "string"},
                "value": {"bsonType": ["string", "null"], "maxLength": 3},
            },
            "required": ["lang", "value"],
            "additionalProperties": False,
        },
        "minItems": 1,
    }


def test_embedded_classes_stand_in_place_and_what_is_open_stays_open() -> None:
    schema = User.mongo_schema()

    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["_id"] == {}
    assert schema["properties"]["address"]["required"] == ["street"]
    assert schema["properties"]["address"]["bsonType"] == ["object", "null"]
    assert "$ref" not in str(schema["properties"]["addresses"])

    class Open(Document):
        structure = {"a": int}
        use_schemaless = True

    assert Open.mongo_schema() == {"bsonType": "object", "properties": {"a": NULL_INT}}


GOOD: dict[str, Any] = {
    "name": "Ada",
    "address": {"street": "1", "city": "London"},
    "addresses": [{"street": "1"}],
    "color": "red",
    "price": Decimal128("9.90"),
    "born": datetime(2026, 1, 2),  # noqa: DTZ001
    "friend": DBRef("users", 3, "shop"),
    "pair": [1, "a"],
}
BAD: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "x" * 51},
    {"name": None},
    {"nmae": "x"},
    {"address": {"city": "London"}},
    {"address": {"street": "1", "zip": 1}},
    {"addresses": [None]},
    {"color": "green"},
    {"color": False},
    {"price": 1.5},
    {"born": "2026-01-02"},
    {"friend": 3},
    {"friend": {"$ref": "users"}},
    {"pair": [1]},
    {"pair": [1, "a", 2]},
    {"pair": ["a", 1]},
]


def takes(collection: Any, content: dict[str, Any]) -> bool:
    try:
        collection.insert_one(content)
    except WriteError as error:
        return error.code != 121
    return True


def test_the_server_refuses_what_the_class_refuses(db: Database) -> None:
    users = db.create_collection("users", validator={"$jsonSchema": User.mongo_schema()})

    users.insert_one(dict(GOOD))
    for change in BAD:
        assert not takes(users, {**GOOD, **change}), change
    with pytest.raises(WriteError):
        users.insert_one({key: value for key, value in GOOD.items() if key != "name"})


def test_documents_are_saved_under_the_rules_of_their_class(
    connection: Connection, db: Database
) -> None:
    connection.register([User])
    db.create_collection("users", validator={"$jsonSchema": User.mongo_schema()})
    ada = db.documents(User)(name="Ada")
    ada.save()
    eva = db.documents(User)(
        name="Eva",
        friend=ada,
        address=Address(street="1"),
        born=date(2026, 1, 2),
        color=Color.NONE,
    )

    eva.save()

    found: Any = db.documents(User).find_one({"name": "Eva"})
    assert found.friend["_id"] == ada["_id"]


def test_every_pattern_of_the_formats_is_taken(db: Database) -> None:
    class Page(Document):
        at: Annotated[str, url()]

    pages = db.create_collection("pages", validator={"$jsonSchema": Page.mongo_schema()})

    pages.insert_one({"at": "https://example.org/"})
    with pytest.raises(WriteError):
        pages.insert_one({"at": "https://example.org/\n"})
