"""Every error that the mapper raises, as one tree.

    MongoKitError
    ├── SchemaDocumentError           a class or a document breaks its declaration
    │   ├── StructureError            unknown or missing fields; a malformed structure
    │   ├── BadKeyError               a key with a dot, or one that starts with $
    │   ├── SchemaTypeError           a value of another type than the declared one
    │   ├── AuthorizedTypeError       a type that no document may hold
    │   ├── RequireFieldError         a required field without a value
    │   ├── ValidationError           a validator refused the value
    │   ├── DefaultFieldTypeError     a default of another type than its field
    │   ├── DuplicateRequiredError, DuplicateDefaultValueError
    │   ├── ModifierOperatorError
    │   └── i18nError
    ├── ConnectionError               no collection is bound, or it cannot be reached
    ├── BulkValidationError           several documents at once, some of them invalid
    ├── UnknownFieldError             a query or update names a field that is not declared
    ├── QueryTypeError                a query compares with what a field can never hold
    ├── StaleDocument                 another writer was faster
    ├── ConditionNotMet               a patch whose condition does not hold
    ├── MultipleResultsFound, BadIndexError, AutoReferenceError, MaxDocumentSizeError,
    │   OptionConflictError, UpdateQueryError, EvalException, MongoAuthException,
    │   DuplicateI18nError, UniqueIndexConflict
    └── DeprecationError

`OperationFailure` and `InvalidDocument` are PyMongo's and bson's own.

Example:
    >>> from mongokit import InvalidDocument, OperationFailure
    >>> for bad in ({"name": "Ada"}, {"name": "Ada", "email": None, "age": "36"}):
    ...     try:
    ...         User(bad).validate()
    ...     except SchemaDocumentError as error:
    ...         print(error.path, error.rule)
    None missing
    age type
    >>> try:
    ...     db.command("noSuchCommand")
    ... except OperationFailure as error:
    ...     print(error.code)
    59
    >>> try:
    ...     db.users.insert_one({"name": object()})
    ... except InvalidDocument:
    ...     print("BSON has no such type")
    BSON has no such type
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bson.errors import InvalidDocument
from pymongo.errors import OperationFailure

__all__ = [
    "AuthorizedTypeError",
    "AutoReferenceError",
    "BadIndexError",
    "BadKeyError",
    "BulkValidationError",
    "ConditionNotMet",
    "ConnectionError",
    "DefaultFieldTypeError",
    "DeprecationError",
    "DuplicateDefaultValueError",
    "DuplicateI18nError",
    "DuplicateRequiredError",
    "EvalException",
    "Failure",
    "InvalidDocument",
    "MaxDocumentSizeError",
    "ModifierOperatorError",
    "MongoAuthException",
    "MongoKitError",
    "MultipleResultsFound",
    "OperationFailure",
    "OptionConflictError",
    "QueryTypeError",
    "RequireFieldError",
    "SchemaDocumentError",
    "SchemaTypeError",
    "StaleDocument",
    "StructureError",
    "UniqueIndexConflict",
    "UnknownFieldError",
    "UpdateQueryError",
    "ValidationError",
    "i18nError",
]


class MongoKitError(Exception):
    """The base of every error that `mongokit` itself defines.

    Example:
        >>> issubclass(ValidationError, MongoKitError)
        True
    """


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason why a document does not validate.

    Attributes:
        path: The dotted field name, or '' for the document as a whole.
        rule: What was broken: 'type', 'required', 'unknown', 'missing', 'validator', ...
        message: One sentence for a person; the value never stands in it unless the declaration
            itself lists the allowed values.
        value: The refused value. Kept out of `repr()`, since it may be a secret.

    Example:
        >>> Failure("age", "type", "age must be an instance of int not str", "x").path
        'age'
    """

    path: str
    rule: str
    message: str
    value: Any = field(default=None, repr=False, compare=False)


class SchemaDocumentError(MongoKitError):
    """A class or a document does not follow its declaration.

    Attributes:
        path: The dotted field name, or None where no single field is at fault.
        rule: A short name of the broken rule, for programs.
        value: The refused value; never part of the text.
        document_class: The class whose declaration was broken.
        errors: Every failure of the document, this one first (see `Failure`).

    Example:
        >>> SchemaDocumentError("x is wrong", path="x").path
        'x'
    """

    default_rule: ClassVar[str] = "schema"

    def __init__(
        self,
        *args: object,
        path: str | None = None,
        rule: str | None = None,
        value: Any = None,
        document_class: type | None = None,
    ) -> None:
        super().__init__(*args)
        self.path = path
        self.rule = rule or self.default_rule
        self.value = value
        self.document_class = document_class
        self.errors: list[Failure] = []

    @property
    def failure(self) -> Failure:
        """This error alone, as data."""
        return Failure(self.path or "", self.rule, str(self), self.value)


