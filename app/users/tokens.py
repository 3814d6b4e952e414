"""Tokens with which programs act as a user. Knows no HTTP.

A token is `mk_`, forty random letters and digits, and six that check the others: so a scanner finds
a leaked one by its form alone, and a mistyped one costs no query. Only a hash of it is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bson import ObjectId

from app.core.db import db
from app.core.errors import DomainError, field_error
from app.users import documents
from app.users.documents import Token
from app.users.permissions import SCOPES, Action, Actor, NotSignedIn, require
from app.users.services import UserNotFound
from mongokit import utcnow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.users.documents import User

PREFIX = "mk_"
MOST = 50  # tokens of one user
LIFETIME = timedelta(days=90)  # unless something else is said
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 40, 6  # letters and digits: 238 bits, and a CRC-32
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}", re.ASCII)
_FRESH = timedelta(minutes=1)  # a use is noted when the last one is older
_DURATION = re.compile(r"(\d{1,4})([hdwy])", re.ASCII)
_UNITS = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}


_OF_ITS_OWNER = {"from": "users", "localField": "user", "foreignField": "_id", "as": "owner"}
_WITH_OWNER: list[dict[str, Any]] = [
    {"$lookup": _OF_ITS_OWNER},
    {"$project": {"scopes": 1, "expires": 1, "last_used": 1, "owner._id": 1, "owner.role": 1}},
]


class TokenNotFound(DomainError):
    """There is no token with this id."""

    title = "There is no such token."


class TokenRefused(DomainError):
    """What was said of a token breaks its declaration; `errors` has every reason."""

    title = "The token was refused: see the fields."


class TooManyTokens(DomainError):
    """The user has as many as one may have."""

    title = f"There are {MOST} tokens already. Revoke one that is not needed."


def create(
    user: ObjectId,
    values: Mapping[str, object],
    *,
    by: Actor,
) -> tuple[Token, str]:
    """Make a token.

    Args:
        user: The `_id` of its owner.
        values: From outside: `name`, `scopes` (all where it is missing) and `expires_in`, such as
            `90d` or `never` (90 days where it is missing).
        by: Who asks.

    Returns:
        The token, and its secret, which nobody can find out later.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        UserNotFound: There is no such user.
        TokenRefused: A value is refused.
        TooManyTokens: The user has `MOST` of them.

    Example:
        >>> token, secret = create(ada["_id"], {"name": "CI"}, by=OPERATOR)
        >>> secret[:3]
        'mk_'
    """
    require(by, Action.CREATE_TOKEN, user)
    users = db[documents.User.__collection__]
    if users.find_one({"_id": user}, ["_id"]) is None:
        raise UserNotFound
    return _create(user, values)


def exchange(user: User, values: Mapping[str, object]) -> tuple[Token, str]:
    """Make a token for a user who has just shown the password; arguments as in `create`.

    Raises:
        TokenRefused: A value is refused.
        TooManyTokens: The user has `MOST` of them.

    Example:
        >>> exchange(sign_in(email, password, address="192.0.2.1"), {"name": "laptop"})
        (<Token 'laptop'>, 'mk_...')
    """
    return _create(user["_id"], values)


def listing(user: ObjectId, *, by: Actor) -> list[Token]:
    """Return the tokens of a user, the newest first, `MOST` at most.

    Args:
        user: The `_id`.
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.

    Example:
        >>> listing(ada["_id"], by=OPERATOR)
        [<Token 'CI'>]
    """
    require(by, Action.LIST_TOKENS, user)
    return list(db.documents(Token).find({"user": user}).sort("_id", -1).limit(MOST))


def revoke(id: ObjectId, *, by: Actor) -> Token:
    """End a token.

    Args:
        id: Its `_id`.
        by: Who asks.

    Returns:
        The token that was.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        TokenNotFound: There is none.

    Example:
        >>> revoke(token["_id"], by=OPERATOR)
        <Token 'CI'>
    """
    found = db.documents(Token).find_one({"_id": id})
    # Nobody hears of the token of somebody else that there is one.
    require(by, Action.REVOKE_TOKEN, found.user if found is not None else by.id)
    if found is None or not db["tokens"].delete_one({"_id": id}).deleted_count:
        raise TokenNotFound
    return found


def actor_of(secret: str) -> Actor:
    """Return who asks by a token, and note that it was used.

    Args:
        secret: From outside.

    Raises:
        NotSignedIn: It is no token, or not any more.

    Example:
        >>> actor_of(secret).role
        'member'
    """
    if not _FORM.fullmatch(secret) or secret[-_CHECK:] != _check_of(secret[:-_CHECK]):
        raise NotSignedIn
    now = utcnow()
    # With its owner in one command: each request pays for this, and half of it is the way.
    pipeline = [{"$match": {"digest": _digest(secret)}}, *_WITH_OWNER]
    stored: Any = next(iter(db["tokens"].aggregate(pipeline)), None)
    if stored is None or not stored["owner"] or _is_over(stored.get("expires"), now):
        raise NotSignedIn
    [user] = stored["owner"]
    used = stored.get("last_used")
    if used is None or now - used > _FRESH:
        db["tokens"].update_one({"_id": stored["_id"]}, {"$set": {"last_used": now}})
    return Actor(
        "admin" if user.get("role") == "admin" else "member",
        user["_id"],
        frozenset(stored["scopes"]),
    )


def _create(user: ObjectId, values: Mapping[str, object]) -> tuple[Token, str]:
    errors = [
        field_error(name, "unknown", f"{name} is not a field of a token")
        for name in values
        if name not in ("name", "scopes", "expires_in")
    ]
    secret = _new_secret()
    token = db.documents(Token)()
    token.user, token.digest, token.hint = user, _digest(secret), secret[: len(PREFIX) + 4]
    name = values.get("name")
    dict.__setitem__(token, "name", name.strip() if isinstance(name, str) else name)
    dict.__setitem__(token, "scopes", values.get("scopes", list(SCOPES)))
    try:
        lifetime = read_lifetime(values["expires_in"]) if "expires_in" in values else LIFETIME
        token.expires = utcnow() + lifetime if lifetime is not None else None
    except ValueError as error:
        errors.append(field_error("expires_in", "duration", f"expires_in {error}"))
    errors += [field_error(fault.path, fault.rule, fault.message) for fault in token.errors()]
    if errors:
        raise TokenRefused(errors)
    token.scopes = [scope for scope in SCOPES if scope in token.scopes]
    # Two at once may make one too many, which does no harm.
    if len(list(db["tokens"].find({"user": user}, ["_id"]).sort("_id", -1).limit(MOST))) >= MOST:
        raise TooManyTokens
    token["_id"] = ObjectId()
    token.save()
    return token, secret


def read_lifetime(text: object) -> timedelta | None:
    """Return how long a token shall live; None for ever.

    Args:
        text: A number and `h`, `d`, `w` or `y`, such as `90d`; or `never`.

    Raises:
        ValueError: It is something else.

    Example:
        >>> read_lifetime("2w").days
        14
    """
    if text == "never":
        return None
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None or not int(found[1]) or int(found[1]) * _UNITS[found[2]].days > 3650:
        raise ValueError(
            "must be a number and h, d, w or y, such as 90d, up to ten years; or never"
        )
    return int(found[1]) * _UNITS[found[2]]


def _new_secret() -> str:
    content = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return content + _check_of(content)


def _check_of(content: str) -> str:
    number, digits = zlib.crc32(content.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_over(expires: datetime | None, now: datetime) -> bool:
    # The server removes it too, but only about once a minute.
    return expires is not None and expires <= now
