"""What the logs say, and what they keep to themselves."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import DuplicateKeyError

from app.core.logging import JSONFormatter, TextFormatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

    AppMaker = Callable[..., Flask]
    Capture = pytest.CaptureFixture[str]


def lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_request_has_one_line_with_method_path_status_and_time(
    make_app: AppMaker, capsys: Capture
) -> None:
    client = make_app(LOG_FORMAT="json").test_client()

    client.get("/healthz?token=hush")

    [line] = lines(capsys)
    assert line["message"].startswith("GET /healthz 200 ")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/healthz", 200)
    assert 0 <= line["ms"] < 10_000
    assert line["level"] == "INFO"
    assert line["time"].endswith("Z")
    assert "hush" not in str(line)


def test_well_formed_request_id_is_taken_over_and_returned(
    make_app: AppMaker, capsys: Capture
) -> None:
    client = make_app(LOG_FORMAT="json").test_client()

    answer = client.get("/healthz", headers={"X-Request-ID": "edge-42.A_b"})

    assert answer.headers["X-Request-ID"] == "edge-42.A_b"
    assert lines(capsys)[0]["request_id"] == "edge-42.A_b"


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "two words", "<script>alert", "żółć-żółć"]
)
def test_other_request_ids_are_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": given})

    assert answer.headers["X-Request-ID"] != given
    assert len(answer.headers["X-Request-ID"]) == 32


def test_two_requests_have_two_ids(client: FlaskClient) -> None:
    ids = {client.get("/healthz").headers["X-Request-ID"] for _ in range(2)}

    assert len(ids) == 2


def test_path_with_a_line_break_stays_on_one_line(make_app: AppMaker, capsys: Capture) -> None:
    client = make_app(LOG_FORMAT="text").test_client()

    client.get("/a%0aFAKE%20LINE")

    [line] = capsys.readouterr().err.splitlines()
    assert "GET /a%0AFAKE%20LINE 404" in line


def test_unforeseen_error_is_logged_with_its_place_and_id_but_not_its_text(
    make_app: AppMaker, capsys: Capture
) -> None:
    app = make_app(LOG_FORMAT="json", TESTING=False)

    @app.get("/break")
    def break_it() -> str:
        try:
            raise KeyError("ada@example.org")
        except KeyError as error:
            raise RuntimeError("no such user: ada@example.org") from error

    answer = app.test_client().get("/break")

    error, access = lines(capsys)
    assert answer.status_code == access["status"] == 500
    assert error["level"] == "ERROR"
    assert error["request_id"] == answer.headers["X-Request-ID"]
    assert "builtins.RuntimeError" in error["exception"]
    assert "builtins.KeyError" in error["exception"]
    assert "in break_it" in error["exception"]
    assert "ada@example.org" not in answer.text


@pytest.mark.parametrize(
    "telling",
    [
        DuplicateKeyError('E11000 duplicate key error dup key: { email: "ada" }', 11000),
        InvalidDocument("cannot encode object: 'ada'"),
    ],
)
@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
def test_texts_of_the_driver_stay_out_of_every_format(
    telling: Exception, formatter: logging.Formatter
) -> None:
    try:
        raise telling
    except type(telling) as error:
        record = logging.getLogger("app").makeRecord(
            "app", logging.ERROR, __file__, 1, "failed", (), (type(error), error, None)
        )

    text = formatter.format(record)

    assert type(telling).__name__ in text
    assert '"ada"' not in text.replace("\\", "")
    assert "'ada'" not in text


def test_text_format_shows_what_a_developer_wrote(make_app: AppMaker, capsys: Capture) -> None:
    make_app(LOG_FORMAT="text")

    try:
        raise RuntimeError("the way out is this")
    except RuntimeError:
        logging.getLogger("app.test").exception("failed")

    assert "builtins.RuntimeError: the way out is this" in capsys.readouterr().err


def test_level_comes_from_the_configuration(make_app: AppMaker, capsys: Capture) -> None:
    make_app(LOG_LEVEL="ERROR").test_client().get("/healthz")

    assert capsys.readouterr().err == ""


def test_driver_never_logs_commands(make_app: AppMaker) -> None:
    make_app(LOG_LEVEL="DEBUG")

    assert not logging.getLogger("pymongo.command").isEnabledFor(logging.DEBUG)


def test_several_apps_log_each_line_once(make_app: AppMaker, capsys: Capture) -> None:
    make_app()
    client = make_app(LOG_FORMAT="json").test_client()

    client.get("/healthz")

    assert len(lines(capsys)) == 1


def test_request_lines_of_the_development_server_are_left_out(
    make_app: AppMaker, capsys: Capture
) -> None:
    make_app(LOG_FORMAT="text")
    log = logging.getLogger("werkzeug")

    log.info('127.0.0.1 - - [now] "%s" %s %s', "GET /?token=hush HTTP/1.1", "200", "-")
    log.info(" * Running on %s", "http://127.0.0.1:5000")

    printed = capsys.readouterr().err
    assert "hush" not in printed
    assert "Running on" in printed
