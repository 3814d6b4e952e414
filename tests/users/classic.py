"""The user as classic MongoKit would declare it: the same document, said in a `structure`.

The tutorial shows this form beside the annotated one, and the doors' tests run on both.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId

from app.users.documents import email_address, not_blank, printable, tidy
from mongokit import IS, Document, utcnow
from mongokit.validators import max_length


class User(Document):
    """A person with a name and an e-mail address that nobody else has.

    Attributes:
        name: The name, in any script.
        email: The e-mail address, as its owner writes it, since mail goes there.
        email_key: What the address is compared by; made anew at each save, unique.
        name_key: What the name is ordered and searched by, and the `_id`; made anew at each save.
        shared: How many first characters the name and the address have in common, both as they are
            searched: an address that begins with less than that is found by the name already.
        role: What the user may do.
        password_hash: The password's argon2id hash; None for who can't sign in.
        epoch: How often the user was signed out everywhere.
        version: How often the document was stored or changed.
        created: When the user was added.
    """

    __collection__ = "users"
    structure = {
        "name": str,
        "email": str,
        "email_key": str,
        "name_key": str,
        "shared": int,
        "role": IS("member", "admin"),
        "password_hash": str,
        "epoch": int,
        "version": int,
        "created": datetime,
    }
    required_fields = ["name", "email", "created"]
    default_values = {"role": "member", "epoch": 0, "version": 0, "created": utcnow}
    validators = {
        "name": [max_length(50), not_blank, printable],
        "email": [max_length(120), not_blank, email_address],
    }
    field_titles = {"email": "E-mail", "role": "Role", "created": "Added"}
    field_examples = {"name": ["Ada Lovelace"], "email": ["ada@example.org"]}
    read_only_fields = ["created"]
    hidden_fields = ["email_key", "name_key", "shared", "password_hash", "epoch", "version"]
    version_field = "version"
    indexes = [
        {"fields": "email_key", "unique": True},
        {"fields": "name_key"},
        {"fields": [("role", 1), ("_id", 1)]},
        {"fields": [("role", 1), ("name_key", 1)]},
        {"fields": [("role", 1), ("email_key", 1)]},
        {"fields": [("shared", 1), ("email_key", 1)]},
        {"fields": [("role", 1), ("shared", 1), ("email_key", 1)]},
    ]
    use_dot_notation = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Tidy the fields, then save."""
        if self.get("_id") is None:
            dict.__setitem__(self, "_id", ObjectId())
        dict.update(self, tidy(self))
        super().save(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<User {self.get('name')!r}>"
