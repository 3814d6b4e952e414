"""The extension: one object for any number of Flask applications."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from flask import Flask
from flask.ctx import AppContext
from flask.globals import app_ctx
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

import mongokit
from flask_mongokit._client import DEFAULTS, State
from flask_mongokit._document import BSONObjectIdConverter, Document
from flask_mongokit._indexes import commands, plans
from mongokit.connection import document_classes
from mongokit.indexes import create

if TYPE_CHECKING:
    from flask_mongokit._document import DocumentsOr404

C = TypeVar("C", bound=type[Any])
D = TypeVar("D", bound=Document)
M = TypeVar("M", bound=mongokit.Document)


class AuthenticationIncorrect(mongokit.MongoAuthException):
    """The server refuses the user name or the password; the driver's error is `__cause__`.

    Example:
        >>> issubclass(AuthenticationIncorrect, mongokit.MongoAuthException)
        True
    """


class MongoKit:
    """MongoKit in Flask: `db.User` is a registered document's manager, `db["users"]` a collection.

    Whatever is not defined here is an attribute of the current app's `mongokit.Database`. The
    client is made at the first use in a process, from the configuration at that moment, and closed
    when the app or the process ends.

    Args:
        app: An application to bind at once.

    Raises:
        RuntimeError: On use outside an application context, or in an app that is not bound.

    Example:
        >>> app = Flask("shop")
        >>> app.config |= {"MONGODB_URI": uri, "MONGODB_DATABASE": name}
        >>> db = MongoKit(app)
        >>> @db.register
        ... class User(Document):
        ...     __collection__ = "users"
        ...     structure = {"name": str}
        >>> with app.app_context():
        ...     db.User({"name": "Ada"}).save()
        ...     db.User.find_one()["name"]
        'Ada'
        >>> db.close(app)
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._states: weakref.WeakKeyDictionary[Flask, State] = weakref.WeakKeyDictionary()
        self._documents: dict[str, type[Any]] = {}
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Bind an application: give it the URL converter `ObjectId` and the commands `flask db …`.

        Nothing is opened. Settings that are missing get their defaults; all count as they are when
        the client is made.

        Raises:
            RuntimeError: Another MongoKit is bound to the app already.
        """
        if (present := app.extensions.get("mongokit")) is self:
            return
        if present is not None:
            raise RuntimeError(f"The Flask app {app.name!r} has another MongoKit already.")
        for name, value in DEFAULTS.items():
            app.config.setdefault(name, value)
        app.extensions["mongokit"] = self
        app.url_map.converters["ObjectId"] = BSONObjectIdConverter
        app.cli.add_command(commands)
        state = self._states[app] = State()
        weakref.finalize(app, state.close)

    @overload
    def register(self, documents: C) -> C: ...
    @overload
    def register(self, documents: Iterable[type[Any]]) -> list[type[Any]]: ...
    def register(self, documents: type[Any] | Iterable[type[Any]]) -> type[Any] | list[type[Any]]:
        """Register a class (also as a decorator) or several, at any time, for every app.

        A class replaces an older one of its name. Given several, return `registered_documents`.

        Raises:
            TypeError: Something that is no document class.

        Example:
            >>> @db.register
            ... class Note(Document):
            ...     structure = {"text": str}
            >>> db.register([Task, Note]) == db.registered_documents == [Task, Note]
            True
        """
        classes = document_classes(documents)
        self._documents |= {cls.__name__: cls for cls in classes}
        for state in list(self._states.values()):
            state.register(classes)
        return documents if isinstance(documents, type) else self.registered_documents

    @property
    def registered_documents(self) -> list[type[Any]]:
        """All registered documents, in the order of their registration."""
        return list(self._documents.values())

    @property
    def connection(self) -> mongokit.Connection:
        """The current app's client in this process."""
        return self._used()[0]

    @property
    def database(self) -> mongokit.Database:
        """The current app's database."""
        client, state = self._used()
        return client[state.name]

    def _used(self) -> tuple[mongokit.Connection, State]:
        """Return the current app's client and what is held for the app; note that it was used."""
        context, state = self._current()
        client = state.client(context.app, self._documents.values())
        context.g.mongokit_connected = True
        return client, state

    def _current(self) -> tuple[AppContext, State]:
        context = _current_context()
        state = self._states.get(context.app)
        if state is None:
            raise RuntimeError(
                f"MongoKit is not bound to the Flask app {context.app.name!r}: call init_app(app)"
                " first."
            )
        return context, state

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # Python and test tools ask any object for such, without a context
            raise AttributeError(f"MongoKit has no {name!r}; a collection is db[{name!r}]")
        return getattr(self.database, name)

    def __getitem__(self, name: str) -> mongokit.Collection:
        return self.database[name]

    __iter__ = __contains__ = None  # else Python would try db[0], db[1], ...

    @overload
    def documents(self, cls: type[D]) -> DocumentsOr404[D]: ...
    @overload
    def documents(self, cls: type[M]) -> mongokit.Documents[M]: ...
    def documents(self, cls: type[Any]) -> Any:
        """The manager of a document class: what `db.User` is, with types.

        Example:
            >>> with app.app_context():
            ...     db.documents(Task) is db.Task
            True
        """
        return self.database.documents(cls)

    def connect(self) -> None:
        """Ask the server for an answer; any other use connects by itself.

        Raises:
            AuthenticationIncorrect: The server refuses the user name or the password.
            pymongo.errors.ConnectionFailure: No server answered in `serverSelectionTimeoutMS`.
        """
        try:
            self.database.command("ping")
        except PyMongoError as error:
            self.disconnect()
            # 18 is MongoDB's AuthenticationFailed, 8000 what Atlas answers instead.
            if isinstance(error, OperationFailure) and error.code in {18, 8000}:
                raise AuthenticationIncorrect("the server refuses the credentials") from error
            raise

    def disconnect(self) -> None:
        """Be done with the database in this application context; the client stays, for others."""
        self._current()[0].g.pop("mongokit_connected", None)

    @property
    def connected(self) -> bool:
        """Whether this application context used the database, and did not disconnect since.

        Example:
            >>> with app.app_context():
            ...     before, count, after = db.connected, db.Task.count(), db.connected
            >>> before, count, after
            (False, 1, True)
        """
        return "mongokit_connected" in self._current()[0].g

    def close(self, app: Flask | None = None) -> None:
        """Close the client of an app (the current one) in this process; the next use makes one."""
        if state := self._states.get(app) if app else self._current()[1]:
            state.close()

    def transaction(
        self, read_concern: ReadConcern | None = None, write_concern: WriteConcern | None = None
    ) -> AbstractContextManager[ClientSession]:
        """Run a block in a transaction: committed at its end, aborted when it raises.

        Raises:
            pymongo.errors.PyMongoError: See `mongokit.Database.transaction`, which this is.

        Example:
            >>> with app.app_context(), db.transaction() as session:
            ...     db.Task({"title": "Read"}).save(session=session)
            ...     db.tasks.delete_one({"_id": 1}, session=session).deleted_count
            1
        """
        return self.database.transaction(read_concern, write_concern)

    def missing_indexes(self) -> list[str]:
        """`collection.index` for each index that the server lacks, or has otherwise, sorted."""
        lacking = [(p.collection, i) for _, p in plans(self) for i in (*p.missing, *p.different)]
        return sorted(f"{collection.name}.{index}" for collection, index in lacking)

    def create_indexes(self) -> list[str]:
        """Create what can be created of the `missing_indexes`; return it, in the same form.

        Raises:
            pymongo.errors.OperationFailure: The first refusal, after the others were tried: the
                server has an index otherwise, or (`DuplicateKeyError`) documents break it.

        Example:
            >>> with app.app_context():
            ...     db.missing_indexes()
            ...     db.create_indexes()
            ...     db.missing_indexes()
            ['tasks.title_1']
            ['tasks.title_1']
            []
        """
        made, refused = [], []
        for _, found in plans(self):
            for index in (*found.missing, *(difference.declared for difference in found.different)):
                try:
                    create(found.collection, [index])
                    made.append(f"{found.collection.name}.{index}")
                except OperationFailure as error:
                    refused.append(error)
        if refused:
            raise refused[0]
        return sorted(made)


def _current_context() -> AppContext:
    # Itself, not the proxies `current_app` and `g`: `db` is used several times in most requests.
    try:
        context: AppContext = app_ctx._get_current_object()  # type: ignore[attr-defined]
    except RuntimeError:
        raise RuntimeError(
            "MongoKit was used outside of an application context: use it in a request or a command"
            " of an app bound by init_app(app), or inside `with app.app_context():`."
        ) from None
    return context
