"""CustomType: a value that is one thing in Python and another in BSON; and Set, which is one."""

from __future__ import annotations

import enum
import re
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from bson import Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from mongokit.errors import SchemaTypeError

__all__ = ["CustomType", "DateType", "DecimalType", "EnumType", "Set"]


STORED_TYPES: tuple[type, ...] = (
    *(ObjectId, DBRef, Code, uuid.UUID, re.Pattern, Regex, Decimal128, Int64, Timestamp),
    *(MinKey, MaxKey),
)
"""What documents of a collection may hold beside what any `SchemaDocument` may."""


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
                    found = type(item).__name__
                    raise ValueError(f"an item is not an instance of {wanted.__name__}: {found}")
        try:
            return sorted(value)
        except TypeError:  # no order among these items
            return list(value)

    def to_python(self, value: Any) -> Any:
        """Return the stored list as a set, or None for None.

        A list with items that no set can hold stays as it is, and does not validate.
        """
        try:
            return None if value is None else set(value)
        except TypeError:
            return value


class DecimalType(CustomType):
    """`decimal.Decimal` in the document, BSON's Decimal128 in the database.

    What an annotation `Decimal` means. Decimal128 has 34 digits (IEEE 754-2008): a number with more
    is refused, so that none is rounded in silence.

    Example:
        >>> from decimal import Decimal
        >>> DecimalType().to_bson(Decimal("9.90"))
        Decimal128('9.90')
    """

    mongo_type = Decimal128
    python_type = Decimal

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DecimalType)

    def __hash__(self) -> int:
        return hash(DecimalType)

    def validate(self, value: Any, path: str) -> None:
        """Refuse a number that Decimal128 can't hold.

        Raises:
            SchemaTypeError: It has too many digits, or too large an exponent.
        """
        if value is not None:
            try:
                fits = value.is_nan() or Decimal128(value).to_decimal() == value
                fits = fits and not value.is_snan()  # which BSON does not know
            except ArithmeticError:
                fits = False
            if not fits:
                text = f"{path} must be a decimal of 34 digits at most"
                raise SchemaTypeError(text, path=path, rule="range", value=value)

    def to_bson(self, value: Any) -> Any:
        """Return the number as a Decimal128, or None for None."""
        return None if value is None else Decimal128(value)

    def to_python(self, value: Any) -> Any:
        """Return the stored Decimal128 as a Decimal, or None for None."""
        return None if value is None else value.to_decimal()


class DateType(CustomType):
    """`datetime.date` in the document, midnight UTC of that day in the database.

    What an annotation `date` means; BSON knows no date without a time.

    Example:
        >>> from datetime import date
        >>> DateType().to_bson(date(2026, 11, 27))
        datetime.datetime(2026, 11, 27, 0, 0)
    """

    mongo_type = datetime
    python_type = date

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateType)

    def __hash__(self) -> int:
        return hash(DateType)

    def validate(self, value: Any, path: str) -> None:
        """Refuse a datetime: its time of day would be lost.

        Raises:
            SchemaTypeError: It is one.
        """
        if isinstance(value, datetime):
            raise SchemaTypeError(f"{path} must be an instance of date not datetime", path=path)

    def to_bson(self, value: Any) -> Any:
        """Return the day's midnight, or None for None."""
        return None if value is None else datetime(value.year, value.month, value.day)  # noqa: DTZ001 - BSON's is UTC

    def to_python(self, value: Any) -> Any:
        """Return the day of the stored datetime, or None for None."""
        return None if value is None else date(value.year, value.month, value.day)


class EnumType(CustomType):
    """A member of an Enum in the document, its value in the database.

    What an annotation with an Enum means. A stored value that no member has stays as it is when it
    is read, and does not validate.

    Args:
        kind: The Enum.

    Raises:
        TypeError: A member's value is None, or of a type that BSON has not.

    Example:
        >>> import enum
        >>> class Color(enum.Enum):
        ...     RED = "red"
        >>> EnumType(Color).to_python("red")
        <Color.RED: 'red'>
    """

    def __init__(self, kind: type[enum.Enum]) -> None:
        self.kind = kind
        values = [member.value for member in kind]
        for value in values:
            if not isinstance(value, (bool, int, float, str, bytes, datetime)):
                raise TypeError(f"{kind.__name__}: {value!r} is no value that BSON has")
        self.python_type = kind  # type: ignore[misc]
        self.mongo_type = tuple({type(value) for value in values})  # type: ignore[misc]
        super().__init__()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnumType) and self.kind is other.kind

    def __hash__(self) -> int:
        return hash((EnumType, self.kind))

    def to_bson(self, value: Any) -> Any:
        """Return the member's value, or None for None."""
        return value.value if isinstance(value, self.kind) else value

    def to_python(self, value: Any) -> Any:
        """Return the member of the stored value, or None for None."""
        if value is None or isinstance(value, self.kind):
            return value
        try:
            member = self.kind(value)
        except ValueError:
            return value
        # To Python True is 1, to BSON and JSON it is not.
        return member if isinstance(member.value, bool) is isinstance(value, bool) else value
