"""How the last write of each thread ended, as `db.last_status()` tells."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymongo.errors import OperationFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo import MongoClient
    from pymongo.collection import Collection


def statuses_of(client: MongoClient[Any]) -> threading.local:
    """Return the place where each thread of a client keeps its last status.

    Args:
        client: The client.

    Example:
        >>> collection.remove({"a": 1})
        {'n': 3, 'ok': 1.0}
        >>> statuses_of(connection).last
        {'n': 3, 'ok': 1.0, 'err': None}
    """
    statuses: threading.local = vars(client).setdefault("_legacy_statuses", threading.local())
    return statuses


@contextmanager
def last_status_of(collection: Collection[Any]) -> Iterator[dict[str, Any]]:
    """Record how a legacy write ends, for this thread's `last_status()`.

    Args:
        collection: What is written to.

    Yields:
        The status of a write that did nothing; the block puts its result there.

    Raises:
        pymongo.errors.OperationFailure: The block's own; its text is in the status then.

    Example:
        >>> with last_status_of(collection) as status:
        ...     status["n"] = collection.delete_many({}).deleted_count
    """
    status: dict[str, Any] = {"n": 0, "ok": 1.0, "err": None}
    try:
        yield status
    except OperationFailure as error:
        status |= {"err": str(error), "code": error.code}
        raise
    finally:
        statuses_of(collection.database.client).last = status
