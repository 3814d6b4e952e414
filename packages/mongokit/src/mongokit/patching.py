"""Changing a part of stored documents: one of them in place, or all that match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pymongo import ReadPreference, ReturnDocument

from mongokit import locking, tracking
from mongokit.convert import content_of, stored_id
from mongokit.errors import (
    ConditionNotMet,
    Failure,
    OperationFailure,
    SchemaDocumentError,
    StructureError,
    UnknownFieldError,
)
from mongokit.references import remember
from mongokit.schema_document import as_failure, bound
from mongokit.updates import CheckedUpdate
from mongokit.upserts import insert_failures

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession
    from pymongo.results import UpdateResult

    from mongokit.binding import Binding

Keep = Callable[[Any, dict[str, Any], Any], None]
"""Keeps what is stored of a document as a revision, in a session."""

# What loses fields that the stage does not name, the version with them.
_REPLACING = frozenset({"$project", "$replaceRoot", "$replaceWith"})


def update(
    binding: Binding[Any],
    filter: Any,
    update: Any,
    *,
    many: bool,
    upsert: bool,
    options: Mapping[str, Any],
) -> UpdateResult:
    """See `Documents.update_one` and `Documents.update_many`."""
    if binding.strict:
        binding.strict.check_filter(
            binding.model, filter, collated=options.get("collation") is not None
        )
    method = "update_many" if many else "update_one"
    call = getattr(binding.collection, method)
    sent: Any
    if isinstance(update, (list, tuple)):
        sent = _counting_pipeline(binding, list(update))
    else:
        checked = _checked(binding, update, method)
        if upsert and checked.validate and isinstance(filter, Mapping):
            _raise_first(insert_failures(checked, filter))
        sent = _counting(binding, checked)
    result: UpdateResult = call(filter, sent, upsert=upsert, **options)
    return result


def _checked(binding: Binding[Any], update: Any, method: str) -> CheckedUpdate:
    """Check an update as the class's documents are checked when saved."""
    cls = binding.document_class
    validate = not cls.skip_validation or cls.migration_handler is not None
    checked = CheckedUpdate(binding.model, update, binding.options, method, validate=validate)
    if validate:
        _raise_first(checked.found)
    return checked


def _raise_first(failures: Iterable[Exception]) -> None:
    found = list(failures)
    if found:
        first = found[0]
        if isinstance(first, (SchemaDocumentError, UnknownFieldError)):
            first.errors = [_as_failure(error) for error in found]
        raise first


def _as_failure(error: Exception) -> Failure:
    return error.failure if isinstance(error, UnknownFieldError) else as_failure(error)


# The version.


def _counting(binding: Binding[Any], checked: CheckedUpdate) -> dict[str, Any]:
    """What is sent of a checked update: it counts the version up, where the class has one."""
    field = binding.model.version_field
    if field is None:
        return checked.sent
    named = {path.partition(".")[0] for changes in checked.sent.values() for path in changes}
    renamed = {str(new).partition(".")[0] for new in checked.sent.get("$rename", {}).values()}
    if field in named | renamed:
        raise _is_counted(binding, field)
    one = locking.version_type(binding.model)(1)
    return {**checked.sent, "$inc": {**checked.sent.get("$inc", {}), field: one}}


def _counting_pipeline(binding: Binding[Any], pipeline: list[Any]) -> list[Any]:
    field = binding.model.version_field
    if field is None:
        return pipeline
    for stage in pipeline:
        for name, what in stage.items():
            if name in _REPLACING:
                raise StructureError(
                    f"{name} would lose {field}, which counts the versions of "
                    f"{binding.document_class.__name__}: use $set and $unset",
                    path=field,
                    rule="version",
                    document_class=binding.document_class,
                )
            fields = [what] if isinstance(what, str) else what
            if any(str(path).partition(".")[0] == field for path in fields):
                raise _is_counted(binding, field)
    count = {"$add": [{"$ifNull": [f"${field}", 0]}, locking.version_type(binding.model)(1)]}
    return [*pipeline, {"$set": {field: count}}]


def _is_counted(binding: Binding[Any], field: str) -> StructureError:
    return StructureError(
        f"{field} can't be updated: it counts the versions of {binding.document_class.__name__} "
        "by itself",
        path=field,
        rule="version",
        document_class=binding.document_class,
    )


# One document in place.


