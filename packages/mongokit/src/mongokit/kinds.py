"""The kinds of BSON values, as far as a comparison tells them apart: all numbers are one kind.

MongoDB manual, Comparison/Sort Order: a query's value is compared with stored values of its own
kind only, so one of any other kind matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from bson import (
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

Kinds = frozenset[str] | None
"""Several kinds; None is any."""

ARRAY, OBJECT, NUMBER, NULL, REGEX, STRING, BINARY = (
    *("array", "object", "number", "null", "regex", "string", "binary"),
)

# In this order: bool is an int for Python, and Code a str.
_TYPES: tuple[tuple[str, tuple[type, ...]], ...] = (
    (NULL, (type(None),)),
    ("bool", (bool,)),
    (NUMBER, (int, float, Decimal128)),
    ("code", (Code,)),
    (STRING, (str,)),
    (BINARY, (bytes, UUID)),
    ("date", (datetime, DatetimeMS)),
    ("objectId", (ObjectId,)),
    (REGEX, (re.Pattern, Regex)),
    ("timestamp", (Timestamp,)),
    ("minKey", (MinKey,)),
    ("maxKey", (MaxKey,)),
    (OBJECT, (Mapping, DBRef)),
    (ARRAY, (list, tuple)),
)


def kind_of(value: Any) -> str | None:
    """Return the kind that a value is encoded as; None for one that only a codec may encode.

    Args:
        value: What a filter holds.

    Example:
        >>> kind_of(1.5), kind_of(True), kind_of("x"), kind_of(object())
        ('number', 'bool', 'string', None)
    """
    kind: Any = type(value)
    return _kind_of_type(kind)


def kinds_of(declared: Iterable[type]) -> Kinds:
    """Return the kinds that values of these types are stored as.

    Args:
        declared: Types. One that BSON has not, which a codec must encode, may become anything.

    Example:
        >>> sorted(kinds_of([str, datetime])), kinds_of([complex])
        (['code', 'date', 'string'], None)
    """
    return _kinds_of_types(tuple(declared))


# Kept, because a filter may hold thousands of values of one type.


@lru_cache(maxsize=256)
def _kind_of_type(kind: type) -> str | None:
    return next((name for name, types in _TYPES if issubclass(kind, types)), None)


@lru_cache(maxsize=256)
def _kinds_of_types(declared: tuple[type, ...]) -> Kinds:
    found: set[str] = set()
    for each in declared:
        own = _kind_of_type(each)
        if own is None:
            return None
        found.add(own)
        # What a subclass is stored as too: where an int is declared, a bool validates.
        found |= {name for name, types in _TYPES if any(issubclass(known, each) for known in types)}
    return frozenset(found)
