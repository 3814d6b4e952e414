"""The manager: what `collection.User` is, typed as `Documents[User]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from mongokit import bulk
from mongokit.queries import Queries
from mongokit.schema_document import bound, set_fields

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession
    from pymongo.results import BulkWriteResult, UpdateResult

    from mongokit.collection import Collection
    from mongokit.connection import Connection
    from mongokit.database import Database
    from mongokit.document import Document
    from mongokit.watching import ChangeStream

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
        binding: Any = self._binding  # of the document that it is
        made: D = binding.new(doc, gen_skel, lang, fallback_lang)
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
            StaleDocument: The class has a `version_field`, and documents were changed or removed
                since they were read; those are in its `others`. The server stops there, too,
                where the writes are ordered; what it has written before stays.
            pymongo.errors.BulkWriteError: The server refused some.

        Example:
            >>> from pymongo import UpdateOne
            >>> user.age = 37
            >>> result = db.User.bulk_write([user, UpdateOne({"_id": 2}, {"$inc": {"age": 1}})])
            >>> result.modified_count
            2
        """
        return bulk.bulk_write(bound(self), requests, ordered=ordered, session=session)

    def update_one(
        self,
        filter: Mapping[str, Any],
        update: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        upsert: bool = False,
        array_filters: Sequence[Mapping[str, Any]] | None = None,
        session: ClientSession | None = None,
        **options: Any,
    ) -> UpdateResult:
        """Change parts of the first document that matches, each checked before it is sent.

        A value must be what the class declares for its path, in its Python form; it is refused
        with the error that `validate()` raises for a document that holds it. So are a field that
        is not declared, a required field that is removed or left empty, a number that is added to
        a text, and what would be inserted by `upsert` and does not validate.

        What depends on the stored document can't be checked: a validator of a field of which only
        a part is changed, or of a number that is added to; and a required list that `$pull` or
        `$pop` may empty. What `$pull` compares with is not checked either.

        A class with `skip_validation` is not checked. One with `version_field` counts it up.

        Args:
            filter: A MongoDB query; it is sent as it is.
            update: MongoDB's operators with paths and values; paths may have positions, as in
                `tags.0` or `items.$[x].amount`. A list is an aggregation pipeline, which is not
                checked.
            upsert: Whether to insert a document where none matches.
            array_filters: What `$[x]` in a path stands for.
            session: Write in this session.
            **options: As `pymongo.collection.Collection.update_one`: `collation`, `hint`, ...

        Raises:
            SchemaDocumentError: A value is not what the class declares; all failures are in its
                `errors`.
            UnknownFieldError: The class declares no such field.
            TypeError: The update is no dict or list, or an operator takes something else.
            ValueError: It is a whole document, which `save()` stores; or no such operator.
            pymongo.errors.PyMongoError: Any error of the driver's.

        Example:
            >>> db.documents(User).update_one({"_id": 1}, {"$inc": {"age": 1}}).modified_count
            1
            >>> db.documents(User).update_one({"_id": 1}, {"$set": {"age": "38"}})
            Traceback (most recent call last):
            mongokit.errors.SchemaTypeError: age must be an instance of int not str
            >>> db.documents(User).update_one({"_id": 1}, {"$set": {"nmae": "Ada"}})
            Traceback (most recent call last):
            mongokit.errors.UnknownFieldError: nmae is not a field of User: did you mean name?
        """
        from mongokit import patching  # noqa: PLC0415 - not everybody changes parts

        return patching.update(
            bound(self),
            filter,
            update,
            many=False,
            upsert=upsert,
            options={"array_filters": array_filters, "session": session, **options},
        )

    def update_many(
        self,
        filter: Mapping[str, Any],
        update: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        upsert: bool = False,
        array_filters: Sequence[Mapping[str, Any]] | None = None,
        session: ClientSession | None = None,
        **options: Any,
    ) -> UpdateResult:
        """Change parts of all documents that match, each checked before it is sent.

        Args:
            filter: As `update_one`.
            update: As `update_one`.
            upsert: As `update_one`.
            array_filters: As `update_one`.
            session: As `update_one`.
            **options: As `pymongo.collection.Collection.update_many`.

        Raises:
            See `update_one`.

        Example:
            >>> result = db.documents(User).update_many({}, {"$inc": {"age": 1}})
            >>> result.matched_count, result.modified_count
            (2, 2)
        """
        from mongokit import patching  # noqa: PLC0415 - not everybody changes parts

        return patching.update(
            bound(self),
            filter,
            update,
            many=True,
            upsert=upsert,
            options={"array_filters": array_filters, "session": session, **options},
        )

    def watch(
        self,
        pipeline: Sequence[Mapping[str, Any]] | None = None,
        *,
        full_document: str | None = "updateLookup",
        resume_after: Mapping[str, Any] | None = None,
        session: ClientSession | None = None,
        **options: Any,
    ) -> ChangeStream[D]:
        """Return the changes of the collection from now on, as they happen.

        They are those of all documents of the collection, whatever class wrote them; documents
        are read as `find` reads them. A change stream needs a replica set or a sharded cluster.

        Args:
            pipeline: Stages that choose among the events, such as
                `[{"$match": {"operationType": "insert"}}]`. Documents have to come through whole.
            full_document: How the document of an update is found: looked up when the event is
                read, so it may be newer than the update, or already gone; None leaves it out.
            resume_after: A `resume_token`, to go on after that change.
            session: Read in this session.
            **options: As `pymongo.collection.Collection.watch`: `full_document_before_change`,
                `max_await_time_ms`, `start_after`, ...

        Raises:
            pymongo.errors.OperationFailure: The server has no change streams, or has forgotten
                what `resume_after` names.

        Example:
            >>> users = db.documents(User)
            >>> with users.watch([{"$match": {"operationType": "delete"}}]) as stream:
            ...     users.get_from_id(2).delete()
            ...     change = stream.try_next()
            >>> change.operation, change.id, change.document
            ('delete', 2, None)
        """
        options |= {"full_document": full_document, "resume_after": resume_after}
        from mongokit import watching  # noqa: PLC0415 - not everybody watches

        return watching.watch(bound(self), pipeline, session=session, options=options)


# What would change, or store, the empty document that a manager is.
_CHANGING = (
    *("__delitem__", "__ior__", "__setitem__", "clear", "pop", "popitem", "save", "setdefault"),
    "update",
)


def _refusing(method: str) -> Any:
    def refuse(self: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
        name = type(self).__name__
        raise TypeError(
            f"{method}: this is the manager of {name}, which all its users share; call it for a "
            f"document, db.{bound(self).collection.name}.{name}()"
        )

    return refuse


def make_manager(document_class: type[D], collection: Collection) -> Documents[D]:
    """Make the manager of a class in a collection.

    Its class is a subclass of the document class, so that `isinstance(collection.User, User)`
    holds and overridden methods are found first.

    Args:
        document_class: The class.
        collection: Where its documents are stored.
    """
    namespace: dict[str, Any] = {
        "__mongokit_of__": document_class,
        "__module__": document_class.__module__,
        "__qualname__": document_class.__qualname__,
        "__doc__": document_class.__doc__,
    }
    for method in _CHANGING:
        # What the class itself has made of a name works on its manager too.
        module = getattr(getattr(document_class, method), "__module__", None)  # none: it is dict's
        if module is None or module.partition(".")[0] == "mongokit":
            namespace[method] = _refusing(method)
    metaclass: Any = type(document_class)
    manager_class: Any = metaclass(document_class.__name__, (document_class, Documents), namespace)
    manager: Documents[D] = manager_class(collection=collection)
    return manager
