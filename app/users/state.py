"""The state of the data: how much there is, whether the indexes are, what serves it. No HTTP.

Nothing here may take long or fail: what the server does not say in time, or at all, is None.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pymongo
from pymongo.errors import PyMongoError

from app.core.db import db
from app.users.permissions import Action, require
from mongokit.indexes import plan

if TYPE_CHECKING:
    from app.users.permissions import Actor

_SECONDS = 3.0  # for all of it


@dataclass(frozen=True, slots=True)
class IndexState:
    """A declared index.

    Attributes:
        name: Its name.
        state: Whether the server has it, as it is declared.

    Example:
        >>> IndexState("email_key_1", "there").state
        'there'
    """

    name: str
    state: Literal["there", "missing", "different"]


@dataclass(frozen=True, slots=True)
class CollectionState:
    """A collection that documents are declared for.

    Attributes:
        name: Its name.
        count: About how many documents it has.
        size: Bytes of its documents.
        index_size: Bytes of its indexes.
        indexes: Those that are declared; None where the server does not say.

    Example:
        >>> state(by=OPERATOR).collections[0].count
        99299
    """

    name: str
    count: int | None
    size: int | None
    index_size: int | None
    indexes: tuple[IndexState, ...] | None


@dataclass(frozen=True, slots=True)
class State:
    """All of it.

    Attributes:
        version: Of MongoDB's server, or the one that the embedded engine behaves as.
        embedded: The version of the embedded engine; None where a server keeps the data.
        collections: By name.

    Example:
        >>> state(by=OPERATOR).embedded is None
        False
    """

    version: str | None
    embedded: str | None
    collections: tuple[CollectionState, ...]


def state(*, by: Actor) -> State:
    """Return the state of the data, in three seconds at the latest.

    Args:
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.

    Example:
        >>> state(by=OPERATOR).version
        '8.2.11'
    """
    require(by, Action.SEE_STATE)
    with pymongo.timeout(_SECONDS):
        built: dict[str, Any] = {}
        with suppress(PyMongoError):
            built = db.database.command("buildInfo")
        declared: dict[str, list[type[Any]]] = {}  # several classes may share a collection
        for cls in db.registered_documents:
            if name := getattr(cls, "__collection__", None):
                declared.setdefault(name, []).append(cls)
        collections = tuple(_collection(name, declared[name]) for name in sorted(declared))
    return State(built.get("version"), built.get("secantusVersion"), collections)


def _collection(name: str, classes: list[type[Any]]) -> CollectionState:
    count, sizes, indexes = None, {}, None
    with suppress(PyMongoError):
        count = db[name].estimated_document_count()
    with suppress(PyMongoError):
        sizes = db.database.command("collStats", name)
    with suppress(PyMongoError):
        found = {index.name: index for cls in classes for index in _indexes(name, cls)}
        indexes = tuple(found[index] for index in sorted(found))
    return CollectionState(name, count, sizes.get("size"), sizes.get("totalIndexSize"), indexes)


def _indexes(name: str, document_class: type[Any]) -> tuple[IndexState, ...]:
    found = plan(document_class, db[name])
    states = [IndexState(index.name, "there") for index in found.present]
    states += [IndexState(index.name, "missing") for index in found.missing]
    states += [IndexState(each.declared.name, "different") for each in found.different]
    return tuple(sorted(states, key=lambda index: index.name))
