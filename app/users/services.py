"""What can be done with users. Knows no HTTP: the doors call it and answer what it raises."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from app.core import passwords
from app.core.db import db
from app.core.errors import DomainError, field_error
from app.core.fields import shown
from app.core.locks import lock
from app.users import documents
from app.users.documents import DERIVED, email_key, tidy
from app.users.permissions import OPERATOR, Action, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from app.core.errors import FieldError
    from app.core.pagination import Page
    from app.users.documents import User
    from app.users.listing import ListRequest
    from app.users.permissions import Actor
    from mongokit import Collection

BATCH = 1000  # documents that an import or an export holds at a time
# The embedded engine compares each document that it finds with the whole list of `$in`: measured
# at 1000 keys, one such query took three times as long as ten of a hundred.
_KEYS_AT_ONCE = 100
_DUPLICATE_KEY = 11000
_TRIES = 20  # of a change, where others change the same user at the same time


class UserNotFound(DomainError):
    """There is no user with this id."""

    title = "There is no such user."


class UserRefused(DomainError):
    """The fields break the document's declaration; `errors` has every reason."""

    title = "The user was refused: see the fields."


class EmailTaken(DomainError):
    """Another user has this e-mail address."""

    title = "Another user has this e-mail address."

    def __init__(self) -> None:
        super().__init__([_TAKEN])


class UserChanged(DomainError):
    """Others changed the user, again and again, while this change was made."""

    title = "The user was changed by others meanwhile. Read it again, and repeat your change."


class StaleVersion(DomainError):
    """The user is not what the change was meant for any more."""

    title = "The user was changed meanwhile: it is not the one that you have read."


class LastAdmin(DomainError):
    """Without this one there would be no admin."""

    title = "This is the last admin. Make somebody else an admin first."


class UsersExist(DomainError):
    """A first admin is made only where there is no user."""

    title = "There are users already. Ask an admin for an account."


class DatabaseFailed(DomainError):
    """The database did not do what an import or an export asked; `__cause__` is its error."""

    title = "The database did not answer, or refused the command."


class IndexesMissing(DomainError):
    """An import would have nothing that keeps e-mail addresses unique."""

    title = "A declared index is missing: create it first, with `flask db sync`."


_TAKEN = field_error("email", "unique", EmailTaken.title)


def create(values: Mapping[str, object], *, by: Actor, password: object = None) -> User:
    """Store a new user.

    Args:
        values: `name`, `email` and the like, from outside: nothing about them is taken for granted.
        by: Who asks.
        password: From outside too; None for a user who can't sign in yet.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserRefused: The document refuses the values, or there are others beside them; or the
            password breaks a rule.
        EmailTaken: Another user has the address, even one stored a moment before.
        pymongo.errors.PyMongoError: The database failed. After a lost connection the user may be
            stored or not.

    Example:
        >>> create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
        <User 'Ada'>
    """
    require(by, Action.CREATE)
    user, errors = _read(values)
    if password is not None:
        errors += passwords.problems(password, personal=personal(user))
    if errors:
        raise UserRefused(errors)
    if isinstance(password, str):
        user["password_hash"] = passwords.hash_of(password)
    # It has an `_id`, so it is stored by an upsert, which can be sent twice: the second time it
    # finds its own `_id`. A repeated insert would meet itself as a duplicate.
    with _email_is_free():
        user.save()
    return user


def create_first_admin(values: Mapping[str, object], *, password: object) -> User:
    """Store the first user of all, an admin; who may ask for it is the door's business.

    Args:
        values: As for `create`; the role is set.
        password: From outside.

    Raises:
        UsersExist: There is a user already; of two requests at once one gets this.
        UserRefused: The values or the password are refused.
        app.core.locks.Busy: Others try the same.

    Example:
        >>> create_first_admin({"name": "Ada", "email": "ada@example.org"}, password=password)
        <User 'Ada'>
    """
    with lock("first admin"):
        if not is_empty():
            raise UsersExist
        given = password if password is not None else ""
        return create({**values, "role": "admin"}, by=OPERATOR, password=given)


def is_empty() -> bool:
    """Tell whether there is no user at all.

    Example:
        >>> is_empty()
        False
    """
    return not list(_collection().find({}, ["_id"]).sort("_id", 1).limit(1))


def find(id: ObjectId, *, by: Actor) -> User:
    """Return one user.

    Args:
        id: The `_id`.
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is none.

    Example:
        >>> find(ada["_id"], by=OPERATOR)
        <User 'Ada'>
    """
    require(by, Action.SHOW, id)
    return _find(id)


