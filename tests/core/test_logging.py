"""What the logs say, and what they keep to themselves."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from bson import ObjectId
from bson.errors import InvalidDocument
from flask import g
from pymongo.errors import DuplicateKeyError

from app.core.db import db
from app.core.logging import JSONFormatter, TextFormatter
from tests.secrets import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

    AppMaker = Callable[..., Flask]
    Capture = pytest.CaptureFixture[str]


def our_handlers() -> list[logging.Handler]:
    found = logging.getLogger().handlers
    return [handler for handler in found if type(handler).__module__ == "app.core.logging"]


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


def test_request_line_says_who_asked_and_what_the_database_took(
    make_app: AppMaker, capsys: Capture
) -> None:
    app = make_app(LOG_FORMAT="json")
    user = ObjectId()
    with app.app_context():
        db.connect()

    @app.get("/mine")
    def mine() -> str:
        g.user_id = user
        db.database.command("ping")
        return "mine"

    capsys.readouterr()
    app.test_client().get("/mine")
    app.test_client().get("/healthz")

    signed_in, nobody = lines(capsys)
    assert (signed_in["user"], signed_in["db_commands"]) == (str(user), 1)
    assert 0 <= signed_in["db_ms"] <= signed_in["ms"]
    assert (nobody["user"], nobody["db_commands"], nobody["db_ms"]) == (None, 0, 0)


def test_request_line_is_the_same_whoever_else_listens(
    make_app: AppMaker, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(LOG_FORMAT="json")

    @app.get("/mine/<what>")
    def mine(what: str) -> str:
        g.user_id = what
        return what

    root, written = logging.getLogger(), []
    ours = our_handlers()
    for handlers in (ours, [*ours, logging.NullHandler()]):
        monkeypatch.setattr(root, "handlers", handlers)
        sent = {"X-Request-ID": "edge-42.A_b"}
        app.test_client().get("/mine/a%20b", headers=sent)
        written += lines(capsys)

    alone, beside = written
    assert list(alone) == list(beside)
    for line in written:
        assert line.pop("time").endswith("Z")
        assert f"{line.pop('ms')} ms" in line["message"]
        assert line.pop("message").startswith("GET /mine/a%20b 200 ")
    assert alone == beside
    assert alone["user"] == "a b"


@pytest.mark.parametrize("only", [True, False])
def test_request_is_answered_although_its_line_can_not_be_written(
    make_app: AppMaker, monkeypatch: pytest.MonkeyPatch, only: bool
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError("no space left on device")

    client = make_app(LOG_FORMAT="json").test_client()
    root = logging.getLogger()
    ours = our_handlers()
    monkeypatch.setattr(root, "handlers", ours if only else [*ours, logging.NullHandler()])

    assert client.get("/healthz", errors_stream=Full()).status_code == 200


def test_filter_of_somebody_else_sees_request_lines(
    make_app: AppMaker, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_app(LOG_FORMAT="json").test_client()
    root = logging.getLogger()
    ours = our_handlers()
    monkeypatch.setattr(root, "handlers", ours)
    monkeypatch.setattr(logging.getLogger("app.access"), "filters", [lambda record: False])

    client.get("/healthz")

    assert capsys.readouterr().err == ""


def test_request_line_for_people_says_each_thing_once(make_app: AppMaker, capsys: Capture) -> None:
    client = make_app(LOG_FORMAT="text").test_client()

    client.get("/healthz", headers={"X-Request-ID": "edge-42.A_b"})

    [line] = capsys.readouterr().err.splitlines()
    assert line.count("/healthz") == 1
    assert "request_id=edge-42.A_b" in line
    assert "db_commands=0" in line
    assert "\x1b" not in line  # no colours where it is no terminal


def test_libraries_and_structlog_write_in_the_same_form(
    make_app: AppMaker, capsys: Capture
) -> None:
    make_app(LOG_FORMAT="json")

    logging.getLogger("a.library").warning("%s of %s", 1, 2, extra={"portion": 3})
    structlog.stdlib.get_logger("ours").warning("1 of 2", portion=3)

    library, ours = lines(capsys)
    assert library["logger"] == "a.library"
    for line in (library, ours):
        assert (line["level"], line["message"], line["portion"]) == ("WARNING", "1 of 2", 3)


@pytest.mark.parametrize("logger", [logging.getLogger("a.b"), structlog.stdlib.get_logger("a.b")])
def test_exception_is_described_whoever_logs_it(
    make_app: AppMaker, capsys: Capture, logger: Any
) -> None:
    make_app(LOG_FORMAT="json")

    try:
        raise RuntimeError("hush")
    except RuntimeError:
        logger.exception("failed")

    [line] = lines(capsys)
    assert line["level"] == "ERROR"
    assert line["exception"].endswith("builtins.RuntimeError")
    assert "exc_info" not in line


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


def test_message_with_a_line_break_begins_no_line_of_its_own(
    make_app: AppMaker, capsys: Capture
) -> None:
    app = make_app(LOG_FORMAT="text")

    @app.get("/log/<what>")
    def log(what: str) -> str:
        app.logger.warning("somebody said %s", what)
        return "logged"

    app.test_client().get("/log/a%0aFAKE%0dLINE")

    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.logs_secrets  # a developer reads the text, in the form for people
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


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_nothing_that_a_visitor_sends_is_logged_not_even_at_debug(
    make_app: AppMaker, capsys: Capture, log_format: str
) -> None:
    client = make_app(LOG_FORMAT=log_format, LOG_LEVEL="DEBUG").test_client()
    client.set_cookie("session", "hush-cookie")
    headers = {"Authorization": "Bearer hush-token", "X-Other": "hush-header"}
    user = {"name": "hush name", "email": "hush@example.org"}

    for body in (user, user, {"name": 5, "password": PASSWORD}, "hush-text"):
        client.post("/api/users?q=hush-query", json=body, headers=headers)
    client.post("/users", data=user | {"csrf_token": "hush-csrf"}, headers=headers)
    client.post("/api/users", data='{"hush', content_type="application/json")

    logged = capsys.readouterr().err
    assert logged.count("POST /api/users") == 5
    assert "hush" not in logged
    assert PASSWORD not in logged


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


@pytest.mark.parametrize(
    "text", ["code 400, message Bad request syntax ('GET /?token=hush')", "hush"]
)
def test_nor_are_its_lines_on_malformed_requests(
    make_app: AppMaker, capsys: Capture, text: str
) -> None:
    make_app(LOG_FORMAT="text")

    logging.getLogger("werkzeug").error(f"127.0.0.1 - - [now] {text}")  # noqa: G004 - as it does

    assert capsys.readouterr().err == ""


def test_error_in_a_streamed_answer_is_described_as_any_other(
    make_app: AppMaker, capsys: Capture
) -> None:
    make_app(LOG_FORMAT="json")

    said = "hush"
    try:
        raise RuntimeError(said)
    except RuntimeError:
        logging.getLogger("werkzeug").error(f"Error on request:\nRuntimeError: {said}")  # noqa: G004

    [line] = lines(capsys)
    assert line["message"] == "Error on request"
    assert "builtins.RuntimeError" in line["exception"]
    assert "RuntimeError: hush" not in str(line)


def test_gunicorn_writes_in_our_form_where_it_would_and_without_what_was_sent(
    make_app: AppMaker,
) -> None:
    gunicorn, written = logging.getLogger("gunicorn.error"), io.StringIO()
    handler = logging.StreamHandler(written)
    gunicorn.addHandler(handler)
    gunicorn.propagate, propagated = False, gunicorn.propagate
    try:
        make_app(LOG_FORMAT="json")
        gunicorn.error("Error handling request %s %s", "GET", "/users?token=hush")
        gunicorn.warning("Invalid request from ip=127.0.0.1: Invalid header: 'Cookie hush'")
    finally:
        gunicorn.removeHandler(handler)
        gunicorn.propagate = propagated

    messages = [json.loads(line)["message"] for line in written.getvalue().splitlines()]
    assert messages == [
        "Error handling request GET /users",
        "Invalid request from ip=127.0.0.1",
    ]
