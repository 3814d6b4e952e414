"""Alive is not ready: /healthz asks nobody, /readyz asks the database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from app.core.db import db
from mongokit import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

NOBODY = "mongodb://127.0.0.1:1/"  # reserved, and refused at once


class Marked(Document):
    """A document with an index."""

    __collection__ = "marked"
    structure = {"name": str}
    indexes = [{"fields": ["name"], "unique": True}]


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> type[Marked]:
    """`Marked`, registered for this test alone."""
    monkeypatch.setattr(db, "_documents", dict(db._documents))
    return db.register(Marked)


def test_alive_without_a_database(make_app: Callable[..., Flask]) -> None:
    client = make_app(MONGODB_URI=NOBODY).test_client()

    answer = client.get("/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_ready_with_the_database_and_its_indexes(client: FlaskClient, marked: type[Marked]) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ready"})


def test_not_ready_without_a_database_and_says_so_within_its_bound(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(MONGODB_URI=NOBODY, READY_TIMEOUT_MS=300).test_client()

    began = time.monotonic()
    answer = client.get("/readyz")

    assert time.monotonic() - began < 4  # server selection alone would take 5 s
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["errors"][0]["path"] == "database"
    assert "Retry-After" in answer.headers


def test_not_ready_without_a_declared_index_and_names_it(
    app: Flask, client: FlaskClient, marked: type[Marked]
) -> None:
    assert client.get("/readyz").status_code == 200
    with app.app_context():
        db["marked"].drop_indexes()

    answer = client.get("/readyz")

    assert answer.status_code == 503
    [error] = answer.get_json()["errors"]
    assert error["path"] == "indexes"
    assert "marked.name_1" in error["message"]
