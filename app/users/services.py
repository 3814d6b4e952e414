"""What can be done with users. Knows no HTTP: the doors call it and answer what it raises."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from app.core import passwords
from app.core.db import db
from app.core.errors import DomainError, field_error
from app.core.locks import lock
from app.users import documents
from app.users.documents import email_key, tidy
from app.users.permissions import OPERATOR, Action, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from app.core.errors import FieldError
    from app.core.pagination import Page
    from app.users.documents import User
    from app.users.listing import ListRequest
    from app.users.permissions import Actor
    from mongokit import Collection

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
        super().__init__([TAKEN])


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


TAKEN = field_error("email", "unique", EmailTaken.title)


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
    user, errors = read(values)
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
    # There is an admin, but for odd beginnings, and few: the embedded engine reads all that match.
    either: tuple[dict[str, Any], ...] = ({"role": "admin"}, {})
    return not any(list(collection().find(w, ["_id"]).sort("_id", 1).limit(1)) for w in either)


def find(id: ObjectId, *, by: Actor, to: Action = Action.SHOW) -> User:
    """Return one user.

    Args:
        id: The `_id`.
        by: Who asks.
        to: What for; the right to that is asked for.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is none.

    Example:
        >>> find(ada["_id"], by=OPERATOR)
        <User 'Ada'>
    """
    require(by, to, id)
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
        user, errors = read(merged, id=id)
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
    user, errors = read(values, id=id)
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
            if collection().delete_one({"_id": id, **_unchanged(user)}).deleted_count:
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


# Parts of several.


def collection() -> Collection:
    """Return the collection of the users, for services alone.

    Example:
        >>> collection().name
        'users'
    """
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
        others = collection().find({"role": "admin", "_id": {"$ne": id}}, ["_id"])
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


def read(
    values: Mapping[str, object], *more_open: str, id: ObjectId | None = None
) -> tuple[User, list[FieldError]]:
    """Return a user made of values from outside, and everything that is wrong with them.

    Args:
        values: Fields in JSON form, or as Python has them.
        *more_open: Fields that may be set here although clients may not.
        id: The `_id`; without it a new one is made.

    Example:
        >>> read({"name": "Ada", "email": "ada@example.org"})[1]
        []
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
