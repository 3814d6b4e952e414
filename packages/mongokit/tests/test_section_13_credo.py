"""Section 13: tools change, not data. What classic MongoKit stored is read and saved unchanged."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import pytest
from bson import Binary, Code, DBRef, Int64, ObjectId, Regex
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from mongokit import IS, OR, Collection, Connection, CustomType, Document, Set

WRITTEN = datetime(2014, 3, 9, 20, 15, 30, 123000)  # noqa: DTZ001 - the driver reads UTC as naive


class Day(CustomType):
    mongo_type = str
    python_type = datetime

    def to_bson(self, value: Any) -> Any:
        return value and value.strftime("%y-%m-%d")

    def to_python(self, value: Any) -> Any:
        return value and datetime.strptime(value, "%y-%m-%d")  # noqa: DTZ007 - a day has no zone


class Author(Document):
    structure = {"name": str}


class Post(Document):
    structure = {
        "_type": str,
        "title": str,
        "tags": Set(str),
        "day": Day(),
        "author": Author,
        "state": IS("draft", "done"),
        "views": OR(int, float),
        "written": datetime,
        "places": [{"name": str, "at": (float, float)}],
        "counts": {str: int},
        "free": dict,
        "any": None,
        "extra": {"raw": Binary, "ref": DBRef, "code": Code, "pattern": None, "key": uuid.UUID},
    }
    i18n = ["title"]
    use_autorefs = True
    use_dot_notation = True


def stored_post(author: ObjectId, database: str) -> dict[str, Any]:
    """A post with every on-disk form, its fields in an order that nobody would declare today."""
    return {
        "_id": "Post-1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "counts": {"b": 2, "a": Int64(2**40)},
        "title": [{"lang": "fr", "value": "Salut"}, {"lang": "en", "value": "Hello"}],
        "_type": "Post",
        "tags": ["alpha", "beta"],
        "day": "08-02-01",
        "author": DBRef("authors", author, database),
        "state": "done",
        "views": Int64(2**33),
        "written": WRITTEN,
        "places": [{"at": [1.5, 2.5], "name": "Ω"}],
        "free": {"deep": [1, {"x": None}]},
        "any": [True, 1.5],
        "extra": {
            "ref": DBRef("elsewhere", 7, "other"),
            "raw": b"\x00\x01",
            "code": Code("function () {}"),
            "pattern": Regex("^a", "i"),
            "key": uuid.UUID(int=7),
        },
    }


def raw(collection: Collection, **query: Any) -> bytes:
    """The bytes that the server has."""
    options = CodecOptions(document_class=RawBSONDocument)
    found: Any = collection.with_options(codec_options=options).find_one(query or {})
    return bytes(found.raw)


@pytest.fixture
def post(connection: Connection, col: Collection) -> Collection:
    connection.register([Author, Post])
    author = ObjectId()
    col.database["authors"].insert_one({"_id": author, "name": "Ada"})
    col.insert_one(stored_post(author, col.database.name))
    return col


def test_what_classic_stored_reads_and_validates(post: Collection) -> None:
    found = post.Post.one()

    assert found is not None
    assert found.errors() == []
    found.validate()
    assert found.title == "Hello"
    assert found.author["name"] == "Ada"
    assert found.tags == {"alpha", "beta"}
    assert found.day.year == 2008


def test_reading_validating_and_saving_changes_no_byte(post: Collection) -> None:
    before = raw(post)
    found = post.Post.one()
    assert found is not None

    found.validate()
    found.save()

    assert raw(post) == before
    assert list(post.database["authors"].find({}, {"_id": 0})) == [{"name": "Ada"}]


def test_a_change_changes_that_field_alone(post: Collection) -> None:
    before: dict[str, Any] = post.find_one() or {}
    found = post.Post.one()
    assert found is not None

    found.title = "Hi"
    found.save()

    after: dict[str, Any] = post.find_one() or {}
    assert after.pop("title") == [{"lang": "fr", "value": "Salut"}, {"lang": "en", "value": "Hi"}]
    del before["title"]
    assert after == before
    assert list(after) == list(before)


def test_nothing_is_stored_that_was_not_declared(connection: Connection, col: Collection) -> None:
    class Thing(Document):
        structure = {"name": str}
        use_dot_notation = True

    connection.register(Thing)
    thing = col.Thing()
    thing.name = "x"
    thing.plain_attribute = "not stored"
    thing.set_lang("fr")
    thing.save()
    thing.save()

    assert col.find_one() == {"_id": thing["_id"], "name": "x"}
