"""The documents that all lanes work on, as plain dicts, and the collections the server has them in.

Every lane, every mapper and the canned server take their documents from here, so the raw driver and
a mapper always do their work on equal data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

READ_COUNT = 10_000  # documents in `flat` and `nested`
FIELD_COUNTS = (1, 10, 100)
DEPTHS = (1, 2, 3, 4, 5, 6)
LIST_LENGTHS = (1, 10, 100, 1_000)

# BSON keeps milliseconds and the driver hands back naive UTC unless asked otherwise.
EPOCH = datetime(2024, 2, 29, 12, 30, 15, 250_000)  # noqa: DTZ001

Plain = dict[str, Any]


def identifier(number: int) -> ObjectId:
    """Return the ObjectId of a document or of a reference, by number.

    Example:
        >>> identifier(1)
        ObjectId('65e0782f0000000000000001')
    """
    return ObjectId(f"65e0782f{number:016x}")


def flat(number: int) -> Plain:
    """Return the flat document: five fields beside `_id`, one of each common type."""
    return {"_id": identifier(number), **flat_content(number)}


def flat_content(number: int) -> Plain:
    """Return the flat document as a program has it before it is stored, without `_id`."""
    return {
        "name": f"Ada Lovelace {number}",
        "email": f"ada.{number}@example.org",
        "age": 20 + number % 60,
        "score": number / 7,
        "created": EPOCH + timedelta(seconds=number),
    }


def nested(number: int) -> Plain:
    """Return the nested document: twelve fields beside `_id`."""
    return {"_id": identifier(number), **nested_content(number)}


def nested_content(number: int) -> Plain:
    """Return the nested document as a program has it before it is stored, without `_id`.

    It holds a document two levels deep, a list of five strings, a list of three documents, two
    dates and an ObjectId.
    """
    return {
        "name": f"Ada Lovelace {number}",
        "email": f"ada.{number}@example.org",
        "age": 20 + number % 60,
        "score": number / 7,
        "active": True,
        "created": EPOCH + timedelta(seconds=number),
        "updated": EPOCH + timedelta(days=1, seconds=number),
        "team": identifier(1_000_000 + number % 50),
        "tags": ["admin", "engine", "poetry", "numbers", f"t{number % 100}"],
        "address": address(number),
        "orders": orders(number),
        "notes": "wrote the first program, and notes longer than the paper they explain",
    }


def address(number: int) -> Plain:
    """Return the nested document's address, itself with a document inside."""
    return {
        "street": f"{number} St James's Square",
        "city": "London",
        "zip": "SW1Y 4JH",
        "geo": {"lat": 51.5 + number / 1e6, "lon": -0.13},
    }


def orders(number: int) -> list[Plain]:
    """Return the nested document's list of three documents."""
    return [
        {"sku": f"A-{number}-{line}", "quantity": line + 1, "price": 9.5 * (line + 1)}
        for line in range(3)
    ]


def wide(fields: int) -> Callable[[int], Plain]:
    """Return a maker of documents with so many fields of four types, beside `_id`."""

    def make(number: int) -> Plain:
        values = (f"text {number}", number, number / 3, EPOCH + timedelta(seconds=number))
        return {
            "_id": identifier(number),
            **{f"field{index}": values[index % 4] for index in range(fields)},
        }

    return make


def deep(depth: int) -> Callable[[int], Plain]:
    """Return a maker of documents with so many levels, each of three fields; depth 1 is flat."""

    def level(number: int, left: int) -> Plain:
        content: Plain = {"text": f"text {number}", "number": number, "ratio": number / 3}
        if left > 1:
            content["inner"] = level(number, left - 1)
        return content

    return lambda number: {"_id": identifier(number), **level(number, depth)}


def long(length: int) -> Callable[[int], Plain]:
    """Return a maker of documents with a list of so many documents of three fields."""
    return lambda number: {
        "_id": identifier(number),
        "items": [
            {"sku": f"A-{number}-{line}", "quantity": line, "price": line / 3}
            for line in range(length)
        ],
    }


@dataclass(frozen=True)
class Stock:
    """What the canned server holds under one collection name.

    Attributes:
        count: Number of documents that a `find` of all gives.
        make: Makes the document of a number.
    """

    count: int
    make: Callable[[int], Plain]


# Fewer documents where each is larger: a sample then takes about as long in every size lane.
STOCK: Mapping[str, Stock] = {
    "flat": Stock(READ_COUNT, flat),
    "nested": Stock(READ_COUNT, nested),
    **{f"fields_{n}": Stock(40_000 // (n + 3), wide(n)) for n in FIELD_COUNTS},
    **{f"depth_{n}": Stock(20_000 // (n + 1), deep(n)) for n in DEPTHS},
    **{f"list_{n}": Stock(20_000 // (n + 3), long(n)) for n in LIST_LENGTHS},
}


def structure_of(value: Any) -> Any:
    """Return the classic `structure` that declares a document like this one.

    Args:
        value: A document, or a value inside one; lists must hold documents or values of one type.

    Returns:
        A dict of fields to types for a dict, a list of one spec for a list, else the type.

    Example:
        >>> structure_of({"name": "Ada", "tags": ["a"], "geo": {"lat": 1.5}})
        {'name': <class 'str'>, 'tags': [<class 'str'>], 'geo': {'lat': <class 'float'>}}
    """
    if isinstance(value, dict):
        return {key: structure_of(item) for key, item in value.items() if key != "_id"}
    if isinstance(value, list):
        return [structure_of(value[0])]
    return type(value)
