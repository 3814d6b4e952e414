"""Users in bulk: import, export, and what older ones lack. Knows no HTTP, as `services`.

Everything is done a batch at a time, so that memory stays flat whatever the number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from app.core.db import db
from app.core.errors import MAX_ERRORS, DomainError
from app.core.fields import shown
from app.users import documents, services
from app.users.documents import DERIVED, tidy
from app.users.permissions import Action, require

if TYPE_CHECKING:
    from app.core.errors import FieldError
    from app.users.documents import User
    from app.users.permissions import Actor

BATCH = 1000  # documents that an import or an export holds at a time
# The embedded engine compares each document that it finds with the whole list of `$in`: measured
# at 1000 keys, one such query took three times as long as ten of a hundred.
_KEYS_AT_ONCE = 100
_DUPLICATE_KEY = 11000


class DatabaseFailed(DomainError):
    """The database did not do what an import or an export asked; `__cause__` is its error."""

    title = "The database did not answer, or refused the command."


class IndexesMissing(DomainError):
    """An import would have nothing that keeps e-mail addresses unique."""

    title = "A declared index is missing: create it first, with `flask db sync`."


@dataclass(frozen=True, slots=True)
class Row:
    """One user of a file that is to be imported.

    Attributes:
        line: Where it starts in the file, counted from 1.
        values: The fields as the file has them, in JSON form.
        errors: Why it can't even be read as a user.
        source: How it stands in the file, for whoever writes it out again.

    Example:
        >>> Row(2, {"name": "Ada", "email": "ada@example.org"}).errors
        []
    """

    line: int
    values: Mapping[str, object]
    errors: list[FieldError] = field(default_factory=list)
    source: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row.

    Attributes:
        row: The row.
        result: `present` is a user of this e-mail and this name who was there before.
        errors: Why it was refused.

    Example:
        >>> Outcome(row, "stored").errors
        []
    """

    row: Row
    result: Literal["stored", "present", "refused"]
    errors: Sequence[FieldError] = ()

    def line(self) -> dict[str, Any]:
        """Return its line in a report for programs.

        Example:
            >>> Outcome(row, "stored").line()
            {'line': 1, 'result': 'stored'}
        """
        line: dict[str, Any] = {"line": self.row.line, "result": self.result}
        return line | {"errors": [*self.errors][:MAX_ERRORS]} if self.errors else line


