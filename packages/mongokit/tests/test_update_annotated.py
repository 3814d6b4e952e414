"""Changing a part of documents of annotated classes: None, constraints, unions, missing fields."""

# The values are wrong on purpose.
# mypy: disable-error-code="call-arg, arg-type"

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from annotated_types import Ge, MaxLen
from bson import Decimal128
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import WriteError

from mongokit import (
    Collection,
    Database,
    Document,
    Documents,
    InvalidDocument,
    MongoKitError,
    RequireFieldError,
    SchemaDocument,
    SchemaTypeError,
    StaleDocument,
    StructureError,
    UnknownFieldError,
    ValidationError,
)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(SchemaDocument):
    city: Annotated[str, MaxLen(10)]
    zip: str | None = None


class User(Document):
    name: Annotated[str, MaxLen(10)]
    email: str | None
    age: Annotated[int, Ge(0)] = 0
    score: float = 0.0
    price: Decimal = Decimal(0)
    born: date | None = None
    seen: datetime | None = None
    color: Color = Color.RED
    tags: list[Annotated[str, MaxLen(5)]] = []
    labels: set[str] = set()
    counts: dict[str, Annotated[int, Ge(0)]] = {}
    address: Address | None = None
    addresses: list[Address] = []
    either: list[str] | str = ""
    pair: tuple[str, int] = ("a", 1)
    note: str | None = None


def new(users: Documents[User], **fields: Any) -> User:
    user = users(name="Ada", email=None)
    dict.update(user, {"_id": 1, **fields})
    user.save()
    return user


@pytest.fixture
def users(db: Database) -> Documents[User]:
    return db["users"].documents(User)


@pytest.fixture
def user(users: Documents[User]) -> User:
    return new(users)


@pytest.mark.parametrize(
    ("operator", "path", "value", "result"),
    [
        ("$set", "email", None, None),
        ("$set", "note", None, None),
        ("$set", "score", 1, 1),
        ("$set", "color", Color.BLUE, "blue"),
        ("$set", "price", Decimal("1.5"), Decimal128("1.5")),
        ("$set", "born", date(2026, 1, 2), datetime(2026, 1, 2)),  # noqa: DTZ001
        ("$set", "address", {"city": "Paris"}, {"city": "Paris"}),
        ("$set", "addresses", [Address(city="Rome")], [{"city": "Rome", "zip": None}]),
        ("$set", "either", ["a"], ["a"]),
        ("$set", "labels", {"b", "a"}, ["a", "b"]),
        ("$inc", "price", Decimal("0.5"), Decimal128("0.5")),
        ("$inc", "price", 2, Decimal128("2")),
        ("$inc", "score", 2, 2.0),
        ("$push", "tags", "abc", ["abc"]),
        ("$addToSet", "labels", {"$each": ["x"]}, ["x"]),
        ("$set", "counts.x", 3, {"x": 3}),
    ],
)
def test_valid_update_is_stored_and_validates(
    users: Documents[User], user: User, operator: str, path: str, value: Any, result: Any
) -> None:
    users.update_one({"_id": 1}, {operator: {path: value}})

    stored = users.collection.find_one({"_id": 1})
    assert stored is not None
    assert stored[path.partition(".")[0]] == result
    user.reload()
    user.validate()


@pytest.mark.parametrize(
    ("operator", "path", "value", "error"),
    [
        ("$set", "name", None, RequireFieldError),
        ("$set", "age", None, SchemaTypeError),
        ("$set", "age", True, SchemaTypeError),
        ("$set", "age", 2**70, SchemaTypeError),
        ("$set", "age", -1, ValidationError),
        ("$set", "name", "a" * 11, ValidationError),
        ("$set", "color", "red", SchemaTypeError),
        ("$set", "born", datetime(2026, 1, 2), SchemaTypeError),  # noqa: DTZ001
        ("$set", "tags", ["toolong"], ValidationError),
        ("$set", "tags.0", "toolong", ValidationError),
        ("$set", "tags.0", None, SchemaTypeError),
        ("$push", "tags", "toolong", ValidationError),
        ("$push", "tags", {"$each": ["a", None]}, SchemaTypeError),
        ("$set", "counts.x", -1, ValidationError),
        ("$set", "address.city", "a" * 11, ValidationError),
        ("$set", "address.ctiy", "x", UnknownFieldError),
        ("$set", "address", {"zip": "1"}, RequireFieldError),
        ("$set", "address", {"city": "x", "nope": 1}, StructureError),
        ("$push", "addresses", {"zip": "1"}, RequireFieldError),
        ("$push", "addresses", None, SchemaTypeError),
        ("$set", "either", 1, SchemaTypeError),
        ("$set", "either", ["a", 1], SchemaTypeError),
        ("$push", "either", 1, SchemaTypeError),
        ("$set", "either.0", 1, SchemaTypeError),
        ("$set", "pair", None, SchemaTypeError),
        ("$set", "pair.1", "x", SchemaTypeError),
        ("$inc", "price", 1.5, SchemaTypeError),
        ("$inc", "born", 1, SchemaTypeError),
        ("$currentDate", "born", True, SchemaTypeError),
        ("$unset", "name", "", RequireFieldError),
        ("$unset", "email", "", RequireFieldError),
        ("$unset", "address.city", "", RequireFieldError),
        ("$rename", "note", "name", SchemaTypeError),
        ("$rename", "note", "email", None),
        ("$rename", "email", "note", RequireFieldError),
    ],
)
def test_what_breaks_the_declaration_is_refused(
    users: Documents[User],
    user: User,
    operator: str,
    path: str,
    value: Any,
    error: type[Exception] | None,
) -> None:
    before = users.collection.find_one({"_id": 1})
    if error is None:
        users.update_one({"_id": 1}, {operator: {path: value}})
        return

    with pytest.raises(error):
        users.update_one({"_id": 1}, {operator: {path: value}})

    assert users.collection.find_one({"_id": 1}) == before


