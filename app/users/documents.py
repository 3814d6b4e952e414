"""What a user is: the one declaration that the API, the forms and the files are made from."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

import email_validator
from annotated_types import MaxLen
from bson import ObjectId

from app.core.db import db
from mongokit import Document, ValidationError, field, utcnow

# Syntax only: .local, .test and the like are addresses in many a house (the library's
# documentation names this list as the place to allow them).
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

Role = Literal["member", "admin"]
DERIVED = ("email_key", "name_key", "shared")  # what `tidy` makes of the name and the address
_LINE_ENDS = "\t\n\r"  # the control characters that people do write inside a name
_INVISIBLE = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")  # not Cn: newer characters than Python's tables


def not_blank(value: object) -> bool:
    """Not empty, nor of spaces and invisible characters alone.

    True also for what is no text. The first line is shown to clients, as the field's rule.

    Args:
        value: What the document holds.

    Raises:
        ValidationError: The text is empty, or of spaces and invisible characters alone.

    Example:
        >>> not_blank("Ada")
        True
    """
    if isinstance(value, str) and all(unicodedata.category(c) in _INVISIBLE for c in value):
        raise ValidationError("%s must not be empty", rule="blank")
    return True


def printable(value: object) -> bool:
    """No control characters but line breaks and tabs.

    True for text in any script, and for what is no text.

    Args:
        value: What the document holds.

    Raises:
        ValidationError: The text holds another control character (NUL, say), or half a surrogate
            pair, which UTF-8 can't hold.

    Example:
        >>> printable("Zoë")
        True
    """
    if isinstance(value, str):
        for char in value:
            if unicodedata.category(char) in ("Cc", "Cs") and char not in _LINE_ENDS:
                raise ValidationError("%s must not hold control characters", rule="characters")
    return True


def email_address(value: object) -> bool:
    """A well-formed e-mail address; nothing is looked up.

    True also for what is no text.

    Args:
        value: What the document holds.

    Raises:
        ValidationError: The text is no address by RFC 5321 and RFC 6531, or its domain has no
            dot. `localhost` alone needs none: the old pattern's own user lives there.

    Example:
        >>> email_address("admin@localhost")
        True
    """
    if isinstance(value, str) and _read_email(value) is None:
        raise ValidationError("%s must be an e-mail address, like ada@example.org", rule="email")
    return True


def email_key(address: str) -> str:
    """Return what addresses are compared by: two users never have the same key.

    The domain as DNS has it (IDNA, lower case); before the @ without letter case and compatibility
    forms. Where the text is no address, the whole of it is treated as that part.

    Args:
        address: An e-mail address.

    Example:
        >>> email_key("Ada@EXAMPLE.org") == email_key("ada@example.org")
        True
    """
    read = _read_email(address)
    return _fold(address) if read is None else read[1]


def search_key(text: str) -> str:
    """Return what names are ordered and searched by: no letter case, single spaces, no ends.

    Args:
        text: A name, or the beginning of one.

    Example:
        >>> search_key(" Ada  LOVELACE ")
        'ada lovelace'
    """
    return " ".join(_fold(text).split())


def tidy(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields in the form that is stored; what is no text stays as it is.

    Names are trimmed and in Unicode's normal form C. E-mail addresses are trimmed too, their
    domain is in lower case and Unicode (not Punycode). What lists are ordered and searched by comes
    with them, as far as the fields tell: `email_key` with the address, `name_key` with the name and
    the `_id`, `shared` with the name and the address.

    Args:
        fields: Some or all fields of a user.

    Example:
        >>> tidy({"name": " Ada ", "email": "Ada@EXAMPLE.org"})
        {'name': 'Ada', 'email': 'Ada@example.org', 'email_key': 'ada@example.org', 'shared': 3}
    """
    tidied = dict(fields)
    name, email = fields.get("name"), fields.get("email")
    searched = ""
    if isinstance(name, str):
        tidied["name"] = unicodedata.normalize("NFC", name).strip()
        searched = search_key(name)
        if (_id := fields.get("_id")) is not None:
            # A tab is in no search key and before all that may be: so the key is unique, and the
            # order is that of the names, then of the ids.
            tidied["name_key"] = f"{searched}\t{_id}"
    if isinstance(email, str):
        email = email.strip()
        read = _read_email(email)
        tidied["email"] = email if read is None else read[0]
        tidied["email_key"] = email_key(email)
        if isinstance(name, str):
            tidied["shared"] = _in_common(searched, tidied["email_key"])
    return tidied


