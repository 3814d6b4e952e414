"""Datetimes as milliseconds since the epoch, the form that MongoDB stores and JSON gets.

The dotted dicts are here too, because MongoKit 0.9 had them under this path.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mongokit.dotted import DotCollapsedDict, DotedDict, DotExpandedDict, i18nDotedDict

__all__ = [
    "DotCollapsedDict",
    "DotExpandedDict",
    "DotedDict",
    "fromtimestamp",
    "i18nDotedDict",
    "totimestamp",
    "utcnow",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def totimestamp(value: datetime) -> int:
    """Return a datetime as milliseconds since 1970-01-01 00:00 UTC.

    Args:
        value: An aware datetime, or a naive one, which is in UTC. Microseconds are cut off, as
            MongoDB does.

    Returns:
        The milliseconds, exactly; negative before 1970.

    Raises:
        TypeError: The value is no datetime.

    Example:
        >>> totimestamp(datetime(2024, 1, 1, 12, 0, 0, 500_000))
        1704110400500
    """
    if not isinstance(value, datetime):
        raise TypeError(f"a datetime is expected, not {type(value).__name__}")
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MILLISECOND


def fromtimestamp(value: float) -> datetime:
    """Return the naive UTC datetime of milliseconds since 1970-01-01 00:00 UTC.

    Args:
        value: The milliseconds.

    Raises:
        OverflowError: The year would be before 1 or after 9999.
        ValueError: The value is not a number (NaN).
        TypeError: The value is no number.

    Example:
        >>> fromtimestamp(1704110400500)
        datetime.datetime(2024, 1, 1, 12, 0, 0, 500000)
    """
    if not isinstance(value, (int, float)):
        raise TypeError(f"milliseconds are expected, not {type(value).__name__}")
    return (_EPOCH + timedelta(milliseconds=value)).replace(tzinfo=None)


def utcnow() -> datetime:
    """Return the time in UTC, in the whole milliseconds that BSON keeps; for defaults.

    Example:
        >>> utcnow().utcoffset(), utcnow().microsecond % 1000
        (datetime.timedelta(0), 0)
    """
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
