"""The obvious walk: every failure of a document, in the order that decides which is raised.

The compiled check answers "is it valid?" in one pass; only when it says no does this module walk
the tree to say why. The order is validators, then CustomTypes, then types and fields level by
level, then required fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import bson
from bson import DBRef
from bson.errors import BSONError

from mongokit.convert import content_of
from mongokit.errors import (
    AuthorizedTypeError,
    RequireFieldError,
    SchemaDocumentError,
    SchemaTypeError,
    StructureError,
    ValidationError,
)
from mongokit.nearest import near_name
from mongokit.schema import (
    ALWAYS_KNOWN,
    AnyNode,
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    ManagerNode,
    MappingNode,
    Node,
    OperatorNode,
    ReferenceNode,
    ScalarNode,
    TupleNode,
    UnionNode,
    children,
    find,
    join,
    normalize_path,
    type_key,
)

if TYPE_CHECKING:
    from bson.codec_options import CodecOptions

    from mongokit.compiler import Model

E = TypeVar("E", bound=SchemaDocumentError)

MISSING: Any = type("Missing", (), {"__repr__": lambda _self: "MISSING"})()
"""Stands for a field that a document does not have."""


def failures(
    model: Model,
    doc: dict[Any, Any],
    options: CodecOptions[Any],
    prefix: str = "",
    *,
    made: bool = True,
) -> Iterator[Exception]:
    """Yield every failure of `doc`, the one that `validate()` raises first.

    Args:
        model: What the document's class declares.
        doc: The document.
        options: How values that the declaration leaves open are encoded.
        prefix: The path that `doc` stands at, where it is embedded.
        made: Whether the program made it, where it does not know that itself: then it is
            answerable for undeclared fields.
    """
    origin = origin_of(doc, made=made)
    doc = content_of(doc)
    yield from validator_failures(model, doc, prefix)
    yield from type_failures(model, doc, options, prefix, origin)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the fields of a document come from, as far as undeclared ones are concerned.

    Attributes:
        made: The program made the document, so all of its fields.
        added: What the program set in a document that it had read.
    """

    made: bool
    added: frozenset[str] = frozenset()


def origin_of(doc: Any, *, made: bool = True) -> Origin:
    """Return where the fields of a document come from.

    Args:
        doc: The document.
        made: The answer for a dict that does not know.
    """
    if hasattr(type(doc), "__mongokit__"):
        return Origin(doc._made, doc._added)
    return Origin(made)


def validator_failures(
    model: Model, doc: dict[Any, Any], prefix: str = ""
) -> Iterator[ValidationError]:
    """Yield what the declared validators refuse, in the order of their declaration."""
    for path, functions in model.validators:
        for value in _present_values(model.tree, doc, path):
            for function in functions:
                error = run_validator(function, value, join(prefix, path), model.document_class)
                if error is not None:
                    yield error
                    break
    if model.has_checks and model.tree is not None:
        yield from _item_failures(model, model.tree, doc, prefix)


def _item_failures(model: Model, node: Node, value: Any, path: str) -> Iterator[ValidationError]:
    """Yield what the validators of items refuse: `list[Annotated[str, MaxLen(20)]]` has one."""
    if value is None:
        return
    for function in node.checks:
        error = run_validator(function, value, path, model.document_class)
        if error is not None:
            yield error
            return
    match node:
        case MappingNode() if isinstance(value, dict):
            for key, child in node.fields.items():
                if key in value:
                    item = dict.__getitem__(value, key)
                    yield from _item_failures(model, child, item, join(path, key))
        case KeyedNode() if isinstance(value, dict):
            for item in dict.values(value):
                below = join(path, type_key(node.key))
                yield from _item_failures(model, node.value, item, below)
        case ListNode() if isinstance(value, (list, tuple)):
            for item in value:
                yield from _item_failures(model, node.item, item, path)
        case TupleNode() if isinstance(value, (list, tuple)):
            for child, item in zip(node.items, value, strict=False):
                yield from _item_failures(model, child, item, path)


def type_failures(
    model: Model,
    doc: dict[Any, Any],
    options: CodecOptions[Any],
    prefix: str = "",
    origin: Origin = Origin(made=True),
) -> Iterator[Exception]:
    """Yield every failure but those of validators."""
    walk = _Walk(model, options, origin)
    if model.tree is not None:
        yield from walk.custom(model.tree, doc, prefix)
        yield from walk.types(model.tree, doc, prefix)
    else:
        yield from walk.encodable(doc, prefix)
    for path in model.required:
        for value, node in select(model.tree, doc, path):
            if is_missing(value, node):
                where = join(prefix, path)
                yield RequireFieldError(
                    f"{where} is required", path=where, document_class=model.document_class
                )
                break


