"""The database: PyMongo's, with our collections and the classes that name theirs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from bson import DBRef
from pymongo.client_session import ClientSession

from mongokit.binding import registry
from mongokit.collection import Collection
from mongokit.legacy import LegacyDatabase
from mongokit.transactions import transaction

if TYPE_CHECKING:
    from pymongo.read_concern import ReadConcern
    from pymongo.write_concern import WriteConcern

    from mongokit.connection import Connection
    from mongokit.document import Document
    from mongokit.manager import Documents

D = TypeVar("D", bound="Document")


class Database(LegacyDatabase):
    """A PyMongo database on which a registered class with `__collection__` is found by its name.

    Example:
        >>> db.User is db.users.User  # the manager of User in the collection that it names
        True
        >>> db["users"] is db.users
        True
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the database object, as PyMongo does; nothing is sent."""
        super().__init__(*args, **kwargs)
        self._collections: dict[str, Collection] = {}

    def documents(self, document_class: type[D]) -> Documents[D]:
        """Return the manager of a class in the collection that it names, typed.

        Args:
            document_class: A `Document` class with `__collection__`.

        Raises:
            AttributeError: The class has no `__collection__`.

        Example:
            >>> db.documents(User).find_one({"name": "Ada"})["email"]
            'ada@example.org'
        """
        return self[collection_name(document_class)].documents(document_class)

    def transaction(
        self, read_concern: ReadConcern | None = None, write_concern: WriteConcern | None = None
    ) -> AbstractContextManager[ClientSession]:
        """Run a block in a transaction: committed at its end, aborted when it raises.

        What belongs to it is given its session. The block may end the transaction itself. A
        document that was saved in a transaction that is aborted stays in memory as it was saved:
        `reload()` it, or make it again.

        Args:
            read_concern: What reads see; None for the client's own.
            write_concern: When the commit is acknowledged; None for the client's own.

        Raises:
            pymongo.errors.PyMongoError: The commit failed. With the error label
                `UnknownTransactionCommitResult` it may have happened, though it was repeated for
                as long as the driver does; with `TransientTransactionError` nothing was written,
                and the block may run again.

        Example:
            >>> with db.transaction() as session:
            ...     db.User({"name": "Eva", "email": None, "age": 28}).save(session=session)
            ...     db.users.delete_one({"_id": 1}, session=session).deleted_count
            1
        """
        return transaction(self.client, read_concern, write_concern)

    if TYPE_CHECKING:

        @property
        def client(self) -> Connection: ...

    @overload  # type: ignore[override]
    def dereference(self, dbref: DBRef, model: type[D], **kwargs: Any) -> D | None: ...

    @overload
    def dereference(
        self, dbref: DBRef, model: ClientSession | None = None, *args: Any, **kwargs: Any
    ) -> dict[str, Any] | None: ...

    def dereference(self, dbref: DBRef, model: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return what a DBRef points to, as PyMongo does, or as a document of a class.

        Args:
            dbref: The reference.
            model: The class of the result; None for a plain dict. PyMongo's `session` is
                accepted in its place.
            *args: As `pymongo.database.Database.dereference`: the comment.
            **kwargs: The same by name.

        Raises:
            TypeError: `dbref` is no DBRef, or `model` is no Document class.
            ValueError: The reference points into another database.

        Example:
            >>> db.dereference(DBRef("users", 1), User).name
            'Ada'
            >>> type(db.dereference(DBRef("users", 1)))
            <class 'dict'>
        """
        if isinstance(model, ClientSession):
            return super().dereference(dbref, model, *args, **kwargs)
        model = getattr(model, "__mongokit_of__", model)  # a manager stands for its class
        is_class = isinstance(model, type) and getattr(model, "_is_document", False)
        if model is not None and not is_class:
            raise TypeError(f"model must be a Document class, not {model!r}")
        session = kwargs.pop("session", None)
        found = super().dereference(dbref, session, *args, **kwargs)
        if model is None or found is None:
            return found
        return self[dbref.collection]._binding_of(model).hydrate(found, session=session)

    def get_collection(self, name: str, *args: Any, **kwargs: Any) -> Collection:
        """Return a collection with other options, as PyMongo does; of our class.

        Args:
            name: The collection's name.
            *args: As `pymongo.database.Database.get_collection`.
            **kwargs: The same by name.
        """
        other = super().get_collection(name, *args, **kwargs)
        return Collection(
            self,
            name,
            codec_options=other.codec_options,
            read_preference=other.read_preference,
            write_concern=other.write_concern,
            read_concern=other.read_concern,
        )

    def create_collection(self, name: str, *args: Any, **kwargs: Any) -> Collection:
        """Create a collection on the server, as PyMongo does, and return ours.

        Args:
            name: The collection's name.
            *args: As `pymongo.database.Database.create_collection`.
            **kwargs: The same by name.

        Raises:
            pymongo.errors.CollectionInvalid: There is one of this name already.

        Example:
            >>> db.create_collection("log", capped=True, size=4096).options()["capped"]
            True
        """
        made = super().create_collection(name, *args, **kwargs)
        return self.get_collection(
            name, made.codec_options, made.read_preference, made.write_concern, made.read_concern
        )

    def with_options(self, *args: Any, **kwargs: Any) -> Database:  # type: ignore[override]
        """Return this database with other options, as PyMongo does; of this class too.

        Example:
            >>> from pymongo import ReadPreference
            >>> reading = db.with_options(read_preference=ReadPreference.NEAREST)
            >>> reading.User.find_one({"name": "Ada"}).age
            36
        """
        other = super().with_options(*args, **kwargs)
        return Database(
            self.client,
            self.name,
            codec_options=other.codec_options,
            read_preference=other.read_preference,
            write_concern=other.write_concern,
            read_concern=other.read_concern,
        )

    def __getitem__(self, name: str) -> Collection:
        """Return the collection `name`; the same object for the same name."""
        known = self._collections.get(name)
        if known is None:
            known = self._collections.setdefault(name, Collection(self, name))
        return known

    def __getattr__(self, name: str) -> Any:
        """Return the manager of the class registered under `name`, else a collection."""
        if not name.startswith("_"):
            registered = registry(self.client).get(name)
            if registered is not None and getattr(registered, "__collection__", None):
                return self.documents(registered)
            if registered is not None and getattr(registered, "__database__", None):
                raise lacks_collection(registered)
        return super().__getattr__(name)

    def __dir__(self) -> list[str]:
        """List the attributes and the registered classes that name a collection."""
        named = {
            name
            for name, cls in registry(self.client).items()
            if getattr(cls, "__collection__", None)
        }
        return sorted({*super().__dir__(), *named})


def lacks_collection(document_class: type) -> AttributeError:
    """Return the error of a class that names a database but no collection.

    Args:
        document_class: A `Document` class.
    """
    return AttributeError(
        f"{document_class.__name__}: __collection__ attribute not found. You cannot specify the "
        "`__database__` attribute without the `__collection__` attribute"
    )


def collection_name(document_class: type) -> str:
    """Return the collection that a class names with `__collection__`.

    Args:
        document_class: A `Document` class.

    Raises:
        AttributeError: It names none.
    """
    name: str | None = getattr(document_class, "__collection__", None)
    if not name:
        raise AttributeError(
            f"{document_class.__name__}: __collection__ attribute not found. "
            "Name the collection there, or use collection.documents()"
        )
    return name
