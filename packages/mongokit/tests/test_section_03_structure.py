"""Section 3: what a structure may say, and what is refused when the class is made."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any, Final

import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from mongokit import (
    IS,
    NOT,
    OR,
    AuthorizedTypeError,
    BadKeyError,
    CustomType,
    Document,
    DuplicateI18nError,
    DuplicateRequiredError,
    OptionConflictError,
    SchemaDocument,
    Set,
    StructureError,
)


def make(base: type = Document, **namespace: Any) -> Any:
    return type(base)("Thing", (base,), namespace)


@pytest.mark.parametrize(
    "spec",
    [
        *(None, bool, int, float, str, bytes, list, dict, datetime, Binary, ObjectId, DBRef, Code),
        *(uuid.UUID, re.Pattern, Decimal128, Int64, Timestamp, Regex, MinKey, MaxKey),
        *({"a": int}, {}, [], [int], [{"a": str}], (int, str), [(float, float)], {str: int}),
        *({int: str}, {str: {"a": [int]}}, OR(int, str), NOT(int), IS(1, 2), Set(int), [None]),
        *([Set(int)], {str: Set(int)}, {"a": {"b": {"c": [(int, {"d": None})]}}}),
    ],
)
def test_every_type_spec_is_accepted(spec: Any) -> None:
    assert make(structure={"field": spec}).structure == {"field": spec}


@pytest.mark.parametrize("spec", [ObjectId, DBRef, uuid.UUID, Decimal128])
def test_a_schema_document_authorizes_fewer_types(spec: type) -> None:
    with pytest.raises(StructureError) as caught:
        make(SchemaDocument, structure={"field": spec})
    assert str(caught.value) == f"Thing: {spec} is not an authorized type"


def test_a_class_adds_authorized_types_of_its_own() -> None:
    class Money:
        pass

    class Priced(Document):
        structure = {"price": Money}
        authorized_types = [*Document.authorized_types, Money]

    class Sold(Priced):
        structure = {"paid": Money}

    assert Money in Sold.authorized_types
    assert ObjectId in Sold.authorized_types


def test_a_subclass_of_an_authorized_type_is_a_spec() -> None:
    class Name(str):
        __slots__ = ()

    assert make(structure={"name": Name})({"name": Name("x")}).validate() is None


@pytest.mark.parametrize("structure", [3, [], "structure", ("a",)])
def test_structure_that_is_no_dict_is_refused(structure: Any) -> None:
    with pytest.raises(StructureError):
        make(structure=structure)


def test_structure_may_be_none() -> None:
    assert make(structure=None)() == {}


@pytest.mark.parametrize(
    ("structure", "text"),
    [
        ({"a.b": int}, "Thing: a.b must not contain '.'"),
        ({"$a": int}, "Thing: $a must not start with '$'"),
        ({"x": {"a.b": int}}, "Thing: a.b must not contain '.'"),
    ],
)
def test_a_bad_key_is_named(structure: Any, text: str) -> None:
    with pytest.raises(BadKeyError) as caught:
        make(structure=structure)
    assert str(caught.value) == text


def test_a_key_that_is_neither_str_nor_type_is_refused() -> None:
    with pytest.raises(StructureError) as caught:
        make(structure={1: int})
    assert str(caught.value) == "Thing: 1 must be a str or a type"


def test_a_type_key_must_be_authorized() -> None:
    with pytest.raises(AuthorizedTypeError) as caught:
        make(structure={"a": {complex: int}})
    assert str(caught.value) == f"Thing: {complex} is not an authorized type"


@pytest.mark.parametrize("spec", [complex, [complex], {"a": complex}, {str: complex}, (int, set)])
def test_a_spec_that_is_not_authorized_is_refused(spec: Any) -> None:
    with pytest.raises(StructureError, match="is not an authorized type"):
        make(structure={"a": spec})


@pytest.mark.parametrize("spec", [lambda: None, 3, "str"])
def test_a_spec_that_is_no_type_is_a_type_error(spec: Any) -> None:
    with pytest.raises(TypeError) as caught:
        make(structure={"a": spec})
    assert str(caught.value) == f"Thing: {spec} is not a type"


def test_operands_of_or_and_not_must_be_authorized_types() -> None:
    with pytest.raises(StructureError) as caught:
        make(structure={"a": OR(int, complex)})
    assert str(caught.value) == (
        f"Thing: {complex} in <int or complex> is not an authorized type (type found)"
    )
    with pytest.raises(StructureError):
        make(structure={"a": NOT(complex)})


def test_operands_of_is_must_be_values_of_authorized_types() -> None:
    with pytest.raises(StructureError, match=r"\(complex found\)"):
        make(structure={"a": IS(1j)})


@pytest.mark.parametrize(
    ("descriptor", "value"),
    [
        ("required_fields", ["nowhere"]),
        ("default_values", {"nowhere": 1}),
        ("validators", {"nowhere": bool}),
        ("i18n", ["nowhere"]),
        ("required_fields", ["a.nowhere"]),
        ("default_values", {"a.b.nowhere": 1}),
    ],
)
def test_a_path_that_is_not_in_the_structure_is_named(descriptor: str, value: Any) -> None:
    with pytest.raises(ValueError, match=descriptor) as caught:
        make(structure={"a": {"b": int}}, **{descriptor: value})
    path = next(iter(value))
    assert str(caught.value) == f"Error in {descriptor}: can't find {path} in structure"


def test_duplicates_in_required_fields_are_refused() -> None:
    with pytest.raises(DuplicateRequiredError) as caught:
        make(structure={"a": int}, required_fields=["a", "a"])
    assert str(caught.value) == "duplicate required_fields : ['a']"


def test_duplicates_in_i18n_are_refused() -> None:
    with pytest.raises(DuplicateI18nError):
        make(structure={"a": str}, i18n=["a", "a"])


def test_a_type_key_stands_in_a_path_with_its_name() -> None:
    for path in ("a.$str.b", "a.$unicode.b", "a.$basestring.b"):
        thing = make(structure={"a": {str: {"b": int}}}, required_fields=[path])
        assert [e.path for e in thing({"a": {"x": {"b": None}}}).errors()] == ["a.$str.b"]
    make(structure={"a": {int: str}}, required_fields=["a.$long"])


def test_a_path_may_lead_through_a_list_of_dicts() -> None:
    thing = make(structure={"a": [{"b": int}]}, required_fields=["a.b"])

    assert thing({"a": [{"b": 1}]}).errors() == []
    assert [e.message for e in thing({"a": [{"b": 1}, {"b": None}]}).errors()] == [
        "a.b is required"
    ]


def test_inheritance_merges_and_the_child_wins() -> None:
    class Parent(Document):
        structure = {"a": {"x": int}, "b": int}
        required_fields = ["b"]
        default_values = {"b": 1}
        validators = {"b": lambda value: value > 0}

    class Child(Parent):
        structure = {"a": {"y": int}, "c": int}
        required_fields = ["c"]
        default_values = {"b": 2, "c": 3}

    assert Child.structure == {"a": {"y": int}, "b": int, "c": int}
    assert sorted(Child.required_fields) == ["b", "c"]
    assert Child() == {"a": {"y": None}, "b": 2, "c": 3}
    assert "b" in Child.validators
    assert Parent.structure == {"a": {"x": int}, "b": int}
    assert Parent.default_values == {"b": 1}


def test_the_parents_are_not_changed_through_the_child() -> None:
    class Parent(Document):
        structure = {"a": {"x": int}}

    class Child(Parent):
        structure = {"b": int}

    Child.structure["a"]["z"] = str

    assert Parent.structure == {"a": {"x": int}}


def test_multiple_inheritance_goes_in_the_order_of_the_bases() -> None:
    class A(Document):
        structure = {"a": int, "both": int}
        default_values = {"both": 1}

    class B(Document):
        structure = {"b": int, "both": str}
        default_values = {"both": "x"}
        required_fields = ["b"]

    class C(A, B):
        structure = {"c": int}

    assert C.structure == {"a": int, "b": int, "c": int, "both": int}
    assert C.default_values == {"both": 1}
    assert C.required_fields == ["b"]


def test_options_are_inherited_as_class_attributes() -> None:
    class Parent(Document):
        use_dot_notation = True
        use_schemaless = True

    class Child(Parent):
        structure = {"a": int}

    child = Child()
    child.a = 1
    assert child == {"a": 1}
    Child({"other": 1}).validate()


def test_the_options_defaults() -> None:
    assert {
        name: getattr(Document, name)
        for name in (
            *("use_dot_notation", "dot_notation_warning", "use_schemaless", "use_autorefs"),
            *("force_autorefs_current_db", "skip_validation", "raise_validation_errors"),
            *("type_field", "gridfs", "indexes", "migration_handler", "atomic_save"),
        )
    } == {
        "use_dot_notation": False,
        "dot_notation_warning": False,
        "use_schemaless": False,
        "use_autorefs": False,
        "force_autorefs_current_db": False,
        "skip_validation": False,
        "raise_validation_errors": True,
        "type_field": "_type",
        "gridfs": [],
        "indexes": [],
        "migration_handler": None,
        "atomic_save": False,
    }


def test_atomic_save_is_a_deprecation_warning_raised() -> None:
    with pytest.raises(DeprecationWarning):
        make(structure={"a": int}, atomic_save=True)


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        *(("default_values", 5, "a dict"), ("validators", ["a"], "a dict")),
        *(("required_fields", "name", "a list"), ("required_fields", {"a": 1}, "a list")),
        *(("i18n", "a", "a list"), ("authorized_types", str, "a list")),
        ("validators", {"a": [len, 5]}, "validator of a is not callable"),
        ("migration_handler", "later", "a DocumentMigration class"),
        *(("gridfs", "source", "a list of names"), ("gridfs", [1], "a list of names")),
        ("gridfs", {"files": "source"}, "a list of names"),
        ("gridfs", {"container": ["images"]}, "files and containers, not container"),
    ],
)
def test_a_descriptor_of_another_kind_is_refused(option: str, value: Any, text: str) -> None:
    with pytest.raises(StructureError, match=f"Thing.*{text}"):
        make(structure={"a": int}, **{option: value})


def test_options_may_be_annotated() -> None:
    class Typed(Document):
        structure: dict[str, Any] = {"a": int}  # type: ignore[misc]
        use_dot_notation: bool = True  # type: ignore[misc]
        required_fields: list[str] = ["a"]  # type: ignore[misc]
        validators: dict[str, Any] = {"a": abs}  # type: ignore[misc]
        indexes: list[Any] = [{"fields": "a"}]  # type: ignore[misc]
        LIMIT: Final = 3

    assert list(Typed.structure or ()) == ["a"]
    assert (Typed.required_fields, Typed.LIMIT) == (["a"], 3)
    assert Typed(gen_skel=False).errors() != []


def test_a_migration_handler_and_schemaless_contradict() -> None:
    with pytest.raises(OptionConflictError) as caught:
        make(structure={"a": int}, migration_handler=object, use_schemaless=True)
    assert str(caught.value) == (
        "You cannot set a migration_handler with use_schemaless set to True"
    )


def test_required_in_place_of_required_fields_is_a_clear_error() -> None:
    with pytest.raises(StructureError, match="required_fields"):
        make(structure={"a": int}, required=["a"])


def test_a_custom_type_must_say_its_types() -> None:
    class Half(CustomType):
        mongo_type = str

    with pytest.raises(TypeError, match="python_type"):
        Half()
