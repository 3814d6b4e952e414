"""Where the paths of a query, a sort or an index lead: from the tree to what the database stores.

Wider than the paths of other options, which name what a document holds: here lists have
positions, a reference the fields of a DBRef, an i18n field a list of languages and values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bson import DBRef

from mongokit.kinds import ARRAY, OBJECT, Kinds, kinds_of
from mongokit.operators import IS, OR
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
)
from mongokit.types import EnumType, Set

DBREF_FIELDS = ("$ref", "$id", "$db")


@dataclass(slots=True)
class UndeclaredIdNode(Node):
    """`_id` where the structure does not name it: an ObjectId, unless the program gives another."""


class Stored(NamedTuple):
    """A place in stored documents.

    Attributes:
        node: What the declaration says of it.
        schemaless: Whether documents may have undeclared fields there.
    """

    node: Node
    schemaless: bool = False


ANYTHING = AnyNode("", ())
"""A place that the declaration says nothing of."""


def places(at: Stored, path: Sequence[str]) -> Iterator[Stored]:
    """Yield each place that a path may lead to; none if stored documents can have nothing there.

    Args:
        at: Where the path starts.
        path: Its parts.

    Example:
        >>> tree = Stored(Post.__mongokit__.tree)
        >>> [type(found.node).__name__ for found in places(tree, ["author", "$db"])]
        ['ScalarNode']
        >>> list(places(tree, ["title", "first"]))
        []
    """
    if not path:
        yield at
        return
    first, rest = path[0], path[1:]
    node = at.node
    match node:
        case MappingNode() if node.fields or not node.path:
            if first in node.fields:
                yield from places(at._replace(node=node.fields[first]), rest)
            elif at.schemaless or first in ALWAYS_KNOWN:
                yield from places(Stored(_undeclared(node, first)), rest)
        case KeyedNode():
            if not node.path and first in ALWAYS_KNOWN:
                yield from places(Stored(_undeclared(node, first)), rest)
            yield from places(at._replace(node=node.value), rest)
        case ListNode() | TupleNode() | I18nNode():
            if first.isdigit():
                for item in _items(node, int(first)):
                    yield from places(at._replace(node=item), rest)
            for item in _items(node):  # MongoDB looks into each document of the list
                yield from places(at._replace(node=item), path)
        case UnionNode():
            for option in node.options:
                yield from places(at._replace(node=option), path)
        case EmbeddedNode():
            yield from places(inside(node), path)
        case ReferenceNode() if first in DBREF_FIELDS:
            yield from places(Stored(_dbref_field(node, first)), rest)
        case ReferenceNode() | ManagerNode():
            pass
        case _ if _is_open(node, first):
            yield Stored(ANYTHING)


def inside(node: EmbeddedNode) -> Stored:
    """Return the place of an embedded document's own fields.

    Args:
        node: Where it is embedded.
    """
    model = node.document_class.__mongokit__
    return Stored(model.tree or ANYTHING, model.schemaless)


def items_of(at: Stored) -> Iterator[Stored]:
    """Yield the places that an item of a list has; none where no list can be.

    Args:
        at: The place of the list.
    """
    node = at.node
    if isinstance(node, (ListNode, TupleNode, I18nNode)):
        for item in _items(node):
            yield at._replace(node=item)
    elif isinstance(node, UnionNode):
        for option in node.options:
            yield from items_of(at._replace(node=option))
    elif isinstance(node, CustomNode) and type(node.custom) is Set:
        wanted = node.custom._structure_type
        yield Stored(ANYTHING if wanted is None else ScalarNode(node.path, wanted))
    elif isinstance(node, UndeclaredIdNode):
        return  # MongoDB manual, The _id Field: it may not be an array
    elif (kinds := own_kinds(node)) is None or ARRAY in kinds:
        yield Stored(ANYTHING)


def own_kinds(node: Node) -> Kinds:
    """Return the kinds of what is stored at a place, those of a list's items left out.

    Args:
        node: What the declaration says of it.
    """
    match node:
        case ScalarNode() if node.refuses:
            found = kinds_of([node.kind])
            return found and found - (kinds_of(node.refuses) or frozenset())
        case UnionNode():
            options = [own_kinds(option) for option in node.options]
            known = [kinds for kinds in options if kinds is not None]
            return None if len(known) < len(options) else frozenset().union(*known)
        case MappingNode() | KeyedNode() | EmbeddedNode() | ReferenceNode():
            return frozenset({OBJECT})
        case ListNode() | TupleNode() | I18nNode():
            return frozenset({ARRAY})
    types = _types(node)
    return None if types is None else kinds_of(types)


def choices_of(node: Node) -> list[Any] | None:
    """Return the only values that a place may have, in their stored form; None if it has others.

    Args:
        node: What the declaration says of it.

    Example:
        >>> choices_of(OperatorNode("state", IS("draft", "done")))
        ['draft', 'done']
    """
    # A subclass may have its own rule.
    if isinstance(node, OperatorNode) and type(node.operator) is IS:
        return list(node.operator.operands)
    if isinstance(node, CustomNode) and type(node.custom) is EnumType:
        return [member.value for member in node.custom.kind]
    return None


def languages(node: I18nNode) -> ListNode:
    """Return how a value per language is stored: as `[{"lang": ..., "value": ...}]`.

    Args:
        node: The field.
    """
    entry = MappingNode(node.path, {"lang": ScalarNode(node.path, str), "value": node.inner})
    return ListNode(node.path, entry)


def id_node(tree: Node | None) -> Node:
    """Return what a class says of its `_id`.

    Args:
        tree: The class's tree; None says nothing.
    """
    if tree is None:
        return ANYTHING
    return next((found.node for found in places(Stored(tree), ["_id"])), ANYTHING)


def referenced_id(node: ReferenceNode) -> Node:
    """Return what a reference says of the `_id` that it holds; a mere name says nothing.

    Args:
        node: The reference.
    """
    return ANYTHING if isinstance(node.target, str) else id_node(node.target.__mongokit__.tree)


def _items(node: Node, position: int | None = None) -> Iterable[Node]:
    match node:
        case TupleNode():
            return node.items if position is None else node.items[position : position + 1]
        case I18nNode():
            return [languages(node).item]
        case ListNode():
            return [node.item]
    return []


def _undeclared(node: Node, name: str) -> Node:
    return UndeclaredIdNode(name) if name == "_id" and not node.path else ANYTHING


def _dbref_field(node: ReferenceNode, name: str) -> Node:
    return referenced_id(node) if name == "$id" else ScalarNode(node.path, str)


def _types(node: Node) -> Iterable[type] | None:
    """The types of what is stored at `node`; None where it may be of any."""
    match node:
        case ScalarNode():
            return [node.kind]
        case CustomNode():
            kinds = node.custom.mongo_type
            return kinds if isinstance(kinds, tuple) else [kinds]
        # A subclass of an operator may have its own `validate`.
        case OperatorNode() if type(node.operator) is OR:
            return node.operator.operands
        case OperatorNode() if type(node.operator) is IS:
            return [type(operand) for operand in node.operator.operands]
    return None


def _is_open(node: Node, first: str) -> bool:
    """Whether what is stored at `node` can have fields that no declaration names."""
    types = _types(node)
    if types is None:
        return True
    for each in types:
        if issubclass(each, DBRef):
            if first in DBREF_FIELDS:
                return True
        elif (kinds := kinds_of([each])) is None or kinds & {ARRAY, OBJECT}:
            return True
    return False
