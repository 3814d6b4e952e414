"""CustomType: a value that is one thing in Python and another in BSON; and Set, which is one."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["CustomType", "Set"]


class CustomType:
    """The base of types that are converted on their way to and from the database.

    A subclass sets `mongo_type` and `python_type` and defines both conversions. An instance of it
    stands in a structure. In memory a document always holds the Python form.

    Attributes:
        mongo_type: The type that `to_bson` returns, or a tuple of them.
        python_type: The type that a document holds, or a tuple of them.
        init_type: Called to fill a new document's field, None for an empty field.

    Raises:
        TypeError: When made without `mongo_type` or `python_type`.

    Example:
        >>> from datetime import datetime
        >>> class Day(CustomType):
        ...     mongo_type = datetime
        ...     python_type = str
        ...     def to_bson(self, value):
        ...         return value and datetime.strptime(value, "%Y-%m-%d")
        ...     def to_python(self, value):
        ...         return value and value.strftime("%Y-%m-%d")
        >>> Day().to_python(datetime(2026, 11, 23))
        '2026-11-23'
    """

    mongo_type: ClassVar[Any] = None
    python_type: ClassVar[Any] = None
    init_type: ClassVar[Any] = None

    def __init__(self) -> None:
        for name in ("mongo_type", "python_type"):
            if getattr(self, name, None) is None:
                msg = f"`{name}` property must be specified in {type(self).__name__}"
                raise TypeError(msg)

    def to_bson(self, value: Any) -> Any:
        """Return the form of `value` that the database stores; None is passed too.

        Raises:
            NotImplementedError: Unless the subclass defines it.
        """
        raise NotImplementedError

    def to_python(self, value: Any) -> Any:
        """Return the form of the stored `value` that a document holds; None is passed too.

        Raises:
            NotImplementedError: Unless the subclass defines it.
        """
        raise NotImplementedError

    def validate(self, value: Any, path: str) -> Any:
        """Look at `value` before it is converted; raise to refuse it.

        Args:
            value: The Python form.
            path: The dotted field name, for the error's text.
        """


class Set(CustomType):
    """A Python set in the document, a list in the database, sorted where its items sort.

    Args:
        structure_type: The type of every item, or None for any.

    Raises:
        ValueError: When an item is of another type.

    Example:
        >>> Set(int).to_bson({3, 1, 2})
        [1, 2, 3]
        >>> sorted(Set(int).to_python([1, 2, 2]))
        [1, 2]
    """

    init_type = set
    mongo_type = list
    python_type = set

    def __init__(self, structure_type: type | None = None) -> None:
        super().__init__()
        self._structure_type = structure_type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and self._structure_type is other._structure_type

    def __hash__(self) -> int:
        return hash((Set, self._structure_type))

    def to_bson(self, value: Any) -> Any:
        """Return the set as a list, or None for None."""
        if value is None:
            return None
        wanted = self._structure_type
        if wanted is not None:
            for item in value:
                if not isinstance(item, wanted):
                    msg = f"{wanted} is not an instance of {type(item)}"
                    raise ValueError(msg)
        try:
            return sorted(value)
        except TypeError:  # no order among these items
            return list(value)

    def to_python(self, value: Any) -> Any:
        """Return the stored list as a set, or None for None."""
        return None if value is None else set(value)
