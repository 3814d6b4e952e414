"""One at a time, across all processes and nodes: a lock that lives in the database.

For the few rules that no unique index and no single document can keep, such as "one admin is
always left". A lock is a document in `locks`. It runs out by the server's clock, so that what died
with it blocks nobody for long, and whoever holds it has less time than that for its database work:
PyMongo sends no command after the deadline. A lost holder can therefore not write after the next
one has begun.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import pymongo
from pymongo.errors import DuplicateKeyError, PyMongoError

from app.core.db import db
from app.core.errors import DomainError
from mongokit import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

WORK = 5.0  # seconds of database work under a lock
LEASE = 15.0  # seconds after which it runs out: three times that, for what was sent last
WAIT = 4.0  # seconds to wait for others
_PAUSE = 0.02
# Milliseconds by the server's clock: the embedded engine compares no dates with `$$NOW`.
_NOW = {"$toLong": "$$NOW"}


class Busy(DomainError):
    """Others hold the lock for too long."""

    title = "Others are changing the same just now. Try again in a moment."


@db.register
class Lock(Document):
    """A lock that somebody holds, or held; `_id` is its name."""

    __collection__ = "locks"
    structure = {"_id": str, "holder": str, "until": int}


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        name: What it is about.

    Raises:
        Busy: Others held it for `WAIT` seconds.
        pymongo.errors.PyMongoError: The database failed, or the block took longer than `WORK`.

    Example:
        >>> with lock("admins"):
        ...     remove_unless_last(ada)
    """
    holder = uuid4().hex
    deadline = time.monotonic() + WAIT
    while not _taken(name, holder):
        if time.monotonic() > deadline:
            raise Busy
        time.sleep(_PAUSE)
    try:
        with pymongo.timeout(WORK):
            yield
    finally:
        with suppress(PyMongoError):  # it runs out by itself
            db["locks"].delete_one({"_id": name, "holder": holder})


def _taken(name: str, holder: str) -> bool:
    locks = db["locks"]
    is_free = {"$lt": [{"$ifNull": ["$until", 0]}, _NOW]}
    until = {"$add": [_NOW, int(LEASE * 1000)]}
    taken = {
        "holder": {"$cond": [is_free, holder, "$holder"]},
        "until": {"$cond": [is_free, until, "$until"]},
    }
    try:
        locks.update_one({"_id": name}, [{"$set": taken}], upsert=True)
    except DuplicateKeyError:  # two made it at once
        return False
    return locks.find_one({"_id": name, "holder": holder}, ["_id"]) is not None
