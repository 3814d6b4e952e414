"""How long the database work of a request may take, and what does not count."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pymongo
import pytest
from flask import Response, jsonify, stream_with_context

from app.core import bounds, embedded
from app.core.bounds import request_timeout
from app.core.db import db

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from pymongo import MongoClient

    AppMaker = Callable[..., Flask]

WAIT = 0.7  # seconds
SHORTER = {"MONGODB_REQUEST_TIMEOUT_MS": 350}  # than WAIT
NOBODY = "mongodb://127.0.0.1:1/"  # reserved, and refused at once


def wait() -> None:
    """Let WAIT pass, as a slow disk does."""
    threading.Event().wait(WAIT)


def ping() -> str:
    """Ask the server; raises once a bound is over."""
    db.database.command("ping")
    return "there"


def nothing_is_bounded(uri: str = NOBODY) -> bool:
    """Tell whether this thread's context has no bound left: the client's own time-out holds."""
    with pymongo.MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=1) as client:
        try:
            client.admin.command("ping")
        except pymongo.errors.ServerSelectionTimeoutError as error:
            return "Timeout: 0.001s" in str(error)
    return False


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch, mongodb_uri: str) -> None:
    """The embedded engine is the run's server, and takes WAIT to start."""

    def attach(_folder: str, *, timeout: float) -> str:
        wait()
        return mongodb_uri

    monkeypatch.setattr(embedded, "attach", attach)


@pytest.mark.usefixtures("slowly")
def test_slow_start_of_the_engine_does_not_count(make_app: AppMaker) -> None:
    app = make_app(MONGODB_URI=None, **SHORTER)
    app.add_url_rule("/ping", view_func=ping)

    answer = app.test_client().get("/ping")

    assert (answer.status_code, answer.text) == (200, "there")


@pytest.mark.usefixtures("slowly")
def test_nor_does_it_count_for_those_who_wait_for_it(make_app: AppMaker) -> None:
    app = make_app(MONGODB_URI=None, **SHORTER)
    app.add_url_rule("/ping", view_func=ping)
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(app.test_client().get("/ping").status_code)

    visitors = [threading.Thread(target=ask) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()

    assert statuses == [200] * 4


def test_what_comes_before_the_first_use_does_not_count(make_app: AppMaker) -> None:
    app = make_app(**SHORTER)

    @app.get("/ping")
    def wait_and_ping() -> str:
        wait()
        return ping()

    assert app.test_client().get("/ping").status_code == 200


def test_what_comes_after_the_first_use_counts(make_app: AppMaker) -> None:
    app = make_app(**SHORTER)

    @app.get("/ping")
    def ping_twice() -> str:
        ping()
        wait()
        return ping()

    assert app.test_client().get("/ping").status_code == 503


@pytest.mark.parametrize("seconds", [60, None])
def test_view_may_take_longer_if_it_says_so(make_app: AppMaker, seconds: float | None) -> None:
    app = make_app(**SHORTER)

    @app.get("/ping")
    @request_timeout(seconds)
    def ping_twice() -> str:
        ping()
        wait()
        return ping()

    assert app.test_client().get("/ping").status_code == 200


def test_view_may_take_shorter_if_it_says_so(make_app: AppMaker) -> None:
    app = make_app()

    @app.get("/ping")
    @request_timeout(WAIT / 2)
    def ping_twice() -> str:
        ping()
        wait()
        return ping()

    assert app.test_client().get("/ping").status_code == 503


@pytest.mark.parametrize("seconds", [0, -1])
def test_bound_of_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        request_timeout(seconds)


def test_view_may_shorten_a_part_of_its_work(make_app: AppMaker) -> None:
    app = make_app()

    @app.get("/ping")
    def ping_in_time() -> dict[str, bool]:
        with pymongo.timeout(WAIT / 2):
            ping()  # the first use: the request's own bound begins in here
            wait()
            with pytest.raises(pymongo.errors.PyMongoError) as caught:
                ping()
        return {"late": caught.value.timeout, "there": bool(ping())}

    assert app.test_client().get("/ping").get_json() == {"late": True, "there": True}
    assert nothing_is_bounded()


@pytest.mark.parametrize("ends", ["well", "with an error", "unhandled"])
def test_no_bound_is_left_however_the_request_ends(make_app: AppMaker, ends: str) -> None:
    app = make_app(TESTING=ends == "unhandled")

    @app.get("/ping")
    def ping_and_end() -> str:
        ping()
        if ends != "well":
            raise RuntimeError("as it ends")
        return "well"

    client = app.test_client()
    if ends == "unhandled":
        with pytest.raises(RuntimeError):
            client.get("/ping")
    else:
        client.get("/ping")

    assert nothing_is_bounded()


def test_streamed_answer_is_sent_without_a_bound(make_app: AppMaker) -> None:
    app = make_app(**SHORTER)

    @app.get("/stream")
    def stream() -> Response:
        def portions() -> Iterator[str]:
            yield ping()
            wait()
            yield ping()

        return Response(stream_with_context(portions()))

    assert app.test_client().get("/stream").text == "therethere"
    assert nothing_is_bounded()


@pytest.mark.parametrize("path", ["/healthz", "/static/style.css", "/nowhere"])
def test_answer_that_needs_no_database_asks_for_none(
    make_app: AppMaker, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(embedded, "attach", lambda folder, **_: asked.append(folder))
    app = make_app(MONGODB_URI=None)

    with app.test_client().get(path):
        assert asked == []


def test_server_that_is_down_is_503_within_the_bound_although_indexes_are_missing(
    make_app: AppMaker,
) -> None:
    app = make_app(MONGODB_URI=NOBODY, **SHORTER)
    app.add_url_rule("/ping", view_func=ping)

    began = time.monotonic()
    answer = app.test_client().get("/ping")

    assert answer.status_code == 503
    assert time.monotonic() - began < bounds.START_IN_REQUEST / 2


def test_creation_of_indexes_has_a_time_of_its_own(
    make_app: AppMaker, database_name: str, mongodb_uri: str
) -> None:
    app = make_app(MONGODB_OPTIONS={"appname": database_name}, **SHORTER)

    @app.get("/count")
    def count() -> Response:
        return jsonify(users=db["users"].count_documents({}))

    fault = {
        "failCommands": ["createIndexes"],
        "blockConnection": True,
        "blockTimeMS": int(WAIT * 1000),
        "appName": database_name,
    }
    raw: MongoClient[dict[str, Any]]
    with pymongo.MongoClient(mongodb_uri) as raw:
        raw.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fault)
        answer = app.test_client().get("/count")

    assert answer.get_json() == {"users": 0}
