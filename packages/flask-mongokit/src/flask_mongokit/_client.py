"""One client for each app and process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from blinker import Namespace
from flask import Flask

from mongokit import Connection

client_created = Namespace().signal(
    "client-created",
    """Sent once per app and process, when its client is made and before its first use goes on.

    The sender is the app, whose context is active. Receivers may use the extension; other threads
    wait. When one raises, the client is closed, and the next use tries again.

    Example:
        >>> @client_created.connect_via(app)
        ... def create_indexes(app, client):
        ...     db.create_indexes()
    """,
)


class _DefaultName(str):
    """The database's name where nobody has set one: the one in the URI comes first."""

    __slots__ = ()


# As in Flask-MongoKit 0.6.
DEFAULTS: dict[str, Any] = {
    "MONGODB_HOST": "127.0.0.1",
    "MONGODB_PORT": 27017,
    "MONGODB_DATABASE": _DefaultName("flask"),
    "MONGODB_USERNAME": None,
    "MONGODB_PASSWORD": None,
    "MONGODB_TZ_AWARE": False,
    "MONGODB_SLAVE_OKAY": False,
}


def connect(app: Flask, documents: Iterable[type]) -> tuple[Connection, str]:
    """Make a client from the app's configuration; give it and the name of the app's database."""
    config = DEFAULTS | {key: value for key, value in app.config.items() if value is not None}
    uri, name = config.get("MONGODB_URI") or None, config["MONGODB_DATABASE"]
    name = None if isinstance(name, _DefaultName) else name
    # Only what was asked for is passed on, so that the URI's own options stay.
    login = {"MONGODB_USERNAME": "username", "MONGODB_PASSWORD": "password"}
    options = {option: config[key] for key, option in login.items() if config[key] is not None}
    if options and uri is None:  # Flask-MongoKit 0.6 logged in to the database that it used
        options["authSource"] = name or DEFAULTS["MONGODB_DATABASE"]
    if config["MONGODB_TZ_AWARE"]:
        options["tz_aware"] = True
    if config["MONGODB_SLAVE_OKAY"]:
        options["readPreference"] = "secondaryPreferred"
    options |= config.get("MONGODB_OPTIONS", {})
    if uri is None:
        options.setdefault("port", int(config["MONGODB_PORT"]))
        uri = config["MONGODB_HOST"]
    uri = options.pop("host", uri)
    client = Connection(uri() if callable(uri) else uri, **options)
    try:
        client.register(list(documents))
        return client, client[
            name or client.get_default_database(DEFAULTS["MONGODB_DATABASE"]).name
        ].name
    except BaseException:
        client.close()
        raise


class State:
    """What an extension holds for one app. It must not refer to the app, or both would stay."""

    def __init__(self) -> None:
        self.forget()
        _states.add(self)

    def forget(self) -> None:
        """Start over in a forked process."""
        # The parent's client is not closed: that would end the parent's sessions. Its lock may be
        # held by a thread that this process does not have.
        self._lock = threading.RLock()
        self._client: Connection | None = None
        self._ready = False
        self._failure: list[Exception] = []
        self.name = ""

    def client(self, app: Flask, documents: Iterable[type]) -> Connection:
        """The app's client in this process; the first caller makes it, others wait."""
        if self._ready and (client := self._client) is not None:
            return client
        failure = self._failure
        with self._lock:
            if self._client is not None:  # made while waiting, or asked for by a receiver
                return self._client
            if failure:  # of the attempt that this thread waited for: no second time-out
                raise failure[0]
            try:
                self._client, self.name = connect(app, documents)
                client_created.send(app, client=self._client)
                self._ready = True
            except Exception as error:
                failure.append(error)
                raise
            finally:
                if not self._ready:
                    self._failure = []
                    self.close()
            return self._client

    def register(self, documents: list[type]) -> None:
        """Register classes on the client, if there is one."""
        with self._lock:
            if self._client is not None:
                self._client.register(documents)

    def close(self) -> None:
        """Close the client, if there is one; the next use makes a new one."""
        with self._lock:
            client, self._client, self._ready = self._client, None, False
        if client is not None:
            client.close()


def _forget_all() -> None:
    for state in _states:
        state.forget()


_states = WeakSet[State]()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
