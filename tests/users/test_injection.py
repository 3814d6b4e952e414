"""No value of a request becomes an operator, a pattern, a path or markup."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pymongo import monitoring

from app.core.db import db
from app.users import services
from app.users.permissions import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

    from app.users.documents import User

OPERATORS: list[Any] = [
    {"$ne": ""},
    {"$gt": ""},
    {"$regex": ".*"},
    {"$where": "sleep(1000)"},
    {"$in": ["ada@example.org"]},
    ["ada@example.org"],
    {"$set": {"role": "admin"}},
    True,
    0,
    None,
]
KEYS = [
    "$set",
    "$where",
    "role.x",
    "email.$",
    "email_key",
    "password_hash",
    "epoch",
    "version",
    "_id",
    "id",
    "__proto__",
    "constructor",
    "__class__",
    "",
    "\0",
    "name\0",
]
QUERIES = [
    "q[$regex]=.*",
    "q[$ne]=",
    "email[$gt]=",
    "role[$ne]=member",
    "sort=$natural",
    "sort=password_hash",
    "sort=-email_key",
    "fields=password_hash",
    "fields=$where",
    "fields=name,epoch",
    "role=$ne",
    "limit[$gt]=0",
    "q=%00",
    "q=a%00b",
    "$where=1",
    "__proto__[admin]=1",
    "after[$gt]=",
]


class Sent(monitoring.CommandListener):
    """The commands that were sent."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(json.loads(json.dumps(event.command, default=str)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing is kept of it."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing is kept of it."""


@pytest.fixture
def sent() -> Sent:
    """What the application sends to the database."""
    return Sent()


@pytest.fixture
def settings(settings: dict[str, object], sent: Sent) -> dict[str, object]:
    """The application's client is listened to."""
    return settings | {"MONGODB_OPTIONS": {"event_listeners": [sent]}}


def everything() -> list[dict[str, Any]]:
    return list(db["users"].find().sort("_id", 1))


@pytest.mark.parametrize("value", OPERATORS, ids=repr)
@pytest.mark.parametrize("field", ["email", "password"])
def test_nobody_signs_in_by_an_operator(
    app: Flask, make_user: Callable[..., User], field: str, value: object
) -> None:
    make_user("Ada")
    body = {"email": "ada@example.org", "password": "wrong, wrong, wrong", field: value}

    answer = app.test_client().post("/api/tokens", json=body)

    assert answer.status_code == 401
    assert list(db["tokens"].find()) == []


@pytest.mark.parametrize("value", OPERATORS[:-1], ids=repr)
@pytest.mark.parametrize("field", ["name", "email", "role"])
def test_operator_in_place_of_a_field_is_refused_and_changes_nothing(
    api: FlaskClient, field: str, value: object
) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    before = everything()

    made = api.post("/api/users", json={"name": "Eve", "email": "eve@example.org", field: value})
    changed = api.patch(f"/api/users/{ada['_id']}", json={field: value})
    replaced = api.put(
        f"/api/users/{ada['_id']}", json={"name": "Ada", "email": "ada@example.org", field: value}
    )

    assert [each.status_code for each in (made, changed, replaced)] == [422] * 3
    assert everything() == before


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_name_that_is_no_field_is_refused_and_reaches_no_command(
    api: FlaskClient, sent: Sent, key: str
) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    before = everything()
    sent.commands.clear()

    for value in ("x", 1, {"$ne": 1}, {"a": {"b": 1}}):
        body = {"name": "Eve", "email": "eve@example.org", key: value}
        line = json.dumps(body).encode()
        imported = api.post("/api/users/import", data=line, content_type="application/x-ndjson")
        assert json.loads(imported.text.splitlines()[0])["result"] == "refused"
        for method, path in (
            ("POST", "/api/users"),
            ("PATCH", f"/api/users/{ada['_id']}"),
            ("PUT", f"/api/users/{ada['_id']}"),
        ):
            answer = api.open(path, method=method, json=body)
            assert answer.status_code == 422
            assert key in [error["path"] for error in (answer.json or {})["errors"]]

    assert everything() == before
    assert not any("Eve" in str(command) for command in sent.commands)


@pytest.mark.parametrize("query", QUERIES)
def test_argument_that_is_none_is_400_and_asks_the_database_nothing(
    api: FlaskClient, sent: Sent, query: str
) -> None:
    services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    sent.commands.clear()

    answer = api.get(f"/api/users?{query}")

    assert answer.status_code == 400
    assert not [c for c in sent.commands if c.get("find") == "users" and "limit" in c and
                c["limit"] != 1]  # fmt: skip


@pytest.mark.parametrize("q", [".*", "^a", "a|b", "$", "\\", "(", "[a-z]", "*", '{"$ne":""}', "%"])
def test_search_term_is_text(api: FlaskClient, q: str) -> None:
    services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    services.create({"name": q, "email": "b@example.org"}, by=OPERATOR)

    found = api.get(f"/api/users?q={quote(q)}").json

    assert [item["name"] for item in (found or {})["items"]] == [q]


@pytest.mark.parametrize(
    "id", ["$ne", "[$ne]=", "..%2f..%2fetc%2fpasswd", "0" * 23, "0" * 25, "%00", "{}", "g" * 24]
)
def test_id_that_is_none_is_refused(api: FlaskClient, id: str) -> None:
    for method in ("GET", "PATCH", "DELETE", "PUT"):
        answer = api.open(f"/api/users/{id}", method=method, json={})
        assert answer.status_code in (400, 404, 405)


def test_what_users_are_called_is_text_on_every_page(
    admin: User, sign_in: Callable[..., FlaskClient]
) -> None:
    # The product is long enough that no `_id` or time on the page holds it by chance.
    name = '<img src=x onerror="alert(1)">{{77777*77777}}\'"'
    made = services.create({"name": name, "email": "o'hara@example.org"}, by=OPERATOR)
    client = sign_in(admin)

    for path in ("/users", f"/users?q={quote(name)}", f"/users/{made['_id']}", "/profile"):
        page = client.get(path)
        assert "<img src=x" not in page.text
        assert str(77777 * 77777) not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/users?q=<script>alert(1)</script>",
        "/users?sort=<script>",
        '/sign-in?next="><script>',
        "/<script>",
        "/users/<script>",
    ],
)
def test_nothing_of_an_address_becomes_markup(
    admin: User, sign_in: Callable[..., FlaskClient], path: str
) -> None:
    for client in (sign_in(admin), sign_in(admin).application.test_client()):
        page = client.get(path)
        assert "<script>" not in page.text
        assert page.status_code < 500


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Request-ID", "Accept",
                                    "If-Match", "If-None-Match", "Cookie", "Range"])  # fmt: skip
def test_hostile_headers_are_no_server_error(api: FlaskClient, header: str) -> None:
    for value in (
        "\x7f",
        "'",
        '"',
        "W/",
        "*",
        "x" * 5000,
        "${jndi:ldap://x}",
        "../..",
        "a=b;" * 500,
    ):
        assert api.get("/api/users", headers={header: value}).status_code < 500
