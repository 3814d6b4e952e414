"""User names and passwords, against a server that asks for them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from flask_mongokit import AuthenticationIncorrect, MongoKit

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def port(run_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server where ada may use the database tasks."""
    folder = tmp_path_factory.mktemp("engine")
    # There is no localhost exception: the users are made before the engine asks for any.
    with run_engine(folder) as open_port, MongoClient[Any]("127.0.0.1", open_port) as client:
        role = {"role": "readWrite", "db": "tasks"}
        client["tasks"].command("createUser", "ada", pwd="secret", roles=[role])
    with run_engine(folder, "--auth") as port:
        yield port


@contextmanager
def login(db: MongoKit, **config: Any) -> Iterator[None]:
    app = Flask("tasks")
    app.config |= {"MONGODB_HOST": "127.0.0.1", "MONGODB_DATABASE": "tasks"} | config
    db.init_app(app)
    with app.app_context():
        yield
    db.close(app)


def test_right_credentials_are_let_in(port: int) -> None:
    db = MongoKit()

    with login(db, MONGODB_PORT=port, MONGODB_USERNAME="ada", MONGODB_PASSWORD="secret"):
        db.connect()
        db["tasks"].insert_one({"title": "Write"})

        assert db["tasks"].count_documents({"title": "Write"}) >= 1


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("eve", "secret")])
def test_wrong_credentials_are_told_by_connect(username: str, password: str, port: int) -> None:
    db = MongoKit()

    with login(db, MONGODB_PORT=port, MONGODB_USERNAME=username, MONGODB_PASSWORD=password):
        with pytest.raises(AuthenticationIncorrect) as caught:
            db.connect()

        assert not db.connected
    assert isinstance(caught.value.__cause__, OperationFailure)
    assert password not in str(caught.value)


def test_wrong_credentials_in_the_uri_are_told_too(port: int) -> None:
    db = MongoKit()
    uri = f"mongodb://ada:wrong@127.0.0.1:{port}/tasks"

    with login(db, MONGODB_URI=uri), pytest.raises(AuthenticationIncorrect):
        db.connect()


def test_credentials_of_their_own_keys_serve_the_uri(port: int) -> None:
    db = MongoKit()
    uri = f"mongodb://127.0.0.1:{port}/?authSource=tasks"

    with login(db, MONGODB_URI=uri, MONGODB_USERNAME="ada", MONGODB_PASSWORD="secret"):
        db.connect()

        assert db["tasks"].find_one({"title": "no such"}) is None
