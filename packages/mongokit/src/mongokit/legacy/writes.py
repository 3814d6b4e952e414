"""PyMongo 2's writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bson.objectid import ObjectId
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError, InvalidOperation
from pymongo.results import UpdateResult

from mongokit.legacy._status import last_status_of
from mongokit.legacy._warnings import warn_call
from mongokit.legacy.options import write_concern_from

Document = dict[str, Any]

# MongoDB's error codes for a value that breaks a unique index.
_DUPLICATE_KEY = frozenset({11000, 11001, 12582})


class LegacyWrites(Collection[Document]):
    """PyMongo 2's calls that write documents of a collection."""

    def insert(
        self, doc_or_docs: Mapping[str, Any] | Iterable[Mapping[str, Any]], **options: Any
    ) -> Any:
        """Insert one document or several.

        Legacy: use `insert_one` or `insert_many`.

        Args:
            doc_or_docs: A document, or documents in any iterable; those without `_id` get one.
            **options: `safe`, `w`, `j`, `wtimeout`, `fsync` for this call;
                `continue_on_error=True` for an unordered insert; `manipulate=False` leaves the
                documents without `_id` as they are; others are `insert_one`'s.

        Returns:
            The `_id`, or the list of them.

        Raises:
            pymongo.errors.DuplicateKeyError: A document breaks a unique index.
            pymongo.errors.InvalidOperation: There is no document.
            pymongo.errors.PyMongoError: What `insert_one` and `insert_many` raise.

        Example:
            >>> collection.insert({"_id": 4})
            4
            >>> collection.insert([{"_id": 5}, {"_id": 6}])
            [5, 6]
        """
        warn_call("insert", "insert_one() or insert_many()")
        target, rest = self._for_write(options)
        adds_ids = rest.pop("manipulate", True)
        is_ordered = not rest.pop("continue_on_error", False)
        is_one = isinstance(doc_or_docs, Mapping)
        documents: list[Any] = [doc_or_docs] if is_one else list(doc_or_docs)
        if not documents:
            raise InvalidOperation("insert() needs a document")
        if adds_ids:
            for document in documents:
                _add_id(document)
        plain = [_plain(document) for document in documents]
        with last_status_of(self) as status:
            if is_one:
                target.insert_one(plain[0], **rest)
            else:
                _insert_many(target, plain, is_ordered, rest)
            status["n"] = len(documents)
        ids = [_id_of(document) for document in documents]
        return ids[0] if is_one else ids

    def save(self, to_save: Mapping[str, Any], **options: Any) -> Any:
        """Insert a document without `_id`, else replace the stored one or insert it.

        Legacy: use `insert_one`, or `replace_one` with `upsert=True`.

        Args:
            to_save: The document; gets an `_id` when it has none.
            **options: As for `insert`.

        Returns:
            The `_id`.

        Raises:
            TypeError: `to_save` is not a document.
            pymongo.errors.PyMongoError: What `insert_one` and `replace_one` raise.

        Example:
            >>> collection.save({"_id": 1, "name": "Ada"})
            1
        """
        warn_call("save", "insert_one() or replace_one(..., upsert=True)")
        if not isinstance(to_save, Mapping):
            raise TypeError(f"save() takes a document, not {type(to_save).__name__}")
        target, rest = self._for_write(options)
        adds_id = rest.pop("manipulate", True)
        is_new = not _has_id(to_save)
        if is_new and adds_id:
            _add_id(to_save)
        document = _plain(to_save)
        with last_status_of(self) as status:
            if is_new:
                target.insert_one(document, **rest)
                status["n"] = 1
            else:
                by_id = {"_id": document["_id"]}
                result = target.replace_one(by_id, document, upsert=True, **rest)
                status.update(_answer(result) or {})
        return _id_of(to_save)

    def update(
        self,
        spec: Mapping[str, Any],
        document: Any,
        upsert: bool = False,
        multi: bool = False,
        **options: Any,
    ) -> dict[str, Any] | None:
        """Change or replace the documents that match.

        Legacy: use `update_one`, `update_many` or `replace_one`.

        Args:
            spec: The filter.
            document: Update operators, a pipeline, or a document without operators, which
                replaces the first match.
            upsert: Insert when nothing matches.
            multi: Change all that match, not only the first.
            **options: `safe`, `w`, `j`, `wtimeout`, `fsync` for this call; others are
                `update_one`'s.

        Returns:
            `n`, `nModified`, `ok`, `updatedExisting`, and `upserted`, the `_id` of a document
            that was inserted; None for a write without acknowledgement.

        Raises:
            ValueError: `multi` with a document without operators.
            pymongo.errors.PyMongoError: What `update_one` and `replace_one` raise.

        Example:
            >>> collection.update({"a": 1}, {"$set": {"b": 2}}, multi=True)
            {'n': 3, 'nModified': 3, 'ok': 1.0, 'updatedExisting': True}
        """
        warn_call("update", "update_one(), update_many() or replace_one()")
        target, rest = self._for_write(options)
        rest.pop("manipulate", None)
        change = _plain(document)
        with last_status_of(self) as status:
            if multi:
                result = target.update_many(spec, change, upsert, **rest)
            elif _is_replacement(change):
                result = target.replace_one(spec, change, upsert, **rest)
            else:
                result = target.update_one(spec, change, upsert, **rest)
            answer = _answer(result)
            status.update(answer or {})
        return answer

    def remove(
        self, spec_or_id: Any = None, multi: bool = True, **options: Any
    ) -> dict[str, Any] | None:
        """Remove the documents that match.

        Legacy: use `delete_one` or `delete_many`.

        Args:
            spec_or_id: The filter; anything else than a document is an `_id`; None means all
                documents of the collection.
            multi: Remove all that match, not only the first.
            **options: `safe`, `w`, `j`, `wtimeout`, `fsync` for this call; others are
                `delete_many`'s.

        Returns:
            `n` and `ok`; None for a write without acknowledgement.

        Raises:
            pymongo.errors.PyMongoError: What `delete_one` and `delete_many` raise.

        Example:
            >>> collection.remove({"a": 1})
            {'n': 3, 'ok': 1.0}
        """
        warn_call("remove", "delete_one() or delete_many()")
        target, rest = self._for_write(options)
        if spec_or_id is None:
            spec_or_id = {}
        elif not isinstance(spec_or_id, Mapping):
            spec_or_id = {"_id": spec_or_id}
        delete = target.delete_many if multi else target.delete_one
        with last_status_of(self) as status:
            result = delete(spec_or_id, **rest)
            if not result.acknowledged:
                return None
            status["n"] = result.deleted_count
        return {"n": result.deleted_count, "ok": 1.0}

    def find_and_modify(
        self,
        query: Mapping[str, Any] | None = None,
        update: Any = None,
        upsert: bool = False,
        sort: Any = None,
        full_response: bool = False,
        **options: Any,
    ) -> Any:
        """Change or remove one document and return it.

        Legacy: use `find_one_and_update`, `find_one_and_replace` or `find_one_and_delete`.

        Args:
            query: The filter; None for any document.
            update: Update operators, a pipeline, or a document that replaces the found one.
            upsert: Insert when nothing matches.
            sort: Which one of several is taken: pairs of field and direction.
            full_response: Return the server's whole reply.
            **options: `remove=True` removes it; `new=True` returns it as it is afterwards;
                `fields` is the projection; `safe`, `w`, `j`, `wtimeout`, `fsync`; others are
                the command's.

        Returns:
            The document, None when nothing matched; or the reply.

        Raises:
            ValueError: Neither or both of `update` and `remove` are given.
            pymongo.errors.PyMongoError: The server refuses the change.

        Example:
            >>> collection.find_and_modify({"_id": 1}, {"$inc": {"a": 1}}, new=True)
            {'_id': 1, 'a': 2}
        """
        warn_call("find_and_modify", "find_one_and_update(), find_one_and_replace() or _delete()")
        target, rest = self._for_write(options)
        rest.pop("manipulate", None)
        removes = rest.pop("remove", False)
        is_new = rest.pop("new", False)
        projection = rest.pop("fields", None)
        if bool(update) == bool(removes):
            raise ValueError("find_and_modify() needs either update= or remove=True")
        order = list(sort.items()) if isinstance(sort, Mapping) else sort
        query = {} if query is None else query
        change = _plain(update)
        with last_status_of(self) as status:
            if full_response:
                command = {"query": query, "sort": dict(order or ()), "fields": projection}
                command |= {"remove": True} if removes else {"update": change}
                command |= {"new": is_new, "upsert": upsert} if not removes else {}
                return _find_and_modify(target, command, rest)
            arguments = {"projection": projection, "sort": order, **rest}
            if removes:
                found = target.find_one_and_delete(query, **arguments)
            else:
                arguments["upsert"] = upsert
                arguments["return_document"] = (
                    ReturnDocument.AFTER if is_new else ReturnDocument.BEFORE
                )
                if _is_replacement(change):
                    found = target.find_one_and_replace(query, change, **arguments)
                else:
                    found = target.find_one_and_update(query, change, **arguments)
            status["n"] = int(found is not None)
        return found

    def _for_write(self, options: dict[str, Any]) -> tuple[Collection[Document], dict[str, Any]]:
        """The collection with this call's write concern, and the other options."""
        write_concern, rest = write_concern_from(options, self.write_concern)
        rest.pop("check_keys", None)
        if write_concern is None:
            return self, rest
        return self.with_options(write_concern=write_concern), rest


