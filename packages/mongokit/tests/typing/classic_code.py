"""That code as it was written for classic MongoKit passes; read by mypy and pyright, never run."""

from __future__ import annotations

import datetime
from typing import Any, assert_type

from mongokit import IS, NOT, OR, Connection, CustomType, Document, ObjectId, Set
from mongokit.paginator import Paginator


def max_length(length: int) -> Any:
    def validate(value: str) -> bool:
        if len(value) <= length:
            return True
        raise ValueError("%s must be shorter")

    return validate


class Fraction(CustomType):
    mongo_type = str
    python_type = float

    def to_bson(self, value: Any) -> Any:
        return str(value)

    def to_python(self, value: Any) -> Any:
        return float(value)


class BlogPost(Document):
    __database__ = "test"
    __collection__ = "posts"
    structure = {
        "title": str,
        "body": str,
        "state": IS("draft", "published"),
        "id": OR(int, ObjectId),
        "anything": NOT(bytes),
        "score": Fraction(),
        "tags": Set(str),
        "position": (float, float),
        "comments": [{"author": str, "at": datetime.datetime}],
        "counters": {str: int},
    }
    required_fields = ["title"]
    default_values = {"body": "", "comments": []}
    validators = {"title": max_length(50), "body": [max_length(120)]}
    use_dot_notation = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        self["body"] = self["body"].strip()
        super().save(*args, **kwargs)

    @property
    def slug(self) -> str:
        return str(self.title).lower()


connection = Connection()
connection.register([BlogPost])

post = connection.BlogPost()
post.title = "MongoKit"
post.save()
post["title"] = "on Python 3"
post.validate()

post = connection.test.posts.BlogPost({"title": "x"})
post = connection.test.BlogPost.find_one({"title": "x"})
for post in connection.BlogPost.find({"title": "x"}).sort("title").limit(3):
    post.delete()

page = Paginator(connection.BlogPost.find(), page=1, limit=10)
assert_type(page.num_pages, int)
assert_type(page.has_next, bool)

mine = BlogPost(collection=connection.test.posts)
assert_type(mine, BlogPost)
assert_type(mine.slug, str)
mine.save(safe=False)
mine.save(True, None, True, w=1)

things = connection.test.things
things.insert({"a": 1})
things.update({"a": 1}, {"$set": {"a": 2}}, upsert=True, multi=True)
things.remove({"a": 1})
things.find(spec={"a": 1}, fields=["a"], timeout=False).count()
