"""Every error is an answer, as problem details or as a page; neither holds a value."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, abort, redirect
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from app.core import errors
from mongokit import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from werkzeug import Response
    from werkzeug.test import TestResponse


class EmailTaken(errors.DomainError):
    """What a service would raise."""

    title = "Another user has this e-mail address."


class Person(Document):
    """A document with rules."""

    structure = {"name": str, "address": {"zip": str}}
    required_fields = ["name"]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app that answers unforeseen errors, as it does outside of tests."""
    return make_app(TESTING=False)


def raising(app: Flask, error: Exception) -> FlaskClient:
    """A client of the app, whose views /api/broken and /broken raise the error."""

    @app.route("/api/broken")
    @app.route("/broken")
    def broken() -> str:
        raise error

    return app.test_client()


def body(answer: TestResponse) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json"
    read: dict[str, Any] = answer.get_json()
    assert set(read) == {"type", "title", "status", "detail", "errors"}
    assert read["type"] == "about:blank"
    assert read["status"] == answer.status_code
    return read


@pytest.mark.parametrize(
    ("path", "accept", "mimetype"),
    [
        ("/api/nowhere", None, "application/problem+json"),
        ("/api/nowhere", "text/html", "application/problem+json"),
        ("/api", None, "application/problem+json"),
        ("/apiary", None, "text/html"),
        ("/nowhere", None, "text/html"),
        ("/nowhere", "*/*", "text/html"),
        ("/nowhere", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("/nowhere", "application/json", "application/problem+json"),
        ("/nowhere", "application/problem+json", "application/problem+json"),
        ("/nowhere", "application/json;q=0.5, text/html", "text/html"),
        ("/nowhere", "image/png", "text/html"),
    ],
)
def test_client_gets_the_form_that_it_wants(
    client: FlaskClient, path: str, accept: str | None, mimetype: str
) -> None:
    answer = client.get(path, headers={"Accept": accept} if accept else {})

    assert answer.status_code == 404
    assert answer.mimetype == mimetype


def test_page_names_the_status_and_the_request(client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers={"X-Request-ID": "request-42"})

    assert "<h1>Not Found</h1>" in answer.text
    assert "request-42" in answer.text


def test_page_shows_what_a_visitor_sent_as_text(app: Flask) -> None:
    client = raising(app, errors.MalformedRequest("x", "rule", "<b>bold</b>"))

    assert "&lt;b&gt;bold" in client.get("/broken").text


def test_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/healthz", headers={"Accept": "application/json"})

    assert body(answer)["status"] == 405
    assert "GET" in answer.headers["Allow"]


def test_malformed_argument_is_400_and_named(app: Flask) -> None:
    client = raising(app, errors.MalformedRequest("limit", "range", "limit must be from 1 to 100"))

    read = body(client.get("/api/broken"))

    assert read["status"] == 400
    assert read["detail"] == "limit must be from 1 to 100"
    assert read["errors"] == [
        {"path": "limit", "rule": "range", "message": "limit must be from 1 to 100"}
    ]


def test_refused_document_is_422_with_every_field(app: Flask) -> None:
    person = Person({"name": None, "address": {"zip": 12345}})
    client = app.test_client()

    @app.get("/api/refused")
    def refused() -> str:
        person.validate()
        return "valid"

    read = body(client.get("/api/refused"))

    assert read["status"] == 422
    assert {(e["path"], e["rule"]) for e in read["errors"]} == {
        ("name", "required"),
        ("address.zip", "type"),
    }
    assert "12345" not in str(read)


@pytest.mark.parametrize(("count", "listed"), [(0, 0), (100, 100), (101, 100), (5_000, 100)])
def test_answer_lists_a_hundred_errors_and_says_of_others(
    app: Flask, count: int, listed: int
) -> None:
    found = [errors.field_error(f"field{n}", "unknown", "unknown") for n in range(count)]
    app.add_url_rule(
        "/api/many", view_func=lambda: errors.respond(HTTPStatus.CONFLICT, "Many.", found)
    )
    app.add_url_rule("/many", "page", lambda: errors.respond(HTTPStatus.CONFLICT, "Many.", found))

    read = body(app.test_client().get("/api/many"))
    page = app.test_client().get("/many").text

    said = f"Many. The first 100 of {count} errors are listed." if count > listed else "Many."
    assert read["detail"] == said
    assert len(read["errors"]) == listed
    assert page.count("<li>") == listed
    assert said in page


def test_domain_error_has_the_status_that_its_door_says(app: Flask) -> None:
    door = Blueprint("door", __name__, url_prefix="/api/door")

    @door.get("/taken")
    def taken() -> str:
        raise EmailTaken([errors.field_error("email", "unique", EmailTaken.title)])

    errors.answer(door, {EmailTaken: HTTPStatus.CONFLICT})
    app.register_blueprint(door)

    read = body(app.test_client().get("/api/door/taken"))

    assert (read["status"], read["title"]) == (409, "Conflict")
    assert read["detail"] == EmailTaken.title
    assert read["errors"][0]["path"] == "email"


@pytest.mark.parametrize(
    "error",
    [
        ServerSelectionTimeoutError("db.internal:27017: refused"),
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        WaitQueueTimeoutError("no connection"),
        ExecutionTimeout("operation exceeded time limit", 50),
        WTimeoutError("waiting for replication timed out", 64),
    ],
    ids=lambda error: type(error).__name__,
)
def test_database_that_does_not_answer_is_503_with_retry_after(
    app: Flask, error: PyMongoError
) -> None:
    answer = raising(app, error).get("/api/broken")

    assert body(answer)["status"] == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert str(error) not in answer.text


@pytest.mark.logs_secrets  # in the form for people
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("hush: ada@example.org"),
        OperationFailure("hush: ada@example.org", 13),
        DuplicateKeyError("dup key: { email: 'ada@example.org' } hush", 11000),
        EmailTaken(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_unforeseen_error_is_500_that_tells_nothing(
    app: Flask, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    client = raising(app, error)

    api, page = client.get("/api/broken"), client.get("/broken")

    assert body(api)["status"] == page.status_code == 500
    assert page.mimetype == "text/html"
    for text in (api.text, page.text):
        assert "ada@" not in text
        assert "hush" not in text
        assert type(error).__name__ not in text
    assert caplog.records[0].levelno == logging.ERROR


def test_redirects_and_ready_responses_pass_through(app: Flask) -> None:
    @app.get("/api/away")
    def away() -> Response:
        return redirect("/elsewhere")

    @app.get("/api/ready-made")
    def ready_made() -> str:
        abort(Flask.response_class("as it is", 418))

    client = app.test_client()

    assert client.get("/api/away").status_code == 302
    assert client.get("/api/ready-made").text == "as it is"


def test_malformed_json_is_400(app: Flask) -> None:
    @app.post("/api/read")
    def read() -> str:
        from flask import request  # noqa: PLC0415

        return str(request.get_json())

    answer = app.test_client().post("/api/read", data="{", content_type="application/json")

    assert body(answer)["status"] == 400


@pytest.mark.parametrize("depth", [500, 1_000, 1_100, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"name":', "}")])
def test_deeply_nested_json_is_refused(api: FlaskClient, begin: str, end: str, depth: int) -> None:
    api.application.config["TESTING"] = False
    nested = begin * depth + '"Ada"' + end * depth

    answer = api.post("/api/users", data=nested, content_type="application/json")

    assert body(answer)["status"] in ({400} if depth > 1_024 else {400, 422})


def test_body_with_very_many_unknown_fields_has_a_short_answer(api: FlaskClient) -> None:
    fields = ",".join(f'"f{n}":0' for n in range(20_000))

    answer = api.post("/api/users", data=f"{{{fields}}}", content_type="application/json")

    assert body(answer)["status"] == 422
    assert len(answer.data) < 50_000
