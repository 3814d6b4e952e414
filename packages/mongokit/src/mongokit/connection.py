"""The connection: PyMongo's client, with a registry of document classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, overload

from mongokit import references
from mongokit.database import Database, lacks_collection
from mongokit.declaration import compile_again_if_changed
from mongokit.errors import DeprecationError
from mongokit.legacy import LegacyClient, translate_client_options

if TYPE_CHECKING:
    from mongokit.document import Document
    from mongokit.manager import Documents
    from mongokit.planning import Plan, Validators

D = TypeVar("D", bound="Document")
C = TypeVar("C", bound=type)


class Connection(LegacyClient):
    """A `pymongo.MongoClient` that knows document classes by their names.

    Args:
        *args: As `pymongo.MongoClient`: host (or a `mongodb://` URI), port, ...
        **kwargs: As `pymongo.MongoClient`; options of PyMongo 2 that have a meaning today are
            translated, with a `DeprecationWarning`. `uuidRepresentation` is `standard` unless
            given; data that PyMongo wrote before version 4 wants `pythonLegacy`.
            `strict_queries=True` checks the queries of every class, as if all had that option.

    Raises:
        pymongo.errors.ConfigurationError: An unknown or malformed option.

    Example:
        >>> with Connection(uri, serverSelectionTimeoutMS=5000) as connection:
        ...     known = connection.register(User)
        ...     db.name in connection.list_database_names()
        True
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the client, as PyMongo does; it connects at the first operation."""
        # Before PyMongo's own constructor: attributes that are missing would be databases.
        self._documents: dict[str, type[Any]] = {}
        self._databases: dict[str, Database] = {}
        self._strict_queries = bool(kwargs.pop("strict_queries", False))
        super().__init__(*args, **_with_uuids(args, translate_client_options(kwargs)))

    def plan(
        self,
        database: Database | str,
        *,
        validators: Validators = "off",
        classes: Iterable[type[Any]] | None = None,
    ) -> Plan:
        """Compare what the documents declare with what the server has; nothing is changed.

        Args:
            database: The database, or its name.
            validators: What is wanted of the server's validators: `"off"` leaves them alone,
                `"warn"` has it log what a class does not declare, `"strict"` has it refuse.
            classes: The classes; None for all that are registered and name their collection, and
                no other database.

        Raises:
            ValueError: There is no such wish.
            pymongo.errors.PyMongoError: The server can't tell what it has.

        Example:
            >>> print(connection.plan(db))
            users:
              create the index email_1 (email 1, unique=True)
        """
        from mongokit.planning import make_plan  # noqa: PLC0415 - for commands, not for requests

        found = self[database] if isinstance(database, str) else database
        if classes is None:
            classes = [
                cls
                for cls in self._documents.values()
                if getattr(cls, "__database__", found.name) == found.name
            ]
        return make_plan(found, classes, validators=validators)

    def __enter__(self) -> Self:
        """Return the connection; it is closed at the end of the block."""
        super().__enter__()
        return self

    @overload
    def register(self, documents: C) -> C: ...

    @overload
    def register(self, documents: Iterable[type]) -> None: ...

    def register(self, documents: Any) -> Any:
        """Make classes known on this connection, each under its `__name__`.

        A class of a name that is known already replaces the old one everywhere.

        Args:
            documents: One class (then the call is usable as a decorator) or several.

        Returns:
            The class for one class, None for several.

        Raises:
            TypeError: Something that is no document class.

        Example:
            >>> @connection.register
            ... class Tag(Document):
            ...     structure = {"name": str}
        """
        for cls in document_classes(documents):
            compile_again_if_changed(cls)
            self._documents[cls.__name__] = cls
            for companion in getattr(cls, "_companions", ()):
                self._documents.setdefault(companion.__name__, companion)
        references.note_targets(self._documents)
        return documents if isinstance(documents, type) else None

    def documents(self, document_class: type[D]) -> Documents[D]:
        """Return the manager of a class in the database and collection that it names, typed.

        Args:
            document_class: A `Document` class with `__database__` and `__collection__`.

        Raises:
            AttributeError: It lacks one of them.

        Example:
            >>> class Note(Document):
            ...     __database__ = db.name
            ...     __collection__ = "notes"
            ...     structure = {"text": str}
            >>> connection.documents(Note)({"text": "Hello"}).save()
            >>> connection[db.name].notes.count_documents({})
            1
        """
        database = getattr(document_class, "__database__", None)
        if not database:
            raise AttributeError(f"{document_class.__name__}: __database__ attribute not found")
        return self[database].documents(document_class)

    def get_database(self, name: str | None = None, *args: Any, **kwargs: Any) -> Database:
        """Return a database with other options, as PyMongo does; of our class.

        Args:
            name: The database's name; None for the one that the URI names.
            *args: As `pymongo.MongoClient.get_database`.
            **kwargs: The same by name.

        Raises:
            pymongo.errors.ConfigurationError: No name, here or in the URI.

        Example:
            >>> type(connection.get_database("blog"))
            <class 'mongokit.database.Database'>
        """
        return self._ours(super().get_database(name, *args, **kwargs))

    def get_default_database(
        self, default: str | None = None, *args: Any, **kwargs: Any
    ) -> Database:
        """Return the database that the URI names, as PyMongo does; of our class.

        Args:
            default: The name to take where the URI names none.
            *args: As `pymongo.MongoClient.get_default_database`.
            **kwargs: The same by name.

        Raises:
            pymongo.errors.ConfigurationError: No name, here or in the URI.
        """
        return self._ours(super().get_default_database(default, *args, **kwargs))

    def _ours(self, other: Any) -> Database:
        return Database(
            self,
            other.name,
            codec_options=other.codec_options,
            read_preference=other.read_preference,
            write_concern=other.write_concern,
            read_concern=other.read_concern,
        )

    def __getitem__(self, name: str) -> Database:
        """Return the database `name`; the same object for the same name.

        Example:
            >>> connection["blog"] is connection.blog
            True
        """
        known = self._databases.get(name)
        if known is None:
            known = self._databases.setdefault(name, Database(self, name))
        return known

    def __getattr__(self, name: str) -> Any:
        """Return the manager of the class registered under `name`, else a database."""
        if not name.startswith("_"):
            registered = self._documents.get(name)
            if registered is not None and getattr(registered, "__database__", None):
                if not getattr(registered, "__collection__", None):
                    raise lacks_collection(registered)
                return self.documents(registered)
        return super().__getattr__(name)

    def __dir__(self) -> list[str]:
        """List the attributes and the registered classes that name database and collection."""
        named = {n for n, cls in self._documents.items() if getattr(cls, "__database__", None)}
        return sorted({*super().__dir__(), *named})


def document_classes(documents: Any) -> list[type[Any]]:
    """Return the classes that `register` was given, one or several.

    Args:
        documents: A class, or an iterable of classes.

    Raises:
        TypeError: Something that is no document class.

    Example:
        >>> document_classes(User), document_classes((User,))
        ([<class '...User'>], [<class '...User'>])
    """
    several = isinstance(documents, Iterable) and not isinstance(documents, (type, str))
    classes = list(documents) if several else [documents]
    for cls in classes:
        if not (isinstance(cls, type) and hasattr(cls, "__mongokit__")):
            raise TypeError(f"can't register {cls!r}: it is no Document class")
    return classes


def _with_uuids(args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Store UUIDs in the standard form unless told otherwise; PyMongo 4 refuses them."""
    hosts = args[0] if args else options.get("host") or ()
    given = [*([hosts] if isinstance(hosts, str) else hosts), *options]
    if any("uuidrepresentation" in str(each).lower() for each in given):
        return options
    return {**options, "uuidRepresentation": "standard"}


MongoClient = Connection
ReplicaSetConnection = Connection
MongoReplicaSetClient = Connection


class MasterSlaveConnection:
    """Master and slave servers, which MongoDB has replaced with replica sets.

    Raises:
        DeprecationError: Always.

    Example:
        >>> MasterSlaveConnection("a", slaves=["b"])
        Traceback (most recent call last):
        mongokit.errors.DeprecationError: master-slave replication no longer exists: use ...
    """

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise DeprecationError(
            "master-slave replication no longer exists: use Connection with a replica set and a "
            "read preference, such as readPreference='secondaryPreferred'"
        )


__all__ = [
    "Connection",
    "MasterSlaveConnection",
    "MongoClient",
    "MongoReplicaSetClient",
    "ReplicaSetConnection",
]