def run_validator(
    function: Callable[[Any], Any], value: Any, path: str, document_class: type
) -> ValidationError | None:
    """Call one validator and return its refusal as an error, or None.

    Args:
        function: Returns something true, or raises.
        value: What the document holds at `path`; never None.
        path: The dotted field name.
        document_class: The class that declares the validator.
    """
    cause: Exception | None = None
    try:
        if function(value):
            return None
    except Exception as error:  # noqa: BLE001 - whatever a validator raises is its refusal
        cause = error
    name = getattr(function, "__name__", None) or type(function).__name__
    text = f"{path} does not pass the validator {name}"
    if cause is not None:
        text = with_path(str(cause), path) if str(cause) else f"{text}: {type(cause).__name__}"
    refusal = ValidationError(
        text,
        path=path,
        rule=getattr(function, "rule", None) or getattr(cause, "rule", None),
        value=value,
        document_class=document_class,
    )
    refusal.__cause__ = cause
    return refusal


def with_path(text: str, path: str) -> str:
    """Fill the one `%s` of a validator's text with the path; any other text stays as it is.

    Example:
        >>> with_path("%s is too long", "name")
        'name is too long'
        >>> with_path("100% wrong", "name")
        '100% wrong'
    """
    return text.replace("%s", path) if text.count("%s") == 1 else text


def is_missing(value: Any, node: Node | None) -> bool:
    """Tell whether a required field has no value: absent, None, `[]` or `{}`.

    Of an annotated `X | None` without a default, None is a value.
    """
    if value is MISSING or value is None:
        return value is MISSING or node is None or not node.none
    if isinstance(node, CustomNode):
        return False
    return isinstance(value, (list, tuple, dict)) and not value


def select(tree: Node | None, doc: Any, path: str) -> Iterator[tuple[Any, Node | None]]:
    """Yield each value that `path` names in `doc`, with its node; MISSING where there is none."""
    yield from _select(tree, doc, normalize_path(path).split("."))


def _select(
    node: Node | None, value: Any, parts: Sequence[str]
) -> Iterator[tuple[Any, Node | None]]:
    if isinstance(node, ListNode) and parts:
        for item in value if isinstance(value, (list, tuple)) else ():
            yield from _select(node.item, item, parts)
    elif not parts:
        yield value, node
    elif not isinstance(value, dict):
        yield MISSING, None
    elif isinstance(node, KeyedNode):
        for item in dict.values(value):
            yield from _select(node.value, item, parts[1:])
    else:
        known = children(node) if node is not None else ()
        below = next((child for key, child in known if key == parts[0]), None)
        if parts[0] in value:
            yield from _select(below, dict.__getitem__(value, parts[0]), parts[1:])
        else:
            yield MISSING, None


def _present_values(tree: Node | None, doc: Any, path: str) -> Iterator[Any]:
    for value, node in select(tree, doc, path):
        if isinstance(node, I18nNode) and isinstance(value, dict):
            yield from (text for text in value.values() if text is not None)
        elif value is not None and value is not MISSING:
            yield value


