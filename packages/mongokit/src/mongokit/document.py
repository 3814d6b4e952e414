"""Document: a dict that follows a declaration and knows the collection that it is stored in."""

from __future__ import annotations

import sys
import uuid as uuid_module
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import bson
from bson import DBRef, ObjectId
from bson.raw_bson import RawBSONDocument

from mongokit import _driver, indexes, json, locking, migration, references
from mongokit.attributes import yields_to_fields
from mongokit.binding import Binding
from mongokit.compiler import UNBOUND_OPTIONS
from mongokit.convert import content_of, stored_form, stored_id
from mongokit.errors import (
    AutoReferenceError,
    BadIndexError,
    Failure,
    InvalidDocument,
    MaxDocumentSizeError,
    MultipleResultsFound,
    OperationFailure,
    OptionConflictError,
    SchemaDocumentError,
    StructureError,
)
from mongokit.legacy import warn, write_concern_from
from mongokit.queries import Queries
from mongokit.saving import Saving
from mongokit.schema_document import (
    DocumentProperties,
    SchemaDocument,
    SchemaProperties,
    as_failure,
    bound,
    check,
    check_by_walking,
    set_binding,
)
from mongokit.types import STORED_TYPES, CustomType

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from mongokit import patching
    from mongokit.connection import Connection
    from mongokit.database import Database

# More than is made here: the names that MongoKit 0.9 had under this path.
__all__ = [
    "AutoReferenceError",
    "BadIndexError",
    "CustomType",
    "Document",
    "DocumentProperties",
    "InvalidDocument",
    "MaxDocumentSizeError",
    "MultipleResultsFound",
    "OperationFailure",
    "OptionConflictError",
    "SchemaDocument",
    "SchemaProperties",
    "StructureError",
]

# A document whose estimate is above this is encoded to know its size: far below every server's
# limit, far above the common document.
LARGE = 4 * 1024 * 1024