def find_by_email(address: str, *, by: Actor) -> User:
    """Return the user with an e-mail address, however it is written.

    Args:
        address: The address.
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is none.

    Example:
        >>> find_by_email("ADA@example.org", by=OPERATOR)
        <User 'Ada'>
    """
    require(by, Action.LIST)
    user = db.documents(documents.User).find_one({"email_key": email_key(address.strip())})
    if user is None:
        raise UserNotFound
    return user


def change(
    id: ObjectId, values: Mapping[str, object], *, by: Actor, expected: int | None = None
) -> User:
    """Change some fields of a user; what others change meanwhile in other fields stays.

    Args:
        id: The `_id`.
        values: The fields to change, from outside, as a JSON Merge Patch; none is fine.
        by: Who asks.
        expected: Change it only if the document's `version` is this one.

    Returns:
        The user as stored now.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is none.
        UserRefused: The document refuses a value, or there are fields that nobody may set.
        EmailTaken: Another user has the address.
        LastAdmin: No admin would be left.
        StaleVersion: It is of another version by now.
        UserChanged: Others changed the user meanwhile, many times.
        pymongo.errors.PyMongoError: The database failed. After a lost connection the change may
            be made or not; it can be sent again.

    Example:
        >>> change(ada["_id"], {"name": "Ada Lovelace"}, by=OPERATOR)
        <User 'Ada Lovelace'>
    """
    require(by, Action.CHANGE, id)

    def changed(stored: User) -> dict[str, Any]:
        merged = {name: _merged(stored.get(name), value) for name, value in values.items()}
        user, errors = _read(merged, id=id)
        if refused := [e for e in errors if {e["path"], e["path"].partition(".")[0]} & {*values}]:
            raise UserRefused(refused)
        return {name: user[name] for name in merged}

    return _update(id, changed, by=by, expected=expected)


def replace(
    id: ObjectId, values: Mapping[str, object], *, by: Actor, expected: int | None = None
) -> User:
    """Give a user other fields: what is not among them gets its default, or is gone.

    Args:
        id: The `_id`.
        values: All fields that clients may set, from outside.
        by: Who asks.
        expected: As for `change`.

    Returns:
        The user as stored now.

    Raises:
        As `change`.

    Example:
        >>> replace(ada["_id"], {"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
        <User 'Ada'>
    """
    require(by, Action.CHANGE, id)
    cls = documents.User
    closed = {*cls.read_only_fields, *cls.hidden_fields, "_id"}
    user, errors = _read(values, id=id)
    if errors:
        raise UserRefused(errors)
    fields = {name: user.get(name) for name in cls.structure or {} if name not in closed}
    return _update(id, lambda _stored: fields, by=by, expected=expected)


def remove(id: ObjectId, *, by: Actor, expected: int | None = None) -> None:
    """Remove a user, and the user's tokens.

    Args:
        id: The `_id`.
        by: Who asks.
        expected: Remove it only if the document's `version` is this one.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is none.
        LastAdmin: No admin would be left.
        StaleVersion: It is of another version by now.
        UserChanged: Others changed the user meanwhile, many times.

    Example:
        >>> remove(ada["_id"], by=OPERATOR)
    """
    require(by, Action.REMOVE, id)
    for _ in range(_TRIES):
        user = _find(id)
        _check_version(user, expected)
        with _an_admin_is_left(id, needed=user.get("role") == "admin"):
            if _collection().delete_one({"_id": id, **_unchanged(user)}).deleted_count:
                break
    else:
        raise UserChanged
    db[documents.Token.__collection__].delete_many({"user": id})


def listing(wanted: ListRequest, *, by: Actor) -> Page[User]:
    """Return one page of the users.

    Args:
        wanted: Which users, in which order, and which page of them.
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        app.core.errors.MalformedRequest: The page's token is of another list, or nothing is left
            of its place.
        pymongo.errors.PyMongoError: The database failed.

    Example:
        >>> listing(ListRequest(PageRequest(limit=2), sort="-name"), by=OPERATOR).items
        [<User 'Grace'>, <User 'Ada'>]
    """
    require(by, Action.LIST)
    return wanted.page.read(db.documents(documents.User).find, wanted.order())


# Users in bulk.


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
        return _collection().estimated_document_count()


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
        stored = _collection().find({}, names, batch_size=BATCH).sort("_id", 1)
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
        _collection().bulk_write([update(user) for user in users], ordered=False)
    except BulkWriteError as error:
        failed = [users[index] for index in _duplicates(error)]
        rest = [user for user in failed if set(changes[user["_id"]]) > {"email_key"}]
        if rest:
            _collection().bulk_write([update(user, "email_key") for user in rest], ordered=False)
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
    read = [(row, *_read(row.values, *read_only)) for row in batch]
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
            yield Outcome(row, "refused", [_TAKEN])


