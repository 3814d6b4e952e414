"""What is declared beside what the server has: the commands `flask db …`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

import click
from flask import current_app
from flask.cli import AppGroup
from pymongo.errors import PyMongoError

from mongokit import UniqueIndexConflict
from mongokit.indexes import IndexPlan, plan
from mongokit.planning import Conflict, Plan, Validators, make_plan

if TYPE_CHECKING:
    from flask_mongokit._extension import MongoKit


def plans(db: MongoKit) -> Iterator[tuple[type, IndexPlan]]:
    """Each registered document that has a collection, with what its indexes need."""
    database = db.database
    for cls in db.registered_documents:
        if getattr(cls, "__collection__", None):
            yield cls, plan(cls, database[cls.__collection__])


@contextmanager
def _errors_for_people() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        text = (getattr(error, "details", None) or {}).get("errmsg", str(error))
        # What follows are stored values, or all that the driver knows of the servers.
        raise click.ClickException(re.split(" dup key|, Topology", text)[0]) from error


commands = AppGroup(
    "db", help="Compare what the documents declare with what the server has, and create it."
)


@commands.command("status")
def status() -> None:
    """Show the indexes; the exit status is 1 when one is missing, or not as declared."""
    bad = False
    with _errors_for_people():
        for cls, indexes in plans(current_app.extensions["mongokit"]):
            click.echo(f"{cls.__name__} in {indexes}")
            bad = bad or bool(indexes.missing or indexes.different)
    click.get_current_context().exit(int(bad))


_validators = click.option(
    "--validators",
    type=click.Choice(get_args(Validators)),
    default="off",
    show_default=True,
    help="The server's own checks of what is written: leave them alone, have it log, or refuse.",
)


def _made_plan(validators: Validators) -> Plan:
    db: MongoKit = current_app.extensions["mongokit"]
    database = db.database
    return make_plan(database, db.registered_documents, validators=validators)


@commands.command("plan")
@_validators
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON, for programs.")
def plan_command(validators: Validators, as_json: bool) -> None:
    """Show what `sync` would do; the exit status is 1 when there is something.

    Collections, indexes and their options, and validators, as the documents declare them and as
    the server has them. Values that a unique index would stumble over are listed too.
    """
    with _errors_for_people():
        found = _made_plan(validators)
        conflicts = found.conflicts()
    if as_json:
        told = [str(conflict) for conflict in conflicts]
        click.echo(json.dumps(found.as_data() | {"conflicts": told}, ensure_ascii=False))
    else:
        click.echo(found)
        _show(conflicts)
    click.get_current_context().exit(int(not found.is_empty))


@commands.command("sync")
@_validators
def sync(validators: Validators) -> None:
    """Create the declared collections and indexes that the server lacks; set validators.

    No index is dropped or changed. Where stored values would break a unique index, they are listed
    and nothing is done.
    """
    with _errors_for_people():
        found = _made_plan(validators)
        try:
            done = found.apply()
        except UniqueIndexConflict as error:
            _show(error.conflicts)
            raise click.ClickException(f"{error}. Nothing was done.") from error
    for step in done:
        click.echo(step)
    different = [
        f"{each.name}.{difference.explain()}"
        for each in found.collections
        for difference in each.indexes.different
    ]
    if different:
        raise click.ClickException("not as declared: drop, then sync: " + ", ".join(different))


def _show(conflicts: Iterable[Conflict]) -> None:
    """List values that stand in several documents: whoever runs the command asked for them."""
    for conflict in conflicts:
        click.echo(f"not unique: {conflict}", err=True)
