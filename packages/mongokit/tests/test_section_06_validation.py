"""Section 6: validation, with the page's texts."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Int64, ObjectId, Regex
from bson.errors import InvalidDocument

from mongokit import (
    IS,
    NOT,
    OR,
    AuthorizedTypeError,
    Collection,
    Connection,
    CustomType,
    Document,
    MaxDocumentSizeError,
    RequireFieldError,
    SchemaDocument,
    SchemaDocumentError,
    SchemaTypeError,
    Set,
    StructureError,
    ValidationError,
)
from mongokit.declaration import compile_class


def make(structure: Any, **options: Any) -> Any:
    return type("Thing", (Document,), {"structure": structure, **options})


def refusal(doc: Any) -> tuple[type[Exception], str]:
    with pytest.raises((SchemaDocumentError, InvalidDocument)) as caught:
        doc.validate()
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        *((str, "x"), (int, 1), (int, True), (int, Int64(1)), (float, 1.5), (bool, True)),
        *(
            (bytes, b"x"),
            (Binary, Binary(b"x")),
            (Binary, b"x"),
            (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
        ),
        *((uuid.UUID, uuid.uuid4()), (ObjectId, ObjectId()), (dict, {"a": 1}), (list, [1, "a"])),
        *((re.Pattern, re.compile("x")), (re.Pattern, Regex("x")), (list, (1,)), ([int], (1, 2))),
        *(({"a": int}, {"a": 1}), ({str: int}, {"x": 1, "y": 2}), ([], [1, "x"]), ({}, {"a": 1})),
        *(((int, str), [1, "x"]), ((int, str), (1, "x")), ([(int, int)], [[1, 2], [3, 4]])),
        *((OR(int, str), 1), (OR(int, str), "x"), (NOT(int), "x"), (IS(1, "a"), "a"), (None, 5)),
        *((Set(int), {1}), ([Set(int)], [{1}]), ({str: Set(int)}, {"a": {1}}), ([{"a": int}], [])),
    ],
)
def test_a_value_of_the_declared_type_passes(spec: Any, value: Any) -> None:
    make({"field": spec})({"field": value}).validate()


@pytest.mark.parametrize(
    ("spec", "value", "text"),
    [
        (str, 1, "field must be an instance of str not int"),
        (str, b"x", "field must be an instance of str not bytes"),
        (int, "1", "field must be an instance of int not str"),
        (float, 1, "field must be an instance of float not int"),
        (dict, [], "field must be an instance of dict not list"),
        (list, {}, "field must be an instance of list not dict"),
        (list, "abc", "field must be an instance of list not str"),
        ([int], "abc", "field must be an instance of list not str"),
        ([int], [1, "x"], "field must be an instance of int not str"),
        ([int], {}, "field must be an instance of list not dict"),
        ({"a": int}, [], "field must be an instance of dict not list"),
        ({"a": int}, {"a": "x"}, "field.a must be an instance of int not str"),
        ([{"a": int}], [{"a": "x"}], "field.a must be an instance of int not str"),
        ((int, str), [1], "field must have 2 items not 1"),
        ((int, str), [1, 2], "field must be an instance of str not int"),
        ((int, str), 5, "field must be an instance of list not int"),
        ({str: int}, {"a": "x"}, "field.$str must be an instance of int not str"),
        (OR(int, str), 1.5, "field must be an instance of <int or str> not float"),
        (OR(int, str), True, "field must be an instance of <int or str> not bool"),
        (NOT(int, str), 1, "field must be an instance of <not int, not str> not int"),
        (IS(1, 2), 3, "field must be in [1, 2] not 3"),
        (IS(1, 2), True, "field must be in [1, 2] not True"),
        (Set(int), 1, "field must be an instance of set not int"),
    ],
)
def test_a_value_of_another_type_is_refused(spec: Any, value: Any, text: str) -> None:
    assert refusal(make({"field": spec})({"field": value})) == (SchemaTypeError, text)


def test_a_key_of_another_type_than_the_type_key_is_refused() -> None:
    thing = type("Thing", (SchemaDocument,), {"structure": {"field": {int: str}}})
    thing({"field": {1: "x"}}).validate()

    assert refusal(thing({"field": {"a": "x"}})) == (
        SchemaTypeError,
        "key of field.$int must be an instance of int not str",
    )


@pytest.mark.parametrize(
    "spec", [str, int, dict, list, Set(int), OR(int, str), NOT(int), IS(1), None, ObjectId]
)
def test_none_passes_where_a_type_custom_type_or_operator_stands(spec: Any) -> None:
    make({"field": spec})({"field": None}).validate()
    make({"field": [spec]})({"field": [None]}).validate()


@pytest.mark.parametrize("spec", [{"a": int}, [int], (int, str), {str: int}, [], {}])
def test_none_is_refused_where_an_empty_form_exists(spec: Any) -> None:
    kind, text = refusal(make({"field": spec})({"field": None}))

    assert kind is SchemaTypeError
    assert re.fullmatch(r"field must be an instance of (list|dict) not NoneType", text)


def test_none_as_spec_takes_any_authorized_type() -> None:
    thing = make({"field": None})
    thing({"field": {"a": [1]}}).validate()

    assert refusal(thing({"field": 1j})) == (
        AuthorizedTypeError,
        "<class 'complex'> is not an authorized types",
    )


def test_unknown_fields_are_listed_sorted() -> None:
    assert refusal(make({"a": int})({"a": 1, "c": 1, "b": 1})) == (
        StructureError,
        "unknown fields ['b', 'c'] in Thing",
    )


def test_missed_fields_are_listed_sorted() -> None:
    assert refusal(make({"c": int, "a": int, "b": int})({"a": 1})) == (
        StructureError,
        "missed fields ['b', 'c'] in Thing",
    )


def test_the_level_of_unknown_and_missed_fields_is_named() -> None:
    thing = make({"a": {"b": {"c": int}}})

    assert refusal(thing({"a": {"b": {"c": 1, "d": 2}}}))[1] == (
        "unknown fields ['d'] in Thing at a.b"
    )
    assert refusal(thing({"a": {}}))[1] == "missed fields ['b'] in Thing at a"


@pytest.mark.parametrize("field", ["_id", "_ns", "_revision", "_version"])
def test_some_fields_never_count_as_unknown(field: str) -> None:
    make({"a": int})({"a": 1, field: 1}).validate()


def test_schemaless_lets_fields_be_unknown_or_missing_but_checks_types() -> None:
    thing = make({"a": int, "b": {"c": int}}, use_schemaless=True)
    thing({"b": {"d": 1}, "x": "y"}).validate()

    assert refusal(thing({"a": "x", "y": 1}))[1] == "a must be an instance of int not str"


def test_a_falsy_validator_is_named() -> None:
    def is_adult(value: int) -> bool:
        return value >= 18

    thing = make({"age": int}, validators={"age": is_adult})

    assert refusal(thing({"age": 3})) == (
        ValidationError,
        "age does not pass the validator is_adult",
    )


def test_a_validator_without_a_name_is_called_by_its_class() -> None:
    class Even:
        def __call__(self, value: int) -> bool:
            return value % 2 == 0

    thing = make({"n": int}, validators={"n": [bool, Even()]})

    assert refusal(thing({"n": 3}))[1] == "n does not pass the validator Even"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("%s must be short", "name must be short"),
        ("too long", "too long"),
        ("100% wrong", "100% wrong"),
        ("%s and %s", "%s and %s"),
        ("%(name)s", "%(name)s"),
    ],
)
def test_the_text_of_a_validators_error_is_filled_with_the_path(text: str, shown: str) -> None:
    def refuse(value: str) -> bool:
        raise ValueError(text)

    with pytest.raises(ValidationError) as caught:
        make({"name": str}, validators={"name": refuse})({"name": "secret"}).validate()

    assert str(caught.value) == shown
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.path == "name"
    assert caught.value.value == "secret"
    assert caught.value.document_class is not None
    assert "secret" not in str(caught.value)


def test_validators_do_not_see_none_or_missing_values() -> None:
    seen: list[Any] = []

    def see(value: Any) -> bool:
        seen.append(value)
        return True

    thing = make({"a": int, "b": int}, validators={"a": see, "b": see}, use_schemaless=True)
    thing({"a": None}).validate()
    thing({"a": 0}).validate()

    assert seen == [0]


def test_validators_reach_nested_fields_type_keys_and_lists() -> None:
    thing = make(
        {"a": {"b": int}, "k": {str: {"n": int}}, "items": [{"n": int}]},
        validators={name: lambda n: n > 0 for name in ("a.b", "k.$str.n", "items.n")},
    )
    good = {"a": {"b": 1}, "k": {"x": {"n": 1}}, "items": [{"n": 1}]}
    thing(good).validate()

    for bad, path in (
        ({"a": {"b": 0}}, "a.b"),
        ({"k": {"x": {"n": 1}, "y": {"n": 0}}}, "k.$str.n"),
        ({"items": [{"n": 1}, {"n": 0}]}, "items.n"),
    ):
        assert [e.path for e in thing({**good, **bad}).errors()] == [path]


def test_validators_come_first_then_types_then_required() -> None:
    thing = make(
        {"a": int, "b": int, "c": int},
        validators={"c": lambda n: n > 0},
        required_fields=["b"],
    )

    doc = thing({"a": "x", "b": None, "c": 0})
    assert refusal(doc)[0] is ValidationError
    doc["c"] = 1
    assert refusal(doc)[0] is SchemaTypeError
    doc["a"] = 1
    assert refusal(doc) == (RequireFieldError, "b is required")


@pytest.mark.parametrize(
    ("spec", "empty"), [(str, None), ([int], []), (dict, {}), ({str: int}, {}), (list, [])]
)
def test_a_required_field_must_have_a_value(spec: Any, empty: Any) -> None:
    thing = make({"a": spec, "n": {"b": spec}}, required_fields=["a", "n.b"])

    assert [e.message for e in thing({"a": empty, "n": {"b": empty}}).errors()] == [
        "a is required",
        "n.b is required",
    ]


@pytest.mark.parametrize(("spec", "value"), [(int, 0), (bool, False), (str, ""), (float, 0.0)])
def test_zero_false_and_empty_text_are_values(spec: Any, value: Any) -> None:
    make({"a": spec}, required_fields=["a"])({"a": value}).validate()


def test_a_required_nested_dict_counts_when_it_is_not_empty() -> None:
    thing = make({"a": {"b": int}}, required_fields=["a"])

    thing({"a": {"b": None}}).validate()


def test_every_key_under_a_type_key_is_checked_for_required_fields() -> None:
    thing = make({"a": {str: {"b": int}}}, required_fields=["a.$str.b"])
    thing({"a": {}}).validate()
    thing({"a": {"x": {"b": 1}}}).validate()

    assert refusal(thing({"a": {"x": {"b": 1}, "y": {"b": None}}})) == (
        RequireFieldError,
        "a.$str.b is required",
    )


def test_a_missing_required_field_of_a_schemaless_class_is_refused() -> None:
    thing = make({"a": int, "n": {"b": int}}, required_fields=["n.b"], use_schemaless=True)
    thing({"n": {"b": 1}}).validate()

    assert refusal(thing({"a": 1}))[1] == "n.b is required"


def test_validation_errors_are_collected_where_asked_for() -> None:
    thing = make(
        {"a": int, "b": int},
        required_fields=["b"],
        validators={"a": lambda n: n > 0},
        raise_validation_errors=False,
    )
    doc = thing({"a": -1, "b": None, "c": 1})

    doc.validate()
    doc.validate()

    found = {path: [type(e) for e in errors] for path, errors in doc.validation_errors.items()}
    assert found == {"a": [ValidationError], None: [StructureError], "b": [RequireFieldError]}
    del doc["c"]
    doc.update({"a": 1, "b": 2})
    doc.validate()
    assert doc.validation_errors == {}


@pytest.mark.parametrize(
    ("field", "value", "path", "error"),
    [
        ("set", {"x"}, None, ValueError),
        ("set", 5, "set", SchemaTypeError),
        ("any", {1: 1}, None, InvalidDocument),
        ("any", {"x": object()}, None, InvalidDocument),
        ("extra", object(), None, StructureError),
        ("any", {"x": "x" * 17_000_000}, None, MaxDocumentSizeError),
    ],
)
def test_nothing_is_raised_for_what_bson_cannot_hold_either(
    field: str, value: Any, path: str | None, error: type[Exception]
) -> None:
    doc = make({"set": Set(int), "any": dict}, raise_validation_errors=False)()
    doc[field] = value

    doc.validate()

    assert {p: [type(e) for e in errors] for p, errors in doc.validation_errors.items()} == {
        path: [error]
    }


@pytest.mark.parametrize("raising", [True, False])
def test_there_are_no_validation_errors_before_the_first_validation(raising: bool) -> None:
    doc = make({"a": int}, raise_validation_errors=raising)({"a": 1})

    assert doc.validation_errors == {}
    doc.validate()
    assert doc.validation_errors == {}


def test_a_validator_that_raises_without_a_word_is_named() -> None:
    def positive(number: int) -> None:
        if number <= 0:
            raise AssertionError

    doc = make({"a": int}, validators={"a": positive})({"a": -1})

    assert refusal(doc) == (
        ValidationError,
        "a does not pass the validator positive: AssertionError",
    )


def test_the_first_error_carries_all_of_them() -> None:
    doc = make({"a": int, "b": {"c": int}})({"a": "x", "b": {"c": "y"}})

    with pytest.raises(SchemaTypeError) as caught:
        doc.validate()

    assert [(e.path, e.rule) for e in caught.value.errors] == [("a", "type"), ("b.c", "type")]
    assert [e.value for e in doc.errors()] == ["x", "y"]
    assert "'x'" not in repr(doc.errors())


@pytest.mark.parametrize("key", [1, b"x", None, 1.5])
def test_a_key_that_bson_cannot_hold_is_refused(
    key: Any, connection: Connection, col: Collection
) -> None:
    thing = make({"free": dict, "any": None, "list": list})
    loose = make({}, use_schemaless=True)
    connection.register(thing)
    good: dict[str, Any] = {"free": {}, "any": None, "list": []}

    for bad in ({"free": {"a": {key: 1}}}, {"any": {key: 1}}, {"list": [{key: 1}]}):
        for doc in (thing({**good, **bad}), col.Thing({**good, **bad})):
            assert refusal(doc)[0] in (InvalidDocument, SchemaTypeError)
    for doc in (loose({key: 1}), loose({"a": {key: 1}})):
        assert refusal(doc)[0] in (InvalidDocument, SchemaTypeError)


def test_a_value_that_bson_cannot_hold_is_refused() -> None:
    assert refusal(make({"free": dict})({"free": {"a": {1, 2}}}))[0] is InvalidDocument


def test_a_schema_document_may_have_int_keys() -> None:
    thing = type("Thing", (SchemaDocument,), {"structure": {"free": dict}})

    thing({"free": {1: 2}}).validate()


def test_a_document_over_the_limit_is_refused_by_validate_and_save(
    connection: Connection, col: Collection
) -> None:
    thing = make({"text": str, "texts": [str], "free": dict})
    connection.register(thing)
    small = {"text": "", "texts": [], "free": {}}
    half = "x" * (8 * 1024 * 1024)

    col.Thing({**small, "text": half}).validate()
    for bad in (
        {"text": half * 2},
        {"texts": [half, half]},
        {"text": half, "free": {"a": half}},
    ):
        for doc in (thing({**small, **bad}), col.Thing({**small, **bad})):
            with pytest.raises(MaxDocumentSizeError):
                doc.validate()
        with pytest.raises(MaxDocumentSizeError):
            col.Thing({**small, **bad}).save(validate=False)
    assert col.count_documents({}) == 0


def test_get_size_is_the_size_as_bson() -> None:
    thing = make({"doc": {"foo": int, "bla": str}})

    assert thing({"doc": {"foo": 3, "bla": "bla bla"}}).get_size() == 41


class Upper(CustomType):
    mongo_type = str
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return value and value.lower()

    def to_python(self, value: Any) -> Any:
        return value and value.upper()


class Wrong(Upper):
    def to_bson(self, value: Any) -> Any:
        return 3


class Checked(Upper):
    def validate(self, value: Any, path: str) -> None:
        if value == "BAD":
            raise ValueError(f"{path} is bad")


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        (Upper(), "A", 3),
        ([Upper()], ["A"], [3]),
        ({"x": Upper()}, {"x": "A"}, {"x": 3}),
        ({str: Upper()}, {"k": "A"}, {"k": 3}),
        ([{"x": Upper()}], [{"x": "A"}], [{"x": 3}]),
        ({str: [{"x": Upper()}]}, {"k": [{"x": "A"}]}, {"k": [{"x": 3}]}),
        ((int, Upper()), [1, "A"], [1, 3]),
    ],
)
def test_custom_types_work_everywhere(
    spec: Any, good: Any, bad: Any, connection: Connection, col: Collection
) -> None:
    connection.register(make({"field": spec}))
    doc = col.Thing({"field": good})

    doc.save()

    assert doc["field"] == good
    stored = col.find_one()
    assert stored is not None
    assert "'a'" in str(stored["field"]) or stored["field"] == "a"
    assert col.Thing.find_one() == doc
    assert list(col.Thing.find()) == [doc]
    kind, text = refusal(col.Thing({"field": bad}))
    assert kind is SchemaTypeError
    assert text.endswith("must be an instance of str not int")


def test_the_mongo_type_is_checked_after_to_bson() -> None:
    assert refusal(make({"field": Wrong()})({"field": "A"})) == (
        SchemaTypeError,
        "field must be an instance of str not int",
    )


def test_a_custom_types_own_check_is_asked() -> None:
    with pytest.raises(ValueError, match="field is bad"):
        make({"field": Checked()})({"field": "BAD"}).validate()


def test_a_wrong_item_of_a_set_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not an instance"):
        make({"field": Set(int)})({"field": {"x"}}).validate()


def test_a_set_is_stored_sorted(connection: Connection, col: Collection) -> None:
    connection.register(make({"field": Set(int)}))
    col.Thing({"field": {3, 1, 2}}).save()

    stored = col.find_one()
    assert stored is not None
    assert stored["field"] == [1, 2, 3]


def test_a_failed_save_leaves_the_python_form(connection: Connection, col: Collection) -> None:
    connection.register(make({"field": Set(int), "unique": int}))
    col.create_index("unique", unique=True)
    col.Thing({"field": {1}, "unique": 1}).save()
    doc = col.Thing({"field": {2}, "unique": 1})

    with pytest.raises(Exception, match="duplicate"):
        doc.save()

    assert doc == {"field": {2}, "unique": 1}


def test_save_calls_validate_through_the_instance(connection: Connection, col: Collection) -> None:
    seen: list[Any] = []

    class Watched(Document):
        structure = {"a": int}

        def validate(self, *args: Any, **kwargs: Any) -> None:
            seen.append(kwargs)
            super().validate(*args, **kwargs)

    connection.register(Watched)
    col.Watched({"a": 1}).save()

    assert seen == [{"auto_migrate": False}]


def test_an_embedded_class_validates_what_stands_there() -> None:
    class Address(SchemaDocument):
        structure = {"city": str}
        required_fields = ["city"]
        validators = {"city": lambda city: len(city) > 1}

    thing = make({"address": Address, "others": [Address]})
    thing({"address": None, "others": [{"city": "Rome"}]}).validate()

    errors = thing({"address": {"city": 5}, "others": [{"city": None}, {"town": "x"}]}).errors()
    assert {e.path for e in errors} == {"address.city", "others.city", "others"}


def test_operators_are_equal_and_hash_alike_by_class_and_operands() -> None:
    assert OR(int, str) == OR(int, str)
    assert hash(OR(int, str)) == hash(OR(int, str))
    assert OR(int, str) != NOT(int, str)
    assert IS(1) != IS(True)
    assert repr(NOT(int, str)) == "<not int, not str>"
    assert repr(IS(1, 2)) == "<is 1 or is 2>"


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        (OR(int, float), 2**40),
        (OR(re.Pattern, str), re.compile("x")),
        (OR(Binary, str), Binary(b"x")),
        (IS(2**40, 1), 2**40),
    ],
    ids=["int", "pattern", "binary", "is"],
)
def test_what_an_operator_let_in_still_passes_when_it_is_read_back(
    operator: Any, value: Any, connection: Connection, col: Collection
) -> None:
    connection.register(make({"field": operator}))
    col.Thing({"field": value}).save()

    found = col.Thing.find_one()

    assert found is not None
    found.validate()


def test_a_large_int_does_not_slip_through_not_int_when_it_is_read_back() -> None:
    assert refusal(make({"field": NOT(int)})({"field": Int64(2**40)}))[0] is SchemaTypeError


def test_the_id_under_a_top_level_type_key_is_not_converted(
    connection: Connection, col: Collection
) -> None:
    connection.register(make({str: Upper()}))
    thing = col.Thing({"_id": "MixedCase", "field": "A"})
    thing.save()

    assert col.find_one() == {"_id": "MixedCase", "field": "a"}
    assert col.Thing.find_one() == thing


@pytest.mark.parametrize(
    ("structure", "content"),
    [
        ({"a": {str: int}}, {"a": {"x\0y": 1}}),
        ({str: int}, {"x\0y": 1}),
        ({"a": {"b": {str: [int]}}}, {"a": {"b": {"x\0y": [1]}}}),
    ],
)
def test_a_key_that_bson_would_cut_off_is_refused(structure: Any, content: Any) -> None:
    class Doc(Document):
        pass

    Doc.structure = structure
    compile_class(Doc)

    with pytest.raises(SchemaTypeError, match="must not hold a NUL character"):
        Doc(content).validate()
