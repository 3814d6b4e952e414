"""Random structures meet random values: the compiled verdict is that of an obvious one.

`is_valid` below is the slow reference: it walks the declared `structure` itself, knows neither
tree nor compiler, and says what section 6 says in as few words as possible.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import bson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mongokit import IS, NOT, OR, Collection, Connection, CustomType, Document, Set

SCALARS = (int, float, str, bool, bytes, datetime)
KNOWN = {"_id", "_ns", "_revision", "_version"}
AUTHORIZED = tuple(t for t in Document.authorized_types if t is not CustomType)

settings.register_profile(
    "mongokit",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("mongokit")


# The reference.


def is_valid(structure: Any, doc: Any, required: list[str], schemaless: bool) -> bool:
    return matches(structure, doc, schemaless) and all(
        has_value(doc, path.split(".")) for path in required
    )


def matches(spec: Any, value: Any, schemaless: bool) -> bool:  # one branch a spec
    if isinstance(spec, dict) and not spec:
        return isinstance(value, dict) and encodes(value)
    if isinstance(spec, dict) and isinstance(next(iter(spec)), type):
        ((kind, inner),) = spec.items()
        return isinstance(value, dict) and all(
            isinstance(k, kind) and isinstance(k, str) and matches(inner, v, schemaless)
            for k, v in value.items()
        )
    if isinstance(spec, dict):
        return isinstance(value, dict) and fields_match(spec, value, schemaless)
    if isinstance(spec, list):
        inner = spec[0] if spec else None
        return isinstance(value, (list, tuple)) and all(
            matches(inner, item, schemaless) for item in value
        )
    if isinstance(spec, tuple):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(spec)
            and all(matches(s, v, schemaless) for s, v in zip(spec, value, strict=True))
        )
    if isinstance(spec, Set):
        wanted = spec._structure_type
        return value is None or (
            isinstance(value, set) and all(isinstance(v, wanted or object) for v in value)
        )
    if value is None:
        return True
    if spec is None:
        return isinstance(value, AUTHORIZED) and encodes(value)
    if isinstance(spec, (OR, NOT, IS)):
        return operator_matches(spec, value)
    if spec is list:
        return isinstance(value, (list, tuple)) and encodes(value)
    return isinstance(value, spec) and encodes(value)


def fields_match(spec: dict[str, Any], value: dict[Any, Any], schemaless: bool) -> bool:
    if not all(isinstance(key, str) for key in value):
        return False
    if not schemaless and set(value) - KNOWN != set(spec):
        return False
    undeclared = {k: v for k, v in value.items() if k not in spec and k not in KNOWN}
    return encodes(undeclared) and all(
        matches(spec[key], value[key], schemaless) for key in spec if key in value
    )


def operator_matches(spec: Any, value: Any) -> bool:
    if isinstance(spec, OR):
        return any(type(value) is kind for kind in spec.operands) and encodes([value])
    if isinstance(spec, NOT):
        return not any(type(value) is kind for kind in spec.operands) and encodes([value])
    return any(type(value) is type(v) and value == v for v in spec.operands)


def encodes(value: Any) -> bool:
    if not isinstance(value, (dict, list, tuple)):
        return True
    try:
        bson.encode({"": value})
    except (bson.errors.BSONError, OverflowError):
        return False
    return True


def has_value(value: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return value is not None and not (isinstance(value, (dict, list, tuple)) and not value)


# Random structures, and values that are right, nearly right, or anything.

names = st.sampled_from(["a", "b", "c", "d:e", "f"])
scalars = st.sampled_from(SCALARS)
leaves = st.one_of(
    scalars,
    st.sampled_from([None, dict, list, [], {}]),
    st.builds(lambda kinds: OR(*kinds), st.lists(scalars, min_size=1, max_size=3)),
    st.builds(lambda kinds: NOT(*kinds), st.lists(scalars, min_size=1, max_size=2)),
    st.builds(lambda vs: IS(*vs), st.lists(st.sampled_from([1, True, "x", 1.5]), min_size=1)),
    st.builds(Set, scalars.filter(lambda t: t is not bytes)),
)
specs = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(names, inner, min_size=1, max_size=3),
        st.builds(lambda s: [s], inner),
        st.builds(lambda s: {str: s}, inner),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=6,
)
structures = st.dictionaries(names, specs, min_size=1, max_size=4)

anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.just(datetime(2026, 1, 1, tzinfo=UTC)),
        st.just(1j),
        st.just({1, 2}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.one_of(names, st.integers(0, 2)), inner, max_size=2),
    ),
    max_leaves=4,
)
OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**31), 2**31),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=4),
    bool: st.booleans(),
    bytes: st.binary(max_size=4),
    datetime: st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    dict: st.dictionaries(names, st.integers(0, 9), max_size=2),
    list: st.lists(st.integers(0, 9), max_size=2),
    None: st.integers(0, 9),
}


def fitting(draw: Any, spec: Any) -> Any:
    """A value that fits, most of the time."""
    if draw(st.integers(0, 30)) == 0:
        return draw(anything)
    if isinstance(spec, dict) and not spec:
        return draw(OF_TYPE[dict])
    if isinstance(spec, dict) and isinstance(next(iter(spec)), type):
        return {key: fitting(draw, spec[str]) for key in draw(st.lists(names, max_size=2))}
    if isinstance(spec, dict):
        return {key: fitting(draw, inner) for key, inner in spec.items()}
    if isinstance(spec, list):
        return [fitting(draw, spec[0] if spec else None) for _ in range(draw(st.integers(0, 2)))]
    if isinstance(spec, tuple):
        return [fitting(draw, inner) for inner in spec]
    if isinstance(spec, Set):
        return draw(st.sets(OF_TYPE[spec._structure_type], max_size=2))
    if isinstance(spec, OR):
        return draw(OF_TYPE[draw(st.sampled_from(spec.operands))])
    if isinstance(spec, NOT):
        return draw(st.one_of(st.none(), anything))
    if isinstance(spec, IS):
        return draw(st.sampled_from([*spec.operands, 1, True]))
    return draw(OF_TYPE[spec])


@st.composite
def cases(draw: Any) -> tuple[dict[str, Any], dict[str, Any], list[str], bool]:
    structure = draw(structures)
    content = fitting(draw, structure)
    if not isinstance(content, dict):
        content = {"a": content}
    for change in range(draw(st.integers(0, 2))):
        if change == 0 and content:
            content.pop(draw(st.sampled_from(sorted(content, key=str))))
        else:
            content[draw(st.sampled_from(["_id", "z", "a"]))] = draw(anything)
    plain = [k for k, s in structure.items() if not isinstance(s, Set)]
    paths = [*plain, *(f"{k}.{n}" for k in plain for n in nested(structure[k]))]
    required = draw(st.lists(st.sampled_from(paths), unique=True, max_size=2)) if paths else []
    return structure, content, required, draw(st.booleans())


def nested(spec: Any) -> list[str]:
    if isinstance(spec, dict) and spec and isinstance(next(iter(spec)), str):
        return [key for key, inner in spec.items() if not isinstance(inner, Set)]
    return []


def make(structure: Any, **options: Any) -> Any:
    return type("Thing", (Document,), {"structure": structure, **options})


@settings(max_examples=400)
@given(cases(), st.booleans())
def test_validation_gives_the_verdict_of_the_reference(case: Any, dotted: bool) -> None:
    structure, content, required, schemaless = case
    thing = make(
        structure, required_fields=required, use_schemaless=schemaless, use_dot_notation=dotted
    )
    doc = thing(gen_skel=False)
    dict.update(doc, copy.deepcopy(content))
    expected = is_valid(structure, content, required, schemaless)

    errors = doc.errors()
    accepted = bool(thing.__mongokit__.check(doc, bson.DEFAULT_CODEC_OPTIONS))

    assert (errors == []) is expected
    if accepted:
        assert expected
    if expected:
        doc.validate()
    assert dict(doc) == content


@settings(max_examples=150)
@given(structures, st.booleans())
def test_the_skeleton_has_every_field_and_validates(structure: Any, dotted: bool) -> None:
    thing = make(structure, use_dot_notation=dotted)
    doc = thing()

    assert list(doc) == list(structure)
    if not holds_container_in_tuple(structure):
        doc.validate()
    bare = thing(gen_skel=False)
    bare.generate_skeleton()
    assert bare == doc


def holds_container_in_tuple(spec: Any) -> bool:
    """A tuple's skeleton is a list of None, which no nested dict, list or tuple in it takes."""
    if isinstance(spec, tuple):
        return any(isinstance(inner, (dict, list, tuple)) for inner in spec)
    inside = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ()
    return any(holds_container_in_tuple(inner) for inner in inside)


@settings(max_examples=60)
@given(case=cases())
def test_what_validates_is_stored_and_read_back_equal(
    case: Any, connection: Connection, col: Collection
) -> None:
    structure, content, required, schemaless = case
    content.pop("_id", None)
    thing = make(structure, required_fields=required, use_schemaless=schemaless)
    connection.register(thing)
    doc = col.Thing(gen_skel=False)
    dict.update(doc, copy.deepcopy(content))
    if doc.errors():
        return

    doc.save()

    found = col.Thing.get_from_id(doc["_id"])
    assert found is not None
    assert found.errors() == []
    assert normal(dict(found)) == normal({**content, "_id": doc["_id"]})


def normal(value: Any) -> Any:
    """What BSON makes equal: tuples are lists, aware datetimes in UTC are naive."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [normal(item) for item in value]
    if isinstance(value, set):
        return {normal(item) for item in value}
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value
