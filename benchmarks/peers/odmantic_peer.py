"""ODMantic, with its synchronous engine, on pydantic.

Making a model validates it, so constructing and validating are one thing here, and making the
models is part of the bulk lane. Its `save` sends only what changed. Fields are attributes only.
"""

# ruff: noqa: RUF012 (class attributes are how these mappers are told the fields)

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import List  # noqa: UP035 (it reads generics of `typing`)

import pymongo
from odmantic import EmbeddedModel, Field, Model, ObjectId, SyncEngine

from benchmarks.lanes import CALLS, QUERIES
from benchmarks.raw import DATABASE, DEFAULT_TAGS, given, now
from benchmarks.samples import READ_COUNT, identifier, nested_content
from benchmarks.tasks import listing, reading, repeating, touching_by_dot

DISTRIBUTIONS = ("odmantic", "pydantic", "pymongo")


class Flat(Model):
    name: str
    email: str
    age: int
    score: float
    created: datetime
    model_config = {"collection": "flat"}


class Geo(EmbeddedModel):
    lat: float
    lon: float


class Address(EmbeddedModel):
    street: str
    city: str
    zip: str
    geo: Geo


class Order(EmbeddedModel):
    sku: str
    quantity: int
    price: float


class Nested(Model):
    name: str
    email: str
    age: int
    score: float
    active: bool = True
    created: datetime = Field(default_factory=now)
    updated: datetime
    team: ObjectId
    tags: List[str] = Field(default_factory=lambda: list(DEFAULT_TAGS))  # noqa: UP006
    address: Address
    orders: List[Order]  # noqa: UP006
    notes: str
    model_config = {"collection": "nested"}


def lanes(uri):
    """Return ODMantic's task for each lane that it has a door for."""
    engine = SyncEngine(pymongo.MongoClient(uri), DATABASE)
    stored = engine.find_one(Nested, Nested.id == identifier(0))
    nested = partial(engine.find, Nested)

    def insert_one():
        contents = [given(number) for number in range(QUERIES)]

        def task():
            for content in contents:
                engine.save(Nested(**content))

        return task

    def bulk():
        contents = [nested_content(number) for number in range(READ_COUNT)]
        return lambda: engine.save_all([Nested(**content) for content in contents])

    def save():
        for number in range(QUERIES):
            stored.age = number
            engine.save(stored)

    content = nested_content(0)
    by_id = Nested.id == identifier(0)
    return {
        "read_flat": reading(partial(engine.find, Flat)),
        "read_nested": reading(nested),
        "touch_dot": touching_by_dot(nested),
        "find_one": repeating(QUERIES, partial(engine.find_one, Nested, by_id)),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: save,
        "validate": repeating(CALLS, partial(Nested.model_validate, content)),
        "construct": repeating(CALLS, partial(Nested, **content)),
        "memory": listing(nested),
        "memory_peak": listing(nested),
    }
