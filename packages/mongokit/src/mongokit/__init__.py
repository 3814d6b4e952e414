"""The MongoKit document mapper on PyMongo 4.

Example:
    >>> from mongokit import Document, ObjectId
    >>> @connection.register
    ... class User(Document):
    ...     structure = {"name": str}
    >>> user = db.people.User({"name": "Ada"})
    >>> user.save()
    >>> isinstance(user["_id"], ObjectId)
    True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bson import DBRef, ObjectId

from mongokit.annotations import field
from mongokit.collection import Collection
from mongokit.connection import (
    Connection,
    MasterSlaveConnection,
    MongoClient,
    MongoReplicaSetClient,
    ReplicaSetConnection,
)
from mongokit.cursor import Cursor
from mongokit.database import Database
from mongokit.declaration import DocumentProperties, SchemaProperties
from mongokit.document import Document
from mongokit.dotted import DotCollapsedDict, DotedDict, DotExpandedDict, i18nDotedDict
from mongokit.embedded import Embedded
from mongokit.errors import (
    AuthorizedTypeError,
    AutoReferenceError,
    BadIndexError,
    BadKeyError,
    BulkValidationError,
    ConditionNotMet,
    ConnectionError,  # noqa: A004 - the classic name
    DefaultFieldTypeError,
    DeprecationError,
    DuplicateDefaultValueError,
    DuplicateI18nError,
    DuplicateRequiredError,
    EvalException,
    Failure,
    InvalidDocument,
    MaxDocumentSizeError,
    ModifierOperatorError,
    MongoAuthException,
    MongoKitError,
    MultipleResultsFound,
    OperationFailure,
    OptionConflictError,
    QueryTypeError,
    RequireFieldError,
    SchemaDocumentError,
    SchemaTypeError,
    StaleDocument,
    StructureError,
    UniqueIndexConflict,
    UnknownFieldError,
    UpdateQueryError,
    ValidationError,
    i18nError,
)
from mongokit.helpers import fromtimestamp, totimestamp, utcnow
from mongokit.i18n import i18n
from mongokit.indexes import (
    INDEX_ALL,
    INDEX_ASCENDING,
    INDEX_DESCENDING,
    INDEX_GEO2D,
    INDEX_GEOHAYSTACK,
    INDEX_GEOSPHERE,
    INDEX_HASHED,
    INDEX_OFF,
    INDEX_TEXT,
)
from mongokit.manager import Documents
from mongokit.migration import DocumentMigration
from mongokit.operators import IS, NOT, OR, AnyOf, SchemaOperator
from mongokit.schema_document import SchemaDocument
from mongokit.types import CustomType, Set

if TYPE_CHECKING:
    from mongokit.versioned_document import RevisionDocument, VersionedDocument
    from mongokit.watching import Change, ChangeStream

__all__ = [
    "INDEX_ALL",
    "INDEX_ASCENDING",
    "INDEX_DESCENDING",
    "INDEX_GEO2D",
    "INDEX_GEOHAYSTACK",
    "INDEX_GEOSPHERE",
    "INDEX_HASHED",
    "INDEX_OFF",
    "INDEX_TEXT",
    "IS",
    "NOT",
    "OR",
    "AnyOf",
    "AuthorizedTypeError",
    "AutoReferenceError",
    "BadIndexError",
    "BadKeyError",
    "BulkValidationError",
    "Change",
    "ChangeStream",
    "Collection",
    "ConditionNotMet",
    "Connection",
    "ConnectionError",
    "Cursor",
    "CustomType",
    "DBRef",
    "Database",
    "DefaultFieldTypeError",
    "DeprecationError",
    "Document",
    "DocumentMigration",
    "DocumentProperties",
    "Documents",
    "DotCollapsedDict",
    "DotExpandedDict",
    "DotedDict",
    "DuplicateDefaultValueError",
    "DuplicateI18nError",
    "DuplicateRequiredError",
    "Embedded",
    "EvalException",
    "Failure",
    "InvalidDocument",
    "MasterSlaveConnection",
    "MaxDocumentSizeError",
    "ModifierOperatorError",
    "MongoAuthException",
    "MongoClient",
    "MongoKitError",
    "MongoReplicaSetClient",
    "MultipleResultsFound",
    "ObjectId",
    "OperationFailure",
    "OptionConflictError",
    "QueryTypeError",
    "ReplicaSetConnection",
    "RequireFieldError",
    "RevisionDocument",
    "SchemaDocument",
    "SchemaDocumentError",
    "SchemaOperator",
    "SchemaProperties",
    "SchemaTypeError",
    "Set",
    "StaleDocument",
    "StructureError",
    "UniqueIndexConflict",
    "UnknownFieldError",
    "UpdateQueryError",
    "ValidationError",
    "VersionedDocument",
    "field",
    "fromtimestamp",
    "i18n",
    "i18nDotedDict",
    "i18nError",
    "totimestamp",
    "utcnow",
]

# Imported at their first use: an application that has no files or revisions needs none of them.
_LATER = {
    "Change": "watching",
    "ChangeStream": "watching",
    "RevisionDocument": "versioned_document",
    "VersionedDocument": "versioned_document",
}
_MODULES = frozenset(
    {"auth", "compat", "grid", "json", "mongo_exceptions", "paginator", "versioned_document"}
)


def __getattr__(name: str) -> Any:
    """Import what is imported late; `mongokit.paginator` is there without an import, as ever."""
    if name in _LATER:
        return getattr(import_module(f"mongokit.{_LATER[name]}"), name)
    if name in _MODULES:
        return import_module(f"mongokit.{name}")
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - takes as long as all the rest

        return version("mongokit")
    raise AttributeError(f"module 'mongokit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_MODULES})
