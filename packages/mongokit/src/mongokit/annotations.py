"""Annotated declarations: what type annotations say, as a classic declaration.

`name: Annotated[str, MaxLen(50)]` says what `structure = {"name": str}`, `required_fields` and
`validators` say together. This module reads the annotations of a class body once, when the class
is made, and gives them back in that form; everything else knows only the declaration.
"""

from __future__ import annotations
import __future__

import enum
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import date
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64, ObjectId

from mongokit import validators
from mongokit.errors import StructureError
from mongokit.operators import IS, OR, AnyOf
from mongokit.schema import Said
from mongokit.types import CustomType, DateType, DecimalType, EnumType, Set
from mongokit.validators import Constraint

__all__ = ["field"]

UNSET: Any = type("Unset", (), {"__repr__": lambda _self: "UNSET"})()

_ARGUMENTS = frozenset({"doc", "gen_skel", "collection", "lang", "fallback_lang"})
_FUTURE: int = __future__.annotations.compiler_flag
_UNIONS = (typing.Union, types.UnionType)
_LENGTHS = frozenset({"max_length", "min_length", "length"})
_COMPARISONS = frozenset({"ge", "gt", "le", "lt"})
_TEXTS = frozenset({"pattern", "email", "url"})


@dataclass(frozen=True, slots=True)
class Field:
    """What `field()` returns; see there."""

    default: Any = UNSET
    default_factory: Any = UNSET
    read_only: bool = False
    hidden: bool = False
    title: str | None = None
    description: str | None = None
    examples: tuple[Any, ...] = ()


def field(
    *,
    default: Any = UNSET,
    default_factory: Callable[[], Any] = UNSET,
    read_only: bool = False,
    hidden: bool = False,
    title: str | None = None,
    description: str | None = None,
    examples: Iterable[Any] = (),
) -> Any:
    """Say more of an annotated field than its type.

    Args:
        default: The value of a new document; without one the field is required.
        default_factory: Called for the value of each new document.
        read_only: Whether clients may see the field but not set it.
        hidden: Whether clients don't see it either.
        title: Its name for people; else made of the name: `created_at` is "Created at".
        description: What it means; else what the class's docstring says under `Attributes:`.
        examples: Values that it may have.

    Raises:
        TypeError: Both `default` and `default_factory` are given.

    Example:
        >>> class Note(Document):
        ...     tags: list[str] = field(default_factory=list, examples=[["urgent"]])
        ...     views: int = field(default=0, read_only=True)
        >>> Note(), Note.read_only_fields
        ({'tags': [], 'views': 0}, ['views'])
    """
    if default is not UNSET and default_factory is not UNSET:
        raise TypeError("field() takes default or default_factory, not both")
    return Field(default, default_factory, read_only, hidden, title, description, tuple(examples))


def argument(*, default: Any, kw_only: bool = False) -> Any:
    """Say to type checkers what a constructor takes beside the fields; never called.

    Args:
        default: Its default.
        kw_only: Whether it can't be given by position.
    """
    raise NotImplementedError


@dataclass(slots=True)
class Declared:
    """A class's annotations in the form of a classic declaration.

    Attributes:
        structure: Field to spec, as it would be written by hand.
        said: The same with what a spec can't say; the tree is made of it.
        required_fields: The fields without a default.
        default_values: Field to default.
        validators: Field to validators.
        read_only_fields: What clients may not set.
        hidden_fields: What they don't see.
        field_titles: Field to name.
        field_descriptions: Field to meaning.
        field_examples: Field to values.
        references: Whether a field references documents.
    """

    structure: dict[str, Any] = dataclass_field(default_factory=dict)
    said: dict[str, Said] = dataclass_field(default_factory=dict)
    required_fields: list[str] = dataclass_field(default_factory=list)
    default_values: dict[str, Any] = dataclass_field(default_factory=dict)
    validators: dict[str, Any] = dataclass_field(default_factory=dict)
    read_only_fields: list[str] = dataclass_field(default_factory=list)
    hidden_fields: list[str] = dataclass_field(default_factory=list)
    field_titles: dict[str, str] = dataclass_field(default_factory=dict)
    field_descriptions: dict[str, str] = dataclass_field(default_factory=dict)
    field_examples: dict[str, list[Any]] = dataclass_field(default_factory=dict)
    references: bool = False


