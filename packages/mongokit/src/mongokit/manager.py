"""The manager: what `collection.User` is, typed as `Documents[User]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mongokit import bulk
from mongokit.queries import Queries
from mongokit.schema_document import bound, set_fields

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession
    from pymongo.results import BulkWriteResult

    from mongokit.collection import Collection
    from mongokit.connection import Connection
    from mongokit.database import Database
    from mongokit.document import Document

D = TypeVar("D", bound="Document")


class Documents(Queries[D]):
    """The documents of one class in one collection: call it for a new one, query it for stored.

    As in classic MongoKit the object is also an empty document of the class: the class's own
    methods, class methods and properties work on it, with `self.collection` bound.

    Example:
        >>> users = db.documents(User)
        >>> users is db.users.User
        True
        >>> users({"name": "Eva"})
        {'name': 'Eva'}
        >>> users.find_one({"name": "Ada"}).age
        36
    """

    __slots__ = ()

    if TYPE_CHECKING:
        # The class is a base of its manager's class too: what it declares is there.

        @property
        def collection(self) -> Collection: ...
        @property
        def db(self) -> Database: ...
        @property
        def connection(self) -> Connection: ...
        def generate_index(self, collection: Any) -> list[str]: ...
        def __getattr__(self, name: str) -> Any: ...

    def __call__(
        self,
        doc: Any = None,
        gen_skel: bool = True,
        lang: str = "en",
        fallback_lang: str = "en",
        **fields: Any,
    ) -> D:
        """Return a new document of the class, bound to the collection.

        Args:
            doc: The content. With content, exactly that; without, the skeleton and the defaults.
            gen_skel: Whether to make the skeleton.
            lang: The current language of i18n fields.
            fallback_lang: The language that is read where the current one has no value.
            **fields: Fields of an annotated class, put in after skeleton and defaults.

        Raises:
            TypeError: A keyword is no field of the annotated class.

        Example:
            >>> db.User()
            {'name': None, 'email': None, 'age': None}
            >>> db.User(gen_skel=False)
            {}
        """
        made: D = bound(self).new(doc, gen_skel, lang, fallback_lang)
        if fields:
            set_fields(made, fields)
        return made

    def insert_many(
        self,
        documents: Iterable[D | Mapping[str, Any]],
        ordered: bool = True,
        session: ClientSession | None = None,
    ) -> list[Any]:
        """Validate documents and insert all of them with as few commands as the driver needs.

        Args:
            documents: Documents of the class, or their content; what has no `_id` gets one.
            ordered: Whether one bad document keeps all from being stored. If not, the good ones
                are stored and the bad ones reported.
            session: Write in this session.

        Returns:
            The `_id`s, in the order given.

        Raises:
            BulkValidationError: Documents do not validate: says which and why.
            pymongo.errors.BulkWriteError: The server refused some, as for a unique index;
                documents that were stored have their `_id` then.
            TypeError: There are no documents.

        Example:
            >>> eva = {"name": "Eva", "email": "eva@example.org", "age": 28}
            >>> db.User.insert_many([eva, {**eva, "_id": 8, "age": 29}])
            [ObjectId('...'), 8]
            >>> db.User.insert_many([eva, {**eva, "age": "29"}])
            Traceback (most recent call last):
            mongokit.errors.BulkValidationError: 1 of 2 documents does not validate: 1: age ...
        """
        return bulk.insert_many(bound(self), documents, ordered=ordered, session=session)

    def bulk_write(
        self,
        requests: Iterable[Any],
        ordered: bool = True,
        session: ClientSession | None = None,
    ) -> BulkWriteResult:
        """Run many writes at once, among them the saves of validated documents.

        Args:
            requests: Documents, each saved as `save()` does; and operations of PyMongo's, such
                as `pymongo.UpdateOne`, which are passed on.
            ordered: Whether the server stops at the first write that it refuses.
            session: Write in this session.

        Raises:
            BulkValidationError: Documents do not validate; nothing was sent.
            pymongo.errors.BulkWriteError: The server refused some.

        Example:
            >>> from pymongo import UpdateOne
            >>> user.age = 37
            >>> result = db.User.bulk_write([user, UpdateOne({"_id": 2}, {"$inc": {"age": 1}})])
            >>> result.modified_count
            2
        """
        return bulk.bulk_write(bound(self), requests, ordered=ordered, session=session)


def make_manager(document_class: type[D], collection: Collection) -> Documents[D]:
    """Make the manager of a class in a collection.

    Its class is a subclass of the document class, so that `isinstance(collection.User, User)`
    holds and overridden methods are found first.

    Args:
        document_class: The class.
        collection: Where its documents are stored.
    """
    namespace = {
        "__mongokit_of__": document_class,
        "__module__": document_class.__module__,
        "__qualname__": document_class.__qualname__,
        "__doc__": document_class.__doc__,
    }
    metaclass: Any = type(document_class)
    manager_class: Any = metaclass(document_class.__name__, (document_class, Documents), namespace)
    manager: Documents[D] = manager_class(collection=collection)
    return manager
