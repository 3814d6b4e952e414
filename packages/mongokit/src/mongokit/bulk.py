"""Many documents at once: all of them validated first, then one call of the driver's."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from bson import ObjectId
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from mongokit.document import Document, prepared, validated_size
from mongokit.errors import BulkValidationError, Failure, SchemaDocumentError
from mongokit.saving import Saving
from mongokit.schema_document import as_failure

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession
    from pymongo.results import BulkWriteResult

    from mongokit.binding import Binding


def insert_many(
    binding: Binding[Any],
    documents: Iterable[Any],
    *,
    ordered: bool,
    session: ClientSession | None,
) -> list[Any]:
    """See `Documents.insert_many`."""
    given = list(documents)
    if not given:
        raise TypeError("documents must not be empty")
    bad: dict[int, list[Failure]] = {}
    good: list[tuple[Document, dict[str, Any]]] = []
    for index, each in enumerate(given):
        document, size = _checked(binding, each, index, bad)
        if document is not None and not (bad and ordered):
            identity = dict.get(document, "_id")
            new_id = ObjectId() if identity is None else None
            good.append((document, prepared(document, new_id, size)))
    if bad and (ordered or not good):
        raise BulkValidationError(bad, total=len(given))
    failed: set[int] = set()
    cause: BulkWriteError | None = None
    try:
        with _saving_references(binding, [document for document, _ in good], session):
            binding.collection.insert_many(
                [content for _, content in good], ordered=ordered, session=session
            )
    except BulkWriteError as error:
        cause = error
        failed = {problem["index"] for problem in error.details["writeErrors"]}
        if ordered and failed:
            failed |= set(range(min(failed), len(good)))
    ids = []
    for index, (document, content) in enumerate(good):
        if index not in failed:
            ids.append(content["_id"])
            if dict.get(document, "_id") is None:
                dict.__setitem__(document, "_id", content["_id"])
    if bad:
        raise BulkValidationError(bad, total=len(given), inserted_ids=ids) from cause
    if cause is not None:
        raise cause
    return ids


def bulk_write(
    binding: Binding[Any],
    requests: Iterable[Any],
    *,
    ordered: bool,
    session: ClientSession | None,
) -> BulkWriteResult:
    """See `Documents.bulk_write`."""
    given = list(requests)
    bad: dict[int, list[Failure]] = {}
    operations: list[Any] = []
    inserted: list[tuple[Document, Any]] = []
    for index, each in enumerate(given):
        if not isinstance(each, Mapping):
            operations.append(each)
            continue
        document, size = _checked(binding, each, index, bad)
        if document is None:
            continue
        if dict.get(document, "_id") is None:
            content = prepared(document, ObjectId(), size)
            inserted.append((document, content["_id"]))
            operations.append(InsertOne(content))
        else:
            content = prepared(document, None, size)
            operations.append(ReplaceOne({"_id": content["_id"]}, content, upsert=True))
    if bad:
        raise BulkValidationError(bad, total=len(given))
    documents = [each for each in given if isinstance(each, Document)]
    with _saving_references(binding, documents, session):
        result: BulkWriteResult = binding.collection.bulk_write(
            operations, ordered=ordered, session=session
        )
    for document, new_id in inserted:
        dict.__setitem__(document, "_id", new_id)
    return result


@contextmanager
def _saving_references(
    binding: Binding[Any], documents: list[Document], session: ClientSession | None
) -> Iterator[None]:
    """Write the referenced documents that were changed, as a save of each document does."""
    with ExitStack() as stack:
        for document in documents if binding.model.has_references else ():
            saving = stack.enter_context(Saving(document, session))
            saving.fetch_assigned()
            saving.write_referenced()
        yield


def _checked(
    binding: Binding[Any], given: Any, index: int, bad: dict[int, list[Failure]]
) -> tuple[Document | None, int]:
    """Return the document and a bound on its size, or None after noting why it is not valid."""
    document: Document = given if isinstance(given, Document) else binding.new(given)
    try:
        if type(document).validate is Document.validate:
            return document, validated_size(document)
        document.validate(auto_migrate=False)
    except SchemaDocumentError as error:
        bad[index] = error.errors or [error.failure]
    except Exception as error:  # noqa: BLE001 - whatever refuses the document
        bad[index] = [as_failure(error)]
    else:
        return document, sys.maxsize
    return None, 0
