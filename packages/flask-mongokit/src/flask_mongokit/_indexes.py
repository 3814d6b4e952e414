"""The declared indexes beside the server's, and the commands `flask db …`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import AppGroup
from pymongo.errors import PyMongoError

from mongokit.indexes import IndexPlan, plan

if TYPE_CHECKING:
    from flask_mongokit._extension import MongoKit


def plans(db: MongoKit) -> Iterator[tuple[type, IndexPlan]]:
    """Each registered document that has a collection, with what its indexes need."""
    database = db.database
    for cls in db.registered_documents:
        if getattr(cls, "__collection__", None):
            yield cls, plan(cls, database[cls.__collection__])


@contextmanager
def _plans_in_command() -> Iterator[Iterator[tuple[type, IndexPlan]]]:
    try:
        yield plans(current_app.extensions["mongokit"])
    except PyMongoError as error:
        text = (getattr(error, "details", None) or {}).get("errmsg", str(error))
        # What follows are stored values, or all that the driver knows of the servers.
        raise click.ClickException(re.split(" dup key|, Topology", text)[0]) from error


commands = AppGroup("db", help="Compare the declared indexes with the server's, and create them.")


@commands.command("status")
def status() -> None:
    """Show the indexes; the exit status is 1 when one is missing, or not as declared."""
    bad = False
    with _plans_in_command() as found:
        for cls, indexes in found:
            click.echo(f"{cls.__name__} in {indexes}")
            bad = bad or bool(indexes.missing or indexes.different)
    click.get_current_context().exit(int(bad))


@commands.command("sync")
def sync() -> None:
    """Create the declared indexes that the server lacks; none is dropped or changed."""
    different = []
    with _plans_in_command() as found:
        for _, indexes in found:
            for name in indexes.apply():
                click.echo(f"created {indexes.collection.name}.{name}")
            different += [f"{indexes.collection.name}.{d.explain()}" for d in indexes.different]
    if different:
        raise click.ClickException("not as declared: drop, then sync: " + ", ".join(different))
