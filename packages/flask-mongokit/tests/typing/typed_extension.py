"""What type checkers infer; read by mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

from bson import ObjectId

import mongokit
from flask_mongokit import Document, MongoKit
from mongokit.manager import Documents

db = MongoKit()


@db.register
class Task(Document):
    __collection__ = "tasks"


class Plain(mongokit.Document):
    __collection__ = "plain"


assert_type(db.register(Task), type[Task])
assert_type(db.register([Task, Plain]), list[type[Any]])
assert_type(db.documents(Task).find_one(), Task | None)
assert_type(db.documents(Task).get_or_404(ObjectId()), Task)
assert_type(db.documents(Task).find_one_or_404({}), Task)
assert_type(db.documents(Task)(), Task)
assert_type(db.documents(Plain), Documents[Plain])
assert_type(db.documents(Plain).find_one(), Plain | None)
assert_type(Task().get_or_404("4e4ac5cfffc84958fa1f45fb"), Task)
assert_type(db.database, mongokit.Database)
assert_type(db["tasks"], mongokit.Collection)
assert_type(db.connection, mongokit.Connection)