class StructureError(SchemaDocumentError):
    """The structure is malformed, or a document's fields are not the declared ones.

    Example:
        >>> User({"name": "Ada", "emial": "ada@example.org", "age": 36}).validate()
        Traceback (most recent call last):
        mongokit.errors.StructureError: unknown fields ['emial'] in User...
    """

    default_rule = "structure"


class BadKeyError(SchemaDocumentError):
    """A declared key holds a dot or starts with a dollar sign.

    Example:
        >>> class Price(Document):
        ...     structure = {"in.euro": float}
        Traceback (most recent call last):
        mongokit.errors.BadKeyError: Price: in.euro must not contain '.'
    """

    default_rule = "key"


class AuthorizedTypeError(SchemaDocumentError):
    """A value, or a type key, of a type that the class does not authorize.

    Example:
        >>> class Note(Document):
        ...     structure = {"anything": None}
        >>> Note({"anything": object()}).validate()
        Traceback (most recent call last):
        mongokit.errors.AuthorizedTypeError: ...
    """

    default_rule = "authorized_type"


class SchemaTypeError(SchemaDocumentError):
    """A value is not of its declared type.

    Example:
        >>> User({"name": b"Ada", "email": None, "age": None}).validate()
        Traceback (most recent call last):
        mongokit.errors.SchemaTypeError: name must be an instance of str not bytes
    """

    default_rule = "type"


class RequireFieldError(SchemaDocumentError):
    """A required field is missing or empty.

    Example:
        >>> User().validate()
        Traceback (most recent call last):
        mongokit.errors.RequireFieldError: name is required
    """

    default_rule = "required"


class ValidationError(SchemaDocumentError):
    """A validator refused a value; what the validator raised is `__cause__`.

    Example:
        >>> class Adult(User):
        ...     validators = {"age": lambda age: age >= 18}
        >>> Adult({"name": "Kid", "email": None, "age": 9}).validate()
        Traceback (most recent call last):
        mongokit.errors.ValidationError: age does not pass the validator <lambda>
    """

    default_rule = "validator"


class DefaultFieldTypeError(SchemaDocumentError):
    """A default value is not of its field's type.

    Example:
        >>> class Tag(Document):
        ...     structure = {"names": Set(str)}
        ...     default_values = {"names": ["python"]}
        >>> Tag()
        Traceback (most recent call last):
        mongokit.errors.DefaultFieldTypeError: names must be an instance of set not list
    """

    default_rule = "default"


class DuplicateRequiredError(SchemaDocumentError):
    """A field stands twice in `required_fields`.

    Example:
        >>> class Tag(Document):
        ...     structure = {"name": str}
        ...     required_fields = ["name", "name"]
        Traceback (most recent call last):
        mongokit.errors.DuplicateRequiredError: duplicate required_fields : ['name']
    """

    default_rule = "duplicate"


class DuplicateDefaultValueError(SchemaDocumentError):
    """A field has two default values.

    A classic name that `except` clauses hold; nothing raises it any more.

    Example:
        >>> issubclass(DuplicateDefaultValueError, SchemaDocumentError)
        True
    """

    default_rule = "duplicate"


class ModifierOperatorError(SchemaDocumentError):
    """An update operator stands where a plain value is wanted.

    A classic name that `except` clauses hold; nothing raises it any more.

    Example:
        >>> issubclass(ModifierOperatorError, SchemaDocumentError)
        True
    """

    default_rule = "operator"


class i18nError(SchemaDocumentError):
    """A field with several languages is used in a way that it can't be.

    A classic name that `except` clauses hold; nothing raises it any more.

    Example:
        >>> issubclass(i18nError, SchemaDocumentError)
        True
    """

    default_rule = "i18n"


class ConnectionError(MongoKitError, builtins.ConnectionError):  # noqa: A001 - the classic name
    """The document or class is not bound to a collection, or the server can't be reached.

    Example:
        >>> User({"name": "Ada", "email": None, "age": None}).save()
        Traceback (most recent call last):
        mongokit.errors.ConnectionError: No collection found: ...
    """


class MongoAuthException(MongoKitError):
    """The server refused the credentials.

    The base of `flask_mongokit.AuthenticationIncorrect`; the mapper itself passes on the driver's
    `OperationFailure`, code 18.

    Example:
        >>> issubclass(MongoAuthException, MongoKitError)
        True
    """


