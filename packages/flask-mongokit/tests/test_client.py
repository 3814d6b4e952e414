"""One client for each app and process: when it is made, made anew, and closed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, current_app
from pymongo.errors import ConfigurationError, InvalidOperation, ServerSelectionTimeoutError

from flask_mongokit import MongoKit, client_created

if TYPE_CHECKING:
    from mongokit import Connection

PROGRAMS = Path(__file__).parent / "programs"


def run_program(name: str, mongodb_uri: str, database_name: str) -> str:
    """What a program of `tests/programs` prints; a warning about an open client fails it."""
    command = [sys.executable, "-W", "error::ResourceWarning", str(PROGRAMS / name)]
    done = subprocess.run(  # noqa: S603
        [*command, mongodb_uri, database_name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def watch_lock(db: MongoKit, app: Flask) -> threading.Semaphore:
    """Count who comes to the lock under which an app's client is made."""
    state = db._states[app]
    entered = threading.Semaphore(0)

    class Lock:
        lock: Any = state._lock

        def __enter__(self) -> None:
            entered.release()
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    state._lock = Lock()  # type: ignore[assignment]
    return entered


def test_requests_share_one_client(make_app: Any) -> None:
    db = MongoKit()
    app: Flask = make_app(db)
    clients = []

    @app.get("/")
    def index() -> str:
        clients.append(db.connection)
        return str(db.name)

    for _ in range(3):
        assert app.test_client().get("/").status_code == 200

    assert len({id(client) for client in clients}) == 1


def test_threads_at_first_use_make_one_client(make_app: Any, mongodb_uri: str) -> None:
    db = MongoKit()
    asked: list[int] = []
    start = threading.Barrier(8)

    def address() -> str:
        asked.append(threading.get_ident())
        return mongodb_uri

    app = make_app(db, MONGODB_URI=address)

    def use() -> Connection:
        start.wait()
        with app.app_context():
            return db.connection

    with ThreadPoolExecutor(8) as pool:
        clients = [future.result() for future in [pool.submit(use) for _ in range(8)]]

    assert len(asked) == 1
    assert all(client is clients[0] for client in clients)


def test_close_makes_the_next_use_ask_for_the_address_again(
    make_app: Any, mongodb_uri: str
) -> None:
    db = MongoKit()
    asked: list[str] = []

    def address() -> str:
        asked.append(mongodb_uri)
        return mongodb_uri

    app = make_app(db, MONGODB_URI=address)
    with app.app_context():
        old = db.connection
        db.connect()
        db.close()
        with pytest.raises(InvalidOperation):
            old.list_database_names()
        db.connect()

        assert db.connection is not old
    assert len(asked) == 2


def test_close_of_a_given_app_needs_no_context_and_no_client(make_app: Any) -> None:
    db = MongoKit()
    app = make_app(db)

    db.close(app)
    with app.app_context():
        client = db.connection
    db.close(app)
    db.close(app)

    with pytest.raises(InvalidOperation):
        client.list_database_names()


def test_error_of_the_address_reaches_the_caller_and_the_next_use_tries_again(
    make_app: Any, mongodb_uri: str
) -> None:
    db = MongoKit()
    answers = [OSError("no engine yet"), OSError("still none"), mongodb_uri]

    def address() -> str:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return str(answer)

    with make_app(db, MONGODB_URI=address).app_context():
        with pytest.raises(OSError, match="no engine yet"):
            db.connect()
        with pytest.raises(OSError, match="still none"):
            db.connect()
        db.connect()

        assert answers == []


def test_threads_that_waited_for_a_failed_attempt_get_its_error(make_app: Any) -> None:
    db = MongoKit()
    asked: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def address() -> str:
        asked.append("asked")
        begun.set()
        assert go_on.wait(20)
        raise OSError("no engine")

    app = make_app(db, MONGODB_URI=address)
    entered = watch_lock(db, app)

    def use() -> str:
        with app.app_context():
            try:
                db.connect()
            except OSError as error:
                return str(error)
        return "connected"

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(use)
        assert begun.wait(20)
        others = [pool.submit(use) for _ in range(3)]
        for _ in range(4):
            assert entered.acquire(timeout=20)
        go_on.set()

        assert [future.result() for future in [first, *others]] == ["no engine"] * 4
    assert asked == ["asked"]


