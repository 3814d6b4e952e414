"""The HTML door: the list, the form, and what a visitor without JavaScript or mouse gets."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from app.users import services
from app.users.permissions import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from app.users.documents import User

pytestmark = pytest.mark.usefixtures("declared_as")

Attributes = dict[str, str | None]


class Page(HTMLParser):
    """The start tags of a page, in order."""

    def __init__(self, answer: TestResponse) -> None:
        super().__init__()
        self.tags: list[tuple[str, Attributes]] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.tags if name == tag]

    def field(self, name: str) -> Attributes:
        return next(a for a in self.all("input") if a.get("name") == name)

    def link(self, rel: str) -> str | None:
        return next((a["href"] for a in self.all("a") if a.get("rel") == rel), None)


def post(client: FlaskClient, **fields: str) -> TestResponse:
    """Fill in the form as a browser does: open the page, send its hidden token along."""
    token = Page(client.get("/users")).field("csrf_token")["value"]
    return client.post("/users", data={"csrf_token": token, **fields})


def names(answer: TestResponse) -> list[str]:
    """Who is on a page, without the admin who looks at it."""
    found = re.findall(r'<th scope="row"[^>]*>(.*?)</th>', answer.text)
    return [unescape(name) for name in found if name != "Admin"]


@pytest.fixture
def client(admin: User, sign_in: Callable[..., FlaskClient]) -> FlaskClient:
    """The browser of an admin; what others see, the tests of permissions tell."""
    return sign_in(admin)


def test_added_user_is_announced_and_stands_first(client: FlaskClient) -> None:
    services.create({"name": "Grace", "email": "grace@example.org"}, by=OPERATOR)

    answer = post(client, name=" Ada ", email="ada@EXAMPLE.org")

    assert (answer.status_code, answer.location) == (303, "/users")
    page = client.get("/users")
    assert 'role="status">Ada was added.' in page.text
    assert names(page) == ["Ada", "Grace"]
    assert "ada@example.org" in page.text
    assert "was added" not in client.get("/users").text


def test_fields_carry_labels_and_what_the_document_declares(client: FlaskClient) -> None:
    page = Page(client.get("/users"))

    assert {a["for"] for a in page.all("label")} == {"name", "email", "role", "q", "of-role"}
    assert [page.field(name)["maxlength"] for name in ("name", "email")] == ["50", "120"]
    assert [page.field(name)["autocomplete"] for name in ("name", "email")] == ["name", "email"]
    assert page.field("email")["type"] == "email"
    assert all("required" in page.field(name) for name in ("name", "email"))


def test_refused_form_comes_back_with_the_error_at_the_field_and_the_focus_there(
    client: FlaskClient,
) -> None:
    answer = post(client, name="Ada", email="not an address")

    assert answer.status_code == 422
    page = Page(answer)
    name, email = page.field("name"), page.field("email")
    assert (name["value"], email["value"]) == ("Ada", "not an address")
    assert "aria-invalid" not in name
    assert "autofocus" not in name
    assert email["aria-invalid"] == "true"
    assert "autofocus" in email
    assert f'id="{email["aria-describedby"]}"' in answer.text
    assert "email must be an e-mail address, like ada@example.org" in answer.text


def test_of_two_wrong_fields_the_first_one_has_the_focus(client: FlaskClient) -> None:
    page = Page(post(client, name="n" * 51, email=""))

    assert "autofocus" in page.field("name")
    assert "autofocus" not in page.field("email")
    assert page.field("email")["aria-invalid"] == "true"


def test_email_that_is_taken_is_409_at_the_field(client: FlaskClient) -> None:
    services.create({"name": "Grace", "email": "grace@example.org"}, by=OPERATOR)

    answer = post(client, name="Eve", email="GRACE@example.org")

    assert answer.status_code == 409
    assert Page(answer).field("email")["aria-invalid"] == "true"
    assert "Another user has this e-mail address." in answer.text
    assert names(answer) == ["Grace"]


def test_form_without_its_fields_is_refused_and_not_broken(client: FlaskClient) -> None:
    answer = post(client)

    assert answer.status_code == 422
    assert "name is required" in answer.text


def test_form_without_token_is_refused_and_stores_nothing(client: FlaskClient) -> None:
    answer = client.post("/users", data={"name": "Eve", "email": "eve@example.org"})

    assert answer.status_code == 400
    assert names(client.get("/users")) == []


def test_what_users_are_called_is_shown_as_text(client: FlaskClient) -> None:
    name = '<script>alert("1")</script> & "Co"'
    post(client, name=name, email="o'hara@example.org")

    page = client.get("/users")

    assert "<script" not in page.text
    assert names(page) == [name]
    assert names(post(client, name=name, email='"><script>')) == [name]


def test_links_lead_through_all_pages_and_back(client: FlaskClient) -> None:
    made = [f"Ada {n}" for n in range(45)]
    for n, name in enumerate(made):
        services.create({"name": name, "email": f"{n}@example.org"}, by=OPERATOR)

    pages = [client.get("/users")]
    while (path := Page(pages[-1]).link("next")) is not None:
        pages.append(client.get(path))
    back = [pages[-1]]
    while (path := Page(back[0]).link("prev")) is not None:
        back.insert(0, client.get(path))

    assert [len(names(page)) for page in pages] == [20, 20, 5]  # and the admin
    assert [name for page in pages for name in names(page)] == made[::-1]
    assert [names(page) for page in back] == [names(page) for page in pages]


def test_list_is_searched_sorted_and_of_one_role_and_links_keep_that(client: FlaskClient) -> None:
    for n in range(25):
        services.create({"name": f"Ada {n:02}", "email": f"{n}@example.org"}, by=OPERATOR)
    services.create({"name": "Grace", "email": "ada@example.org", "role": "admin"}, by=OPERATOR)

    first = client.get("/users?q=ADA&role=")
    path = Page(first).link("next")
    assert path is not None
    second = client.get(path)
    admins = client.get("/users?role=admin&q=")
    backwards = client.get("/users?sort=-name")

    assert names(first) == [f"Ada {n:02}" for n in range(20)]
    assert names(second) == [f"Ada {n:02}" for n in range(20, 25)] + ["Grace"]
    assert Page(second).field("q")["value"] == "ADA"
    assert names(admins) == ["Grace"]
    assert names(backwards)[:2] == ["Grace", "Ada 24"]
    hrefs = {a["href"] for a in Page(admins).all("a")}
    assert "/users?role=admin&sort=email" in hrefs


def test_search_that_finds_nobody_says_so(client: FlaskClient) -> None:
    services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)

    answer = client.get("/users?q=<x>")

    assert "Nobody was found." in answer.text
    assert "<x>" not in answer.text


def test_page_behind_the_last_one_leads_back(client: FlaskClient) -> None:
    made = [
        services.create({"name": "Ada", "email": f"{n}@example.org"}, by=OPERATOR)
        for n in range(21)
    ]
    path = Page(client.get("/users?role=member")).link("next")
    assert path is not None
    services.remove(made[0]["_id"], by=OPERATOR)

    answer = client.get(path)

    assert names(answer) == []
    assert "Nobody was found." in answer.text
    assert {"href": "/users"} in Page(answer).all("a")


def test_malformed_place_is_400_as_a_page(client: FlaskClient) -> None:
    answer = client.get("/users?after=x")

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
