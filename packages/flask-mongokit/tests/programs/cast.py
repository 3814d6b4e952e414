"""The cast of the examples in docstrings; run with `uri` and `name`, a server and a database."""

# uri and name are given by whoever runs this
# ruff: noqa: F821
# mypy: disable-error-code="name-defined"

from __future__ import annotations

# The reference shows what follows.
from flask import Flask

from flask_mongokit import Document, MongoKit

app = Flask("tasks")
app.config |= {"MONGODB_URI": uri, "MONGODB_DATABASE": name}
db = MongoKit(app)


@db.register
class Task(Document):
    __collection__ = "tasks"
    structure = {"title": str}
    indexes = [{"fields": "title"}]


with app.app_context():
    db.Task({"_id": 1, "title": "Write"}).save()
