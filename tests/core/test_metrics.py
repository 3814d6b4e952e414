"""/metrics: off unless there is a token, answered to nobody without it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pymongo.errors import OperationFailure

from app.core.config import ConfigError
from app.core.db import db

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    AppMaker = Callable[..., Flask]

ROOT = Path(__file__).parents[2]
TOKEN = "xW7qLr2vT9zB4nYp"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def metrics_of(app: Flask) -> dict[str, float]:
    """The series that the app answers, by name and labels."""
    answer = app.test_client().get("/metrics", headers=HEADERS)
    assert answer.status_code == 200
    found = re.findall(r"^([a-z].*) (\S+)$", answer.text, re.MULTILINE)
    return {series: float(value) for series, value in found}


def test_without_a_token_there_is_nothing(app: Flask) -> None:
    assert app.test_client().get("/metrics", headers=HEADERS).status_code == 404


def test_without_a_token_the_library_is_not_even_imported(tmp_path: Path) -> None:
    program = (
        "import sys; from app import create_app; create_app({'APP_ENV': 'testing'})\n"
        "sys.exit('prometheus_client' in sys.modules)"
    )

    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], cwd=ROOT, env={"INSTANCE_PATH": str(tmp_path)}, check=False
    )

    assert done.returncode == 0


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer żółć"],
)
def test_nobody_else_sees_them(make_app: AppMaker, authorization: str | None) -> None:
    client = make_app(METRICS_TOKEN=TOKEN).test_client()

    answer = client.get(
        "/metrics", headers={} if authorization is None else {"Authorization": authorization}
    )

    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "http_requests" not in answer.text


def test_who_has_the_token_gets_the_text_format(make_app: AppMaker) -> None:
    answer = make_app(METRICS_TOKEN=TOKEN).test_client().get("/metrics", headers=HEADERS)

    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE http_requests_total counter" in answer.text


def test_requests_are_counted_by_method_endpoint_and_status(make_app: AppMaker) -> None:
    app = make_app(METRICS_TOKEN=TOKEN)
    client = app.test_client()

    client.get("/healthz")
    client.get("/api/users/0123456789abcdef01234567")
    client.get("/nowhere/0123456789abcdef01234567?token=hush")
    client.open("/healthz", method="INVENTED")

    found = metrics_of(app)
    label = 'http_requests_total{{endpoint="{}",method="{}",status="{}"}}'
    assert found[label.format("health.alive", "GET", 200)] == 1
    assert found[label.format("users_api.show", "GET", 401)] == 1
    assert found[label.format("none", "GET", 404)] == 1
    assert found[label.format("none", "other", 405)] == 1
    duration = 'http_request_duration_seconds_count{endpoint="health.alive",method="GET"}'
    assert found[duration] == 1
    assert "0123456789abcdef01234567" not in str(found)


def test_commands_are_timed_by_name_and_outcome(make_app: AppMaker) -> None:
    app = make_app(METRICS_TOKEN=TOKEN)
    with app.app_context():
        db.connect()
        before = metrics_of(app)
        db.database.command("ping")
        with pytest.raises(OperationFailure):
            db.database.command("noSuchCommand")

    found = metrics_of(app)
    ok = 'mongodb_command_duration_seconds_{}{{command="ping",outcome="ok"}}'
    assert found[ok.format("count")] == before[ok.format("count")] + 1
    assert found[ok.format("sum")] > before[ok.format("sum")]
    failed = 'mongodb_command_duration_seconds_count{command="noSuchCommand",outcome="failed"}'
    assert found[failed] == 1


def test_apps_of_one_process_count_apart(make_app: AppMaker) -> None:
    first, second = make_app(METRICS_TOKEN=TOKEN), make_app(METRICS_TOKEN=TOKEN)

    first.test_client().get("/healthz")

    assert any("health.alive" in series for series in metrics_of(first))
    assert not any("health.alive" in series for series in metrics_of(second))


def test_listeners_of_the_configuration_stay_as_they_were_given(make_app: AppMaker) -> None:
    given: dict[str, object] = {"appname": "mine"}

    make_app(METRICS_TOKEN=TOKEN, MONGODB_OPTIONS=given)

    assert given == {"appname": "mine"}


def test_any_process_answers_for_all_where_they_share_a_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from app import create_app\n"
        f"app = create_app({{'APP_ENV': 'testing', 'METRICS_TOKEN': '{TOKEN}'}})\n"
        "app.test_client().get('/healthz')\n"
        f"print(app.test_client().get('/metrics', headers={HEADERS}).text)"
    )
    folder = tmp_path / "metrics"
    folder.mkdir()
    environ = {"INSTANCE_PATH": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(folder)}

    answers = [
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environ | {"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]

    series = 'http_requests_total{endpoint="health.alive",method="GET",status="200"} '
    assert [f"{series}{n}.0" in answer for n, answer in enumerate(answers, 1)] == [True, True]


def test_shared_folder_that_is_missing_is_refused(
    make_app: AppMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "nowhere"))

    with pytest.raises(ConfigError, match="PROMETHEUS_MULTIPROC_DIR must be a folder"):
        make_app(METRICS_TOKEN=TOKEN)
