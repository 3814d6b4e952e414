"""What people do on the pages, from beginning to end: with scripts and without, wide and narrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from app.users import services, tokens
from app.users.permissions import OPERATOR
from tests.e2e.conftest import PHONE, WIDE
from tests.secrets import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from app.users.documents import User
    from tests.e2e.conftest import Visit

pytestmark = [
    pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"]),
    pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"]),
]
LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralter"  # 49 letters without a break


def sign_in(visit: Visit, email: str, password: str = PASSWORD) -> None:
    visit.go("/sign-in")
    visit.fill(email=email, password=password)
    visit.press("Sign in")


def outline_of_focus(page: Page) -> str:
    """How whoever moves with the keyboard sees where they are."""
    style: str = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    return style


def test_admin_looks_after_users(
    open_page: Callable[..., Visit], javascript: bool, size: tuple[int, int]
) -> None:
    visit = open_page(javascript, size)
    page = visit.page

    visit.go("/")
    visit.sees("There is no user yet.")
    visit.check("first-admin")
    visit.fill(name="Ada Lovelace", email="ada@example.org", password="password")
    visit.press("Begin")
    assert page.locator("[name=password][aria-invalid=true]").count() == 1
    visit.check("first-admin-refused")
    visit.fill(password=PASSWORD)
    visit.press("Begin")
    visit.sees("Welcome, Ada Lovelace.")
    visit.sees("You are the only user so far.")
    visit.check("users-alone")

    visit.follow("New user")
    visit.check("new")
    visit.fill(email="not an address")
    visit.press("Add")
    visit.sees("Please look at these fields again:")
    if javascript:
        page.wait_for_function("document.activeElement.name === 'name'")
        assert outline_of_focus(page) == "solid"
        page.keyboard.press("Shift+Tab")
        assert outline_of_focus(page) == "solid"
    visit.check("new-refused")
    visit.fill(name=f"Hubert {LONG[:40]}", email="hubert@example.org")
    visit.press("Add")
    visit.sees("was added.")
    visit.check("user")
    where = visit.path

    visit.follow("Edit")
    visit.check("edit")
    hubert = services.find_by_email("hubert@example.org", by=OPERATOR)
    services.change(hubert["_id"], {"name": "Hubert W."}, by=OPERATOR)
    visit.fill(name="Hubert Wolfe")
    visit.press("Save")
    visit.sees("What is stored now")
    visit.check("edit-stale")
    visit.press("Save")
    visit.sees("Hubert Wolfe was changed.")
    assert visit.path == where

    visit.follow("Set a password")
    visit.fill(password="short")
    visit.press("Set the password")
    visit.check("password-refused")
    visit.fill(password=PASSWORD)
    visit.press("Set the password")
    visit.sees("has a new password")
    visit.press("Sign out everywhere")
    visit.sees("is signed out everywhere")

    for n in range(45):
        fields = {"name": f"Grace {n:02}", "email": f"grace.{n}@example.org"}
        services.create(fields, by=OPERATOR)
    services.create({"name": LONG, "email": f"{LONG}@{LONG}.example.org"}, by=OPERATOR)
    visit.go("/users")
    visit.check("users")
    visit.follow("Next page")
    visit.check("users-second-page")
    visit.follow("Previous page")
    assert page.locator("tbody tr").count() == 20
    visit.follow("Name")
    assert page.locator("[aria-sort=ascending]").inner_text().strip() == "Name"
    assert page.locator("tbody tr").first.inner_text().startswith("Ada Lovelace")
    visit.follow("Name")
    visit.check("users-sorted")
    assert page.locator("[aria-sort=descending]").count() == 1
    visit.fill(q="grace 4")
    visit.press("Search")
    assert page.locator("tbody tr").count() == 5
    page.locator("[name=q]").fill("nobody")
    page.locator("[name=role]").select_option("admin")
    visit.press("Search")
    visit.sees("Nobody was found.")
    visit.check("users-nobody")
    visit.follow("Show all users")

    visit.go(f"{where}/delete")
    visit.sees("It can't be undone.")
    visit.check("delete")
    visit.press("Delete")
    visit.sees("Hubert Wolfe was deleted.")
    visit.go(where)
    visit.sees("There is no such user.")
    visit.check("not-found")
    visit.follow("Go to the users")

    visit.follow("Ada Lovelace")
    visit.follow("Delete the account")
    visit.press("Delete my account")
    visit.sees("This is the last admin.")
    visit.check("delete-last-admin")
    visit.press("Sign out")
    visit.sees("You are signed out.")
    visit.check("signed-out")


def test_member_looks_after_the_own_account(
    open_page: Callable[..., Visit],
    make_user: Callable[..., User],
    javascript: bool,
    size: tuple[int, int],
) -> None:
    make_user("Eve", role="admin")
    ada = make_user("Ada")
    visit = open_page(javascript, size)
    page = visit.page

    visit.go("/users?sort=name")
    visit.sees("Please sign in first.")
    visit.check("sign-in")
    if javascript:
        page.keyboard.press("Shift+Tab")  # the keyboard's way past the top bar
        page.locator("a.skip").focus()
        assert page.locator("a.skip").bounding_box() is not None
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.id === 'content'")
    visit.fill(email="ada@example.org", password="wrong")
    visit.press("Sign in")
    visit.sees("The e-mail address or the password is wrong.")
    visit.check("sign-in-refused")
    visit.fill(email="ada@example.org", password=PASSWORD)
    visit.press("Sign in")
    assert visit.path.partition("#")[0] == "/users?sort=name"
    visit.check("users-of-member")
    assert page.get_by_role("link", name="Import").count() == 0
    visit.go("/users/import")
    visit.sees("You are not allowed to do this.")
    visit.check("not-allowed")

    visit.go("/profile")
    visit.check("profile")
    visit.fill(name="Ada L.", email="eve@example.org")
    visit.press("Save")
    visit.sees("Another user has this e-mail address.")
    visit.check("profile-refused")
    visit.fill(email="ada.l@example.org")
    visit.press("Save")
    visit.sees("Your profile was changed.")
    visit.press("Sign out everywhere else")
    visit.sees("You are signed out everywhere else.")

    visit.follow("Tokens")
    visit.sees("You have no tokens.")
    visit.press("Make a token")
    visit.check("tokens-refused")
    visit.fill(name="nightly export")
    visit.press("Make a token")
    secret = page.locator("#secret").input_value()
    assert tokens.actor_of(secret).id == ada["_id"]
    if javascript:  # a script shows it, a moment after the page is there
        page.get_by_role("button", name="Copy").wait_for()
    assert page.get_by_role("button", name="Copy").count() == (1 if javascript else 0)
    visit.check("tokens")
    if javascript:
        visit.press_in_place("Copy")
        page.locator("[data-copy]", has_text=re.compile("Copied|Ctrl-C")).wait_for()
    visit.press("Revoke nightly export")
    visit.sees("The token nightly export was revoked.")
    assert page.locator("#secret").count() == 0

    visit.go("/profile/password")
    visit.check("own-password")
    visit.fill(current_password="wrong", password="a much better phrase")
    visit.press("Change the password")
    visit.sees("Current password is not your password")
    visit.fill(current_password=PASSWORD, password="a much better phrase")
    visit.press("Change the password")
    visit.sees("Your password was changed.")

    visit.follow("About")
    visit.check("about-of-member")
    visit.go("/profile")
    visit.follow("Delete the account")
    visit.check("delete-account")
    visit.press("Delete my account")
    visit.sees("Your account was deleted, and you are signed out.")


def test_admin_imports_a_file_and_looks_at_the_data(
    open_page: Callable[..., Visit],
    make_user: Callable[..., User],
    tmp_path: Path,
    javascript: bool,
    size: tuple[int, int],
) -> None:
    make_user("Eve", role="admin")
    good = "".join(f"Ada {n},ada.{n}@example.org\r\n" for n in range(600))
    bad = "".join(f"{LONG}{LONG},bad.{n}@example.org\r\n" for n in range(12))
    (tmp_path / "people.csv").write_text(f"name,email\r\n{good}{bad}Bob,nowhere\r\n")
    (tmp_path / "wrong.csv").write_text("a,b\r\n1,2\r\n")
    visit = open_page(javascript, size)
    page = visit.page
    sign_in(visit, "eve@example.org")

    visit.follow("Import")
    visit.check("import")
    visit.press("Import")
    visit.sees("Choose a file.")
    visit.check("import-refused")
    send = visit.press_in_place if javascript else visit.press
    page.locator("[name=file]").set_input_files(tmp_path / "wrong.csv")
    send("Import")
    visit.sees("the header lacks name and email")
    if javascript:
        visit.check("import-refused-by-script")
    page.locator("[name=file]").set_input_files(tmp_path / "people.csv")
    page.locator("[name=dry_run]").check()
    send("Import")
    visit.sees("This was a dry run: nothing was stored.")
    visit.check("report-of-dry-run")
    visit.follow("Import another file")
    page.locator("[name=file]").set_input_files(tmp_path / "people.csv")
    send("Import")
    visit.sees("Get them as a file")
    assert page.locator("dd").first.inner_text() == "600"
    visit.check("report")
    with page.expect_download() as refused:
        page.get_by_role("link", name="Get them as a file").click()
    assert refused.value.path().read_text("utf-8").count("max_length") == 12

    visit.go("/users")
    with page.expect_download() as all_users:
        page.get_by_role("link", name="CSV", exact=True).first.click()
    assert all_users.value.suggested_filename == "users.csv"
    assert all_users.value.path().read_text("utf-8").count("\n") == 602

    visit.follow("About")
    visit.sees("Declared indexes")
    visit.check("about")