def read(
    name: str, bases: tuple[type, ...], namespace: dict[str, Any], field_kind: type
) -> Declared | None:
    """Return what the annotations in a class body declare, None where they declare nothing.

    The fields' defaults are taken out of the namespace. What is annotated with `ClassVar`, begins
    with an underscore (but `_id`), is declared in the body's own `structure`, or is an option of
    the base classes, is no annotated field.

    Args:
        name: The class's name.
        bases: Its bases.
        namespace: Its body.
        field_kind: The kind of class attribute that an inherited field is.

    Raises:
        StructureError: An annotation can't be a field; the text names class, field and reason.
    """
    annotations = _own_annotations(namespace)
    if not annotations:
        return None
    own_structure = namespace.get("structure")
    by_hand = own_structure if isinstance(own_structure, dict) else {}
    reader = _Reader(name, namespace)
    declared = Declared()
    for each, annotation in annotations.items():
        if each in by_hand or (each.startswith("_") and each != "_id"):
            continue
        reader.field = each
        resolved = reader.resolve(annotation)
        if _is_class_variable(resolved) or _is_option(each, bases):
            continue
        _check_name(reader, each, bases, field_kind)
        _add(declared, reader, each, resolved, namespace.pop(each, UNSET))
    declared.references = reader.references
    return declared if declared.structure else None


def plain(spec: Any) -> Any:
    """Return a spec as it would be written by hand, without what only an annotation says.

    Args:
        spec: A spec of which any part may be `Said`.
    """
    if isinstance(spec, Said):
        return plain(spec.spec)
    if isinstance(spec, AnyOf):
        return AnyOf(*(plain(option) for option in spec.operands))
    if isinstance(spec, list):
        return [plain(item) for item in spec]
    if isinstance(spec, tuple):
        return tuple(plain(item) for item in spec)
    if isinstance(spec, dict):
        return {key: plain(value) for key, value in spec.items()}
    return spec