class _Walk:
    """One class's rules, applied to one document."""

    def __init__(
        self,
        model: Model,
        options: CodecOptions[Any],
        origin: Origin = Origin(made=True),
    ) -> None:
        self.model = model
        self.options = options
        self.origin = origin

    # CustomTypes: the Python form, the type's own check, then the BSON form.

    def custom(self, node: Node, value: Any, path: str) -> Iterator[Exception]:
        match node:
            case CustomNode():
                yield from self._custom(node, value, path)
            case MappingNode() if isinstance(value, dict):
                for key, child in node.fields.items():
                    if key in value:
                        yield from self.custom(child, dict.__getitem__(value, key), join(path, key))
            case KeyedNode() if isinstance(value, dict):
                for key, item in dict.items(value):
                    if path or key not in ALWAYS_KNOWN:
                        yield from self.custom(node.value, item, join(path, type_key(node.key)))
            case ListNode() if isinstance(value, (list, tuple)):
                for item in value:
                    yield from self.custom(node.item, item, path)
            case TupleNode() if isinstance(value, (list, tuple)):
                for child, item in zip(node.items, value, strict=False):
                    yield from self.custom(child, item, path)
            case I18nNode() if isinstance(value, dict):
                for lang, item in dict.items(value):
                    where = f"{path} ({lang})"
                    for error in self.custom(node.inner, item, where):
                        yield _at_field(error, where, path)

    def _custom(self, node: CustomNode, value: Any, path: str) -> Iterator[Exception]:
        custom = node.custom
        if value is None and node.none is False:
            if not self._is_required(node):
                yield self._type_error(path, names_of(custom.python_type), value)
            return
        if value is not None and not isinstance(value, custom.python_type):
            yield self._type_error(path, names_of(custom.python_type), value)
            return
        try:
            custom.validate(value, path=path)
            stored = custom.to_bson(value)
        except Exception as error:  # noqa: BLE001 - the type's own refusal, passed on as it is
            if isinstance(error, SchemaDocumentError):
                error.path = error.path or path
            else:
                error._mongokit_path = path  # type: ignore[attr-defined]
            yield error
            return
        if stored is not None and not isinstance(stored, custom.mongo_type):
            yield self._type_error(path, names_of(custom.mongo_type), stored)

    # Types, and the fields of each level.

    def types(self, node: Node, value: Any, path: str) -> Iterator[Exception]:
        if value is None and node.path and node.path == self.model.version_field:
            return  # it gets one when it is stored
        if value is None and not isinstance(node, (CustomNode, ManagerNode)):
            # Where an annotation refuses it, "is required" says it already.
            if not node.allows_none and not (node.none is False and self._is_required(node)):
                yield self._none_error(node, path)
            return
        match node:
            case MappingNode():
                yield from self._mapping(node, value, path)
            case KeyedNode():
                yield from self._keyed(node, value, path)
            case ListNode():
                yield from self._list(node, value, path)
            case TupleNode():
                yield from self._tuple(node, value, path)
            case I18nNode():
                yield from self._i18n(node, value, path)
            case ManagerNode():
                yield SchemaTypeError(
                    f"{path} is declared with a manager where a class belongs",
                    path=path,
                    document_class=self.model.document_class,
                )
            case CustomNode():
                pass  # checked before, in both forms
            case ScalarNode():
                if not node.takes(value):
                    yield self._type_error(path, node.kind.__name__, value)
                elif node.refuses and not is_int64(value):
                    message = f"{path} must be a number of 64 bits at most"
                    yield self._error(SchemaTypeError, message, path, value, rule="range")
                else:
                    yield from self.encodable(value, path)
            case AnyNode():
                yield from self._any(node, value, path)
            case OperatorNode():
                if node.operator.validate(value):
                    yield from self.encodable(value, path, of_any_type=True)
                else:
                    message = node.operator.error(path, value)
                    yield self._error(SchemaTypeError, message, path, value)
            case UnionNode():
                if not self.union_takes(node, value):
                    yield self._type_error(path, f"<{expected_name(node)}>", value)
            case EmbeddedNode():
                yield from self._embedded(node, value, path)
            case ReferenceNode():
                if not (isinstance(value, DBRef) or refers_to(node, value)):
                    yield self._type_error(path, node.target_name, value)

    def _mapping(self, node: MappingNode, value: Any, path: str) -> Iterator[Exception]:
        if not isinstance(value, dict):
            yield self._type_error(path, "dict", value)
            return
        if path and not node.fields:
            yield from self.encodable(value, path)
            return
        if self.model.is_document:
            yield from self._string_keys(value, path)
        if not self.model.schemaless:
            yield from self._fields(node, value, path)
        for key, child in node.fields.items():
            if key in value:
                yield from self.types(child, dict.__getitem__(value, key), join(path, key))
        if self.model.schemaless:
            undeclared = {
                key: item
                for key, item in dict.items(value)
                if key not in node.fields and key not in ALWAYS_KNOWN
            }
            yield from self.encodable(undeclared, path)

    def _fields(self, node: MappingNode, value: Any, path: str) -> Iterator[Exception]:
        where = f"{self.model.document_class.__name__}" + (f" at {path}" if path else "")
        unknown = [key for key in value if key not in node.fields and key not in ALWAYS_KNOWN]
        if self.model.lenient:
            yield from self._undeclared(node, unknown, path)
            return
        if unknown:
            fields = sorted(unknown, key=str)
            yield self._error(
                StructureError, f"unknown fields {fields} in {where}", path, rule="unknown"
            )
        given = ALWAYS_KNOWN if node.path else {*ALWAYS_KNOWN, self.model.version_field}
        missed = sorted(key for key in node.fields if key not in value and key not in given)
        if missed:
            yield self._error(
                StructureError, f"missed fields {missed} in {where}", path, rule="missing"
            )

    def _undeclared(self, node: MappingNode, names: list[Any], path: str) -> Iterator[Exception]:
        """Refuse what the program added; what was read from the database stays."""
        if not self._is_made(node):
            added = self.origin.added if not node.path else frozenset[str]()
            names = [name for name in names if name in added]
        for name in sorted(names, key=str):
            where = join(path, str(name))
            near = near_name(str(name), node.fields)
            hint = f": did you mean {near}?" if near else ""
            message = f"{where} is not a field of {self.model.document_class.__name__}{hint}"
            yield self._error(StructureError, message, where, rule="unknown")

    def _is_made(self, node: Node) -> bool:
        return self.origin.made or node.path.partition(".")[0] in self.origin.added

    def _is_required(self, node: Node) -> bool:
        # The items of a list have its path too, and are not the ones that are required.
        return node.path in self.model.required and (
            self.model.tree is None or find(self.model.tree, node.path) is node
        )

    def union_takes(self, node: UnionNode, value: Any) -> bool:
        """Tell whether one of a union's options takes a value, its validators included."""
        return any(not any(True for _ in self._of_option(option, value)) for option in node.options)

    def _of_option(self, option: Node, value: Any) -> Iterator[Exception]:
        yield from self.custom(option, value, option.path)
        yield from self.types(option, value, option.path)
        yield from _item_failures(self.model, option, value, option.path)

    def _keyed(self, node: KeyedNode, value: Any, path: str) -> Iterator[Exception]:
        if not isinstance(value, dict):
            yield self._type_error(path, "dict", value)
            return
        below = join(path, type_key(node.key))
        for key, item in dict.items(value):
            if not path and key in ALWAYS_KNOWN:
                continue
            if not isinstance(key, node.key):
                yield self._error(
                    SchemaTypeError,
                    f"key of {below} must be an instance of {node.key.__name__} "
                    f"not {type(key).__name__}",
                    path,
                )
            yield from self.types(node.value, item, below)
        if self.model.is_document:
            yield from self._string_keys(value, path)

    def _list(self, node: ListNode, value: Any, path: str) -> Iterator[Exception]:
        if not isinstance(value, (list, tuple)):
            yield self._type_error(path, "list", value)
            return
        for item in value:
            yield from self.types(node.item, item, path)

    def _tuple(self, node: TupleNode, value: Any, path: str) -> Iterator[Exception]:
        if not isinstance(value, (list, tuple)):
            yield self._type_error(path, "list", value)
        elif len(value) != len(node.items):
            message = f"{path} must have {len(node.items)} items not {len(value)}"
            yield self._error(SchemaTypeError, message, path, value, rule="length")
        else:
            for child, item in zip(node.items, value, strict=True):
                yield from self.types(child, item, path)

    def _i18n(self, node: I18nNode, value: Any, path: str) -> Iterator[Exception]:
        if value is None:
            return
        if not isinstance(value, dict):
            yield self._type_error(path, "dict", value)
            return
        for lang, item in dict.items(value):
            if not isinstance(lang, str):
                yield self._type_error(f"key of {path}", "str", lang)
            where = f"{path} ({lang})"
            for error in self.types(node.inner, item, where):
                yield _at_field(error, where, path)

    def _any(self, node: AnyNode, value: Any, path: str) -> Iterator[Exception]:
        if isinstance(value, node.authorized):
            yield from self.encodable(value, path)
        else:
            message = f"{type(value)} is not an authorized types"
            yield self._error(AuthorizedTypeError, message, path, value)

    def _embedded(self, node: EmbeddedNode, value: Any, path: str) -> Iterator[Exception]:
        if isinstance(value, dict):
            model = node.document_class.__mongokit__
            yield from failures(model, value, self.options, path, made=self._is_made(node))
        else:
            yield self._type_error(path, node.document_class.__name__, value)

    # What BSON itself refuses.

    def _string_keys(self, value: dict[Any, Any], path: str) -> Iterator[Exception]:
        for key in value:
            where = path or self.model.document_class.__name__
            if not isinstance(key, str):
                message = f"key of {where} must be an instance of str not {type(key).__name__}"
                yield self._error(SchemaTypeError, message, path, rule="key")
            elif "\0" in key:  # BSON specification: a name ends at the first NUL
                message = f"key of {where} must not hold a NUL character"
                yield self._error(SchemaTypeError, message, path, rule="key")

    def encodable(self, value: Any, path: str, *, of_any_type: bool = False) -> Iterator[Exception]:
        """What the declaration leaves open must still be something that BSON can hold."""
        if self.model.is_document and (
            of_any_type or (value and isinstance(value, (dict, list, tuple)))
        ):
            error = self._encoding_error(value)
            if error is not None:
                yield error

    def _encoding_error(self, value: Any) -> Exception | None:
        try:
            bson.encode({"": value}, False, self.options)
        except (BSONError, OverflowError, ValueError) as error:
            return error
        return None

    # Making errors.

    def _none_error(self, node: Node, path: str) -> SchemaTypeError:
        if isinstance(node, OperatorNode):
            return self._error(SchemaTypeError, node.operator.error(path, None), path)
        return self._type_error(path, expected_name(node), None)

    def _type_error(self, path: str, wanted: str, value: Any) -> SchemaTypeError:
        message = f"{path} must be an instance of {wanted} not {type(value).__name__}"
        return self._error(SchemaTypeError, message, path, value)

    def _error(
        self,
        kind: type[E],
        message: str,
        path: str,
        value: Any = None,
        rule: str | None = None,
    ) -> E:
        return kind(
            message,
            path=path or None,
            rule=rule,
            value=value,
            document_class=self.model.document_class,
        )


