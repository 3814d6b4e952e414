"""The HTML door to the users: the list, the forms, and what a visitor without JavaScript gets."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from app.core.db import db
from app.users import files, services, state
from app.users.permissions import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
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
    return send(client, "/users/new", **fields)


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    """Open a page and send its form, with what stands in it already and these fields."""
    page = Page(client.get(path))
    hidden = {a["name"]: a["value"] for a in page.all("input") if a.get("type") == "hidden"}
    return client.post(path, data={**hidden, **fields})


def names(answer: TestResponse) -> list[str]:
    """Who is on a page, without the admin who looks at it."""
    found = re.findall(r'<th scope="row"[^>]*><a [^>]*><bdi>(.*?)</bdi></a></th>', answer.text)
    return [unescape(name) for name in found if name != "Admin"]


@pytest.fixture
def client(admin: User, sign_in: Callable[..., FlaskClient]) -> FlaskClient:
    """The browser of an admin; what others see, the tests of permissions tell."""
    return sign_in(admin)


def test_added_user_is_announced_and_stands_first(client: FlaskClient) -> None:
    services.create({"name": "Grace", "email": "grace@example.org"}, by=OPERATOR)

    answer = post(client, name=" Ada ", email="ada@EXAMPLE.org")

    assert answer.status_code == 303
    page = client.get(answer.location)
    assert 'role="status">Ada was added.' in page.text
    assert "ada@example.org" in page.text
    page = client.get("/users")
    assert names(page) == ["Ada", "Grace"]
    assert {"href": answer.location} in Page(page).all("a")
    assert "was added" not in page.text


def test_fields_carry_labels_and_what_the_document_declares(client: FlaskClient) -> None:
    page = Page(client.get("/users/new"))

    assert {a["for"] for a in page.all("label")} == {"name", "email", "role"}
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
    described = (email["aria-describedby"] or "").split()
    assert "email-errors" in described
    assert all(f'id="{each}"' in answer.text for each in described)
    assert "E-mail must be an e-mail address, like ada@example.org" in answer.text


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
    assert names(client.get("/users")) == ["Grace"]


def test_form_without_its_fields_is_refused_and_not_broken(client: FlaskClient) -> None:
    answer = post(client)

    assert answer.status_code == 422
    assert "Name is required" in answer.text


def test_form_without_token_is_refused_and_stores_nothing(client: FlaskClient) -> None:
    answer = client.post("/users/new", data={"name": "Eve", "email": "eve@example.org"})

    assert answer.status_code == 400
    assert names(client.get("/users")) == []


def test_what_users_are_called_is_shown_as_text(client: FlaskClient) -> None:
    name = '<script>alert("1")</script> & "Co"'
    post(client, name=name, email="o'hara@example.org")

    page = client.get("/users")

    assert "<script" not in page.text
    assert names(page) == [name]
    again = post(client, name=name, email='"><script>')
    assert Page(again).field("email")["value"] == '"><script>'
    stored = services.find_by_email("o'hara@example.org", by=OPERATOR)
    shown = client.get(f"/users/{stored['_id']}")
    assert "<script" not in again.text + shown.text


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


def test_headers_say_how_the_list_is_sorted_and_turn_it_round(client: FlaskClient) -> None:
    page = Page(client.get("/users?sort=name"))

    assert [th.get("aria-sort") for th in page.all("th") if "aria-sort" in th] == ["ascending"]
    assert "/users?sort=-name" in {a["href"] for a in page.all("a")}
    assert "/users?sort=name" in {a["href"] for a in Page(client.get("/users?sort=-name")).all("a")}
    assert not [th for th in Page(client.get("/users?q=a")).all("th") if "aria-sort" in th]


def test_who_is_alone_is_shown_the_ways_to_add_others(client: FlaskClient) -> None:
    assert "You are the only user so far." in client.get("/users").text


def test_user_is_changed_and_announced(client: FlaskClient) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    path = f"/users/{ada['_id']}"

    answer = send(client, f"{path}/edit", name="Ada L.", email="ada@example.org", role="admin")

    assert (answer.status_code, answer.location) == (303, path)
    page = client.get(path)
    assert "Ada L. was changed." in page.text
    stored = services.find(ada["_id"], by=OPERATOR)
    assert (stored.name, stored.role) == ("Ada L.", "admin")


def test_change_that_is_refused_or_taken_comes_back_with_what_was_filled_in(
    client: FlaskClient,
) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    services.create({"name": "Bob", "email": "bob@example.org"}, by=OPERATOR)
    path = f"/users/{ada['_id']}/edit"

    refused = send(client, path, name="", email="ada@example.org", role="member")
    taken = send(client, path, name="Ada", email="bob@example.org", role="member")

    assert (refused.status_code, taken.status_code) == (422, 409)
    assert Page(refused).field("name")["aria-invalid"] == "true"
    assert Page(taken).field("email")["value"] == "bob@example.org"
    assert services.find(ada["_id"], by=OPERATOR).email == "ada@example.org"


def test_stale_form_is_refused_and_shows_what_is_stored_now_and_can_then_be_sent(
    client: FlaskClient,
) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    path = f"/users/{ada['_id']}/edit"
    opened = Page(client.get(path))
    form = {a["name"]: a["value"] for a in opened.all("input") if a.get("type") == "hidden"}
    form |= {"name": "Mine", "email": "ada@example.org", "role": "member"}
    services.change(ada["_id"], {"name": "Theirs"}, by=OPERATOR)

    stale = client.post(path, data=form)
    form["version"] = Page(stale).field("version")["value"]
    saved = client.post(path, data=form)

    assert stale.status_code == 409
    assert "What is stored now" in stale.text
    assert "Theirs" in stale.text
    assert Page(stale).field("name")["value"] == "Mine"
    assert saved.status_code == 303
    assert services.find(ada["_id"], by=OPERATOR).name == "Mine"


def test_form_without_a_version_is_a_stale_one(client: FlaskClient) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)

    path = f"/users/{ada['_id']}/edit"
    answers = [send(client, path, name="Eve", version=text) for text in ("", "x", "-1", "9" * 99)]

    assert [answer.status_code for answer in answers] == [409] * 4
    assert services.find(ada["_id"], by=OPERATOR).name == "Ada"


def test_last_admin_stays_an_admin_and_is_told_why(client: FlaskClient, admin: User) -> None:
    path = f"/users/{admin['_id']}"

    demoted = send(client, f"{path}/edit", name="Admin", email=admin.email, role="member")
    deleted = send(client, f"{path}/delete")

    assert (demoted.status_code, deleted.status_code) == (409, 409)
    for answer in (demoted, deleted):
        assert "This is the last admin." in answer.text
        assert 'role="alert"' in answer.text
    assert services.find(admin["_id"], by=OPERATOR).role == "admin"


def test_deletion_asks_first_by_name_and_then_deletes(client: FlaskClient) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    path = f"/users/{ada['_id']}/delete"

    asked = client.get(path)
    assert "Ada" in asked.text
    assert "can't be undone" in " ".join(asked.text.split())
    assert services.find(ada["_id"], by=OPERATOR) == ada
    answer = send(client, path)

    assert (answer.status_code, answer.location) == (303, "/users")
    assert "Ada was deleted." in client.get("/users").text
    assert client.get(path).status_code == 404


def test_user_who_changed_after_the_question_is_not_deleted(client: FlaskClient) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    path = f"/users/{ada['_id']}/delete"
    opened = Page(client.get(path))
    form = {a["name"]: a["value"] for a in opened.all("input") if a.get("type") == "hidden"}
    services.change(ada["_id"], {"name": "Grace"}, by=OPERATOR)

    answer = client.post(path, data=form)

    assert answer.status_code == 409
    assert "Grace" in answer.text
    assert services.find(ada["_id"], by=OPERATOR).name == "Grace"


def test_who_deletes_the_own_account_is_signed_out_and_told(
    make_user: Callable[..., User], sign_in: Callable[..., FlaskClient]
) -> None:
    ada = make_user("Ada")
    client = sign_in(ada)

    answer = send(client, f"/users/{ada['_id']}/delete")

    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert "Your account was deleted" in client.get("/sign-in").text
    assert client.get("/users").status_code == 303


def test_admin_sets_a_password_and_the_user_is_signed_out(
    client: FlaskClient, make_user: Callable[..., User], sign_in: Callable[..., FlaskClient]
) -> None:
    ada = make_user("Ada")
    theirs = sign_in(ada)
    path = f"/users/{ada['_id']}/password"

    weak = send(client, path, password="password")
    answer = send(client, path, password="quite another long phrase")

    assert weak.status_code == 422
    assert Page(weak).field("password")["aria-invalid"] == "true"
    assert answer.status_code == 303
    assert theirs.get("/users").status_code == 303
    sign_in(ada, "quite another long phrase")


def test_own_password_is_set_on_the_profile(client: FlaskClient, admin: User) -> None:
    answer = client.get(f"/users/{admin['_id']}/password")

    assert (answer.status_code, answer.location) == (303, "/profile/password")


def test_admin_signs_a_user_out_everywhere(
    client: FlaskClient, make_user: Callable[..., User], sign_in: Callable[..., FlaskClient]
) -> None:
    ada = make_user("Ada")
    theirs = sign_in(ada)
    token = Page(client.get("/users")).field("csrf_token")["value"]

    answer = client.post(f"/users/{ada['_id']}/sign-out", data={"csrf_token": token})

    assert answer.status_code == 303
    assert theirs.get("/users").status_code == 303


def test_member_is_offered_and_allowed_no_more_than_what_is_theirs(
    admin: User, make_user: Callable[..., User], sign_in: Callable[..., FlaskClient]
) -> None:
    ada = make_user("Ada")
    client = sign_in(ada)
    theirs, own = f"/users/{admin['_id']}", f"/users/{ada['_id']}"

    hrefs = {a["href"] for path in ("/users", theirs) for a in Page(client.get(path)).all("a")}
    closed = [
        "/users/new",
        "/users/import",
        "/users/export.csv",
        "/users/export.ndjson",
        f"{theirs}/edit",
        f"{theirs}/delete",
        f"{theirs}/password",
    ]
    form = Page(client.get(f"{own}/edit"))
    promoted = send(client, f"{own}/edit", name="Ada", email=ada.email, role="admin")

    assert not hrefs & {*closed}
    assert [client.get(path).status_code for path in closed] == [403] * len(closed)
    assert "You are not allowed to do this." in client.get("/users/new").text
    assert not form.all("select")
    assert promoted.status_code == 303
    assert services.find(ada["_id"], by=OPERATOR).role == "member"


def test_every_change_needs_the_token_of_its_form(client: FlaskClient, admin: User) -> None:
    ada = services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    path = f"/users/{ada['_id']}"
    changes = ["edit", "delete", "password", "sign-out"]

    answers = [client.post(f"{path}/{change}", data={"version": "1"}) for change in changes]
    answers.append(client.post("/users/import", data={}))

    assert [answer.status_code for answer in answers] == [400] * 5
    assert services.find(ada["_id"], by=OPERATOR) == ada


@pytest.mark.parametrize("part", ["", "/edit", "/delete", "/password"])
def test_user_who_is_not_there_is_404_that_leads_back(client: FlaskClient, part: str) -> None:
    answer = client.get(f"/users/65f0c0ffee65f0c0ffee65f0{part}")

    assert answer.status_code == 404
    assert "There is no such user." in answer.text
    assert "/users" in {a["href"] for a in Page(answer).all("a")}


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_export_is_a_file_of_all_users_that_can_be_imported(
    client: FlaskClient, admin: User, format: files.Format
) -> None:
    for n in range(3):
        services.create({"name": f"Zoë {n}", "email": f"{n}@example.org"}, by=OPERATOR)

    answer = client.get(f"/users/export.{format}")

    assert answer.is_streamed
    assert answer.headers["Content-Disposition"] == f"attachment; filename=users.{format}"
    rows = files.open_reader(BytesIO(answer.data), format)
    assert [row.values["name"] for row in rows] == ["Admin", "Zoë 0", "Zoë 1", "Zoë 2"]


def test_about_tells_everybody_the_version_and_admins_the_state_of_the_data(
    client: FlaskClient, make_user: Callable[..., User], sign_in: Callable[..., FlaskClient]
) -> None:
    db["users"].drop_index("name_key_1")

    seen = client.get("/about").text
    others = sign_in(make_user("Ada")).get("/about").text

    for text in (seen, others):
        assert "<dd>1.0.0</dd>" in text
        assert 'href="/api/docs"' in text
    assert ">1 missing</span> name_key_1" in seen
    assert "import_reports" in seen
    assert "import_reports" not in others


def test_state_is_told_as_far_as_the_server_tells_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_SECONDS", 0.000001)

    answer = client.get("/about")

    assert answer.status_code == 200
    assert "it does not say" in answer.text


def test_page_that_tells_of_a_lost_database_asks_it_nothing(
    client: FlaskClient, make_app: Callable[..., Flask], settings: dict[str, object]
) -> None:
    with client.session_transaction() as session:
        kept = dict(session)
    away = make_app(MONGODB_URI="mongodb://127.0.0.1:9/", MONGODB_REQUEST_TIMEOUT_MS=100)
    lost = away.test_client()
    with lost.session_transaction() as session:
        session.update(kept)

    answer = lost.get("/users")

    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "did not answer in time" in answer.text
