"""Validators that say what they demand: to people in a sentence, to schemas as data.

Each is made by a function of this module and stands where a hand-written validator does, in
`validators` or in `Annotated[...]`. Calling it returns True or raises `ValidationError`. What is of
another type than it speaks of passes: the type check has the word on that.

Example:
    >>> class Account(Document):
    ...     structure = {"login": str, "age": int, "tags": [str]}
    ...     validators = {
    ...         "login": [min_length(3), pattern(r"^[a-z]+$")],
    ...         "age": ge(18),
    ...         "tags": [max_length(5), unique_items()],
    ...     }
    >>> [failure.message for failure in Account({"login": "Al", "age": 17, "tags": []}).errors()]
    ['login must be at least 3 characters long', 'age must be at least 18']
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from bson import Decimal128, Int64

from mongokit.errors import ValidationError

__all__ = [
    "Constraint",
    "email",
    "ge",
    "gt",
    "le",
    "length",
    "lt",
    "max_length",
    "min_length",
    "multiple_of",
    "one_of",
    "pattern",
    "unique_items",
    "url",
]

# WHATWG HTML, 4.10.5.1.5: a valid e-mail address, what <input type=email> takes; and no other.
_EMAIL = (
    r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$"
)
# RFC 3986 with the schemes of RFC 9110, 4.2, and a host; other characters than its own are escaped
# in a URL.
_URL = (
    r"^https?://(?:[A-Za-z0-9._~!$&'()*+,;=:%-]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%-]+)"
    r"(?::[0-9]{1,5})?(?:[/?#](?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?$"
)

_SIZED = (str, bytes, list, tuple, dict, set)
_NUMBERS = (int, float, Decimal, Decimal128, Int64)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A validator that says what it demands; made by the functions of `mongokit.validators`.

    Attributes:
        rule: The name of the rule: the maker's, such as `max_length`.
        limit: What it compares with: a number, a date, a pattern, the allowed values; None for a
            rule without one.

    Example:
        >>> from mongokit.validators import max_length
        >>> max_length(50).rule, max_length(50).limit
        ('max_length', 50)
    """

    rule: str
    limit: Any = None

    def __call__(self, value: Any) -> bool:
        """Return True if the value passes, or is of a type that the rule does not speak of.

        Raises:
            ValidationError: The value breaks the rule; the text has one `%s`, for the path.
        """
        if _TESTS[self.rule](value, self.limit):
            return True
        raise ValidationError(self.message(value), rule=self.rule)

    def message(self, value: Any = "") -> str:
        """Return the sentence that refuses a value, with `%s` where the path belongs.

        Args:
            value: The refused value: a text is said to be long, a list to have items.

        Example:
            >>> from mongokit.validators import max_length
            >>> max_length(50).message()
            '%s must be at most 50 characters long'
        """
        limit: Any = self.limit
        match self.rule:
            case "max_length" | "min_length":
                most = "most" if self.rule == "max_length" else "least"
                if isinstance(value, str):
                    return f"%s must be at {most} {limit} character{_s(limit)} long"
                if isinstance(value, bytes):
                    return f"%s must be at {most} {limit} byte{_s(limit)} long"
                return f"%s must have at {most} {limit} item{_s(limit)}"
            case "length":
                low, high = limit
                unit = "characters long" if isinstance(value, str) else "items"
                verb = "be" if isinstance(value, str) else "have"
                if low == high:
                    return f"%s must {verb} exactly {low} {unit}"
                return f"%s must {verb} from {low} to {high} {unit}"
            case "one_of":
                return f"%s must be one of {', '.join(_shown(each) for each in limit)}"
        return f"%s must {_SENTENCES[self.rule]}".replace("{}", str(limit))

    def source(self, *, of: type | None = None) -> str | None:
        """Return Python source over `{v}` that is True only for a value that surely passes.

        The compiler puts it in the place of a call of the validator.

        Args:
            of: The type that the value is known to have; None to test for it.

        Returns:
            The expression, or None where there is none for values of this type.
        """
        kind, make = _SOURCES.get(self.rule, (None, None))
        if make is None or kind is None or not (of is None or of is kind):
            return None
        if kind is int and type(self.limit) is not int:
            return None
        test = make(self.limit)
        return test if of is kind else f"type({{v}}) is {kind.__name__} and {test}"


def _s(number: Any) -> str:
    return "" if number == 1 else "s"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _comparable(value: Any, limit: Any) -> Any:
    """The value in a form that compares with the limit, or None where nothing can be said."""
    if isinstance(limit, date):
        return value if isinstance(value, date) else None
    if not _is_number(value):
        return None
    return value.to_decimal() if isinstance(value, Decimal128) else value


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def passes(value: Any, limit: Any) -> bool:
        comparable = _comparable(value, limit)
        if comparable is None:
            return True
        if isinstance(limit, date):
            return test(_moment(value), _moment(limit))
        if isinstance(comparable, Decimal) and comparable.is_nan():
            return False  # as of floats; Decimal itself raises
        if isinstance(limit, Decimal128):
            limit = limit.to_decimal()
        if isinstance(comparable, Decimal) and isinstance(limit, float):
            limit = Decimal(limit)
        return test(comparable, limit)

    return passes


