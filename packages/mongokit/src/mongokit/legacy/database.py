"""PyMongo 2's calls for databases and clients."""

from __future__ import annotations

from typing import Any, NoReturn

from pymongo import MongoClient
from pymongo.database import Database

from mongokit.errors import DeprecationError
from mongokit.legacy._status import statuses_of
from mongokit.legacy._warnings import warn, warn_call

Document = dict[str, Any]


class LegacyDatabase(Database[Document]):
    """PyMongo 2's calls for a database."""

    @property
    def connection(self) -> Any:
        """The client.

        Legacy: use `client`. A collection of this name is `db["connection"]`.

        Example:
            >>> db.connection is connection
            True
        """
        warn("Database.connection is PyMongo 2's: use client")
        return self.client

    def collection_names(self, include_system_collections: bool = True) -> list[str]:
        """Return the names of the collections.

        Legacy: use `list_collection_names`.

        Args:
            include_system_collections: Also those whose name starts with `system.`.

        Raises:
            pymongo.errors.PyMongoError: What `list_collection_names` raises.

        Example:
            >>> "users" in db.collection_names(include_system_collections=False)
            True
        """
        warn_call("collection_names", "list_collection_names()")
        names = self.list_collection_names()
        if include_system_collections:
            return names
        return [name for name in names if not name.startswith("system.")]

    def last_status(self) -> dict[str, Any]:
        """Return how this thread's last write through a legacy call of the client ended.

        Legacy: each write returns its result.

        Returns:
            `n`, `ok`, `err` (None, or the error's text), and what an update answers.

        Example:
            >>> collection.remove({"_id": 1})
            {'n': 1, 'ok': 1.0}
            >>> db.last_status()
            {'n': 1, 'ok': 1.0, 'err': None}
        """
        warn_call("last_status", "the result of the write")
        status: dict[str, Any] = getattr(
            statuses_of(self.client), "last", {"n": 0, "ok": 1.0, "err": None}
        )
        return dict(status)

    def add_user(
        self,
        name: str,
        password: str | None = None,
        read_only: bool | None = None,
        **options: Any,
    ) -> None:
        """Create a user of this database, or change the one of this name.

        Legacy: use `db.command("createUser", ...)`.

        Args:
            name: The user's name.
            password: The password; None for a user whom another service authenticates.
            read_only: Give the role that reads, not the one that may do everything.
            **options: The command's, such as `roles`.

        Raises:
            pymongo.errors.OperationFailure: The server refuses.

        Example:
            >>> db.add_user("ada", "secret", roles=["readWrite"])
            >>> db.remove_user("ada")
        """
        warn_call("add_user", "command('createUser', ...)")
        if password is not None:
            options["pwd"] = password
        if self.name == "admin":
            role = "readAnyDatabase" if read_only else "root"
        else:
            role = "read" if read_only else "dbOwner"
        if not self.command({"usersInfo": name})["users"]:
            self.command({"createUser": name, "roles": [role], **options})
        elif read_only is None:
            self.command({"updateUser": name, **options})
        else:
            self.command({"updateUser": name, "roles": [role], **options})

    def remove_user(self, name: str) -> None:
        """Remove a user of this database.

        Legacy: use `db.command("dropUser", name)`.

        Args:
            name: The user's name.

        Raises:
            pymongo.errors.OperationFailure: The server refuses, or has no such user.

        Example:
            >>> db.remove_user("nobody")
            Traceback (most recent call last):
            pymongo.errors.OperationFailure: ...
        """
        warn_call("remove_user", "command('dropUser', name)")
        self.command({"dropUser": name})

    def authenticate(self, *_args: Any, **_options: Any) -> NoReturn:
        """Say where credentials go now.

        Raises:
            DeprecationError: Always.

        Example:
            >>> db.authenticate("ada", "secret")
            Traceback (most recent call last):
            mongokit.errors.DeprecationError: authenticate() is gone: give the credentials to ...
        """
        raise DeprecationError(
            "authenticate() is gone: give the credentials to the client, as"
            " Connection(username=..., password=..., authSource=...) or in its URI"
        )

    def logout(self) -> NoReturn:
        """Say what takes its place.

        Raises:
            DeprecationError: Always.
        """
        raise DeprecationError(
            "logout() is gone: credentials belong to the client, close() it and make another one"
        )

    def eval(self, *_args: Any) -> NoReturn:
        """Say what takes its place.

        Raises:
            DeprecationError: Always.
        """
        raise DeprecationError(
            "eval() is gone: no server since MongoDB 4.2 runs JavaScript for it; use aggregate()"
        )

    @property
    def system_js(self) -> NoReturn:
        """Say what takes its place.

        Raises:
            DeprecationError: Always.
        """
        raise DeprecationError(
            "system_js is gone: no server since MongoDB 4.2 runs stored JavaScript;"
            " the stored functions are documents of db['system.js']"
        )


class LegacyClient(MongoClient[Document]):
    """PyMongo 2's calls for a client."""

    @property
    def host(self) -> str | None:
        """The host of the server that writes go to, None for no single one.

        Legacy: use `address`. A database of this name is `connection["host"]`.

        Raises:
            pymongo.errors.ServerSelectionTimeoutError: No server answers.

        Example:
            >>> connection.host
            '127.0.0.1'
        """
        warn("MongoClient.host is PyMongo 2's: use address")
        return self.address[0] if self.address else None

    @property
    def port(self) -> int | None:
        """The port of the server that writes go to, None for no single one.

        Legacy: use `address`. A database of this name is `connection["port"]`.

        Raises:
            pymongo.errors.ServerSelectionTimeoutError: No server answers.

        Example:
            >>> (connection.host, connection.port) == connection.address
            True
        """
        warn("MongoClient.port is PyMongo 2's: use address")
        return self.address[1] if self.address else None

    def database_names(self) -> list[str]:
        """Return the names of the databases.

        Legacy: use `list_database_names`.

        Raises:
            pymongo.errors.PyMongoError: What `list_database_names` raises.

        Example:
            >>> db.name in connection.database_names()
            True
        """
        warn_call("database_names", "list_database_names()")
        return self.list_database_names()

    def disconnect(self) -> None:
        """Close the client.

        Legacy: use `close`. Unlike then, a closed client can't be used again.

        Example:
            >>> connection.disconnect()
        """
        warn_call("disconnect", "close()")
        self.close()

    def copy_database(self, *_args: Any, **_options: Any) -> NoReturn:
        """Say what takes its place.

        Raises:
            DeprecationError: Always.
        """
        raise DeprecationError(
            "copy_database() is gone: no server since MongoDB 4.2 has the command;"
            " use mongodump and mongorestore, or aggregate() with $out"
        )
