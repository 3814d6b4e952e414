"""`db.transaction()`: all of it or nothing, and commits whose result is unknown."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
)
from pymongo.monitoring import CommandListener, CommandStartedEvent
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from flask_mongokit import Document, MongoKit

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.replica_set


class Task(Document):
    __collection__ = "tasks"
    structure = {"title": str}


class Sent(CommandListener):
    """The commands that a client sent."""

    def __init__(self) -> None:
        self.commands: list[CommandStartedEvent] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append(event)

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...

    def named(self, name: str) -> list[CommandStartedEvent]:
        return [event for event in self.commands if event.command_name == name]


@pytest.fixture(scope="module")
def mongodb_uri(run_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this module's own: a server has one fail point for all its clients."""
    with run_engine(tmp_path_factory.mktemp("engine"), "--enable-test-commands") as port:
        yield f"mongodb://127.0.0.1:{port}/"


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def appname() -> str:
    return uuid4().hex


@pytest.fixture
def db(make_app: Any, sent: Sent, appname: str) -> Iterator[MongoKit]:
    db = MongoKit()
    db.register([Task])
    options = {
        "event_listeners": [sent],
        "appname": appname,
        "heartbeatFrequencyMS": 500,
        "serverMonitoringMode": "poll",
    }
    with make_app(db, MONGODB_OPTIONS=options).app_context():
        db["tasks"].insert_one({"_id": "before", "title": "Before"})
        yield db


@contextmanager
def failing_commits(mongodb_uri: str, appname: str, mode: Any, **data: Any) -> Iterator[None]:
    """Let the server fail the commits of the client of that name."""
    fault = {"failCommands": ["commitTransaction"], "appName": appname} | data
    with MongoClient[dict[str, object]](mongodb_uri) as client:
        client.admin.command("configureFailPoint", "failCommand", mode=mode, data=fault)
        try:
            yield
        finally:
            client.admin.command("configureFailPoint", "failCommand", mode="off")


def titles(db: MongoKit) -> list[str]:
    return sorted(task["title"] for task in db.Task.find())


def test_block_that_ends_is_committed_whole(db: MongoKit) -> None:
    with db.transaction() as session:
        db.Task({"title": "One"}).save(session=session)
        db["tasks"].insert_one({"title": "Two"}, session=session)
        assert titles(db) == ["Before"]

    assert titles(db) == ["Before", "One", "Two"]


def test_block_that_raises_leaves_nothing(db: MongoKit) -> None:
    with pytest.raises(LookupError), db.transaction() as session:  # noqa: PT012
        db.Task({"title": "One"}).save(session=session)
        raise LookupError

    assert titles(db) == ["Before"]


def test_error_of_the_server_undoes_what_came_before_it(db: MongoKit) -> None:
    with pytest.raises(DuplicateKeyError), db.transaction() as session:  # noqa: PT012
        db.Task({"title": "One"}).save(session=session)
        db["tasks"].insert_one({"_id": "before"}, session=session)

    assert titles(db) == ["Before"]


def test_block_may_end_its_transaction_itself(db: MongoKit) -> None:
    with db.transaction() as session:
        db.Task({"title": "One"}).save(session=session)
        session.abort_transaction()
    with db.transaction() as session:
        db.Task({"title": "Two"}).save(session=session)
        session.commit_transaction()

    assert titles(db) == ["Before", "Two"]


def test_empty_block_sends_nothing(db: MongoKit, sent: Sent) -> None:
    with db.transaction():
        pass

    assert sent.named("commitTransaction") == []


def test_concerns_go_to_the_server(db: MongoKit, sent: Sent) -> None:
    with db.transaction(ReadConcern("snapshot"), WriteConcern("majority")) as session:
        db["tasks"].insert_one({"title": "One"}, session=session)

    assert sent.named("insert")[-1].command["readConcern"]["level"] == "snapshot"
    assert sent.named("commitTransaction")[-1].command["writeConcern"]["w"] == "majority"


def test_session_is_ended_with_the_block(db: MongoKit) -> None:
    with db.transaction() as session:
        pass

    assert session.has_ended


def test_commit_is_repeated_until_its_result_is_known(
    db: MongoKit, sent: Sent, mongodb_uri: str, appname: str
) -> None:
    unknown = {
        "writeConcernError": {"code": 91, "errmsg": "shutting down"},
        "errorLabels": ["UnknownTransactionCommitResult"],
    }
    with (
        failing_commits(mongodb_uri, appname, {"times": 3}, **unknown),
        db.transaction() as session,
    ):
        db["tasks"].insert_one({"title": "One"}, session=session)

    assert titles(db) == ["Before", "One"]
    assert len(sent.named("commitTransaction")) >= 4


def test_commit_over_a_connection_that_breaks_is_repeated(
    db: MongoKit, sent: Sent, mongodb_uri: str, appname: str
) -> None:
    with (
        failing_commits(mongodb_uri, appname, {"times": 3}, closeConnection=True),
        db.transaction() as session,
    ):
        db["tasks"].insert_one({"title": "One"}, session=session)

    assert titles(db) == ["Before", "One"]
    assert len(sent.named("commitTransaction")) >= 4


def test_commit_that_is_refused_is_not_repeated(
    db: MongoKit, sent: Sent, mongodb_uri: str, appname: str
) -> None:
    with (
        failing_commits(mongodb_uri, appname, "alwaysOn", errorCode=13),
        pytest.raises(OperationFailure) as caught,
        db.transaction() as session,
    ):
        db["tasks"].insert_one({"title": "One"}, session=session)

    assert caught.value.code == 13
    assert len(sent.named("commitTransaction")) == 1


def test_commit_that_times_out_says_that_the_result_is_unknown(
    make_app: Any, sent: Sent, mongodb_uri: str, appname: str
) -> None:
    db = MongoKit()
    options = {"event_listeners": [sent], "appname": appname, "socketTimeoutMS": 200}
    slow = {"blockConnection": True, "blockTimeMS": 1000}

    with (
        make_app(db, MONGODB_OPTIONS=options).app_context(),
        failing_commits(mongodb_uri, appname, "alwaysOn", **slow),
        pytest.raises(NetworkTimeout) as caught,
        db.transaction() as session,
    ):
        db["tasks"].insert_one({"title": "One"}, session=session)

    assert caught.value.has_error_label("UnknownTransactionCommitResult")
    assert len(sent.named("commitTransaction")) <= 2  # the driver itself tries twice


def test_repeating_ends_after_the_drivers_bound(
    db: MongoKit, mongodb_uri: str, appname: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(step=50)
    monkeypatch.setattr("mongokit.transactions.monotonic", lambda: next(seconds))

    with (
        failing_commits(mongodb_uri, appname, "alwaysOn", closeConnection=True),
        pytest.raises(AutoReconnect) as caught,
        db.transaction() as session,
    ):
        db["tasks"].insert_one({"title": "One"}, session=session)

    assert isinstance(caught.value, PyMongoError)
    assert caught.value.has_error_label("UnknownTransactionCommitResult")
