"""Validation, JSON Schema and the server's own rules agree, but for what is named here.

Random classes meet random documents near the edge of validity. Three judges say whether a document
is right: `validate()`; the `jsonschema` package, which gets `json_form("store")` and
`json_schema("store")`; and the server, which gets the stored form in a collection with
`mongo_schema()` as its validator. Where they disagree, one of `EXCEPTIONS` must say why; each of
them stands in `docs/schemas.md`, and has an example here that shows that it is needed.

Run as a script, it tries many more and prints what it counted:
`python packages/mongokit/tests/test_agreement.py 2000 20`, with `MONGODB_URI` naming a server.
"""

# mypy: disable-error-code="misc"
# ruff: noqa: DTZ001, S311 - naive is UTC; no secrets here

from __future__ import annotations

import copy
import enum
import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal, Union
from unittest.mock import patch
from uuid import UUID, uuid4

import bson
import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MinKey,
    ObjectId,
    Timestamp,
)
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pymongo.errors import BulkWriteError, PyMongoError

from mongokit import (
    IS,
    NOT,
    OR,
    AnyOf,
    Connection,
    CustomType,
    Database,
    Document,
    Embedded,
    Set,
    StructureError,
    explain,
    jsonreading,
    schema,
    validators,
)
from mongokit import field as said
from mongokit.compiler import UNBOUND_OPTIONS
from mongokit.convert import stored_form
from mongokit.types import DateType, DecimalType, EnumType
from mongokit.validators import (
    Constraint,
    email,
    ge,
    gt,
    le,
    length,
    lt,
    max_length,
    min_length,
    multiple_of,
    one_of,
    pattern,
    unique_items,
    url,
)

DOCS = Path(__file__).parents[3] / "docs" / "schemas.md"
INVALID = 121
INTERNAL_ERROR = 1  # of the embedded engine: an infinite number meets multipleOf, say
NO: Any = object()
"""A spec that one of the two ways of declaring can't say."""


# Values.


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.Enum):
    S = 1
    M = 2


class Upper(CustomType):
    """A type of the application's own: one text in memory, another in the database."""

    mongo_type = str
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return value and value.upper()

    def to_python(self, value: Any) -> Any:
        return value and value.lower()


