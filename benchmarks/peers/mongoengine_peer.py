"""MongoEngine: documents with fields, embedded documents as classes.

Its `save` sends only what changed (`$set`), so it sends less than the raw driver in that lane; its
`insert` takes documents, so making them is part of the bulk lane.
"""

# ruff: noqa: RUF012 (class attributes are how these mappers are told the fields)

from __future__ import annotations

from functools import partial

from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
    connect,
)

from benchmarks.lanes import CALLS, QUERIES
from benchmarks.raw import DATABASE, DEFAULT_TAGS, given, now
from benchmarks.samples import READ_COUNT, identifier, nested_content
from benchmarks.tasks import listing, reading, repeating, touching_by_dot, touching_by_key

DISTRIBUTIONS = ("mongoengine", "pymongo")


class Flat(Document):
    name = StringField()
    email = StringField()
    age = IntField()
    score = FloatField()
    created = DateTimeField()
    meta = {"collection": "flat", "auto_create_index": False}


class Geo(EmbeddedDocument):
    lat = FloatField()
    lon = FloatField()


class Address(EmbeddedDocument):
    street = StringField()
    city = StringField()
    zip = StringField()
    geo = EmbeddedDocumentField(Geo)


class Order(EmbeddedDocument):
    sku = StringField()
    quantity = IntField()
    price = FloatField()


class Nested(Document):
    name = StringField(required=True)
    email = StringField(required=True)
    age = IntField()
    score = FloatField()
    active = BooleanField(default=True)
    created = DateTimeField(default=now)
    updated = DateTimeField()
    team = ObjectIdField()
    tags = ListField(StringField(), default=lambda: list(DEFAULT_TAGS))
    address = EmbeddedDocumentField(Address)
    orders = EmbeddedDocumentListField(Order)
    notes = StringField()
    meta = {"collection": "nested", "auto_create_index": False}


def make(content):
    """Return a document of a plain one; nested documents must be objects of their classes."""
    address = content["address"]
    return Nested(
        **{
            **content,
            "address": Address(**{**address, "geo": Geo(**address["geo"])}),
            "orders": [Order(**order) for order in content["orders"]],
        }
    )


def lanes(uri):
    """Return MongoEngine's task for each lane that it has a door for."""
    connect(DATABASE, host=uri)
    stored = Nested.objects(id=identifier(0)).first()

    # A query set keeps what it read, so every sample makes a new one.
    def flat():
        return Flat.objects().no_cache()

    def nested():
        return Nested.objects().no_cache()

    def insert_one():
        contents = [given(number) for number in range(QUERIES)]

        def task():
            for content in contents:
                make(content).save()

        return task

    def bulk():
        contents = [nested_content(number) for number in range(READ_COUNT)]
        return lambda: Nested.objects.insert([make(c) for c in contents], load_bulk=False)

    def save():
        for number in range(QUERIES):
            stored.age = 1_000 + number
            stored.save()

    return {
        "read_flat": reading(flat),
        "read_nested": reading(nested),
        "touch_key": touching_by_key(nested),
        "touch_dot": touching_by_dot(nested),
        "find_one": repeating(QUERIES, partial(Nested.objects.get, id=identifier(0))),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: save,
        "validate": repeating(CALLS, stored.validate),
        "construct": repeating(CALLS, partial(make, nested_content(0))),
        "memory": listing(nested),
        "memory_peak": listing(nested),
    }
