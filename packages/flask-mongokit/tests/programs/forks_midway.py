"""Fork while another thread is making the client, and so holds its lock."""

from __future__ import annotations

import os
import sys
import threading
import warnings

from flask import Flask

from flask_mongokit import MongoKit

# Python 3.12 and later warn of what this program is about.
warnings.simplefilter("ignore", DeprecationWarning)

begun, go_on = threading.Event(), threading.Event()
parent = os.getpid()


def address() -> str:
    """The server's address, after a while in the parent."""
    if os.getpid() == parent:
        begun.set()
        go_on.wait()
    return sys.argv[1]


def connect() -> None:
    """Use the database."""
    with app.app_context():
        db.connect()


app = Flask("tasks")
app.config |= {"MONGODB_URI": address, "MONGODB_DATABASE": sys.argv[2]}
db = MongoKit(app)
thread = threading.Thread(target=connect)
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    connect()
    print("child: connected", flush=True)  # noqa: T201
    db.close(app)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
go_on.set()
thread.join()
print("parent: connected", flush=True)  # noqa: T201
