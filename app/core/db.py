"""The connection to MongoDB: `db`, bound to the app with bounded waits and durable writes.

One client per app and process, made at first use and again after a fork (`flask_mongokit` does
that). Here is what this application adds. Nothing talks to the database before its first use.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

import click
import pymongo
from flask import Flask, has_request_context
from pymongo.errors import OperationFailure
from pymongo.monitoring import ServerHeartbeatListener

from app.core import bounds, embedded, errors, figures
from app.core.config import parse_address
from app.core.embedded import EngineError
from flask_mongokit import MongoKit, client_created

if TYPE_CHECKING:
    from flask import Response
    from pymongo.monitoring import (
        ServerHeartbeatFailedEvent,
        ServerHeartbeatStartedEvent,
        ServerHeartbeatSucceededEvent,
    )

    from mongokit import Connection, Database

__all__ = ["db", "init_app"]

START = 30.0  # seconds that a command waits for the embedded engine; usually it takes half a second


class _Database(MongoKit):
    """The extension, with the bound of a request begun as soon as there is a client."""

    @property
    def connection(self) -> Connection:
        """The current app's client in this process."""
        client = super().connection
        bounds.begin()
        return client

    @property
    def database(self) -> Database:
        """The current app's database."""
        database = super().database
        bounds.begin()
        return database


db = _Database()
_log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Bind `db` to the application; opens nothing.

    Without an address (`MONGODB_URI`, `MONGODB_HOST`) the embedded engine in the instance folder
    serves. Outside production the declared indexes are created at first use in each process, and
    queries are checked against the declarations.

    Args:
        app: The application, configured.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    options = _options(app)
    listeners: list[object] = [figures.Counter()]
    if not (app.config["MONGODB_URI"] or app.config["MONGODB_HOST"]):
        engine = _Engine(app)
        app.config["MONGODB_URI"] = engine.address  # called at first use, and after a fork
        listeners.append(engine)
        del options["journal"]  # it is started so that every commit is on disk
        app.register_error_handler(EngineError, _engine_failed)
    if app.config["APP_ENV"] != "production":
        # A developer hears of a misspelt field at once; in production no query costs more for it.
        options["strict_queries"] = True
    given = app.config.get("MONGODB_OPTIONS", {})
    listeners += given.get("event_listeners", ())
    app.config["MONGODB_OPTIONS"] = options | given | {"event_listeners": listeners}
    db.init_app(app)
    if app.config["APP_ENV"] != "production":
        client_created.connect(_create_indexes, app)
    bounds.init_app(app)


def _options(app: Flask) -> dict[str, Any]:
    """Return the client's options; those that the URI itself names are left to it."""
    config = app.config
    options = {
        "appname": app.name,
        "tz_aware": True,
        "retryWrites": True,
        "serverSelectionTimeoutMS": config["MONGODB_SERVER_SELECTION_TIMEOUT_MS"],
        "connectTimeoutMS": config["MONGODB_CONNECT_TIMEOUT_MS"],
        "socketTimeoutMS": config["MONGODB_SOCKET_TIMEOUT_MS"],
        # Acknowledged means durable: a server may else acknowledge what a crash can take back.
        "journal": True,
    }
    named = parse_address(config["MONGODB_URI"])["options"] if config["MONGODB_URI"] else {}
    return {name: value for name, value in options.items() if name not in named}


def _create_indexes(app: Flask, client: Connection) -> None:
    """Create the declared indexes, where a developer need not think of `flask db sync`.

    In a request that may take START_IN_REQUEST; that there is no server at all is found out within
    the request's own bound.
    """
    in_request = has_request_context()
    with pymongo.timeout(bounds.seconds_of_request() if in_request else None):
        client.admin.command("ping")
    # In a context of its own, where using `db` does not begin the request's bound.
    with app.app_context(), pymongo.timeout(bounds.START_IN_REQUEST if in_request else None):
        _create_missing_indexes(app)


def _create_missing_indexes(app: Flask) -> None:
    try:
        created = db.create_indexes()
    except OperationFailure as error:
        if error.timeout:
            raise
        # The text of it tells stored values. The app works on; /readyz names what is missing.
        _log.warning("%s: an index can't be created: code %s", app.name, error.code)
    else:
        for name in created:
            _log.info("created the index %s", name)


def _engine_failed(error: EngineError) -> Response:
    _log.error("%s", error)
    return errors.unavailable(error)


class _Engine(ServerHeartbeatListener):
    """The embedded engine of one app, watched: whoever kills its keeper only delays a request.

    The driver reports here, in its own thread, each time that the engine does not answer.
    `attach` then starts a new keeper if there is none, usually on the old port, where the waiting
    requests find it; their own time-outs bound them meanwhile.
    """

    def __init__(self, app: Flask) -> None:
        # Weak: the client refers to its listeners, and must not keep the app alive.
        self._app = weakref.ref(app)
        self._folder = app.instance_path
        self._uri = ""

    def address(self) -> str:
        """Return the engine's address; start it if need be.

        Raises:
            EngineError: It is not installed, or does not start in time.
            click.ClickException: The same in a command, which then ends with the message alone.
        """
        timeout = bounds.START_IN_REQUEST if has_request_context() else START
        try:
            self._uri = embedded.attach(self._folder, timeout=timeout)
        except EngineError as error:
            if has_request_context() or click.get_current_context(silent=True) is None:
                raise
            raise click.ClickException(str(error)) from error
        return self._uri

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Do nothing; the driver calls all three."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Do nothing; the driver calls all three."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:  # noqa: ARG002 - the driver's
        """See to it that there is a keeper; when the address is a new one, make a new client."""
        try:
            uri = embedded.attach(self._folder)
        except EngineError as error:
            _log.error("%s", error)
            return
        app = self._app()
        if uri != self._uri and app is not None:
            db.close(app)
