"""Other origins: nothing unless it is configured, then what the API needs and no credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.core.config import ConfigError, parse_origins

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    AppMaker = Callable[..., Flask]

SHOP, ADMIN = "https://shop.example", "http://localhost:3000"


@pytest.fixture
def settings(settings: dict[str, object]) -> dict[str, object]:
    """Two origins are granted the API."""
    return settings | {"CORS_ORIGINS": f"{SHOP}, {ADMIN}"}


def preflight(client: FlaskClient, path: str, origin: str, method: str = "PATCH") -> TestResponse:
    return client.options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type,authorization",
        },
    )


@pytest.mark.parametrize("origin", [SHOP, ADMIN])
@pytest.mark.parametrize("path", ["/api/users", "/api/users/x", "/api/nowhere"])
def test_preflight_of_a_granted_origin_is_answered(
    client: FlaskClient, path: str, origin: str
) -> None:
    answer = preflight(client, path, origin)

    assert (answer.status_code, answer.data) == (204, b"")
    headers = answer.headers
    assert headers["Access-Control-Allow-Origin"] == origin
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(
        headers["Access-Control-Allow-Methods"].split(", ")
    )
    assert {"Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID"} == set(
        headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://shop.example:444",
        "http://shop.example",
        "https://shop.example/",
        "HTTPS://SHOP.EXAMPLE",
        "null",
        "*",
        "",
    ],
)
def test_other_origin_gets_nothing(api: FlaskClient, origin: str) -> None:
    asked = preflight(api, "/api/users", origin)
    answer = api.get("/api/users", headers={"Origin": origin})

    for each in (asked, answer):
        assert each.status_code == 200
        assert not [name for name in each.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118 - several of one name
        assert each.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Origin" in each.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/users", 200), ("/api/users?limti=1", 400), ("/api/users/x", 400), ("/api/no", 404)],
)
def test_answer_to_a_granted_origin_can_be_read_errors_too(
    api: FlaskClient, path: str, status: int
) -> None:
    answer = api.get(path, headers={"Origin": SHOP})

    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert {"ETag", "Link", "Location", "Retry-After", "X-Request-ID"} == set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_request_without_an_origin_is_answered_as_ever(api: FlaskClient) -> None:
    answer = api.get("/api/users")

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_options_that_is_no_preflight_tells_the_methods(client: FlaskClient) -> None:
    answer = client.options("/api/users", headers={"Origin": SHOP})

    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (200, True)


@pytest.mark.parametrize("path", ["/users", "/healthz", "/"])
def test_what_is_not_the_api_is_granted_to_nobody(client: FlaskClient, path: str) -> None:
    for answer in (preflight(client, path, SHOP), client.get(path, headers={"Origin": SHOP})):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_star_grants_any_origin_without_naming_it(make_app: AppMaker) -> None:
    client = make_app(CORS_ORIGINS="*").test_client()

    for answer in (
        preflight(client, "/api/users", "https://any.example"),
        client.get("/api/users", headers={"Origin": "null"}),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        (" , ", ()),
        ("*", ("*",)),
        ("https://a.example", ("https://a.example",)),
        ("https://a.example ,http://[::1]:8080", ("https://a.example", "http://[::1]:8080")),
        ("https://xn--bcher-kva.example:8443", ("https://xn--bcher-kva.example:8443",)),
        ("http://a.example:443", ("http://a.example:443",)),
    ],
)
def test_origins_are_read_as_browsers_send_them(text: str, origins: tuple[str, ...]) -> None:
    assert parse_origins(text) == origins


@pytest.mark.parametrize(
    "text",
    [
        "a.example",
        "https://a.example/",
        "https://a.example/app",
        "https://A.example",
        "HTTPS://a.example",
        "https://a.example:443",
        "http://a.example:80",
        "https://a.example:",
        "https://*.example",
        "https://user@a.example",
        "https://bücher.example",
        "https://a.example?b",
        "ftp://a.example",
        "null",
        "*, https://a.example",
        "https://a.example https://b.example",
    ],
)
def test_what_is_no_origin_is_refused_by_the_name_of_the_setting(
    make_app: AppMaker, text: str
) -> None:
    with pytest.raises(ConfigError, match="CORS_ORIGINS must be origins"):
        make_app(CORS_ORIGINS=text)
