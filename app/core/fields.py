"""The fields of a document class as the doors need them: flat, with the limits that are declared.

A field inside an embedded document has a dotted path, as in MongoDB. Hidden fields are left out:
no door shows them. Everything here is read from the class's declaration, so a field that is added
there is in the forms and in the files at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from mongokit import IS
from mongokit.jsonform import json_form
from mongokit.schema import (
    CustomNode,
    EmbeddedNode,
    MappingNode,
    OperatorNode,
    ScalarNode,
)
from mongokit.scope import Scope
from mongokit.types import DateType, DecimalType, EnumType
from mongokit.validators import constraints_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mongokit.compiler import Model
    from mongokit.schema import Node
    from mongokit.validators import Constraint

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_CONTAINER_STARTS = ("[", "{")


@dataclass(frozen=True, eq=False)
class Field:
    """One field, read from the declaration.

    Attributes:
        path: Its dotted path.
        node: What the declaration says of it.
        title: Its name for people.
        description: What it means; '' where nothing is said.
        required: Whether it must have a value.
        read_only: Whether it is shown but not set from outside.
        examples: Values that it may have.
        default: The value of a new document where it is text, a number or a bool; else None.
        validators: Its validators.

    Example:
        >>> [field.path for field in fields_of(User)]
        ['name', 'email', 'role', 'created']
    """

    path: str
    node: Node
    title: str
    required: bool = False
    read_only: bool = False
    description: str = ""
    examples: tuple[Any, ...] = ()
    default: str | float | bool | None = None
    validators: tuple[Any, ...] = ()

    @cached_property
    def kind(self) -> type | None:
        """The type of its values where it is one: `str`, `datetime`, `Decimal`, ...; else None."""
        match self.node:
            case ScalarNode():
                return self.node.kind
            case CustomNode(custom=DecimalType()):
                return Decimal
            case CustomNode(custom=DateType()):
                return date
        return None

    @cached_property
    def choices(self) -> tuple[Any, ...]:
        """The stored forms of the values that it may have, where they are listed."""
        match self.node:
            case OperatorNode(operator=IS()):
                return tuple(self.node.operator.operands)
            case CustomNode(custom=EnumType() as custom):
                return tuple(member.value for member in custom.kind)
        return ()

    @cached_property
    def constraints(self) -> Sequence[Constraint]:
        """Those of its validators that say what they demand."""
        return constraints_of(self.validators)

    def limit(self, rule: str) -> Any:
        """Return what a rule compares with, or None where the field has no such rule.

        Args:
            rule: The name of the rule, such as `max_length`.

        Example:
            >>> fields_of(User)[0].limit("max_length")
            50
        """
        return next((each.limit for each in self.constraints if each.rule == rule), None)

    def read(self, text: str) -> Any:
        """Return the value that a text means: the opposite of `write`.

        What can't be read stays text, for the document to refuse.

        Args:
            text: A cell of a file.

        Example:
            >>> fields_of(User)[0].read("Ada")
            'Ada'
        """
        if text == "" and self.node.allows_none and self.kind is not str:
            return None
        if text == "" and self.node.none:
            return None
        if self.kind is bool:
            folded = text.strip().casefold()
            return folded in _TRUE if folded in (*_TRUE, *_FALSE) else text
        if self.choices:
            return next((each for each in self.choices if str(each) == text), text)
        if self.kind is int or self.kind is float:
            return _number(text, self.kind)
        if self.kind is None and text.startswith(_CONTAINER_STARTS):
            try:
                return json.loads(text)
            except ValueError:
                return text
        return text

    @staticmethod
    def write(value: Any) -> str:
        """Return the text of a value in JSON form: numbers and texts as they are, lists as JSON.

        Args:
            value: The value.

        Example:
            >>> Field.write(None), Field.write(True), Field.write(["a"])
            ('', 'true', '["a"]')
        """
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (dict, list)):
            return json.dumps(value, ensure_ascii=False)
        return str(value)


def fields_of(document_class: Any) -> tuple[Field, ...]:
    """Return the fields of a document class, those of embedded documents too, in their order.

    Args:
        document_class: The class.

    Example:
        >>> [field.title for field in fields_of(User)]
        ['Name', 'E-mail', 'Role', 'Added']
    """
    return _fields_of(document_class, document_class.__mongokit__)


@lru_cache(maxsize=64)
def _fields_of(document_class: Any, _model: Model) -> tuple[Field, ...]:
    return tuple(_walk(document_class, Scope.of(document_class)))


def _walk(
    document_class: Any,
    scope: Scope,
    before: str = "",
    *,
    required: bool = True,
    read_only: bool = False,
) -> Iterator[Field]:
    tree = scope.model.tree
    if not isinstance(tree, MappingNode):
        return
    described = document_class.json_schema(mode="read").get("properties", {})
    for name, node in tree.fields.items():
        if name in scope.hidden or name.startswith("_"):
            continue
        is_required = required and name in scope.required
        is_closed = read_only or name in scope.read_only
        if isinstance(node, EmbeddedNode):
            yield from _walk(
                node.document_class,
                scope.inside(name, node.document_class),
                f"{before}{name}.",
                required=is_required,
                read_only=is_closed,
            )
            continue
        said = described.get(name, {})
        yield Field(
            f"{before}{name}",
            node,
            said.get("title") or name,
            is_required,
            is_closed,
            said.get("description", ""),
            tuple(said.get("examples", ())),
            default
            if isinstance(default := said.get("default"), (str, float, bool, int))
            else None,
            tuple(scope.validators.get(name, ())),
        )


def names_shown(document_class: Any) -> list[str]:
    """Return the names of what clients see of a document of a class: what `shown` returns.

    Args:
        document_class: The class.

    Example:
        >>> names_shown(User)
        ['id', 'name', 'email', 'role', 'created']
    """
    return ["id", *_names_shown(document_class, document_class.__mongokit__)[0]]


@lru_cache(maxsize=64)
def _names_shown(document_class: Any, _model: Model) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names without the id, and all those of a form that lacks none of them."""
    hidden = document_class.hidden_fields
    names = (name for name in document_class.structure or {} if name not in hidden)
    declared = tuple(name for name in names if not name.startswith("_"))
    return declared, frozenset({"_id", *declared})


