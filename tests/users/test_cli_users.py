"""The terminal's door to single users and tokens: what it prints, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest

from app.core.db import db
from app.users import cli, services, signing_in, tokens
from app.users.permissions import OPERATOR
from tests.secrets import OTHER_PASSWORD, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from flask import Flask

    from app.users.documents import User

UNKNOWN = "65f0c0ffee65f0c0ffee65f0"
CREATE = ("create", "--name", "Ada", "--email", "ada@example.org")


@pytest.fixture
def run(app: Flask) -> Callable[..., Result]:
    """A function that runs a command, as a terminal would."""

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return app.test_cli_runner().invoke(args=["users", *arguments], input=stdin)

    return invoke


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_command_has_an_example_and_its_options_a_help(run: Callable[..., Result]) -> None:
    commands = cli.commands.commands

    assert set(commands) >= {
        *("list", "show", "create", "create-admin", "edit", "delete", "token", "tokens"),
        *("import", "export"),
    }
    for name, command in commands.items():
        text = run(name, "--help").stdout
        assert f"flask users {name}" in text, name
        assert "\\b" not in text, name
        example = text[text.index("  Example:\n") :].splitlines()[1]
        assert example.startswith(f"    flask users {name}"), name
        assert "--json" in text, name
        assert all(each.help for each in command.params if isinstance(each, click.Option)), name


def test_user_is_made_shown_changed_and_removed(run: Callable[..., Result]) -> None:
    made = printed(run(*CREATE, "--json"))
    shown = printed(run("show", "ADA@example.org", "--json"))
    changed = printed(
        run("edit", made["id"], "--name", "Ada Lovelace", "--role", "admin", "--json")
    )
    printed(run(*CREATE[:3], "--email", "other@example.org", "--role", "admin", "--json"))
    removed = printed(run("delete", "ada@example.org", "--yes", "--json"))

    assert set(made) == {"id", "name", "email", "role", "created"}
    assert shown == made
    assert changed == made | {"name": "Ada Lovelace", "role": "admin"}
    assert removed == changed
    assert run("show", "ada@example.org").exit_code == cli.NOT_FOUND


def test_users_are_listed_page_by_page(run: Callable[..., Result]) -> None:
    for number in range(5):
        services.create({"name": f"Ada {number}", "email": f"{number}@example.org"}, by=OPERATOR)
    services.create({"name": "Grace", "email": "g@example.org", "role": "admin"}, by=OPERATOR)

    first = printed(run("list", "--q", "ada", "--limit", "3", "--json"))
    second = printed(run("list", "--q", "ada", "--limit", "3", "--after", first["next"], "--json"))
    admins = run("list", "--role", "admin", "--sort", "-name")

    names = [item["name"] for page in (first, second) for item in page["items"]]
    assert names == [f"Ada {number}" for number in range(5)]
    assert second["next"] is None
    assert [line.split("\t")[1:] for line in admins.stdout.splitlines()] == [
        ["admin", "g@example.org", "Grace"]
    ]
    assert "--after" in run("list", "--limit", "1").stderr


def test_first_admin_can_sign_in(run: Callable[..., Result]) -> None:
    words = ("create-admin", "--email", "ada@example.org", "--name", "Ada", "--password-stdin")

    made = run(*words, stdin=f"{PASSWORD}\n")

    assert made.exit_code == 0
    assert PASSWORD not in made.output
    user = signing_in.sign_in("ada@example.org", PASSWORD, address="192.0.2.1")
    assert user.role == "admin"


def test_password_is_never_an_argument_and_a_terminal_is_asked_only_where_there_is_one(
    run: Callable[..., Result],
) -> None:
    refused = run("create-admin", "--email", "ada@example.org", "--name", "Ada")

    assert refused.exit_code == 2
    assert "--password-stdin" in refused.output
    assert not [
        option
        for command in cli.commands.commands.values()
        for parameter in command.params
        for option in parameter.opts
        if option == "--password"
    ]


def test_new_password_ends_sessions(
    run: Callable[..., Result], make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada")

    done = run("edit", ada.email, "--password-stdin", stdin=f"{OTHER_PASSWORD}\n")

    assert done.exit_code == 0
    assert signing_in.sign_in(ada.email, OTHER_PASSWORD, address="192.0.2.1")["epoch"] == 1


def test_token_is_printed_once_listed_and_revoked(
    run: Callable[..., Result], make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada")

    secret = run("token", ada.email, "--name", "CI", "--scope", "users:read", "--expires", "never")
    [listed] = printed(run("tokens", ada.email, "--json"))["items"]
    actor = tokens.actor_of(secret.stdout.strip())
    revoked = run("tokens", ada.email, "--revoke", listed["id"])

    assert actor.scopes == frozenset({"users:read"})
    assert (listed["name"], listed["expires"]) == ("CI", None)
    assert secret.stdout.strip() not in json.dumps(listed)
    assert revoked.exit_code == 0
    assert list(db["tokens"].find()) == []


def test_field_of_ones_own_is_set_by_its_name(run: Callable[..., Result]) -> None:
    refused = run(*CREATE, "--set", "phone=1")
    wrong = run(*CREATE, "--set", "phone")

    assert refused.exit_code == cli.REFUSED
    assert "phone is not a field of a user" in refused.stderr
    assert wrong.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("show", "nobody@example.org"), 3, "no such user"),
        (("show", UNKNOWN), 3, "no such user"),
        (("show", "\x1b[2J"), 3, "no such user"),
        (("edit", UNKNOWN, "--name", "x"), 3, "no such user"),
        (("delete", UNKNOWN, "--yes"), 3, "no such user"),
        (("token", UNKNOWN), 3, "no such user"),
        (("edit", UNKNOWN), 2, "say what to change"),
        (("create", "--name", "Ada"), 2, "--email"),
        (("create", "--name", "", "--email", "bad"), 1, "email must be an e-mail address"),
        (("create", "--name", "x" * 51, "--email", "ada@example.org"), 1, "at most 50"),
        (("list", "--after", "x"), 2, "--after"),
        (("list", "--q", "x" * 41), 2, "--q"),
        (("list", "--sort", "$natural"), 2, "--sort"),
        (("list", "--limit", "0"), 2, "--limit"),
        (("tokens", UNKNOWN, "--revoke", "x"), 2, "--revoke"),
    ],
)
def test_wrong_input_ends_with_its_status_and_a_sentence(
    run: Callable[..., Result], arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = run(*arguments)

    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (status, True)
    assert said in result.output
    assert result.stdout == ""
    assert "\x1b" not in result.output


def test_refusals_name_each_field_and_hold_nothing_back(run: Callable[..., Result]) -> None:
    run(*CREATE)

    taken = run(*CREATE)
    weak = run("edit", "ada@example.org", "--password-stdin", stdin="password\n")
    token = run("token", "ada@example.org", "--expires", "soon", "--name", "")

    assert [each.exit_code for each in (taken, weak, token)] == [1, 1, 1]
    assert "email: Another user has this e-mail address." in taken.stderr
    assert "common" in weak.stderr
    assert "expires_in" in token.stderr
    assert "name" in token.stderr


def test_database_that_is_gone_is_its_own_status(make_app: Callable[..., Flask]) -> None:
    app = make_app(
        MONGODB_URI="mongodb://127.0.0.1:1/",
        MONGODB_SERVER_SELECTION_TIMEOUT_MS=100,
    )

    result = app.test_cli_runner().invoke(args=["users", "list"])

    assert result.exit_code == cli.FAILED
    assert "127.0.0.1" not in result.output


def test_removing_asks_unless_told_not_to(
    run: Callable[..., Result], make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada")

    kept = run("delete", ada.email, stdin="n\n")
    gone = run("delete", ada.email, stdin="y\n")

    assert (kept.exit_code, gone.exit_code) == (1, 0)
    assert list(db["users"].find()) == []
