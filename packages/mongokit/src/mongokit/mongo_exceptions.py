"""The errors, under the path that MongoKit 0.9 had them.

Example:
    >>> from mongokit.mongo_exceptions import StructureError
"""

from __future__ import annotations

from mongokit.errors import (
    AuthorizedTypeError,
    AutoReferenceError,
    BadIndexError,
    BadKeyError,
    BulkValidationError,
    ConnectionError,  # noqa: A004 - the classic name
    DefaultFieldTypeError,
    DeprecationError,
    DuplicateDefaultValueError,
    DuplicateI18nError,
    DuplicateRequiredError,
    EvalException,
    InvalidDocument,
    MaxDocumentSizeError,
    ModifierOperatorError,
    MongoAuthException,
    MultipleResultsFound,
    OperationFailure,
    OptionConflictError,
    RequireFieldError,
    SchemaDocumentError,
    SchemaTypeError,
    StructureError,
    UpdateQueryError,
    ValidationError,
    i18nError,
)

__all__ = [
    "AuthorizedTypeError",
    "AutoReferenceError",
    "BadIndexError",
    "BadKeyError",
    "BulkValidationError",
    "ConnectionError",
    "DefaultFieldTypeError",
    "DeprecationError",
    "DuplicateDefaultValueError",
    "DuplicateI18nError",
    "DuplicateRequiredError",
    "EvalException",
    "InvalidDocument",
    "MaxDocumentSizeError",
    "ModifierOperatorError",
    "MongoAuthException",
    "MultipleResultsFound",
    "OperationFailure",
    "OptionConflictError",
    "RequireFieldError",
    "SchemaDocumentError",
    "SchemaTypeError",
    "StructureError",
    "UpdateQueryError",
    "ValidationError",
    "i18nError",
]
