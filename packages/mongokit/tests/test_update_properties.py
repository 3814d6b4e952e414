"""Random updates: what the checks let through leaves documents that validate."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import Decimal128
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import WriteError

from mongokit import (
    OR,
    Collection,
    Document,
    InvalidDocument,
    MongoKitError,
    SchemaDocument,
    Set,
    ValidationError,
)
from mongokit.compiler import UNBOUND_OPTIONS
from mongokit.updates import CheckedUpdate


class Part(SchemaDocument):
    structure = {"city": str, "floors": [int]}
    required_fields = ["city"]


class Thing(Document):
    structure = {
        "name": str,
        "age": int,
        "score": float,
        "balance": Decimal128,
        "born": datetime,
        "tags": [str],
        "labels": Set(str),
        "items": [{"product": str, "amount": int}],
        "pair": (str, int),
        "part": Part,
        "counts": {str: int},
        "nested": {"one": {"two": int}, "lists": [[int]]},
        "anything": None,
        "free": dict,
        "free_list": list,
        "either": OR(int, str),
        "title": str,
    }
    i18n = ["title"]
    required_fields = ["name", "items.product"]
    validators = {"age": lambda value: value < 1000, "items.product": lambda value: value != "?"}


def thing() -> dict[str, Any]:
    return {
        "_id": 1,
        "name": "x",
        "age": 1,
        "score": 1.5,
        "balance": Decimal128("1"),
        "born": datetime(2026, 1, 1),  # noqa: DTZ001
        "tags": ["a", "b"],
        "labels": {"a"},
        "items": [{"product": "pen", "amount": 1}, {"product": "ink", "amount": 2}],
        "pair": ["a", 1],
        "part": {"city": "x", "floors": [1]},
        "counts": {"a": 1},
        "nested": {"one": {"two": 1}, "lists": [[1], [2]]},
        "anything": {"a": 1},
        "free": {"a": 1},
        "free_list": [1, {"a": 1}],
        "either": 1,
        "title": {"en": "Mouse"},
    }


REFUSALS = (MongoKitError, WriteError, InvalidDocument, ValueError, TypeError)
PATHS = [
    *(Thing.structure or {}),
    *("tags.0", "items.0", "items.1.product", "items.$[].amount", "items.$[x].product"),
    *("pair.0", "pair.1", "pair.$[]", "part.city", "part.floors", "part.floors.0", "counts.a"),
    *("counts.b", "nested.one", "nested.one.two", "nested.lists.0", "nested.lists.1.0", "free.a"),
    *("free.b.c", "free_list.0", "free_list.1.a", "anything.a", "title.0.value", "title.0", "_id"),
    *("nope", "part.nope", "items.product", "title.en", "labels.0", "age.x", "_version"),
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["a", "?", "text", ""]),
    st.just(Decimal128("2.5")),
    st.just(datetime(2026, 2, 2)),  # noqa: DTZ001
)
values = st.one_of(
    scalars,
    st.sampled_from(list(thing().values())),
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from(["a", "city", "product", "amount", "en", "lang"]), scalars),
    st.sets(st.sampled_from(["a", "b", 1])),
    st.builds(lambda p, a: {"product": p, "amount": a}, scalars, scalars),
    st.builds(lambda c, f: {"city": c, "floors": f}, scalars, st.lists(scalars, max_size=2)),
    st.builds(lambda v: {"lang": "fr", "value": v}, scalars),
)
whole = st.tuples(st.sampled_from(["$set", "$setOnInsert", "$min", "$max"]), values)
amounts = st.tuples(st.sampled_from(["$inc", "$mul"]), scalars)
each = st.builds(lambda items, rest: {"$each": items, **rest}, st.lists(values), st.just({}))
sliced = st.builds(
    lambda items, n: {"$each": items, "$slice": n, "$position": 0},
    st.lists(values, max_size=3),
    st.integers(-2, 2),
)
items = st.tuples(st.sampled_from(["$push", "$addToSet"]), st.one_of(values, each))
ends = st.tuples(st.just("$pop"), st.sampled_from([1, -1]))
others = st.sampled_from(
    [
        ("$unset", ""),
        ("$currentDate", True),
        ("$currentDate", {"$type": "timestamp"}),
        ("$bit", {"or": 5}),
        ("$bit", {"and": 1.5}),
        ("$rename", "free.z"),
        ("$rename", "tags"),
    ]
)
pulled = st.tuples(st.just("$pull"), scalars)
changes = st.one_of(
    whole, amounts, items, st.tuples(st.just("$push"), sliced), ends, others, pulled
)


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.sampled_from(PATHS), change=changes)
def test_document_validates_after_every_update_that_is_let_through(
    col: Collection, path: str, change: tuple[str, Any]
) -> None:
    things = col.documents(Thing)
    things(thing()).save()
    operator, value = change
    options: Any = {"array_filters": [{"x.amount": 1}]} if "$[x]" in path else {}

    try:
        things.update_one({"_id": 1}, {operator: {path: value}}, **options)
    except REFUSALS:
        return

    read = things.get_from_id(1)
    assert read is not None
    if operator in {"$inc", "$mul"} and path == "age":  # what comes out is left to the validator
        assert {type(error) for error in Thing.__mongokit__.failures(read)} <= {ValidationError}
    else:
        assert list(Thing.__mongokit__.failures(read)) == []


@settings(max_examples=500, deadline=None)
@given(path=st.sampled_from(list(Thing.structure or {})), value=values)
def test_value_is_refused_exactly_where_validate_refuses_it(path: str, value: Any) -> None:
    document = Thing(thing())
    dict.__setitem__(document, path, value)
    wanted = [str(error) for error in Thing.__mongokit__.failures(document)]

    checked = CheckedUpdate(Thing.__mongokit__, {"$set": {path: value}}, UNBOUND_OPTIONS)

    assert [str(error) for error in checked.found] == wanted


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    given_fields=st.dictionaries(st.sampled_from(list(Thing.structure or {})), values),
    left_out=st.sets(st.sampled_from(list(Thing.structure or {})), max_size=2),
    change=amounts,
)
def test_what_an_upsert_inserts_validates(
    col: Collection, given_fields: dict[str, Any], left_out: set[str], change: tuple[str, Any]
) -> None:
    things = col.documents(Thing)
    col.delete_many({})
    whole = {**thing(), **given_fields}
    new = {path: value for path, value in whole.items() if path not in left_out | {"_id", "age"}}
    operator, amount = change

    try:
        things.update_one({"_id": 1}, {"$setOnInsert": new, operator: {"age": amount}}, upsert=True)
    except REFUSALS:
        assert col.count_documents({}) == 0
        return

    read = things.get_from_id(1)
    assert read is not None
    assert list(Thing.__mongokit__.failures(read)) == []
