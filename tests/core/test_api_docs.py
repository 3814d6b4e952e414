"""The page that shows the API: everything comes from here, and nothing runs that stands in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask.testing import FlaskClient


def test_page_is_served_with_all_that_it_loads(client: FlaskClient) -> None:
    page = client.get("/api/docs")
    loaded = re.findall(r'(?:src|href|data-description)="([^"]+)"', page.text)

    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "/api/openapi.json" in loaded
    assert len(loaded) >= 6
    for address in loaded:
        assert address.startswith("/")
        with client.get(address, follow_redirects=True) as answer:
            assert answer.status_code == 200, address


def test_page_runs_under_the_policy_of_all_pages_with_icons_in_the_style_sheet(
    client: FlaskClient,
) -> None:
    page = client.get("/api/docs")
    policy, others = (
        answer.headers["Content-Security-Policy"] for answer in (page, client.get("/nowhere"))
    )

    assert policy.replace(" data:", "") == others
    assert "unsafe" not in policy
    assert "<style" not in page.text
    assert not re.search(r"<script(?![^>]* src=)", page.text)
    assert not re.search(r"\s(style|on\w+)=", page.text)


@pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js"])
def test_assets_ask_no_other_host(client: FlaskClient, name: str) -> None:
    with client.get(f"/api/docs/{name}") as answer:
        text = answer.get_data(as_text=True)

    assert not re.search(r"url\(['\"]?(https?:)?//|@import", text)


@pytest.mark.parametrize("name", ["index.html", "oauth2-redirect.html", "..%2fflask_swagger_ui.py"])
def test_nothing_else_of_the_distribution_is_served(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/api/docs/{name}")

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_pages_lead_to_it(client: FlaskClient) -> None:
    assert 'href="/api/docs"' in client.get("/sign-in").text
