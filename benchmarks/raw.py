"""The raw driver's side of every lane: PyMongo, plain dicts, nothing of ours.

Runs on PyMongo 3.13 too, against which the old API's port is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import bson
import pymongo

from benchmarks.lanes import ANNOTATED, CALLS, QUERIES, Prepare, Task
from benchmarks.samples import READ_COUNT, STOCK, Plain, identifier, nested, nested_content
from benchmarks.tasks import each, listing, reading, repeating, touching_by_key

DATABASE = "bench"
DEFAULT_TAGS = ["new", "unread"]
DEFAULTED = ("active", "tags", "created")


def now() -> datetime:
    """Return the time now as a naive UTC datetime, which is the form that PyMongo reads back."""
    return datetime.now(UTC).replace(tzinfo=None)


def given(number: int) -> Plain:
    """Return the nine fields that a caller gives when the other three are defaults."""
    content = nested_content(number)
    return {name: value for name, value in content.items() if name not in DEFAULTED}


def lanes(uri: str) -> Mapping[str, Prepare]:
    """Return the raw driver's task for every lane.

    Args:
        uri: The canned server's address.

    Example:
        >>> lanes("mongodb://127.0.0.1:27017/")["find_one"]()()
    """
    client: Any = pymongo.MongoClient(uri)
    database = client[DATABASE]
    collection = database["nested"]
    stored = collection.find_one({"_id": identifier(0)})

    def insert_one() -> Task:
        contents = [given(number) for number in range(QUERIES)]

        def task() -> None:
            for content in contents:
                collection.insert_one(
                    {**content, "active": True, "tags": list(DEFAULT_TAGS), "created": now()}
                )

        return task

    def bulk() -> Task:
        documents = [nested_content(number) for number in range(READ_COUNT)]
        return lambda: collection.insert_many(documents)

    def save() -> None:
        for number in range(QUERIES):
            stored["age"] = number
            collection.replace_one({"_id": stored["_id"]}, stored, upsert=True)

    tasks: dict[str, Prepare] = {
        "read_flat": reading(database["flat"].find),
        "read_nested": reading(collection.find),
        "read_flat_dot": reading(database["flat"].find),
        "read_nested_dot": reading(collection.find),
        "touch_key": touching_by_key(collection.find),
        "touch_dot": touching_by_key(collection.find),
        "find_one": repeating(QUERIES, partial(collection.find_one, {"_id": identifier(0)})),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: save,
        "validate": repeating(CALLS, partial(_encode, nested(0))),
        "construct": repeating(CALLS, partial(_encode, nested_content(0))),
        "memory": listing(collection.find),
        "memory_peak": listing(collection.find),
    }
    tasks |= {lane.name: tasks[lane.name.removesuffix("_annotated")] for lane in ANNOTATED}
    for name, stock in STOCK.items():
        if "_" in name:
            tasks[f"read_{name}"] = reading(database[name].find)
            tasks[f"validate_{name}"] = each(map(stock.make, range(stock.count)), _encode)
    return tasks


# PyMongo 3.13 had `bson.encode` already; the name is bound once so that no lookup is timed.
_encode = bson.encode
