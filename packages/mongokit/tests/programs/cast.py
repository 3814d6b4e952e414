"""The cast of the examples in docstrings; run with `uri` and `name`, a server and a database."""

# uri and name are given by whoever runs this; MongoDB's datetimes are naive UTC unless asked
# ruff: noqa: F821, DTZ001
# mypy: disable-error-code="name-defined"

from __future__ import annotations

# The reference shows what follows.
from datetime import datetime

from mongokit import Connection, Document, VersionedDocument

connection = Connection(uri)
db = connection[name]


@connection.register
class User(Document):
    __collection__ = "users"
    structure = {"name": str, "email": str, "age": int}
    required_fields = ["name"]
    indexes = [{"fields": "email", "unique": True}]
    gridfs = {"files": ["photo"], "containers": ["images"]}
    use_dot_notation = True


@connection.register
class Post(Document):
    __collection__ = "posts"
    structure = {"title": str, "author": User, "published": datetime}
    use_autorefs = True


@connection.register
class Page(VersionedDocument):
    __collection__ = "pages"
    structure = {"text": str}


ada = db.User({"_id": 1, "name": "Ada", "email": "ada@example.org", "age": 36})
grace = db.User({"_id": 2, "name": "Grace", "email": "grace@example.org", "age": 45})
post = db.Post({"_id": 1, "title": "Notes", "author": ada, "published": datetime(1970, 1, 2)})
for each in (ada, grace, post):
    each.save()

collection = db.things
collection.insert_many([{"_id": number, "a": 1} for number in (1, 2, 3)])
user = db.User.get_from_id(1)

page = db.Page({"_id": "home", "text": "Hi"})
page.save()
page["text"] = "Hello"
page.save()
