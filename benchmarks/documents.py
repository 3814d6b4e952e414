"""The classes that our mapper declares for the lanes: the same documents as in `samples`."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId

from benchmarks.raw import DEFAULT_TAGS, now
from benchmarks.samples import STOCK, structure_of
from mongokit import Document


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


def sized(name: str) -> type[Document]:
    """Return the class that declares the documents of a size lane.

    Args:
        name: The collection's name in the stock, such as `depth_3`.
    """
    return type(name.title(), (Document,), {"structure": structure_of(STOCK[name].make(0))})
