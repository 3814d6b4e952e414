"""The classes that our mapper declares for the lanes: the same documents as in `samples`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from annotated_types import MaxLen
from bson import ObjectId

from benchmarks.raw import DEFAULT_TAGS, now
from benchmarks.samples import STOCK, structure_of
from mongokit import Document, Embedded, field


class Flat(Document):
    """The flat document."""

    structure = {
        "name": str,
        "email": str,
        "age": int,
        "score": float,
        "created": datetime,
    }


class FlatDot(Flat):
    """The flat document with dot notation."""

    use_dot_notation = True


class Nested(Document):
    """The nested document, with what the insert lane needs."""

    structure = {
        "name": str,
        "email": str,
        "age": int,
        "score": float,
        "active": bool,
        "created": datetime,
        "updated": datetime,
        "team": ObjectId,
        "tags": [str],
        "address": {
            "street": str,
            "city": str,
            "zip": str,
            "geo": {"lat": float, "lon": float},
        },
        "orders": [{"sku": str, "quantity": int, "price": float}],
        "notes": str,
    }
    required_fields = ["name", "email"]
    default_values = {"active": True, "tags": DEFAULT_TAGS, "created": now}


class NestedDot(Nested):
    """The nested document with dot notation."""

    use_dot_notation = True


class Geo(Embedded):
    """Where an address is."""

    lat: float
    lon: float


class Address(Embedded):
    """The nested document's address."""

    street: str
    city: str
    zip: str
    geo: Geo


class Order(Embedded):
    """One of the nested document's orders."""

    sku: str
    quantity: int
    price: float


class NestedAnnotated(Document):
    """The nested document, declared by annotations."""

    name: Annotated[str, MaxLen(80)]
    email: Annotated[str, MaxLen(120)]
    age: int | None = None
    score: float | None = None
    active: bool = True
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    team: ObjectId | None = None
    tags: list[str] = field(default=DEFAULT_TAGS)
    address: Address | None = None
    orders: list[Order] = field(default_factory=list)
    notes: str | None = None


def sized(name: str) -> type[Document]:
    """Return the class that declares the documents of a size lane.

    Args:
        name: The collection's name in the stock, such as `depth_3`.
    """
    return type(name.title(), (Document,), {"structure": structure_of(STOCK[name].make(0))})
