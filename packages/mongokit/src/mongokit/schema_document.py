"""SchemaDocument: a dict that follows the declaration of its class."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import InitVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from bson import Binary
from bson.codec_options import CodecOptions

from mongokit import tracking
from mongokit.annotations import argument
from mongokit.attributes import (
    is_free,
    no_attribute,
    read_container,
    write_field,
    write_missing,
    yields_to_fields,
)
from mongokit.compiler import UNBOUND_OPTIONS, Model
from mongokit.convert import content_of
from mongokit.declaration import (
    DocumentProperties,
    SchemaProperties,
)
from mongokit.dotted import DotCollapsedDict, DotedDict, DotExpandedDict, i18nDotedDict
from mongokit.errors import (
    AuthorizedTypeError,
    BadKeyError,
    ConnectionError,  # noqa: A004 - the classic name
    DefaultFieldTypeError,
    DuplicateDefaultValueError,
    DuplicateI18nError,
    DuplicateRequiredError,
    Failure,
    ModifierOperatorError,
    OptionConflictError,
    RequireFieldError,
    SchemaDocumentError,
    SchemaTypeError,
    StructureError,
    ValidationError,
    i18nError,
)
from mongokit.i18n import i18n
from mongokit.legacy import warn
from mongokit.nearest import near_name
from mongokit.operators import IS, NOT, OR, SchemaOperator
from mongokit.schema import MappingNode, Said
from mongokit.types import CustomType, Set

if TYPE_CHECKING:
    from mongokit.binding import Binding
    from mongokit.collection import Collection
    from mongokit.scope import Mode

# More than is made here: the names that MongoKit 0.9 had under this path.
__all__ = [
    "IS",
    "NOT",
    "OR",
    "AuthorizedTypeError",
    "BadKeyError",
    "CustomType",
    "DefaultFieldTypeError",
    "DocumentProperties",
    "DotCollapsedDict",
    "DotExpandedDict",
    "DotedDict",
    "DuplicateDefaultValueError",
    "DuplicateI18nError",
    "DuplicateRequiredError",
    "ModifierOperatorError",
    "OptionConflictError",
    "RequireFieldError",
    "SchemaDocument",
    "SchemaDocumentError",
    "SchemaOperator",
    "SchemaProperties",
    "SchemaTypeError",
    "Set",
    "StructureError",
    "ValidationError",
    "i18n",
    "i18nDotedDict",
    "i18nError",
]

logger = logging.getLogger("mongokit")


class SchemaDocument(dict[str, Any], metaclass=SchemaProperties):
    """A dict that follows a declaration; lives in memory or inside a document.

    Subclasses declare with class attributes, which merge with those of their bases:

    Attributes:
        structure: Field name to type spec.
        required_fields: Paths that must have a value.
        default_values: Path to value, or to a callable that makes it.
        validators: Path to one callable or several.
        i18n: Paths of the fields that hold a value per language.
        indexes: The indexes that `Document.generate_index` creates.
        authorized_types: What the structure and its values may be made of.
        use_dot_notation: Whether fields are attributes too.
        dot_notation_warning: Whether setting an undeclared attribute logs a warning.
        use_schemaless: Whether fields may be missing or undeclared.
        use_autorefs: Whether a Document class in the structure is a reference.
        force_autorefs_current_db: Whether references without database mean the current one.
        lazy_autorefs: Whether references are fetched when a field is read, not with the document.
        skip_validation: Whether `save()` leaves validation out.
        raise_validation_errors: Whether `validate()` raises; if not, see `validation_errors`.
        strict_queries: Whether queries that could only match nothing are refused, as those with
            an undeclared field.
        type_field: The field that holds the class's name, None for no such field.
        version_field: An int field of a `Document` that counts its writes, so that none of two
            writers undoes the other's change unseen; None for no such field.
        read_only_fields: Paths that clients may see but not set.
        hidden_fields: Paths that clients don't see either.
        field_titles: Path to a field's name for people.
        field_descriptions: Path to what a field means.
        field_examples: Path to a list of values that a field may have.
        validation_errors: Path (or None) to the errors of the last `validate()`.

    Args:
        doc: The content. With content, exactly that; without, the skeleton and the defaults.
        gen_skel: Whether to make the skeleton.
        lang: The current language of i18n fields.
        fallback_lang: The language that is read where the current one has no value.
        **fields: Fields of an annotated class, put in after skeleton and defaults.

    Raises:
        TypeError: A keyword is no field of the annotated class.

    Example:
        >>> class Point(SchemaDocument):
        ...     structure = {"x": float, "y": float}
        ...     default_values = {"y": 0.0}
        >>> Point()
        {'x': None, 'y': 0.0}
    """

    structure: ClassVar[dict[Any, Any] | None] = None
    required_fields: ClassVar[list[str]] = []
    default_values: ClassVar[dict[str, Any]] = {}
    validators: ClassVar[dict[str, Any]] = {}
    i18n: ClassVar[list[str]] = []
    indexes: ClassVar[list[dict[str, Any]]] = []
    authorized_types: ClassVar[list[Any]] = [
        type(None),
        bool,
        int,
        float,
        str,
        bytes,
        list,
        dict,
        datetime,
        Binary,
        CustomType,
    ]
    use_dot_notation: ClassVar[bool] = False
    dot_notation_warning: ClassVar[bool] = False
    use_schemaless: ClassVar[bool] = False
    use_autorefs: ClassVar[bool] = False
    force_autorefs_current_db: ClassVar[bool] = False
    lazy_autorefs: ClassVar[bool] = False
    skip_validation: ClassVar[bool] = False
    raise_validation_errors: ClassVar[bool] = True
    strict_queries: ClassVar[bool] = False
    type_field: ClassVar[str | None] = "_type"
    version_field: ClassVar[str | None] = None
    read_only_fields: ClassVar[list[str]] = []
    hidden_fields: ClassVar[list[str]] = []
    field_titles: ClassVar[dict[str, str]] = {}
    field_descriptions: ClassVar[dict[str, str]] = {}
    field_examples: ClassVar[dict[str, list[Any]]] = {}
    migration_handler: ClassVar[Any] = None
    atomic_save: ClassVar[bool] = False

    __mongokit__: ClassVar[Model]
    _declared: ClassVar[tuple[Any, ...]]
    _said: ClassVar[dict[str, Said]] = {}
    _made: ClassVar[bool] = False
    _added: ClassVar[frozenset[str]] = frozenset()
    _is_document: ClassVar[bool] = False
    _is_referenced: ClassVar[bool] = False
    _fetches_references: ClassVar[bool] = False
    # bson asks each value for this attribute when it encodes: the class answers, so that
    # `__getattr__` is not called for it.
    _type_marker: ClassVar[int] = 0
    _current_lang: ClassVar[str] = "en"
    _fallback_lang: ClassVar[str] = "en"
    if TYPE_CHECKING:
        # What every constructor takes, before the fields that a class annotates.
        doc: InitVar[Mapping[str, Any] | None] = argument(default=None, kw_only=False)
        gen_skel: InitVar[bool] = argument(default=True, kw_only=False)
        collection: Collection = argument(default=None, kw_only=False)
        lang: InitVar[str] = argument(default="en", kw_only=False)
        fallback_lang: InitVar[str] = argument(default="en", kw_only=False)

        @property
        def validation_errors(self) -> dict[str | None, list[Exception]]: ...

    def __init__(
        self,
        doc: Mapping[str, Any] | None = None,
        gen_skel: bool = True,
        lang: str = "en",
        fallback_lang: str = "en",
        **fields: Any,
    ) -> None:
        """Fill the document."""
        if lang != "en":
            self.__dict__["_current_lang"] = lang
        if fallback_lang != "en":
            self.__dict__["_fallback_lang"] = fallback_lang
        model = type(self).__mongokit__
        if doc:
            fill(self, doc)
        elif gen_skel:
            dict.update(self, model.construct())
        if model.notes_origin:
            tracking.made(self)
        if fields:
            set_fields(self, fields)

    def generate_skeleton(self) -> None:
        """Add every declared field that is missing, in its empty form; defaults are left out.

        Example:
            >>> class Point(SchemaDocument):
            ...     structure = {"x": float, "y": float}
            >>> point = Point({"x": 1.0})
            >>> point.generate_skeleton()
            >>> point
            {'x': 1.0, 'y': None}
        """
        _add_missing(self, type(self).__mongokit__.skeleton())

    def validate(self, auto_migrate: bool = True) -> None:
        """Check the document against its declaration; raise the first failure.

        Args:
            auto_migrate: Part of the classic signature; documents with a `migration_handler`
                use it.

        Raises:
            ValidationError: A validator refused a value.
            SchemaTypeError: A value is of another type than the declared one.
            AuthorizedTypeError: A value is of a type that no document may hold.
            StructureError: Fields are missing, or there are undeclared ones.
            RequireFieldError: A required field has no value.
            bson.errors.InvalidDocument: BSON can't hold a value.

        The raised error has all of them in its `errors`. Nothing is raised where the class sets
        `raise_validation_errors = False`; see `validation_errors` then.

        Example:
            >>> class Point(SchemaDocument):
            ...     structure = {"x": float}
            >>> Point({"x": "1"}).validate()
            Traceback (most recent call last):
            mongokit.errors.SchemaTypeError: x must be an instance of float not str
        """
        check(self, UNBOUND_OPTIONS)

    @yields_to_fields
    def errors(self) -> list[Failure]:
        """Return every reason why the document does not validate; an empty list if it does.

        Example:
            >>> class Point(SchemaDocument):
            ...     structure = {"x": float, "y": float}
            >>> [e.path for e in Point({"x": "1", "y": "2"}).errors()]
            ['x', 'y']
        """
        return [as_failure(error) for error in type(self).__mongokit__.failures(self)]

    @classmethod
    @yields_to_fields
    def json_schema(
        cls, mode: Mode = "store", *, ref_template: str = "#/$defs/{name}"
    ) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of the class's documents in JSON form.

        Args:
            mode: "store" for the whole stored document; "create" for what clients may send, without
                hidden and read-only fields and the `_id`; "update" for a part of that (a JSON Merge
                Patch); "read" for what they see, without hidden fields.
            ref_template: Where the schemas of embedded classes are, with `{name}` in it. Elsewhere
                than in `$defs`, they are left out here: `jsonschema.definitions` has them.

        Raises:
            ValueError: There is no such mode.

        Example:
            >>> class Point(SchemaDocument):
            ...     x: float
            >>> Point.json_schema("create")["properties"]
            {'x': {'type': 'number', 'title': 'X'}}
        """
        from mongokit import jsonschema  # noqa: PLC0415 - not everybody needs a schema

        return jsonschema.json_schema(cls, mode, ref_template=ref_template)

    @classmethod
    @yields_to_fields
    def mongo_schema(cls) -> dict[str, Any]:
        """Return the rules of the class as MongoDB's `$jsonSchema`, for a collection's validator.

        It speaks of the stored form. See `connection.plan`, which compares and sets validators.

        Example:
            >>> class Point(SchemaDocument):
            ...     x: float
            >>> Point.mongo_schema()["properties"]["x"]
            {'bsonType': ['double', 'int', 'long']}
        """
        from mongokit import mongoschema  # noqa: PLC0415 - not everybody needs a schema

        return mongoschema.mongo_schema(cls)

    @yields_to_fields
    def json_form(self, mode: Mode = "read") -> dict[str, Any]:
        """Return the document in the form that `json_schema` describes, for `json.dumps`.

        ObjectIds are their 24 hexadecimal digits, datetimes RFC 3339 text in UTC, Decimals and
        UUIDs text, bytes base64 text, Enum members their values, sets arrays, references
        `{"$ref": ..., "$id": ..., "$db": ...}`. What the class does not declare is left out, but in
        "store".

        Args:
            mode: As in `json_schema`.

        Raises:
            TypeError: The document holds something that has no JSON form.
            ValueError: There is no such mode.

        Example:
            >>> class Event(SchemaDocument):
            ...     at: datetime
            ...     token: str = field(default="", hidden=True)
            >>> Event(at=datetime(2026, 11, 23), token="x").json_form()
            {'at': '2026-11-23T00:00:00.000Z'}
        """
        from mongokit.jsonform import json_form  # noqa: PLC0415 - not everybody speaks JSON

        return json_form(self, mode)

    @classmethod
    @yields_to_fields
    def from_json_form(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `json_form` was made of: content in Python form, for a document.

        What the declaration says of a field decides how its text is read. What can't be read stays
        as it is, for `validate()` to refuse at its path; so do unknown fields.

        Args:
            content: What `json.loads` gave.

        Example:
            >>> class Event(SchemaDocument):
            ...     at: datetime
            >>> Event.from_json_form({"at": "2026-11-23T00:00:00Z", "to": 1})
            {'at': datetime.datetime(2026, 11, 23, 0, 0, tzinfo=datetime.timezone.utc), 'to': 1}
        """
        from mongokit import jsonreading  # noqa: PLC0415 - not everybody speaks JSON

        return jsonreading.from_json_form(cls, content)

    def set_lang(self, lang: str) -> None:
        """Set the language that i18n fields are read and written in by attribute.

        Args:
            lang: A language's name, such as `'fr'`.

        Example:
            >>> class Book(SchemaDocument):
            ...     structure = {"title": str}
            ...     i18n = ["title"]
            ...     use_dot_notation = True
            >>> book = Book({"title": {"en": "Mouse", "fr": "Souris"}})
            >>> book.set_lang("fr")
            >>> book.get_lang(), book.title
            ('fr', 'Souris')
        """
        self.__dict__["_current_lang"] = lang

    def get_lang(self) -> str:
        """Return the current language.

        Example:
            >>> class Book(SchemaDocument):
            ...     structure = {"title": str}
            ...     i18n = ["title"]
            ...     use_dot_notation = True
            >>> book = Book({"title": {"en": "Mouse", "fr": "Souris"}})
            >>> book.set_lang("fr")
            >>> book.get_lang(), book.title
            ('fr', 'Souris')
        """
        return self._current_lang

    def _process_custom_type(self, target: str, doc: Any, structure: Any = None) -> None:
        """Convert the CustomTypes of `doc` in place.

        Deprecated: kept for code that writes its own save. `save()` never changes the document.

        Args:
            target: `'bson'` or `'python'`.
            doc: The document.
            structure: Part of the classic signature; the class's own is used.
        """
        warn("_process_custom_type() is deprecated: save() leaves the document as it is")
        model = type(self).__mongokit__
        function = model.to_bson if target == "bson" else model.to_python
        if function is not None:
            dict.update(doc, function(doc))

    def __getattr__(self, name: str) -> Any:
        """Return the field `name` under dot notation.

        Raises:
            AttributeError: There is no such field, or the class has no dot notation.
        """
        if type(self).use_dot_notation and dict.__contains__(self, name):
            return read_container(self, name)
        if name == "validation_errors":  # nothing was validated yet
            return {}
        return no_attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the field `name` under dot notation, if there is one; else a plain attribute."""
        cls = type(self)
        if cls.use_dot_notation and is_free(cls, name):
            if dict.__contains__(self, name) or name in cls.__mongokit__.i18n:
                write_field(self, name, value)
                return
            if cls.__mongokit__.lenient and not name.startswith("_"):
                write_missing(self, name, value)
                return
            if cls.dot_notation_warning:
                logger.warning("%s: %s is not a field: it will not be stored", cls.__name__, name)
            self.__dict__[name] = value
            return
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        """Remove the field `name` under dot notation, if there is one; else a plain attribute."""
        cls = type(self)
        if cls.use_dot_notation and is_free(cls, name) and dict.__contains__(self, name):
            dict.__delitem__(self, name)
        elif name in self.__dict__:
            del self.__dict__[name]
        else:
            object.__delattr__(self, name)

    def __hash__(self) -> int:  # type: ignore[override]
        """Return the hash of `_id`.

        Raises:
            TypeError: There is no `_id`.

        Example:
            >>> len({ada, user})  # read twice, one document
            1
        """
        identity = dict.get(self, "_id")
        if identity is None:
            raise TypeError(f"unhashable {type(self).__name__}: it has no _id yet")
        return hash(identity)

    def __copy__(self) -> Any:
        return _clone(self, content_of(self), dict(self.__dict__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = _clone(self, {}, {})
        memo[id(self)] = copied
        for key, value in dict.items(self):
            dict.__setitem__(copied, key, deepcopy(value, memo))
        copied.__dict__.update(deepcopy(self.__dict__, memo))
        return copied

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle the content and the plain attributes, without the collection."""
        cls = getattr(type(self), "__mongokit_of__", type(self))
        return _restore, (cls, content_of(self), dict(self.__dict__))


def set_fields(doc: SchemaDocument, fields: Mapping[str, Any]) -> None:
    """Put the keyword arguments of a constructor into a new document.

    Args:
        doc: The document.
        fields: Its fields.

    Raises:
        TypeError: A keyword is no field, or the class is not annotated.
    """
    model = type(doc).__mongokit__
    declared = model.tree.fields if isinstance(model.tree, MappingNode) else {}
    for name in fields:
        if not model.lenient or name not in declared:
            near = near_name(name, declared) if model.lenient else None
            hint = f": did you mean {near}?" if near else ""
            raise TypeError(f"{type(doc).__name__}() got an unexpected argument {name!r}{hint}")
    dict.update(doc, fields)


def check(doc: SchemaDocument, options: CodecOptions[Any]) -> int:
    """Do what `validate()` does, without going through the class's own methods.

    Args:
        doc: The document.
        options: How values that the declaration leaves open are encoded.

    Returns:
        An upper bound on the document's size as BSON in bytes: cheap, and far too high.

    Raises:
        See `SchemaDocument.validate`.
    """
    if not doc.raise_validation_errors:
        doc.__dict__["validation_errors"] = {}
    return type(doc).__mongokit__.check(doc, options) or check_by_walking(doc, options)


def check_by_walking(doc: SchemaDocument, options: CodecOptions[Any]) -> int:
    """Do the rest of `check`, when the compiled check was not sure.

    Args:
        doc: The document.
        options: How values that the declaration leaves open are encoded.

    Returns:
        What says that nothing is known of the size.

    Raises:
        See `SchemaDocument.validate`.
    """
    found = list(type(doc).__mongokit__.failures(doc, options))
    raising = doc.raise_validation_errors
    if not found or not raising:
        for error in found:
            path = error.path if isinstance(error, SchemaDocumentError) else None
            doc.validation_errors.setdefault(path, []).append(error)
        return sys.maxsize
    first = found[0]
    if isinstance(first, SchemaDocumentError):
        first.errors = [as_failure(error) for error in found]
    raise first


def as_failure(error: Exception) -> Failure:
    """Return an error as data.

    Args:
        error: What the walk over the document yielded.
    """
    if isinstance(error, SchemaDocumentError):
        return error.failure
    path = getattr(error, "_mongokit_path", "")
    return Failure(path, type(error).__name__, str(error))


def fill(doc: SchemaDocument, content: Mapping[str, Any]) -> None:
    """Put given content into a new document, converted from BSON form where it is.

    Args:
        doc: The document.
        content: Its content; stays as it is.
    """
    cls = type(doc)
    model = cls.__mongokit__
    dict.update(doc, content_of(content) if isinstance(content, dict) else content)
    if model.to_python is not None:
        dict.update(doc, model.to_python(content_of(doc)))
    if model.wrap_nested is not None:
        model.wrap_nested(doc)
    if model.type_key is not None and dict.__contains__(doc, model.type_key):
        name = getattr(cls, "__mongokit_of__", cls).__name__
        dict.__setitem__(doc, model.type_key, name)


def _add_missing(target: dict[str, Any], skeleton: dict[str, Any]) -> None:
    for key, value in skeleton.items():
        if not dict.__contains__(target, key):
            dict.__setitem__(target, key, value)
        elif isinstance(value, dict):
            present = dict.__getitem__(target, key)
            if isinstance(present, dict):
                _add_missing(present, value)


def _clone(doc: Any, content: dict[str, Any], attributes: dict[str, Any]) -> Any:
    copied = _restore(type(doc), content, attributes)
    if doc._is_document:
        set_binding(copied, doc._binding)
    return copied


def _restore(cls: Any, content: dict[str, Any], attributes: dict[str, Any]) -> Any:
    doc = cls.__new__(cls)
    dict.update(doc, content)
    doc.__dict__.update(attributes)
    return doc


def set_binding(doc: Any, binding: Any) -> None:
    """Bind a document, without going through a `__setattr__` of its class.

    Args:
        doc: A `Document`.
        binding: Its `Binding`, or None.
    """
    object.__setattr__(doc, "_binding", binding)


def bound(document: Any) -> Binding[Any]:
    """Return the binding of a document or manager.

    Args:
        document: A `Document`.

    Raises:
        mongokit.ConnectionError: It was made without a collection.
    """
    binding: Binding[Any] | None = document._binding
    if binding is None:
        raise ConnectionError(
            f"No collection found: this {type(document).__name__} was made by the class itself; "
            "make it with collection.ClassName()"
        )
    return binding
