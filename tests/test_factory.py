"""The assembled application, in this process and served from one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.db import db
from app.core.json import OrjsonProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from pytest_flask.live_server import LiveServer  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]


def test_mapping_reaches_the_configuration(make_app: Callable[..., Flask]) -> None:
    app = make_app(LOG_FORMAT="json", SOMETHING_ELSE=[1, 2])

    assert app.config["LOG_FORMAT"] == "json"
    assert app.config["SOMETHING_ELSE"] == [1, 2]
    assert app.testing


def test_every_part_is_in_place(app: Flask) -> None:
    assert isinstance(app.json, OrjsonProvider)
    assert app.extensions["mongokit"] is db
    assert "csrf" in app.extensions
    assert {"/healthz", "/readyz"} <= {str(rule) for rule in app.url_map.iter_rules()}


def test_settings_of_one_app_are_not_those_of_another(make_app: Callable[..., Flask]) -> None:
    first, second = make_app(MAX_CONTENT_LENGTH=1), make_app()

    assert first.config["MAX_CONTENT_LENGTH"] == 1
    assert second.config["MAX_CONTENT_LENGTH"] == 1024 * 1024
    assert first.secret_key != second.secret_key


def test_importing_the_package_makes_no_app_and_reads_no_setting(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import app"],
        cwd=ROOT,
        env={"APP_ENV": "unknown", "INSTANCE_PATH": str(tmp_path / "instance")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "instance").exists()


def test_served_app_answers_over_http(live_server: LiveServer) -> None:
    with urllib.request.urlopen(live_server.url("/healthz"), timeout=20) as alive:  # noqa: S310
        assert json.load(alive) == {"status": "ok"}
    with urllib.request.urlopen(live_server.url("/readyz"), timeout=20) as ready:  # noqa: S310
        assert json.load(ready) == {"status": "ready"}


def test_served_app_has_the_settings_and_the_database_of_its_test(
    app: Flask, live_server: LiveServer, database_name: str
) -> None:
    assert live_server.app is app
    assert app.config["MONGODB_DATABASE"] == database_name
