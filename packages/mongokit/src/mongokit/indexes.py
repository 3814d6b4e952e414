"""Indexes: what a class declares, what the server has, and the plan between the two.

Nothing here runs by itself: indexes are created by `generate_index` or by a plan's `apply`.

Example:
    >>> class Place(Document):
    ...     structure = {"name": str, "city": str, "at": [float], "text": str, "code": str}
    ...     indexes = [
    ...         {"fields": "code", "unique": True},
    ...         {"fields": [("city", INDEX_ASCENDING), ("name", INDEX_DESCENDING)]},
    ...         {"fields": ("at", INDEX_GEOSPHERE)},
    ...         {"fields": ("text", INDEX_TEXT)},
    ...         {"fields": ("name", INDEX_HASHED)},
    ...     ]
    >>> [index.name for index in declared_indexes(Place)]
    ['code_1', 'city_1_name_-1', 'at_2dsphere', 'text_text', 'name_hashed']
    >>> INDEX_ALL, INDEX_GEO2D, INDEX_GEOHAYSTACK, INDEX_OFF  # the other directions
    (2, '2d', 'geoHaystack', 0)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo import IndexModel
from pymongo.collection import Collection

from mongokit.errors import BadIndexError
from mongokit.legacy import warn
from mongokit.schema import ALWAYS_KNOWN, Node
from mongokit.stored import Stored, places

__all__ = [
    "INDEX_ALL",
    "INDEX_ASCENDING",
    "INDEX_DESCENDING",
    "INDEX_GEO2D",
    "INDEX_GEOHAYSTACK",
    "INDEX_GEOSPHERE",
    "INDEX_HASHED",
    "INDEX_OFF",
    "INDEX_TEXT",
    "Index",
    "IndexDifference",
    "IndexPlan",
    "check_indexes",
    "declared_indexes",
    "plan",
]

INDEX_ASCENDING: Final = 1
INDEX_DESCENDING: Final = -1
INDEX_OFF: Final = 0
INDEX_ALL: Final = 2
INDEX_GEO2D: Final = "2d"
INDEX_GEOHAYSTACK: Final = "geoHaystack"
INDEX_GEOSPHERE: Final = "2dsphere"
INDEX_HASHED: Final = "hashed"
INDEX_TEXT: Final = "text"

_DIRECTIONS: Final = (
    *(INDEX_ASCENDING, INDEX_DESCENDING, INDEX_OFF, INDEX_ALL),
    *(INDEX_GEO2D, INDEX_GEOHAYSTACK, INDEX_GEOSPHERE, INDEX_HASHED, INDEX_TEXT),
)
# What has no meaning any more, with what to do about it.
_GONE: Final = {
    "ttl": "for documents that expire use expireAfterSeconds",
    "cache_for": "the driver keeps no cache of indexes any more",
    "drop_dups": "remove duplicates before making a unique index",
    "dropDups": "remove duplicates before making a unique index",
}
# How a creation runs, not what the index is: the server does not keep them.
_NOT_STORED: Final = frozenset({"background", "comment", "commitQuorum", "maxTimeMS", "session"})
# What changes the results of an index, so that it counts even where it is not declared.
_FLAGS: Final = ("unique", "sparse", "hidden")
_TELLING: Final = (*_FLAGS, "expireAfterSeconds", "partialFilterExpression")

_ID_KEYS: Final = (("_id", INDEX_ASCENDING),)

Keys = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Index:
    """One index, declared by a class or stored by the server; `str()` is its name.

    Attributes:
        name: The given name, or MongoDB's: fields and directions joined by `_`.
        keys: Field and direction, in order.
        options: Everything else, such as `unique`.

    Example:
        >>> str(Index("email_1", (("email", 1),), {"unique": True}))
        'email_1'
    """

    name: str
    keys: Keys
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class IndexDifference:
    """An index that the server has otherwise than declared; `str()` is its name.

    Attributes:
        declared: As the class wants it.
        stored: As the server has it.
        changes: What differs: option to the declared and the stored value, None for unset.

    Example:
        >>> declared = Index("email_1", (("email", 1),), {"unique": True})
        >>> stored = Index("email_1", (("email", 1),))
        >>> IndexDifference(declared, stored, {"unique": (True, None)}).explain()
        'email_1: unique is declared True, stored None'
    """

    declared: Index
    stored: Index
    changes: Mapping[str, tuple[Any, Any]] = field(hash=False)

    @property
    def name(self) -> str:
        """The declared name."""
        return self.declared.name

    def explain(self) -> str:
        """Return the difference as one line."""
        changes = "; ".join(
            f"{option} is declared {declared!r}, stored {stored!r}"
            for option, (declared, stored) in self.changes.items()
        )
        return f"{self.name}: {changes}"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class IndexPlan:
    """The declared indexes of a class beside those of a collection; `str()` shows all of it.

    Attributes:
        collection: The collection.
        present: Declared, and on the server as declared.
        missing: Declared, but not on the server.
        different: Declared, but otherwise on the server.
        unknown: On the server, but not declared; the one on `_id` is never listed. Where several
            classes share the collection, the other classes' indexes are here.

    Example:
        >>> found = plan(User, db.users)
        >>> [index.name for index in found.missing]
        ['email_1']
        >>> found.apply()
        ['email_1']
    """

    collection: Collection[Any]
    present: tuple[Index, ...]
    missing: tuple[Index, ...]
    different: tuple[IndexDifference, ...]
    unknown: tuple[Index, ...]

    def apply(self, *, replace: bool = False, drop: bool = False) -> list[str]:
        """Create what is missing.

        Args:
            replace: Whether to drop what is different and create it as declared. In between
                queries go without it, and a unique index does not hold.
            drop: Whether to drop what is unknown.

        Returns:
            The names of the indexes that were created.

        Raises:
            pymongo.errors.DuplicateKeyError: Stored documents break a unique index.
            pymongo.errors.OperationFailure: The server refuses an index.

        Example:
            >>> plan(User, db.users).apply(replace=True)
            ['email_1']
        """
        for difference in self.different if replace else ():
            self.collection.drop_index(difference.stored.name)
        replaced = [difference.declared for difference in self.different] if replace else []
        created = create(self.collection, [*replaced, *self.missing])
        for index in self.unknown if drop else ():
            self.collection.drop_index(index.name)
        return created

    def __str__(self) -> str:
        lines = [f"{self.collection.name}:"]
        for state in ("present", "missing", "unknown"):
            lines += [f"  {state:9}  {described(index)}" for index in getattr(self, state)]
        lines += [f"  different  {difference.explain()}" for difference in self.different]
        return "\n".join(lines) if len(lines) > 1 else f"{self.collection.name}: no indexes"


def check_indexes(document_class: Any, tree: Node | None) -> None:
    """Check what a class declares in `indexes`; its metaclass calls this.

    Args:
        document_class: The class.
        tree: Its schema tree, None for a class without structure.

    Raises:
        BadIndexError: An entry is malformed.
        ValueError: A field is not in the structure, and the entry has no `check: False`.
    """
    inherited = [
        entry for base in document_class.__bases__ for entry in getattr(base, "indexes", None) or ()
    ]
    for entry in document_class.indexes or ():
        index = _parse(entry)
        if entry not in inherited:
            _warn_of_gone(document_class, entry)
        if tree is None or not entry.get("check", True):
            continue
        for name, _ in index.keys:
            if not _is_known(name, tree, document_class):
                raise ValueError(f"Error in indexes: can't find {name} in structure")


def declared_indexes(document_class: Any) -> list[Index]:
    """Return what a class declares in `indexes`, the class's own first, then base by base.

    Args:
        document_class: A `Document` class, or a manager.

    Raises:
        BadIndexError: `indexes` was changed after the class was made, and is malformed now.

    Example:
        >>> class User(Document):
        ...     structure = {"email": str}
        ...     indexes = [{"fields": "email", "unique": True}]
        >>> declared_indexes(User)
        [Index(name='email_1', keys=(('email', 1),), options={'unique': True})]
    """
    return [_parse(entry) for entry in document_class.indexes or ()]


def generate(document_class: Any, collection: Collection[Any]) -> list[str]:
    """Create the indexes that a class declares; `Document.generate_index` is this.

    Args:
        document_class: A `Document` class, or a manager.
        collection: Where to.

    Returns:
        Their names.

    Raises:
        See `Document.generate_index`.
    """
    if not isinstance(collection, Collection):
        raise TypeError(f"collection must be a collection, not {type(collection).__name__}")
    for entry in document_class.indexes or ():
        _warn_of_gone(document_class, entry)
    return create(collection, declared_indexes(document_class))


def create(collection: Collection[Any], indexes: Iterable[Index]) -> list[str]:
    """Create indexes, in order; one that is there already stays as it is.

    Args:
        collection: Where to.
        indexes: Which.

    Returns:
        Their names. The index on `_id` is left out: every collection has it.

    Raises:
        pymongo.errors.DuplicateKeyError: Stored documents break a unique index.
        pymongo.errors.OperationFailure: The server refuses an index.
    """
    return [
        collection.create_index(list(index.keys), **index.options)
        for index in indexes
        if index.keys != _ID_KEYS  # always there, under a name of its own
    ]


def plan(document_class: Any, collection: Collection[Any]) -> IndexPlan:
    """Compare the declared indexes with those that a collection has; nothing is changed.

    Args:
        document_class: A `Document` class, or a manager.
        collection: The collection; it need not exist yet.

    Raises:
        pymongo.errors.PyMongoError: The server can't list the indexes.

    Example:
        >>> print(plan(User, db.users))
        users:
          missing    email_1 (email 1, unique=True)
    """
    return compare(declared_indexes(document_class), collection)


def compare(declared: Sequence[Index], collection: Collection[Any]) -> IndexPlan:
    """Compare indexes with those that a collection has; nothing is changed.

    Args:
        declared: What is wanted.
        collection: The collection; it need not exist yet.

    Raises:
        pymongo.errors.PyMongoError: The server can't list the indexes.

    Example:
        >>> compare(declared_indexes(User), db.users) == plan(User, db.users)
        True
    """
    stored = {
        found["name"]: Index(
            found["name"],
            tuple(found["key"].items()),
            {name: value for name, value in found.items() if name not in {"name", "key", "v"}},
        )
        for found in collection.list_indexes()
    }
    names = {index.name for index in declared}
    free = {name: index for name, index in stored.items() if name not in names}
    present: list[Index] = []
    missing: list[Index] = []
    different: list[IndexDifference] = []
    for index in declared:
        match = stored.get(index.name) or _same_index(index, free.values())
        if match is None:
            missing.append(index)
            continue
        free.pop(match.name, None)
        changes = _changes(index, match)
        if changes:
            different.append(IndexDifference(index, match, changes))
        else:
            present.append(index)
    unknown = tuple(index for index in free.values() if index.name != "_id_")
    return IndexPlan(collection, tuple(present), tuple(missing), tuple(different), unknown)


# Reading one entry.


def _warn_of_gone(document_class: Any, entry: Any) -> None:
    for option in _GONE:
        if isinstance(entry, Mapping) and option in entry:
            warn(
                f"{document_class.__name__}: the index option {option} is ignored: {_GONE[option]}",
                DeprecationWarning,
            )


def _parse(entry: Any) -> Index:
    if not isinstance(entry, Mapping) or "fields" not in entry:
        raise BadIndexError("'fields' key must be specify in indexes")
    keys = tuple(_keys(entry["fields"]))
    options = {
        name: value
        for name, value in entry.items()
        if name not in {"fields", "check"} and name not in _GONE
    }
    name = options.get("name") or "_".join(f"{field}_{direction}" for field, direction in keys)
    return Index(name, keys, options)


def _keys(fields: Any) -> list[tuple[str, Any]]:
    if isinstance(fields, str):
        return [(fields, INDEX_ASCENDING)]
    if isinstance(fields, tuple):
        return [_pair(fields)]
    if not isinstance(fields, list) or not fields:
        raise _wrong_fields(fields)
    keys: list[tuple[str, Any]] = []
    for item in fields:
        if isinstance(item, str):
            keys.append((item, INDEX_ASCENDING))
        elif isinstance(item, tuple):
            keys.append(_pair(item))
        else:
            raise _wrong_fields(item)
    return keys


def _wrong_fields(found: Any) -> BadIndexError:
    return BadIndexError(
        f"fields must be a string, a tuple or a list of tuple (got {type(found)} instead)"
    )


def _pair(pair: Sequence[Any]) -> tuple[str, Any]:
    if len(pair) != 2:
        raise BadIndexError(
            "Error in indexes: a tuple must contain only two value : "
            "the field name and the direction"
        )
    name, direction = pair
    if not isinstance(name, str):
        raise BadIndexError(
            f"Error in {name}, the field name must be string (got {type(name)} instead)"
        )
    if not isinstance(direction, (int, str)) or isinstance(direction, bool):
        raise BadIndexError(
            f"Error in {name}, the direction must be int or basestring "
            f"(got {type(direction)} instead)"
        )
    if direction not in _DIRECTIONS:
        raise BadIndexError(
            "index direction must be INDEX_DESCENDING, INDEX_ASCENDING, INDEX_OFF, INDEX_ALL, "
            f"INDEX_GEO2D, INDEX_GEOHAYSTACK, or INDEX_GEOSPHERE. Got {direction}"
        )
    return name, direction


def _is_known(name: str, tree: Node, document_class: Any) -> bool:
    first = name.partition(".")[0]
    if first in ALWAYS_KNOWN or first == document_class.type_field:
        return True
    parts = name.split(".")
    if parts[-1] == "$**":  # a wildcard index: everything below
        parts.pop()
    return any(True for _ in places(Stored(tree), parts))


# Comparing.


def described(index: Index) -> str:
    """Return an index in words: its name, fields and options.

    Args:
        index: The index.

    Example:
        >>> described(Index("email_1", (("email", 1),), {"unique": True}))
        'email_1 (email 1, unique=True)'
    """
    keys = [f"{name} {direction}" for name, direction in index.keys]
    options = [f"{name}={value!r}" for name, value in index.options.items() if name != "name"]
    return f"{index.name} ({', '.join([*keys, *options])})"


def _same_index(declared: Index, stored: Iterable[Index]) -> Index | None:
    """The stored index that the server would take for the declared one, under another name."""
    for index in stored:
        changes = _changes(declared, index)
        # MongoDB manual, Index Properties: indexes on the same keys may stand side by side where
        # their collation or partial filter differs.
        if not changes.keys() & {"keys", "collation", "partialFilterExpression"}:
            return index
    return None


def _changes(declared: Index, stored: Index) -> dict[str, tuple[Any, Any]]:
    changes: dict[str, tuple[Any, Any]] = {}
    if _pattern(declared) != _pattern(stored):
        changes["keys"] = (declared.keys, stored.keys)
    given = declared.options.get("name")
    if given is not None and given != stored.name:
        changes["name"] = (given, stored.name)
    if stored.name == "_id_":
        return changes  # unique whatever is said
    model = IndexModel(list(declared.keys), **declared.options).document
    wanted = {
        option: value
        for option, value in model.items()
        if option not in _NOT_STORED and option not in {"name", "key"}
    }
    for option in dict.fromkeys([*wanted, *_TELLING]):
        mine, theirs = wanted.get(option), stored.options.get(option)
        if not _is_same(option, mine, theirs):
            changes[option] = (mine, theirs)
    return changes


def _is_same(option: str, declared: Any, stored: Any) -> bool:
    if option in _FLAGS:
        return bool(declared) == bool(stored)
    if option in {"collation", "weights"} and isinstance(stored, Mapping):
        # The server fills in what they leave out.
        return declared is not None and all(
            name in stored and stored[name] == value for name, value in declared.items()
        )
    return bool(declared == stored)


def _pattern(index: Index) -> tuple[list[Any], set[str]]:
    """The keys in a form that the declared and the stored index share.

    The server keeps the fields of a text index as `weights`, with `_fts` and `_ftsx` in the keys.
    """
    texts = {name for name, direction in index.keys if direction == INDEX_TEXT}
    if "_fts" in texts:
        texts = set(index.options.get("weights", ()))
    pattern: list[Any] = []
    for name, direction in index.keys:
        if direction != INDEX_TEXT:
            if name != "_ftsx":
                pattern.append((name, direction))
        elif INDEX_TEXT not in pattern:
            pattern.append(INDEX_TEXT)
    return pattern, texts
