"""Forms carry tokens, the API takes JSON only, every answer carries the headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from flask import Response, jsonify, render_template_string, request, session

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

    AppMaker = Callable[..., Flask]


MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def app(make_app: AppMaker) -> Flask:
    """An app with a form, and an API that takes whatever gets as far as its view."""
    app = make_app()

    @app.route("/form", methods=["GET", "POST"])
    def form() -> str:
        session["seen"] = True
        return render_template_string('<input name="csrf_token" value="{{ csrf_token() }}">')

    @app.route("/api/echo", methods=["POST", "PUT", "PATCH", "DELETE"])
    def echo() -> Response:
        return jsonify(length=len(request.get_data()))

    return app


def test_form_with_its_token_is_taken(client: FlaskClient) -> None:
    found = re.search(r'value="([^"]+)"', client.get("/form").text)
    assert found

    assert client.post("/form", data={"csrf_token": found[1]}).status_code == 200


@pytest.mark.parametrize("data", [{}, {"csrf_token": ""}, {"csrf_token": "guessed"}])
def test_form_without_its_token_is_refused(client: FlaskClient, data: dict[str, str]) -> None:
    client.get("/form")

    answer = client.post("/form", data=data)

    assert answer.status_code == 400
    assert answer.mimetype == "text/html"


def test_token_of_another_session_is_refused(app: Flask) -> None:
    found = re.search(r'value="([^"]+)"', app.test_client().get("/form").text)
    assert found
    other = app.test_client()
    other.get("/form")

    assert other.post("/form", data={"csrf_token": found[1]}).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
    ],
)
def test_api_refuses_every_body_that_a_form_could_send(
    client: FlaskClient, method: str, content_type: str | None
) -> None:
    answer = client.open("/api/echo", method=method, data=b"{}", content_type=content_type)

    assert answer.status_code == 415
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
)
def test_api_takes_json_without_a_token(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/api/echo", data=b"{}", content_type=content_type)

    assert answer.status_code == 200


def test_merge_patch_is_taken_where_it_is_one(client: FlaskClient) -> None:
    answers = [
        client.open("/api/echo", method=method, data=b"{}", content_type=MERGE_PATCH).status_code
        for method in ("PATCH", "POST", "PUT")
    ]

    assert answers == [200, 415, 415]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/api/nowhere", 404), ("PUT", "/api/users", 405), ("PATCH", "/api/users/x", 400)],
)
def test_address_and_method_are_refused_before_the_type_of_the_body(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    answer = client.open(path, method=method, data="x", content_type="text/plain")

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


@pytest.mark.parametrize("path", ["/api//echo", "/api/users//x"])
def test_doubled_slash_is_no_other_name_of_an_address(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "mimetype"),
    [
        ("OPTIONS", "/api/users", None),
        ("OPTIONS", "/api/nowhere", "application/problem+json"),
        ("HEAD", "/api/users", "application/json"),
        ("HEAD", "/api/users/x", "application/problem+json"),
        ("TRACE", "/api/users", "application/problem+json"),
        ("HEAD", "/users", "text/html"),
    ],
)
def test_answer_names_a_type_if_it_has_content_or_would_have(
    api: FlaskClient, method: str, path: str, mimetype: str | None
) -> None:
    assert api.open(path, method=method).mimetype == mimetype


def test_api_grants_no_preflight(client: FlaskClient) -> None:
    answer = client.options(
        "/api/echo",
        headers={"Origin": "https://evil.test", "Access-Control-Request-Method": "DELETE"},
    )

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Methods" not in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/api/nowhere", "/static/style.css"])
def test_every_answer_carries_the_headers(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        headers = answer.headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_what_a_view_says_itself_stays_and_is_said_once(make_app: AppMaker) -> None:
    app = make_app(HSTS_SECONDS=600)
    own = {"Content-Security-Policy": "sandbox", "strict-transport-security": "max-age=0"}

    @app.get("/own")
    def say() -> Response:
        return Response("own", headers=own)

    answer = app.test_client().get("/own", base_url="https://localhost")

    for name, value in own.items():
        assert answer.headers.getlist(name) == [value]
    assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize(("secure", "flag"), [(True, True), (False, False)])
def test_session_cookie_is_out_of_reach_of_scripts_and_foreign_sites(
    app: Flask, secure: bool, flag: bool
) -> None:
    app.config["SESSION_COOKIE_SECURE"] = secure

    cookie = app.test_client().get("/form").headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) is flag


@pytest.mark.parametrize("path", ["/api/echo", "/form"])
def test_body_over_the_limit_is_413(make_app: AppMaker, app: Flask, path: str) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 100
    content_type = "application/json" if path.startswith("/api") else None

    answer = app.test_client().post(
        path,
        data={"a": "x" * 200} if content_type is None else b"x" * 200,
        content_type=content_type,
    )

    assert answer.status_code == 413


def test_pages_hold_no_inline_style_or_script(client: FlaskClient) -> None:
    page = client.get("/nowhere").text

    assert "<style" not in page
    assert "<script" not in page
    assert not re.search(r"\s(style|on\w+)=", page)


# Transport and hosts ----------------------------------------------------------------------------


def test_browsers_are_told_to_come_by_tls_only_where_they_did(make_app: AppMaker) -> None:
    client = make_app(HSTS_SECONDS=600).test_client()

    secure = client.get("/healthz", base_url="https://app.test").headers
    plain = client.get("/healthz", base_url="http://app.test").headers

    assert secure["Strict-Transport-Security"] == "max-age=600"
    assert "Strict-Transport-Security" not in plain


def test_in_production_they_are_told_for_a_year_and_elsewhere_not_at_all(
    make_app: AppMaker,
) -> None:
    production = make_app(APP_ENV="production", SECRET_KEY="kX2vQ9wLr7TzB4nYp8HsD3mJf6GcA1eUoZ5i")
    answers = [
        app.test_client().get("/healthz", base_url="https://app.test")
        for app in (production, make_app())
    ]

    assert answers[0].headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in answers[1].headers


@pytest.mark.parametrize(
    ("hops", "seen"),
    [
        (0, ["http://app.test/where", "127.0.0.1"]),
        (1, ["https://public.test/where", "203.0.113.7"]),
    ],
)
def test_headers_of_proxies_are_believed_as_far_as_there_are_proxies(
    make_app: AppMaker, hops: int, seen: list[str]
) -> None:
    app = make_app(PROXY_HOPS=hops)

    @app.get("/where")
    def where() -> Response:
        return jsonify([request.url, request.remote_addr])

    headers = {
        "X-Forwarded-For": "198.51.100.1, 203.0.113.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "public.test",
    }

    assert app.test_client().get("/where", base_url="http://app.test", headers=headers).json == seen


@pytest.mark.parametrize("path", ["/", "/api/users", "/healthz", "/nowhere", "/static/style.css"])
def test_another_host_is_400_as_problem_details(make_app: AppMaker, path: str) -> None:
    client = make_app(TRUSTED_HOSTS="app.test, .below.test", TESTING=False).test_client()

    for query in ("", "q" * 5_000):
        answer = client.get(path, query_string=query, base_url="http://evil.test")

        assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
        assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["app.test", "app.test:8000", "below.test", "a.below.test"])
def test_named_host_is_served(make_app: AppMaker, host: str) -> None:
    client = make_app(TRUSTED_HOSTS=["app.test", ".below.test"]).test_client()

    assert client.get("/healthz", base_url=f"http://{host}").status_code == 200


# Limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/api/echo", "/nowhere", "/static/style.css"])
def test_query_over_the_limit_is_414(client: FlaskClient, path: str) -> None:
    with client.get(path, query_string="q=" + "x" * 2_046) as fits:
        assert fits.status_code != 414
    answer = client.get(path, query_string="q=" + "x" * 2_047)

    assert answer.status_code == 414


def test_query_of_very_many_arguments_is_400(client: FlaskClient) -> None:
    assert client.get("/healthz", query_string="&".join(["q=1"] * 100)).status_code == 200

    assert client.get("/healthz", query_string="&".join(["q=1"] * 101)).status_code == 400


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data"]
)
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"a": "x" * 4_000}, 200),
        ({"a": "x" * 6_000}, 413),
        ({f"a{n}": "" for n in range(9)}, 200),
        ({f"a{n}": "" for n in range(11)}, 413),
    ],
)
def test_form_over_a_limit_is_413(
    app: Flask, content_type: str, fields: dict[str, str], status: int
) -> None:
    app.config |= {"MAX_FORM_MEMORY_SIZE": 5_000, "MAX_FORM_PARTS": 10, "WTF_CSRF_ENABLED": False}

    @app.post("/fields")
    def count() -> str:
        return str(len(request.form))

    answer = app.test_client().post("/fields", data=fields, content_type=content_type)

    assert answer.status_code == status
    if status == 200:
        assert answer.text == str(len(fields))


# Caches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/users", "/healthz", "/nowhere", "/api/docs"])
def test_answers_stay_out_of_caches(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/static/style.css", "/api/openapi.json", "/api/docs/swagger-ui.css"]
)
def test_what_is_the_same_for_all_may_be_kept(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert "no-store" not in answer.headers["Cache-Control"]
        etag = answer.headers["ETag"]
    with client.get(path, headers={"If-None-Match": etag}) as again:
        assert again.status_code == 304
        assert "no-store" not in again.headers["Cache-Control"]


def test_view_may_say_what_caches_do(app: Flask) -> None:
    @app.get("/kept")
    def kept() -> Response:
        response = Response("kept")
        response.cache_control.max_age = 60
        return response

    assert app.test_client().get("/kept").headers["Cache-Control"] == "max-age=60"
