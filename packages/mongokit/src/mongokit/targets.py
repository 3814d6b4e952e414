"""Where the paths of an update lead: from a stored path to what the declaration says of it.

The paths are those of MongoDB's updates: lists have positions (`tags.0`, `items.$.amount`,
`items.$[].amount`, `items.$[x].amount`), an i18n field is a list of languages and values. A path
that could only store what the declaration does not allow is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bson import DBRef

from mongokit.errors import MongoKitError, SchemaTypeError, StructureError, UnknownFieldError
from mongokit.nearest import nearest
from mongokit.operators import IS, OR
from mongokit.schema import (
    ALWAYS_KNOWN,
    AnyNode,
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    OperatorNode,
    ReferenceNode,
    ScalarNode,
    TupleNode,
    UnionNode,
    join,
    type_key,
)

if TYPE_CHECKING:
    from mongokit.compiler import Model

Role = Literal["field", "key", "item", "entry", "language", "open"]
"""What a target is: a declared field, a key of any name, an item of a list, the entry of one
language, its value; open is what the declaration says nothing of."""


@dataclass(frozen=True, slots=True)
class Level:
    """One class on the way to a target: the document's own, then those of embedded documents.

    Attributes:
        model: What the class declares.
        prefix: Where its document stands, as errors name it.
        parts: The way from there, as `required_fields` and `validators` name it.
    """

    model: Model
    prefix: str = ""
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One place that a path of an update means.

    Attributes:
        given: The path as the update names it.
        node: What the declaration says of it; None says nothing.
        levels: The classes that declare it, the innermost last.
        role: What it is.
        removable: Whether documents may be without it.
    """

    given: str
    node: Node | None
    levels: tuple[Level, ...]
    role: Role = "field"
    removable: bool = False

    @property
    def path(self) -> str:
        """The path as errors of a document name it, without positions."""
        if self.node is None:
            return self.given
        level = self.levels[-1]
        return join(level.prefix, ".".join(level.parts)) if level.parts else level.prefix

    @property
    def model(self) -> Model:
        """What the innermost class declares."""
        return self.levels[-1].model

    @property
    def is_whole(self) -> bool:
        """Whether it is all of what stands at the path: no item and not one of its languages."""
        return self.role in ("field", "key")

    def item(self, node: Node | None) -> Target:
        """Return the target of an item of this one.

        Args:
            node: What the declaration says of the item.
        """
        return replace(self, node=node, role="open" if node is None else "item")


def targets(model: Model, path: str) -> list[Target]:
    """Return each place that a path of an update may mean; several only in tuples.

    Args:
        model: What the documents' class declares.
        path: The path.

    Raises:
        TypeError: It is no text.
        UnknownFieldError: No document of the class can have a field there.
        StructureError: It leads into something that can only be changed as a whole, or into a
            list without a position.
        SchemaTypeError: It leads through a key that the declaration does not allow.

    Example:
        >>> [target.path for target in targets(User.__mongokit__, "name")]
        ['name']
    """
    if not isinstance(path, str):
        raise TypeError(f"the paths of an update are texts, not {type(path).__name__}")
    start = Target(path, model.tree, (Level(model),))
    return list(_Way(model, path).targets(start, path.split(".")))


