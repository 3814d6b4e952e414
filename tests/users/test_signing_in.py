"""Signing in: by password, by session, by token; what ends them, and what slows guessing."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import argon2
import pytest
from bson import ObjectId

from app.core import limits, passwords
from app.core.db import db
from app.core.limits import TooManyAttempts
from app.users import services, signing_in, tokens
from app.users.permissions import OPERATOR, VISITOR, Actor, NotAllowed, NotSignedIn
from app.users.services import UserRefused
from mongokit import utcnow
from tests.secrets import OTHER_PASSWORD, PASSWORD, WRONG_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from flask import Flask
    from flask.testing import FlaskClient

    from app.users.documents import User

HERE = "192.0.2.1"
WRONG = WRONG_PASSWORD


def member(user: User) -> Actor:
    return Actor("member", user["_id"])


def _time(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment


def token_in(text: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', text)
    assert found is not None
    return found[1]


def enter(client: FlaskClient, email: str, password: str, **query: str) -> Any:
    form = {"email": email, "password": password}
    form["csrf_token"] = token_in(client.get("/sign-in").text)
    return client.post("/sign-in", data=form, query_string=query)


# Passwords.


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("1234567", "min_length"),
        ("x" * 257, "max_length"),
        ("password", "common"),
        ("PassWord", "common"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", "common"),  # in wide letters
        ("aaaaaaaaaaaa", "common"),
        ("ada@example.org", "personal"),
        ("ADA LOVELACE", "personal"),
        ("half \ud83d a pair", "characters"),
        (12345678, "type"),
        (None, "type"),
        ({"$ne": ""}, "type"),
    ],
)
def test_password_is_refused_by_rule_and_not_repeated(
    app: Flask, password: object, rule: str
) -> None:
    found = passwords.problems(password, personal=["Ada Lovelace", "ada@example.org", None])

    assert [each["rule"] for each in found] == [rule]
    if password != "password":
        assert str(password) not in found[0]["message"]


@pytest.mark.parametrize(
    "password",
    ["12345678 9", "x" * 255 + "y", "пароль для Ады", "  four  spaces ", "🐎🔋📎🦄🐎🔋📎🦄"],
)
def test_any_characters_make_a_password(app: Flask, password: str) -> None:
    assert passwords.problems(password) == []
    assert passwords.matches(passwords.hash_of(password), password)


def test_same_characters_typed_in_another_form_are_the_same_password(app: Flask) -> None:
    assert passwords.matches(passwords.hash_of("Zoë Zoë Zoë"), "Zoe\u0308 Zoë Zoë")


def test_hashes_are_argon2id_with_the_configured_parameters_and_a_salt(
    make_app: Callable[..., Flask],
) -> None:
    with make_app(ARGON2_TIME_COST=2, ARGON2_MEMORY_KIB=128, ARGON2_PARALLELISM=2).app_context():
        first, second = passwords.hash_of(PASSWORD), passwords.hash_of(PASSWORD)

    assert first.startswith("$argon2id$v=19$m=128,t=2,p=2$")
    assert first != second


# Signing in.


def test_right_password_finds_its_user_and_is_stored_nowhere(
    app: Flask, make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada")

    assert signing_in.sign_in(" ADA@example.org", PASSWORD, address=HERE) == ada
    for collection in db.database.list_collection_names():
        assert PASSWORD not in str(list(db[collection].find()))


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.org", WRONG),
        ("nobody@example.org", PASSWORD),
        ("locked@example.org", PASSWORD),
        ("", ""),
        ("x" * 300, PASSWORD),
        ("ada@example.org", "x" * 100_000),
        ({"$ne": ""}, {"$ne": ""}),
        (None, None),
        ("ada@example.org\0", PASSWORD),
        ("\ud83d", "\ud83d"),
    ],
)
def test_wrong_credentials_are_all_the_same_error(
    app: Flask, make_user: Callable[..., User], email: object, password: object
) -> None:
    make_user("Ada")
    make_user("Locked", password=None)

    with pytest.raises(signing_in.WrongCredentials) as caught:
        signing_in.sign_in(email, password, address=HERE)

    assert caught.value.errors == []


def test_password_is_hashed_also_where_there_is_no_such_user(
    app: Flask, make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("Ada")
    make_user("Locked", password=None)
    hashed = []
    compare = argon2.PasswordHasher.verify

    def watched(self: Any, stored: Any, password: Any) -> Any:
        hashed.append(str(stored).rpartition("$")[0].rpartition("$")[0])
        return compare(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)
    for email in ("ada@example.org", "locked@example.org", "nobody@example.org", "none"):
        with pytest.raises(signing_in.WrongCredentials):
            signing_in.sign_in(email, WRONG, address=HERE)

    assert hashed == ["$argon2id$v=19$m=64,t=1,p=1"] * 4


def test_hash_of_older_parameters_is_made_anew_at_the_next_sign_in(
    make_app: Callable[..., Flask], make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada")

    with make_app(ARGON2_TIME_COST=3).app_context():
        signing_in.sign_in("ada@example.org", PASSWORD, address=HERE)
        stored = services.find(ada["_id"], by=OPERATOR)
        signing_in.sign_in("ada@example.org", PASSWORD, address=HERE)

    assert ",t=3," in stored["password_hash"]
    assert stored["version"] == ada["version"]


# Limits.


def test_account_is_slowed_after_ten_attempts_from_anywhere_and_only_that_account(
    app: Flask, make_user: Callable[..., User]
) -> None:
    make_user("Ada")
    make_user("Bob")

    for number in range(10):
        with pytest.raises(signing_in.WrongCredentials):
            signing_in.sign_in("ada@example.org", WRONG, address=f"192.0.2.{number}")
    with pytest.raises(TooManyAttempts) as caught:
        signing_in.sign_in("Ada@EXAMPLE.org", PASSWORD, address="198.51.100.1")

    assert 0 < caught.value.retry_after <= 15 * 60
    signing_in.sign_in("bob@example.org", PASSWORD, address="192.0.2.1")


def test_attempts_at_the_same_moment_are_counted_one_by_one(
    app: Flask, make_user: Callable[..., User]
) -> None:
    make_user("Ada")

    def attempt(_: int) -> type[Exception]:
        with app.app_context(), pytest.raises(Exception, match=r"wrong|Too many") as caught:
            signing_in.sign_in("ada@example.org", WRONG, address=HERE)
        return caught.type

    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(attempt, range(48)))

    assert seen.count(signing_in.WrongCredentials) == 10
    assert seen.count(TooManyAttempts) == 38


def test_right_password_sets_the_count_of_its_account_back(
    app: Flask, make_user: Callable[..., User]
) -> None:
    make_user("Ada")

    for _ in range(3):
        for _ in range(9):
            with pytest.raises(signing_in.WrongCredentials):
                signing_in.sign_in("ada@example.org", WRONG, address=HERE)
        signing_in.sign_in("ada@example.org", PASSWORD, address=HERE)


def test_address_is_slowed_by_its_failures_on_whatever_accounts(
    make_app: Callable[..., Flask], make_user: Callable[..., User]
) -> None:
    make_user("Ada")

    with make_app(SIGN_IN_LIMIT_PER_ADDRESS="3 per hour").app_context():
        for number in range(3):
            with pytest.raises(signing_in.WrongCredentials):
                signing_in.sign_in(f"{number}@example.org", WRONG, address=HERE)
        with pytest.raises(TooManyAttempts):
            signing_in.sign_in("ada@example.org", PASSWORD, address=HERE)
        signing_in.sign_in("ada@example.org", PASSWORD, address="198.51.100.1")


def test_limits_store_no_address_and_expire(app: Flask, make_user: Callable[..., User]) -> None:
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.sign_in("ada@example.org", WRONG, address=HERE)

    stored = list(db[limits.COLLECTION].find())

    assert len(stored) == 2
    # Not "ada" alone, which may stand in a hash by chance.
    assert not any(word in str(stored) for word in ("ada@", HERE))
    assert all(each["expireAt"] > utcnow() for each in stored)


def test_page_and_api_count_together_and_answer_429_with_the_seconds_to_wait(
    app: Flask, make_user: Callable[..., User]
) -> None:
    make_user("Ada")
    client = app.test_client()

    for _ in range(5):
        assert enter(client, "ada@example.org", WRONG).status_code == 401
        body = {"email": "ada@example.org", "password": WRONG}
        assert client.post("/api/tokens", json=body).status_code == 401
    page = enter(client, "ada@example.org", PASSWORD)
    api = client.post("/api/tokens", json={"email": "ada@example.org", "password": PASSWORD})

    assert (page.status_code, api.status_code) == (429, 429)
    assert 0 < int(page.headers["Retry-After"]) <= 900
    assert 0 < int(api.headers["Retry-After"]) <= 900


# Sessions.


def test_session_lets_in_and_sign_out_ends_it(
    make_user: Callable[..., User], sign_in: Callable[..., FlaskClient]
) -> None:
    client = sign_in(make_user("Ada"))
    assert client.get("/users").status_code == 200

    page = client.get("/profile").text
    answer = client.post("/sign-out", data={"csrf_token": token_in(page)})

    assert answer.status_code == 303
    assert client.get("/users").location == "/sign-in?next=/users"


def test_session_cookie_is_for_this_site_and_no_script(
    make_app: Callable[..., Flask], make_user: Callable[..., User]
) -> None:
    make_user("Ada")
    client = make_app(SESSION_COOKIE_SECURE=True).test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    page = client.get("/sign-in", base_url="https://localhost")

    answer = client.post(
        "/sign-in",
        base_url="https://localhost",
        headers={"Referer": "https://localhost/sign-in"},
        data={
            "csrf_token": token_in(page.text),
            "email": "ada@example.org",
            "password": PASSWORD,
        },
    )

    [cookie] = answer.headers.getlist("Set-Cookie")
    assert answer.status_code == 303
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}


def test_session_begins_anew_at_signing_in(app: Flask, make_user: Callable[..., User]) -> None:
    make_user("Ada")
    client = app.test_client()
    with client.session_transaction() as planted:
        planted["planted"] = "by somebody else"
        planted["csrf_token"] = "known to somebody else"

    with client.session_transaction() as before:
        del before["csrf_token"]
    assert enter(client, "ada@example.org", PASSWORD).status_code == 303

    with client.session_transaction() as session:
        assert "planted" not in session
        assert set(session) <= {"_permanent", "_user_id", "_fresh", "_id", "csrf_token", "_flashes"}


def test_all_sessions_end_with_the_epoch_and_tokens_stay(
    make_user: Callable[..., User],
    sign_in: Callable[..., FlaskClient],
    token_of: Callable[..., str],
) -> None:
    ada = make_user("Ada")
    here, there, token = sign_in(ada), sign_in(ada), token_of(ada)

    page = here.get("/profile").text
    answer = here.post("/profile/sign-out-everywhere", data={"csrf_token": token_in(page)})

    assert answer.status_code == 303
    assert here.get("/profile").status_code == 200
    assert there.get("/profile").status_code == 303
    bearer = {"Authorization": f"Bearer {token}"}
    assert there.get("/api/users", headers=bearer).status_code == 200


def test_changed_password_ends_all_other_sessions_and_needs_the_one_until_now(
    make_user: Callable[..., User], sign_in: Callable[..., FlaskClient]
) -> None:
    ada = make_user("Ada")
    here, there = sign_in(ada), sign_in(ada)
    form = {
        "csrf_token": token_in(here.get("/profile/password").text),
        "password": OTHER_PASSWORD,
    }

    refused = here.post("/profile/password", data=form | {"current_password": WRONG})
    changed = here.post("/profile/password", data=form | {"current_password": PASSWORD})

    assert (refused.status_code, changed.status_code) == (422, 303)
    assert "Current password is not your password" in refused.text
    assert here.get("/profile").status_code == 200
    assert there.get("/profile").status_code == 303
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.sign_in("ada@example.org", PASSWORD, address=HERE)


def test_removed_user_is_out_at_once(
    make_user: Callable[..., User],
    sign_in: Callable[..., FlaskClient],
    token_of: Callable[..., str],
) -> None:
    ada = make_user("Ada")
    client, token = sign_in(ada), token_of(ada)

    services.remove(ada["_id"], by=OPERATOR)

    assert client.get("/users").status_code == 303
    with pytest.raises(NotSignedIn):
        tokens.actor_of(token)
    assert list(db["tokens"].find()) == []


@pytest.mark.parametrize(
    "value", ["", "x", "65f0c0ffee65f0c0ffee65f0", "65f0c0ffee65f0c0ffee65f0.0"]
)
def test_session_of_nobody_is_no_session(app: Flask, value: str) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = value

    assert client.get("/profile").status_code == 303


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/users?limit=5", "/users?limit=5"),
        ("//evil.example/", "/users"),
        ("/\\evil.example/", "/users"),
        ("https://evil.example/", "/users"),
        ("javascript:alert(1)", "/users"),
        ("/\t/evil.example", "/users"),
        ("users", "/users"),
    ],
)
def test_signing_in_leads_back_and_never_elsewhere(
    app: Flask, make_user: Callable[..., User], wanted: str, led_to: str
) -> None:
    make_user("Ada")

    answer = enter(app.test_client(), "ada@example.org", PASSWORD, next=wanted)

    assert (answer.status_code, answer.location) == (303, led_to)


def test_answers_vary_by_the_cookie_where_it_counts_and_the_session_lasts_from_the_last_request(
    api: FlaskClient, admin: User, sign_in: Callable[..., FlaskClient]
) -> None:
    by_session = sign_in(admin).get("/api/users")
    by_token = api.get("/api/users")

    assert "Cookie" in by_session.headers["Vary"]
    assert "session=" in by_session.headers["Set-Cookie"]
    assert "Vary" not in by_token.headers
    assert "Set-Cookie" not in by_token.headers


def test_session_is_enough_for_the_api_but_not_from_the_page_of_another_site(
    admin: User, sign_in: Callable[..., FlaskClient]
) -> None:
    client = sign_in(admin)
    ada = {"name": "Ada", "email": "ada@example.org"}

    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ):
        assert client.post("/api/users", json=ada, headers=headers).status_code == 403
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/users", json=ada, headers=own).status_code == 201
    assert client.get("/api/users").status_code == 200


# Tokens.


def test_token_is_shown_once_and_stored_as_a_hash(
    app: Flask, make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada")

    token, secret = tokens.create(ada["_id"], {"name": " CI "}, by=OPERATOR)

    assert re.fullmatch(r"mk_[0-9A-Za-z]{46}", secret)
    assert secret not in str(list(db["tokens"].find()))
    assert (token.name, token.scopes) == ("CI", ["users:read", "users:write"])
    assert timedelta(days=89) < _time(token.expires) - utcnow() < timedelta(days=91)
    assert tokens.actor_of(secret) == Actor("member", ada["_id"], frozenset(token.scopes))


def test_use_of_a_token_is_noted(app: Flask, make_user: Callable[..., User]) -> None:
    ada = make_user("Ada")
    token, secret = tokens.create(ada["_id"], {"name": "CI"}, by=OPERATOR)
    assert token.last_used is None

    tokens.actor_of(secret)

    [listed] = tokens.listing(ada["_id"], by=OPERATOR)
    assert abs(utcnow() - _time(listed.last_used)) < timedelta(minutes=1)


def test_what_is_no_token_costs_no_query_and_lets_nobody_in(
    app: Flask, make_user: Callable[..., User]
) -> None:
    secret = tokens.create(make_user("Ada")["_id"], {"name": "CI"}, by=OPERATOR)[1]

    for wrong in ("", "mk_", secret[:-1], secret + "0", secret[:-1] + "~", "x" * 10_000, "\0"):
        with pytest.raises(NotSignedIn):
            tokens.actor_of(wrong)


def test_token_that_is_over_lets_nobody_in(app: Flask, make_user: Callable[..., User]) -> None:
    ada = make_user("Ada")
    token, secret = tokens.create(ada["_id"], {"name": "CI", "expires_in": "1h"}, by=OPERATOR)
    db["tokens"].update_one({"_id": token["_id"]}, {"$set": {"expires": utcnow()}})

    with pytest.raises(NotSignedIn):
        tokens.actor_of(secret)


def test_revoked_token_lets_nobody_in_and_only_its_owner_revokes_it(
    app: Flask, make_user: Callable[..., User]
) -> None:
    ada, bob = make_user("Ada"), make_user("Bob")
    token, secret = tokens.create(ada["_id"], {"name": "CI"}, by=member(ada))

    with pytest.raises(NotAllowed):
        tokens.revoke(token["_id"], by=member(bob))
    with pytest.raises(tokens.TokenNotFound):
        tokens.revoke(ObjectId(), by=member(bob))
    with pytest.raises(NotSignedIn):
        tokens.revoke(token["_id"], by=VISITOR)
    tokens.revoke(token["_id"], by=member(ada))

    with pytest.raises(NotSignedIn):
        tokens.actor_of(secret)


@pytest.mark.parametrize(
    ("values", "paths"),
    [
        ({}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "x" * 51}, ["name"]),
        ({"name": {"$ne": ""}}, ["name"]),
        ({"name": "CI", "scopes": []}, ["scopes"]),
        ({"name": "CI", "scopes": ["admin"]}, ["scopes"]),
        ({"name": "CI", "scopes": "users:read"}, ["scopes"]),
        ({"name": "CI", "expires_in": "0d"}, ["expires_in"]),
        ({"name": "CI", "expires_in": "9999y"}, ["expires_in"]),
        ({"name": "CI", "expires_in": 5}, ["expires_in"]),
        ({"name": "CI", "user": "me"}, ["user"]),
    ],
)
def test_token_is_refused_by_field(
    app: Flask, make_user: Callable[..., User], values: dict[str, object], paths: list[str]
) -> None:
    with pytest.raises(tokens.TokenRefused) as caught:
        tokens.create(make_user("Ada")["_id"], values, by=OPERATOR)

    assert [error["path"] for error in caught.value.errors] == paths


def test_number_of_tokens_is_bounded(app: Flask, make_user: Callable[..., User]) -> None:
    ada = make_user("Ada")
    for number in range(tokens.MOST):
        tokens.create(ada["_id"], {"name": f"{number}"}, by=OPERATOR)

    with pytest.raises(tokens.TooManyTokens):
        tokens.create(ada["_id"], {"name": "one more"}, by=OPERATOR)


def test_password_is_exchanged_for_a_token_that_works(
    app: Flask, make_user: Callable[..., User]
) -> None:
    make_user("Ada")
    client = app.test_client()
    body = {"email": "ada@example.org", "password": PASSWORD, "scopes": ["users:read"]}

    made = client.post("/api/tokens", json=body)

    assert made.status_code == 201
    assert set(made.json or {}) == {
        "id", "name", "hint", "scopes", "created", "expires", "last_used", "token",
    }  # fmt: skip
    bearer = {"Authorization": f"Bearer {(made.json or {})['token']}"}
    listed = client.get("/api/tokens", headers=bearer).json
    assert [item["name"] for item in (listed or {})["items"]] == ["API"]
    assert "token" not in (listed or {})["items"][0]
    ada = {"name": "Eve", "email": "eve@example.org"}
    refused = client.post("/api/users", json=ada, headers=bearer)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "header", ["Bearer mk_", "Bearer ", "Basic YTpi", "mk_x", "Bearer \x7f", "Bearer a b"]
)
def test_header_without_a_token_is_401_also_beside_a_session(
    admin: User, sign_in: Callable[..., FlaskClient], header: str
) -> None:
    client = sign_in(admin)

    answer = client.get("/api/users", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="users", error="invalid_token"'


def test_own_password_can_be_set_only_with_the_current_one(
    app: Flask, make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada")

    for current in (None, "", WRONG, {"$ne": ""}):
        with pytest.raises(UserRefused) as caught:
            signing_in.set_password(ada["_id"], OTHER_PASSWORD, by=member(ada), current=current)
        assert [error["path"] for error in caught.value.errors] == ["current_password"]
    with pytest.raises(UserRefused) as caught:
        signing_in.set_password(ada["_id"], "short", by=member(ada), current=PASSWORD)
    assert [error["path"] for error in caught.value.errors] == ["password"]
