"""PyMongo 2's calls for cursors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor

from mongokit import _driver
from mongokit.legacy._warnings import warn, warn_call

Document = dict[str, Any]
D = TypeVar("D", bound=Mapping[str, Any])


class LegacyCursor(Cursor[D]):
    """PyMongo 2's calls for a cursor."""

    def count(self, with_limit_and_skip: bool = False) -> int:
        """Count the documents that the query matches.

        Legacy: use `collection.count_documents(filter)`.

        Args:
            with_limit_and_skip: Count only what this cursor's `skip` and `limit` leave.

        Returns:
            The number of documents.

        Raises:
            pymongo.errors.OperationFailure: The server refuses the filter in a count.

        Example:
            >>> collection.find({"_id": {"$gt": 1}}).count()
            2
        """
        warn_call("Cursor.count", "collection.count_documents(filter)")
        return _driver.count(self, with_limit_and_skip)


class AggregateCursor(CommandCursor[Document]):
    """PyMongo's cursor over an aggregation, which also answers as PyMongo 2's reply did.

    Example:
        >>> found = collection.aggregate([{"$match": {"_id": 1}}])
        >>> found["result"]
        [{'_id': 1, 'a': 1}]
        >>> found["ok"]
        1.0
    """

    _result: list[Document] | None = None

    def __getitem__(self, key: str) -> Any:
        """Return what PyMongo 2's reply had under this key.

        Args:
            key: `"result"`: the documents that have not been read yet, all at once and as often
                as it is asked for; `"ok"`: 1.0.

        Raises:
            KeyError: Any other key.
            pymongo.errors.PyMongoError: The driver's error.
        """
        warn(f"aggregate()[{key!r}] is PyMongo 2's: iterate over the cursor")
        if key == "ok":
            return 1.0
        if key != "result":
            raise KeyError(key)
        if self._result is None:
            self._result = list(self)
        return self._result
