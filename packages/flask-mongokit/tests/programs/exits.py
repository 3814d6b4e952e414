"""Use a client and end; say whether it is closed by then."""

from __future__ import annotations

import atexit
import sys

from flask import Flask
from pymongo.errors import InvalidOperation

from flask_mongokit import MongoKit


def say() -> None:
    """Print what became of the client."""
    try:
        client.list_database_names()
        print("still open", flush=True)  # noqa: T201
    except InvalidOperation:
        print("closed", flush=True)  # noqa: T201


atexit.register(say)  # runs last: what was registered first
app = Flask("tasks")
app.config |= {"MONGODB_URI": sys.argv[1], "MONGODB_DATABASE": sys.argv[2]}
db = MongoKit(app)
with app.app_context():
    db.connect()
    client = db.connection
say()
