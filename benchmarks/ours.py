"""Our mapper's side of every lane."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.documents import Flat, FlatDot, Nested, NestedAnnotated, NestedDot, sized
from benchmarks.lanes import CALLS, QUERIES, Prepare, Task
from benchmarks.raw import DATABASE, given
from benchmarks.samples import READ_COUNT, STOCK, identifier, nested_content
from benchmarks.tasks import each, listing, reading, repeating, touching_by_dot, touching_by_key
from mongokit import Connection

DISTRIBUTIONS = ("mongokit", "pymongo")


def lanes(uri: str) -> Mapping[str, Prepare]:
    """Return our task for every lane.

    Args:
        uri: The canned server's address.

    Example:
        >>> lanes("mongodb://127.0.0.1:27017/")["find_one"]()()
    """
    connection: Any = Connection(uri)
    connection.register([Flat, FlatDot, Nested, NestedDot, NestedAnnotated])
    database = connection[DATABASE]
    flat, flat_dot = database["flat"].Flat, database["flat"].FlatDot
    person, person_dot = database["nested"].Nested, database["nested"].NestedDot
    annotated = database["nested"].NestedAnnotated
    tasks: dict[str, Prepare] = {
        "read_flat": reading(flat.find),
        "read_flat_dot": reading(flat_dot.find),
        "read_nested_dot": reading(person_dot.find),
        **_of_nested(person),
        "touch_dot": touching_by_dot(person_dot.find),
        "memory": listing(person.find),
        "memory_peak": listing(person.find),
        **{f"{name}_annotated": task for name, task in _of_nested(annotated).items()},
        "touch_dot_annotated": touching_by_dot(annotated.find),
    }
    for name in STOCK:
        if "_" in name:
            document_class = sized(name)
            connection.register(document_class)
            manager = getattr(database[name], document_class.__name__)
            tasks[f"read_{name}"] = reading(manager.find)
            tasks[f"validate_{name}"] = partial(_validating, manager.find)
    return tasks


def _of_nested(person: Any) -> dict[str, Prepare]:
    """Return the lanes of a class of the nested document that don't depend on how it is declared.

    Args:
        person: Its manager.
    """
    stored = person.find_one({"_id": identifier(0)})

    def insert_one() -> Task:
        contents = [given(number) for number in range(QUERIES)]

        def task() -> None:
            for content in contents:
                document = person()
                document.update(content)
                document.save()

        return task

    def bulk() -> Task:
        documents = [nested_content(number) for number in range(READ_COUNT)]
        return lambda: person.insert_many(documents)

    def save() -> None:
        for number in range(QUERIES):
            stored["age"] = number
            stored.save()

    return {
        "read_nested": reading(person.find),
        "touch_key": touching_by_key(person.find),
        "find_one": repeating(QUERIES, partial(person.find_one, {"_id": identifier(0)})),
        "insert_one": insert_one,
        "bulk": bulk,
        "save": lambda: save,
        "validate": repeating(CALLS, stored.validate),
        "construct": repeating(CALLS, partial(person, nested_content(0))),
    }


def _validating(find: Any) -> Task:
    """Return a task that validates each of a query's documents."""
    return each(find(), lambda document: document.validate())()