NOON = datetime(2026, 1, 2, 12, 0, 0, 5000, tzinfo=UTC)
TEXTS = [
    *("", "a", "ab", "abc", "é", "😀😀", "a\n", "5", "٣", "a b", "ada@example.org", "a@b\n"),
    *("https://example.org/a?b=1", "2026-01-02T12:00:00.005Z", "2026-01-02", "1.50", "QQ==", "red"),
    *("65f0c0ffee65f0c0ffee65f0", "12345678-1234-5678-1234-567812345678"),
]
INTS = [0, 1, 2, 3, 5, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, 1.0, 2.0, 0.1, 0.3, 0.5, 1.5, -0.5, 1e300]
BYTES = [b"", b"a", b"ab", b"abc", b"abcd"]
TIMES = [NOON, datetime(2026, 1, 1), datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_000)]
IDS = [ObjectId("65f0c0ffee65f0c0ffee65f0"), ObjectId("65f0c0ffee65f0c0ffee65f1")]
UUIDS = [UUID("12345678-1234-5678-1234-567812345678"), UUID(int=1)]
DECIMALS = [Decimal(each) for each in ("0", "1", "1.0", "1.50", "-0.1", "1E+3", "0.3")]
DATES = [date(2026, 1, 2), date(1, 1, 1), date(9999, 12, 31)]
ANYTHING: list[Any] = [
    *(None, None, None, True, False, *INTS, 2**63, 2**70, *FLOATS, math.nan, math.inf),
    *(*TEXTS, *BYTES, *TIMES, *IDS, *UUIDS, *DECIMALS, Decimal("1" * 35), Decimal("NaN"), *DATES),
    *(Decimal128("1.5"), Int64(5), Binary(b"a", 5), re.compile("a"), Code("x"), Timestamp(1, 1)),
    *(MinKey(), DBRef("users", 1), Color.RED, Size.S, 1j),
    *([], [None], ["a"], ["a", "a"], [1, 1.0], [1, True], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
    *((1, 2), (), {1, 2}, {"a"}, set(), {}, {"a": 1}, {"a": None}, {"a": {"b": "x"}}, {1: 2}),
    *({"en": "a"}, {"en": None}, {"a": 2**63}, [2**63], [[1]], ["2026-01-02T12:00:00Z"]),
]


# Declarations.


@dataclass(frozen=True)
class Part:
    """One place of a declaration, in both ways of declaring.

    Attributes:
        spec: What stands in a `structure`.
        annotation: What an annotation says.
        make: Makes values that fit, most of them at least.
        kind: What constraints speak of.
        fields: Of a nested dict, what it declares.
        item: Of a list or a dict with any keys, what is inside.
        checks: Constraints, where the way of declaring has a place for them.
        is_plain: Whether a union may hold it.
    """

    spec: Any
    annotation: Any
    make: Callable[[Random], Any]
    kind: str = "other"
    fields: dict[str, Part] = field(default_factory=dict)
    item: Part | None = None
    checks: tuple[Any, ...] = ()
    is_plain: bool = True


def leaf(spec: Any, annotation: Any, values: list[Any], kind: str = "other", **more: Any) -> Part:
    return Part(spec, annotation, lambda random: copy.copy(random.choice(values)), kind, **more)


LEAVES = [
    leaf(str, str, TEXTS, "text"),
    leaf(str, str, TEXTS, "text"),
    leaf(int, int, INTS, "number"),
    leaf(float, float, FLOATS, "number"),
    leaf(bool, bool, [True, False]),
    leaf(bytes, bytes, BYTES, "bytes"),
    leaf(datetime, datetime, TIMES, "date"),
    leaf(ObjectId, ObjectId, IDS),
    leaf(UUID, UUID, UUIDS),
    leaf(Decimal128, Decimal128, [Decimal128(each) for each in DECIMALS], "decimal"),
    leaf(Int64, Int64, [Int64(each) for each in INTS], "number"),
    leaf(DecimalType(), Decimal, DECIMALS, "decimal", is_plain=False),
    leaf(DateType(), date, DATES, "other", is_plain=False),
    leaf(EnumType(Color), Color, list(Color), "other", is_plain=False),
    leaf(EnumType(Size), Size, list(Size), "other", is_plain=False),
    leaf(Upper(), Annotated[str, Upper()], ["a", "ab", "abc"], "custom", is_plain=False),
    leaf(IS("a", 1, 1.5), Literal["a", 1], ["a", 1]),
    leaf(IS(1, 2), Literal[1, 2], [1, 2]),
    leaf(OR(int, str), int | str, [1, "a", "abc"], "number"),
    leaf(OR(int, float), int | float, [1, 1.5, 1.0], "number"),
    leaf(OR(str, datetime), str | datetime, ["a", NOON]),
    leaf(OR(bytes, ObjectId), bytes | ObjectId, [b"a", IDS[0]]),
    leaf(NOT(int, str), NO, [1.5, b"a", True, [1]]),
    leaf(NOT(float), NO, [1, "a", None]),
    leaf(NOT(dict, list), NO, [1, "a", DBRef("users", 1)]),
    leaf(None, Any, [1, "a", None, [1], {"a": 1}, NOON]),
    leaf(dict, dict, [{"a": 1}, {}], "object"),
    leaf(list, list, [[1, "a"], []], "array"),
    leaf([], NO, [[1, "a"], []], "array"),
    leaf({}, NO, [{"a": 1}, {}], "object"),
    leaf(Set(int), set[int], [{1, 2}, set()], "set", is_plain=False),
    leaf(Set(str), set[str], [{"a", "b"}], "set", is_plain=False),
    leaf(Set(None), set, [{1, "a"}], "set", is_plain=False),
    leaf(DBRef, DBRef, [DBRef("users", 1)]),
]  # fmt: skip


class RULES:
    """Which rules hold that no schema knows; patched to find out whether they matter."""

    by_hand = True
    of_custom_types = True


def is_not_odd(value: Any) -> bool:
    """Nothing that is like the letter a."""
    return not RULES.by_hand or value not in ("a", 1, [])


class OfCustomType(Constraint):
    """A constraint that speaks of the Python form of a type of the application's own."""

    __slots__ = ()

    def __call__(self, value: Any) -> bool:
        return not RULES.of_custom_types or Constraint.__call__(self, value)


LENGTHS = [max_length(0), max_length(2), min_length(1), min_length(2), length(1, 2)]
NUMBERS = [ge(0), gt(0), le(2), lt(2), ge(1.5), multiple_of(2), one_of(1, 2, 1.5)]
CONSTRAINTS: dict[str, list[Any]] = {
    "text": [
        *LENGTHS,
        *(pattern("^[a-z]+$"), pattern(r"\d"), pattern("^a$|^ab$"), email(), url()),
        one_of("a", "abc"),
    ],
    "custom": [OfCustomType(each.rule, each.limit) for each in (*LENGTHS, pattern("^[a-z]+$"))],
    "number": [*NUMBERS, multiple_of(0.5), multiple_of(0.1)],
    "decimal": [ge(Decimal(0)), lt(2), multiple_of(Decimal("0.5")), one_of(Decimal(1))],
    "bytes": LENGTHS,
    "date": [ge(datetime(2026, 1, 2)), lt(datetime(2026, 1, 2, tzinfo=UTC))],
    "array": [*LENGTHS, unique_items()],
    "object": LENGTHS,
    "set": LENGTHS,
    "other": [],
}


def constrained(part: Part, checks: list[Any]) -> Part:
    annotation = part.annotation
    if annotation is not NO and checks:
        annotation = Annotated[(annotation, *checks)]
    return replace(part, annotation=annotation, checks=tuple(checks))


@st.composite
def leaves(draw: Any) -> Part:
    part: Part = draw(st.sampled_from(LEAVES))
    possible = CONSTRAINTS[part.kind]
    if possible and draw(st.integers(0, 2)) == 0:
        return constrained(part, draw(st.lists(st.sampled_from(possible), min_size=1, max_size=2)))
    if draw(st.integers(0, 30)) == 0:
        return constrained(part, [is_not_odd])
    return part


NAMES = ["a", "b", "c", "dd"]


def list_of(item: Part) -> Part:
    return Part(
        [item.spec] if item.spec is not NO else NO,
        list[item.annotation] if item.annotation is not NO else NO,  # type: ignore[name-defined]
        lambda random: [item.make(random) for _ in range(random.randint(0, 3))],
        "array",
        item=item,
        is_plain=item.is_plain,
    )


def dict_of(value: Part) -> Part:
    def make(random: Random) -> dict[str, Any]:
        return {key: value.make(random) for key in random.sample(NAMES, random.randint(0, 2))}

    return Part(
        {str: value.spec} if value.spec is not NO else NO,
        dict[str, value.annotation] if value.annotation is not NO else NO,  # type: ignore[name-defined]
        make,
        "object",
        item=value,
        is_plain=value.is_plain,
    )


def tuple_of(parts: list[Part]) -> Part:
    return Part(
        tuple(part.spec for part in parts) if all(part.spec is not NO for part in parts) else NO,
        tuple[tuple(part.annotation for part in parts)]
        if all(part.annotation is not NO for part in parts)
        else NO,
        lambda random: [part.make(random) for part in parts],
        "array",
        is_plain=all(part.is_plain for part in parts),
    )


def mapping_of(fields: dict[str, Part]) -> Part:
    return Part(
        {name: part.spec for name, part in fields.items()},
        NO,
        lambda random: {name: part.make(random) for name, part in fields.items()},
        "object",
        fields=fields,
        is_plain=False,
    )


def embedded_of(fields: dict[str, Part], optional: set[str]) -> Part:
    cls = annotated_class(Embedded, fields, optional)
    return Part(
        cls,
        cls,
        lambda random: {
            name: part.make(random)
            for name, part in fields.items()
            if name not in optional or random.random() < 0.7
        },
        "object",
        fields={},
        is_plain=all(part.is_plain for part in fields.values()),
    )


def union_of(parts: list[Part]) -> Part:
    has_annotations = all(part.annotation is not NO for part in parts)
    return Part(
        AnyOf(*(part.spec for part in parts)) if all(p.spec is not NO for p in parts) else NO,
        Union[tuple(part.annotation for part in parts)] if has_annotations else NO,  # noqa: UP007
        lambda random: random.choice(parts).make(random),
        is_plain=False,
    )


def optional_of(part: Part) -> Part:
    def make(random: Random) -> Any:
        return None if random.random() < 0.3 else part.make(random)

    if part.annotation is NO:
        return part
    return replace(part, annotation=Union[part.annotation, None], make=make)  # noqa: UP007


def annotated_class(base: type, fields: dict[str, Part], optional: set[str]) -> Any:
    namespace: dict[str, Any] = {
        "__annotations__": {name: part.annotation for name, part in fields.items()},
        "__module__": __name__,
    }
    for name in optional:
        namespace[name] = said(default_factory=list)
    return type(base)("Thing", (base,), namespace)


def grown(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    can_be_classic = inner.filter(lambda part: part.spec is not NO)
    can_be_annotated = inner.filter(lambda part: part.annotation is not NO)
    plain = inner.filter(lambda part: part.is_plain)
    several = st.dictionaries(st.sampled_from(NAMES), can_be_annotated, min_size=1, max_size=2)
    return st.one_of(
        st.builds(list_of, inner),
        st.builds(dict_of, inner),
        st.builds(tuple_of, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            mapping_of,
            st.dictionaries(st.sampled_from(NAMES), can_be_classic, min_size=1, max_size=2),
        ),
        st.builds(optional_of, inner),
        st.builds(union_of, st.lists(plain, min_size=2, max_size=3)),
        several.flatmap(
            lambda fields: st.builds(
                embedded_of, st.just(fields), st.sets(st.sampled_from(sorted(fields)))
            )
        ),
        st.builds(list_of, inner).flatmap(
            lambda part: st.builds(
                constrained,
                st.just(part),
                st.lists(st.sampled_from(CONSTRAINTS["array"]), max_size=1),
            )
        ),
    )


parts = st.recursive(leaves(), grown, max_leaves=4)


@dataclass(frozen=True)
class Declaration:
    """A class, and what makes documents for it."""

    cls: Any
    fields: dict[str, Part]
    optional: frozenset[str]
    text: str

    def make(self, random: Random) -> dict[str, Any]:
        made = {}
        for name, part in self.fields.items():
            if name in self.optional and random.random() < 0.3:
                continue
            value = part.make(random)
            made[name] = {"en": value, "fr": None} if name in self.cls.i18n else value
        return made


def paths_of(fields: dict[str, Part], start: str = "") -> Iterator[tuple[str, Part]]:
    for name, part in fields.items():
        path = f"{start}{name}"
        yield path, part
        if part.fields:
            yield from paths_of(part.fields, f"{path}.")
        if part.item is not None and part.kind == "array" and part.item.fields:
            yield from paths_of(part.item.fields, f"{path}.")
        if part.item is not None and part.kind == "object":
            yield from paths_of({"$str": part.item}, f"{path}.")


@st.composite
def classic_declarations(draw: Any) -> Declaration:
    can_be = parts.filter(lambda part: part.spec is not NO)
    fields = draw(st.dictionaries(st.sampled_from(NAMES), can_be, min_size=1, max_size=3))
    options: dict[str, Any] = {"structure": {name: part.spec for name, part in fields.items()}}
    options["use_schemaless"] = draw(st.booleans())
    options["i18n"] = [
        name
        for name, part in fields.items()
        if not part.fields and part.item is None and draw(st.integers(0, 9)) == 0
    ]
    paths = [
        (p, part) for p, part in paths_of(fields) if p.partition(".")[0] not in options["i18n"]
    ]
    names = [path for path, _ in paths]
    options["required_fields"] = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
    options["validators"] = {path: list(part.checks) for path, part in paths if part.checks}
    cls: Any = type("Thing", (Document,), dict(options))
    optional = frozenset(fields) if options["use_schemaless"] else frozenset[str]()
    return Declaration(cls, fields, optional, repr(options))  # fmt: skip


@st.composite
def annotated_declarations(draw: Any) -> Declaration:
    can_be = parts.filter(lambda part: part.annotation is not NO)
    fields = draw(st.dictionaries(st.sampled_from(NAMES), can_be, min_size=1, max_size=3))
    optional = draw(st.sets(st.sampled_from(sorted(fields))))
    cls = annotated_class(Document, fields, optional)
    text = repr({name: part.annotation for name, part in fields.items()})
    return Declaration(cls, fields, frozenset(optional), f"{text} optional: {optional}")


def possible(declarations: st.SearchStrategy[Declaration]) -> st.SearchStrategy[Any]:
    """Some random specs don't go together: these are no declarations."""

    @st.composite
    def made(draw: Any) -> Declaration | None:
        try:
            found: Declaration = draw(declarations)
        except (StructureError, TypeError):
            return None
        return found

    return made().filter(lambda declaration: declaration is not None)


declarations = possible(st.one_of(classic_declarations(), annotated_declarations()))


# Documents near the edge.


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key in list(value):
            yield value, key
            yield from places(value[key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield value, index
            yield from places(item)


def change(random: Random, content: dict[str, Any]) -> None:
    """Change one place."""
    found = list(places(content))
    what = random.choice(["replace", "replace", "none", "drop", "add", "tweak", "tweak", "tweak"])
    if what == "add" or not found:
        target = random.choice([content, *(c for c, _ in found)])
        value = copy.deepcopy(random.choice(ANYTHING))
        if isinstance(target, list):
            target.append(value)
        else:
            target[random.choice(["z", "_version", *NAMES])] = value
        return
    container, key = random.choice(found)
    if what == "drop":
        del container[key]
    elif what == "none":
        container[key] = None
    elif what == "replace":
        container[key] = copy.deepcopy(random.choice(ANYTHING))
    else:
        container[key] = tweaked(random, container[key])


def tweaked(random: Random, value: Any) -> Any:
    """A value next to another one."""
    match value:
        case bool():
            return int(value)
        case int():
            return random.choice(
                [value + 1, value - 1, float(value), bool(value), -value, str(value)]
            )
        case float():
            return random.choice([value + 1, value / 2, -value, math.nan, math.inf])
        case str():
            return random.choice([value + "x", value[:-1], value + "\n", value * 3, value.upper()])
        case bytes():
            return random.choice([value + b"x", value[:-1], value.hex()])
        case datetime():
            return random.choice([value.replace(tzinfo=None), value.isoformat(), value.date()])
        case Decimal():
            return random.choice([value + 1, -value, float(value), str(value)])
        case list():
            return random.choice([value + value[:1], value[:-1], [], tuple(value), [*value, None]])
        case set():
            return random.choice([value | {"x"}, value | {1}, list(value), set()])
        case dict():
            return random.choice([{}, {**value, "zz": 1}, list(value)])
    return random.choice([str(value), [value], None])  # fmt: skip


def documents(declaration: Declaration, random: Random, count: int) -> Iterator[dict[str, Any]]:
    for _ in range(count):
        content = declaration.make(random)
        for _ in range(random.choice([0, 1, 1, 1, 2])):
            change(random, content)
        yield content


# The judges.


@dataclass
class Case:
    """One document, and what the judges say of it."""

    declaration: Declaration
    content: dict[str, Any]
    doc: Any
    is_valid: bool
    failures: list[Any]
    form: Any = NO
    stored: Any = NO
    by_json: bool | None = None
    by_server: bool | None = None

    def holds(self, test: Callable[[Any], bool]) -> bool:
        return any(test(value) for value in values_in(self.content))


def values_in(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict):
        for item in dict.values(value):
            yield from values_in(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from values_in(item)


def document(cls: Any, content: dict[str, Any]) -> Any:
    doc = cls(gen_skel=False)
    dict.update(doc, copy.deepcopy(content))
    return doc


# RFC 3339, 5.6, with years that Python has, and without leap seconds.
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)
FORMATS = FormatChecker(formats=["date", "email", "regex", "uuid"])


def is_time(text: object) -> bool:
    if not isinstance(text, str):
        return True
    found = _TIME.fullmatch(text)
    try:
        return found is not None and bool(datetime(*(int(part) for part in found.groups()[:6])))  # type: ignore[arg-type]
    except ValueError:
        return False


FORMATS.checks("date-time")(is_time)


def judge(declaration: Declaration, contents: list[dict[str, Any]], db: Any) -> list[Case]:
    """Return what all judges say; of what has no JSON form or can't be stored, one says nothing."""
    cls = declaration.cls
    schema = cls.json_schema("store")
    Draft202012Validator.check_schema(schema)
    by_json = Draft202012Validator(schema, format_checker=FORMATS)
    cases = []
    for content in contents:
        doc = document(cls, content)
        case = Case(declaration, content, doc, validates(doc), doc.errors())
        assert case.is_valid <= (not case.failures), "validate() takes what errors() refuses"
        try:
            case.form = json.loads(json.dumps(doc.json_form("store"), allow_nan=False))
            case.by_json = by_json.is_valid(case.form)
        except TypeError:
            # Fields such as `_version` may hold anything, so far as validation is concerned.
            assert not case.is_valid or not encodes(content), "a valid document has a JSON form"
        try:
            case.stored = stored_form(doc)
        except Exception:  # noqa: BLE001 - a CustomType's own refusal
            assert not case.is_valid, "a valid document has a stored form"
        cases.append(case)
    judge_stored(cls, cases, db)
    return cases


def validates(doc: Any) -> bool:
    try:
        doc.validate()
    except Exception:  # noqa: BLE001 - whatever it raises is its refusal
        return False
    return True


def encodes(content: dict[str, Any]) -> bool:
    try:
        bson.encode(content, codec_options=UNBOUND_OPTIONS)
    except Exception:  # noqa: BLE001 - bson's own refusal, whatever it is
        return False
    return True


def judge_stored(cls: Any, cases: list[Case], db: Any) -> None:
    """Insert all documents at once, with PyMongo alone, and note which were refused."""
    name = f"things_{uuid4().hex}"
    collection = db.create_collection(name, validator={"$jsonSchema": cls.mongo_schema()})
    sent: list[Case] = []
    for number, case in enumerate(cases):
        if case.stored is NO:
            continue
        case.stored.setdefault("_id", number)
        if encodes(case.stored):
            sent.append(case)
        else:
            case.stored = NO
    refused: dict[int, int] = {}
    try:
        if sent:
            collection.insert_many([case.stored for case in sent], ordered=False)
    except BulkWriteError as error:
        refused = {each["index"]: each["code"] for each in error.details["writeErrors"]}
    except PyMongoError:  # the embedded engine gives up at some documents
        for index, case in enumerate(sent):
            try:
                collection.replace_one({"_id": case.stored["_id"]}, case.stored, upsert=True)
            except PyMongoError as error:
                refused[index] = getattr(error, "code", 0) or 0
    collection.drop()
    for index, case in enumerate(sent):
        code = refused.get(index)
        assert code in (None, INVALID, INTERNAL_ERROR), code
        if code != INTERNAL_ERROR:
            case.by_server = code is None


# Where they disagree: each reason is a change to the rules under which `validate()` says the same.


@dataclass(frozen=True)
class Reason:
    """Why a judge disagrees; `docs/schemas.md` says the same in words.

    Attributes:
        name: How the page calls it.
        judge: Who disagrees, or "both".
        tests: The rules' tests under which validation agrees.
        patches: What else is changed for that, as arguments of `unittest.mock.patch.object`.
        readers: What reads JSON forms otherwise.
        reads_again: Whether the document is taken as what its form is read as.
        refuses: What is refused in any case.
        only_embedded: Whether it is a fault of the embedded engine, not of MongoDB.
    """

    name: str
    judge: Literal["json", "server", "both"]
    tests: dict[str, Any] = field(default_factory=dict)
    patches: tuple[tuple[Any, str, Any], ...] = ()
    readers: dict[type, Any] = field(default_factory=dict)
    reads_again: bool = False
    refuses: Callable[[Case], bool] | None = None
    only_embedded: bool = False


COMPARISONS = ("ge", "gt", "le", "lt", "multiple_of")
LENGTHY = ("max_length", "min_length", "length")
TESTS = dict(validators._TESTS)


def passing(rules: tuple[str, ...], test: Callable[[Any], bool]) -> dict[str, Any]:
    """The tests of some rules, passed by what `test` is true of."""
    return {
        rule: lambda value, limit, rule=rule: test(value) or TESTS[rule](value, limit)
        for rule in rules
    }


def is_decimal(value: Any) -> bool:
    return isinstance(value, (Decimal, Decimal128))


def is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _as_text(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_as_text(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    return str(value) if is_decimal(value) else value


def _rounded(text: Any) -> Any:
    read = jsonreading._READERS[Decimal](text)
    return Decimal128("0") if isinstance(read, Decimal) else text


def _unique_as_text(value: Any, _: Any) -> bool:
    items = [_as_text(item) for item in value] if isinstance(value, (list, tuple)) else value
    return bool(TESTS["unique_items"](items, None))


def _one_of_as_text(value: Any, limit: Any) -> bool:
    return bool(TESTS["one_of"](_as_text(value), [_as_text(each) for each in limit]))


def _found_by_python(value: Any, expression: str) -> bool:
    return not isinstance(value, str) or re.search(expression, value) is not None


def _without_line_break(text: Any) -> Any:
    return text[:-1] if isinstance(text, str) and text.endswith("\n") else text


def _found_in_unicode(value: Any, expression: str) -> bool:
    whole = validators.with_end(expression, r"\Z")
    return not isinstance(value, str) or re.search(whole, value) is not None


def _multiple_in_binary(value: Any, of: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number:
        return True
    return math.isfinite(value) and (value / of).is_integer()


def _multiple_in_the_engine(value: Any, of: Any) -> bool:
    if is_decimal(value):
        return True
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return not is_number or (math.isfinite(value) and value % float(of) == 0)


def _takes_any_binary(self: Any, value: Any) -> bool:
    kinds = (bytes, UUID)
    return TAKES(self, value) or (issubclass(self.kind, kinds) and isinstance(value, kinds))


def _or_takes_any_binary(self: Any, value: Any) -> bool:
    kinds = (bytes, UUID)
    has_one = any(isinstance(kind, type) and issubclass(kind, kinds) for kind in self.operands)
    return OR_TAKES(self, value) or (has_one and isinstance(value, kinds))


def _takes_no_code(self: Any, value: Any) -> bool:
    return TAKES(self, value) and not (isinstance(value, Code) and self.kind is str)


READERS = dict(jsonreading._READERS)
TAKES = schema.ScalarNode.takes
OR_TAKES = OR.validate

REASONS = [
    Reason("one form for several types", "both", reads_again=True),
    Reason(
        "True and 1 in a set",
        "both",
        passing(LENGTHY, lambda v: isinstance(v, set) and bool({0, 1} & v)),
        reads_again=True,
    ),
    Reason("hand-written validators", "both", patches=((RULES, "by_hand", False),)),
    Reason("limits of dates", "both", passing(COMPARISONS, lambda v: isinstance(v, date))),
    Reason("lengths of bytes", "both", passing(LENGTHY, lambda v: isinstance(v, bytes))),
    Reason(
        "what BSON can't hold", "both", patches=((explain._Walk, "encodable", lambda *_, **__: ()),)
    ),
    Reason(
        "decimals in JSON",
        "json",
        passing(COMPARISONS, is_decimal)
        | {"one_of": _one_of_as_text, "unique_items": _unique_as_text},
        patches=(
            (DecimalType, "validate", lambda *_, **__: None),
            (DecimalType, "to_bson", lambda *_: Decimal128("0")),
        ),
        readers={Decimal128: _rounded},
    ),
    Reason("NaN and infinity in JSON", "json", refuses=lambda case: case.holds(is_not_finite)),
    Reason(
        "the jsonschema package",
        "json",
        {"pattern": _found_by_python, "multiple_of": _multiple_in_binary}
        | {
            name: lambda value, _, name=name: _found_by_python(value, validators.PATTERNS[name])
            for name in ("email", "url")
        },
        readers={
            kind: lambda text, kind=kind: READERS[kind](_without_line_break(text))
            for kind in (ObjectId, bytes, Binary, Decimal, Decimal128)
        },
    ),
    Reason(
        "subtypes of binary data",
        "server",
        patches=(
            (schema.ScalarNode, "takes", _takes_any_binary),
            (OR, "validate", _or_takes_any_binary),
        ),
    ),
    Reason("Code", "server", patches=((schema.ScalarNode, "takes", _takes_no_code),)),
    Reason("rules of CustomTypes", "server", patches=((RULES, "of_custom_types", False),)),
    Reason("engine: NaN", "server", passing(COMPARISONS, is_not_finite), only_embedded=True),
    Reason(
        "engine: decimals",
        "server",
        passing(COMPARISONS, is_decimal) | {"one_of": _one_of_as_text},
        only_embedded=True,
    ),
    Reason(
        "engine: multipleOf",
        "server",
        {"multiple_of": _multiple_in_the_engine},
        only_embedded=True,
    ),
    Reason("engine: digits", "server", {"pattern": _found_in_unicode}, only_embedded=True),
]


def verdict_under(case: Case, judge_name: str, reasons: Iterable[Reason]) -> bool:
    """What `validate()` would say under changed rules."""
    cls = case.declaration.cls
    with ExitStack() as stack:
        tests: dict[str, Any] = {}
        for rule, test in (pair for reason in reasons for pair in reason.tests.items()):
            tests[rule] = _either(tests[rule], test) if rule in tests else test
        stack.enter_context(patch.dict(validators._TESTS, tests))
        for reason in reasons:
            stack.enter_context(patch.dict(jsonreading._READERS, reason.readers))
            for target, name, value in reason.patches:
                stack.enter_context(patch.object(target, name, value))
        if any(reason.refuses is not None and reason.refuses(case) for reason in reasons):
            return False
        content = case.content
        if any(reason.reads_again for reason in reasons):
            if judge_name == "json":
                content = cls.from_json_form(case.form)
            else:
                content = read_again(cls, case.stored)
        return not document(cls, content).errors()


def _either(first: Any, second: Any) -> Any:
    return lambda value, limit: first(value, limit) or second(value, limit)


def read_again(cls: Any, stored: dict[str, Any]) -> dict[str, Any]:
    encoded = bson.encode(stored, codec_options=UNBOUND_OPTIONS)
    decoded = bson.decode(encoded, codec_options=UNBOUND_OPTIONS)
    return dict(cls(decoded))


def why(case: Case, judge_name: str) -> tuple[str, ...] | None:
    """Return the fewest reasons for which a judge says otherwise than `validate()`, or None."""
    said_so = case.by_json if judge_name == "json" else case.by_server
    possible = [reason for reason in REASONS if reason.judge in (judge_name, "both")]
    for count in (1, 2, 3, 4, 5):
        for chosen in combinations(possible, count):
            if verdict_under(case, judge_name, chosen) is said_so:
                return tuple(reason.name for reason in chosen)
    return None


def disagreements(case: Case) -> list[tuple[str, tuple[str, ...] | None]]:
    """Return each judge that disagrees, with the reasons, None where there are none."""
    found = [
        (judge_name, why(case, judge_name))
        for judge_name, said_so in (("json", case.by_json), ("server", case.by_server))
        if said_so is not None and said_so is not case.is_valid
    ]
    if case.is_valid and case.stored is NO:
        found.append(("server", ("what BSON can't hold",)))
    return found


def told(case: Case) -> str:
    cls = case.declaration.cls
    return "\n".join(
        [
            f"declaration: {case.declaration.text}",
            f"document: {case.content!r}",
            f"validate(): {case.failures or 'valid'}",
            f"JSON Schema: {case.by_json} {json.dumps(case.form, default=repr)}",
            f"  {json.dumps(cls.json_schema('store'))}",
            f"server: {case.by_server} {case.stored!r}",
            f"  {cls.mongo_schema()!r}",
        ]
    )


COUNTED: Counter[str] = Counter()


def check(declaration: Declaration, random: Random, count: int, db: Any) -> None:
    COUNTED["declarations"] += 1
    for case in judge(declaration, list(documents(declaration, random, count)), db):
        COUNTED["documents"] += 1
        COUNTED["valid documents"] += case.is_valid
        COUNTED["verdicts by JSON Schema"] += case.by_json is not None
        COUNTED["verdicts by the server"] += case.by_server is not None
        for judge_name, names in disagreements(case):
            COUNTED[f"{judge_name}: {' + '.join(names or ('?',))}"] += 1
            if names is None:
                note(told(case))
                pytest.fail(f"{judge_name} disagrees\n{told(case)}")


settings.register_profile(
    "agreement",
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
PROFILE = settings.get_profile("agreement")


@settings(PROFILE, max_examples=100)
@given(declaration=declarations, seed=st.integers(0, 2**32))
def test_the_three_agree_but_for_what_is_named(declaration: Any, seed: int, db: Database) -> None:
    check(declaration, Random(seed), 20, db)


# One small example for each reason, so that none stays when it is no longer needed.


def field_x(annotation: Any, value: Any, **more: Any) -> tuple[Any, dict[str, Any]]:
    namespace = {"__annotations__": {"x": annotation}, "__module__": __name__}
    return type(Document)("Thing", (Document,), namespace), {"x": value, **more}


EXAMPLES: dict[str, list[tuple[str, Any, dict[str, Any]]]] = {
    "one form for several types": [
        ("json", *field_x(datetime, "2026-01-02T12:00:00Z")),
        ("json", *field_x(str, NOON)),
        ("json", *field_x(int, 1.0)),
        ("server", *field_x(date, datetime(2026, 1, 2, 12))),
    ],
    "True and 1 in a set": [
        ("json", *field_x(Annotated[set[int], min_length(2)], [1, True])),
        ("server", *field_x(Annotated[set[int], min_length(2)], [1, True])),
    ],
    "hand-written validators": [
        ("json", *field_x(Annotated[str, is_not_odd], "a")),
        ("server", *field_x(Annotated[str, is_not_odd], "a")),
    ],
    "limits of dates": [
        ("json", *field_x(Annotated[datetime, lt(NOON)], NOON)),
        ("server", *field_x(Annotated[datetime, lt(NOON)], NOON)),
    ],
    "lengths of bytes": [
        ("json", *field_x(Annotated[bytes, max_length(1)], b"ab")),
        ("server", *field_x(Annotated[bytes, max_length(1)], b"ab")),
    ],
    "what BSON can't hold": [("json", *field_x(dict, {"a": 2**63}))],
    "decimals in JSON": [
        ("json", *field_x(Annotated[Decimal, ge(1)], Decimal(0))),
        ("json", *field_x(Annotated[Decimal, one_of(Decimal(1))], Decimal("1.0"))),
        ("json", *field_x(Decimal, Decimal("1" * 35))),
    ],
    "NaN and infinity in JSON": [("json", *field_x(float, math.inf))],
    "the jsonschema package": [
        ("json", *field_x(Annotated[str, pattern("^a$")], "a\n")),
        ("json", *field_x(Annotated[float, multiple_of(0.1)], 0.3)),
    ],
    "subtypes of binary data": [("server", *field_x(UUID, b"abc"))],
    "Code": [("server", *field_x(str, Code("x")))],
    "rules of CustomTypes": [
        ("server", *field_x(Annotated[str, Upper(), OfCustomType("max_length", 1)], "ab"))
    ],
    "engine: NaN": [("server", *field_x(Annotated[float, ge(1)], math.nan))],
    "engine: decimals": [("server", *field_x(Annotated[Decimal, ge(1)], Decimal(0)))],
    "engine: multipleOf": [("server", *field_x(Annotated[float, multiple_of(0.1)], 0.3))],
    "engine: digits": [("server", *field_x(Annotated[str, pattern(r"\d")], "٣"))],
}


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.name)
def test_each_reason_is_needed(reason: Reason, db: Database) -> None:
    if reason.only_embedded and not is_embedded(db):
        pytest.skip("a fault of the embedded engine")
    for judge_name, cls, content in EXAMPLES[reason.name]:
        (case,) = judge(Declaration(cls, {}, frozenset(), str(content)), [content], db)
        assert (judge_name, (reason.name,)) in disagreements(case), told(case)


def is_embedded(db: Any) -> bool:
    return bool(db.client.admin.command("hello").get("setName") == "secantus")


def test_the_page_names_the_same_reasons() -> None:
    page = DOCS.read_text("utf-8")
    named = re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.MULTILINE)

    assert named == [reason.name for reason in REASONS]


def test_a_stored_document_may_be_older_than_its_class(db: Database) -> None:
    cls, content = field_x(str, "a", old=1)
    connection = db.client
    connection.register([cls])
    db["things"].insert_one(dict(content))

    found: Any = db["things"].documents(cls).find_one()

    assert found.errors() == []
    assert not Draft202012Validator(cls.json_schema()).is_valid(found.json_form("store"))


def run(how_many: int, each_with: int, uri: str) -> None:
    """Try many more than a test run does, and print what was counted."""
    with Connection(uri) as connection:
        database = connection[f"agreement_{uuid4().hex}"]

        @settings(PROFILE, max_examples=how_many, database=None)
        @given(declaration=declarations, seed=st.integers(0, 2**32))
        def many(declaration: Any, seed: int) -> None:
            check(declaration, Random(seed), each_with, database)

        try:
            many()
        finally:
            connection.drop_database(database.name)
            for what, number in sorted(COUNTED.items()):
                print(f"{number:8} {what}")  # noqa: T201 - what it is run for


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), os.environ["MONGODB_URI"])
