"""A program of today; run with the address of a server and the name of a database."""

from __future__ import annotations

import copy
import pickle
import sys
from datetime import UTC, datetime
from uuid import uuid4

from bson import ObjectId

from mongokit import IS, OR, Connection, Database, Document, SchemaDocument, VersionedDocument
from mongokit.paginator import Paginator, keyset


class Address(SchemaDocument):
    structure = {"city": str}


class User(Document):
    __collection__ = "users"
    structure = {
        "name": str,
        "email": str,
        "age": OR(int, float),
        "state": IS("new", "known"),
        "address": Address,
        "tags": [str],
        "counters": {str: int},
        "created": datetime,
    }
    required_fields = ["name", "email"]
    default_values = {
        "state": "new",
        "created": lambda: datetime.now(UTC).replace(microsecond=0, tzinfo=None),
    }
    validators = {"name": lambda name: len(name) <= 50}
    indexes = [{"fields": "email", "unique": True}, {"fields": ["age", ("name", -1)]}]
    use_dot_notation = True


class Post(Document):
    __collection__ = "posts"
    structure = {"subject": str, "author": User}
    i18n = ["subject"]
    gridfs = {"files": ["picture"]}
    use_autorefs = True


class Page(VersionedDocument):
    __collection__ = "pages"
    structure = {"text": str}


def documents(db: Database) -> None:
    """Make, check, save, change, read, delete."""
    users = db.documents(User)
    assert users.generate_index(db["users"]) == ["email_1", "age_1_name_-1"]

    ada = users()
    ada.name, ada.email, ada.age = "Ada", "ada@example.org", 36
    ada.address = Address({"city": "London"})
    ada.counters["logins"] = 1
    assert ada.errors() == []
    ada.validate()
    ada.save()
    ada.age = 37
    ada.save()
    ada.reload()
    users({"_id": uuid4(), **{key: ada[key] for key in ada if key != "_id"}, "email": "b"}).save()

    assert users.find_one({"name": "Ada"}) == ada
    assert users.get_from_id(ada._id) == users.one({"email": "ada@example.org"}) == ada
    assert users.find_one(ObjectId()) is None
    assert len(users.find({"age": {"$gt": 30}}).sort("name").limit(5).to_list()) == 2
    assert [user.name for user in users.find()[0:1]] == ["Ada"]
    assert users.count({"name": "Ada"}) == 2
    assert users.distinct("address.city") == ["London"]
    assert users.find_random() is not None
    assert sum(1 for _ in users.fetch()) == 2
    assert Paginator(users.find(), limit=1).num_pages == 2
    page = keyset({}, "name", after=["A", ObjectId()])
    assert len(users.find(page.filter).sort(page.sort).to_list()) == 2
    assert pickle.loads(pickle.dumps(ada)) == copy.deepcopy(ada) == ada  # noqa: S301
    assert ada.to_json()
    ada.delete()


def others(db: Database) -> None:
    """References, languages, files, revisions."""
    author = db.documents(User)()
    author.name, author.email = "Grace", "grace@example.org"
    author.save()
    post = db.documents(Post)()
    post["author"] = author
    post["subject"] = {"en": "Notes"}
    post.save()
    post.fs.picture = b"png"
    found = db.documents(Post).find_one()
    assert found is not None
    assert found["author"] == author
    assert found.fs.picture == b"png"

    page = db.documents(Page)({"text": "a"})
    page.save()
    page["text"] = "b"
    page.save()
    assert page.get_last_revision_id() == 2


def driver(db: Database) -> None:
    """PyMongo's own calls on our objects, and a transaction."""
    things = db["things"]
    things.insert_many([{"_id": n} for n in range(3)])
    things.update_many({}, {"$set": {"a": 1}})
    things.create_index([("a", 1)])
    assert things.count_documents({}) == 3
    assert len(things.find({}, {"a": 1}, sort=[("_id", 1)]).to_list()) == 3
    assert len(list(things.aggregate([{"$match": {"a": 1}}]))) == 3
    assert things.find_one_and_delete({"_id": 1}) == {"_id": 1, "a": 1}
    assert "things" in db.list_collection_names()

    with db.client.start_session() as session, session.start_transaction():
        things.insert_one({"_id": 9}, session=session)
        user = db.documents(User)({**User(), "name": "Tom", "email": "tom@example.org"})
        user.save(session=session)
    assert db.documents(User).count({"name": "Tom"}) == 1


if __name__ == "__main__":
    with Connection(sys.argv[1], maxPoolSize=5) as connection:
        connection.register([User, Post, Page])
        database = connection[sys.argv[2]]
        documents(database)
        others(database)
        driver(database)
        connection.drop_database(database)
    sys.stdout.write("done\n")
