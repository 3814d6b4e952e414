"""Beanie: asynchronous, on pydantic.

Its raw side is PyMongo's asynchronous client doing the same in the same event loop. Each sample is
one `run_until_complete`, so the loop's own work is in both sides. Making a pydantic model validates
it, so constructing and validating are one thing here, and making the models is part of the bulk
lane. Fields are attributes only.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

from beanie import Document, PydanticObjectId, init_beanie
from pydantic import BaseModel, Field
from pymongo import AsyncMongoClient

from benchmarks import raw as sync_raw
from benchmarks.lanes import CALLS, QUERIES
from benchmarks.raw import DATABASE, DEFAULT_TAGS, given, now
from benchmarks.samples import READ_COUNT, identifier, nested_content
from benchmarks.tasks import repeating

DISTRIBUTIONS = ("beanie", "pydantic", "pymongo")

LOOP = asyncio.new_event_loop()


class Flat(Document):
    name: str
    email: str
    age: int
    score: float
    created: datetime

    class Settings:
        name = "flat"


class Geo(BaseModel):
    lat: float
    lon: float


class Address(BaseModel):
    street: str
    city: str
    zip: str
    geo: Geo


class Order(BaseModel):
    sku: str
    quantity: int
    price: float


class Nested(Document):
    name: str
    email: str
    age: int
    score: float
    active: bool = True
    created: datetime = Field(default_factory=now)
    updated: datetime
    team: PydanticObjectId
    tags: list[str] = Field(default_factory=lambda: list(DEFAULT_TAGS))
    address: Address
    orders: list[Order]
    notes: str

    class Settings:
        name = "nested"


def in_loop(work):
    """Return a sample's task that runs a coroutine function to its end."""
    return lambda: LOOP.run_until_complete(work())


def reading(find):
    async def work():
        async for _ in find():
            pass

    return lambda: in_loop(work)


def listing(find):
    async def work():
        return [document async for document in find()]

    return lambda: in_loop(work)


def raw_lanes(uri):
    """Return the asynchronous raw driver's task for each lane."""
    client = AsyncMongoClient(uri)
    database = client[DATABASE]
    collection = database["nested"]

    async def touch():
        async for document in collection.find():
            document["name"]
            document["email"]
            document["age"]
            document["address"]["city"]

    async def find_one():
        for _ in range(QUERIES):
            await collection.find_one({"_id": identifier(0)})

    def insert_one():
        contents = [given(number) for number in range(QUERIES)]

        async def work():
            for content in contents:
                await collection.insert_one(
                    {**content, "active": True, "tags": list(DEFAULT_TAGS), "created": now()}
                )

        return in_loop(work)

    def bulk():
        documents = [nested_content(number) for number in range(READ_COUNT)]

        async def work():
            await collection.insert_many(documents)

        return in_loop(work)

    async def save():
        document = await collection.find_one({"_id": identifier(0)})
        for number in range(QUERIES):
            document["age"] = number
            await collection.replace_one({"_id": document["_id"]}, document, upsert=True)

    encoding = sync_raw.lanes(uri)
    return {
        "read_flat": reading(database["flat"].find),
        "read_nested": reading(collection.find),
        "touch_dot": lambda: in_loop(touch),
        "find_one": lambda: in_loop(find_one),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: in_loop(save),
        "validate": encoding["validate"],
        "construct": encoding["construct"],
        "memory": listing(collection.find),
        "memory_peak": listing(collection.find),
    }


def lanes(uri):
    """Return Beanie's task for each lane that it has a door for."""
    client = AsyncMongoClient(uri)
    LOOP.run_until_complete(init_beanie(database=client[DATABASE], document_models=[Flat, Nested]))
    stored = LOOP.run_until_complete(Nested.get(identifier(0)))

    async def touch():
        async for document in Nested.find():
            document.name  # noqa: B018
            document.email  # noqa: B018
            document.age  # noqa: B018
            document.address.city  # noqa: B018

    async def find_one():
        for _ in range(QUERIES):
            await Nested.get(identifier(0))

    def insert_one():
        contents = [given(number) for number in range(QUERIES)]

        async def work():
            for content in contents:
                await Nested(**content).insert()

        return in_loop(work)

    def bulk():
        contents = [nested_content(number) for number in range(READ_COUNT)]

        async def work():
            await Nested.insert_many([Nested(**content) for content in contents])

        return in_loop(work)

    async def save():
        for number in range(QUERIES):
            stored.age = number
            await stored.replace()

    content = nested_content(0)
    return {
        "read_flat": reading(Flat.find),
        "read_nested": reading(Nested.find),
        "touch_dot": lambda: in_loop(touch),
        "find_one": lambda: in_loop(find_one),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: in_loop(save),
        "validate": repeating(CALLS, partial(Nested.model_validate, content)),
        "construct": repeating(CALLS, partial(Nested, **content)),
        "memory": listing(Nested.find),
        "memory_peak": listing(Nested.find),
    }