@db.register
class User(Document):
    """A person with a name and an e-mail address that nobody else has.

    Everything that is known of a user's fields is said here: the API and its description, the form,
    the files' columns and the server's own validator are made of it. docs/decisions/user-email.md
    says why there are two of the address.

    Attributes:
        name: The name, in any script.
        email: The e-mail address, as its owner writes it, since mail goes there.
        email_key: What the address is compared by; made anew at each save, unique.
        name_key: What the name is ordered and searched by, and the `_id`; made anew at each save.
        shared: How many first characters the name and the address have in common, both as they are
            searched: an address that begins with less than that is found by the name already.
        role: What the user may do; docs/permissions.md has the table.
        password_hash: The password's argon2id hash; None for who can't sign in.
        epoch: How often the user was signed out everywhere: a session of an earlier epoch is over.
        version: How often the document was stored or changed.
        created: When the user was added.

    Example:
        >>> user = db.users.User()
        >>> user.name, user.email = "admin", "admin@localhost"
        >>> user.save()
        >>> list(db.users.User.find())
        [<User 'admin'>]
    """

    __collection__ = "users"
    name: Annotated[str, MaxLen(50), not_blank, printable] = field(examples=["Ada Lovelace"])
    email: Annotated[str, MaxLen(120), not_blank, email_address] = field(
        title="E-mail", examples=["ada@example.org"]
    )
    email_key: str = field(default="", hidden=True)
    name_key: str = field(default="", hidden=True)
    shared: int = field(default=0, hidden=True)
    role: Role = field(default="member", title="Role")
    password_hash: str | None = field(default=None, hidden=True)
    epoch: int = field(default=0, hidden=True)
    version: int = field(default=0, hidden=True)
    created: datetime = field(default_factory=utcnow, read_only=True, title="Added")

    version_field = "version"
    # docs/decisions/listing.md says which list each of them serves.
    indexes = [
        {"fields": "email_key", "unique": True},
        {"fields": "name_key"},
        {"fields": [("role", 1), ("_id", 1)]},
        {"fields": [("role", 1), ("name_key", 1)]},
        {"fields": [("role", 1), ("email_key", 1)]},
        {"fields": [("shared", 1), ("email_key", 1)]},
        {"fields": [("role", 1), ("shared", 1), ("email_key", 1)]},
    ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Tidy the fields, then save; arguments and errors as in `mongokit.Document.save`."""
        if self.get("_id") is None:
            dict.__setitem__(self, "_id", ObjectId())  # `name_key` ends with it
        dict.update(self, tidy(self))
        super().save(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<User {self.get('name')!r}>"


@db.register
class Token(Document):
    """What lets a program in: a secret that its owner was shown once, kept as a hash.

    Attributes:
        user: The `_id` of the owner, as whom it acts.
        name: What it is for, in the owner's words.
        digest: SHA-256 of the secret. That is enough: the secret is random and long.
        hint: How the secret begins, to tell one token from another.
        scopes: What it is for.
        created: When it was made.
        expires: When it ends by itself; None for never.
        last_used: When it was used last, to the minute.

    Example:
        >>> db.documents(Token).find({"user": ada["_id"]}).limit(100)
    """

    __collection__ = "tokens"
    user: ObjectId = field(hidden=True)
    name: Annotated[str, MaxLen(50), not_blank, printable] = field(examples=["CI"])
    digest: str = field(hidden=True)
    hint: str = field(read_only=True, examples=["mk_7Yb2"])
    scopes: list[Literal["users:read", "users:write"]]
    created: datetime = field(default_factory=utcnow, read_only=True)
    expires: datetime | None = None
    last_used: datetime | None = field(default=None, read_only=True)

    indexes = [
        {"fields": "digest", "unique": True},
        {"fields": ["user", "_id"]},
        {"fields": "expires", "expireAfterSeconds": 0},  # the server removes it then
    ]


def _read_email(address: str) -> tuple[str, str] | None:
    """Return the address as stored and as compared, or None for what is no address."""
    # Before it is parsed and remembered: RFC 3696, erratum 1690, gives 254 as the longest.
    return _parse_email(address) if len(address) <= 254 else None


@lru_cache(maxsize=4096)  # a batch of an import asks for each address several times
def _parse_email(address: str) -> tuple[str, str] | None:
    try:
        read = email_validator.validate_email(
            address, check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailSyntaxError:
        return None
    # Nearly every domain without a dot is a slip of the finger (ada@example), and an IP address
    # in place of a name belongs in brackets (RFC 5321, 4.1.3).
    _, dot, top = read.ascii_domain.rpartition(".")
    if top.isdigit() or not (dot or top == "localhost"):
        return None
    return read.normalized, f"{_fold(read.local_part)}@{read.ascii_domain}"


def _in_common(one: str, other: str) -> int:
    """Return how many first characters two texts have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _fold(text: str) -> str:
    # Unicode 16.0, 3.13.5, D146: compatibility caseless match.
    normalize = unicodedata.normalize
    once = normalize("NFKC", normalize("NFD", text).casefold())
    return normalize("NFKC", once.casefold())
