"""What a request costs the database is counted for that request, and for no other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from flask import jsonify
from pymongo.errors import OperationFailure
from pymongo.monitoring import CommandListener, CommandStartedEvent

from app.core import figures
from app.core.db import db

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask, Response

    AppMaker = Callable[..., Flask]


class Names(CommandListener):
    """Notes which commands were sent."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


@pytest.fixture
def counted(app: Flask) -> Flask:
    """An app with a client, whose view /count sends as many commands as it is told to."""

    @app.get("/count/<int:times>")
    def count(times: int) -> Response:
        for _ in range(times):
            db.database.command("ping")
        found = figures.of_request()
        return jsonify(commands=found.commands, microseconds=found.microseconds)

    with app.app_context():
        db.connect()
    return app


def test_commands_of_a_request_are_counted_and_timed(counted: Flask) -> None:
    client = counted.test_client()

    none, three = client.get("/count/0").get_json(), client.get("/count/3").get_json()

    assert none == {"commands": 0, "microseconds": 0}
    assert three["commands"] == 3
    assert three["microseconds"] > 0


def test_command_that_fails_counts_too(counted: Flask) -> None:
    @counted.get("/fail")
    def fail() -> Response:
        with pytest.raises(OperationFailure):
            db.database.command("noSuchCommand")
        return jsonify(commands=figures.of_request().commands)

    assert counted.test_client().get("/fail").get_json() == {"commands": 1}


def test_requests_at_the_same_time_count_their_own(counted: Flask) -> None:
    answered: dict[int, int] = {}

    def ask(times: int) -> None:
        answered[times] = counted.test_client().get(f"/count/{times}").get_json()["commands"]

    threads = [threading.Thread(target=ask, args=(times,)) for times in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answered == {times: times for times in range(1, 7)}


def test_commands_outside_of_a_request_count_nowhere(counted: Flask) -> None:
    client = counted.test_client()
    with counted.app_context():
        db.database.command("ping")

    assert client.get("/count/1").get_json()["commands"] == 1


def test_listeners_of_the_configuration_are_added_to_ours(make_app: AppMaker) -> None:
    names = Names()
    given = {"event_listeners": [names], "appname": "mine"}

    app = make_app(MONGODB_OPTIONS=given)

    @app.get("/count")
    def count() -> Response:
        db.database.command("ping")
        return jsonify(commands=figures.of_request().commands > 0)

    assert app.test_client().get("/count").get_json() == {"commands": True}
    assert "ping" in names.names
    assert given == {"event_listeners": [names], "appname": "mine"}
