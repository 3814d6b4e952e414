"""User: the classic document of a person who logs in with a password."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from typing import Any, ClassVar

from mongokit.document import Document

# OWASP, Password Storage Cheat Sheet: N = 2^14, r = 8, p = 5, which takes 16 MiB of memory.
_COST = (14, 8, 5)

_SALT_BYTES = 16
_DIGEST_BYTES = 32

_SCRYPT = re.compile(
    r"scrypt\$(?P<n>\d\d)\.(?P<r>\d)\.(?P<p>\d)\$(?P<salt>[\w-]{22})\$(?P<digest>[\w-]{43})",
    re.ASCII,
)
_SHA1 = re.compile(r"[0-9a-f]{80}")


class User(Document):
    """A person who logs in; the `_id` is the login.

    The password is stored as a text of 80 characters, as classic MongoKit's was: scrypt with its
    parameters and salt, `scrypt$14.8.5$<salt>$<digest>`. Passwords that classic MongoKit stored
    (a salt and a salted SHA-1, 40 hexadecimal digits each) are verified too, and are replaced by
    the new form when the right password is given.

    Attributes:
        password_cost: scrypt's cost: the binary logarithm of N (10 to 20), r and p (1 to 9 both).

    Example:
        >>> from mongokit.auth import User
        >>> @connection.register
        ... class Account(User):
        ...     __collection__ = "accounts"
        >>> account = db.Account()
        >>> account.login, account.email = "ada", "ada@example.org"
        >>> account.password = "correct horse"
        >>> account.save()
        >>> db.Account.get_from_id("ada").verify_password("correct horse")
        True
    """

    structure: ClassVar[Any] = {
        "_id": str,
        "user": {"login": str, "password": str, "email": str},
    }
    required_fields: ClassVar[list[str]] = ["user.password", "user.email"]

    password_cost: ClassVar[tuple[int, int, int]] = _COST

    @property
    def login(self) -> Any:
        """The login, which is the `_id` too; deleting it sets both to None."""
        return self._user().get("login")

    @login.setter
    def login(self, login: str | None) -> None:
        dict.__setitem__(self, "_id", login)
        self._user()["login"] = login

    @login.deleter
    def login(self) -> None:
        self.login = None

    @property
    def password(self) -> Any:
        """The stored text; setting a password stores its hash, deleting it None."""
        return self._user().get("password")

    @password.setter
    def password(self, password: str | bytes | None) -> None:
        self._user()["password"] = (
            None if password is None else hash_password(password, self.password_cost)
        )

    @password.deleter
    def password(self) -> None:
        self.password = None

    @property
    def email(self) -> Any:
        """The e-mail address; deleting it sets None."""
        return self._user().get("email")

    @email.setter
    def email(self, email: str | None) -> None:
        self._user()["email"] = email

    @email.deleter
    def email(self) -> None:
        self.email = None

    def verify_password(self, password: str | bytes) -> bool:
        """Tell whether a password is the right one.

        If it is, and what is stored is a SHA-1 of classic MongoKit's or was made with another
        cost, the password is hashed anew: in this document, and in the stored one if that still
        has the old text. Nothing else of the stored document is changed.

        Args:
            password: What the person typed.

        Raises:
            pymongo.errors.PyMongoError: The new hash could not be stored.

        Example:
            >>> from mongokit.auth import User
            >>> account = User()
            >>> account.password = "correct horse"
            >>> account.verify_password("wrong")
            False
        """
        stored = self.password
        if not isinstance(stored, str) or not verify(password, stored):
            return False
        if _cost_of(stored) != self.password_cost:
            self.password = password
            self._store_password(stored)
        return True

    def _user(self) -> dict[str, Any]:
        if not isinstance(dict.get(self, "user"), dict):
            dict.__setitem__(self, "user", {})
        found: dict[str, Any] = dict.__getitem__(self, "user")
        return found

    def _store_password(self, old: str) -> None:
        if self._binding is not None and dict.get(self, "_id") is not None:
            self._binding.collection.update_one(
                {"_id": dict.__getitem__(self, "_id"), "user.password": old},
                {"$set": {"user.password": self.password}},
            )


def hash_password(password: str | bytes, cost: tuple[int, int, int] = _COST) -> str:
    """Return what is stored for a password: 80 characters, with a new random salt.

    Args:
        password: The password; text is encoded as UTF-8.
        cost: See `User.password_cost`.

    Raises:
        ValueError: A cost that scrypt or the 80 characters can't hold.

    Example:
        >>> len(hash_password("correct horse"))
        80
    """
    n, r, p = cost
    if not (10 <= n <= 20 and 1 <= r <= 9 and 1 <= p <= 9):
        raise ValueError(f"password_cost must be within (10-20, 1-9, 1-9), not {cost}")
    salt = os.urandom(_SALT_BYTES)
    digest = _scrypt(password, salt, cost)
    return f"scrypt${n}.{r}.{p}${_text(salt)}${_text(digest)}"


def verify(password: str | bytes, stored: str) -> bool:
    """Tell whether a password is the one that a text was made of, in constant time.

    Args:
        password: The password; text is encoded as UTF-8.
        stored: What `hash_password` or classic MongoKit made.

    Example:
        >>> verify("wrong", hash_password("correct horse"))
        False
    """
    found = _SCRYPT.fullmatch(stored)
    if found is not None:
        cost = (int(found["n"]), int(found["r"]), int(found["p"]))
        if not (10 <= cost[0] <= 20 and cost[1] and cost[2]):
            return False
        try:
            salt, digest = _bytes(found["salt"]), _bytes(found["digest"])
        except binascii.Error:
            return False
        return hmac.compare_digest(_scrypt(password, salt, cost), digest)
    return bool(_SHA1.fullmatch(stored)) and _verify_sha1(password, stored)


def _verify_sha1(password: str | bytes, stored: str) -> bool:
    """Compare with each way in which salt and SHA-1 may stand in the 80 digits.

    Every one is tried whatever the others say, so the time tells nothing.
    """
    right = False
    for salt, digest in ((stored[:40], stored[40:]), (stored[40:], stored[:40])):
        for salted in (
            _encoded(password) + salt.encode(),
            salt.encode() + _encoded(password),
        ):
            made = hashlib.sha1(salted, usedforsecurity=False).hexdigest()
            right |= hmac.compare_digest(made, digest)
    return right


def _cost_of(stored: str) -> tuple[int, int, int] | None:
    found = _SCRYPT.fullmatch(stored)
    return (int(found["n"]), int(found["r"]), int(found["p"])) if found else None


def _scrypt(password: str | bytes, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = 1 << cost[0], cost[1], cost[2]
    # OpenSSL counts a little more than 128 * r * N: RFC 7914, section 5 and 6.
    memory = 128 * r * (n + p + 2) + 65536
    return hashlib.scrypt(
        _encoded(password), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=_DIGEST_BYTES
    )


def _encoded(password: str | bytes) -> bytes:
    if not isinstance(password, (str, bytes)):
        raise TypeError(f"a password must be a text, not {type(password).__name__}")
    return password.encode() if isinstance(password, str) else password


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
