"""What can be asked of a class of documents: the same calls on a manager and on a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from pymongo.cursor import Cursor as PyMongoCursor

from mongokit import json
from mongokit.cursor import Cursor, is_partial
from mongokit.raw_queries import find_fulltext, find_random, only_one
from mongokit.schema_document import bound

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from mongokit.collection import Collection


D = TypeVar("D", bound=Mapping[str, Any])

Filter = Mapping[str, Any]


class Queries(Generic[D]):
    """Queries whose results are documents of the class.

    Every method takes what the method of that name takes on a PyMongo collection, `session=`
    included, and PyMongo 2's spellings.

    Where the class has `strict_queries = True`, each of them raises `UnknownFieldError` for a
    field that the class does not declare, in a filter, a projection or a sort, and
    `QueryTypeError` for a value that the field can never have; nothing is sent then.

    Example:
        >>> db.User.find({"age": {"$gt": 30}}).sort("age", -1)[0].name
        'Grace'
    """

    __slots__ = ()

    @property
    def collection(self) -> Collection:
        """The collection that the document is stored in.

        Raises:
            ConnectionError: The document was made without one.

        Example:
            >>> user.collection is db.users
            True
        """
        return bound(self).collection

    def find(self, *args: Any, **kwargs: Any) -> Cursor[D]:
        """Return a cursor over the documents that match.

        Args:
            *args: As `pymongo.collection.Collection.find`: filter, projection, skip, limit, ...
            **kwargs: The same by name.

        Raises:
            ConnectionError: This document has no collection.
            TypeError: Two spellings of one argument.

        Example:
            >>> [user.name for user in db.User.find({"age": {"$gt": 30}}).sort("name")]
            ['Ada', 'Grace']
        """
        binding = bound(self)
        cursor: Cursor[D] = binding.collection.find(*args, wrap=binding, **kwargs)
        return cursor

    def find_one(self, *args: Any, **kwargs: Any) -> D | None:
        """Return the first document that matches, or None.

        Args:
            *args: As `find`; a filter that is no mapping means `{"_id": value}`.
            **kwargs: The same by name.

        Raises:
            ConnectionError: This document has no collection.

        Example:
            >>> db.User.find_one({"email": "ada@example.org"}).name
            'Ada'
            >>> db.User.find_one(2).name
            'Grace'
            >>> db.User.find_one({"email": "nobody@example.org"}) is None
            True
        """
        binding = bound(self)
        if binding.strict:
            binding.strict.check_find(binding.model, args, kwargs)
        if len(args) == 1 and not kwargs:
            # The common case in the fewest steps: what `collection.find_one` does, and no more.
            wanted = args[0] if isinstance(args[0], dict) else _as_filter(args[0])
            only: Any = next(PyMongoCursor(binding.collection, wanted, limit=-1), None)
            return None if only is None else cast("D", binding.hydrate(only))
        raw = binding.collection.find_one(*args, **kwargs)
        if raw is None:
            return None
        projection = kwargs.get("projection", kwargs.get("fields")) if kwargs else None
        if projection is None and len(args) > 1:
            projection = args[1]
        session = kwargs.get("session") if kwargs else None
        found: D = binding.hydrate(raw, partial=is_partial(projection), session=session)
        return found

    def one(self, *args: Any, **kwargs: Any) -> D | None:
        """Return the only document that matches, or None where there is none.

        Args:
            *args: As `find`.
            **kwargs: As `find`.

        Raises:
            MultipleResultsFound: There is more than one. At most two are read.

        Example:
            >>> db.User.one({"name": "Ada"}).age
            36
            >>> db.User.one({"age": {"$gt": 30}})
            Traceback (most recent call last):
            mongokit.errors.MultipleResultsFound: more than one User matches, ...
        """
        found: D | None = only_one(Queries.find(self, *args, **kwargs), type(self).__name__)
        return found

    def find_random(
        self, filter: Filter | None = None, session: ClientSession | None = None
    ) -> D | None:
        """Return any document, or None if there is none.

        Args:
            filter: Among which documents; None for all.
            session: Run in this session.

        Example:
            >>> db.User.find_random().name in {"Ada", "Grace"}
            True
            >>> db.User.find_random({"age": {"$gt": 40}}).name
            'Grace'
        """
        binding = bound(self)
        if binding.strict:
            binding.strict.check_find(binding.model, (filter,), {})
        raw = find_random(binding.collection, filter, session)
        if raw is None:
            return None
        found: D = binding.hydrate(raw, session=session)
        return found

    def get_from_id(self, id: Any, session: ClientSession | None = None) -> D | None:
        """Return the document with this `_id`, or None.

        Args:
            id: The `_id`.
            session: Run in this session.

        Example:
            >>> db.User.get_from_id(1).name
            'Ada'
        """
        return Queries.find_one(self, {"_id": id}, session=session)

    def fetch(self, spec: Filter | None = None, *args: Any, **kwargs: Any) -> Cursor[D]:
        """Return the documents that match and have every declared top-level field.

        Args:
            spec: A filter; it is not changed.
            *args: As `find`, from the projection on.
            **kwargs: As `find`.

        Example:
            >>> db.users.insert_one({"_id": 3, "name": "Eva"}).inserted_id
            3
            >>> [user.name for user in db.User.fetch().sort("name")]
            ['Ada', 'Grace']
        """
        return Queries.find(self, _with_fields(type(self), spec), *args, **kwargs)

    def fetch_one(self, spec: Filter | None = None, *args: Any, **kwargs: Any) -> D | None:
        """Return the only document that `fetch` would, or None.

        Args:
            spec: A filter; it is not changed.
            *args: As `find`, from the projection on.
            **kwargs: As `find`.

        Raises:
            MultipleResultsFound: There is more than one.

        Example:
            >>> db.User.fetch_one({"name": "Ada"}).age
            36
        """
        return Queries.one(self, _with_fields(type(self), spec), *args, **kwargs)

    def find_and_modify(self, *args: Any, **kwargs: Any) -> D | None:
        """Change one document and return it as it was, or with `new=True` as it is now.

        Args:
            *args: As PyMongo 2's `Collection.find_and_modify`: query, update, upsert, ...
            **kwargs: The same by name.

        Example:
            >>> db.User.find_and_modify({"_id": 1}, {"$inc": {"age": 1}}, new=True).age
            37
        """
        binding = bound(self)
        if binding.strict:
            binding.strict.check_find_and_modify(binding.model, args, kwargs)
        raw = binding.collection.find_and_modify(*args, **kwargs)
        if not raw or kwargs.get("full_response"):
            return cast("D | None", raw or None)
        partial = is_partial(kwargs.get("fields"))
        found: D = binding.hydrate(raw, partial=partial, session=kwargs.get("session"))
        return found

    def find_fulltext(self, search: str, **kwargs: Any) -> dict[str, list[dict[str, Any]]]:
        """Search the collection's text index.

        Args:
            search: The words.
            **kwargs: `filter`, `project` (the projection), `limit` (100 unless given) and
                `language`, as the old `text` command had them; `session`.

        Returns:
            `{"results": [{"score": float, "obj": document}]}`, the best first.

        Raises:
            pymongo.errors.OperationFailure: There is no text index.

        Example:
            >>> db.users.create_index([("name", "text")])
            'name_text'
            >>> [found["obj"].name for found in db.User.find_fulltext("ada")["results"]]
            ['Ada']
        """
        binding = bound(self)
        projection = kwargs.get("project")
        if binding.strict:
            binding.strict.check_find(binding.model, (kwargs.get("filter"), projection), kwargs)
        found = find_fulltext(binding.collection, search, kwargs)
        partial, session = is_partial(projection), kwargs.get("session")
        for result in found["results"]:
            result["obj"] = binding.hydrate(result["obj"], partial=partial, session=session)
        return found

    def from_json(self, text: str | bytes, session: ClientSession | None = None) -> D:
        """Return a new document, bound to the collection, of what `to_json` wrote.

        Integers in fields declared as datetimes become datetimes, `{"$oid": hex}` an ObjectId;
        references are fetched by their ids.

        Args:
            text: A JSON object.
            session: Read what it references in this session.

        Raises:
            ConnectionError: This document has no collection.
            ValueError: The text is no JSON object, or a part of it is malformed.
            AutoReferenceError: A referenced document is not stored.

        Example:
            >>> post = db.Post.from_json('{"title": "Notes", "published": 86400000}')
            >>> post
            {'title': 'Notes', 'published': datetime.datetime(1970, 1, 2, 0, 0)}
        """
        made: D = json.from_json(bound(self), text, session)
        return made

    def from_extended_json(self, text: str | bytes, session: ClientSession | None = None) -> D:
        """Return a new document, bound to the collection, of MongoDB Extended JSON.

        Args:
            text: A JSON object with the stored form, relaxed or canonical.
            session: Read what it references in this session.

        Raises:
            ConnectionError: This document has no collection.
            ValueError: The text is no JSON object, or it is malformed Extended JSON.
            AutoReferenceError: A referenced document is not stored.

        Example:
            >>> db.Post.from_extended_json('{"published": {"$date": "1970-01-02T00:00:00Z"}}')
            {'published': datetime.datetime(1970, 1, 2, 0, 0)}
        """
        made: D = json.from_extended_json(bound(self), text, session)
        return made

    def distinct(self, key: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Return the distinct values of a field.

        Args:
            key: The dotted field name.
            *args: As `pymongo.collection.Collection.distinct`.
            **kwargs: The same by name.

        Example:
            >>> sorted(db.User.distinct("name"))
            ['Ada', 'Grace']
        """
        binding = bound(self)
        if binding.strict:
            binding.strict.check_distinct(binding.model, key, args, kwargs)
        values: list[Any] = binding.collection.distinct(key, *args, **kwargs)
        return values

    def count(self, *args: Any, **kwargs: Any) -> int:
        """Return how many documents match.

        Args:
            *args: A filter; without one, all documents are counted.
            **kwargs: As `pymongo.collection.Collection.count_documents`.

        Example:
            >>> db.User.count({"age": {"$gt": 40}})
            1
        """
        wanted = args[0] if args else kwargs.pop("filter", {})
        binding = bound(self)
        if binding.strict:
            binding.strict.check_find(binding.model, (wanted,), kwargs)
        return binding.collection.count_documents(wanted, **kwargs)


def _as_filter(given: Any) -> Any:
    """Return what `find_one` was given as a filter: anything but a mapping is an `_id`."""
    return given if given is None or isinstance(given, Mapping) else {"_id": given}


def _with_fields(cls: Any, spec: Filter | None) -> dict[str, Any]:
    """A filter that also wants every declared top-level field to exist."""
    merged: dict[str, Any] = dict(spec or {})
    for field in cls.structure or {}:
        if not isinstance(field, str) or field == "_id":
            continue
        given = merged.get(field)
        if field not in merged:
            merged[field] = {"$exists": True}
        elif isinstance(given, Mapping) and any(str(key).startswith("$") for key in given):
            merged[field] = {"$exists": True, **given}
    return merged
