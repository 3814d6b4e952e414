"""Signing in by e-mail and password, and what ends it. Knows no HTTP.

Answers and their timing tell nobody whether there is a user with an address: where there is none, a
password is compared all the same, with a hash that nobody has the password of. Attempts are counted
before the password is looked at, under whatever address was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.core import passwords
from app.core.db import db
from app.core.errors import DomainError, field_error
from app.core.limits import Limit
from app.users import documents
from app.users.documents import email_key
from app.users.permissions import OPERATOR, Action, Actor, require
from app.users.services import UserRefused, find, personal

if TYPE_CHECKING:
    from bson import ObjectId

    from app.users.documents import User

_LONGEST_ADDRESS = 254  # RFC 3696, erratum 1690


class WrongCredentials(DomainError):
    """There is no such user, or the password is not the user's; nobody is told which."""

    title = "The e-mail address or the password is wrong."


def sign_in(email: object, password: object, *, address: str) -> User:
    """Return the user whom an e-mail address and a password belong to.

    A hash that was made with other parameters than today's is made anew.

    Args:
        email: From outside.
        password: From outside.
        address: Where the attempt comes from: an IP address.

    Raises:
        WrongCredentials: They belong to nobody.
        app.core.limits.TooManyAttempts: Too many attempts on this account, or too many that failed
            from this address. The password was not looked at.

    Example:
        >>> sign_in("ada@example.org", "correct horse battery staple", address="192.0.2.1")
        <User 'Ada'>
    """
    given = email.strip() if isinstance(email, str) else ""
    key = email_key(given) if _can_be_address(given) else ""
    secret = password if isinstance(password, str) else ""
    account = Limit("SIGN_IN_LIMIT_PER_ACCOUNT", key)
    from_address = Limit("SIGN_IN_LIMIT_PER_ADDRESS", address)
    from_address.check()
    account.count()
    user = db.documents(documents.User).find_one({"email_key": key}) if key else None
    stored = user.get("password_hash") if user is not None else None
    if not passwords.matches(stored, secret) or user is None or stored is None:
        from_address.count()
        raise WrongCredentials
    account.forget()
    if passwords.is_outdated(stored):
        _set(user["_id"], {"password_hash": passwords.hash_of(secret)}, password_hash=stored)
    return user


def session_of(user: User) -> str:
    """Return what names a session of a user: it is over when the epoch is another one.

    Args:
        user: The user.

    Example:
        >>> session_of(ada)
        '65f0c0ffee65f0c0ffee65f0.0'
    """
    return f"{user['_id']}.{user.get('epoch') or 0}"


def set_password(id: ObjectId, password: object, *, by: Actor, current: object = None) -> User:
    """Set a user's password, and end all of the user's sessions.

    Args:
        id: The `_id`.
        password: The new one, from outside.
        by: Who asks.
        current: The password until now; somebody who sets their own has to know it.

    Returns:
        The user, with whom a new session can begin.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is none.
        UserRefused: The new password breaks a rule, or the current one is wrong.
        app.core.limits.TooManyAttempts: The current one was wrong too often.

    Example:
        >>> set_password(ada["_id"], "a much better one", by=OPERATOR)
        <User 'Ada'>
    """
    require(by, Action.SET_PASSWORD, id)
    user = find(id, by=OPERATOR)
    if by.id == id and user.get("password_hash") is not None:
        limit = Limit("SIGN_IN_LIMIT_PER_ACCOUNT", user.get("email_key") or str(id))
        limit.count()
        if not passwords.matches(
            user["password_hash"], current if isinstance(current, str) else ""
        ):
            message = "current_password is not your password"
            raise UserRefused([field_error("current_password", "wrong", message)])
        limit.forget()
    if errors := passwords.problems(password, personal=personal(user)):
        raise UserRefused(errors)
    assert isinstance(password, str)  # noqa: S101 - else there was an error
    _set(id, {"password_hash": passwords.hash_of(password)}, ends_sessions=True)
    return find(id, by=OPERATOR)


def end_sessions(id: ObjectId, *, by: Actor) -> User:
    """Sign a user out everywhere; tokens stay.

    Args:
        id: The `_id`.
        by: Who asks.

    Returns:
        The user, with whom a new session can begin.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is none.

    Example:
        >>> end_sessions(ada["_id"], by=OPERATOR)
        <User 'Ada'>
    """
    require(by, Action.END_SESSIONS, id)
    _set(id, {}, ends_sessions=True)
    return find(id, by=OPERATOR)


def _can_be_address(text: str) -> bool:
    return len(text) <= _LONGEST_ADDRESS and text.isprintable()


def _set(
    id: ObjectId, fields: dict[str, Any], *, ends_sessions: bool = False, **only_if: Any
) -> None:
    change: dict[str, Any] = {"$set": fields} if fields else {}
    if ends_sessions:
        change["$inc"] = {"epoch": 1}
    # Not through the class: what is changed here is nothing that clients see, so the document's
    # version stays, and with it what others are about to change.
    db[documents.User.__collection__].update_one({"_id": id, **only_if}, change)
