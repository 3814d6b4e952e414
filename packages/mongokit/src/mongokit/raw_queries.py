"""What can be asked of a collection beside PyMongo's own calls: plain dicts, nothing wrapped.

`Queries` asks the same of a class of documents, through the functions here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mongokit.errors import MultipleResultsFound

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from mongokit.cursor import Cursor

Raw = dict[str, Any]
Filter = Mapping[str, Any]


class RawQueries:
    """The classic queries of a collection; what they return is as the driver gives it.

    A collection whose name ends in one of theirs is reached by item: `db["users.fetch"]`.

    Example:
        >>> db.users.one({"name": "Ada"})
        {'_id': 1, 'name': 'Ada', 'email': 'ada@example.org', 'age': 36}
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def find(self, *args: Any, **kwargs: Any) -> Cursor[Any]: ...
        def find_one(self, *args: Any, **kwargs: Any) -> Raw | None: ...

    def one(self, *args: Any, **kwargs: Any) -> Raw | None:
        """Return the only document that matches, or None where there is none.

        Args:
            *args: As `find`.
            **kwargs: As `find`.

        Raises:
            MultipleResultsFound: There is more than one. At most two are read.

        Example:
            >>> db.users.one({"name": "Ada"})["age"]
            36
            >>> db.users.one({"name": "Nobody"}) is None
            True
        """
        found: Raw | None = only_one(self.find(*args, **kwargs), "document")
        return found

    def find_random(
        self, filter: Filter | None = None, session: ClientSession | None = None
    ) -> Raw | None:
        """Return any document, or None if there is none.

        Args:
            filter: Among which documents; None for all.
            session: Run in this session.

        Example:
            >>> db.users.find_random()["name"] in {"Ada", "Grace"}
            True
        """
        return find_random(self, filter, session)

    def get_from_id(self, id: Any, session: ClientSession | None = None) -> Raw | None:
        """Return the document with this `_id`, or None.

        Args:
            id: The `_id`.
            session: Run in this session.

        Example:
            >>> db.users.get_from_id(1)["name"]
            'Ada'
        """
        return self.find_one({"_id": id}, session=session)

    def fetch(self, spec: Filter | None = None, *args: Any, **kwargs: Any) -> Cursor[Any]:
        """Return the documents that match: a collection alone declares no field to ask for.

        Args:
            spec: A filter.
            *args: As `find`, from the projection on.
            **kwargs: As `find`.

        Example:
            >>> [user["name"] for user in db.users.fetch({"age": {"$gt": 40}})]
            ['Grace']
        """
        return self.find(spec, *args, **kwargs)

    def fetch_one(self, spec: Filter | None = None, *args: Any, **kwargs: Any) -> Raw | None:
        """Return the only document that matches, or None.

        Args:
            spec: A filter.
            *args: As `find`, from the projection on.
            **kwargs: As `find`.

        Raises:
            MultipleResultsFound: There is more than one.

        Example:
            >>> db.users.fetch_one({"name": "Ada"})["age"]
            36
        """
        return self.one(spec, *args, **kwargs)

    def find_fulltext(self, search: str, **kwargs: Any) -> dict[str, list[Raw]]:
        """Search the collection's text index.

        Args:
            search: The words.
            **kwargs: `filter`, `project` (the projection), `limit` (100 unless given) and
                `language`, as the old `text` command had them; `session`.

        Returns:
            `{"results": [{"score": float, "obj": dict}]}`, the best first.

        Raises:
            pymongo.errors.OperationFailure: There is no text index.

        Example:
            >>> db.users.create_index([("name", "text")])
            'name_text'
            >>> [found["obj"]["name"] for found in db.users.find_fulltext("ada")["results"]]
            ['Ada']
        """
        return find_fulltext(self, search, kwargs)


def only_one(cursor: Any, kind: str) -> Any:
    """Return what a cursor finds if it finds one, None if it finds nothing.

    Args:
        cursor: It; not asked yet.
        kind: What it finds, for the error.

    Raises:
        MultipleResultsFound: It finds more. At most two are read.
    """
    found = cursor.limit(2).to_list()
    if len(found) > 1:
        raise MultipleResultsFound(f"more than one {kind} matches, at most one was expected")
    return found[0] if found else None


def find_random(
    collection: Any, filter: Filter | None, session: ClientSession | None
) -> Raw | None:
    """Do what `RawQueries.find_random` does.

    Args:
        collection: The collection.
        filter: As there.
        session: As there.
    """
    stages: list[dict[str, Any]] = [{"$match": filter}] if filter else []
    stages.append({"$sample": {"size": 1}})
    with collection.aggregate(stages, session=session) as results:
        found: Raw | None = next(iter(results), None)
        return found


def find_fulltext(collection: Any, search: str, options: dict[str, Any]) -> dict[str, list[Raw]]:
    """Do what `RawQueries.find_fulltext` does.

    Args:
        collection: The collection.
        search: The words.
        options: As there.
    """
    rest = dict(options)
    text: dict[str, Any] = {"$search": search}
    if language := rest.pop("language", None):
        text["$language"] = language
    query = {**(rest.pop("filter", None) or {}), "$text": text}
    projection = rest.pop("project", None) or {}
    fields = dict.fromkeys(projection, 1) if isinstance(projection, list) else projection
    limit = rest.pop("limit", 100)
    score = {"$meta": "textScore"}
    cursor = collection.find(query, {**fields, "__score": score}, **rest)
    found = list(cursor.sort([("__score", score)]).limit(limit))
    return {"results": [{"score": raw.pop("__score"), "obj": raw} for raw in found]}
