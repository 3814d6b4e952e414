"""Makes each call of PyMongo 2 once, and writes which of them raised a warning, as JSON.

Run with the server's address and the database's name, and with deprecations as errors.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from mongokit import Connection, Document
from mongokit.legacy import LegacyWarning

if TYPE_CHECKING:
    from collections.abc import Callable


class User(Document):
    structure = {"a": int}


uri, name = sys.argv[1:]
connection = Connection(uri)
connection.register(User)
db = connection[name]
things = db["things"]

CALLS: dict[str, Callable[[], Any]] = {
    "insert": lambda: things.insert({"a": 1}),
    "save": lambda: things.save({"a": 1}),
    "update": lambda: things.update({"a": 1}, {"a": 2}),
    "remove": lambda: things.remove({"a": 1}),
    "find_and_modify": lambda: things.find_and_modify({"a": 1}, {"$set": {"a": 2}}),
    "count": things.count,
    "ensure_index": lambda: things.ensure_index("a"),
    "group": lambda: things.group(["a"], {}, {}, ""),
    "map_reduce": lambda: things.map_reduce("", "", "out"),
    "inline_map_reduce": lambda: things.inline_map_reduce("", ""),
    "create_index with ttl": lambda: things.create_index("a", ttl=300),
    "find_one with spec_or_id": lambda: things.find_one(spec_or_id=1),
    "find with fields": lambda: things.find(fields=["a"]),
    "find of a manager with spec": lambda: things.documents(User).find(spec={}),
    "aggregate with one stage": lambda: things.aggregate({"$match": {}}),
    "aggregate answering as a dict": lambda: things.aggregate([])["result"],
    "cursor.count": lambda: things.find().count(),
    "collection_names": db.collection_names,
    "last_status": db.last_status,
    "add_user": lambda: db.add_user("a", "b"),
    "remove_user": lambda: db.remove_user("a"),
    "database_names": connection.database_names,
    "disconnect": connection.disconnect,
    "Connection with safe": lambda: Connection(uri, safe=True),
    "Connection with slave_okay": lambda: Connection(uri, slave_okay=True),
    "Connection with max_pool_size": lambda: Connection(uri, max_pool_size=1),
    "Connection with network_timeout": lambda: Connection(uri, network_timeout=1),
    "Connection with auto_start_request": lambda: Connection(uri, auto_start_request=True),
}


def outcome(call: Callable[[], Any]) -> str:
    """How a call ended."""
    try:
        call()
    except LegacyWarning:
        return "LegacyWarning"
    except DeprecationWarning:
        return "DeprecationWarning"
    return "nothing was raised"


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: outcome(call) for name, call in CALLS.items()}))
    connection.close()
