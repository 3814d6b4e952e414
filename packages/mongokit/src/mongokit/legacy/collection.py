"""PyMongo 2's calls for collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson.code import Code

from mongokit.legacy._warnings import warn, warn_call
from mongokit.legacy.cursor import AggregateCursor
from mongokit.legacy.options import refuse_both
from mongokit.legacy.writes import LegacyWrites

Document = dict[str, Any]


class LegacyCollection(LegacyWrites):
    """PyMongo 2's calls for a collection."""

    def count(self, filter: Mapping[str, Any] | None = None, **options: Any) -> int:
        """Count the documents, exactly.

        Legacy: use `count_documents`, or `estimated_document_count` where an estimate will do.

        Args:
            filter: Which documents; None for all.
            **options: `count_documents`'s.

        Returns:
            The number of documents.

        Raises:
            pymongo.errors.PyMongoError: What `count_documents` raises.

        Example:
            >>> collection.count()
            3
        """
        warn_call("count", "count_documents() or estimated_document_count()")
        return self.count_documents({} if filter is None else filter, **options)

    def find_one(self, filter: Any = None, *args: Any, **kwargs: Any) -> Document | None:
        """Return the first document that matches, or None: PyMongo's own, also with `spec_or_id`.

        Args:
            filter: A filter, or an `_id`.
            *args: As for `find`.
            **kwargs: As for `find`; `spec_or_id` is PyMongo 2's name for `filter`.

        Raises:
            TypeError: `filter` is given by both names.
            pymongo.errors.PyMongoError: What `find` raises.

        Example:
            >>> collection.find_one(spec_or_id=1)
            {'_id': 1, 'a': 1}
        """
        if "spec_or_id" in kwargs:
            refuse_both("spec_or_id", "filter", filter is not None)
            warn("find_one() was called with an argument of PyMongo 2: spec_or_id")
            return super().find_one(kwargs.pop("spec_or_id"), *args, **kwargs)
        return super().find_one(filter, *args, **kwargs)

    def create_index(
        self, keys: Any = None, session: Any = None, comment: Any = None, **options: Any
    ) -> str:
        """Create an index: PyMongo's own, also with the options of PyMongo 2.

        Args:
            keys: A field, or a list of fields or of pairs of field and direction.
            session: Run in this session.
            comment: A comment for the command.
            **options: The index's; `key_or_list` is PyMongo 2's name for `keys`; `ttl` and
                `cache_for` (its index cache) and `drop_dups` and `dropDups` (gone from the
                server) are left out.

        Returns:
            The index's name.

        Raises:
            TypeError: `keys` is given by both names.
            pymongo.errors.OperationFailure: The server refuses the index.

        Example:
            >>> collection.create_index([("name", 1)], ttl=300)
            'name_1'
        """
        old = options.keys() & {"key_or_list", "ttl", "cache_for", "drop_dups", "dropDups"}
        if old:
            used = ", ".join(sorted(old))
            warn(f"create_index() was called with arguments of PyMongo 2: {used}")
            if "key_or_list" in old:
                refuse_both("key_or_list", "keys", keys is not None)
                keys = options["key_or_list"]
            options = {name: value for name, value in options.items() if name not in old}
        return super().create_index(keys, session, comment, **options)

    def ensure_index(self, key_or_list: Any, cache_for: int = 300, **options: Any) -> str:
        """Create an index if it is not there.

        Legacy: use `create_index`, which leaves an index alone that is there.

        Args:
            key_or_list: A field, or a list of pairs of field and direction.
            cache_for: Without effect: the driver keeps no cache of indexes any more.
            **options: As for `create_index`.

        Returns:
            The index's name.

        Raises:
            pymongo.errors.OperationFailure: The server refuses the index.

        Example:
            >>> collection.ensure_index([("name", 1)], unique=True, sparse=True)
            'name_1'
        """
        del cache_for
        warn_call("ensure_index", "create_index()")
        return self.create_index(key_or_list, **options)

    def aggregate(self, pipeline: Any, *args: Any, **kwargs: Any) -> AggregateCursor:
        """Run an aggregation: PyMongo's own, also with stages as PyMongo 2 took them.

        Args:
            pipeline: The list of stages; or one stage, with further ones as `*args`.
            *args: After a list, PyMongo's `session`, `let` and `comment`.
            **kwargs: PyMongo's.

        Returns:
            PyMongo's cursor, which also answers `["result"]` and `["ok"]`.

        Raises:
            TypeError: A stage is no dict.
            pymongo.errors.PyMongoError: What PyMongo's `aggregate` raises.

        Example:
            >>> list(collection.aggregate({"$match": {"a": 1}}, {"$limit": 1}))
            [{'_id': 1, 'a': 1}]
        """
        if isinstance(pipeline, Mapping):
            warn("aggregate() takes a list of stages since PyMongo 3")
            if not all(isinstance(stage, Mapping) for stage in args):
                raise TypeError("aggregate() takes stages, each a dict, or a list of them")
            pipeline, args = [pipeline, *args], ()
        cursor: Any = super().aggregate(pipeline, *args, **kwargs)
        # PyMongo makes the cursor itself: this keeps its state and adds `__getitem__`.
        cursor.__class__ = AggregateCursor
        aggregated: AggregateCursor = cursor
        return aggregated

    def group(
        self,
        key: Any,
        condition: Mapping[str, Any],
        initial: Mapping[str, Any],
        reduce: str,
        finalize: str | None = None,
        **options: Any,
    ) -> Any:
        """Run the `group` command, which servers since MongoDB 4.2 refuse.

        Legacy: use `aggregate` with `$group`.

        Args:
            key: Field names, a JavaScript function that makes the key, or None.
            condition: The filter.
            initial: The value that each group starts with.
            reduce: A JavaScript function.
            finalize: A JavaScript function for each result.
            **options: The command's.

        Returns:
            The groups.

        Raises:
            pymongo.errors.OperationFailure: The server has no such command.

        Example:
            >>> collection.group(["a"], {}, {"n": 0}, "function(doc, out) { out.n++ }")
            Traceback (most recent call last):
            pymongo.errors.OperationFailure: ...
            >>> list(collection.aggregate([{"$group": {"_id": "$a", "n": {"$sum": 1}}}]))
            [{'_id': 1, 'n': 3}]
        """
        warn_call("group", "aggregate([{'$group': ...}])")
        group: dict[str, Any] = {"ns": self.name, "$reduce": _code(reduce), "cond": condition}
        group["initial"] = initial
        if isinstance(key, str):
            group["$keyf"] = _code(key)
        elif key is not None:
            group["key"] = dict.fromkeys(key, 1)
        if finalize is not None:
            group["finalize"] = _code(finalize)
        return self._run({"group": group}, options)["retval"]

    def map_reduce(
        self,
        map: str,
        reduce: str,
        out: str | Mapping[str, Any],
        full_response: bool = False,
        **options: Any,
    ) -> Any:
        """Run the `mapReduce` command, which servers refuse where JavaScript is off.

        Legacy: use `aggregate`.

        Args:
            map: A JavaScript function.
            reduce: A JavaScript function.
            out: The collection for the result, or how to put it there.
            full_response: Return the server's whole reply.
            **options: The command's, such as `query`, `sort` and `finalize`.

        Returns:
            The collection with the result, or the reply.

        Raises:
            TypeError: `out` is neither a name nor a dict.
            pymongo.errors.OperationFailure: The server refuses the command.

        Example:
            >>> count, add = "function() { emit(this.a, 1) }", "(key, values) => Array.sum(values)"
            >>> collection.map_reduce(count, add, "totals").name
            'totals'
        """
        warn_call("map_reduce", "aggregate()")
        if not isinstance(out, (str, Mapping)):
            raise TypeError(f"out must be a name or a dict, not {type(out).__name__}")
        command = {"mapReduce": self.name, "map": _code(map), "reduce": _code(reduce), "out": out}
        response = self._run(command, options)
        result = response.get("result")
        if full_response or not result:
            return response
        if isinstance(result, Mapping):
            return self.database.client[result["db"]][result["collection"]]
        return self.database[result]

    def inline_map_reduce(
        self, map: str, reduce: str, full_response: bool = False, **options: Any
    ) -> Any:
        """Run the `mapReduce` command and return its result.

        Legacy: use `aggregate`.

        Args:
            map: A JavaScript function.
            reduce: A JavaScript function.
            full_response: Return the server's whole reply.
            **options: The command's.

        Returns:
            The list of results, or the reply.

        Raises:
            pymongo.errors.OperationFailure: The server refuses the command.

        Example:
            >>> count, add = "function() { emit(this.a, 1) }", "(key, values) => Array.sum(values)"
            >>> collection.inline_map_reduce(count, add)[0]["value"]
            3.0
        """
        warn_call("inline_map_reduce", "aggregate()")
        command = {"mapReduce": self.name, "map": _code(map), "reduce": _code(reduce)}
        response = self._run({**command, "out": {"inline": 1}}, options)
        return response if full_response else response.get("results")

    def _run(self, command: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        session = options.pop("session", None)
        return self.database.command(
            {**command, **options}, codec_options=self.codec_options, session=session
        )


def _code(function: str) -> Code:
    return function if isinstance(function, Code) else Code(function)
