"""Loops that the raw driver and the mappers share, so that only what they call differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.lanes import Prepare

Find = Callable[[], Iterable[Any]]


def reading(find: Find) -> Prepare:
    """Return a task that iterates a query and does nothing with its documents.

    Args:
        find: Makes a new cursor over the whole collection.
    """

    def task() -> None:
        for _ in find():
            pass

    return lambda: task


def touching_by_key(find: Find) -> Prepare:
    """Return a task that reads four fields of each document by key, one of them nested."""

    def task() -> None:
        for document in find():
            document["name"]
            document["email"]
            document["age"]
            document["address"]["city"]

    return lambda: task


def touching_by_dot(find: Find) -> Prepare:
    """Return a task that reads the same four fields as attributes."""

    def task() -> None:
        for document in find():
            document.name  # noqa: B018
            document.email  # noqa: B018
            document.age  # noqa: B018
            document.address.city  # noqa: B018

    return lambda: task


def listing(find: Find) -> Prepare:
    """Return a task whose result is the list of all documents."""
    return lambda: lambda: list(find())


def repeating(times: int, action: Callable[[], object]) -> Prepare:
    """Return a task that calls the same thing again and again.

    Args:
        times: How often.
        action: Best a bound method or a partial, so that no Python frame is added to what it costs.
    """

    def task() -> None:
        for _ in range(times):
            action()

    return lambda: task


def each(items: Iterable[Any], action: Callable[[Any], object]) -> Prepare:
    """Return a task that calls a function with each of some things that are there already."""
    ready = list(items)

    def task() -> None:
        for item in ready:
            action(item)

    return lambda: task