def _has_id(document: Mapping[str, Any]) -> bool:
    # Classes of documents may override any method, so dict's own are called.
    return dict.__contains__(document, "_id") if isinstance(document, dict) else "_id" in document


def _id_of(document: Mapping[str, Any]) -> Any:
    return dict.get(document, "_id") if isinstance(document, dict) else document.get("_id")


def _add_id(document: Any) -> None:
    if isinstance(document, dict) and not dict.__contains__(document, "_id"):
        dict.__setitem__(document, "_id", ObjectId())
    # Of another type, PyMongo knows whether it can be stored, and gives it an id itself.


def _plain(document: Any) -> Any:
    """The document as a dict of no class, so that none of its own methods is called."""
    return dict(dict.items(document)) if isinstance(document, dict) else document


def _is_replacement(change: Any) -> bool:
    if not isinstance(change, Mapping):
        return False
    first = next(iter(change), "")
    return not (isinstance(first, str) and first.startswith("$"))


def _insert_many(
    target: Collection[Document],
    documents: Sequence[Any],
    is_ordered: bool,
    options: dict[str, Any],
) -> None:
    try:
        target.insert_many(documents, ordered=is_ordered, **options)
    except BulkWriteError as error:
        failed = error.details.get("writeErrors") or [{}]
        if failed[-1].get("code") not in _DUPLICATE_KEY:
            raise
        raise DuplicateKeyError(failed[-1]["errmsg"], failed[-1]["code"], error.details) from error


def _find_and_modify(
    target: Collection[Document], command: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    """Run the command itself: only its reply has more than the document."""
    session = options.pop("session", None)
    fields = command.pop("fields")
    if fields is not None:
        is_mapping = isinstance(fields, Mapping)
        command["fields"] = fields if is_mapping else dict.fromkeys(fields or ["_id"], 1)
    # The server refuses a write concern inside of a transaction.
    if not target.write_concern.is_server_default and not (session and session.in_transaction):
        command["writeConcern"] = target.write_concern.document
    return target.database.command(
        {"findAndModify": target.name, **command, **options},
        codec_options=target.codec_options,
        session=session,
    )


def _answer(result: UpdateResult) -> dict[str, Any] | None:
    """What PyMongo 2 answered to an update."""
    if not result.acknowledged:
        return None
    answer = {
        "n": 1 if result.did_upsert else result.matched_count,
        "nModified": result.modified_count,
        "ok": 1.0,
        "updatedExisting": not result.did_upsert and result.matched_count > 0,
    }
    return answer | {"upserted": result.upserted_id} if result.did_upsert else answer