def _own_annotations(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = namespace.get("__annotations__", {})
    if not found and sys.version_info >= (3, 14):  # PEP 649: made when asked for
        import annotationlib  # noqa: PLC0415

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            found = annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    return found


def _is_class_variable(annotation: Any) -> bool:
    # PEP 591: what a class body says to be final, and gives a value, is the class's.
    return (typing.get_origin(annotation) or annotation) in (typing.ClassVar, typing.Final)


def _is_option(name: str, bases: tuple[type, ...]) -> bool:
    """Whether a name is a setting of the base classes: data, and no field of theirs."""
    for each in (each for base in bases for each in base.__mro__ if name in vars(each)):
        if isinstance(vars(each)[name], property):
            return False
        if name in getattr(each, "__annotations__", {}):
            return True
    return False


def _check_name(reader: _Reader, name: str, bases: tuple[type, ...], field_kind: type) -> None:
    for base in bases:
        present = getattr(base, name, None)
        if present is not None and not isinstance(present, field_kind):
            owner = next((c.__name__ for c in base.__mro__ if name in vars(c)), base.__name__)
            reader.refuse(
                f"{owner} has an attribute of this name, which a field never hides; take another "
                "name, or declare it in `structure` and read it by key"
            )
    if name in _ARGUMENTS:
        reader.refuse(
            "the constructor has an argument of this name; take another name, or declare it in "
            "`structure`"
        )


def _add(declared: Declared, reader: _Reader, name: str, annotation: Any, default: Any) -> None:
    reader.info = Field()
    said = reader.said(annotation)
    info = reader.info
    if isinstance(default, Field):
        info = _merged(info, default)
    elif default is not UNSET:
        info = replace(info, default=default)
    made_by_driver = name == "_id" and said.spec is ObjectId
    if made_by_driver and info.default is UNSET and info.default_factory is UNSET:
        info = replace(info, default=None)
    if made_by_driver and info.default is None:
        said = replace(said, none=True)
    checks = said.checks
    declared.said[name] = said = replace(said, checks=())
    declared.structure[name] = plain(said)
    if checks:
        declared.validators[name] = list(checks) if len(checks) > 1 else checks[0]
    if info.default_factory is not UNSET:
        declared.default_values[name] = info.default_factory
    elif info.default is UNSET:
        declared.required_fields.append(name)
    elif info.default is not None:
        declared.default_values[name] = info.default
    elif not said.none:
        reader.refuse("None is the default, but the type does not allow it: write `... | None`")
    if info.read_only:
        declared.read_only_fields.append(name)
    if info.hidden:
        declared.hidden_fields.append(name)
    if info.title:
        declared.field_titles[name] = info.title
    if info.description:
        declared.field_descriptions[name] = info.description
    if info.examples:
        declared.field_examples[name] = list(info.examples)


def _merged(first: Field, second: Field) -> Field:
    """What two `field()`s say together; the second goes before the first."""
    given = {
        name: value
        for name in Field.__slots__
        if (value := getattr(second, name)) is not getattr(_NOTHING_SAID, name)
    }
    return replace(first, **given)


_NOTHING_SAID = Field()


class _Names(dict[str, Any]):
    """What an annotation's names mean: as in the class body, then in its module.

    A name that nothing has yet stands for a class to come: it is a `TypeVar` of that name.
    """

    def __init__(self, scopes: Iterable[Mapping[str, Any]], unknown: Iterable[str] | None) -> None:
        super().__init__()
        self._scopes = list(scopes)
        self._unknown = unknown

    def __missing__(self, name: str) -> Any:
        for scope in self._scopes:
            if name in scope:
                return scope[name]
        if self._unknown is None or name in self._unknown:
            return typing.TypeVar(name)
        raise NameError(name)


class _Reader:
    """Reads the annotations of one class; `field` is the one that errors name."""

    def __init__(self, class_name: str, namespace: Mapping[str, Any]) -> None:
        self.class_name = class_name
        self.field = ""
        self.info = Field()
        self.references = False
        self._namespace = namespace
        self._frame = _frame_of(namespace.get("__module__"))

    def refuse(self, reason: str) -> typing.NoReturn:
        raise StructureError(
            f"{self.class_name}.{self.field}: {reason}", path=self.field, rule="annotation"
        )

    # Names.

    def resolve(self, annotation: Any) -> Any:
        """Return what an annotation means, where it is text."""
        if not isinstance(annotation, str):
            return annotation
        frame = self._frame
        is_source = frame is not None and frame.f_code.co_flags & _FUTURE
        # With `from __future__ import annotations` all of them are text: what is not known there
        # is a slip of the finger, unless it is the class itself or stands in quotes.
        return self._evaluate(annotation, [self.class_name] if is_source else None)

    def _evaluate(self, text: str, unknown: Iterable[str] | None) -> Any:
        scopes: list[Mapping[str, Any]] = [self._namespace]
        frame = self._frame
        if self._frame is not None:
            while frame is not None and frame.f_globals is self._frame.f_globals:
                scopes.append(frame.f_locals)
                frame = frame.f_back
            scopes.append(self._frame.f_globals)
        module = sys.modules.get(str(self._namespace.get("__module__")))
        scopes += [vars(module)] if module is not None else []
        builtins = vars(sys.modules["builtins"])
        try:
            # The program's own source, which Python itself would evaluate in the same way. Names
            # are found by `_Names` alone; but `typing` imports what it needs by these globals.
            names = _Names([*scopes, builtins], unknown)
            return eval(text, {"__builtins__": builtins}, names)  # noqa: S307
        except NameError as error:
            missing = error.args[0] if error.args else text
            self.refuse(
                f"{missing} is not defined here; a class that is defined later is named in quotes"
            )
        except Exception as error:  # noqa: BLE001 - whatever the expression does
            self.refuse(f"the annotation can't be evaluated: {error}")

    # Types.

    def said(self, annotation: Any) -> Said:
        """Return the spec of an annotation, with all that it says."""
        if isinstance(annotation, typing.ForwardRef):
            annotation = annotation.__forward_arg__
        if isinstance(annotation, str):
            annotation = self._evaluate(annotation, None)
        if isinstance(annotation, typing.TypeVar):
            self.references = True
            return Said(annotation.__name__)
        if annotation is Any or annotation is object:
            return Said(None, none=True)
        if annotation is None or annotation is type(None):
            self.refuse("None alone is no type of a field")
        if hasattr(annotation, "__supertype__"):  # typing.NewType
            return self.said(annotation.__supertype__)
        if type(annotation).__name__ == "TypeAliasType":  # type X = ...
            return self.said(annotation.__value__)
        if isinstance(annotation, CustomType):
            return Said(annotation)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin in _UNIONS:
            return self._union(arguments)
        if origin is typing.Literal:
            return self._literal(arguments)
        if origin is not None:
            return self._generic(annotation, origin, arguments)
        if isinstance(annotation, type):
            return self._type(annotation)
        return self.refuse(f"{annotation!r} is no type of a field")

    def _annotated(self, annotation: Any, metadata: Iterable[Any]) -> Said:
        said = self.said(annotation)
        for each in _flat(metadata):
            if isinstance(each, CustomType):
                said = Said(each, said.none, said.checks)
            elif isinstance(each, Field):
                self.info = _merged(self.info, each)
            elif isinstance(text := getattr(each, "documentation", None), str):  # PEP 727
                self.info = replace(self.info, description=text)
            else:
                check = self._check(each)
                if isinstance(check, Constraint):
                    self._check_fits(check, said)
                if check is not None:
                    said = replace(said, checks=(*said.checks, check))
        return said

    def _check(self, metadata: Any) -> Any:
        """Return the validator that an item of `Annotated` is, None for what is none."""
        known: Any = sys.modules.get("annotated_types")  # its import costs, and is often not needed
        match metadata:
            case _ if known is None:
                pass  # nobody has imported the constraints, so this is none of them
            case known.MinLen():
                return validators.min_length(metadata.min_length) if metadata.min_length else None
            case known.MaxLen():
                return validators.max_length(metadata.max_length)
            case known.Ge():
                return validators.ge(metadata.ge)
            case known.Gt():
                return validators.gt(metadata.gt)
            case known.Le():
                return validators.le(metadata.le)
            case known.Lt():
                return validators.lt(metadata.lt)
            case known.MultipleOf():
                return validators.multiple_of(metadata.multiple_of)
            case known.Predicate():
                return metadata.func
            case known.Unit() | known.DocInfo():
                return None
            case known.BaseMetadata():
                self.refuse(f"the constraint {metadata!r} is not supported")
        is_validator = callable(metadata) and not isinstance(metadata, type)
        return metadata if is_validator else None  # PEP 593: what nobody here knows is not for us

    def _check_fits(self, check: Constraint, said: Said) -> None:
        spec, rule = said.spec, check.rule
        kinds = _kinds(spec)
        if kinds is None:
            return
        wanted: tuple[type, ...]
        if rule in _LENGTHS:
            wanted, words = (str, bytes, list, dict, set), "text, bytes, lists and dicts"
        elif rule in _COMPARISONS:
            wanted, words = (int, float, Decimal, Decimal128, Int64, date), "numbers and dates"
        elif rule == "multiple_of":
            wanted, words = (int, float, Decimal, Decimal128, Int64), "numbers"
        elif rule in _TEXTS:
            wanted, words = (str,), "text"
        elif rule == "unique_items":
            wanted, words = (list,), "lists"
        else:
            return
        if not any(issubclass(kind, wanted) for kind in kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            self.refuse(f"{rule} speaks of {words}, not of {names}")

    def _union(self, arguments: Iterable[Any]) -> Said:
        given = [each for each in arguments if each is not type(None)]
        none = len(given) < len(tuple(arguments))
        options = [self.said(each) for each in given]
        none = none or any(option.none for option in options)
        if len(options) == 1:
            return replace(options[0], none=none)
        options = [replace(option, none=False) for option in options]
        simple = not any(option.checks for option in options)
        specs = [option.spec for option in options]
        if simple and all(isinstance(spec, IS) for spec in specs):
            return Said(IS(*(value for spec in specs for value in spec.operands)), none)
        if simple and all(_is_plain_type(spec) for spec in specs):
            return Said(OR(*specs), none)
        for spec in specs:
            if isinstance(spec, (CustomType, str)) or _is_reference(spec):
                self.refuse(
                    f"a union can't hold {_name(spec)}: what is stored of it could be another "
                    "option's"
                )
        return Said(AnyOf(*options), none)

    def _literal(self, values: tuple[Any, ...]) -> Said:
        wanted = [value for value in values if value is not None]
        for value in wanted:
            if isinstance(value, enum.Enum):
                self.refuse("a Literal of enum members is not supported: use the Enum itself")
        if not wanted:
            self.refuse("None alone is no type of a field")
        return Said(IS(*wanted), none=len(wanted) < len(values))

    def _generic(self, annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Said:
        if origin is list:
            return Said([self.said(arguments[0])])
        if origin is dict:
            return self._dict(arguments)
        if origin is tuple:
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return Said([self.said(arguments[0])])
            if not arguments or arguments == ((),):
                self.refuse("an empty tuple is no type of a field")
            return Said(tuple(self.said(each) for each in arguments))
        if origin is set:
            item = self.said(arguments[0])
            if item.checks or item.none or not (_is_plain_type(item.spec) or item.spec is None):
                self.refuse("the items of a set are of one plain type, as in set[str]")
            return Said(Set(item.spec))
        if origin in (typing.Required, typing.NotRequired, typing.Final):
            self.refuse(f"{annotation!r} is no type of a field")
        if isinstance(origin, type) and issubclass(origin, Iterable):
            self.refuse(
                f"{annotation!r} is no type of a field: use list[...], which it is stored as"
            )
        return self.refuse(f"{annotation!r} is no type of a field")

    def _dict(self, arguments: tuple[Any, ...]) -> Said:
        key, value = arguments
        if key is not str:
            self.refuse(f"the keys of a stored dict are str, not {_name(key)}")
        return Said({str: self.said(value)})

    def _type(self, kind: type) -> Said:
        model = getattr(kind, "__mongokit__", None)
        if model is not None:
            self.references = self.references or model.is_document
            return Said(kind)
        if issubclass(kind, CustomType):
            return Said(kind())
        if issubclass(kind, enum.Enum):
            return Said(EnumType(kind))
        if kind is Decimal:
            return Said(DecimalType())
        if kind is date:
            return Said(DateType())
        if kind is set:
            return Said(Set(None))
        if kind is tuple:
            return Said(list)
        if typing.is_typeddict(kind) or hasattr(kind, "__dataclass_fields__"):
            self.refuse(
                f"{kind.__name__} is no type that BSON has: declare it as an Embedded class"
            )
        return Said(kind)


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    known: Any = sys.modules.get("annotated_types")
    for each in metadata:
        if known is not None and isinstance(each, known.GroupedMetadata):
            yield from _flat(each)
        else:
            yield each


def _is_plain_type(spec: Any) -> bool:
    return (
        isinstance(spec, type)
        and not hasattr(spec, "__mongokit__")
        and not issubclass(spec, (dict, list))
    )


def _is_reference(spec: Any) -> bool:
    return isinstance(spec, type) and getattr(spec, "_is_document", False)


def _kinds(spec: Any) -> tuple[type, ...] | None:
    """The types that values of a spec have, None where they can't be told."""
    if isinstance(spec, CustomType):
        kinds = spec.python_type
        return kinds if isinstance(kinds, tuple) else (kinds,)
    if isinstance(spec, OR):
        return tuple(spec.operands)
    if isinstance(spec, (list, tuple)):
        return (list,)
    if isinstance(spec, dict):
        return (dict,)
    return (spec,) if isinstance(spec, type) else None


def _name(spec: Any) -> str:
    if isinstance(spec, CustomType):
        return str(spec.python_type.__name__)
    return getattr(spec, "__name__", None) or str(spec)


def _frame_of(module: Any) -> types.FrameType | None:
    """The frame whose code defines the class: the first one above us of the class's module."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == module:
            return frame
        frame = frame.f_back
    return None
