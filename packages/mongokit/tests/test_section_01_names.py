"""Section 1: the names, from the package and from the old module paths."""

from __future__ import annotations

import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import import_module, metadata
from typing import Any

import bson
import pymongo.errors
import pytest

import mongokit
from mongokit import compat, cursor, paginator

ERRORS = [
    *("SchemaDocumentError", "RequireFieldError", "StructureError", "BadKeyError"),
    *("AuthorizedTypeError", "ValidationError", "DuplicateRequiredError"),
    *("DuplicateDefaultValueError", "ModifierOperatorError", "SchemaTypeError"),
    *("DefaultFieldTypeError", "i18nError", "ConnectionError", "MongoAuthException"),
    *("MultipleResultsFound", "BadIndexError", "AutoReferenceError", "MaxDocumentSizeError"),
    *("OptionConflictError", "UpdateQueryError", "EvalException", "DeprecationError"),
    *("DuplicateI18nError", "OperationFailure", "InvalidDocument", "MongoKitError"),
]
NAMES = [
    *("Connection", "MongoClient", "ReplicaSetConnection", "MongoReplicaSetClient"),
    *("MasterSlaveConnection", "Database", "Collection", "Cursor", "Document", "SchemaDocument"),
    *("VersionedDocument", "RevisionDocument", "DocumentMigration", "CustomType", "Set", "i18n"),
    *("OR", "NOT", "IS", "SchemaOperator", "ObjectId", "DBRef", "DotedDict", "DotCollapsedDict"),
    *("DotExpandedDict", "i18nDotedDict", "SchemaProperties", "DocumentProperties"),
    *("INDEX_ASCENDING", "INDEX_DESCENDING", "INDEX_GEO2D", "INDEX_GEOSPHERE", "INDEX_HASHED"),
    *("INDEX_TEXT", "INDEX_OFF", "INDEX_ALL", "INDEX_GEOHAYSTACK"),
    *("totimestamp", "fromtimestamp"),
    *ERRORS,
]

OLD_PATHS = {
    "schema_document": [
        *("SchemaDocument", "SchemaProperties", "CustomType", "Set", "i18n"),
        *("StructureError", "SchemaTypeError", "ValidationError", "RequireFieldError"),
        *("OR", "NOT", "IS", "SchemaOperator"),
        *("DotedDict", "DotCollapsedDict", "DotExpandedDict", "i18nDotedDict"),
    ],
    "document": [
        *("Document", "DocumentProperties", "SchemaDocument", "CustomType", "StructureError"),
        *("MultipleResultsFound", "BadIndexError", "AutoReferenceError", "OptionConflictError"),
        *("MaxDocumentSizeError", "InvalidDocument", "OperationFailure"),
    ],
    "connection": ["Connection", "MongoClient", "ReplicaSetConnection", "MasterSlaveConnection"],
    "database": ["Database"],
    "collection": ["Collection"],
    "cursor": ["Cursor"],
    "operators": ["OR", "NOT", "IS", "SchemaOperator"],
    "helpers": [
        *("totimestamp", "fromtimestamp", "i18nDotedDict"),
        *("DotedDict", "DotCollapsedDict", "DotExpandedDict"),
    ],
    "paginator": ["Paginator"],
    "grid": ["FS", "FSContainer"],
    "migration": ["DocumentMigration"],
    "versioned_document": ["VersionedDocument", "RevisionDocument"],
    "mongo_exceptions": ERRORS[:-1],
    "auth": ["User"],
}


def test_star_import_gives_every_name() -> None:
    found: dict[str, Any] = {}

    exec("from mongokit import *", found)  # noqa: S102 - a star import belongs at a module's top

    assert [name for name in NAMES if name not in found] == []
    assert all(found[name] is getattr(mongokit, name) for name in NAMES)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in OLD_PATHS.items() for name in names]
)
def test_old_module_paths_have_their_names(module: str, name: str) -> None:
    found = getattr(import_module(f"mongokit.{module}"), name)

    assert found is getattr(mongokit, name, found)


def test_the_version_is_told() -> None:
    assert mongokit.__version__ == metadata.version("mongokit")


