"""Use the database in a process, in a fork of it, and in the process again."""

from __future__ import annotations

import os
import sys
import warnings

from flask import Flask

from flask_mongokit import MongoKit

# Python 3.12 and later warn of forks beside the driver's threads.
warnings.simplefilter("ignore", DeprecationWarning)

asked: list[int] = []


def address() -> str:
    """The server's address."""
    asked.append(os.getpid())
    return sys.argv[1]


def say(text: str) -> None:
    """Print at once: a fork must not print it again."""
    print(text, flush=True)  # noqa: T201


def wait(child: int) -> None:
    """Wait for a child, which must end well."""
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


app = Flask("tasks")
app.config |= {"MONGODB_URI": address, "MONGODB_DATABASE": sys.argv[2]}
db = MongoKit(app)
with app.app_context():
    db["log"].insert_one({})
    parent = db.connection
    session = parent.start_session()
    db["log"].find_one(session=session)
    assert asked == [os.getpid()]
    say(f"parent: asked once, {db['log'].count_documents({})} document")

    child = os.fork()
    if child == 0:
        db["log"].insert_one({})
        assert asked[1:] == [os.getpid()]
        assert db.connection is not parent
        say(f"child: asked again, another client, {db['log'].count_documents({})} documents")
        sys.exit()
    wait(child)

    child = os.fork()
    if child == 0:
        say("grandchild: exits without use")
        sys.exit()
    wait(child)

    assert len(asked) == 1
    assert db.connection is parent
    count = db["log"].count_documents({}, session=session)
    session.end_session()
    say(f"parent: same client, same sessions, {count} documents")
