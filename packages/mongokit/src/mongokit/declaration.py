"""What a class declares: merged with what it inherits, checked, and compiled, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, dataclass_transform

from mongokit.annotations import Declared, argument, field, plain, read
from mongokit.attributes import FieldProperty, add_field_properties, hide_field_properties
from mongokit.compiler import Model
from mongokit.errors import (
    DuplicateI18nError,
    DuplicateRequiredError,
    OptionConflictError,
    StructureError,
)
from mongokit.indexes import check_indexes
from mongokit.locking import check_version_field
from mongokit.schema import Node, Said, build, find, normalize_path
from mongokit.tracking import METHODS

_MERGED_DICTS = (
    *("structure", "default_values", "validators"),
    *("field_titles", "field_descriptions", "field_examples"),
)
_UNITED_LISTS = (
    *("required_fields", "i18n", "authorized_types"),
    *("read_only_fields", "hidden_fields"),
)
# What an annotated field says of itself, whatever its bases said of a field of that name.
_OF_A_FIELD = tuple(
    option
    for option in (*_MERGED_DICTS, *_UNITED_LISTS)
    if option not in {"structure", "i18n", "authorized_types"}
)


@dataclass_transform(kw_only_default=True, field_specifiers=(field, argument))
class SchemaProperties(type):
    """The metaclass of documents: merges what is inherited, checks it, builds the tree.

    Fields may be annotated instead of declared in `structure`; see `mongokit.annotations`.

    Raises:
        StructureError, BadKeyError, AuthorizedTypeError, TypeError: The structure is malformed, or
            an annotation is.
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
        declared = read(name, bases, namespace, FieldProperty)
        _check_declaration(name, namespace)
        namespace["_said"] = _merge_said(bases, namespace, declared)
        by_hand = {option: namespace.get(option) or () for option in _OF_A_FIELD}
        if declared is not None:
            _add_annotated(namespace, bases, declared)
        for option in _MERGED_DICTS:
            if (merged := _merge_dicts(option, bases, namespace)) is not None:
                namespace[option] = merged
        for option in _UNITED_LISTS:
            namespace[option] = _unite_lists(option, bases, namespace)
        if declared is not None:
            _forget_inherited(namespace, declared, by_hand)
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
    _check_kinds(name, namespace)
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


def _check_kinds(name: str, namespace: Mapping[str, Any]) -> None:
    """Refuse what can't be read as what the option is."""
    for option in _MERGED_DICTS:
        if not isinstance(namespace.get(option) or {}, Mapping):
            raise StructureError(f"{name}.{option} must be a dict of paths")
    for option in _UNITED_LISTS:
        if not isinstance(namespace.get(option) or [], (list, tuple, set, frozenset)):
            raise StructureError(f"{name}.{option} must be a list")
    for path, declared in (namespace.get("validators") or {}).items():
        if not all(callable(each) for each in _callables(declared)):
            raise StructureError(f"{name}: the validator of {path} is not callable")
    handler = namespace.get("migration_handler")
    if handler is not None and not callable(handler):
        raise StructureError(f"{name}.migration_handler must be a DocumentMigration class")
    gridfs = namespace.get("gridfs") or []
    if isinstance(gridfs, Mapping):
        for unknown in gridfs.keys() - {"files", "containers"}:
            raise StructureError(f"{name}.gridfs has files and containers, not {unknown}")
    for names in gridfs.values() if isinstance(gridfs, Mapping) else [gridfs]:
        is_listed = isinstance(names, (list, tuple, set, frozenset))
        if not is_listed or not all(isinstance(each, str) for each in names):
            raise StructureError(f"{name}.gridfs must be a list of names, or a dict of two")