def test_modules_are_attributes_of_the_package_without_an_import() -> None:
    modules = [*OLD_PATHS, "compat"]
    code = f"import mongokit; print(*(getattr(mongokit, name).__name__ for name in {modules}))"

    assert _run("-c", code).split() == [f"mongokit.{module}" for module in modules]


def _run(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stderr == ""
    return done.stdout


def test_cursor_and_paginator_are_imported_as_modules() -> None:
    assert (cursor.__name__, paginator.__name__) == ("mongokit.cursor", "mongokit.paginator")


def test_i18n_stays_the_class_when_its_module_is_imported() -> None:
    import_module("mongokit.i18n")

    assert isinstance(mongokit.i18n, type)


def test_the_four_names_of_the_client_are_one_class() -> None:
    assert mongokit.MongoClient is mongokit.Connection
    assert mongokit.ReplicaSetConnection is mongokit.Connection
    assert mongokit.MongoReplicaSetClient is mongokit.Connection
    assert issubclass(mongokit.Connection, pymongo.MongoClient)


def test_master_slave_connection_names_its_replacement() -> None:
    with pytest.raises(mongokit.DeprecationError, match="read preference"):
        mongokit.MasterSlaveConnection("localhost")


def test_object_id_db_ref_and_the_drivers_errors_are_the_drivers() -> None:
    assert (mongokit.ObjectId, mongokit.DBRef) == (bson.ObjectId, bson.DBRef)
    assert mongokit.OperationFailure is pymongo.errors.OperationFailure
    assert mongokit.InvalidDocument is bson.errors.InvalidDocument


def test_compat_gives_python_2s_names() -> None:
    assert (compat.unicode, compat.basestring, compat.long) == (str, str, int)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = mongokit.nothing


def test_importing_the_package_imports_no_gridfs_and_warns_of_nothing() -> None:
    code = "import sys, mongokit; print('gridfs' in sys.modules, 'mongokit.auth' in sys.modules)"

    assert _run("-W", "error", "-c", code) == "False False\n"


# The guards: what is public is listed, in order, and explained.


def _rank(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_all_is_sorted() -> None:
    assert mongokit.__all__ == sorted(mongokit.__all__, key=_rank)


def test_all_is_complete() -> None:
    public = {
        name
        for name, value in vars(mongokit).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and name not in {"Any", "annotations", "import_module", "TYPE_CHECKING"}
    }

    assert public <= set(mongokit.__all__)
    assert set(NAMES) <= set(mongokit.__all__)


@pytest.mark.parametrize("name", mongokit.__all__)
def test_every_public_name_has_a_docstring_of_its_own(name: str) -> None:
    value = getattr(mongokit, name)
    if not isinstance(value, (int, str)):  # the index directions
        own = vars(value).get("__doc__") if isinstance(value, type) else value.__doc__
        assert own
        assert own.strip()


def _modules() -> list[str]:
    found = pkgutil.walk_packages(mongokit.__path__, "mongokit.")
    return [module.name for module in found]


@pytest.mark.parametrize("name", _modules())
def test_every_module_has_a_docstring_and_an_honest_all(name: str) -> None:
    module = import_module(name)

    assert module.__doc__
    listed = getattr(module, "__all__", [])
    assert all(hasattr(module, each) for each in listed)
    assert listed == sorted(listed, key=_rank)


@pytest.mark.parametrize("name", _modules())
def test_public_functions_and_methods_of_every_module_have_docstrings(name: str) -> None:
    module = import_module(name)
    undocumented = []
    for owner_name, owner in vars(module).items():
        if owner_name.startswith("_") or getattr(owner, "__module__", None) != name:
            continue
        if not (isinstance(owner, type) or inspect.isfunction(owner)):
            continue
        if not getattr(owner, "__doc__", None):
            undocumented.append(owner_name)
        if isinstance(owner, type):
            undocumented += [
                f"{owner_name}.{member}"
                for member, value in vars(owner).items()
                if re.match(r"[^_]", member)
                and (inspect.isfunction(value) or isinstance(value, (classmethod, property)))
                and not inspect.getdoc(getattr(owner, member))
            ]
    assert undocumented == []