def shown(document: Any) -> dict[str, Any]:
    """Return what clients see of a document, in JSON form, with its id first as `id`.

    A declared field that the stored document lacks is there too: with its default, if that is a
    value, but None in place of one that is made for each new document, such as the time now.

    Args:
        document: The document.

    Example:
        >>> list(shown(user))
        ['id', 'name', 'email', 'role', 'created']
    """
    cls: Any = type(document)
    form = json_form(document)
    names, complete = _names_shown(cls, cls.__mongokit__)
    if form.keys() == complete:
        return {"id": form.pop("_id"), **form}
    lacking = [name for name in names if name not in form]
    defaults = {name: cls.default_values.get(name) for name in lacking}
    given = {name: value for name, value in defaults.items() if not callable(value)}
    form |= json_form(cls(given, gen_skel=False))
    return {"id": form.get("_id")} | {name: form.get(name) for name in names}


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted path as documents in documents.

    An inner document none of whose fields has a value is None.

    Args:
        values: Value by dotted path.

    Example:
        >>> nested({"name": "Ada", "home.city": "London", "work.city": None})
        {'name': 'Ada', 'home': {'city': 'London'}, 'work': None}
    """
    made: dict[str, Any] = {}
    for path, value in values.items():
        first, dot, rest = path.partition(".")
        if dot:
            made.setdefault(first, {})[rest] = value
        else:
            made[first] = value
    return {
        name: (
            (nested(value) if any(each not in (None, "") for each in value.values()) else None)
            if any(path.startswith(f"{name}.") for path in values)
            else value
        )
        for name, value in made.items()
    }


def at(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, None where there is none.

    Args:
        values: Documents in documents.
        path: The path.

    Example:
        >>> at({"home": {"city": "London"}}, "home.city")
        'London'
    """
    value: Any = values
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _number(text: str, kind: type) -> Any:
    # Bounded: int() of a very long text is slow.
    if len(text) > 40:
        return text
    try:
        return int(text)
    except ValueError:
        if kind is int:
            return text
    try:
        return float(text)
    except ValueError:
        return text