def together(given: Mapping[str, Any] | None, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the values of paths and those of keyword arguments as one dict.

    Args:
        given: Paths to values.
        fields: Fields to values.

    Raises:
        TypeError: `given` is no dict.
        ValueError: A path is in both.
    """
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"patch() takes a dict as set, not {type(given).__name__}")
    twice = sorted(fields.keys() & (given or {}).keys())
    if twice:
        raise ValueError(f"patch() was given {', '.join(twice)} twice")
    return {**(given or {}), **fields}


def names(paths: str | Iterable[str] | None) -> dict[str, Any]:
    """Return what `$unset` takes for some paths.

    Args:
        paths: One path or several; None for none.
    """
    return dict.fromkeys([paths] if isinstance(paths, str) else paths or (), "")


def patch(
    document: Any,
    operators: Mapping[str, Any],
    *,
    when: Mapping[str, Any] | None,
    session: ClientSession | None,
    keep: Keep | None = None,
) -> None:
    """See `Document.patch`.

    Args:
        document: The document.
        operators: What each of MongoDB's operators takes; empty ones are left out.
        when: Further conditions.
        session: Write in this session.
        keep: What keeps revisions of documents of the class; None keeps none.
    """
    binding = bound(document)
    identity = stored_id(document)
    given = {operator: changes for operator, changes in operators.items() if changes}
    if not given:
        return
    if binding.strict and when:
        binding.strict.check_filter(binding.model, when)
    sent = _counting(binding, _checked(binding, given, "patch"))
    if keep is not None:
        sent["$inc"] = {**sent.get("$inc", {}), "_revision": 1}
    raw = _sent(document, sent, identity, when, session)
    if keep is not None:
        keep(document, raw, session)
    refresh(document, raw, session)


def _sent(
    document: Any,
    update: dict[str, Any],
    identity: Any,
    when: Mapping[str, Any] | None,
    session: ClientSession | None,
) -> dict[str, Any]:
    """Send an update of one document; return what is stored of it then."""
    binding = bound(document)
    collection = binding.collection
    conditions: dict[str, Any] = {"_id": identity}
    field = binding.model.version_field
    if field is not None:
        conditions |= locking.guard(document)
        update = _first_version(document, field, update)
    wanted = _joined(conditions, when or {})
    while True:
        raw: dict[str, Any] | None = collection.find_one_and_update(
            wanted, update, return_document=ReturnDocument.AFTER, session=session
        )
        if raw is not None:
            return raw
        _raise_why(document, identity, when, session)


def _first_version(document: Any, field: str, update: dict[str, Any]) -> dict[str, Any]:
    """Set the version where there is none yet: null can't be counted up."""
    if locking.version_of(document) is not None:
        return update
    rest = {path: amount for path, amount in update["$inc"].items() if path != field}
    one = update["$inc"][field]
    update = {**update, "$set": {**update.get("$set", {}), field: one}, "$inc": rest}
    return {operator: changes for operator, changes in update.items() if changes}


def _joined(conditions: dict[str, Any], when: Mapping[str, Any]) -> dict[str, Any]:
    # Side by side where the names allow it: some servers use no index below an $and.
    if conditions.keys().isdisjoint(when):
        return {**conditions, **when}
    return {"$and": [conditions, dict(when)]}


def _raise_why(
    document: Any, identity: Any, when: Mapping[str, Any] | None, session: ClientSession | None
) -> None:
    """Find out why nothing matched; return where it would match now."""
    binding = bound(document)
    field = binding.model.version_field
    primary = binding.collection.with_options(read_preference=ReadPreference.PRIMARY)
    found = primary.find_one({"_id": identity}, {field or "_id": 1}, session=session)
    if field is not None and (found is None or not locking.is_current(document, found.get(field))):
        raise locking.stale_error(document, None if found is None else found.get(field) or 0)
    if found is None:
        raise not_stored(document, "patch")
    if when:
        raise ConditionNotMet(
            document_class=binding.document_class, id=dict.__getitem__(document, "_id")
        )
    # Somebody has stored it again meanwhile.


def not_stored(document: Any, method: str) -> OperationFailure:
    """Return the error for a document that is not in its collection.

    Args:
        document: The document.
        method: What was to be done with it.
    """
    name = bound(document).collection.name
    return OperationFailure(f"can't {method}: no document with this _id is stored in {name}")


def refresh(document: Any, raw: dict[str, Any], session: ClientSession | None) -> None:
    """Put what is stored into a document in memory; it stays the same object.

    Args:
        document: The document.
        raw: What is stored of it, freshly decoded.
        session: Read what it references in this session.
    """
    stored = bound(document).hydrate(raw, session=session)
    dict.clear(document)
    dict.update(document, content_of(stored))
    remember(document, stored.__dict__.get("_stored"))
    document.__dict__.pop("_projected", None)
    tracking.read(document)
