"""Passwords: argon2id hashes, and the rules for new ones.

The rules are those of NIST SP 800-63B-4, 3.1.1.2: length counts, what everybody uses is refused,
and nobody is told to mix characters. Hashes are made with the parameters of the configuration
(RFC 9106, section 4); one that was made with others is made anew at the next sign-in.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import current_app

from app.core.errors import field_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask

    from app.core.errors import FieldError

SHORTEST, LONGEST = 8, 256  # characters
SCHEMA = {
    "type": "string",
    "minLength": SHORTEST,
    "maxLength": LONGEST,
    "writeOnly": True,
    "title": "Password",
    "description": f"{SHORTEST} to {LONGEST} characters of any kind, none of the common passwords.",
    "examples": ["correct horse battery staple"],
}

_EXTENSION = "passwords"


def init_app(app: Flask) -> None:
    """Take the hash's parameters from the configuration: `ARGON2_…`.

    Args:
        app: The application, configured.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    config = app.config
    hasher = PasswordHasher(
        time_cost=config["ARGON2_TIME_COST"],
        memory_cost=config["ARGON2_MEMORY_KIB"],
        parallelism=config["ARGON2_PARALLELISM"],
    )
    app.extensions[_EXTENSION] = hasher


def hash_of(password: str) -> str:
    """Return the hash that is stored: argon2id with its parameters and a salt.

    Args:
        password: One in which `problems` finds none.

    Example:
        >>> hash_of("correct horse battery staple")[:10]
        '$argon2id$'
    """
    return _hasher().hash(_encoded(password))


def matches(stored: str | None, password: str) -> bool:
    """Tell whether a password is the one that was hashed; as slow where there is no hash at all.

    Args:
        stored: The hash, or None where nobody can know it: there is no such user, say.
        password: From outside; of whatever length.

    Example:
        >>> matches(hash_of("correct horse"), "correct horse")
        True
    """
    hasher = _hasher()
    try:
        hasher.verify(stored or _nobodys(hasher), _encoded(password[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Tell whether a hash was made with other parameters than those of the configuration.

    Args:
        stored: The hash.

    Example:
        >>> is_outdated(hash_of("correct horse"))
        False
    """
    return _hasher().check_needs_rehash(stored)


def problems(
    password: object, *, path: str = "password", personal: Iterable[object] = ()
) -> list[FieldError]:
    """Return what is wrong with a new password; nothing of it is in the text.

    Args:
        password: From outside.
        path: The name of the field.
        personal: What the user is called: no password may be one of these.

    Example:
        >>> [problem["rule"] for problem in problems("12345678")]
        ['common']
    """
    if not isinstance(password, str):
        return [field_error(path, "type", f"{path} must be a text")]
    text = _normalized(password)
    if any("\ud800" <= char <= "\udfff" for char in text):
        return [field_error(path, "characters", f"{path} must be valid Unicode text")]
    if len(text) < SHORTEST:
        return [
            field_error(path, "min_length", f"{path} must be at least {SHORTEST} characters long")
        ]
    if len(text) > LONGEST:
        return [
            field_error(path, "max_length", f"{path} must be at most {LONGEST} characters long")
        ]
    folded = text.casefold()
    if folded in {_normalized(each).casefold() for each in personal if isinstance(each, str)}:
        return [field_error(path, "personal", f"{path} must not be the name or the address")]
    if folded in _common() or len(set(folded)) == 1:
        return [field_error(path, "common", f"{path} is one of the most common passwords")]
    return []


def _hasher() -> PasswordHasher:
    hasher: PasswordHasher = current_app.extensions[_EXTENSION]
    return hasher


@lru_cache(maxsize=8)
def _nobodys(hasher: PasswordHasher) -> str:
    """Return a hash that nobody has the password of, made as all others are."""
    return hasher.hash(b"\0nobody")


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    # Imported where it is needed: the lists are 100,000 words.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)


def _normalized(password: str) -> str:
    # SP 800-63B-4, 3.1.1.2: the same characters, typed on another keyboard, are the same password.
    return unicodedata.normalize("NFKC", password)


def _encoded(password: str) -> bytes:
    return _normalized(password).encode("utf-8", "surrogatepass")
