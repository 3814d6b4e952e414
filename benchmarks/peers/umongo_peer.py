"""umongo, on marshmallow and PyMongo.

Its `commit` sends only what changed. There is no door for many at once, so the bulk lane validates
each document (`required_validate`, types are checked when it is made) and hands all to PyMongo.
"""

from __future__ import annotations

from functools import partial

import pymongo
from umongo import Document, EmbeddedDocument, fields
from umongo.frameworks import PyMongoInstance

from benchmarks.lanes import CALLS, QUERIES
from benchmarks.raw import DATABASE, DEFAULT_TAGS, given, now
from benchmarks.samples import READ_COUNT, identifier, nested_content
from benchmarks.tasks import listing, reading, repeating, touching_by_dot, touching_by_key

DISTRIBUTIONS = ("umongo", "marshmallow", "pymongo")


def declare(instance):
    """Return the classes of the flat and of the nested document."""

    @instance.register
    class Flat(Document):
        name = fields.StrField()
        email = fields.StrField()
        age = fields.IntField()
        score = fields.FloatField()
        created = fields.NaiveDateTimeField()

        class Meta:
            collection_name = "flat"

    @instance.register
    class Geo(EmbeddedDocument):
        lat = fields.FloatField()
        lon = fields.FloatField()

    @instance.register
    class Address(EmbeddedDocument):
        street = fields.StrField()
        city = fields.StrField()
        zip = fields.StrField()
        geo = fields.EmbeddedField(Geo)

    @instance.register
    class Order(EmbeddedDocument):
        sku = fields.StrField()
        quantity = fields.IntField()
        price = fields.FloatField()

    @instance.register
    class Nested(Document):
        name = fields.StrField(required=True)
        email = fields.StrField(required=True)
        age = fields.IntField()
        score = fields.FloatField()
        active = fields.BoolField(load_default=True)
        created = fields.NaiveDateTimeField(load_default=now)
        updated = fields.NaiveDateTimeField()
        team = fields.ObjectIdField()
        tags = fields.ListField(fields.StrField(), load_default=lambda: list(DEFAULT_TAGS))
        address = fields.EmbeddedField(Address)
        orders = fields.ListField(fields.EmbeddedField(Order))
        notes = fields.StrField()

        class Meta:
            collection_name = "nested"

    return Flat, Nested


def lanes(uri):
    """Return umongo's task for each lane that it has a door for."""
    instance = PyMongoInstance(pymongo.MongoClient(uri)[DATABASE])
    flat, nested = declare(instance)
    stored = nested.find_one({"id": identifier(0)})

    def insert_one():
        contents = [given(number) for number in range(QUERIES)]

        def task():
            for content in contents:
                nested(**content).commit()

        return task

    def bulk():
        contents = [nested_content(number) for number in range(READ_COUNT)]

        def task():
            documents = [nested(**content) for content in contents]
            for document in documents:
                document.required_validate()
            nested.collection.insert_many([document.to_mongo() for document in documents])

        return task

    def save():
        for number in range(QUERIES):
            stored.age = 1_000 + number
            stored.commit()

    return {
        "read_flat": reading(flat.find),
        "read_nested": reading(nested.find),
        "touch_key": touching_by_key(nested.find),
        "touch_dot": touching_by_dot(nested.find),
        "find_one": repeating(QUERIES, partial(nested.find_one, {"id": identifier(0)})),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: save,
        "construct": repeating(CALLS, partial(nested, **nested_content(0))),
        "memory": listing(nested.find),
        "memory_peak": listing(nested.find),
    }
