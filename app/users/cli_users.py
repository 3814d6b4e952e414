"""The terminal's door to single users and their tokens: `flask users list`, `create`, ….

What was asked for goes to standard output, everything about it to standard error. Exit status 0:
done; 1: refused, and why; 2: called wrongly; 3: there is no such user or token; 4: the database did
not do it. `--json` prints for programs what the API would answer.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args

import click
from bson import ObjectId

from app.core.embedded import EngineError
from app.core.errors import DatabaseError, DomainError, MalformedRequest
from app.core.fields import Field, at, fields_of, shown
from app.core.pagination import DEFAULT_LIMIT, MAXIMUM_LIMIT
from app.users import documents, services, signing_in, tokens
from app.users.cli import (
    FAILED,
    NOT_FOUND,
    REFUSED,
    Failure,
    commands,
    json_option,
    print_json,
    printable,
)
from app.users.listing import SORTS, ListRequest
from app.users.permissions import OPERATOR, SCOPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.users.documents import Token, User

__all__ = ["commands"]  # those of `cli` and those below

ROLES = get_args(documents.Role)

_password_option = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the first line of standard input.",
)


def _settable(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each further field of a user, by `--set FIELD=VALUE`."""
    return click.option(
        "--set",
        "more",
        multiple=True,
        metavar="FIELD=VALUE",
        help="Another field, one that you have declared: --set phone=123. May be repeated.",
    )(command)


@commands.command("list")
@click.option("--q", help="Only those whose name or e-mail address begins with this.")
@click.option("--role", type=click.Choice(ROLES), help="Only those of this role.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    help="The order; created if nothing is said, and with a minus backwards.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, MAXIMUM_LIMIT),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="How many at most.",
)
@click.option("--after", help="The token of the page, which the page before it printed.")
@json_option
def list_users(as_json: bool, **options: object) -> None:
    """Print one page of the users: id, role, e-mail address and name.

    \b
    Example:
      flask users list --q ada --limit 50
    """
    args = {name: str(value) for name, value in options.items() if value is not None}
    with _errors_for_people():
        page = services.listing(ListRequest.from_args(args), by=OPERATOR)
    if as_json:
        items = [shown(user) for user in page.items]
        print_json({"items": items, "next": page.next, "previous": page.previous})
        return
    for user in page.items:
        click.echo(_line(user))
    if page.next is not None:
        click.echo(f"more: --after {page.next}", err=True)


@commands.command("show")
@click.argument("user")
@json_option
def show(user: str, as_json: bool) -> None:
    """Print a user, named by id or by e-mail address.

    \b
    Example:
      flask users show ada@example.org
    """
    with _errors_for_people():
        _print_user(_find(user), as_json=as_json)


@commands.command("create")
@click.option("--email", required=True, help="The e-mail address.")
@click.option("--name", required=True, help="The name.")
@click.option("--role", type=click.Choice(ROLES), default="member",
              show_default=True, help="What the user may do.")  # fmt: skip
@_settable
@_password_option
@json_option
def create(
    email: str, name: str, role: str, more: tuple[str, ...], password_stdin: bool, as_json: bool
) -> None:
    """Add a user; without a password the user can't sign in yet.

    \b
    Example:
      flask users create --email ada@example.org --name Ada
    """
    values = {"name": name, "email": email, "role": role, **_fields(more)}
    password = _password(from_stdin=password_stdin, ask=False)
    with _errors_for_people():
        _print_user(services.create(values, by=OPERATOR, password=password), as_json=as_json)


@commands.command("create-admin")
@click.option("--email", required=True, help="The e-mail address.")
@click.option("--name", required=True, help="The name.")
@_password_option
@json_option
def create_admin(email: str, name: str, password_stdin: bool, as_json: bool) -> None:
    """Add an admin, the first one too; asks for the password where there is a terminal.

    \b
    Example:
      flask users create-admin --email ada@example.org --name Ada
    """
    values = {"name": name, "email": email, "role": "admin"}
    password = _password(from_stdin=password_stdin, ask=True)
    with _errors_for_people():
        _print_user(services.create(values, by=OPERATOR, password=password), as_json=as_json)


