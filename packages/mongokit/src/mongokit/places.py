"""Where the documents of a class hold their references: walks that go nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mongokit.schema import (
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    ReferenceNode,
    TupleNode,
    children,
)


@dataclass(slots=True)
class Place:
    """One place in one document where the declaration has a reference.

    Attributes:
        container: The dict or list that holds the value.
        key: The value's key or index in it.
        node: What the declaration says of it.
    """

    container: Any
    key: Any
    node: ReferenceNode

    @property
    def value(self) -> Any:
        """What stands there, past every method that the document's class overrides."""
        if isinstance(self.container, dict):
            return dict.__getitem__(self.container, self.key)
        return self.container[self.key]

    def put(self, value: Any) -> None:
        """Put `value` there; a Python tuple in place of a list stays as it is."""
        if isinstance(self.container, dict):
            dict.__setitem__(self.container, self.key, value)
        elif isinstance(self.container, list):
            self.container[self.key] = value


Step = Callable[[Any, list[Place]], None]
"""Adds the places in a value to a list."""


class References:
    """The places for references that one class declares.

    Args:
        tree: The class's schema tree, None for a class without structure.

    Attributes:
        nodes: Every reference in the tree, embedded classes' left out.

    Example:
        >>> [place.key for place in Post.__mongokit__.references.of(post)]
        ['author']
    """

    __slots__ = ("_any_field", "_fields", "nodes")

    def __init__(self, tree: Node | None) -> None:
        self.nodes = [] if tree is None else _reference_nodes(tree)
        self._fields: dict[str, _Visit] = {}
        self._any_field: _Visit | None = None
        if isinstance(tree, MappingNode):
            self._fields = _visits(tree)
        elif isinstance(tree, KeyedNode):
            self._any_field = _visit(tree.value)

    def __bool__(self) -> bool:
        return bool(self._fields) or self._any_field is not None

    def of(self, doc: dict[str, Any]) -> list[Place]:
        """Return the places of a document, in the order of the declaration.

        Args:
            doc: A document of the class; it need not be valid.
        """
        found: list[Place] = []
        for key in list(dict.keys(doc)) if self._any_field else self._fields:
            self._add(doc, key, found)
        return found

    def below(self, doc: dict[str, Any], key: str) -> list[Place]:
        """Return the places at or below one top-level field.

        Args:
            doc: A document of the class.
            key: The field's name.
        """
        found: list[Place] = []
        self._add(doc, key, found)
        return found

    def _add(self, doc: dict[str, Any], key: str, found: list[Place]) -> None:
        visit = self._any_field or self._fields.get(key)
        if visit is not None and dict.__contains__(doc, key):
            visit(doc, key, dict.__getitem__(doc, key), found)


_Visit = Callable[[Any, Any, Any, list[Place]], None]


def _reference_nodes(node: Node) -> list[ReferenceNode]:
    if isinstance(node, ReferenceNode):
        return [node]
    if isinstance(node, EmbeddedNode):
        return []
    return [found for _, child in children(node) for found in _reference_nodes(child)]


def _visit(node: Node) -> _Visit | None:
    """Return what looks at a value and where it stands, or None if nothing can be there."""
    if isinstance(node, ReferenceNode):

        def reference(container: Any, key: Any, value: Any, found: list[Place]) -> None:
            if value is not None:
                found.append(Place(container, key, node))

        return reference
    step = _step(node)
    if step is None:
        return None
    return lambda _container, _key, value, found: step(value, found)


def _visits(node: MappingNode) -> dict[str, _Visit]:
    visits = ((key, _visit(child)) for key, child in node.fields.items())
    return {key: visit for key, visit in visits if visit is not None}


def _step(node: Node) -> Step | None:
    match node:
        case MappingNode():
            return _mapping(_visits(node))
        case KeyedNode():
            return _keyed(_visit(node.value))
        case I18nNode():  # in memory a dict: language to value
            return _keyed(_visit(node.inner))
        case ListNode():
            return _list(_visit(node.item))
        case TupleNode():
            return _tuple([_visit(item) for item in node.items])
        case EmbeddedNode():
            return _embedded(node.document_class)
    return None


def _mapping(visits: dict[str, _Visit]) -> Step | None:
    if not visits:
        return None

    def step(value: Any, found: list[Place]) -> None:
        if isinstance(value, dict):
            for key, visit in visits.items():
                if dict.__contains__(value, key):
                    visit(value, key, dict.__getitem__(value, key), found)

    return step


def _keyed(visit: _Visit | None) -> Step | None:
    if visit is None:
        return None

    def step(value: Any, found: list[Place]) -> None:
        if isinstance(value, dict):
            for key, item in dict.items(value):
                visit(value, key, item, found)

    return step


def _list(visit: _Visit | None) -> Step | None:
    if visit is None:
        return None

    def step(value: Any, found: list[Place]) -> None:
        if isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                visit(value, index, item, found)

    return step


def _tuple(visits: list[_Visit | None]) -> Step | None:
    if not any(visits):
        return None

    def step(value: Any, found: list[Place]) -> None:
        if isinstance(value, (list, tuple)):
            for index, (visit, item) in enumerate(zip(visits, value, strict=False)):
                if visit is not None:
                    visit(value, index, item, found)

    return step


def _embedded(document_class: Any) -> Step | None:
    references = document_class.__mongokit__.references
    if not references:
        return None

    def step(value: Any, found: list[Place]) -> None:
        if isinstance(value, dict):
            found += document_class.__mongokit__.references.of(value)

    return step
