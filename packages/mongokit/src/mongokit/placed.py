"""A value at one place of a document, checked there as `validate()` checks the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from bson import DBRef

from mongokit.convert import to_bson
from mongokit.errors import (
    AutoReferenceError,
    RequireFieldError,
    SchemaDocumentError,
    SchemaTypeError,
    ValidationError,
)
from mongokit.explain import (
    MISSING,
    _item_failures,
    _select,
    _Walk,
    is_missing,
    run_validator,
)
from mongokit.places import References
from mongokit.schema import CustomNode, I18nNode, MappingNode, Node, join
from mongokit.targets import Target

if TYPE_CHECKING:
    from bson.codec_options import CodecOptions

E = TypeVar("E", bound=SchemaDocumentError)


@dataclass(slots=True)
class Findings:
    """Failures, in the groups that `validate()` finds one after the other.

    Attributes:
        paths: Paths that lead nowhere, and changes that can't be made.
        validators: What the declared validators refuse.
        custom: What CustomTypes refuse.
        types: Values of other types than the declared ones; unknown and missing fields.
        required: Required fields without a value.
    """

    paths: list[Exception] = field(default_factory=list)
    validators: list[Exception] = field(default_factory=list)
    custom: list[Exception] = field(default_factory=list)
    types: list[Exception] = field(default_factory=list)
    required: list[Exception] = field(default_factory=list)

    def __iter__(self) -> Iterator[Exception]:
        for group in (self.paths, self.validators, self.custom, self.types, self.required):
            yield from group

    def __bool__(self) -> bool:
        return bool(self.paths or self.validators or self.custom or self.types or self.required)

    def add(self, other: Findings) -> None:
        """Add the failures of `other` to these."""
        self.paths += other.paths
        self.validators += other.validators
        self.custom += other.custom
        self.types += other.types
        self.required += other.required


def check(target: Target, value: Any, options: CodecOptions[Any], found: Findings) -> Any:
    """Check a value that will stand at a target, and return its stored form.

    Args:
        target: The place.
        value: The value in its Python form.
        options: How values that the declaration leaves open are encoded.
        found: Gets the failures. With any, the value comes back as it is.
    """
    here = Findings()
    node = target.node
    walk = _Walk(target.model, options)
    if node is None:
        here.types += walk.encodable({"": value}, target.path)
    elif target.role == "entry":
        value = _checked_entry(target, value, options, here)
    else:
        here.validators += _refused_by_validators(target, value)
        here.custom += walk.custom(node, value, target.path)
        here.types += walk.types(node, value, target.path)
        here.required += without_required(target, value)
        if not here:
            here.types += _unusable_references(target, node, value)
            value = stored(node, value)
    found.add(here)
    return value


def _checked_entry(target: Target, entry: Any, options: CodecOptions[Any], found: Findings) -> Any:
    """What one language of an i18n field is stored as, whose value is in its Python form."""
    if not isinstance(entry, Mapping) or set(entry) != {"lang", "value"}:
        text = f"one language of {target.path} must be a dict of lang and value"
        found.types.append(error_at(SchemaTypeError, text, target, entry))
        return entry
    lang = entry["lang"]
    if not isinstance(lang, str):
        text = f"key of {target.path} must be an instance of str not {type(lang).__name__}"
        found.types.append(error_at(SchemaTypeError, text, target, lang))
    return {"lang": lang, "value": check(language(target), entry["value"], options, found)}


def language(target: Target) -> Target:
    """Return the target of one language's value in an i18n field.

    Args:
        target: The field, or an entry of it.
    """
    inner = target.node.inner if isinstance(target.node, I18nNode) else target.node
    return replace(target, node=inner, role="language")


def stored(node: Node, value: Any) -> Any:
    """Return the stored form of a value.

    Args:
        node: What the declaration says of its place.
        value: The value in its Python form.
    """
    convert = to_bson(node)
    return value if convert is None else convert(value)


def without_required(target: Target, value: Any) -> Iterator[RequireFieldError]:
    """Yield an error for each required field that a document lacks with a value at a target.

    Args:
        target: The place.
        value: The value in its Python form; `explain.MISSING` for none.
    """
    for level in target.levels:
        for path in level.model.required:
            below = _below(path, level.parts)
            if below is None or (not below and not target.is_whole):
                continue
            if any(is_missing(*each) for each in _select(target.node, value, below)):
                where = join(level.prefix, path)
                yield RequireFieldError(
                    f"{where} is required", path=where, document_class=level.model.document_class
                )


def _refused_by_validators(target: Target, value: Any) -> Iterator[ValidationError]:
    for level in target.levels:
        for path, functions in level.model.validators:
            below = _below(path, level.parts)
            if below is None or (not below and target.role == "item"):
                continue
            for each in _present(_select(target.node, value, below)):
                for function in functions:
                    where = join(level.prefix, path)
                    error = run_validator(function, each, where, level.model.document_class)
                    if error is not None:
                        yield error
                        break
    if target.node is not None and target.model.has_checks:
        yield from _item_failures(target.model, target.node, value, target.path)


def has_validators(target: Target) -> bool:
    """Tell whether a class has validators for a place, or for something below it.

    Args:
        target: The place.
    """
    return any(
        _below(path, level.parts) is not None
        for level in target.levels
        for path, _ in level.model.validators
    )


def _below(path: str, parts: Sequence[str]) -> list[str] | None:
    """The parts of a declared path below a place; None where it leads elsewhere."""
    declared = path.split(".")
    return declared[len(parts) :] if declared[: len(parts)] == list(parts) else None


def _present(selected: Iterable[tuple[Any, Node | None]]) -> Iterator[Any]:
    for value, node in selected:
        if isinstance(node, I18nNode) and isinstance(value, dict):
            yield from (text for text in dict.values(value) if text is not None)
        elif value is not None and value is not MISSING:
            yield value


def _unusable_references(target: Target, node: Node, value: Any) -> Iterator[Exception]:
    """Yield an error for each reference in a value that could not be followed once stored."""
    if not any(level.model.has_references for level in target.levels):
        return
    cls: Any = target.model.document_class
    for place in References(MappingNode("", {"": node})).of({"": value}):
        where = f"{cls.__name__}.{place.node.path}"
        if not isinstance(place.value, DBRef):
            if dict.get(place.value, "_id") is None:
                yield AutoReferenceError(
                    f"{where}: save the {type(place.value).__name__} before what references it: "
                    "it has no _id yet"
                )
        elif place.value.database is None and not cls.force_autorefs_current_db:
            yield RuntimeError(
                f"the reference {place.node.path} of {cls.__name__} names no database: make it "
                "with get_dbref()"
            )


def custom_item(
    target: Target, node: CustomNode, item: Any, options: CodecOptions[Any], found: Findings
) -> Any:
    """Check an item for a CustomType that is stored as a list; return what is stored of it.

    Args:
        target: The field.
        node: The CustomType's node.
        item: The item in its stored form: only a whole list has a Python form.
        options: How values that the declaration leaves open are encoded.
        found: Gets the failures.
    """
    try:
        alone = node.custom.to_python([item])
        failures = list(_Walk(target.model, options).custom(node, alone, target.path))
        made = item if failures else node.custom.to_bson(alone)
    except Exception as error:  # noqa: BLE001 - the type's own refusal, passed on as it is
        found.custom.append(error)
        return item
    found.custom += failures
    return made[0] if isinstance(made, list) and len(made) == 1 else item


def error_at(
    kind: type[E], text: str, target: Target, value: Any = None, rule: str | None = None
) -> E:
    """Return an error about a target.

    Args:
        kind: Its class.
        text: Its text.
        target: The place.
        value: The refused value.
        rule: What was broken, where the class does not say it.
    """
    return kind(
        text,
        path=target.path,
        rule=rule,
        value=value,
        document_class=target.model.document_class,
    )
