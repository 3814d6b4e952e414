"""The server's own validators let all that the application writes pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from app.core.db import db
from app.users import services, signing_in, tokens
from app.users.permissions import OPERATOR
from tests.secrets import OTHER_PASSWORD, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

    from app.users.documents import User


def test_everything_that_is_written_is_declared(
    app: Flask, people: list[User], api: FlaskClient
) -> None:
    done = app.test_cli_runner().invoke(args=["db", "sync", "--validators", "strict"])
    assert done.exit_code == 0, done.output
    ada = services.create(
        {"name": "Ada", "email": "ada@example.org"}, by=OPERATOR, password=PASSWORD
    )

    with pytest.raises(signing_in.WrongCredentials):
        signing_in.sign_in("ada@example.org", OTHER_PASSWORD, address="192.0.2.1")
    signing_in.sign_in("ada@example.org", PASSWORD, address="192.0.2.1")
    signing_in.set_password(ada["_id"], OTHER_PASSWORD, by=OPERATOR)
    _, secret = tokens.create(ada["_id"], {"name": "CI"}, by=OPERATOR)
    tokens.actor_of(secret)
    services.change(people[0]["_id"], {"role": "member"}, by=OPERATOR)
    services.replace(ada["_id"], {"name": "Ada L.", "email": "al@example.org"}, by=OPERATOR)
    line = json.dumps({"name": "Eve", "email": "eve@example.org"}).encode()
    imported = api.post("/api/users/import", data=line, content_type="application/x-ndjson")

    assert json.loads(imported.text.splitlines()[-1])["stored"] == 1
    assert db["rate_limits"].find_one() is not None
    assert db["tokens"].find_one({"last_used": {"$ne": None}}) is not None


@pytest.fixture
def people(make_user: Callable[..., User]) -> list[User]:
    """Two admins, of whom one can be demoted."""
    return [make_user("First", role="admin"), make_user("Second", role="admin")]
