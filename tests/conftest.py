"""How the application is tested: a real app on the run's real server, configured per test.

The pattern, from the ground up:

    settings      what this test's app is called with: the server of the run (`mongodb_uri`) and a
                  database of its own (`database_name`, dropped afterwards), a folder of its own
    make_app      makes apps with these settings, and others on top:  make_app(LOG_FORMAT="json")
    app           the usual one: make_app()
    client        pytest-flask's test client for `app`
    live_server   `app` in a process of its own, spoken to by HTTP

A module swaps settings for all its tests by a fixture that overrides `settings`:

    @pytest.fixture
    def settings(settings):
        return settings | {"MAX_CONTENT_LENGTH": 100}
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import warnings
from typing import TYPE_CHECKING

import pytest
import pytest_flask.live_server  # type: ignore[import-untyped]

from app import create_app
from app.core.db import db

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what the developer has in the environment; `mongodb_uri` has read its part by now."""
    for name in list(os.environ):
        if name.startswith(("FLASK_", "MONGODB_")) or name in {
            "APP_ENV",
            "INSTANCE_PATH",
            "SECRET_KEY",
        }:
            monkeypatch.delenv(name)


@pytest.fixture
def settings(mongodb_uri: str, database_name: str, tmp_path: Path) -> dict[str, object]:
    """What this test's apps are called with."""
    return {
        "APP_ENV": "testing",
        "INSTANCE_PATH": str(tmp_path / "instance"),
        "MONGODB_URI": mongodb_uri,
        "MONGODB_DATABASE": database_name,
    }


@pytest.fixture
def make_app(settings: dict[str, object]) -> Iterator[Callable[..., Flask]]:
    """A function that makes apps; their clients are closed when the test ends."""
    made: list[Flask] = []

    def make(**overrides: object) -> Flask:
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
    server = pytest_flask.live_server.LiveServer(app, "127.0.0.1", port, wait=30, clean_stop=True)
    with warnings.catch_warnings():
        # Python 3.12 warns of threads at each fork. Those here (pytest-xdist's, the drain of the
        # engine's output) hold no lock that the server needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        server.start()
    yield server
    server.stop()
