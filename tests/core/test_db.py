"""One client per app, bounded waits, and a server that may go and come back."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import jsonify
from pymongo import MongoClient

from app import create_app
from app.core import embedded
from app.core.db import db
from mongokit import Document, UnknownFieldError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask, Response
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    AppMaker = Callable[..., Flask]

KEY = "kX2vQ9wLr7TzB4nYp8HsD3mJf6GcA1eUoZ5i"


class Marked(Document):
    """A document with an index."""

    __collection__ = "marked"
    structure = {"name": str}
    indexes = [{"fields": ["name"], "unique": True}]


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> type[Marked]:
    """`Marked`, registered for this test alone."""
    monkeypatch.setattr(db, "_documents", dict(db._documents))
    return db.register(Marked)


@pytest.fixture
def raw(mongodb_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client beside the apps."""
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        yield client


def counting(app: Flask) -> FlaskClient:
    """A client of the app, whose /api/things reads the database."""

    @app.get("/api/things")
    def things() -> Response:
        return jsonify(names=[thing["name"] for thing in db["things"].find()])

    return app.test_client()


# Options ----------------------------------------------------------------------------------------


def test_waits_are_bounded_by_the_configuration(make_app: AppMaker) -> None:
    app = make_app(
        MONGODB_SERVER_SELECTION_TIMEOUT_MS=1500,
        MONGODB_CONNECT_TIMEOUT_MS="2500",
        MONGODB_SOCKET_TIMEOUT_MS=3500,
    )

    with app.app_context():
        options = db.connection.options

    assert options.server_selection_timeout == 1.5
    assert options.pool_options.connect_timeout == 2.5
    assert options.pool_options.socket_timeout == 3.5


def test_writes_are_journaled_and_dates_are_aware(app: Flask) -> None:
    with app.app_context():
        assert db.connection.write_concern.document["j"] is True
        assert db.connection.options.retry_writes
        assert db.connection.codec_options.tz_aware


def test_option_in_the_uri_holds_before_the_setting(make_app: AppMaker, mongodb_uri: str) -> None:
    app = make_app(MONGODB_URI=f"{mongodb_uri}?serverSelectionTimeoutMS=700&journal=false")

    with app.app_context():
        assert db.connection.options.server_selection_timeout == 0.7
        assert db.connection.write_concern.document == {"j": False}


def test_host_and_port_are_an_address(
    make_app: AppMaker, mongodb_uri: str, database_name: str
) -> None:
    found = re.search(r"//([^:/]+):(\d+)", mongodb_uri)
    assert found

    app = make_app(MONGODB_URI=None, MONGODB_HOST=found[1], MONGODB_PORT=found[2])

    with app.app_context():
        assert db.connection.address == (found[1], int(found[2]))
        assert db.database.name == database_name


# One client per app -----------------------------------------------------------------------------


