"""OR, NOT and IS: what a structure says where one type is not enough."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from bson import Binary, Int64, Regex

# What the driver reads back as another type than was stored: a large int is an Int64, a compiled
# pattern a Regex, and Binary of subtype 0 is bytes.
_READ_BACK: dict[type, type] = {Int64: int, Regex: re.Pattern, bytes: Binary}

__all__ = ["IS", "NOT", "OR", "AnyOf", "SchemaOperator"]


class SchemaOperator:
    """The base of the operators that a structure may hold in place of a type.

    Operators with the same class and the same operands are equal and hash alike.

    Args:
        *operands: Types for `OR` and `NOT`, values for `IS`.

    Example:
        >>> OR(int, float) == OR(int, float)
        True
    """

    repr: ClassVar[str] = "operator"

    def __init__(self, *operands: Any) -> None:
        self.operands = operands

    def __iter__(self) -> Any:
        return iter(self.operands)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SchemaOperator)
            and type(self) is type(other)
            and self.operands == other.operands
        )

    def __hash__(self) -> int:
        try:
            return hash((type(self), self.operands))
        except TypeError:  # IS may hold lists
            return hash((type(self), repr(self.operands)))

    def validate(self, value: Any) -> bool:
        """Tell whether `value` passes; None is never asked.

        Args:
            value: What a document holds.

        Raises:
            NotImplementedError: On the base class, which is no operator of its own.

        Example:
            >>> OR(int, float).validate(1.5)
            True
        """
        raise NotImplementedError

    def error(self, path: str, value: Any) -> str:
        """Return the sentence that refuses `value` at `path`.

        Args:
            path: The dotted field name.
            value: The refused value.

        Example:
            >>> OR(int, float).error("age", "x")
            'age must be an instance of <int or float> not str'
        """
        return f"{path} must be an instance of {self!r} not {type(value).__name__}"


class OR(SchemaOperator):
    """One of several types, and exactly that type: a subclass does not pass.

    Example:
        >>> OR(int, str)
        <int or str>
    """

    repr = "or"

    def __repr__(self) -> str:
        return f"<{' or '.join(_name(t) for t in self.operands)}>"

    def validate(self, value: Any) -> bool:
        """Tell whether the type of `value` is one of the operands."""
        kind = type(value)
        return kind in self.operands or _READ_BACK.get(kind) in self.operands


class NOT(SchemaOperator):
    """Any authorized type but these.

    Example:
        >>> NOT(int, str)
        <not int, not str>
    """

    repr = "not"

    def __repr__(self) -> str:
        return f"<{', '.join(f'not {_name(t)}' for t in self.operands)}>"

    def validate(self, value: Any) -> bool:
        """Tell whether the type of `value` is none of the operands."""
        kind = type(value)
        return kind not in self.operands and _READ_BACK.get(kind) not in self.operands


class IS(SchemaOperator):
    """One of these values, with its type: `IS(1)` refuses `True` and `1.0`.

    Example:
        >>> IS("draft", "done")
        <is 'draft' or is 'done'>
    """

    repr = "is"

    def __repr__(self) -> str:
        return f"<{' or '.join(f'is {operand!r}' for operand in self.operands)}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, IS)
            and self.operands == other.operands
            and [type(v) for v in self.operands] == [type(v) for v in other.operands]
        )

    __hash__ = SchemaOperator.__hash__

    def validate(self, value: Any) -> bool:
        """Tell whether `value` equals an operand of the same type."""
        kind = type(value)
        kinds = (kind, _READ_BACK.get(kind))
        return any(type(operand) in kinds and value == operand for operand in self.operands)

    def error(self, path: str, value: Any) -> str:
        """Return the sentence that refuses `value` at `path`."""
        return f"{path} must be in {list(self.operands)!r} not {value}"


class AnyOf(SchemaOperator):
    """What one of several specs takes, where a list or a nested dict is among them.

    For types alone `OR` says the same, faster. Annotations such as `list[str] | str` become this.

    Args:
        *operands: What may stand in a structure.

    Example:
        >>> class Note(Document):
        ...     structure = {"to": AnyOf(str, [str])}
        >>> Note({"to": ["ada", "eva"]}).errors(), Note({"to": "ada"}).errors()
        ([], [])
        >>> Note({"to": 3}).validate()
        Traceback (most recent call last):
        mongokit.errors.SchemaTypeError: to must be an instance of <str or list> not int
    """

    repr = "any of"

    def __repr__(self) -> str:
        return f"<{' or '.join(_spec_name(spec) for spec in self.operands)}>"


def _spec_name(spec: Any) -> str:
    if isinstance(spec, list):
        return f"[{', '.join(_spec_name(item) for item in spec)}]"
    if isinstance(spec, tuple):
        return f"({', '.join(_spec_name(item) for item in spec)})"
    if isinstance(spec, dict):
        return "dict"
    spec = getattr(spec, "spec", spec)
    return _name(spec if isinstance(spec, (type, SchemaOperator)) else type(spec))


def _name(operand: Any) -> str:
    return getattr(operand, "__name__", None) or str(operand)