def _insert(users: Mapping[str, User]) -> dict[str, str | None]:
    """Store users; return those that somebody else was quicker with: the key, and whose it is."""
    in_order = list(users)
    try:
        _collection().insert_many(users.values(), ordered=False)
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
            user["email_key"]: user for user in _collection().find(some, ["email_key", "name"])
        }
    return found


# Parts of several.


def _collection() -> Collection:
    return db[documents.User.__collection__]


def _find(id: ObjectId) -> User:
    user = db.documents(documents.User).find_one({"_id": id})
    if user is None:
        raise UserNotFound
    return user


def _update(
    id: ObjectId,
    changed: Callable[[User], dict[str, Any]],
    *,
    by: Actor,
    expected: int | None = None,
) -> User:
    """Set fields that are worked out from the stored ones, again if others were quicker.

    Not find_one_and_update, which reads the whole collection on the embedded engine.
    """
    users = db.documents(documents.User)
    for _ in range(_TRIES):
        stored = _find(id)
        _check_version(stored, expected)
        after = tidy({**stored, **changed(stored)})
        fields = {name: value for name, value in after.items() if stored.get(name) != value}
        role = stored.get("role", "member")
        if fields.get("role", role) != role:
            require(by, Action.CHANGE_ROLE, id)
        if not fields:
            return stored
        demoted = role == "admin" and fields.get("role", role) != role
        with _an_admin_is_left(id, needed=demoted), _email_is_free():
            wanted = {"_id": id, **_unchanged(stored)}
            if users.update_one(wanted, {"$set": fields}).matched_count:
                dict.update(stored, fields)
                stored["version"] = (stored.get("version") or 0) + 1
                return stored
    raise UserChanged


def _unchanged(user: User) -> dict[str, Any]:
    """Return what finds a user only if nobody has changed it since it was read."""
    return {"version": user.get("version"), "role": user.get("role")}


def _check_version(user: User, expected: int | None) -> None:
    if expected is not None and expected != (user.get("version") or 0):
        raise StaleVersion


@contextmanager
def _an_admin_is_left(id: ObjectId, *, needed: bool) -> Iterator[None]:
    """Run the block only if there is another admin; one such block at a time, on all nodes."""
    if not needed:
        yield
        return
    with lock("admins"):
        others = _collection().find({"role": "admin", "_id": {"$ne": id}}, ["_id"])
        if not list(others.sort("_id", 1).limit(1)):
            raise LastAdmin
        yield


def _merged(held: Any, change: object) -> object:
    """Return a value after a change in the sense of JSON Merge Patch (RFC 7396)."""
    if not (isinstance(change, dict) and isinstance(held, dict)):
        return change
    return held | {name: _merged(held.get(name), value) for name, value in change.items()}


def personal(user: Mapping[str, Any]) -> list[object]:
    """Return what must not be a user's password.

    Args:
        user: The user.

    Example:
        >>> personal(ada)
        ['Ada', 'ada@example.org', 'ada']
    """
    email = user.get("email")
    local = email.partition("@")[0] if isinstance(email, str) else None
    return [user.get("name"), email, local]


def _read(
    values: Mapping[str, object], *more_open: str, id: ObjectId | None = None
) -> tuple[User, list[FieldError]]:
    """Return a user made of values from outside, and everything that is wrong with them.

    Args:
        values: Fields in JSON form, or as Python has them.
        *more_open: Fields that may be set here although clients may not.
        id: The `_id`; without it a new one is made.
    """
    cls = documents.User
    user = db.documents(cls)()
    closed = {"id", *cls.read_only_fields, *cls.hidden_fields} - set(more_open)
    given = {name: value for name, value in values.items() if name not in closed}
    known = {name: value for name, value in given.items() if name in (cls.structure or {})}
    dict.update(user, tidy({"_id": id or ObjectId(), **cls.from_json_form(known)}))
    errors = [
        field_error(name, "read_only", f"{name} can't be set")
        if name in closed and name not in cls.hidden_fields
        else field_error(name, "unknown", f"{name} is not a field of a user")
        for name in values
        if name not in known
    ]
    errors += [field_error(fault.path, fault.rule, fault.message) for fault in user.errors()]
    return user, errors


@contextmanager
def _email_is_free() -> Iterator[None]:
    """Turn the unique index's refusal into `EmailTaken`: it decides, and nobody looks before."""
    try:
        yield
    except DuplicateKeyError as error:
        raise EmailTaken from error


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise DatabaseFailed from error