def _at_field(error: Exception, where: str, path: str) -> Exception:
    """The error with its `path` a field's name; the language stays in the text."""
    if isinstance(error, SchemaDocumentError) and error.path is not None:
        error.path = error.path.replace(where, path, 1)
    return error


def union_takes(model: Model, node: UnionNode, value: Any, options: CodecOptions[Any]) -> bool:
    """Tell whether one of a union's options takes a value.

    Args:
        model: The class that declares it.
        node: The union.
        value: The value.
        options: How values that the declaration leaves open are encoded.
    """
    return _Walk(model, options).union_takes(node, value)


def refers_to(node: ReferenceNode, value: Any) -> bool:
    """Tell whether `value` is a document of the class that `node` references.

    A class that was registered again under the same name has taken the place of the old one.

    Args:
        node: The reference; its target is a class or a name.
        value: What a document holds there.
    """
    if isinstance(node.target, str):
        return any(base.__name__ == node.target for base in type(value).__mro__)
    if isinstance(value, node.target):
        return True
    binding = getattr(value, "_binding", None)
    if binding is None:
        return False
    registered = getattr(binding.collection.database.client, "_documents", {})
    replaced_by = registered.get(node.target_name)
    return replaced_by is not None and isinstance(value, replaced_by)


def expected_name(node: Node) -> str:
    """Return what errors call the type that a node wants.

    Args:
        node: The node.

    Example:
        >>> expected_name(User.__mongokit__.tree.fields["age"])
        'int'
    """
    match node:
        case MappingNode() | KeyedNode() | I18nNode():
            return "dict"
        case ListNode() | TupleNode():
            return "list"
        case ScalarNode():
            return node.kind.__name__
        case CustomNode():
            return names_of(node.custom.python_type)
        case OperatorNode():
            return repr(node.operator)
        case EmbeddedNode():
            name: str = node.document_class.__name__
            return name
        case ReferenceNode():
            return node.target_name
        case UnionNode():
            return " or ".join(expected_name(option) for option in node.options)
    return "any type"


def is_int64(value: Any) -> bool:
    """Tell whether a number is no int, or one that BSON can hold.

    Args:
        value: The number.

    Example:
        >>> is_int64(2**63 - 1), is_int64(2**63), is_int64(1e300)
        (True, False, True)
    """
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def names_of(kind: Any) -> str:
    """Return a type's name, or those of several types.

    Args:
        kind: A type, or a tuple of them.

    Example:
        >>> names_of((int, str))
        'int or str'
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(item.__name__ for item in kinds)