def _moment(value: date) -> datetime:
    """A date's midnight, or a datetime in UTC: without a zone, as clients give it, it is in UTC."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001
    offset = value.utcoffset()
    return value if offset is None else value.replace(tzinfo=None) - offset


def _is_multiple(value: Any, of: Any) -> bool:
    if not _is_number(value):
        return True
    if isinstance(value, int) and isinstance(of, int):
        return value % of == 0
    # By their decimal notation: 0.3 is a multiple of 0.1, whatever the binary fractions are.
    number, divisor = _fraction(value), _fraction(of)
    return number is not None and divisor is not None and number % divisor == 0


def _fraction(number: Any) -> Fraction | None:
    if isinstance(number, Decimal128):
        number = number.to_decimal()
    is_finite = number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)
    return Fraction(str(number)) if is_finite else None


def _is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    # A bool is no number here, nor in BSON, though Python says that True == 1; and a Decimal128 is
    # one.
    value = value.to_decimal() if isinstance(value, Decimal128) else value
    return any(
        value == (each.to_decimal() if isinstance(each, Decimal128) else each)
        and isinstance(value, bool) is isinstance(each, bool)
        for each in allowed
    )


def _matches(value: Any, expression: str) -> bool:
    return not isinstance(value, str) or _compiled(expression).search(value) is not None


_patterns: dict[str, re.Pattern[str]] = {}
_DOLLAR = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


def _compiled(expression: str) -> re.Pattern[str]:
    found = _patterns.get(expression)
    if found is None:
        # As JSON Schema has it (ECMA-262): \d and \w are ASCII, and $ is the very end, where
        # Python's own also matches before a line break.
        found = _patterns[expression] = re.compile(with_end(expression, r"\Z"), re.ASCII)
    return found


def with_end(expression: str, end: str) -> str:
    r"""Return a pattern with each `$` written as something that only matches at the very end.

    Args:
        expression: What `pattern()` takes.
        end: What the dialect has for it.

    Example:
        >>> with_end(r"^[$a-z]+$|\$$", r"\Z")
        '^[$a-z]+\\Z|\\$\\Z'
    """
    return _DOLLAR.sub(lambda found: end if found[0] == "$" else found[0], expression)


def _has_unique_items(value: Any, _: Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return True
    seen: set[Any] = set()
    for item in value:
        key = _identity(item)
        if key in seen:
            return False
        seen.add(key)
    return True


def _identity(item: Any) -> Any:
    """A hashable stand-in that is equal for items that JSON Schema and the server call equal."""
    if isinstance(item, dict):
        return ("dict", frozenset((key, _identity(value)) for key, value in item.items()))
    if isinstance(item, (list, tuple)):
        return ("list", tuple(_identity(value) for value in item))
    if isinstance(item, Decimal128):
        item = item.to_decimal()
    try:
        hash(item)
    except TypeError:
        return (type(item).__name__, repr(item))
    return ("bool", item) if isinstance(item, bool) else item


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "max_length": lambda value, limit: not isinstance(value, _SIZED) or len(value) <= limit,
    "min_length": lambda value, limit: not isinstance(value, _SIZED) or len(value) >= limit,
    "length": lambda value, limit: (
        not isinstance(value, _SIZED) or limit[0] <= len(value) <= limit[1]
    ),
    "pattern": _matches,
    "email": lambda value, _: _matches(value, _EMAIL),
    "url": lambda value, _: _matches(value, _URL),
    "one_of": _is_one_of,
    "ge": _compared(lambda value, limit: value >= limit),
    "gt": _compared(lambda value, limit: value > limit),
    "le": _compared(lambda value, limit: value <= limit),
    "lt": _compared(lambda value, limit: value < limit),
    "multiple_of": _is_multiple,
    "unique_items": _has_unique_items,
}
_SENTENCES = {
    "pattern": "match the pattern {}",
    "email": "be an e-mail address, like ada@example.org",
    "url": "be a web address, like https://example.org/",
    "ge": "be at least {}",
    "gt": "be greater than {}",
    "le": "be at most {}",
    "lt": "be less than {}",
    "multiple_of": "be a multiple of {}",
    "unique_items": "not hold the same item twice",
}
_SOURCES: Mapping[str, tuple[type, Callable[[Any], str]]] = {
    "max_length": (str, lambda limit: f"len({{v}}) <= {limit}"),
    "min_length": (str, lambda limit: f"len({{v}}) >= {limit}"),
    "length": (str, lambda limit: f"{limit[0]} <= len({{v}}) <= {limit[1]}"),
    "ge": (int, lambda limit: f"{{v}} >= {limit}"),
    "gt": (int, lambda limit: f"{{v}} > {limit}"),
    "le": (int, lambda limit: f"{{v}} <= {limit}"),
    "lt": (int, lambda limit: f"{{v}} < {limit}"),
}

PATTERNS: Mapping[str, str] = {"email": _EMAIL, "url": _URL}
"""The regular expressions of the formats, for schemas."""


def max_length(limit: int) -> Constraint:
    """Return a validator that refuses text of more characters, or lists of more items.

    Args:
        limit: The longest allowed length: characters (code points), bytes or items.

    Raises:
        ValueError: The limit is no whole number from 0 on.

    Example:
        >>> max_length(3)("Ada")
        True
    """
    return Constraint("max_length", _whole(limit))


def min_length(limit: int) -> Constraint:
    """Return a validator that refuses text of fewer characters, or lists of fewer items.

    Args:
        limit: The shortest allowed length: characters (code points), bytes or items.

    Raises:
        ValueError: The limit is no whole number from 0 on.

    Example:
        >>> min_length(3)("Al")
        Traceback (most recent call last):
        mongokit.errors.ValidationError: %s must be at least 3 characters long
    """
    return Constraint("min_length", _whole(limit))


def length(minimum: int, maximum: int | None = None) -> Constraint:
    """Return a validator that refuses text or lists outside a range of lengths.

    Args:
        minimum: The shortest allowed length, or the only one.
        maximum: The longest allowed length; None for the same.

    Raises:
        ValueError: A limit is no whole number from 0 on, or the range is empty.

    Example:
        >>> length(2)("de")
        True
    """
    low, high = _whole(minimum), _whole(minimum if maximum is None else maximum)
    if low > high:
        raise ValueError(f"no length is from {low} to {high}")
    return Constraint("length", (low, high))


def pattern(expression: str) -> Constraint:
    r"""Return a validator that refuses text in which an expression is not found.

    As in JSON Schema, it may be found anywhere: write `^` and `$` to match the whole.

    Args:
        expression: A regular expression in the part that Python, PCRE and ECMA-262 share. Classes
            such as `\d` hold ASCII characters only.

    Raises:
        re.error: It is no regular expression.

    Example:
        >>> pattern("^[A-Z]{2}$")("DE")
        True
    """
    _compiled(expression)
    return Constraint("pattern", expression)


def one_of(*values: Any) -> Constraint:
    """Return a validator that refuses every value but these.

    Args:
        *values: The allowed values.

    Raises:
        ValueError: None is allowed.

    Example:
        >>> one_of("draft", "done")("draft")
        True
    """
    if not values:
        raise ValueError("one_of() needs the allowed values")
    return Constraint("one_of", values)


def ge(limit: Any) -> Constraint:
    """Return a validator that refuses what is less.

    Args:
        limit: The least allowed number, date or datetime.

    Example:
        >>> ge(18)(18)
        True
    """
    return Constraint("ge", limit)


def gt(limit: Any) -> Constraint:
    """Return a validator that refuses what is less or equal.

    Args:
        limit: A number, date or datetime.

    Example:
        >>> gt(0)(0.5)
        True
    """
    return Constraint("gt", limit)


def le(limit: Any) -> Constraint:
    """Return a validator that refuses what is greater.

    Args:
        limit: The greatest allowed number, date or datetime.

    Example:
        >>> le(100)(101)
        Traceback (most recent call last):
        mongokit.errors.ValidationError: %s must be at most 100
    """
    return Constraint("le", limit)


def lt(limit: Any) -> Constraint:
    """Return a validator that refuses what is greater or equal.

    Args:
        limit: A number, date or datetime.

    Example:
        >>> lt(100)(99)
        True
    """
    return Constraint("lt", limit)


def multiple_of(number: Any) -> Constraint:
    """Return a validator that refuses what is no multiple of a number.

    Args:
        number: A number above 0.

    Raises:
        ValueError: It is not above 0.

    Example:
        >>> multiple_of(0.1)(0.3)
        True
    """
    if not number > 0:
        raise ValueError("multiple_of() needs a number above 0")
    return Constraint("multiple_of", number)


def email() -> Constraint:
    """Return a validator that refuses what is no e-mail address, as browsers see it.

    The rule is that of HTML's `<input type=email>` (WHATWG HTML, 4.10.5.1.5): ASCII, no quoted
    parts, nothing looked up.

    Example:
        >>> email()("ada@example.org")
        True
    """
    return Constraint("email")


def url() -> Constraint:
    """Return a validator that refuses what is no absolute `http` or `https` URL (RFC 3986).

    Example:
        >>> url()("https://example.org/a?b=1")
        True
    """
    return Constraint("url")


def unique_items() -> Constraint:
    """Return a validator that refuses a list that holds an item twice.

    1 and 1.0 are the same item, 1 and True are not: so JSON Schema and the server have it.

    Example:
        >>> unique_items()(["a", "b"])
        True
    """
    return Constraint("unique_items")


def constraints_of(functions: Iterable[Any]) -> list[Constraint]:
    """Return those of some validators that say what they demand.

    Args:
        functions: Validators.

    Example:
        >>> constraints_of([callable, max_length(3)])
        [Constraint(rule='max_length', limit=3)]
    """
    return [each for each in functions if isinstance(each, Constraint)]


def _whole(limit: Any) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise ValueError("a length is a whole number from 0 on")
    return limit