def test_server_that_is_down_fails_within_the_bound_and_recovers(
    make_app: Any, mongodb_uri: str
) -> None:
    db = MongoKit()
    app = make_app(
        db,
        MONGODB_URI="mongodb://127.0.0.1:1/",
        MONGODB_OPTIONS={"serverSelectionTimeoutMS": 50},
    )

    with app.app_context():
        with pytest.raises(ServerSelectionTimeoutError):
            db.connect()
        app.config["MONGODB_URI"] = mongodb_uri
        db.close()
        db.connect()

        assert db.connected


def test_signal_is_sent_once_for_each_client_inside_the_context(make_app: Any) -> None:
    db = MongoKit()
    one, two = make_app(db), make_app(db)
    sent: list[tuple[Flask, object]] = []

    def receiver(app: Flask, client: Connection) -> None:
        assert current_app == app
        assert db.connection is client
        sent.append((app, client))

    with client_created.connected_to(receiver):
        for app in [one, two, one]:
            with app.app_context():
                db.connect()

    assert [app for app, _ in sent] == [one, two]
    assert sent[0][1] is not sent[1][1]


def test_other_threads_wait_for_the_receivers(make_app: Any) -> None:
    db = MongoKit()
    app = make_app(db)
    inside, go_on = threading.Event(), threading.Event()
    entered = watch_lock(db, app)

    def receiver(app: Flask, client: Connection) -> None:
        inside.set()
        assert go_on.wait(20)
        db["made"].insert_one({"_id": "by the receiver"})

    def use() -> object:
        with app.app_context():
            return db["made"].find_one()

    with client_created.connected_to(receiver, app), ThreadPoolExecutor(2) as pool:
        first = pool.submit(use)
        assert inside.wait(20)
        second = pool.submit(use)
        for _ in range(2):
            assert entered.acquire(timeout=20)
        go_on.set()

        assert first.result() == second.result() == {"_id": "by the receiver"}


def test_receiver_that_raises_leaves_no_client_and_is_asked_again(make_app: Any) -> None:
    db = MongoKit()
    app = make_app(db)
    clients: list[Connection] = []

    def receiver(app: Flask, client: Connection) -> None:
        clients.append(client)
        db.connect()
        if len(clients) == 1:
            raise LookupError("no index")

    with client_created.connected_to(receiver, app), app.app_context():
        with pytest.raises(LookupError, match="no index"):
            db.connect()
        with pytest.raises(InvalidOperation):
            clients[0].list_database_names()
        db.connect()

        assert db.connection is clients[1]


def test_configuration_that_the_client_refuses_leaves_nothing_open(make_app: Any) -> None:
    db = MongoKit()
    app = make_app(db, MONGODB_DATABASE="not a name")

    with app.app_context():
        with pytest.raises(Exception, match=r"not a name|cannot contain"):
            db.connect()
        app.config["MONGODB_OPTIONS"] = {"replicaSet": "a", "directConnection": "maybe"}
        with pytest.raises((ConfigurationError, ValueError)):
            db.connect()
    gc.collect()


def test_client_is_closed_when_the_app_is_gone(mongodb_uri: str, database_name: str) -> None:
    db = MongoKit()
    app = Flask("tasks")
    app.config |= {"MONGODB_URI": lambda: mongodb_uri, "MONGODB_DATABASE": database_name}
    db.init_app(app)
    with app.app_context():
        db.connect()
        client = db.connection
    gone = weakref.ref(app)

    del app
    gc.collect()

    assert gone() is None
    with pytest.raises(InvalidOperation):
        client.list_database_names()


def test_failed_first_use_does_not_keep_the_app_alive() -> None:
    db = MongoKit()
    app = Flask("tasks")
    app.config["MONGODB_URI"] = "nonsense://"
    db.init_app(app)
    with app.app_context(), pytest.raises(ConfigurationError):
        db.connect()
    gone = weakref.ref(app)

    del app
    gc.collect()

    assert gone() is None


def test_client_is_closed_at_exit(mongodb_uri: str, database_name: str) -> None:
    assert run_program("exits.py", mongodb_uri, database_name) == "still open\nclosed\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_fork_gets_a_client_of_its_own_and_leaves_the_parents_alone(
    mongodb_uri: str, database_name: str
) -> None:
    printed = run_program("forks.py", mongodb_uri, database_name)

    assert printed.splitlines() == [
        "parent: asked once, 1 document",
        "child: asked again, another client, 2 documents",
        "grandchild: exits without use",
        "parent: same client, same sessions, 2 documents",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_fork_while_another_thread_makes_the_client_does_not_hang(
    mongodb_uri: str, database_name: str
) -> None:
    printed = run_program("forks_midway.py", mongodb_uri, database_name)

    assert printed.splitlines() == ["child: connected", "parent: connected"]