def totals(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the last line of a report for programs: the numbers of each result.

    Args:
        counts: Numbers by result; one that is missing is 0.

    Example:
        >>> totals({"stored": 40})
        {'stored': 40, 'present': 0, 'refused': 0}
    """
    return {name: counts.get(name, 0) for name in ("stored", "present", "refused")}


def import_rows(rows: Iterable[Row], *, by: Actor, dry_run: bool = False) -> Iterator[Outcome]:
    """Store the good rows, and say of each row what became of it, in the order of the rows.

    A row whose e-mail address is there already (in the database, or earlier in the file) is
    `present` if the name is the same too, and refused otherwise: an import changes no user. So
    the same rows again store nothing.

    Args:
        rows: Read as they are needed, a batch at a time; memory stays flat.
        by: Who asks.
        dry_run: Check everything and store nothing.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it. Nothing is read or stored.
        IndexesMissing: Nothing is stored.
        DatabaseFailed: The rest is not stored; the batch under way may be, in part.

    Example:
        >>> rows = [Row(2, {"name": "Ada", "email": "ada@example.org"})]
        >>> [outcome.result for outcome in import_rows(rows, by=OPERATOR)]
        ['stored']
    """
    require(by, Action.IMPORT)
    with _database_errors():
        if any(
            index.startswith(f"{documents.User.__collection__}.") for index in db.missing_indexes()
        ):
            raise IndexesMissing
    return _import(rows, dry_run=dry_run)


def _import(rows: Iterable[Row], *, dry_run: bool) -> Iterator[Outcome]:
    remaining = iter(rows)
    with closing(_Rehearsal()) as rehearsal:
        while batch := list(islice(remaining, BATCH)):
            with _database_errors():
                yield from _import_batch(batch, rehearsal if dry_run else None)


def export_rows(*, by: Actor) -> Iterator[dict[str, Any]]:
    """Return every user, in the order of their making: what clients see, in JSON form.

    Args:
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        DatabaseFailed: The rest can't be read; raised on the way.

    Example:
        >>> [row["name"] for row in export_rows(by=OPERATOR)]
        ['Ada', 'Grace']
    """
    require(by, Action.EXPORT)
    return _export()


def _export() -> Iterator[dict[str, Any]]:
    users = db.documents(documents.User)
    with _database_errors():
        # One query for all: on the embedded engine each sorted one reads the whole collection.
        for user in users.find({}, batch_size=BATCH).sort("_id", 1):
            row = shown(user)
            del row["id"]
            yield row


def estimate(*, by: Actor) -> int:
    """Return about how many users there are, for a progress bar.

    Args:
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        DatabaseFailed: The database can't say.

    Example:
        >>> estimate(by=OPERATOR)
        2
    """
    require(by, Action.EXPORT)
    with _database_errors():
        return services.collection().estimated_document_count()


Refreshed = Literal["right", "set", "taken"]


def refresh(*, by: Actor) -> Iterator[tuple[ObjectId, Refreshed]]:
    """Make what is derived from users' fields anew, and set the defaults that they lack.

    For users that were stored by other programs, or before the declaration was as it is now: until
    then lists by name or of a role lack them, and searches. Whoever is changed meanwhile is left to
    that change. Done again, it changes nothing.

    Args:
        by: Who asks.

    Returns:
        The `_id` of each user, and what became of it; `taken` is one whose address another has,
        as users are compared now: all but the key of the address was set.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        DatabaseFailed: The rest is as it was; a batch may be done in part. Raised on the way.

    Example:
        >>> list(refresh(by=OPERATOR))
        [(ObjectId('65f0c0ffee65f0c0ffee65f0'), 'right')]
    """
    require(by, Action.IMPORT)
    return _refresh()


def _refresh() -> Iterator[tuple[ObjectId, Refreshed]]:
    defaults = {
        name: value
        for name, value in documents.User.default_values.items()
        if isinstance(value, str | int | float) and name not in DERIVED
    }
    names = ["name", "email", *DERIVED, *defaults]
    with _database_errors():
        # One query for all, as in `export_rows`.
        stored = services.collection().find({}, names, batch_size=BATCH).sort("_id", 1)
        while batch := list(islice(stored, BATCH)):
            wrong = {
                user["_id"]: changed for user in batch if (changed := _lacking(user, defaults))
            }
            taken = _set_all([user for user in batch if user["_id"] in wrong], wrong)
            for user in batch:
                _id = user["_id"]
                yield _id, "taken" if _id in taken else "set" if _id in wrong else "right"


def _lacking(user: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the derived fields that are not as they should be, and the defaults that lack."""
    tidied = tidy(user)
    lacking = {name: tidied[name] for name in DERIVED if tidied.get(name) != user.get(name)}
    return lacking | {name: value for name, value in defaults.items() if name not in user}


def _set_all(users: Sequence[Mapping[str, Any]], changes: Mapping[Any, dict[str, Any]]) -> set[Any]:
    """Set fields of users that are still as they were; return those whose address another has."""

    def update(user: Mapping[str, Any], *left_out: str) -> UpdateOne:
        changed = {k: v for k, v in changes[user["_id"]].items() if k not in left_out}
        as_it_was = {name: user.get(name) for name in ("_id", "name", "email")}
        return UpdateOne(as_it_was, {"$set": changed})

    if not users:
        return set()
    try:
        services.collection().bulk_write([update(user) for user in users], ordered=False)
    except BulkWriteError as error:
        failed = [users[index] for index in _duplicates(error)]
        rest = [user for user in failed if set(changes[user["_id"]]) > {"email_key"}]
        if rest:
            services.collection().bulk_write(
                [update(user, "email_key") for user in rest], ordered=False
            )
        return {user["_id"] for user in failed}
    return set()


class _Rehearsal:
    """E-mail keys and names of the rows that a dry run would have stored.

    In a temporary file of SQLite's, not in memory: an import has no longest length.
    """

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("CREATE TABLE users (key TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID")

    def add(self, users: Mapping[str, User]) -> None:
        """Remember users by their keys."""
        pairs = ((key, user.name) for key, user in users.items())
        self._rows.executemany("INSERT INTO users VALUES (?, ?)", pairs)

    def owners(self, keys: Iterable[str]) -> dict[str, str | None]:
        """Return the names that are remembered under these keys."""
        query = "SELECT key, name FROM users WHERE key = ?"
        return dict(row for key in keys for row in self._rows.execute(query, (key,)))

    def close(self) -> None:
        """Remove the file."""
        self._rows.close()


def _import_batch(batch: Sequence[Row], rehearsal: _Rehearsal | None) -> Iterator[Outcome]:
    read_only = documents.User.read_only_fields  # a file is the operator's: it may say all
    read = [(row, *services.read(row.values, *read_only)) for row in batch]
    good = [user for row, user, errors in read if not (row.errors or errors)]
    keys = [user.email_key for user in good]
    owners = {key: stored.get("name") for key, stored in _stored(keys).items()}
    if rehearsal is not None:
        owners |= rehearsal.owners(keys)
    # The first of each address; what comes after it is compared with what has been stored.
    fresh: dict[str, User] = {}
    for user in good:
        if user.email_key not in owners:
            fresh.setdefault(user.email_key, user)
    owners |= {key: user.name for key, user in fresh.items()}
    if rehearsal is not None:
        rehearsal.add(fresh)
    elif fresh:
        for key, name in _insert(fresh).items():
            del fresh[key]
            owners[key] = name
    for row, user, errors in read:
        if row.errors or errors:
            yield Outcome(row, "refused", row.errors or errors)
        elif fresh.get(user.email_key) is user:
            yield Outcome(row, "stored")
        elif owners[user.email_key] == user.name:
            yield Outcome(row, "present")
        else:
            yield Outcome(row, "refused", [services.TAKEN])


def _insert(users: Mapping[str, User]) -> dict[str, str | None]:
    """Store users; return those that somebody else was quicker with: the key, and whose it is."""
    in_order = list(users)
    try:
        services.collection().insert_many(users.values(), ordered=False)
    except BulkWriteError as error:
        refused = [in_order[index] for index in _duplicates(error)]
        stored = _stored(refused)
        # Our own document in the way of itself is a command that the driver sent twice.
        return {
            key: stored.get(key, {}).get("name")
            for key in refused
            if stored.get(key, {}).get("_id") != users[key]["_id"]
        }
    return {}


def _duplicates(error: BulkWriteError) -> list[int]:
    """Return which operations the unique index refused; raise the error if it has others."""
    failures = error.details["writeErrors"]
    codes = {failure["code"] for failure in failures}
    if codes != {_DUPLICATE_KEY} or error.details["writeConcernErrors"]:
        raise error
    return [failure["index"] for failure in failures]


def _stored(keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return `_id` and `name` of the stored users that have one of these e-mail keys."""
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = {"email_key": {"$in": keys[start : start + _KEYS_AT_ONCE]}}
        found |= {
            user["email_key"]: user
            for user in services.collection().find(some, ["email_key", "name"])
        }
    return found


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise DatabaseFailed from error
