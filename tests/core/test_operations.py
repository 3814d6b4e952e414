"""What a view of the API says of itself is kept: its arguments, and the type of its answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from app.core.operations import operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

    AppMaker = Callable[..., Flask]


@pytest.fixture
def app(make_app: AppMaker) -> Flask:
    """An app with a described view and one that says nothing of itself."""
    app = make_app()

    @app.delete("/api/described")
    @operation({HTTPStatus.NO_CONTENT: None})
    def described() -> tuple[str, int]:
        """Remove something."""
        return "", 204

    @app.get("/api/undescribed")
    def undescribed() -> str:
        return "something"

    return app


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/problem+json",
        "application/*",
        "*/*",
        "text/html, */*;q=0.1",
        "text/html, application/json;q=0.001",
        "application/json;q=0, */*",
    ],
)
def test_client_that_takes_json_is_served(client: FlaskClient, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}

    assert client.delete("/api/described", headers=headers).status_code == 204


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml, text/*",
        "application/json;q=0",
        "*/*;q=0",
        "*/*, application/json;q=0, application/problem+json;q=0",
        "json",
        "*/json",
    ],
)
def test_client_that_takes_no_json_is_told_so_in_json(client: FlaskClient, accept: str) -> None:
    answer = client.delete("/api/described", headers={"Accept": accept})

    assert (answer.status_code, answer.mimetype) == (406, "application/problem+json")
    assert answer.json is not None
    assert "application/json" in answer.json["detail"]


def test_nothing_is_done_for_a_client_that_could_not_take_the_answer(api: FlaskClient) -> None:
    client = api
    ada = {"name": "Ada", "email": "ada@example.org"}

    refused = client.post("/api/users", json=ada, headers={"Accept": "text/html"})

    assert refused.status_code == 406
    assert len((client.get("/api/users").json or {})["items"]) == 1  # the admin who asks


def test_address_and_method_come_before_what_the_client_takes(client: FlaskClient) -> None:
    headers = {"Accept": "text/html"}

    assert client.get("/api/nowhere?a=b", headers=headers).status_code == 404
    assert client.put("/api/described?a=b", headers=headers).status_code == 405
    assert client.options("/api/described?a=b", headers=headers).status_code == 200


def test_view_that_says_nothing_of_itself_takes_what_comes(client: FlaskClient) -> None:
    answer = client.get("/api/undescribed?a=b&a=c", headers={"Accept": "image/png"})

    assert answer.status_code == 200
