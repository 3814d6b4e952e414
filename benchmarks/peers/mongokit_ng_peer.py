"""The old API's Python 3 port (mongokit-ng) on PyMongo 3.13, against that driver.

It has no door for many at once, so the bulk lane makes and validates each document and hands all to
PyMongo.
"""

# ruff: noqa: RUF012 (class attributes are how these mappers are told the fields)

from __future__ import annotations

from datetime import datetime
from functools import partial

from bson import ObjectId
from mongokit_ng import Connection, Document

from benchmarks.lanes import CALLS, QUERIES
from benchmarks.raw import DATABASE, DEFAULT_TAGS, given, now
from benchmarks.samples import READ_COUNT, identifier, nested_content
from benchmarks.tasks import listing, reading, repeating, touching_by_dot, touching_by_key

DISTRIBUTIONS = ("mongokit-ng", "pymongo")


class Flat(Document):
    structure = {
        "name": str,
        "email": str,
        "age": int,
        "score": float,
        "created": datetime,
    }


class FlatDot(Flat):
    use_dot_notation = True


class Nested(Document):
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
    use_dot_notation = True


def lanes(uri):
    """Return the port's task for each lane that it has a door for."""
    connection = Connection(uri)
    connection.register([Flat, FlatDot, Nested, NestedDot])
    database = connection[DATABASE]
    flat, flat_dot = database["flat"].Flat, database["flat"].FlatDot
    person, person_dot = database["nested"].Nested, database["nested"].NestedDot
    stored = person.find_one({"_id": identifier(0)})

    def insert_one():
        contents = [given(number) for number in range(QUERIES)]

        def task():
            for content in contents:
                document = person()
                document.update(content)
                document.save()

        return task

    def bulk():
        contents = [nested_content(number) for number in range(READ_COUNT)]

        def task():
            documents = [person(content) for content in contents]
            for document in documents:
                document.validate()
            database["nested"].insert_many(documents)

        return task

    def save():
        for number in range(QUERIES):
            stored["age"] = number
            stored.save()

    return {
        "read_flat": reading(flat.find),
        "read_nested": reading(person.find),
        "read_flat_dot": reading(flat_dot.find),
        "read_nested_dot": reading(person_dot.find),
        "touch_key": touching_by_key(person.find),
        "touch_dot": touching_by_dot(person_dot.find),
        "find_one": repeating(QUERIES, partial(person.find_one, {"_id": identifier(0)})),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: save,
        "validate": repeating(CALLS, stored.validate),
        "construct": repeating(CALLS, partial(person, nested_content(0))),
        "memory": listing(person.find),
        "memory_peak": listing(person.find),
    }
