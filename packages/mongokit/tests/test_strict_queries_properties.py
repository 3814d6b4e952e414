"""What strict queries refuse, no valid document matches: random structures, documents, queries."""

# ruff: noqa: DTZ001 - MongoDB's datetimes are naive UTC unless asked

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from bson import DBRef, Decimal128, ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import OperationFailure

from mongokit import (
    IS,
    NOT,
    OR,
    AnyOf,
    Collection,
    Document,
    MongoKitError,
    SchemaDocument,
    Set,
)
from mongokit import i18n as languages
from mongokit.strict import check_filter, check_projection, check_sort

settings.register_profile(
    "mongokit",
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
settings.load_profile("mongokit")

Spec = tuple[Any, st.SearchStrategy[Any]]
"""A type spec, and a strategy for its valid values."""

NAMES = st.text("abc", min_size=1, max_size=2)
INTEGERS = st.integers(-3, 3)
TEXTS = st.text("ab", max_size=2)
FLOATS = st.sampled_from([-1.5, 0.0, 1.0, 2.5])
DATES = st.sampled_from([datetime(2026, 1, 1), datetime(2026, 1, 2)])
IDS = st.sampled_from([ObjectId(b"a" * 12), ObjectId(b"b" * 12)])
REFS = st.builds(DBRef, st.just("things"), INTEGERS)
SCALARS = st.one_of(
    *(INTEGERS, TEXTS, FLOATS, DATES, IDS, st.booleans(), st.none(), st.binary(max_size=2))
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=2)),
    max_leaves=4,
)

LEAVES: list[Spec] = [
    (int, st.one_of(INTEGERS, st.booleans())),
    (float, FLOATS),
    (str, TEXTS),
    (bool, st.booleans()),
    (bytes, st.binary(max_size=2)),
    (datetime, DATES),
    (ObjectId, IDS),
    (DBRef, REFS),
    (None, PLAIN),
    (dict, st.dictionaries(NAMES, PLAIN, max_size=2)),
    (list, st.lists(PLAIN, max_size=2)),
    (OR(int, str), st.one_of(INTEGERS, TEXTS)),
    (NOT(str), INTEGERS),
    (IS("a", 1, "bb"), st.sampled_from(["a", 1, "bb"])),
    (Set(int), st.sets(INTEGERS, max_size=2)),
    (Set(), st.sets(TEXTS, max_size=2)),
    (AnyOf(str, [int]), st.one_of(TEXTS, st.lists(INTEGERS, max_size=2))),
    (languages(str), st.dictionaries(NAMES, TEXTS, max_size=2)),
]


def optional(spec: Spec) -> Spec:
    # One in seven; with one_of() hypothesis would choose None for most.
    return spec[0], st.integers(0, 6).flatmap(lambda n: st.none() if n == 6 else spec[1])


def made(fields: dict[str, Spec]) -> Spec:
    values = {name: values for name, (_, values) in fields.items()}
    return {name: spec for name, (spec, _) in fields.items()}, st.fixed_dictionaries(values)


def embedded(fields: dict[str, Spec], schemaless: bool) -> Spec:
    structure, values = made(fields)
    options = {"structure": structure, "use_schemaless": schemaless}
    options["authorized_types"] = Document.authorized_types
    if schemaless:
        values = st.builds(lambda known, more: {**more, **known}, values, UNDECLARED)
    return type("Embedded", (SchemaDocument,), options), values


UNDECLARED = st.dictionaries(st.sampled_from(["x", "y"]), PLAIN, max_size=1)


