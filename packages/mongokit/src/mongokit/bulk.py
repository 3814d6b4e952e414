"""Many documents at once: all of them validated first, then one call of the driver's."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from bson import ObjectId
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from mongokit import locking, races
from mongokit.document import LARGE, Document, prepared, validated_size
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
    contents: list[Any] = []  # what is sent
    owners: dict[int, Document] = {}  # by position there: who gets the `_id` when stored
    counted: dict[int, Document] = {}  # who gets the first version
    plain = _plain_and_valid(binding, given)
    if all(plain):
        contents = given
    for index, each in enumerate(given) if contents is not given else ():
        if plain[index]:
            contents.append(each)
            continue
        document, size = _checked(binding, each, index, bad, session)
        if document is not None:
            new_id = None
            if dict.get(document, "_id") is None:
                new_id = ObjectId()
                owners[len(contents)] = document
            version = None
            if _is_counted(document):
                counted[len(contents)] = document
                version = locking.next_version(document, is_new=True)
            contents.append(prepared(document, new_id, size, version))
    if bad and (ordered or not contents):
        raise BulkValidationError(bad, total=len(given))
    # Plain content is sent as it is, and gets its `_id` from the driver.
    without_id = [each for each in contents if type(each) is dict and "_id" not in each]
    refused: range | set[int] = range(0)
    cause: Exception | None = None
    try:
        with _saving_references(binding, list(owners.values()), session):
            result = binding.collection.insert_many(contents, ordered=ordered, session=session)
            ids = result.inserted_ids
            if len(ids) < len(contents):  # the driver leaves out what was encoded before
                ids = [content["_id"] for content in contents]
    except BulkWriteError as error:
        cause = error
        refused = {problem["index"] for problem in error.details["writeErrors"]}
        if ordered and refused:
            refused = range(min(refused), len(contents))
        ids = [content["_id"] for at, content in enumerate(contents) if at not in refused]
    except BaseException:
        _take_back_ids(without_id)
        raise
    for at, owner in owners.items():
        if at not in refused:
            dict.__setitem__(owner, "_id", contents[at]["_id"])
    for at, document in counted.items():
        if at not in refused:
            locking.set_version(document, 1)
    if refused:
        not_stored = {id(contents[at]) for at in refused}
        _take_back_ids([each for each in without_id if id(each) in not_stored])
    if bad:
        raise BulkValidationError(bad, total=len(given), inserted_ids=ids) from cause
    if cause is not None:
        raise cause
    return ids


def _take_back_ids(contents: list[Any]) -> None:
    """Leave content that was not stored as it was: the driver gave it an `_id`."""
    for content in contents:
        content.pop("_id", None)


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
    inserted: dict[int, tuple[Document, Any]] = {}
    counted: dict[int, Document] = {}
    seen: set[int] = set()
    for index, each in enumerate(given):
        if not isinstance(each, Mapping):
            operations.append(each)
            continue
        document, size = _checked(binding, each, index, bad, session)
        if document is None:
            continue
        is_new, version = dict.get(document, "_id") is None, None
        if _is_counted(document):
            if id(document) in seen:
                continue  # twice the same: it would lose the race against itself
            seen.add(id(document))
            counted[len(operations)] = document
            version = locking.next_version(document, is_new=is_new)
        if is_new:
            content = prepared(document, ObjectId(), size, version)
            inserted[len(operations)] = (document, content["_id"])
            operations.append(InsertOne(content))
            continue
        content = prepared(document, None, size, version)
        if version is not None:
            operations.append(races.save_operation(document, content))
        else:
            operations.append(ReplaceOne({"_id": content["_id"]}, content, upsert=True))
    if bad:
        raise BulkValidationError(bad, total=len(given))
    collection = binding.collection
    documents = [each for each in given if isinstance(each, Document)]
    with _saving_references(binding, documents, session):
        try:
            result: BulkWriteResult = collection.bulk_write(
                operations, ordered=ordered, session=session
            )
        except BulkWriteError as error:
            outcome = error.details
            refused = {problem["index"] for problem in outcome["writeErrors"]}
            end = min(refused) if ordered and refused else len(operations)
            _give_ids({at: new for at, new in inserted.items() if at < end and at not in refused})
            lost = races.settle(
                collection, operations, counted, outcome, ordered=ordered, session=session
            )
            if lost and refused <= lost.keys():
                raise races.together(lost) from error
            raise
    _give_ids(inserted)
    if not result.acknowledged:  # nobody knows
        for document in counted.values():
            locking.set_version(document, locking.next_version(document))
        return result
    lost = races.settle(
        collection,
        operations,
        counted,
        result.bulk_api_result,
        ordered=ordered,
        session=session,
    )
    if lost:
        raise races.together(lost)
    return result


def _give_ids(inserted: Mapping[int, tuple[Document, Any]]) -> None:
    for document, new_id in inserted.values():
        dict.__setitem__(document, "_id", new_id)


def _is_counted(document: Document) -> bool:
    return type(document).__mongokit__.version_field is not None


def _plain_and_valid(binding: Binding[Any], given: list[Any]) -> list[bool]:
    """Tell of each thing whether it is plain content that passes and can be sent as it is."""
    model, cls = binding.model, binding.document_class
    if (
        not binding.is_plain
        or model.to_bson
        or model.type_key
        or model.version_field
        or cls.validate is not Document.validate
    ):
        return [False] * len(given)
    check, options = model.check, binding.options
    return [type(each) is dict and 0 < check(each, options) <= LARGE for each in given]


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
    binding: Binding[Any],
    given: Any,
    index: int,
    bad: dict[int, list[Failure]],
    session: ClientSession | None,
) -> tuple[Document | None, int]:
    """Return the document and a bound on its size, or None after noting why it is not valid."""
    document: Document = given if isinstance(given, Document) else binding.new(given)
    try:
        if type(document).validate is Document.validate:
            return document, validated_size(document, session=session)
        document.validate(auto_migrate=False)
    except SchemaDocumentError as error:
        bad[index] = error.errors or [error.failure]
    except Exception as error:  # noqa: BLE001 - whatever refuses the document
        bad[index] = [as_failure(error)]
    else:
        return document, sys.maxsize
    return None, 0