class _Way:
    """One path, followed from the document down."""

    def __init__(self, model: Model, path: str) -> None:
        self.model = model
        self.path = path

    def targets(self, at: Target, parts: Sequence[str]) -> Iterator[Target]:
        if "" in parts:
            raise self.refusal("a field's name can't be empty", rule="path")
        if not parts:
            yield at
            return
        first, rest = parts[0], parts[1:]
        match at.node:
            case None:
                yield replace(at, role="open", removable=True)
            case MappingNode():
                yield from self._mapping(at, at.node, parts)
            case KeyedNode():
                yield from self._keyed(at, at.node, parts)
            case EmbeddedNode():
                yield from self.targets(_inside(at, at.node), parts)
            case ListNode():
                self._check_position(at, first)
                yield from self.targets(at.item(at.node.item), rest)
            case TupleNode():
                self._check_position(at, first)
                for node in self._items(at, at.node, first):
                    yield from self.targets(at.item(node), rest)
            case I18nNode():
                yield from self._languages(at, at.node, parts)
            case UnionNode():
                yield from self._union(at, at.node, parts)
            case _:
                self._check_open(at, first)
                yield self._open(at)

    def _mapping(self, at: Target, node: MappingNode, parts: Sequence[str]) -> Iterator[Target]:
        first, rest = parts[0], parts[1:]
        if first in node.fields:
            below = _below(at, first, node.fields[first])
            yield from self.targets(replace(below, removable=_may_miss(at.model)), rest)
        elif first.startswith("$"):
            raise self.unknown()
        elif (node.path and not node.fields) or first in ALWAYS_KNOWN or at.model.schemaless:
            yield self._open(at)
        else:
            raise self.unknown()

    def _keyed(self, at: Target, node: KeyedNode, parts: Sequence[str]) -> Iterator[Target]:
        first, rest = parts[0], parts[1:]
        if not node.path and first in ALWAYS_KNOWN:
            yield self._open(at)
            return
        if first.startswith("$"):
            raise self.unknown()
        below = replace(_below(at, type_key(node.key), node.value), role="key", removable=True)
        if not issubclass(str, node.key):
            raise SchemaTypeError(
                f"key of {below.path} must be an instance of {node.key.__name__} not str",
                path=below.path,
                document_class=at.model.document_class,
            )
        yield from self.targets(below, rest)

    def _languages(self, at: Target, node: I18nNode, parts: Sequence[str]) -> Iterator[Target]:
        # Stored as [{"lang": ..., "value": ...}].
        first, rest = parts[0], parts[1:]
        if not is_position(first):
            raise self.refusal(
                f"{at.path} holds a value per language: set all of it, or one as in "
                f"{at.path}.$[x].value with array_filters",
                rule="position",
            )
        entry = replace(at, role="entry", removable=False)
        if not rest:
            yield entry
        elif rest == ["lang"]:
            raise self.refusal(
                "a language is not renamed: $pull its entry and $push another", rule="part"
            )
        elif rest[0] == "value":
            yield from self.targets(replace(entry, node=node.inner, role="language"), rest[1:])
        else:
            raise self.unknown()

    def _union(self, at: Target, node: UnionNode, parts: Sequence[str]) -> Iterator[Target]:
        found: list[list[Target]] = []
        for option in node.options:
            with suppress(MongoKitError):
                found.append(list(self.targets(replace(at, node=option), parts)))
        if not found:
            raise self.unknown()
        if len(found) > 1:  # which of them is stored, only the server knows
            raise self.refusal(f"{at.path} can only be set as a whole", rule="part")
        yield from found[0]

    def _check_position(self, at: Target, part: str) -> None:
        if not is_position(part):
            raise self.refusal(
                f"{at.path} is a list: name a position in it, as in {at.path}.0.{part}, "
                f"{at.path}.$.{part} or {at.path}.$[].{part}",
                rule="position",
            )

    def _items(self, at: Target, node: TupleNode, part: str) -> Sequence[Node]:
        if not part.isdigit():
            return node.items
        if int(part) >= len(node.items):
            raise self.refusal(f"{at.path} has {len(node.items)} items", rule="length")
        return [node.items[int(part)]]

    def _check_open(self, at: Target, part: str) -> None:
        """Refuse what is below a place that can't have anything there, or not a part of it."""
        node = at.node
        if isinstance(node, (CustomNode, ReferenceNode)):
            raise self.refusal(f"{at.path} can only be set as a whole", rule="part")
        kinds = _kinds(node)
        if kinds is None or any(issubclass(kind, dict) for kind in kinds):
            return
        if any(issubclass(kind, (list, tuple)) for kind in kinds):
            self._check_position(at, part)
        elif any(issubclass(kind, DBRef) for kind in kinds):
            raise self.refusal(f"{at.path} can only be set as a whole", rule="part")
        else:
            raise self.unknown()

    def _open(self, at: Target) -> Target:
        return replace(at, node=None, role="open", removable=True)

    def unknown(self) -> UnknownFieldError:
        """The error for a path that no document of the class can have."""
        model = self.model
        known = [*sorted(ALWAYS_KNOWN), *([model.type_field] if model.type_field else [])]
        parts = self.path.split(".")
        plain = ["0" if is_position(part) else part for part in parts]
        meant = nearest(model.tree, ".".join(plain), known)
        if meant is not None:
            pairs = zip(meant.split("."), parts, strict=False)
            meant = ".".join(part if is_position(part) else near for near, part in pairs)
        text = f"{self.path} is not a field of {model.document_class.__name__}"
        return UnknownFieldError(
            text + (f": did you mean {meant}?" if meant else ""),
            path=self.path,
            suggestion=meant,
            document_class=model.document_class,
        )

    def refusal(self, why: str, *, rule: str) -> StructureError:
        """An error for a path that names something which can't be changed that way."""
        return StructureError(
            f"{self.path} can't be updated: {why}",
            path=self.path,
            rule=rule,
            document_class=self.model.document_class,
        )


def is_position(part: str) -> bool:
    """Tell whether a part of a path is a position in a list.

    Args:
        part: The part.

    Example:
        >>> [is_position(part) for part in ("0", "$", "$[]", "$[x]", "name")]
        [True, True, True, True, False]
    """
    if part.isdigit() and part.isascii():
        return True
    return part == "$" or (part.startswith("$[") and part.endswith("]"))


def takes_any(node: Node | None, kind: type) -> bool:
    """Tell whether a place may hold values of a type, with nothing declared of what is in them.

    Args:
        node: What the declaration says of the place; None says nothing.
        kind: `list` or `dict`.
    """
    if node is None:
        return True
    if isinstance(node, MappingNode):
        return kind is dict and bool(node.path) and not node.fields
    if not isinstance(node, (ScalarNode, AnyNode, OperatorNode)):
        return False
    kinds = _kinds(node)
    return kinds is None or any(issubclass(each, kind) for each in kinds)


def _kinds(node: Node | None) -> Iterable[type] | None:
    """The types that a place declares; None where it may hold any."""
    match node:
        case ScalarNode():
            return [node.kind]
        case AnyNode():
            return node.authorized
        case OperatorNode(operator=OR()):
            return [each for each in node.operator.operands if isinstance(each, type)]
        case OperatorNode(operator=IS()):
            return []
        case OperatorNode():
            return None
    return []


def _may_miss(model: Any) -> bool:
    return bool(model.schemaless or model.lenient)


def _below(at: Target, part: str, node: Node) -> Target:
    levels = tuple(replace(level, parts=(*level.parts, part)) for level in at.levels)
    return replace(at, node=node, levels=levels, role="field")


def _inside(at: Target, node: EmbeddedNode) -> Target:
    model = node.document_class.__mongokit__
    return replace(at, node=model.tree, levels=(*at.levels, Level(model, at.path)))
