"""The JSON door: statuses, bodies, headers, and what it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from app.core.db import db
from tests.secrets import OTHER_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from app.users.documents import User

pytestmark = pytest.mark.usefixtures("declared_as")

ADA = {"name": "Ada", "email": "ada@example.org"}
UNKNOWN = "65f0c0ffee65f0c0ffee65f0"


@pytest.fixture
def client(api: FlaskClient) -> FlaskClient:
    """Whoever asks here is an admin; what others get, the tests of permissions tell."""
    return api


def listed(answer: TestResponse) -> list[dict[str, Any]]:
    """The users on a page, without the admin who asks."""
    assert answer.json is not None
    return [item for item in answer.json["items"] if item["name"] != "Admin"]


def make(client: FlaskClient, **fields: object) -> dict[str, Any]:
    answer = client.post("/api/users", json=ADA | fields)
    assert answer.status_code == 201
    assert isinstance(answer.json, dict)
    return answer.json


def refusal(answer: TestResponse) -> tuple[int, list[tuple[str, str]]]:
    """The status and the errors of problem details."""
    problem = answer.json
    assert answer.mimetype == "application/problem+json"
    assert problem is not None
    assert problem["status"] == answer.status_code
    assert all(set(error) == {"path", "rule", "message"} for error in problem["errors"])
    return answer.status_code, [(error["path"], error["rule"]) for error in problem["errors"]]


def test_post_makes_a_user_and_says_where(client: FlaskClient) -> None:
    answer = client.post("/api/users", json={"name": " Ada ", "email": "ada@EXAMPLE.org"})

    assert answer.status_code == 201
    item = answer.json
    assert item is not None
    assert set(item) == {"id", "name", "email", "role", "created"}
    assert (item["name"], item["email"]) == ("Ada", "ada@example.org")
    assert re.fullmatch(r"[0-9a-f]{24}", item["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", item["created"])
    assert answer.location == f"/api/users/{item['id']}"
    assert client.get(answer.location).json == item


def test_same_email_again_is_409_and_names_the_field(client: FlaskClient) -> None:
    make(client)

    answer = client.post("/api/users", json={"name": "Eve", "email": "ADA@example.org"})

    assert refusal(answer) == (409, [("email", "unique")])
    assert "ada@" not in answer.text.lower()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("name", "required"), ("email", "required")]),
        ({**ADA, "name": "n" * 51}, [("name", "max_length")]),
        ({**ADA, "name": 5}, [("name", "type")]),
        ({**ADA, "name": None}, [("name", "required")]),
        ({**ADA, "name": ["Ada"]}, [("name", "type")]),
        ({**ADA, "name": "Ada\0"}, [("name", "characters")]),
        ({**ADA, "email": {"$ne": ""}}, [("email", "type")]),
        ({**ADA, "email": "ada"}, [("email", "email")]),
        ({**ADA, "email": True}, [("email", "type")]),
        ({**ADA, "age": 36}, [("age", "unknown")]),
        ({**ADA, "$where": "1"}, [("$where", "unknown")]),
        ({**ADA, "a.b": 1, "": 2}, [("a.b", "unknown"), ("", "unknown")]),
        ({**ADA, "id": UNKNOWN}, [("id", "read_only")]),
        ({**ADA, "created": "2026-01-01T00:00:00Z"}, [("created", "read_only")]),
        ({**ADA, "email_key": "x"}, [("email_key", "unknown")]),
        ([ADA], [("", "type")]),
        ("Ada", [("", "type")]),
        (5, [("", "type")]),
    ],
)
def test_refused_body_is_422_with_every_reason(
    client: FlaskClient, body: object, errors: object
) -> None:
    assert refusal(client.post("/api/users", json=body)) == (422, errors)
    assert listed(client.get("/api/users")) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"name=Ada",
        b'{"name": NaN}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud83d", "email": "ada@example.org"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        '{"name": "Ada"}'.encode("utf-16"),
    ],
)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_malformed_json_is_400(client: FlaskClient, method: str, body: bytes) -> None:
    path = "/api/users" if method == "post" else f"/api/users/{UNKNOWN}"

    answer = client.open(path, method=method, data=body, content_type="application/json")

    assert refusal(answer) == (400, [("", "json")])


def test_body_null_is_422(client: FlaskClient) -> None:
    answer = client.post("/api/users", data="null", content_type="application/json")

    assert refusal(answer) == (422, [("", "type")])


def test_of_two_equal_keys_the_last_one_counts(client: FlaskClient) -> None:
    body = b'{"name": "Eve", "name": "Ada", "email": "ada@example.org"}'

    answer = client.post("/api/users", data=body, content_type="application/json")

    assert answer.json is not None
    assert answer.json["name"] == "Ada"


def test_body_that_is_not_json_is_415(client: FlaskClient) -> None:
    answer = client.post("/api/users", data=ADA)

    assert refusal(answer) == (415, [])


def test_body_that_is_too_large_is_413(client: FlaskClient) -> None:
    client.application.config["MAX_CONTENT_LENGTH"] = 100

    answer = client.post("/api/users", json=ADA | {"name": "n" * 100})

    assert refusal(answer) == (413, [])


@pytest.mark.parametrize("text", ["x", "65f0c0ffee65f0c0ffee65f", UNKNOWN + "0", "z" * 24, "%00"])
@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_malformed_id_is_400(client: FlaskClient, method: str, text: str) -> None:
    answer = client.open(f"/api/users/{text}", method=method, json={})

    assert refusal(answer) == (400, [("id", "object_id")])


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_unknown_id_is_404(client: FlaskClient, method: str) -> None:
    answer = client.open(f"/api/users/{UNKNOWN}", method=method, json={})

    assert refusal(answer) == (404, [])


def test_patch_changes_what_is_given_and_nothing_else(client: FlaskClient) -> None:
    ada = make(client)

    answer = client.patch(f"/api/users/{ada['id']}", json={"name": "Ada Lovelace"})

    assert (answer.status_code, answer.json) == (200, ada | {"name": "Ada Lovelace"})
    assert client.get(f"/api/users/{ada['id']}").json == answer.json


def test_patch_with_nothing_answers_the_user(client: FlaskClient) -> None:
    ada = make(client)

    answer = client.patch(
        f"/api/users/{ada['id']}", data="{}", content_type="application/merge-patch+json"
    )

    assert (answer.status_code, answer.json) == (200, ada)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"name": None}, [("name", "required")]),
        ({"name": "n" * 51}, [("name", "max_length")]),
        ({"email": {"$ne": ""}}, [("email", "type")]),
        ({"created": None}, [("created", "read_only")]),
        ({"id": UNKNOWN}, [("id", "read_only")]),
        ({"age": 36}, [("age", "unknown")]),
        ([], [("", "type")]),
    ],
)
def test_refused_patch_is_422_and_changes_nothing(
    client: FlaskClient, body: object, errors: object
) -> None:
    ada = make(client)

    assert refusal(client.patch(f"/api/users/{ada['id']}", json=body)) == (422, errors)
    assert client.get(f"/api/users/{ada['id']}").json == ada


@pytest.mark.parametrize("name", ["$where", "", ".", "a..b", "name.x", "a\0b", "_id", "email_key"])
def test_no_name_in_a_patch_gets_into_a_query(client: FlaskClient, name: str) -> None:
    ada = make(client)

    answer = client.patch(f"/api/users/{ada['id']}", json={name: {"a": 1}, "name": {"b": 2}})

    assert answer.status_code == 422
    assert client.get(f"/api/users/{ada['id']}").json == ada


def test_patch_of_an_unknown_user_is_404_whatever_its_parts(client: FlaskClient) -> None:
    assert refusal(client.patch(f"/api/users/{UNKNOWN}", json={"name": {}}))[0] == 404


def test_patch_to_the_email_of_another_is_409(client: FlaskClient) -> None:
    make(client)
    grace = make(client, name="Grace", email="grace@example.org")

    answer = client.patch(f"/api/users/{grace['id']}", json={"email": "Ada@example.org"})

    assert refusal(answer) == (409, [("email", "unique")])
    assert client.get(f"/api/users/{grace['id']}").json == grace


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_under_a_condition(client: FlaskClient, method: str) -> None:
    ada = make(client)
    path = f"/api/users/{ada['id']}"
    tag = client.get(path).headers["ETag"]

    def status(**conditions: str) -> int:
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        answer = client.open(path, method=method, headers=headers)
        if answer.status_code >= 400:
            assert answer.mimetype == "application/problem+json"
        if answer.status_code in (200, 304):
            assert answer.headers["ETag"] == tag
        return answer.status_code

    assert status(If_Match=tag) == status(If_Match="*") == status(If_Match=f'"x", {tag}') == 200
    assert status(If_Match='"x"') == status(If_Match=f"W/{tag}") == 412
    assert status(If_None_Match=tag) == status(If_None_Match="*") == 304
    assert status(If_None_Match=f'"x" , W/{tag}') == 304
    assert status(If_None_Match='"x"') == 200
    assert status(If_Match='"x"', If_None_Match=tag) == 412


@pytest.mark.parametrize("value", ["", ",", "abc", '"open', '""'])
def test_condition_without_the_tag_is_not_met_and_nothing_is_changed(
    client: FlaskClient, value: str
) -> None:
    ada = make(client)
    path = f"/api/users/{ada['id']}"

    answers = [
        client.open(path, method=method, json=body, headers={"If-Match": value})
        for method, body in (("GET", None), ("PATCH", {"name": "Eve"}), ("DELETE", None))
    ]

    assert [refusal(answer) for answer in answers] == [(412, [])] * 3
    assert client.get(path, headers={"If-None-Match": value}).get_json() == ada


def test_token_that_may_only_write_changes_under_a_condition(
    app: Flask, client: FlaskClient, admin: User, token_of: Callable[..., str]
) -> None:
    path = f"/api/users/{make(client)['id']}"
    tag = client.get(path).headers["ETag"]
    writer = app.test_client()
    writer.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(admin, 'users:write')}"

    assert writer.get(path).status_code == 403
    changed = writer.patch(path, json={"name": "Grace"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert writer.delete(path, headers={"If-Match": tag}).status_code == 412
    tag = changed.headers["ETag"]
    assert writer.delete(path, headers={"If-Match": tag}).status_code == 204


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("POST", None, {"name": "Eve", "email": "eve@example.org"}),
        ("PUT", "password", {"password": OTHER_PASSWORD}),
        ("DELETE", "sessions", None),
    ],
)
def test_condition_on_what_has_no_tag_is_never_met(
    client: FlaskClient, method: str, below: str | None, body: Any
) -> None:
    ada = make(client)
    path = f"/api/users/{ada['id']}/{below}" if below else "/api/users"

    refused = client.open(path, method=method, json=body, headers={"If-Match": '"x"'})
    done = client.open(path, method=method, json=body)

    assert (refused.status_code, refused.mimetype) == (412, "application/problem+json")
    assert done.status_code in {201, 204}


def test_malformed_chunk_is_400_whatever_the_server_raises(client: FlaskClient) -> None:
    class Chunks:
        def read(self, _size: int = -1) -> bytes:
            raise RuntimeError("Invalid chunk size: b'ZZ'")  # as gunicorn's, no OSError

    answer = client.post(
        "/api/users",
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": Chunks(), "wsgi.input_terminated": True},
    )

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


def test_delete_is_204_and_then_404(client: FlaskClient) -> None:
    ada = make(client)

    first, second = (client.delete(f"/api/users/{ada['id']}") for _ in range(2))

    assert (first.status_code, first.data) == (204, b"")
    assert second.status_code == 404
    assert listed(client.get("/api/users")) == []


def test_pages_hold_every_user_once_in_the_order_of_making(client: FlaskClient) -> None:
    made = [make(client, email=f"{n}@example.org") for n in range(5)]

    items, sizes, query = [], [], {"limit": "2"}
    while True:
        page = client.get("/api/users", query_string=query).json
        assert page is not None
        assert set(page) == {"items", "next", "previous"}
        items += page["items"]
        sizes.append(len(page["items"]))
        if page["next"] is None:
            break
        query["after"] = page["next"]

    assert items[1:] == made  # the first is the admin who asks
    assert sizes == [2, 2, 2]


def linked(answer: TestResponse) -> dict[str, str]:
    """The addresses in `Link`, by their relation."""
    return {rel: url for url, rel in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["Link"])}


def test_links_lead_through_all_pages_and_back_with_the_same_arguments(client: FlaskClient) -> None:
    for n in range(5):
        make(client, name=f"Ada {n}", email=f"{n}@example.org")

    query = {"q": "ada", "role": "member", "fields": "name", "limit": "2"}
    pages = [client.get("/api/users", query_string=query)]
    while url := linked(pages[-1]).get("next"):
        pages.append(client.get(url))
    back = [pages[-1]]
    while url := linked(back[0]).get("prev"):
        back.insert(0, client.get(url))

    bodies = [page.json or {} for page in pages]
    assert [body["items"] for body in bodies] == [
        [{"name": "Ada 0"}, {"name": "Ada 1"}],
        [{"name": "Ada 2"}, {"name": "Ada 3"}],
        [{"name": "Ada 4"}],
    ]
    assert [(page.json or {})["items"] for page in back] == [body["items"] for body in bodies]
    assert bodies[0]["previous"] is None
    assert f"before={bodies[1]['previous']}" in linked(pages[1])["prev"]
    first = linked(pages[1])["first"]
    assert client.get(first).json == bodies[0]
    assert linked(client.get("/api/users"))["first"] == "/api/users"


def test_fields_are_picked_in_the_usual_order(client: FlaskClient) -> None:
    ada = make(client, email="eva@example.org")

    for text, names in [("role,id", ["id", "role"]), ("name,name", ["name"])]:
        query = {"fields": text, "sort": "email"}
        page = client.get("/api/users", query_string=query).json
        assert page is not None
        _admin, item = page["items"]
        assert list(item) == names
        assert item.items() <= ada.items()


def test_users_of_a_role_are_listed(client: FlaskClient) -> None:
    make(client)
    grace = make(client, name="Grace", email="grace@example.org", role="admin")

    page = client.get("/api/users?role=admin&sort=-email").json

    assert page is not None
    assert [item["name"] for item in page["items"]] == ["Grace", "Admin"]
    assert page["items"][0] == grace


def test_role_is_one_of_those_that_there_are(client: FlaskClient) -> None:
    ada = make(client)

    assert ada["role"] == "member"
    answer = client.patch(f"/api/users/{ada['id']}", json={"role": "root"})
    assert answer.status_code == 422
    changed = client.patch(f"/api/users/{ada['id']}", json={"role": "admin"}).json
    assert changed == ada | {"role": "admin"}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("q[$regex]=x", ("q[$regex]", "unknown")),
        ("limti=5", ("limti", "unknown")),
        ("Limit=5", ("Limit", "unknown")),
        ("=", ("", "unknown")),
        ("limit=1&limit=2", ("limit", "repeated")),
        ("q=%00", ("q", "characters")),
        ("q=a%00b", ("q", "characters")),
        ("sort=-name&q=a", ("sort", "search")),
        ("fields=nmae", ("fields", "choice")),
        ("role=root", ("role", "choice")),
        ("sort=age", ("sort", "choice")),
    ],
)
def test_argument_that_is_unknown_repeated_or_wrong_is_400_and_named(
    client: FlaskClient, query: str, error: tuple[str, str]
) -> None:
    assert refusal(client.get(f"/api/users?{query}")) == (400, [error])


@pytest.mark.parametrize("method", ["get", "patch", "delete", "post"])
def test_operation_without_arguments_takes_none(client: FlaskClient, method: str) -> None:
    ada = make(client)
    path = "/api/users" if method == "post" else f"/api/users/{ada['id']}"

    answer = client.open(path, method=method, query_string={"force": ""}, json={})

    assert refusal(answer) == (400, [("force", "unknown")])
    assert client.get(f"/api/users/{ada['id']}").json == ada


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("limit=0", ("limit", "range")),
        ("limit=101", ("limit", "range")),
        ("limit=ten", ("limit", "type")),
        ("limit=", ("limit", "type")),
        ("limit=%00", ("limit", "type")),
        ("after=", ("after", "cursor")),
        ("after=x", ("after", "cursor")),
        (f"after={UNKNOWN}", ("after", "cursor")),
        ("before=x", ("before", "cursor")),
        ("after=%ff", ("after", "cursor")),
    ],
)
def test_malformed_limit_or_cursor_is_400(
    client: FlaskClient, query: str, error: tuple[str, str]
) -> None:
    assert refusal(client.get(f"/api/users?{query}")) == (400, [error])


def test_cursor_behind_the_last_user_is_an_empty_page(client: FlaskClient) -> None:
    make(client)
    make(client, email="another@example.org")
    page = client.get("/api/users?limit=2").json
    assert page is not None
    with client.application.app_context():
        db["users"].delete_many({"email_key": "another@example.org"})

    answer = client.get("/api/users", query_string={"after": page["next"]})

    assert listed(answer) == []


def test_user_from_before_the_declaration_is_shown(client: FlaskClient) -> None:
    with client.application.app_context():
        _id = db["users"].insert_one({"name": "Old", "age": 36}).inserted_id

    item = client.get(f"/api/users/{_id}").json

    assert item == {"id": str(_id), "name": "Old", "email": None, "role": "member", "created": None}


def test_head_and_options_are_answered(client: FlaskClient) -> None:
    ada = make(client)

    head = client.head(f"/api/users/{ada['id']}")
    options = client.options(f"/api/users/{ada['id']}")

    assert (head.status_code, head.data) == (200, b"")
    assert options.allow.as_set() == {"get", "head", "options", "put", "patch", "delete"}


def test_other_method_is_405_and_other_path_404(client: FlaskClient) -> None:
    assert refusal(client.put("/api/users", json=ADA))[0] == 405
    assert refusal(client.get("/api/users/"))[0] == 404
    assert refusal(client.get("/api/people"))[0] == 404
