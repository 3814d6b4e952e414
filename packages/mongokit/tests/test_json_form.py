"""Documents in the form of their JSON Schemas, and back."""

# mypy: disable-error-code="call-arg, arg-type, misc"
# ruff: noqa: DTZ001 - what the driver gives back is naive

from __future__ import annotations

import enum
import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Timestamp,
)

from mongokit import (
    IS,
    OR,
    AnyOf,
    Connection,
    CustomType,
    Document,
    Embedded,
    SchemaDocument,
    Set,
    field,
)
from mongokit.i18n import i18n as i18n_type

if TYPE_CHECKING:
    from mongokit import Database

OID = ObjectId("65f0c0ffee65f0c0ffee65f0")
ID = UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2026, 1, 2, 12, 0, 0, 123_000, tzinfo=UTC)


class Color(enum.Enum):
    RED = "red"
    BLUE = b"blue"


class Size(enum.IntEnum):
    S = 1


class Upper(CustomType):
    mongo_type = str
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return value and value.upper()

    def to_python(self, value: Any) -> Any:
        return value and value.lower()


class Money:
    """A type that neither BSON nor JSON has."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.cents == other.cents

    __hash__ = None  # type: ignore[assignment]


class MoneyType(CustomType):
    mongo_type = int
    python_type = Money

    def to_bson(self, value: Any) -> Any:
        return value and value.cents

    def to_python(self, value: Any) -> Any:
        return None if value is None else Money(value + 0)


class Part(Embedded):
    made: datetime
    price: Decimal | None = None


# (spec of a structure, value, its JSON form)
FORMS: list[tuple[Any, Any, Any]] = [
    (str, "a", "a"),
    (int, 3, 3),
    (int, True, True),
    (float, 1.5, 1.5),
    (float, 3.0, 3),
    (bool, False, False),
    (bytes, b"Ada", "QWRh"),
    (bytes, b"", ""),
    (Binary, b"Ad", "QWQ="),
    (datetime, NOON, "2026-01-02T12:00:00.123Z"),
    (ObjectId, OID, str(OID)),
    (UUID, ID, str(ID)),
    (Decimal128, Decimal128("9.90"), "9.90"),
    (Int64, Int64(2**40), 2**40),
    (Code, Code("x"), "x"),
    (re.Pattern, re.compile("a+"), "a+"),
    (Timestamp, Timestamp(1, 2), {"$timestamp": {"t": 1, "i": 2}}),
    (MinKey, MinKey(), {"$minKey": 1}),
    (MaxKey, MaxKey(), {"$maxKey": 1}),
    (DBRef, DBRef("users", OID, "shop"), {"$ref": "users", "$id": str(OID), "$db": "shop"}),
    (dict, {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
    (list, [1, "a"], [1, "a"]),
    ([datetime], [NOON], ["2026-01-02T12:00:00.123Z"]),
    ((int, bytes), [1, b"a"], [1, "YQ=="]),
    ({str: ObjectId}, {"a": OID}, {"a": str(OID)}),
    ({"a": {"b": UUID}}, {"a": {"b": ID}}, {"a": {"b": str(ID)}}),
    (Set(int), {3, 1}, [1, 3]),
    (Set(ObjectId), {OID}, [str(OID)]),
    (OR(int, datetime), NOON, "2026-01-02T12:00:00.123Z"),
    (OR(int, float), 1.5, 1.5),
    (OR(str, datetime), "2026-01-02T12:00:00.123Z", "2026-01-02T12:00:00.123Z"),
    (IS(NOON, "x"), NOON, "2026-01-02T12:00:00.123Z"),
    (AnyOf(str, [datetime]), [NOON], ["2026-01-02T12:00:00.123Z"]),
    (AnyOf(str, [datetime]), "x", "x"),
    (Part, {"made": NOON, "price": None}, {"made": "2026-01-02T12:00:00.123Z", "price": None}),
    (Upper(), "ab", "ab"),
    (MoneyType(), Money(5), 5),
    (i18n_type(str, "x"), {"en": "a"}, {"en": "a"}),
    (None, {"a": 1}, {"a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "value", "form"), FORMS)
def test_a_value_has_a_json_form_and_is_read_back(spec: Any, value: Any, form: Any) -> None:
    thing: Any = type("Thing", (Document,), {"structure": {"x": spec}})
    document = thing({"x": value})

    written = json.loads(json.dumps(document.json_form()))

    assert written == {"x": form}
    assert thing.from_json_form(written) == {"x": value}
    assert type(thing.from_json_form(written)["x"]) is type(value)


class Typed(Document):
    born: date
    price: Decimal
    color: Color
    size: Size
    days: set[datetime]
    rate: float
    part: Part | None = None


TYPED = {
    "born": date(2026, 1, 2),
    "price": Decimal("1E+3"),
    "color": Color.BLUE,
    "size": Size.S,
    "days": {NOON},
    "rate": 2,
}
TYPED_FORM = {
    "born": "2026-01-02",
    "price": "1E+3",
    "color": "Ymx1ZQ==",
    "size": 1,
    "days": ["2026-01-02T12:00:00.123Z"],
    "rate": 2,
}


def test_annotated_types_have_a_json_form_and_are_read_back() -> None:
    document = Typed({**TYPED, "_id": OID})

    form = document.json_form()

    assert form == {**TYPED_FORM, "_id": str(OID)}
    read = Typed.from_json_form(form)
    assert read == {**TYPED, "_id": OID}
    assert Typed(read).errors() == []


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_that_json_lacks_are_extended_json(number: str) -> None:
    class Thing(Document):
        x: float

    form = Thing(x=float(number)).json_form()

    json.dumps(form, allow_nan=False)
    assert str(Thing.from_json_form(form)["x"]) == number


def test_times_are_written_in_utc_and_whole_milliseconds() -> None:
    class Thing(SchemaDocument):
        x: datetime

    east = timezone(timedelta(hours=2))

    assert Thing(x=datetime(2026, 1, 2, 3, 4, 5, 678_999)).json_form() == {
        "x": "2026-01-02T03:04:05.678Z"
    }
    assert Thing(x=datetime(2026, 1, 2, 3, tzinfo=east)).json_form() == {
        "x": "2026-01-02T01:00:00.000Z"
    }
    assert Thing(x=datetime(1, 1, 1, tzinfo=east)).json_form() == {
        "x": "0001-01-01T00:00:00.000+02:00"
    }


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T13:30:00.1239999+01:30", NOON),
        ("2026-01-02T03:04:05", None),
        ("2026-01-02", None),
        ("2026-13-02T03:04:05Z", None),
        ("0000-01-02T03:04:05Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("2026-01-02T24:00:00Z", None),
        ("2026-01-02T03:04:05Z\n", None),
        ("20260102T030405Z", None),
    ],
)  # fmt: skip
def test_a_time_is_read_with_its_zone_or_left(text: str, moment: datetime | None) -> None:
    class Thing(SchemaDocument):
        x: datetime

    read = Thing.from_json_form({"x": text})

    assert read == {"x": text if moment is None else moment}
    assert (Thing(read).errors() == []) is (moment is not None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("born", "2026-02-30"),
        ("born", "2026-01-02T00:00:00Z"),
        ("price", "nine"),
        ("price", 9.9),
        ("color", "green"),
        ("size", True),
        ("days", ["2026-01-02", []]),
        ("days", "x"),
        ("rate", "2"),
        ("part", {"made": 1}),
        ("part", []),
    ],
)
def test_what_cannot_be_read_stays_for_validation_to_refuse(name: str, value: Any) -> None:
    read = Typed.from_json_form({**TYPED_FORM, name: value})

    assert read[name] == value
    assert {failure.path.partition(".")[0] for failure in Typed(read).errors()} == {name}


def test_unknown_fields_stay() -> None:
    assert Typed.from_json_form({"nmae": "x"}) == {"nmae": "x"}


def test_a_reference_is_its_address(connection: Connection, db: Database) -> None:
    class User(Document):
        __collection__ = "users"
        name: str

    class Post(Document):
        __collection__ = "posts"
        author: User
        reviewers: list[User] = field(default_factory=list)

    connection.register([User, Post])
    ada = db.documents(User)(name="Ada")
    ada.save()
    post = db.documents(Post)(author=ada, reviewers=[ada.get_dbref()])
    there = {"$ref": "users", "$id": str(ada["_id"]), "$db": db.name}

    form = json.loads(json.dumps(post.json_form()))

    assert form == {"author": there, "reviewers": [there]}
    assert Post.from_json_form(form) == {
        "author": ada.get_dbref(),
        "reviewers": [ada.get_dbref()],
    }
    assert Post(author=User({"_id": 3, "name": "x"})).json_form()["author"] == {
        "$ref": "users",
        "$id": 3,
    }


class Account(Embedded):
    login: str
    password: str = field(default="", hidden=True)


class Person(Document):
    name: str
    secret: str = field(default="", hidden=True)
    made: str = field(default="", read_only=True)
    account: Account | None = None
    accounts: list[Account] = field(default_factory=list)
    either: Account | str = ""
    open: Any = None


def test_each_mode_has_its_fields() -> None:
    content = {"_id": 1, "name": "Ada", "secret": "s", "made": "m", "_revision": 3, "old": 1}
    person = Person(content)

    assert person.json_form("store") == content
    assert person.json_form("read") == {"_id": 1, "name": "Ada", "made": "m"}
    assert person.json_form("create") == person.json_form("update") == {"name": "Ada"}


def test_hidden_fields_of_embedded_documents_stay_hidden_wherever_they_stand() -> None:
    account = Account(login="a", password="p")
    wrong = {"login": 3, "password": "p"}

    values: list[Any] = [account, dict(account), wrong]
    for value in values:
        person = Person(name="x", account=value, accounts=[value], either=value)
        assert "password" not in json.dumps(person.json_form())
    assert "password" not in json.dumps(Person(name="x", open=[account]).json_form())
    assert Person(name="x", account=account).json_form("store")["account"] == account


def test_an_outer_class_hides_what_is_inside() -> None:
    class Outer(Document):
        structure = {"account": Account, "parts": [{"a": int, "b": int}], "many": {str: {"a": int}}}
        hidden_fields = ["account.login", "parts.b", "many.$str.a"]

    outer = Outer({"account": {"login": "a"}, "parts": [{"a": 1, "b": 2}], "many": {"x": {"a": 1}}})

    assert outer.json_form() == {"account": {}, "parts": [{"a": 1}], "many": {"x": {}}}


def test_languages_are_a_dict() -> None:
    class Book(Document):
        structure = {"title": str, "at": datetime}
        i18n = ["title", "at"]

    book = Book({"title": {"en": "Mouse"}, "at": {"en": NOON}})

    assert book.json_form() == {"title": {"en": "Mouse"}, "at": {"en": "2026-01-02T12:00:00.123Z"}}
    assert Book.from_json_form(book.json_form()) == book


def test_a_schemaless_document_keeps_what_is_undeclared() -> None:
    class Thing(Document):
        structure = {"a": int}
        use_schemaless = True

    assert Thing({"b": OID}).json_form() == {"b": str(OID)}


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="complex has no JSON form"):
        Person(name=1j).json_form()


def test_a_mode_that_does_not_exist_is_named() -> None:
    mode: Literal["read"] = "raed"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="raed is no mode: it is one of store, create"):
        Person().json_form(mode)
