"""Section 12: the tree of errors, and how each is met."""

from __future__ import annotations

import builtins
import pickle
from typing import TYPE_CHECKING, Any

import bson.errors
import pymongo.errors
import pytest

import mongokit
from mongokit import (
    Connection,
    Document,
    MongoKitError,
    SchemaDocument,
    SchemaDocumentError,
    SchemaTypeError,
    ValidationError,
    mongo_exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OF_A_SCHEMA = [
    *("RequireFieldError", "StructureError", "BadKeyError", "AuthorizedTypeError"),
    *("ValidationError", "DuplicateRequiredError", "DuplicateDefaultValueError"),
    *("ModifierOperatorError", "SchemaTypeError", "DefaultFieldTypeError", "i18nError"),
]
BESIDE = [
    *("ConnectionError", "MongoAuthException", "MultipleResultsFound", "BadIndexError"),
    *("AutoReferenceError", "MaxDocumentSizeError", "OptionConflictError", "UpdateQueryError"),
    *("EvalException", "DeprecationError", "DuplicateI18nError"),
]


def error_of(**declaration: Any) -> Exception:
    """What making a class of this declaration raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any, so that its class can be compared
        type("Doc", (Document,), declaration)
    return caught.value


@pytest.mark.parametrize("name", OF_A_SCHEMA)
def test_errors_of_a_declaration_are_schema_document_errors(name: str) -> None:
    assert getattr(mongokit, name).__bases__ == (SchemaDocumentError,)


@pytest.mark.parametrize("name", BESIDE)
def test_the_others_stand_beside_it(name: str) -> None:
    error = getattr(mongokit, name)

    assert issubclass(error, MongoKitError)
    assert not issubclass(error, SchemaDocumentError)


@pytest.mark.parametrize("name", ["SchemaDocumentError", *OF_A_SCHEMA, *BESIDE])
def test_one_base_is_above_all_of_ours(name: str) -> None:
    assert issubclass(getattr(mongokit, name), MongoKitError)


@pytest.mark.parametrize("name", ["SchemaDocumentError", *OF_A_SCHEMA, *BESIDE])
def test_the_old_module_has_the_same_classes(name: str) -> None:
    assert getattr(mongo_exceptions, name) is getattr(mongokit, name)


def test_connection_error_is_the_builtin_one_too() -> None:
    assert issubclass(mongokit.ConnectionError, builtins.ConnectionError)
    assert issubclass(mongokit.ConnectionError, OSError)


def test_operation_failure_and_invalid_document_are_the_drivers() -> None:
    assert mongokit.OperationFailure is pymongo.errors.OperationFailure
    assert mongokit.InvalidDocument is bson.errors.InvalidDocument


@pytest.mark.parametrize("name", ["SchemaDocumentError", *OF_A_SCHEMA, *BESIDE])
def test_every_error_can_be_made_with_a_text_and_without(name: str) -> None:
    error = getattr(mongokit, name)

    assert str(error("a text")) == "a text"
    assert error().args == ()


def test_a_schema_error_carries_path_rule_value_and_class() -> None:
    class Doc(Document):
        structure = {"a": {"age": int}}

    with pytest.raises(SchemaTypeError) as caught:
        Doc({"a": {"age": "a secret"}}).validate()

    error = caught.value
    assert (error.path, error.rule, error.value) == ("a.age", "type", "a secret")
    assert error.document_class is Doc
    assert "secret" not in str(error) + repr(error)


def test_a_schema_error_has_every_failure_this_one_first() -> None:
    class Doc(Document):
        structure = {"a": int, "b": int}

    with pytest.raises(SchemaTypeError) as caught:
        Doc({"a": "1", "b": "2"}).validate()

    assert [failure.path for failure in caught.value.errors] == ["a", "b"]
    assert caught.value.errors[0].message == str(caught.value)
    assert "1" not in repr(caught.value.errors[0]).replace("must", "")


def test_the_cause_of_a_validator_is_kept() -> None:
    def refuse(value: Any) -> bool:
        raise KeyError("%s is refused")

    class Doc(Document):
        structure = {"a": int}
        validators = {"a": refuse}

    with pytest.raises(ValidationError) as caught:
        Doc({"a": 1}).validate()

    assert isinstance(caught.value.__cause__, KeyError)


def test_errors_survive_pickling() -> None:
    error = SchemaTypeError("a is wrong", path="a", value=3)

    copied = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert (type(copied), str(copied), copied.path) == (SchemaTypeError, "a is wrong", "a")


# How each is met.


def test_declaration_errors_are_of_the_named_classes() -> None:
    assert type(error_of(structure=3)) is mongokit.StructureError
    assert type(error_of(structure={"a.b": int})) is mongokit.BadKeyError
    assert type(error_of(structure={"$a": int})) is mongokit.BadKeyError
    assert type(error_of(structure={Connection: int})) is mongokit.AuthorizedTypeError
    assert (
        type(error_of(structure={"a": int}, required_fields=["a", "a"]))
        is mongokit.DuplicateRequiredError
    )
    assert type(error_of(structure={"a": int}, i18n=["a", "a"])) is mongokit.DuplicateI18nError
    assert type(error_of(structure={"a": int}, indexes=[{}])) is mongokit.BadIndexError
    assert (
        type(error_of(structure={"a": int}, migration_handler=object, use_schemaless=True))
        is mongokit.OptionConflictError
    )


def test_a_default_of_another_type_than_its_custom_type_is_a_default_field_type_error() -> None:
    declaration = {"structure": {"a": mongokit.Set(int)}, "default_values": {"a": [1]}}

    with pytest.raises(mongokit.DefaultFieldTypeError):
        type("Doc", (SchemaDocument,), declaration)()


def test_an_unbound_document_is_a_connection_error_with_the_text() -> None:
    class Doc(Document):
        structure = {"a": int}

    uses: tuple[Callable[[], Any], ...] = (
        lambda: Doc().collection,
        lambda: Doc().db,
        lambda: Doc().connection,
        lambda: Doc().save(),
        lambda: Doc().find_one(),
    )
    for use in uses:
        with pytest.raises(mongokit.ConnectionError, match="No collection found"):
            use()


def test_more_than_one_result_is_multiple_results_found(
    connection: Connection, col: mongokit.Collection
) -> None:
    class Doc(Document):
        structure = {"a": int}

    connection.register(Doc)
    col.insert_many([{"a": 1}, {"a": 1}])

    with pytest.raises(mongokit.MultipleResultsFound):
        col.Doc.one()


def test_a_document_over_the_server_s_limit_is_a_max_document_size_error(
    connection: Connection, col: mongokit.Collection
) -> None:
    class Doc(Document):
        structure = {"a": bytes}

    connection.register(Doc)

    with pytest.raises(mongokit.MaxDocumentSizeError):
        col.Doc({"a": b"x" * (16 * 1024 * 1024)}).save()
    assert col.count_documents({}) == 0