class Document(SchemaDocument, Queries[Any]):
    """A document of a collection.

    Register the class on a connection and make documents through the collection:
    `connection.register(User)`, then `user = db.users.User()`. What `SchemaDocument` declares,
    a document declares too; beside it:

    Attributes:
        gridfs: Names of files (and containers) that belong to a document.

    Args:
        doc: The content. With content, exactly that; without, the skeleton and the defaults.
        gen_skel: Whether to make the skeleton.
        collection: Where the document is stored.
        lang: The current language of i18n fields.
        fallback_lang: The language that is read where the current one has no value.
        **fields: Fields of an annotated class, put in after skeleton and defaults.

    Raises:
        TypeError: A keyword is no field of the annotated class.

    Example:
        >>> @connection.register
        ... class Tag(Document):
        ...     structure = {"name": str, "posts": int}
        ...     default_values = {"posts": 0}
        ...     use_dot_notation = True
        >>> tag = db.tags.Tag()
        >>> tag.name = "python"
        >>> tag.save()
        >>> db.tags.Tag.find_one({"name": "python"}) == tag
        True
    """

    __slots__ = ("_binding",)

    authorized_types: ClassVar[list[Any]] = [*SchemaDocument.authorized_types, *STORED_TYPES]
    gridfs: ClassVar[Any] = []

    if TYPE_CHECKING:
        _binding: ClassVar[Any]
    _is_document: ClassVar[bool] = True
    _projected: ClassVar[bool] = False
    _keep_revision: ClassVar[patching.Keep | None] = None

    def __init__(
        self,
        doc: Mapping[str, Any] | None = None,
        gen_skel: bool = True,
        collection: Any = None,
        lang: str = "en",
        fallback_lang: str = "en",
        **fields: Any,
    ) -> None:
        """Fill the document and bind it."""
        set_binding(self, None if collection is None else _binding_of(collection, type(self)))
        SchemaDocument.__init__(self, doc, gen_skel, lang, fallback_lang, **fields)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.lazy_autorefs:
            references.read_lazily(cls)

    @property
    def db(self) -> Database:
        """The database that the document is stored in.

        Raises:
            ConnectionError: The document was made without a collection.

        Example:
            >>> user.db is db
            True
        """
        return bound(self).collection.database

    @property
    def connection(self) -> Connection:
        """The connection that the document is stored through.

        Raises:
            ConnectionError: The document was made without a collection.

        Example:
            >>> user.connection is connection
            True
        """
        return bound(self).collection.database.client

    def validate(self, auto_migrate: bool = True, session: ClientSession | None = None) -> None:
        """Check the document, and the documents that it references, against their declarations.

        Args:
            auto_migrate: Whether a class with a `migration_handler` migrates a document that
                does not validate.
            session: Read in this session what it references, and migrate in it.

        Raises:
            See `SchemaDocument.validate`; and
            AutoReferenceError: A referenced document is not stored.
            MaxDocumentSizeError: It is larger than the server accepts.

        Example:
            >>> User({"name": "Ada", "email": None}).validate()
            Traceback (most recent call last):
            mongokit.errors.StructureError: missed fields ['age'] in User
        """
        try:
            validated_size(self, auto_migrate=auto_migrate, session=session)
        except SchemaDocumentError:
            if not (auto_migrate and self.migration_handler and self._binding):
                raise
            if not migration.migrate_fetched(self, session):
                raise
            validated_size(self, auto_migrate=auto_migrate, session=session)

    @yields_to_fields
    def errors(self) -> list[Failure]:
        """Return every reason why the document does not validate; an empty list if it does.

        Example:
            >>> bad = User({"name": None, "email": None, "age": "36"})
            >>> [failure.rule for failure in bad.errors()]
            ['type', 'required']
        """
        found = type(self).__mongokit__.failures(self, _options_of(self))
        return [as_failure(error) for error in found]

    def save(
        self,
        uuid: bool = False,
        validate: bool | None = None,
        safe: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Validate the document and store the whole of it.

        A document without `_id` is inserted and gets one; any other replaces the stored document
        of its `_id`, or is inserted if there is none. If anything fails, the document in memory
        and the one in the database are as before.

        Args:
            uuid: Give a document without `_id` the text `{Class}-{uuid4}` as its `_id`.
            validate: Whether to validate; None means unless the class has `skip_validation`.
            safe: False asks for no acknowledgement.
            *args: Part of the classic signature.
            **kwargs: `session=`, and write concern options: `w`, `j`, `wtimeout`, `fsync`.
                PyMongo 2's `manipulate` and `check_keys` are ignored.

        Raises:
            ConnectionError: The document was made without a collection.
            SchemaDocumentError: The document does not validate; see `validate`.
            MaxDocumentSizeError: It is larger than the server accepts; nothing was sent.
            bson.errors.InvalidDocument: It holds something that BSON can't.
            StaleDocument: The class has a `version_field`, and the document was changed or
                removed since it was read. A save that is not acknowledged can't tell.
            pymongo.errors.DuplicateKeyError: A unique index has its values already.
            pymongo.errors.PyMongoError: Any other error of the driver's. After a network error
                the write may have happened.

        Example:
            >>> user = db.User({"name": "Eva", "email": "eva@example.org", "age": 28})
            >>> user.save()
            >>> user.age = "29"
            >>> user.save()
            Traceback (most recent call last):
            mongokit.errors.SchemaTypeError: age must be an instance of int not str
        """
        if (
            validate is None
            and safe
            and not (uuid or kwargs)
            and type(self).__mongokit__.saves_plainly
            and _is_stored_at_once(self)
        ):
            return
        save_document(self, _store, uuid=uuid, validate=validate, safe=safe, options=kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> None:
        """Remove the stored document of this `_id`.

        Args:
            *args: Part of the classic signature.
            **kwargs: `session=`.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.

        Example:
            >>> user.delete()
            >>> db.User.get_from_id(user._id) is None
            True
        """
        identity = stored_id(self)
        bound(self).collection.delete_one({"_id": identity}, session=kwargs.get("session"))
        references.remember(self, None)

    def reload(self, session: Any = None) -> None:
        """Replace the content with what is stored under this `_id`.

        Args:
            session: Read in this session.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.
            OperationFailure: No document of this `_id` is stored.

        Example:
            >>> db.users.update_one({"_id": user._id}, {"$inc": {"age": 1}}).modified_count
            1
            >>> user.reload()
            >>> user.age
            37
        """
        binding = bound(self)
        identity = stored_id(self)
        raw = binding.collection.find_one({"_id": identity}, session=session)
        from mongokit import patching  # noqa: PLC0415 - not everybody changes parts

        if raw is None:
            raise patching.not_stored(self, "reload")
        patching.refresh(self, raw, session)

    @yields_to_fields
    def patch(
        self,
        /,
        *,
        set: Mapping[str, Any] | None = None,
        unset: str | Iterable[str] | None = None,
        inc: Mapping[str, Any] | None = None,
        push: Mapping[str, Any] | None = None,
        add_to_set: Mapping[str, Any] | None = None,
        pull: Mapping[str, Any] | None = None,
        when: Mapping[str, Any] | None = None,
        session: ClientSession | None = None,
        **fields: Any,
    ) -> None:
        """Change parts of the stored document, and refresh this one with what is stored then.

        The changes are checked as `Documents.update_one` checks them, and sent as one command.
        What other writers have changed meanwhile arrives with the answer; what was changed in
        memory and not saved is gone, as after `reload()`. A document with `version_field` is
        changed only if its version is still the stored one. If anything fails, the document in
        memory and the one in the database are as before.

        Args:
            set: Paths to values, such as `{"address.city": "Paris"}`.
            unset: A path, or paths, to remove.
            inc: Paths to what is added to their numbers.
            push: Paths of lists to what is appended; several items as `{"$each": [...]}`.
            add_to_set: Paths of lists to what is appended unless it is in them already.
            pull: Paths of lists to what is removed from them, an item or a condition.
            when: What the stored document must match, as a filter: compare and set.
            session: Write in this session.
            **fields: Values of fields at the top, as in `set`.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.
            SchemaDocumentError: A value is not what the class declares; see `validate`.
            UnknownFieldError: The class declares no such field.
            ValueError: A path is given twice.
            ConditionNotMet: The stored document does not match `when`.
            StaleDocument: The class has a `version_field`, and the document was changed or
                removed since it was read.
            OperationFailure: No document of this `_id` is stored.
            pymongo.errors.PyMongoError: Any other error of the driver's. After a network error
                the change may have happened.

        Example:
            >>> user.patch(email="lovelace@example.org", inc={"age": 1}, when={"age": 36})
            >>> user.email, user.age
            ('lovelace@example.org', 37)
            >>> user.patch(age="38")
            Traceback (most recent call last):
            mongokit.errors.SchemaTypeError: age must be an instance of int not str
        """
        from mongokit import patching  # noqa: PLC0415 - not everybody changes parts

        patching.patch(
            self,
            {
                "$set": patching.together(set, fields),
                "$unset": patching.names(unset),
                "$inc": inc,
                "$push": push,
                "$addToSet": add_to_set,
                "$pull": pull,
            },
            when=when,
            session=session,
            keep=type(self)._keep_revision,
        )

    def get_dbref(self) -> DBRef:
        """Return a reference to this document, with its database.

        Raises:
            ConnectionError: The document was made without a collection.
            AssertionError: The document has no `_id`.

        Example:
            >>> ref = user.get_dbref()
            >>> ref.collection, ref.id, ref.database == db.name
            ('users', 1, True)
        """
        collection = bound(self).collection
        if dict.get(self, "_id") is None:
            raise AssertionError("You must specify an '_id' for using this method")
        return DBRef(collection.name, stored_id(self), collection.database.name)

    def migrate(self, safe: bool = True, session: Any = None) -> bool:
        """Run the class's migrations for this stored document, and read it again.

        Args:
            safe: Part of the classic signature; the writes follow the collection's write concern.
            session: Write in this session.

        Returns:
            Whether the stored document was changed.

        Raises:
            TypeError: The class has no `migration_handler`.
            ConnectionError: The document was made without a collection.
            KeyError: The document has no `_id`.
            UpdateQueryError: An update names a field that the structure lacks.

        Example:
            >>> class TaskMigration(DocumentMigration):
            ...     def migration01__add_done(self):
            ...         self.target = {"done": {"$exists": False}}
            ...         self.update = {"$set": {"done": False}}
            >>> @connection.register
            ... class Task(Document):
            ...     structure = {"title": str, "done": bool}
            ...     migration_handler = TaskMigration
            >>> task = db.tasks.Task({"title": "Write", "done": True})
            >>> task.save()
            >>> task.migrate()
            False
        """
        handler = type(self).migration_handler
        if handler is None:
            raise TypeError(f"{type(self).__name__} has no migration_handler")
        changed: bool = handler(type(self)).migrate(self, safe=safe, session=session)
        return changed

    def _process_custom_type(self, target: str, doc: Any, structure: Any = None) -> None:
        """Convert the CustomTypes of `doc`, and its references, in place.

        Deprecated: kept for code that writes its own save. `save()` never changes the document.

        Args:
            target: `'bson'`, where references are DBRefs, or `'python'`.
            doc: The document.
            structure: Part of the classic signature; the class's own is used.

        Raises:
            AutoReferenceError: A referenced document is not stored.
        """
        SchemaDocument._process_custom_type(self, target, doc, structure)
        if target == "python" and isinstance(doc, Document) and doc._binding is not None:
            references.fetch([doc])

    def _make_reference(self, doc: Any, structure: Any = None) -> None:
        """Save the referenced documents that were changed, and put DBRefs in their place.

        Deprecated: kept for code that writes its own save. `save()` leaves the documents in place.

        Args:
            doc: The document itself, as classic code passes it.
            structure: Part of the classic signature; the class's own is used.
        """
        warn("_make_reference() is deprecated: save() leaves the documents in place")
        with Saving(self) as saving:
            saving.write_referenced()
        for place, referenced in references.referenced(doc):
            place.put(Document.get_dbref(referenced))

    def get_size(self) -> int:
        """Return the document's size as BSON in bytes.

        Raises:
            bson.errors.InvalidDocument: It holds something that BSON can't.

        Example:
            >>> User({"name": "Ada"}).get_size()
            19
        """
        return len(bson.encode(stored_form(self), False, _options_of(self)))

    def to_json_type(self) -> dict[str, Any]:
        """Return the document as what `json.dumps` takes.

        Datetimes are integers, milliseconds since the epoch; ObjectIds are `{"$oid": hex}`;
        references stand embedded; CustomTypes are in their Python form.

        Raises:
            TypeError: It holds something that neither JSON nor Extended JSON has a form for.

        Example:
            >>> db.users.User({"name": "Ada", "born": datetime(1970, 1, 2)}).to_json_type()
            {'name': 'Ada', 'born': 86400000}
        """
        return json.to_json_type(self)

    def to_json(self) -> str:
        """Return the document as JSON: `to_json_type`, with the places of referenced documents.

        Beside the fields of a referenced document stand `_collection` and `_database`, so that
        `from_json` finds it again.

        Raises:
            TypeError: It holds something that neither JSON nor Extended JSON has a form for.

        Example:
            >>> db.users.User({"name": "Ada"}).to_json()
            '{"name": "Ada"}'
        """
        return json.to_json(self)

    def to_extended_json(self, *, canonical: bool = False) -> str:
        """Return the stored form of the document as MongoDB Extended JSON v2.

        Args:
            canonical: Whether numbers and datetimes keep their exact BSON types, at the price of
                readable text.

        Raises:
            TypeError: It holds something that BSON can't.

        Example:
            >>> db.users.User({"name": "Ada", "born": datetime(1970, 1, 2)}).to_extended_json()
            '{"name": "Ada", "born": {"$date": "1970-01-02T00:00:00Z"}}'
        """
        return json.to_extended_json(self, canonical=canonical)

    @classmethod
    def generate_index(cls, collection: Any) -> list[str]:
        """Create the declared indexes that the collection lacks; nothing else ever does.

        Args:
            collection: The collection.

        Returns:
            The names of the declared indexes, in the order of `indexes`.

        Raises:
            TypeError: That is no collection.
            BadIndexError: `indexes` was changed after the class was made, and is malformed.
            pymongo.errors.DuplicateKeyError: Stored documents break a unique index.
            pymongo.errors.OperationFailure: The server refuses an index, or has it with other
                options; `mongokit.indexes.plan` shows which.

        Example:
            >>> db.users.User.generate_index(db.users)
            ['email_1']
        """
        return indexes.generate(cls, collection)

    def __getattr__(self, name: str) -> Any:
        """Return the field `name` under dot notation.

        Raises:
            AttributeError: There is no such field, or the class has no dot notation.
        """
        if name == "_binding":  # an `__init__` that did not call ours
            return None
        if name == "fs" and type(self).gridfs:
            from mongokit.grid import FS  # noqa: PLC0415 - who has no files needs no gridfs

            return FS(self)
        return SchemaDocument.__getattr__(self, name)


# Classes had a field of this name before there was the method.


def _binding_of(collection: Any, cls: Any) -> Binding[Any]:
    cls = getattr(cls, "__mongokit_of__", cls)
    if hasattr(type(collection), "_binding_of"):
        shared: Binding[Any] = collection._binding_of(cls)
        return shared
    return Binding(cls, collection)  # a collection of PyMongo's own


def _options_of(document: Document) -> Any:
    binding = document._binding
    return UNBOUND_OPTIONS if binding is None else binding.options


def _explained(document: Document, error: StructureError) -> StructureError:
    """Say what to do about fields that are missing because a projection left them out."""
    if document._projected and error.rule == "missing":
        way_out = "read all of it, or change a part in place with collection.update_one()"
        error.args = (f"{error.args[0]}: the document was read with a projection; {way_out}",)
    return error


def _new_id(document: Document, uuid: bool) -> Any:
    """The `_id` that a document without one gets, None for a document that has one."""
    if dict.get(document, "_id") is not None:
        return None
    if uuid:
        cls = getattr(type(document), "__mongokit_of__", type(document))
        return f"{cls.__name__}-{uuid_module.uuid4()}"
    return ObjectId()


def _check_size(document: Document, encoded: bytes) -> None:
    binding = document._binding
    limit = _driver.DEFAULT_MAX_BSON_SIZE
    if binding is not None:
        limit = _driver.max_bson_size(binding.collection.database.client)
    if len(encoded) > limit:
        raise MaxDocumentSizeError(
            f"{type(document).__name__} is {len(encoded)} bytes as BSON, "
            f"{len(encoded) - limit} more than the server accepts"
        )


def validated_size(
    document: Document, *, auto_migrate: bool = False, session: ClientSession | None = None
) -> int:
    """Do what `Document.validate` does, and return an upper bound on the size in bytes.

    Args:
        document: The document.
        auto_migrate: Whether referenced documents that don't validate are migrated.
        session: Read in this session.

    Raises:
        See `Document.validate`.
    """
    model = type(document).__mongokit__
    binding = document._binding
    options = UNBOUND_OPTIONS if binding is None else binding.options
    raising = document.raise_validation_errors
    try:
        if raising:  # `check` in one call less: all documents come here
            size = model.check(document, options) or check_by_walking(document, options)
        else:
            size = check(document, options)
    except StructureError as error:
        raise _explained(document, error) from error.__cause__
    if size > LARGE and (raising or not document.validation_errors):
        try:
            _check_size(document, bson.encode(stored_form(document), False, options))
        except (MaxDocumentSizeError, InvalidDocument, OverflowError) as error:
            if raising:
                raise
            document.validation_errors[None] = [error]
    if model.has_references:
        references.validate_referenced(document, auto_migrate=auto_migrate, session=session)
    return size


def with_id(content: dict[str, Any], new_id: Any) -> dict[str, Any]:
    """Return content with an `_id`, first, where the server puts it too.

    Args:
        content: A document's content; stays as it is.
        new_id: The `_id`.
    """
    made = {"_id": new_id, **content}
    made["_id"] = new_id  # the content may have had None there
    return made


def prepared(document: Document, new_id: Any, size: int, version: int | None = None) -> Any:
    """Return what is sent for a document: a dict, or what a large one is encoded to.

    Args:
        document: The document.
        new_id: The `_id` that it gets, None if it has one.
        size: An upper bound on its size in bytes.
        version: What its `version_field` gets, None for a class without one.

    Raises:
        MaxDocumentSizeError: It is larger than the server accepts.
        bson.errors.InvalidDocument: It holds something that BSON can't.
    """
    content = stored_form(document)
    if new_id is not None:
        content = with_id(content, new_id)
    if version is not None:
        content[locking.field_of(document)] = version
    if size <= LARGE:
        return content  # the driver encodes it, once
    encoded = bson.encode(content, False, _options_of(document))
    _check_size(document, encoded)
    return RawBSONDocument(encoded)


def save_document(
    document: Document,
    store: Callable[[Any, Any, Any, Any, Any], None],
    *,
    uuid: bool,
    validate: bool | None,
    safe: bool,
    options: dict[str, Any],
) -> None:
    """Do what `Document.save` does, with another way to send what is stored.

    Args:
        document: The document.
        store: Called last, with the document, the collection with its write concern, the content
            to store, the `_id` that the document is to get (None if it has one), the session.
        uuid: As for `Document.save`.
        validate: As for `Document.save`.
        safe: As for `Document.save`.
        options: `session` and write concern options.

    Raises:
        See `Document.save`.
    """
    binding = bound(document)
    session = options.pop("session", None)
    for name in ("manipulate", "check_keys"):  # PyMongo 2's, without a meaning today
        options.pop(name, None)
    if not safe:
        options.setdefault("w", 0)
    target = binding.collection
    if options:
        write_concern, rest = write_concern_from(options)
        if rest:
            raise TypeError(f"save() got unexpected arguments: {', '.join(sorted(rest))}")
        if write_concern is not None:
            target = target.with_options(write_concern=write_concern)
    must_validate = validate if validate is not None else not document.skip_validation
    must_validate = must_validate or document.migration_handler is not None
    model = type(document).__mongokit__
    if model.saves_plainly:
        size = _validated_by_its_class(document) if must_validate else sys.maxsize
        new_id = _new_id(document, uuid)
        store(document, target, prepared(document, new_id, size), new_id, session)
        return
    with Saving(document, session) as saving:
        if must_validate:
            saving.fetch_assigned()
        size = _validated_by_its_class(document) if must_validate else sys.maxsize
        new_id = _new_id(document, uuid)
        version = None
        if model.version_field is not None:
            version = locking.next_version(document, is_new=new_id is not None)
        content = prepared(document, new_id, size, version)
        saving.write_referenced(new_id)
        store(document, target, content, new_id, session)


def _is_stored_at_once(document: Document) -> bool:
    """Save the common document with as few steps as can be; tell whether that was possible.

    After each round trip the processor has forgotten this code: what counts is how much of it runs.
    The document is one that its class's compiled check is sure of, is stored as it is and far below
    any limit of size; all others take the longer way.
    """
    cls = type(document)
    model, binding = cls.__mongokit__, document._binding
    if (
        binding is None
        or model.to_bson is not None
        or cls._is_referenced
        or cls.validate is not Document.validate
        or cls.migration_handler is not None
        or document.skip_validation
        or not document.raise_validation_errors
        or not 0 < model.check(document, binding.options) <= LARGE
    ):
        return False
    identity = dict.get(document, "_id")
    if identity is None:
        identity = ObjectId()
        binding.collection.insert_one(with_id(content_of(document), identity))
        dict.__setitem__(document, "_id", identity)
    else:
        binding.collection.replace_one({"_id": identity}, content_of(document), upsert=True)
    return True


def _validated_by_its_class(document: Document) -> int:
    """Call `validate()`, the class's own if it has one; return an upper bound on the size."""
    if type(document).validate is Document.validate:
        return validated_size(document)
    document.validate(auto_migrate=False)
    return sys.maxsize


def _store(document: Document, collection: Any, content: Any, new_id: Any, session: Any) -> None:
    """Send the document; it is encoded once, before or by the driver."""
    encoded = None
    if type(document)._is_referenced:
        encoded = bson.encode(content, False, bound(document).options)
        content = RawBSONDocument(encoded)
    if type(document).__mongokit__.version_field is not None:
        locking.store(document, collection, content, new_id, session)
    elif new_id is not None:
        collection.insert_one(content, session=session)
        dict.__setitem__(document, "_id", new_id)
    else:
        collection.replace_one({"_id": content["_id"]}, content, upsert=True, session=session)
    if encoded is not None:
        references.remember(document, encoded)
