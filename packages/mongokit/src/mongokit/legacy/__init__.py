"""The calls and spellings of PyMongo 2, over PyMongo 4.

Applications that were written for MongoKit call `insert`, `save`, `update`, `remove`, `count` and
their like on collections. The mixins here give those calls back, each as a few lines over its
successor; the functions translate options that were renamed. Every use gives a
`LegacyWarning` (a `DeprecationWarning` for client options) that points at the caller.
PyMongo 4's own calls keep PyMongo 4's behaviour, and the mapper itself never calls these.
"""

from __future__ import annotations

from mongokit.legacy._warnings import LegacyWarning, warn
from mongokit.legacy.collection import LegacyCollection
from mongokit.legacy.cursor import AggregateCursor, LegacyCursor
from mongokit.legacy.database import LegacyClient, LegacyDatabase
from mongokit.legacy.options import (
    translate_client_options,
    translate_find,
    with_find_options,
    write_concern_from,
)

__all__ = [
    "AggregateCursor",
    "LegacyClient",
    "LegacyCollection",
    "LegacyCursor",
    "LegacyDatabase",
    "LegacyWarning",
    "translate_client_options",
    "translate_find",
    "warn",
    "with_find_options",
    "write_concern_from",
]