@commands.command("edit")
@click.argument("user")
@click.option("--email", help="The e-mail address.")
@click.option("--name", help="The name.")
@click.option("--role", type=click.Choice(ROLES), help="What the user may do.")
@_settable
@_password_option
@json_option
def edit(
    user: str,
    email: str | None,
    name: str | None,
    role: str | None,
    more: tuple[str, ...],
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Change a user, named by id or by e-mail address; a new password ends the user's sessions.

    \b
    Example:
      flask users edit ada@example.org --name "Ada Lovelace"
    """
    given = {"name": name, "email": email, "role": role}
    values = {key: value for key, value in given.items() if value is not None} | _fields(more)
    password = _password(from_stdin=password_stdin, ask=False)
    if not values and password is None:
        raise click.UsageError("say what to change: --name, --email, --role, --set, a password")
    with _errors_for_people():
        found = _find(user)
        if password is not None:
            found = signing_in.set_password(found["_id"], password, by=OPERATOR)
        if values:
            found = services.change(found["_id"], values, by=OPERATOR)
        _print_user(found, as_json=as_json)


@commands.command("delete")
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(user: str, yes: bool, as_json: bool) -> None:
    """Remove a user, named by id or by e-mail address, and the user's tokens.

    \b
    Example:
      flask users delete ada@example.org --yes
    """
    with _errors_for_people():
        found = _find(user)
        if not yes:
            click.confirm(f"Remove {_line(found)}?", abort=True, err=True)
        services.remove(found["_id"], by=OPERATOR)
        _print_user(found, as_json=as_json)


@commands.command("token")
@click.argument("user")
@click.option("--expires", default="90d", show_default=True,
              help="How long it is good for, such as 12h, 90d, 2w, 1y; or never.")  # fmt: skip
@click.option("--name", default="terminal", show_default=True, help="What it is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=SCOPES,
              show_default=True, help="What it may do; may be repeated.")  # fmt: skip
@json_option
def token(user: str, expires: str, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a token for a user and print its secret, this once.

    \b
    Example:
      flask users token ada@example.org --expires 90d --name CI
    """
    values = {"name": name, "scopes": list(scopes), "expires_in": expires}
    with _errors_for_people():
        made, secret = tokens.create(_find(user)["_id"], values, by=OPERATOR)
    if as_json:
        print_json({**shown(made), "token": secret})
        return
    click.echo(secret)
    click.echo("It is shown this once. Send it as: Authorization: Bearer …", err=True)


@commands.command("tokens")
@click.argument("user")
@click.option("--revoke", metavar="ID", help="End the token with this id.")
@json_option
def list_tokens(user: str, revoke: str | None, as_json: bool) -> None:
    """Print the tokens of a user, the newest first, or revoke one.

    \b
    Example:
      flask users tokens ada@example.org --revoke 65f0c0ffee65f0c0ffee65f0
    """
    if revoke is not None and not ObjectId.is_valid(revoke):
        raise click.BadParameter("must be 24 hexadecimal digits", param_hint="--revoke")
    with _errors_for_people():
        owner = _find(user)["_id"]
        found = tokens.listing(owner, by=OPERATOR)
        if revoke is not None:
            found = [each for each in found if each["_id"] == ObjectId(revoke)]
            if not found:
                raise tokens.TokenNotFound
            tokens.revoke(found[0]["_id"], by=OPERATOR)
    if as_json:
        print_json({"items": [shown(each) for each in found]})
        return
    for each in found:
        click.echo(_token_line(each))


def _find(user: str) -> User:
    if ObjectId.is_valid(user):
        return services.find(ObjectId(user), by=OPERATOR)
    return services.find_by_email(user, by=OPERATOR)


def _fields(more: tuple[str, ...]) -> dict[str, object]:
    declared = {field.path: field for field in fields_of(documents.User)}
    values: dict[str, object] = {}
    for pair in more:
        path, equals, text = pair.partition("=")
        if not equals:
            raise click.BadParameter("must be FIELD=VALUE", param_hint="--set")
        values[path] = declared[path].read(text) if path in declared else text
    return values


def _password(*, from_stdin: bool, ask: bool) -> str | None:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not ask:
        return None
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for the password: --password-stdin")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _print_user(user: User, *, as_json: bool) -> None:
    if as_json:
        print_json(shown(user))
        return
    values = shown(user)
    click.echo(f"id: {values['id']}")
    for field in fields_of(documents.User):
        click.echo(f"{field.path}: {printable(Field.write(at(values, field.path)))}")


def _line(user: User) -> str:
    parts = (str(user["_id"]), user.get("role"), user.get("email"), user.get("name"))
    return "\t".join(printable(str(part if part is not None else "")) for part in parts)


def _token_line(token: Token) -> str:
    values = shown(token)
    ends, used = values["expires"] or "never", values["last_used"] or "never"
    return printable(
        f"{values['id']} {values['hint']}… {token.name}: {', '.join(token.scopes)};"
        f" ends {ends}, last used {used}"
    )


@contextmanager
def _errors_for_people() -> Iterator[None]:
    """End the command with a sentence for each thing that is wrong, and its exit status."""
    try:
        yield
    except MalformedRequest as error:
        [reason] = error.errors
        raise click.BadParameter(reason["message"], param_hint=f"--{reason['path']}") from error
    except (services.UserNotFound, tokens.TokenNotFound) as error:
        raise Failure(error.title, NOT_FOUND) from error
    except DomainError as error:
        reasons = [f"{each['path']}: {each['message']}" for each in error.errors if each["path"]]
        reasons += [each["message"] for each in error.errors if not each["path"]]
        raise Failure("\n  ".join([error.title, *reasons]), REFUSED) from error
    except (DatabaseError, EngineError) as error:
        text = str(error) if isinstance(error, EngineError) else "The database did not do it."
        raise Failure(text, FAILED) from error