def _merge_said(
    bases: tuple[type, ...], namespace: Mapping[str, Any], declared: Declared | None
) -> dict[str, Said]:
    """What annotations said of each field, where no `structure` has the last word on it."""
    said: dict[str, Said] = {}
    for base in reversed(bases):
        known: Mapping[str, Said] = getattr(base, "_said", {})
        for name in getattr(base, "structure", None) or {}:
            said.pop(name, None)
            if name in known:
                said[name] = known[name]
    own = namespace.get("structure")
    for name in own if isinstance(own, dict) else ():
        said.pop(name, None)
    return said | (declared.said if declared is not None else {})


def _add_annotated(namespace: dict[str, Any], bases: tuple[type, ...], declared: Declared) -> None:
    """Put what the annotations declare beside what the class body declares by hand."""
    for option in _MERGED_DICTS:
        by_hand = namespace.get(option)
        if made := getattr(declared, option):
            namespace[option] = {**made, **(by_hand or {})}
    for option in ("required_fields", "read_only_fields", "hidden_fields"):
        by_hand = list(namespace.get(option) or ())
        made = [name for name in getattr(declared, option) if name not in by_hand]
        namespace[option] = [*made, *by_hand]
    namespace.setdefault("use_dot_notation", True)
    if declared.references:
        namespace.setdefault("use_autorefs", True)
    if not any(getattr(base, "_said", None) for base in bases):
        for method, function in METHODS.items():
            namespace.setdefault(method, function)


def _forget_inherited(
    namespace: dict[str, Any], declared: Declared, by_hand: Mapping[str, Any]
) -> None:
    """Take back what bases said of a field that the class annotates anew."""
    for option in _OF_A_FIELD:
        merged, own = namespace.get(option) or (), getattr(declared, option)
        gone = [
            path
            for path in merged
            if path.partition(".")[0] in declared.structure
            and path not in own
            and path not in by_hand[option]
        ]
        if gone and isinstance(merged, dict):
            namespace[option] = {k: v for k, v in merged.items() if k not in gone}
        elif gone:
            namespace[option] = [path for path in merged if path not in gone]


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
            structure | _still_said(cls, structure),
            authorized,
            autorefs=bool(cls.use_autorefs),
            i18n=frozenset(normalize_path(path) for path in cls.i18n),
        )
        _check_paths(cls, tree)
    check_indexes(cls, tree)
    check_version_field(cls, tree)
    # The mapper gives it, so it is not required, and no default is taken for it.
    version_field = cls.version_field
    defaults = {
        path: value
        for path, value in cls.default_values.items()
        if path != version_field or value in (None, 0)
    }
    cls.__mongokit__ = Model(
        cls,
        tree,
        is_document=bool(cls._is_document),
        required=[path for path in cls.required_fields if path != version_field],
        validators={path: _callables(value) for path, value in cls.validators.items()},
        defaults=defaults,
        i18n=list(cls.i18n),
        schemaless=bool(cls.use_schemaless),
        dotted=bool(cls.use_dot_notation),
        type_field=cls.type_field,
        lenient=bool(cls._said),
        version_field=version_field,
    )
    cls._declared = _declaration(cls)
    _note_references(cls)
    if not cls.use_dot_notation:
        hide_field_properties(cls)
    elif tree is not None:
        add_field_properties(cls, tree)


def _still_said(cls: Any, structure: Mapping[str, Any]) -> dict[str, Said]:
    """What annotations said, but for the fields that were changed in `structure` since."""
    return {
        name: said
        for name, said in cls._said.items()
        if name in structure and plain(said) == structure[name]
    }


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
        "strict_queries",
        "version_field",
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
        ("read_only_fields", cls.read_only_fields, True),
        ("hidden_fields", cls.hidden_fields, True),
        ("field_titles", cls.field_titles, True),
        ("field_descriptions", cls.field_descriptions, True),
        ("field_examples", cls.field_examples, True),
    ):
        for path in paths:
            if find(tree, path, through_lists=through_lists) is None:
                raise ValueError(f"Error in {descriptor}: can't find {path} in structure")
