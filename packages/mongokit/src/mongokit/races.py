"""Bulk writes of documents with a `version_field`: which of them were too late.

The reply to a bulk write says how many documents matched, not which. So each save is an update by
`_id` alone that the server refuses by itself where the version is not the expected one; refusals
are told one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ReadPreference, ReplaceOne, UpdateMany, UpdateOne

from mongokit import locking
from mongokit.convert import stored_id
from mongokit.errors import StaleDocument
from mongokit.references import hashable

# MongoDB's ImmutableField and DuplicateKey.
_IMMUTABLE, _DUPLICATE = 66, 11000


def save_operation(document: Any, content: Any) -> Any:
    """Return the operation that saves a document with an `_id`, unless it is stale.

    Args:
        document: A document of a class with `version_field`.
        content: What is stored, with the next version in it.
    """
    identity = content["_id"]
    version = locking.version_of(document)
    if version is None:
        return ReplaceOne({"_id": identity, **locking.guard(document)}, content, upsert=True)
    # An _id can't be changed: that is the refusal.
    is_current = {"$eq": [f"${locking.field_of(document)}", version]}
    stored = {"$cond": [is_current, {"$literal": content}, {"_id": {"stale": "$_id"}}]}
    return UpdateOne({"_id": identity}, [{"$replaceWith": stored}])


def settle(
    collection: Any,
    operations: Sequence[Any],
    documents: Mapping[int, Any],
    outcome: Mapping[str, Any],
    *,
    ordered: bool,
    session: Any,
) -> dict[int, StaleDocument]:
    """Set the versions of the documents that were stored; return the errors of the others.

    Args:
        collection: Where they were written to.
        operations: All operations of the bulk write.
        documents: The documents of classes with `version_field`, by the place of their operation.
        outcome: What the server said, as in `pymongo.errors.BulkWriteError.details`.
        ordered: Whether the server stopped at the first refusal.
        session: The session that they were written in.

    Returns:
        The errors by place; those of other reasons are not among them.
    """
    problems = {problem["index"]: problem for problem in outcome["writeErrors"]}
    end = min(problems) if ordered and problems else len(operations)
    done = [at for at in documents if at < end and at not in problems]
    refused = [at for at in documents if at in problems and _may_be_stale(problems[at])]
    unsure = _unsure(operations, documents, done, outcome)
    if problems and session is not None and session.in_transaction:
        session = None  # the server has ended the transaction
    asked = [documents[at] for at in [*refused, *unsure]]
    stored = _stored_versions(collection, asked, session)
    lost: dict[int, StaleDocument] = {}
    for at in sorted([*refused, *unsure]):
        document = documents[at]
        key = hashable(stored_id(document))
        found = stored.get(key, 0) if key in stored else None
        if at in unsure:
            is_lost = key not in stored
        elif problems[at]["code"] == _IMMUTABLE:
            is_lost = True
        else:  # another unique index may have been in the way
            is_lost = isinstance(operations[at], ReplaceOne) and bool(found)
        if is_lost:
            lost[at] = locking.stale_error(document, found)
    for at in done:
        if at not in lost:
            is_new = not isinstance(operations[at], (ReplaceOne, UpdateOne))
            locking.set_version(documents[at], 1 if is_new else locking.next_version(documents[at]))
    return lost


def together(lost: Mapping[int, StaleDocument]) -> StaleDocument:
    """Return the first error, with the others on it.

    Args:
        lost: What `settle` returned, at least one.
    """
    first, *others = lost.values()
    first.others = others
    return first


def _may_be_stale(problem: Mapping[str, Any]) -> bool:
    return problem.get("code") in (_IMMUTABLE, _DUPLICATE)


def _unsure(
    operations: Sequence[Any],
    documents: Mapping[int, Any],
    done: Sequence[int],
    outcome: Mapping[str, Any],
) -> list[int]:
    """The saves that may have found no document; none where the count says that all have."""
    updated = [at for at in done if isinstance(operations[at], UpdateOne)]
    upserted = {upsert["index"] for upsert in outcome["upserted"]}
    replaced = [at for at in done if isinstance(operations[at], ReplaceOne) and at not in upserted]
    is_mixed = any(
        isinstance(operation, (ReplaceOne, UpdateMany, UpdateOne)) and at not in documents
        for at, operation in enumerate(operations)
    )
    if not is_mixed and outcome["nMatched"] == len(updated) + len(replaced):
        return []
    return updated


def _stored_versions(collection: Any, documents: Sequence[Any], session: Any) -> dict[Any, int]:
    if not documents:
        return {}
    fields = {locking.field_of(document) for document in documents}
    ids = [stored_id(document) for document in documents]
    primary = collection.with_options(read_preference=ReadPreference.PRIMARY)
    found = primary.find({"_id": {"$in": ids}}, dict.fromkeys(fields, 1), session=session)
    return {
        hashable(raw["_id"]): next((raw[name] for name in fields if raw.get(name)), 0)
        for raw in found
    }