@pytest.mark.parametrize("path", ["age", "note", "tags", "address", "labels"])
def test_field_that_need_not_be_there_may_be_removed(user: User, path: str) -> None:
    user.patch(unset=path)

    assert path not in user
    user.validate()
    user.save()


def test_list_of_a_union_is_pushed_to(user: User) -> None:
    user.patch(either=["a"])

    user.patch(push={"either": "b"})
    user.patch(set={"either.0": "A"})

    assert user["either"] == ["A", "b"]


def test_upsert_needs_what_is_required_and_no_more(users: Documents[User]) -> None:
    with pytest.raises(RequireFieldError):
        users.update_one({"name": "Eva"}, {"$inc": {"age": 1}}, upsert=True)

    users.update_one({"name": "Eva", "email": None}, {"$inc": {"age": 1}}, upsert=True)

    found = users.find_one({"name": "Eva"})
    assert found is not None
    found.validate()


def test_undeclared_stored_field_survives_a_patch(users: Documents[User], user: User) -> None:
    users.collection.update_one({"_id": 1}, {"$set": {"older": 1}})

    user.patch(age=3)
    user.save()

    stored = users.collection.find_one()
    assert stored is not None
    assert (stored["older"], stored["age"]) == (1, 3)
    with pytest.raises(UnknownFieldError):
        user.patch(older=2)


class Account(Document):
    owner: str
    balance: int = 0
    version: int = 0

    version_field = "version"


class Bare(Document):
    owner: str
    version: int

    version_field = "version"


@pytest.mark.parametrize("cls", [Account, Bare])
def test_annotated_version_is_counted(db: Database, cls: Any) -> None:
    accounts: Any = db["accounts"].documents(cls)
    account = accounts(owner="Ada")
    account.validate()

    account.save()
    stale = accounts.find_one()
    account.save()

    assert account["version"] == 2
    with pytest.raises(StaleDocument):
        stale.save()
    with pytest.raises(StaleDocument):
        stale.patch(owner="Eva")
    db["accounts"].update_one({}, {"$unset": {"version": ""}})
    old = accounts.find_one()
    old.patch(owner="Eva")
    assert (old["owner"], old["version"]) == ("Eva", 1)


def test_new_annotated_document_starts_without_a_version(db: Database) -> None:
    account = db["accounts"].documents(Account)(owner="Ada")

    assert account.version == 0
    account.save()
    assert account.version == 1
    account.patch(inc={"balance": 5})
    assert (account.version, account.balance) == (2, 5)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["a", "toolong", "", "x" * 20]),
    st.sampled_from([Decimal("1.5"), Color.RED, date(2026, 1, 1), {"a"}, ("a", 1), ["a", 1]]),
    st.lists(st.sampled_from(["a", "toolong", 1, None]), max_size=3),
    st.dictionaries(
        st.sampled_from(["city", "zip", "x", "nope"]), st.sampled_from(["x", 1, None, -1])
    ),
)
paths = st.sampled_from(
    [
        *(User.structure or {}),
        *("tags.0", "counts.x", "address.city", "address.zip", "addresses.0", "addresses.0.city"),
        *("pair.0", "pair.1", "either.0", "nope", "address.nope"),
    ]
)
operators = st.sampled_from(
    [*("$set", "$min", "$max", "$inc"), *("$mul", "$push", "$addToSet", "$unset")]
)


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operator=operators, path=paths, value=values)
def test_document_validates_after_every_update_that_is_let_through(
    col: Collection, operator: str, path: str, value: Any
) -> None:
    users = col.documents(User)
    new(users, address=Address(city="Rome"), addresses=[Address(city="Rome")], tags=["a"])

    try:
        users.update_one({"_id": 1}, {operator: {path: value}})
    except (MongoKitError, WriteError, InvalidDocument, ValueError, TypeError, OverflowError):
        return

    read = users.get_from_id(1)
    assert read is not None
    failures = list(User.__mongokit__.failures(read))
    if operator in {"$inc", "$mul"}:  # what comes out is left to the validator
        assert {type(error) for error in failures} <= {ValidationError}
    else:
        assert failures == []
