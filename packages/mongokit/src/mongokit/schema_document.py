"""SchemaDocument: a dict that knows its declaration; and the metaclass that reads it once."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from bson import Binary
from bson.codec_options import CodecOptions

from mongokit.compiler import UNBOUND_OPTIONS, Model
from mongokit.convert import content_of
from mongokit.dotted import DotedDict, in_languages, to_dotted
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
from mongokit.indexes import check_indexes
from mongokit.schema import (
    AnyNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    ScalarNode,
    build,
    find,
    normalize_path,
)
from mongokit.types import CustomType, Set

if TYPE_CHECKING:
    from mongokit.binding import Binding

# More than is made here: the names that MongoKit 0.9 had under this path.
__all__ = [
    "AuthorizedTypeError",
    "BadKeyError",
    "CustomType",
    "DefaultFieldTypeError",
    "DocumentProperties",
    "DuplicateDefaultValueError",
    "DuplicateI18nError",
    "DuplicateRequiredError",
    "ModifierOperatorError",
    "OptionConflictError",
    "RequireFieldError",
    "SchemaDocument",
    "SchemaDocumentError",
    "SchemaProperties",
    "SchemaTypeError",
    "Set",
    "StructureError",
    "ValidationError",
    "i18n",
    "i18nError",
]

logger = logging.getLogger("mongokit")

_MERGED_DICTS = ("structure", "default_values", "validators")
_UNITED_LISTS = ("required_fields", "i18n", "authorized_types")


class SchemaProperties(type):
    """The metaclass of documents: merges what is inherited, checks it, builds the tree.

    Raises:
        StructureError, BadKeyError, AuthorizedTypeError, TypeError: The structure is malformed.
        ValueError: A path that no structure has.
        DuplicateRequiredError, DuplicateI18nError: A path that stands twice.
        OptionConflictError: Options that contradict each other.

    Example:
        >>> class Point(SchemaDocument):
        ...     structure = {"x": float, "y": float}
        >>> Point()
        {'x': None, 'y': None}
    """

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> SchemaProperties:
        """Make the class."""
        if "__mongokit_of__" in namespace:  # a manager: the class it wraps is complete already
            return super().__new__(mcs, name, bases, namespace, **kwargs)
        _check_declaration(name, namespace)
        for option in _MERGED_DICTS:
            if (merged := _merge_dicts(option, bases, namespace)) is not None:
                namespace[option] = merged
        for option in _UNITED_LISTS:
            namespace[option] = _unite_lists(option, bases, namespace)
        namespace["i18n"] = [normalize_path(path) for path in namespace["i18n"]]
        namespace["indexes"] = _merge_indexes(bases, namespace)
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        compile_class(cls)
        return cls


DocumentProperties = SchemaProperties


def _check_declaration(name: str, namespace: Mapping[str, Any]) -> None:
    structure = namespace.get("structure")
    if structure is not None and not isinstance(structure, dict):
        raise StructureError(f"{name}.structure must be a dict instance")
    if isinstance(namespace.get("required"), (list, tuple, set)):
        raise StructureError(
            f"{name}: `required` is not an option; declare required fields in `required_fields`"
        )
    for option, error in (
        ("required_fields", DuplicateRequiredError),
        ("i18n", DuplicateI18nError),
    ):
        paths = list(namespace.get(option) or ())
        twice = [path for index, path in enumerate(paths) if path in paths[:index]]
        if twice:
            raise error(f"duplicate {option} : {twice}")
    if namespace.get("atomic_save"):
        raise DeprecationWarning("atomic_save is not supported: a save replaces the whole document")


def _merge_dicts(
    option: str, bases: tuple[type, ...], namespace: Mapping[str, Any]
) -> dict[Any, Any] | None:
    """What the bases declare, then what the class does; the class wins, then the earlier base."""
    sources = [namespace.get(option), *(getattr(base, option, None) for base in bases)]
    declared = [source for source in sources if source is not None]
    if not declared:
        return None
    merged: dict[Any, Any] = {}
    for source in reversed(declared):
        merged.update(source)
    return {key: _copy_containers(value) for key, value in merged.items()}


def _copy_containers(value: Any) -> Any:
    """Copy dicts and lists of a declaration; types, operators and the like are shared."""
    if type(value) is dict:
        return {key: _copy_containers(item) for key, item in value.items()}
    if type(value) is list:
        return [_copy_containers(item) for item in value]
    return value


def _unite_lists(option: str, bases: tuple[type, ...], namespace: Mapping[str, Any]) -> list[Any]:
    united: list[Any] = []
    for source in (*(getattr(base, option, None) for base in bases), namespace.get(option)):
        united += [item for item in source or () if item not in united]
    return united


def _merge_indexes(bases: tuple[type, ...], namespace: Mapping[str, Any]) -> list[Any]:
    """What the class declares, then what its bases do, base by base."""
    merged: list[Any] = []
    for source in (namespace.get("indexes"), *(getattr(base, "indexes", None) for base in bases)):
        merged += [_copy_containers(entry) for entry in source or () if entry not in merged]
    return merged


def compile_class(cls: Any) -> None:
    """Check a class's merged declaration and set its `__mongokit__`.

    Args:
        cls: A `SchemaDocument` class.

    Raises:
        See `SchemaProperties`.
    """
    name = cls.__name__
    structure = cls.structure
    if structure is not None and not isinstance(structure, dict):
        raise StructureError(f"{name}.structure must be a dict instance")
    if cls.migration_handler is not None and cls.use_schemaless:
        raise OptionConflictError(
            "You cannot set a migration_handler with use_schemaless set to True"
        )
    authorized = tuple(type(None) if t is None else t for t in cls.authorized_types)
    tree = None
    if structure is not None:
        tree = build(
            name,
            structure,
            authorized,
            autorefs=bool(cls.use_autorefs),
            i18n=frozenset(normalize_path(path) for path in cls.i18n),
        )
        _check_paths(cls, tree)
    check_indexes(cls, tree)
    cls.__mongokit__ = Model(
        cls,
        tree,
        is_document=bool(cls._is_document),
        required=list(cls.required_fields),
        validators={path: _callables(value) for path, value in cls.validators.items()},
        defaults=dict(cls.default_values),
        i18n=list(cls.i18n),
        schemaless=bool(cls.use_schemaless),
        dotted=bool(cls.use_dot_notation),
        type_field=cls.type_field,
    )
    cls._declared = _declaration(cls)
    _note_references(cls)
    if cls.use_dot_notation and tree is not None:
        _add_field_properties(cls, tree)


def _note_references(cls: Any) -> None:
    """Tell the classes concerned that this one references others."""
    model: Model = cls.__mongokit__
    for node in model.references.nodes:
        if isinstance(node.target, type):
            node.target._is_referenced = True  # type: ignore[attr-defined]
    if model.has_references and not cls.lazy_autorefs:
        cls._fetches_references = True
        for base in cls.__mro__:  # reading a base may yield documents of this class
            field = getattr(base, "type_field", None)
            if field and field in (getattr(base, "structure", None) or ()):
                base._fetches_references = True


def compile_again_if_changed(cls: Any) -> None:
    """Compile a class anew if its declaration was changed after it was made.

    Code that adds a field to `User.structure` and registers the class again relies on it.

    Args:
        cls: A `SchemaDocument` class.
    """
    if cls.__dict__.get("_declared") != _declaration(cls):
        compile_class(cls)


def _declaration(cls: Any) -> tuple[Any, ...]:
    options = (
        *("use_schemaless", "use_dot_notation", "use_autorefs", "type_field", "migration_handler"),
        *_MERGED_DICTS,
        *_UNITED_LISTS,
        "indexes",
    )
    return tuple(_copy_containers(getattr(cls, option)) for option in options)


def _callables(declared: Any) -> list[Callable[[Any], Any]]:
    return list(declared) if isinstance(declared, (list, tuple)) else [declared]


def _check_paths(cls: Any, tree: Node) -> None:
    for descriptor, paths, through_lists in (
        ("required_fields", cls.required_fields, True),
        ("default_values", cls.default_values, False),
        ("validators", cls.validators, True),
        ("i18n", cls.i18n, True),
    ):
        for path in paths:
            if find(tree, path, through_lists=through_lists) is None:
                raise ValueError(f"Error in {descriptor}: can't find {path} in structure")


# Dot notation. Declared fields are read through properties, which cost a tenth of `__getattr__`.


class _FieldProperty(property):
    """A declared field as an attribute; never hides another attribute of the class."""


def _add_field_properties(cls: Any, tree: Node) -> None:
    fields = dict(tree.fields) if isinstance(tree, MappingNode) else {}
    for name, node in {"_id": ScalarNode("_id", object), **fields}.items():
        present = getattr(cls, name, None)
        if name.isidentifier() and (present is None or isinstance(present, _FieldProperty)):
            if present is None and hasattr(cls, name):
                continue
            setattr(cls, name, _FieldProperty(_reader(cls, name, node)))


def _reader(cls: Any, name: str, node: Node) -> Callable[[Any], Any]:
    if isinstance(node, I18nNode):
        return lambda doc: _read_i18n(doc, name)
    if any(path.startswith(f"{name}.") for path in cls.i18n):
        return lambda doc: _read_above_i18n(doc, name)
    containers = (MappingNode, KeyedNode, ListNode, AnyNode)
    if isinstance(node, containers) or (
        isinstance(node, ScalarNode) and issubclass(node.kind, (dict, list))
    ):
        return lambda doc: _read_container(doc, name)

    def read(doc: Any) -> Any:
        try:
            return doc[name]
        except KeyError:
            return _plain_attribute(doc, name)

    return read


def _read_container(doc: Any, name: str) -> Any:
    try:
        value = doc[name]
    except KeyError:
        return _plain_attribute(doc, name)
    kind = type(value)
    if kind is dict:
        value = DotedDict(value)
        dict.__setitem__(doc, name, value)
    elif kind is list and value and type(value[0]) is dict:
        # In place: somebody may hold the list already.
        value[:] = [to_dotted(item) for item in value]
    return value


def _read_i18n(doc: Any, name: str) -> Any:
    value = dict.get(doc, name, _plain_attribute)
    if value is _plain_attribute:
        return _plain_attribute(doc, name)
    if not isinstance(value, dict):
        return value
    return dict.get(value, doc._current_lang, dict.get(value, doc._fallback_lang))


def _read_above_i18n(doc: Any, name: str) -> Any:
    value = dict.get(doc, name, _plain_attribute)
    if value is _plain_attribute:
        return _plain_attribute(doc, name)
    translated = in_languages(value, doc, name)
    if translated is not value:
        dict.__setitem__(doc, name, translated)
    return translated


def _plain_attribute(doc: Any, name: str) -> Any:
    """What stands under `name` in the instance itself, for a field that the document lacks."""
    try:
        return doc.__dict__[name]
    except KeyError:
        _no_attribute(doc, name)


def _no_attribute(doc: Any, name: str) -> NoReturn:
    raise AttributeError(
        f"{type(doc).__name__!r} object has no attribute {name!r}", name=name, obj=doc
    )


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
        type_field: The field that holds the class's name, None for no such field.
        validation_errors: Path (or None) to the errors of the last `validate()`.

    Args:
        doc: The content. With content, exactly that; without, the skeleton and the defaults.
        gen_skel: Whether to make the skeleton.
        lang: The current language of i18n fields.
        fallback_lang: The language that is read where the current one has no value.

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
    type_field: ClassVar[str | None] = "_type"
    migration_handler: ClassVar[Any] = None
    atomic_save: ClassVar[bool] = False

    __mongokit__: ClassVar[Model]
    _declared: ClassVar[tuple[Any, ...]]
    _is_document: ClassVar[bool] = False
    _is_referenced: ClassVar[bool] = False
    _fetches_references: ClassVar[bool] = False
    # bson asks each value for this attribute when it encodes: the class answers, so that
    # `__getattr__` is not called for it.
    _type_marker: ClassVar[int] = 0
    _current_lang: str = "en"
    _fallback_lang: str = "en"
    validation_errors: dict[str | None, list[Exception]]

    def __init__(
        self,
        doc: Mapping[str, Any] | None = None,
        gen_skel: bool = True,
        lang: str = "en",
        fallback_lang: str = "en",
    ) -> None:
        """Fill the document."""
        if lang != "en":
            self.__dict__["_current_lang"] = lang
        if fallback_lang != "en":
            self.__dict__["_fallback_lang"] = fallback_lang
        if doc:
            fill(self, doc)
        elif gen_skel:
            dict.update(self, type(self).__mongokit__.construct())

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

    def errors(self) -> list[Failure]:
        """Return every reason why the document does not validate; an empty list if it does.

        Example:
            >>> class Point(SchemaDocument):
            ...     structure = {"x": float, "y": float}
            >>> [e.path for e in Point({"x": "1", "y": "2"}).errors()]
            ['x', 'y']
        """
        return [as_failure(error) for error in type(self).__mongokit__.failures(self)]

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
            return _read_container(self, name)
        _no_attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the field `name` under dot notation, if there is one; else a plain attribute."""
        cls = type(self)
        if cls.use_dot_notation and _is_free(cls, name):
            if dict.__contains__(self, name):
                _write_field(self, name, value)
                return
            if cls.dot_notation_warning:
                logger.warning("%s: %s is not a field: it will not be stored", cls.__name__, name)
            self.__dict__[name] = value
            return
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        """Remove the field `name` under dot notation, if there is one; else a plain attribute."""
        cls = type(self)
        if cls.use_dot_notation and _is_free(cls, name) and dict.__contains__(self, name):
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
    cls = type(doc)
    raising = doc.raise_validation_errors
    if not raising:
        doc.__dict__["validation_errors"] = {}
    bound = cls.__mongokit__.check(doc, options)
    if bound:
        return bound
    found = list(cls.__mongokit__.failures(doc, options))
    if not found or not raising:
        for error in found:
            path = error.path if isinstance(error, SchemaDocumentError) else None
            doc.validation_errors.setdefault(path, []).append(error)
        return sys.maxsize  # the quick check was not sure, so nothing is known of the size
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
    return Failure("", type(error).__name__, str(error))


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


def _is_free(cls: type, name: str) -> bool:
    """Whether `name` is no attribute of the class, other than a field's own."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return isinstance(base.__dict__[name], _FieldProperty)
    return True


def _write_field(doc: Any, name: str, value: Any) -> None:
    if name not in type(doc).__mongokit__.i18n:
        doc[name] = value
        return
    values = dict.get(doc, name)
    if not isinstance(values, dict):
        values = {}
        dict.__setitem__(doc, name, values)
    values[doc._current_lang] = value


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