def test_making_the_app_opens_no_connection(make_app: AppMaker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        app = make_app(MONGODB_URI=f"mongodb://127.0.0.1:{listener.getsockname()[1]}/")
        app.test_client().get("/healthz")

        with pytest.raises(BlockingIOError):
            listener.accept()


def test_two_apps_in_one_process_never_see_each_other(
    make_app: AppMaker, raw: MongoClient[dict[str, Any]], database_name: str
) -> None:
    other_name = f"{database_name}_b"
    first, second = make_app(), make_app(MONGODB_DATABASE=other_name)
    try:
        with first.app_context():
            db["things"].insert_one({"name": "of the first"})
        with second.app_context():
            db["things"].insert_one({"name": "of the second"})
            with first.app_context():
                assert db.database.name == database_name
            assert db.database.name == other_name

        assert counting(first).get("/api/things").get_json() == {"names": ["of the first"]}
        assert counting(second).get("/api/things").get_json() == {"names": ["of the second"]}
        with first.app_context():
            client = db.connection
        with second.app_context():
            assert db.connection is not client
    finally:
        raw.drop_database(other_name)


def test_threads_of_one_app_share_one_client(app: Flask) -> None:
    clients = []

    def use() -> None:
        with app.app_context():
            db.database.command("ping")
            clients.append(db.connection)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(clients) == 8
    assert len(set(map(id, clients))) == 1


# Indexes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", ["development", "testing"])
def test_declared_indexes_are_created_at_first_use(
    make_app: AppMaker, marked: type[Marked], environment: str
) -> None:
    app = make_app(APP_ENV=environment)

    with app.app_context():
        assert "name_1" in db["marked"].index_information()


def test_production_creates_no_index(make_app: AppMaker, marked: type[Marked]) -> None:
    app = make_app(APP_ENV="production", SECRET_KEY=KEY)

    with app.app_context():
        db["marked"].insert_one({"name": "Ada"})

        assert list(db["marked"].index_information()) == ["_id_"]
        assert "marked.name_1" in db.missing_indexes()


def test_data_that_forbids_an_index_leaves_the_app_working(
    app: Flask,
    marked: type[Marked],
    raw: MongoClient[dict[str, Any]],
    database_name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw[database_name].marked.insert_many([{"name": "twice"}, {"name": "twice"}])

    with app.app_context():
        assert db["marked"].count_documents({}) == 2

    assert "an index can't be created" in caplog.text
    assert "twice" not in caplog.text


# A server that goes, and comes back -------------------------------------------------------------


class Engine:
    """An engine of the test's own on a fixed port, to be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "empty.toml"
        self.config.touch()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(  # noqa: S603 - the engine beside our interpreter
            [
                str(Path(sys.executable).parent / "secantusd-py"),
                *("--config", str(self.config), "--host", "127.0.0.1", "--port", str(self.port)),
                *("--storage-path", str(self.folder / "data"), "--sync-on-commit"),
                *("--log-level", "INFO"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("SECANTUS_")},
        )
        assert self.process.stderr is not None
        assert any("listening on" in line for line in self.process.stderr)
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self) -> None:
        """Kill it: a server that goes says nothing before."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stderr is not None:
                self.process.stderr.close()
            self.process = None


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def answer_once_it_is_there(client: FlaskClient) -> TestResponse:
    """The first answer that is not 503: the driver may look for the server every half second."""
    deadline = time.monotonic() + 30
    while (answer := client.get("/api/things")).status_code == 503:
        assert time.monotonic() < deadline
    return answer


@pytest.mark.lifecycle
def test_server_that_is_down_is_503_within_the_bound_and_the_app_recovers(
    make_app: AppMaker, tmp_path: Path
) -> None:
    engine = Engine(tmp_path)
    app = make_app(
        MONGODB_URI=f"mongodb://127.0.0.1:{engine.port}/", MONGODB_REQUEST_TIMEOUT_MS=1_000
    )
    client = counting(app)
    try:
        with at_most(5):
            never_there = client.get("/api/things")
        engine.start()
        there = answer_once_it_is_there(client)
        engine.stop()
        with at_most(5):
            gone = client.get("/api/things")
        engine.start()
        back = answer_once_it_is_there(client)
    finally:
        db.close(app)
        engine.stop()

    assert [a.status_code for a in (never_there, there, gone, back)] == [503, 200, 503, 200]
    for answer in (never_there, gone):
        assert answer.mimetype == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0


def test_server_that_takes_a_connection_and_says_nothing_is_503_within_the_bound(
    make_app: AppMaker,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = make_app(
            MONGODB_URI=f"mongodb://127.0.0.1:{silent.getsockname()[1]}/",
            MONGODB_REQUEST_TIMEOUT_MS=500,
        )
        with at_most(5):
            answer = counting(app).get("/api/things")
        db.close(app)

    assert answer.status_code == 503


def test_server_that_is_slow_is_503_within_the_bound_of_a_request(
    make_app: AppMaker, raw: MongoClient[dict[str, Any]], database_name: str
) -> None:
    app = make_app(MONGODB_OPTIONS={"appname": database_name}, MONGODB_REQUEST_TIMEOUT_MS=400)
    client = counting(app)
    assert client.get("/api/things").status_code == 200
    fault = {
        "failCommands": ["find"],
        "blockConnection": True,
        "blockTimeMS": 3_000,
        "appName": database_name,
    }
    raw.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fault)

    with at_most(2.5):
        slow = client.get("/api/things")

    assert slow.status_code == 503


# The embedded engine ----------------------------------------------------------------------------


@pytest.fixture
def on_embedded(tmp_path: Path) -> Iterator[Flask]:
    """An app without an address."""
    folder = tmp_path / "instance"
    app = create_app({"APP_ENV": "testing", "INSTANCE_PATH": str(folder)})
    yield app
    db.close(app)
    embedded.detach(folder)


def keeper_of(folder: Path) -> int:
    """The process that keeps the folder's engine; 0 while one is being started."""
    try:
        record = json.loads((folder / "engine" / "engine.json").read_text())
    except FileNotFoundError:
        return 0
    return int(record["keeper"])


@pytest.mark.lifecycle
def test_embedded_engine_serves_without_an_address_and_survives_kills(
    on_embedded: Flask, tmp_path: Path
) -> None:
    folder = tmp_path / "instance"
    client = counting(on_embedded)
    assert not folder.exists()

    assert client.get("/api/things").get_json() == {"names": []}
    with on_embedded.app_context():
        db["things"].insert_one({"name": "kept"})
    keeper = keeper_of(folder)
    os.kill(keeper, signal.SIGKILL)  # the engine ends with it

    deadline = time.monotonic() + 60
    while keeper_of(folder) in (0, keeper):
        assert client.get("/api/things").status_code in (200, 503)
        assert time.monotonic() < deadline

    assert client.get("/api/things").get_json() == {"names": ["kept"]}


def test_engine_that_cannot_start_is_503_and_said_in_the_log(
    make_app: AppMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a_file").touch()
    app = make_app(MONGODB_URI=None, INSTANCE_PATH=str(tmp_path / "a_file"))

    answer = counting(app).get("/api/things")

    assert answer.status_code == 503
    assert "set MONGODB_URI" in caplog.text
    assert "a_file" not in answer.text


def test_command_ends_with_the_message_when_the_engine_cannot_start(
    make_app: AppMaker, tmp_path: Path
) -> None:
    (tmp_path / "a_file").touch()
    app = make_app(MONGODB_URI=None, INSTANCE_PATH=str(tmp_path / "a_file"))

    result = app.test_cli_runner().invoke(args=["db", "status"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "set MONGODB_URI" in result.output


def test_engine_is_never_asked_for_when_there_is_an_address(
    make_app: AppMaker, tmp_path: Path
) -> None:
    client = counting(make_app())

    assert client.get("/api/things").status_code == 200
    assert not (tmp_path / "instance").exists()


@pytest.mark.parametrize("environment", ["development", "testing"])
def test_queries_are_checked_outside_production(
    make_app: Callable[..., Flask], environment: str
) -> None:
    app = make_app(APP_ENV=environment)

    with app.app_context(), pytest.raises(UnknownFieldError, match=r"did you mean name\?"):
        db.User.find_one({"nmae": "Ada"})


def test_queries_cost_nothing_more_in_production(make_app: Callable[..., Flask]) -> None:
    app = make_app(APP_ENV="production", SECRET_KEY=KEY)

    with app.app_context():
        assert db.User.find_one({"nmae": "Ada"}) is None