class MultipleResultsFound(MongoKitError):
    """`one()` matched more than one document.

    Example:
        >>> db.User.one()
        Traceback (most recent call last):
        mongokit.errors.MultipleResultsFound: more than one User matches, ...
    """


class BulkValidationError(MongoKitError):
    """Documents given to `insert_many` or `bulk_write` do not validate.

    Attributes:
        failures: The failures of each bad document, by its index in what was given.
        inserted_ids: The `_id`s of the documents that were stored all the same: those that
            validate, with `ordered=False`; else none.

    Example:
        >>> BulkValidationError({3: [Failure("age", "type", "age must be an int")]}, total=5)
        BulkValidationError('1 of 5 documents does not validate: 3: age must be an int')
    """

    def __init__(
        self,
        failures: dict[int, list[Failure]],
        *,
        total: int,
        inserted_ids: list[Any] | None = None,
    ) -> None:
        first = "; ".join(f"{at}: {found[0].message}" for at, found in list(failures.items())[:3])
        more = "; ..." if len(failures) > 3 else ""
        verb = "does" if len(failures) == 1 else "do"
        super().__init__(f"{len(failures)} of {total} documents {verb} not validate: {first}{more}")
        self.failures = failures
        self.inserted_ids = inserted_ids or []


class StaleDocument(MongoKitError):
    """A document was changed or removed after it was read; the write did not happen.

    Raised for classes with a `version_field`. Nothing was changed, neither in memory nor in the
    database: `reload()` and apply the change again.

    Attributes:
        document_class: The document's class.
        id: Its `_id`.
        expected: The version that it was read with; None for a new document, under whose `_id`
            another one is stored.
        found: The version that is stored; 0 for a document without one, None when it is gone.
        others: The errors of further documents that one `bulk_write` was too late for.

    Example:
        >>> class Seat(Document):
        ...     structure = {"guest": str, "version": int}
        ...     version_field = "version"
        >>> seats = db.seats.documents(Seat)
        >>> seats({"_id": 1, "guest": None, "version": None}).save()
        >>> mine, yours = seats.find_one(1), seats.find_one(1)
        >>> mine["guest"], yours["guest"] = "Ada", "Grace"
        >>> mine.save()
        >>> yours.save()
        Traceback (most recent call last):
        mongokit.errors.StaleDocument: Seat was changed: version 1 was read, 2 is stored; ...
    """

    def __init__(
        self, *, document_class: type, id: Any, expected: int | None, found: int | None
    ) -> None:
        name = document_class.__name__
        if expected is None:
            text = f"{name} is new, but version {found} is stored under its _id"
        elif found is None:
            text = f"{name} is gone: version {expected} was read, nothing is stored under its _id"
        else:
            text = (
                f"{name} was changed: version {expected} was read, {found or 'none'} is stored; "
                "reload() it and apply the change again"
            )
        super().__init__(text)
        self.document_class = document_class
        self.id = id
        self.expected = expected
        self.found = found
        self.others: list[StaleDocument] = []


class ConditionNotMet(MongoKitError):
    """A `patch` whose `when` does not hold for the stored document; nothing was changed.

    Attributes:
        document_class: The document's class.
        id: Its `_id`.

    Example:
        >>> user.patch(age=37, when={"age": 35})
        Traceback (most recent call last):
        mongokit.errors.ConditionNotMet: the stored User does not meet the condition of patch() ...
    """

    def __init__(self, *, document_class: type, id: Any) -> None:
        super().__init__(
            f"the stored {document_class.__name__} does not meet the condition of patch() in when"
        )
        self.document_class = document_class
        self.id = id


class UnknownFieldError(MongoKitError, ValueError):
    """An update, or a query of a class with `strict_queries`, names a field that there is not.

    Or a query names an operator that there is not.

    Attributes:
        path: The dotted name.
        suggestion: The nearest name that there is; None where none is near.
        document_class: The class whose declaration lacks it.
        errors: Every failure of an update, this one first (see `Failure`).

    Example:
        >>> class Strict(User):
        ...     strict_queries = True
        >>> try:
        ...     db.users.documents(Strict).find({"nmae": "Ada"})
        ... except UnknownFieldError as error:
        ...     print(f"{error} ({error.path} -> {error.suggestion})")
        nmae is not a field of Strict: did you mean name? (nmae -> name)
    """

    def __init__(
        self,
        *args: object,
        path: str | None = None,
        suggestion: str | None = None,
        document_class: type | None = None,
    ) -> None:
        super().__init__(*args)
        self.path = path
        self.suggestion = suggestion
        self.document_class = document_class
        self.errors: list[Failure] = []

    @property
    def failure(self) -> Failure:
        """This error alone, as data."""
        return Failure(self.path or "", "unknown", str(self))


