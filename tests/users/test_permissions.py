"""Who may do what, cell by cell, at each door; and that one admin is always left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from bson import ObjectId

from app.core.db import db
from app.core.locks import Busy
from app.core.operations import operation_of
from app.users import permissions, services, tokens
from app.users.permissions import OPERATOR, TABLE, VISITOR, Action, Actor, Reach
from app.users.services import LastAdmin
from tests.secrets import OTHER_PASSWORD, PASSWORD

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from app.users.documents import User

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
EVE = {"name": "Eve", "email": "eve@example.org"}


class People(NamedTuple):
    """Who is there: two of each role, so that nobody is the last one."""

    member: User
    admin: User
    other: User
    second: User


@pytest.fixture
def people(make_user: Callable[..., User]) -> People:
    """Two admins and two members."""
    return People(
        make_user("Member"),
        make_user("Boss", role="admin"),
        make_user("Other"),
        make_user("Second", role="admin"),
    )


# The table itself.


def test_page_shows_the_table_as_it_is() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| (\w+) \| (\w+) \| ([^|]+) \|$", PAGE.read_text("utf-8"), re.M
    )

    shown = {what: (member, admin, scope.strip("`")) for what, member, admin, scope in rows}

    assert {what: cells for what, cells in shown.items() if what != "What"} == {
        action.value: (right.member.value, right.admin.value, right.scope or "no token is enough")
        for action, right in TABLE.items()
    }
    assert set(TABLE) == set(Action)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", ["member", "admin"])
@pytest.mark.parametrize("owner", ["own", "other"])
@pytest.mark.parametrize("scope", [None, *permissions.SCOPES])
def test_each_cell_is_what_the_services_are_told(
    action: Action, role: Any, owner: str, scope: str | None
) -> None:
    me = ObjectId()
    actor = Actor(role, me, None if scope is None else frozenset({scope}))
    allowed = permissions.allows(actor, action, me if owner == "own" else ObjectId())

    enough = scope is None or scope == TABLE[action].scope
    assert allowed == (enough and is_allowed(action, role, owner))
    assert permissions.allows(OPERATOR, action)
    assert not permissions.allows(VISITOR, action, me)


# At the doors. Each entry does one thing to one user; it returns whether it was let.

Do = Callable[["Callable[..., TestResponse]", "User"], "TestResponse"]

API: dict[Action, Do] = {
    Action.LIST: lambda ask, _: ask("GET", "/api/users"),
    Action.SHOW: lambda ask, user: ask("GET", f"/api/users/{user['_id']}"),
    Action.CREATE: lambda ask, _: ask("POST", "/api/users", json=EVE),
    Action.CHANGE: lambda ask, user: ask("PATCH", f"/api/users/{user['_id']}", json={"name": "N"}),
    Action.CHANGE_ROLE: lambda ask, user: ask(
        "PATCH",
        f"/api/users/{user['_id']}",
        json={"role": "member" if user.role == "admin" else "admin"},
    ),
    Action.REMOVE: lambda ask, user: ask("DELETE", f"/api/users/{user['_id']}"),
    Action.SET_PASSWORD: lambda ask, user: ask(
        "PUT",
        f"/api/users/{user['_id']}/password",
        json={"password": OTHER_PASSWORD, "current_password": PASSWORD},
    ),
    Action.END_SESSIONS: lambda ask, user: ask("DELETE", f"/api/users/{user['_id']}/sessions"),
    Action.REVOKE_TOKEN: lambda ask, user: ask("DELETE", f"/api/tokens/{token_id(user)}"),
    Action.IMPORT: lambda ask, _: ask(
        "POST", "/api/users/import", data=json.dumps(EVE), content_type="application/x-ndjson"
    ),
    Action.EXPORT: lambda ask, _: ask("GET", "/api/users/export"),
}


def asking(client: FlaskClient) -> Callable[..., TestResponse]:
    """How a client is asked here."""
    return lambda method, path, **sent: client.open(path, method=method, **sent)


def is_allowed(action: Action, role: str, whose: str) -> bool:
    """What a cell of the table says."""
    right = TABLE[action]
    reach = right.admin if role == "admin" else right.member
    return reach is Reach.ALL or (reach is Reach.OWN and whose == "own")


def token_id(user: User) -> str:
    """The id of a token of a user, made for the purpose."""
    token, _ = tokens.create(user["_id"], {"name": "to revoke"}, by=OPERATOR)
    return str(token["_id"])


@pytest.mark.parametrize("action", API, ids=lambda action: action.name)
@pytest.mark.parametrize("way", ["session", "token"])
@pytest.mark.parametrize("role", ["member", "admin"])
@pytest.mark.parametrize("whose", ["own", "other"])
def test_api_lets_do_what_the_table_says_and_nothing_else(
    app: Flask,
    people: People,
    sign_in: Callable[..., FlaskClient],
    token_of: Callable[..., str],
    action: Action,
    way: str,
    role: str,
    whose: str,
) -> None:
    me = people.member if role == "member" else people.admin
    user = me if whose == "own" else people.other
    client = sign_in(me) if way == "session" else app.test_client()
    if way == "token":
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(me)}"

    answer = API[action](asking(client), user)

    allowed = is_allowed(action, role, whose)
    assert answer.status_code in ((200, 201, 204) if allowed else (403,)), answer.text
    answer.close()


@pytest.mark.parametrize("action", API, ids=lambda action: action.name)
def test_token_does_no_more_than_its_scope_says(
    app: Flask, people: People, token_of: Callable[..., str], action: Action
) -> None:
    right = TABLE[action]
    [missing] = [scope for scope in permissions.SCOPES if scope != right.scope]
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(people.admin, missing)}"

    answer = API[action](asking(client), people.admin)

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_every_operation_of_the_api_asks_who_it_is(app: Flask) -> None:
    client = app.test_client()
    asked = 0

    for rule in app.url_map.iter_rules():
        said = operation_of(app.view_functions[rule.endpoint])
        if said is None or said.is_open:
            continue
        path = re.sub(r"<[^>]+>", str(ObjectId()), rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            kind = "application/x-ndjson" if path.endswith("/import") else "application/json"
            answer = client.open(path, method=method, data=b"{}", content_type=kind)
            assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), path
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="users"'
            asked += 1

    assert asked >= 12


def test_head_is_get_without_the_body_and_changes_nothing(
    app: Flask, people: People, sign_in: Callable[..., FlaskClient]
) -> None:
    visitor, client = app.test_client(), sign_in(people.admin)
    user = people.member
    form = {"version": "1", "name": "Eve", "email": "eve@example.org", "password": PASSWORD}
    asked = 0

    for rule in app.url_map.iter_rules():
        methods = rule.methods or set()
        if "GET" not in methods or rule.arguments - {"id"} or rule.rule.endswith("/export"):
            continue
        path = re.sub(r"<[^>]+>", str(user["_id"]), rule.rule)
        for who in (visitor, client):
            with who.get(path) as got, who.head(path) as plain, who.head(path, data=form) as sent:
                assert plain.status_code == sent.status_code == got.status_code, path
                assert (plain.data, sent.data) == (b"", b""), path
        asked += 1

    assert asked >= 20
    with app.app_context():
        assert services.find(user["_id"], by=OPERATOR) == user
        assert db["users"].count_documents({}) == len(people)


def test_right_is_that_of_the_moment(
    people: People, token_of: Callable[..., str], app: Flask
) -> None:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(people.admin)}"
    assert client.get("/api/users/export").status_code == 200

    services.change(people.admin["_id"], {"role": "member"}, by=OPERATOR)

    assert client.get("/api/users/export").status_code == 403


def _edit(**fields: str) -> Do:
    def send(ask: Callable[..., TestResponse], user: User) -> TestResponse:
        path, version = f"/users/{user['_id']}/edit", str(user["version"])
        values = {"name": user.name, "email": user.email, "role": user.role}
        return ask("POST", path, data=values | fields | {"version": version})

    return send


PAGES: dict[Action, Do] = {
    Action.LIST: lambda ask, _: ask("GET", "/users"),
    Action.SHOW: lambda ask, user: ask("GET", f"/users/{user['_id']}"),
    Action.CREATE: lambda ask, _: ask("POST", "/users/new", data=EVE | {"role": "member"}),
    Action.CHANGE: _edit(name="N"),
    Action.REMOVE: lambda ask, user: ask(
        "POST", f"/users/{user['_id']}/delete", data={"version": str(user["version"])}
    ),
    Action.SET_PASSWORD: lambda ask, user: ask(
        "POST", f"/users/{user['_id']}/password", data={"password": OTHER_PASSWORD}
    ),
    Action.END_SESSIONS: lambda ask, user: ask("POST", f"/users/{user['_id']}/sign-out"),
    Action.REVOKE_TOKEN: lambda ask, user: ask("POST", f"/profile/tokens/{token_id(user)}/revoke"),
    Action.IMPORT: lambda ask, _: ask(
        "POST", "/users/import", data={"file": (BytesIO(json.dumps(EVE).encode()), "x.ndjson")}
    ),
    Action.EXPORT: lambda ask, _: ask("GET", "/users/export.csv"),
}


@pytest.mark.parametrize("action", PAGES, ids=lambda action: action.name)
@pytest.mark.parametrize("role", ["member", "admin"])
@pytest.mark.parametrize("whose", ["own", "other"])
def test_pages_let_do_what_the_table_says_and_nothing_else(
    people: People, sign_in: Callable[..., FlaskClient], action: Action, role: str, whose: str
) -> None:
    me = people.member if role == "member" else people.admin
    user = me if whose == "own" else people.other
    client = sign_in(me)
    client.application.config["WTF_CSRF_ENABLED"] = False  # other tests are about it

    answer = PAGES[action](asking(client), user)

    allowed = is_allowed(action, role, whose)
    assert answer.status_code in ((200, 201, 303) if allowed else (403,)), answer.text
    answer.close()


@pytest.mark.parametrize("role", ["member", "admin"])
@pytest.mark.parametrize("whose", ["own", "other"])
def test_page_changes_a_role_only_for_an_admin(
    people: People, sign_in: Callable[..., FlaskClient], role: str, whose: str
) -> None:
    me = people.member if role == "member" else people.admin
    user = me if whose == "own" else people.other
    client = sign_in(me)
    client.application.config["WTF_CSRF_ENABLED"] = False
    wanted = "member" if user.role == "admin" else "admin"

    _edit(role=wanted)(asking(client), user)

    now = services.find(user["_id"], by=OPERATOR)
    assert now.role == (wanted if role == "admin" else user.role)


def test_pages_of_tokens_are_ones_own_and_the_state_is_for_admins(
    people: People, sign_in: Callable[..., FlaskClient]
) -> None:
    tokens.create(people.other["_id"], {"name": "of another"}, by=OPERATOR)
    member, admin = sign_in(people.member), sign_in(people.admin)
    member.application.config["WTF_CSRF_ENABLED"] = False

    for client in (member, admin):
        made = client.post(
            "/profile/tokens", data={"name": "mine", "scopes": "users:read", "expires_in": "7d"}
        )
        assert made.status_code == 201
        page = client.get("/profile/tokens").text
        assert "mine" in page
        assert "of another" not in page
    assert "Collections" in admin.get("/about").text
    assert "Collections" not in member.get("/about").text


CLI: dict[Action, Callable[[User], list[str]]] = {
    Action.LIST: lambda _: ["list"],
    Action.SHOW: lambda user: ["show", user.email],
    Action.CREATE: lambda _: ["create", "--name", "Eve", "--email", "eve@example.org"],
    Action.CHANGE: lambda user: ["edit", user.email, "--name", "N"],
    Action.CHANGE_ROLE: lambda user: ["edit", user.email, "--role", "admin"],
    Action.REMOVE: lambda user: ["delete", user.email, "--yes"],
    Action.SET_PASSWORD: lambda user: ["edit", user.email, "--password-stdin"],
    Action.CREATE_TOKEN: lambda user: ["token", user.email],
    Action.LIST_TOKENS: lambda user: ["tokens", user.email],
    Action.REVOKE_TOKEN: lambda user: ["tokens", user.email, "--revoke", token_id(user)],
    Action.IMPORT: lambda _: ["import", "-", "--format", "ndjson"],
    Action.EXPORT: lambda _: ["export"],
}


@pytest.mark.parametrize("action", CLI, ids=lambda action: action.name)
def test_who_sits_at_the_terminal_may_do_everything(
    app: Flask, people: People, action: Action
) -> None:
    stdin = json.dumps(EVE) if action is Action.IMPORT else OTHER_PASSWORD

    done = app.test_cli_runner().invoke(args=["users", *CLI[action](people.member)], input=stdin)

    assert done.exit_code == 0, done.output


# The last admin.


def test_last_admin_is_neither_removed_nor_demoted(
    app: Flask, admin: User, api: FlaskClient
) -> None:
    path = f"/api/users/{admin['_id']}"

    demoted = api.patch(path, json={"role": "member"})
    replaced = api.put(path, json={"name": "Admin", "email": "admin@example.org"})
    removed = api.delete(path)
    by_terminal = app.test_cli_runner().invoke(args=["users", "delete", admin.email, "--yes"])

    assert [each.status_code for each in (demoted, replaced, removed)] == [409, 409, 409]
    assert by_terminal.exit_code == 1
    assert "last admin" in by_terminal.output
    assert services.find(admin["_id"], by=OPERATOR) == admin


def test_admin_with_another_one_beside_can_go(people: People, api: FlaskClient) -> None:
    assert (
        api.patch(f"/api/users/{people.admin['_id']}", json={"role": "member"}).status_code == 200
    )
    assert api.delete(f"/api/users/{people.second['_id']}").status_code == 204


@pytest.mark.parametrize("how", ["demoted", "removed", "one of each"])
def test_of_the_last_two_admins_one_is_left_by_requests_at_the_same_moment(
    app: Flask, make_user: Callable[..., User], how: str
) -> None:
    def go(user: User, *, removed: bool) -> Exception | None:
        with app.app_context():
            try:
                if removed:
                    services.remove(user["_id"], by=OPERATOR)
                else:
                    services.change(user["_id"], {"role": "member"}, by=OPERATOR)
            except Exception as error:  # noqa: BLE001 - looked at below
                return error
        return None

    for round_ in range(8):
        db["users"].delete_many({})
        two = [make_user(f"Admin {round_} {n}", role="admin") for n in range(2)]
        removed = {"demoted": (False, False), "removed": (True, True)}.get(how, (True, False))
        with ThreadPoolExecutor(2) as pool:
            calls = [
                partial(go, user, removed=gone) for user, gone in zip(two, removed, strict=True)
            ]
            results = [future.result() for future in [pool.submit(call) for call in calls]]

        assert db["users"].count_documents({"role": "admin"}) == 1
        assert [type(result) for result in results if result is not None] == [LastAdmin]


def test_lock_of_somebody_who_died_is_free_after_its_time(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.locks.WAIT", 0.1)
    db["locks"].insert_one({"_id": "admins", "holder": "dead", "until": 1 << 60})
    with pytest.raises(Busy):
        services.change(people.admin["_id"], {"role": "member"}, by=OPERATOR)

    db["locks"].update_one({"_id": "admins"}, {"$set": {"until": 1}})

    services.change(people.admin["_id"], {"role": "member"}, by=OPERATOR)
    assert db["locks"].find_one() is None


# The first admin.


def test_first_page_offers_to_make_the_first_admin_only_in_development_without_users(
    make_app: Callable[..., Flask], make_user: Callable[..., User]
) -> None:
    app = make_app(FIRST_ADMIN_PAGE=True)
    client = app.test_client()
    assert client.get("/").location == "/first-admin"
    page = client.get("/first-admin")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert token is not None
    form = {"csrf_token": token[1], "password": PASSWORD, **EVE}

    made = client.post("/first-admin", data=form)

    assert (made.status_code, made.location) == (303, "/users")
    assert client.get("/users").status_code == 200
    again = app.test_client()
    assert again.get("/").location == "/sign-in"
    assert again.get("/first-admin").status_code == 303
    with app.app_context():
        [eve] = list(db["users"].find())
    assert eve["role"] == "admin"


def test_nobody_becomes_the_first_admin_by_the_page_where_that_is_not_wanted(app: Flask) -> None:
    client = app.test_client()

    assert client.get("/").location == "/sign-in"
    assert client.get("/first-admin").status_code == 404


def test_of_many_who_want_to_be_the_first_admin_at_once_one_is(app: Flask) -> None:
    def want(number: int) -> type | None:
        with app.app_context():
            try:
                values = {"name": "Ada", "email": f"{number}@example.org"}
                services.create_first_admin(values, password=PASSWORD)
            except (services.UsersExist, Busy) as error:
                return type(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(want, range(8)))

    assert results.count(None) == 1
    assert db["users"].count_documents({}) == 1