def containers(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    fields = st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    return st.one_of(
        fields.map(made),
        st.builds(embedded, fields, st.booleans()),
        inner.map(lambda spec: ([spec[0]], st.lists(spec[1], max_size=3))),
        inner.map(lambda spec: ({str: spec[0]}, st.dictionaries(NAMES, spec[1], max_size=2))),
        st.tuples(inner, inner).map(
            lambda pair: ((pair[0][0], pair[1][0]), st.tuples(pair[0][1], pair[1][1]))
        ),
    )


LEAF = st.sampled_from([optional(leaf) for leaf in LEAVES])
SPECS = st.one_of(LEAF, st.recursive(LEAF, containers, max_leaves=5))
STRUCTURES = st.dictionaries(NAMES, SPECS, min_size=2, max_size=5).map(made)


@st.composite
def classes_and_documents(draw: st.DrawFn) -> tuple[type[Document], dict[str, Any]]:
    structure, values = draw(STRUCTURES)
    document_class = type("Thing", (Document,), {"structure": structure, "strict_queries": True})
    return document_class, draw(values)


def stored_in(col: Collection, document_class: type[Document], content: dict[str, Any]) -> Any:
    """Save a document; return the stored form."""
    col.delete_many({})
    things = col.documents(document_class)
    document = things(content, gen_skel=False)
    document.save()
    return col.find_one({})


def places(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every path that MongoDB reads in a stored value, with what stands there."""
    if path:
        yield path, value
    for key, below in value.items() if isinstance(value, dict) else ():
        yield from places(below, f"{path}.{key}" if path else key)
    for index, item in enumerate(value) if isinstance(value, list) else ():
        yield from places(item, f"{path}.{index}")
        if isinstance(item, dict):
            for found, below in places(item, ""):
                yield f"{path}.{found}", below


def conditions(value: Any) -> Iterator[Any]:
    """What a document with this value matches."""
    yield from ({"$eq": value}, {"$in": [value]}, {"$nin": []}, {"$exists": True})
    yield value
    if isinstance(value, (int, float, str, datetime, ObjectId)):
        yield from ({"$gte": value}, {"$lte": value})
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield Decimal128(str(value))
        yield {"$mod": [1, 0]}
    if isinstance(value, str):
        pattern = "^" + re.escape(value)
        yield from (re.compile(pattern), {"$regex": pattern}, {"$in": [re.compile(pattern)]})
    if isinstance(value, list):
        yield {"$size": len(value)}
        items = [item for item in value if item is not None]  # the embedded engine misses nulls
        if items:
            yield {"$all": items}
        for item in items:
            yield from (item, {"$in": [item]}, {"$elemMatch": {"$eq": item}})
            if isinstance(item, dict) and item:
                yield {"$elemMatch": item}
                yield {"$all": [{"$elemMatch": item}]}


@given(drawn=classes_and_documents())
def test_own_values_of_a_valid_document_are_never_refused_and_find_it(
    drawn: tuple[type[Document], dict[str, Any]], col: Collection
) -> None:
    document_class, content = drawn
    model = document_class.__mongokit__
    stored = stored_in(col, document_class, content)

    finding: list[dict[str, Any]] = []
    for path, value in places(stored, ""):
        check_sort(model, path)
        check_projection(model, [path])
        for condition in conditions(value):
            check_filter(model, {path: condition})
            check_filter(model, {"$or": [{path: {"$not": {"$eq": value}}}, {path: condition}]})
            # The embedded engine does not look into a list that is found by its position.
            if not (isinstance(value, list) and re.search(r"\d", path)):
                finding.append({path: condition})

    things = col.documents(document_class)
    if not things.count({"$and": finding}):
        pytest.fail(f"finds nothing: {[query for query in finding if not things.count(query)]}")


OPERATORS = st.sampled_from(["$eq", "$gt", "$gte", "$lt", "$lte"])
OPERANDS = st.one_of(PLAIN, REFS, st.sampled_from([re.compile("a"), Decimal128("1")]))


def random_conditions() -> st.SearchStrategy[Any]:
    """Any condition that is not a negation: what it finds, it finds for a reason."""
    simple = st.one_of(
        OPERANDS,
        st.builds(lambda operator, operand: {operator: operand}, OPERATORS, PLAIN),
        st.lists(OPERANDS, min_size=1, max_size=1).map(lambda operands: {"$in": operands}),
        st.lists(PLAIN, min_size=1, max_size=2).map(lambda operands: {"$all": operands}),
        st.integers(0, 3).map(lambda size: {"$size": size}),
        st.just({"$mod": [1, 0]}),
        st.just({"$regex": "a"}),
    )
    return st.one_of(
        simple,
        st.builds(lambda name, below: {"$elemMatch": {name: below}}, NAMES, simple),
        st.builds(lambda operator, operand: {"$elemMatch": {operator: operand}}, OPERATORS, PLAIN),
    )


@settings(max_examples=150)
@given(drawn=classes_and_documents(), data=st.data())
def test_query_that_finds_a_valid_document_is_never_refused(
    drawn: tuple[type[Document], dict[str, Any]], data: st.DataObject, col: Collection
) -> None:
    document_class, content = drawn
    stored = stored_in(col, document_class, content)
    paths = st.sampled_from([path for path, _ in places(stored, "")])

    for _ in range(8):
        path, condition = data.draw(paths), data.draw(random_conditions())
        try:
            check_filter(document_class.__mongokit__, {path: condition})
        except MongoKitError:
            try:
                found = col.find_one({path: condition})
            except OperationFailure:  # refused by the server too
                continue
            if found is not None:
                pytest.fail(f"refused, but found: {path}: {condition} in {found}")