class QueryTypeError(MongoKitError, TypeError):
    """A query of a class with `strict_queries` compares a field with what it can never hold.

    Attributes:
        path: The dotted name of the field.
        expected: What it is declared as.
        value: What the query compares it with; never part of the text.
        document_class: The class that declares it.

    Example:
        >>> class Strict(User):
        ...     strict_queries = True
        >>> db.users.documents(Strict).find_one({"age": "36"})
        Traceback (most recent call last):
        mongokit.errors.QueryTypeError: age can never equal a str: it is declared as int; ...
    """

    def __init__(
        self,
        *args: object,
        path: str | None = None,
        expected: str | None = None,
        value: Any = None,
        document_class: type | None = None,
    ) -> None:
        super().__init__(*args)
        self.path = path
        self.expected = expected
        self.value = value
        self.document_class = document_class


class BadIndexError(MongoKitError):
    """An entry of `indexes` is malformed.

    Example:
        >>> class Tag(Document):
        ...     structure = {"name": str}
        ...     indexes = [{"fields": ("name", 3)}]
        Traceback (most recent call last):
        mongokit.errors.BadIndexError: index direction must be INDEX_DESCENDING, ... Got 3
    """


class AutoReferenceError(MongoKitError):
    """A referenced document is not stored where its reference says.

    Example:
        >>> db.users.delete_one({"_id": 1}).deleted_count
        1
        >>> db.Post.find_one()
        Traceback (most recent call last):
        mongokit.errors.AutoReferenceError: Post.author: no User with _id 1 is stored in ...
    """


class MaxDocumentSizeError(MongoKitError):
    """The document is larger than the server accepts (16 MiB unless it says otherwise).

    Raised before any byte is sent. MongoDB manual, "MongoDB Limits and Thresholds".

    Example:
        >>> db.User({"name": "x" * 2**24, "email": None, "age": None}).save()
        Traceback (most recent call last):
        mongokit.errors.MaxDocumentSizeError: User is ... more than the server accepts
    """


class DuplicateI18nError(MongoKitError):
    """A field stands twice in `i18n`.

    Example:
        >>> class Tag(Document):
        ...     structure = {"name": str}
        ...     i18n = ["name", "name"]
        Traceback (most recent call last):
        mongokit.errors.DuplicateI18nError: duplicate i18n : ['name']
    """


class OptionConflictError(MongoKitError):
    """Two options of a class contradict each other.

    Example:
        >>> class Tag(Document):
        ...     use_schemaless = True
        ...     migration_handler = DocumentMigration
        Traceback (most recent call last):
        mongokit.errors.OptionConflictError: You cannot set a migration_handler with ...
    """


class UniqueIndexConflict(MongoKitError):
    """Stored values stand in several documents, where a unique index wants each in one.

    Raised before anything is built.

    Attributes:
        conflicts: The values, with their index, their count and some `_id`s; kept out of the text.

    Example:
        >>> db.users.insert_one({"email": "ada@example.org"}).acknowledged
        True
        >>> connection.plan(db).apply()
        Traceback (most recent call last):
        mongokit.errors.UniqueIndexConflict: users.email_1 can't be unique: 1 value stands in ...
    """

    def __init__(self, conflicts: list[Any]) -> None:
        counts: dict[str, int] = {}
        for found in conflicts:
            name = f"{found.collection}.{found.index}"
            counts[name] = counts.get(name, 0) + 1
        super().__init__(
            "; ".join(
                f"{name} can't be unique: {count} value{'s stand' if count > 1 else ' stands'} in "
                "more than one document"
                for name, count in counts.items()
            )
        )
        self.conflicts = conflicts


class UpdateQueryError(MongoKitError):
    """A migration updates a field that the structure does not have.

    Example:
        >>> class UserMigration(DocumentMigration):
        ...     def allmigration01__add_tags(self):
        ...         self.target, self.update = {}, {"$set": {"tags": []}}
        >>> UserMigration(User).migrate_all(db.users)
        Traceback (most recent call last):
        mongokit.errors.UpdateQueryError: allmigration01__add_tags: can't find tags in ...
    """


class EvalException(MongoKitError):
    """Server-side evaluation of JavaScript, which MongoDB has removed.

    A classic name that `except` clauses hold; nothing raises it any more.

    Example:
        >>> issubclass(EvalException, MongoKitError)
        True
    """


class DeprecationError(MongoKitError):
    """A call that no longer exists; the text names what takes its place.

    Example:
        >>> connection.copy_database("blog", "backup")
        Traceback (most recent call last):
        mongokit.errors.DeprecationError: copy_database() is gone: ...
    """
