"""How the application is tested: a real app on the run's real server, configured per test.

The pattern, from the ground up:

    settings      what this test's app is called with: the server of the run (`mongodb_uri`) and a
                  database of its own (`database_name`, dropped afterwards), a folder of its own
    make_app      makes apps with these settings, and others on top:  make_app(LOG_FORMAT="json")
    app           the usual one: make_app()
    make_user     stores users: make_user("Ada", role="admin"); they have PASSWORD
    admin         one who may do everything
    token_of      makes tokens: token_of(admin), or with some scopes only
    api           a client that sends the token of `admin`
    sign_in       a client with a session: sign_in(admin)
    client        pytest-flask's test client for `app`
    live_server   `app` in a process of its own, spoken to by HTTP

A test fails when something that it caused to be logged holds a secret (`tests/guard.py`); the
passwords that tests use are in `tests/secrets.py`. It fails too when the application sent a command
that no declared index serves whole (`tests/recorder.py`).

A module swaps settings for all its tests by a fixture that overrides `settings`:

    @pytest.fixture
    def settings(settings):
        return settings | {"MAX_CONTENT_LENGTH": 100}
"""

from __future__ import annotations

import multiprocessing
import os
import re
import socket
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import pytest_flask.live_server  # type: ignore[import-untyped]

from app import create_app
from app.core import bounds
from app.core.db import db
from app.users import services, state, tokens
from app.users.permissions import OPERATOR, SCOPES
from tests.guard import guarded
from tests.recorder import Recorder, declared
from tests.secrets import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient

    from app.users.documents import User


DECLARED = declared()  # before any test registers documents of its own


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what the developer has in the environment; `mongodb_uri` has read its part by now."""
    for name in list(os.environ):
        if name.startswith(("FLASK_", "MONGODB_")) or name in {
            "APP_ENV",
            "INSTANCE_PATH",
            "PROMETHEUS_MULTIPROC_DIR",
            "SECRET_KEY",
        }:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_secret_in_a_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test when a log holds what none may, unless it is marked `logs_secrets`."""
    with guarded() as guard:
        yield
    if guard.found and request.node.get_closest_marker("logs_secrets") is None:
        pytest.fail("\n".join(guard.found), pytrace=False)


@pytest.fixture(autouse=True)
def recorder() -> Iterator[Recorder]:
    """Sees each command of the test's apps; the test fails if no index serves one of them."""
    recorder = Recorder(DECLARED)
    yield recorder
    if recorder.found:
        pytest.fail("\n".join(recorder.found), pytrace=False)


@pytest.fixture
def settings(
    mongodb_uri: str, database_name: str, tmp_path: Path, recorder: Recorder
) -> dict[str, object]:
    """What this test's apps are called with."""
    return {
        "APP_ENV": "testing",
        "INSTANCE_PATH": str(tmp_path / "instance"),
        "MONGODB_URI": mongodb_uri,
        "MONGODB_DATABASE": database_name,
        # All tests share one engine, and some keep it busy for seconds. Tests of the bound set it.
        "MONGODB_REQUEST_TIMEOUT_MS": 60_000,
        "MONGODB_OPTIONS": {"event_listeners": [recorder]},
    }


@pytest.fixture(autouse=True)
def _patient_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "START_IN_REQUEST", 60.0)
    monkeypatch.setattr(state, "_SECONDS", 60.0)


@pytest.fixture
def make_app(settings: dict[str, object], recorder: Recorder) -> Iterator[Callable[..., Flask]]:
    """A function that makes apps; their clients are closed when the test ends."""
    made: list[Flask] = []

    def make(**overrides: Any) -> Flask:
        if options := overrides.get("MONGODB_OPTIONS"):
            listeners = [*options.get("event_listeners", ()), recorder]
            overrides["MONGODB_OPTIONS"] = options | {"event_listeners": listeners}
        made.append(create_app(settings | overrides))
        return made[-1]

    yield make
    for app in made:
        db.close(app)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The test's application; pytest-flask makes `client` from it."""
    return make_app()


@pytest.fixture
def make_user(app: Flask) -> Callable[..., User]:
    """A function that stores a user with this name, and an address and a password of its own."""

    def make(name: str, **values: object) -> User:
        password = values.pop("password", PASSWORD)
        address = f"{name.lower().replace(' ', '.')}@example.org"
        with app.app_context():
            fields = {"name": name, "email": address, **values}
            return services.create(fields, by=OPERATOR, password=password)

    return make


@pytest.fixture
def admin(make_user: Callable[..., User]) -> User:
    """A user who may do everything."""
    return make_user("Admin", role="admin")


@pytest.fixture
def token_of(app: Flask) -> Callable[..., str]:
    """A function that makes a token of a user, with all scopes or with some, and returns it."""

    def make(user: User, *scopes: str) -> str:
        with app.app_context():
            values = {"name": "test", "scopes": list(scopes or SCOPES)}
            return tokens.create(user["_id"], values, by=OPERATOR)[1]

    return make


@pytest.fixture
def api(app: Flask, admin: User, token_of: Callable[..., str]) -> FlaskClient:
    """A program that sends the token of an admin along."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(admin)}"
    return client


@pytest.fixture
def sign_in(app: Flask) -> Callable[..., FlaskClient]:
    """A function that returns a client in whose session a user is signed in, by the real page."""

    def enter(user: User, password: str = PASSWORD) -> FlaskClient:
        client = app.test_client()
        page = client.get("/sign-in").text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert found is not None
        form = {"csrf_token": found[1], "email": user.email, "password": password}
        assert client.post("/sign-in", data=form).status_code == 303
        return client

    return enter


@pytest.fixture
def live_server(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest_flask.live_server.LiveServer]:
    """The test's application in a process of its own: `live_server.url("/healthz")`.

    pytest-flask's own fixture is one for the whole run; this one takes each test's `app`.
    """
    # The app is handed over by fork, which newer Pythons do only when asked.
    monkeypatch.setattr(
        pytest_flask.live_server, "multiprocessing", multiprocessing.get_context("fork")
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app.config["SERVER_NAME"] = f"127.0.0.1:{port}"
    # Not `clean_stop`: that is SIGINT, which is ignored by what a script runs in the background. A
    # server that lived on would hold the pipes of the browser's driver, which then never ends.
    server = pytest_flask.live_server.LiveServer(app, "127.0.0.1", port, wait=60)
    with warnings.catch_warnings():
        # Python 3.12 warns of threads at each fork. Those here (pytest-xdist's, the drain of the
        # engine's output) hold no lock that the server needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        server.start()
    yield server
    server.stop()
    for child in multiprocessing.active_children():
        child.join()
