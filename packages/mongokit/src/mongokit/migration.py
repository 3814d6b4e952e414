"""Migrations: how stored documents follow a declaration that has changed.

A class names its migrations with `migration_handler = UserMigration`. Methods `migrationNN__name`
change one document when it is read and does not validate any more; methods `allmigrationNN__name`
change a whole collection when `migrate_all` is called. Each sets a filter and an update.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from mongokit import references
from mongokit.convert import content_of
from mongokit.errors import UpdateQueryError
from mongokit.schema import (
    ALWAYS_KNOWN,
    AnyNode,
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    OperatorNode,
    ReferenceNode,
    ScalarNode,
    TupleNode,
)
from mongokit.schema_document import bound

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

logger = logging.getLogger("mongokit")

Progress = Callable[[str, int, int], None]
"""Called with the name of the migration, how many documents are done, and of how many."""

# Operators that may name what the structure lacks: they are how such a field goes away.
_EXEMPT = frozenset({"$unset", "$rename"})

_BATCH = 1000


class _NoDocument(dict[str, Any]):
    """Stands for `self.doc` where there is no document: every field is None."""

    def __missing__(self, key: str) -> None:
        return None


class DocumentMigration:
    """The migrations of one class of documents.

    Methods named `migrationNN__name` are run for one document, which is `self.doc`; methods named
    `allmigrationNN__name` for a collection, which is `self.collection`. They are run in the order
    of their names. Each sets `self.target`, a filter for the documents that still need it, and
    `self.update`; setting no target means that there is nothing to do.

    Args:
        doc_class: The class of documents.
        verbose: Whether each step is logged at the level INFO, on the logger `mongokit`.

    Attributes:
        doc_class: The class of documents.
        doc: The document that is being migrated.
        collection: The collection that is being migrated.
        target: The filter that a method sets.
        update: The update that a method sets.
        status: Whether a method is called only to know its target, so that one which writes by
            itself can leave that out.

    Example:
        >>> class UserMigration(DocumentMigration):
        ...     def allmigration01__add_age(self):
        ...         self.target = {"age": {"$exists": False}}
        ...         self.update = {"$set": {"age": None}}
        >>> db.users.insert_one({"_id": 3, "name": "Eva", "email": "eva@example.org"}).acknowledged
        True
        >>> UserMigration(User).migrate_all(db.users)
        {'allmigration01__add_age': 1}
    """

    def __init__(self, doc_class: type[Any], verbose: bool = False) -> None:
        """Prepare the migrations; nothing is read or written."""
        self.doc_class: Any = getattr(doc_class, "__mongokit_of__", doc_class)
        self.verbose = verbose
        self.doc: Any = _NoDocument()
        self.collection: Any = None
        self.target: Any = None
        self.update: Any = None
        self.status = False

    def migrate(self, doc: Any, safe: bool = True, session: ClientSession | None = None) -> bool:
        """Run the `migration` methods for one stored document, and read it again.

        Args:
            doc: The document; it has a collection and an `_id`.
            safe: Part of the classic signature; the writes follow the collection's write concern.
            session: Write in this session.

        Returns:
            Whether the stored document was changed.

        Raises:
            ConnectionError: The document was made without a collection.
            KeyError: It has no `_id`.
            UpdateQueryError: An update names a field that the structure lacks.
            pymongo.errors.PyMongoError: The driver's error.

        Example:
            >>> class UserMigration(DocumentMigration):
            ...     def migration01__lower_case(self):
            ...         self.target = {"email": self.doc["email"]}
            ...         self.update = {"$set": {"email": self.doc["email"].lower()}}
            >>> db.users.update_one({"_id": 1}, {"$set": {"email": "ADA@example.org"}}).acknowledged
            True
            >>> user = db.User.get_from_id(1)
            >>> UserMigration(User).migrate(user)
            True
            >>> user.email
            'ada@example.org'
        """
        self.doc = doc
        self.collection = bound(doc).collection
        identity = dict.__getitem__(doc, "_id")
        changed = False
        for name in self._names("migration"):
            if not self._prepare_for_document(name, identity, session):
                continue
            target = {**self.target, "_id": identity}
            result = self.collection.update_one(target, self.update, session=session)
            changed = changed or bool(result.matched_count)
            if result.matched_count:
                self._log(name, 1)
                _read_again(doc, session)
        return changed

    def migrate_all(
        self,
        collection: Any,
        safe: bool = True,
        *,
        progress: Progress | None = None,
        dry_run: bool = False,
        session: ClientSession | None = None,
    ) -> dict[str, int]:
        """Run the `allmigration` methods for a collection.

        Documents are changed a thousand at a time. If it is interrupted, run it again: what is
        done no longer matches.

        Args:
            collection: The collection.
            safe: Part of the classic signature; the writes follow the collection's write concern.
            progress: Called before the first and after every thousand documents of a migration,
                with its name, how many documents are done, and how many there are.
            dry_run: Only count. A migration that builds on an earlier one of the same run may
                count too few, since that one has changed nothing.
            session: Write in this session.

        Returns:
            How many documents each migration changed, or with `dry_run` would change.

        Raises:
            UpdateQueryError: An update names a field that the structure lacks; that migration has
                changed nothing, those before it are done.
            pymongo.errors.PyMongoError: The driver's error.

        Example:
            >>> class UserMigration(DocumentMigration):
            ...     def allmigration01__round_age(self):
            ...         self.target = {"age": {"$gt": 40}}
            ...         self.update = {"$set": {"age": 40}}
            >>> UserMigration(User).migrate_all(db.users, dry_run=True)
            {'allmigration01__round_age': 1}
            >>> UserMigration(User).migrate_all(db.users, progress=print)
            allmigration01__round_age 0 1
            allmigration01__round_age 1 1
            {'allmigration01__round_age': 1}
        """
        self.collection = collection
        self.doc = _NoDocument()
        done: dict[str, int] = {}
        for name in self._names("allmigration"):
            done[name] = 0
            if not self._prepare(name, status=dry_run):
                continue
            if dry_run:
                done[name] = collection.count_documents(self.target, session=session)
            else:
                done[name] = self._run(name, progress, session)
            self._log(name, done[name])
        return done

    def get_deprecated(
        self, collection: Any, session: ClientSession | None = None
    ) -> dict[str, list[str]]:
        """Tell which migrations no stored document needs any more.

        Args:
            collection: The collection.
            session: Read in this session.

        Returns:
            `{'deprecated': names, 'active': names}`, each sorted.

        Raises:
            pymongo.errors.PyMongoError: The driver's error.

        Example:
            >>> class UserMigration(DocumentMigration):
            ...     def allmigration01__add_age(self):
            ...         self.target = {"age": {"$exists": False}}
            ...         self.update = {"$set": {"age": None}}
            >>> UserMigration(User).get_deprecated(db.users)
            {'deprecated': ['allmigration01__add_age'], 'active': []}
        """
        self.collection = collection
        self.doc = _NoDocument()
        names: dict[str, list[str]] = {"deprecated": [], "active": []}
        for name in sorted([*self._names("allmigration"), *self._names("migration")]):
            self._find_target(name)
            needed = self.target is not None and collection.find_one(
                self.target, {"_id": 1}, session=session
            )
            names["active" if needed else "deprecated"].append(name)
        return names

    def _names(self, prefix: str) -> list[str]:
        return [name for name in sorted(dir(self)) if name.startswith(prefix)]

    def _prepare(self, name: str, *, status: bool = False) -> bool:
        """Let one method set its filter and update; tell whether there is something to do."""
        self.target = self.update = None
        self.status = status
        try:
            getattr(self, name)()
        finally:
            self.status = False
        if self.target is None or not self.update:
            return False
        for field in _fields(self.update):
            if not _is_declared(self.doc_class.__mongokit__.tree, field.split(".")):
                raise UpdateQueryError(
                    f"{name}: can't find {field} in structure of {self.doc_class.__name__}"
                )
        return True

    def _prepare_for_document(self, name: str, identity: Any, session: Any) -> bool:
        """Prepare one method; an update that can't be made matters only if it is needed."""
        try:
            return self._prepare(name)
        except UpdateQueryError:
            raise
        except Exception:
            # The method sets the target first, and then takes what the target asks for.
            target = {**(self.target or {}), "_id": identity}
            if not self.target or self.collection.find_one(target, {"_id": 1}, session=session):
                raise
            return False

    def _find_target(self, name: str) -> None:
        """Let one method set its filter; its update may need a document that is not there."""
        self.target = self.update = None
        self.status = True
        try:
            getattr(self, name)()
        except Exception:
            if self.target is None:
                raise
        finally:
            self.status = False

    def _run(self, name: str, progress: Progress | None, session: Any) -> int:
        total = 0
        if progress is not None:
            total = self.collection.count_documents(self.target, session=session)
            progress(name, 0, total)
        changed = done = 0
        found = self.collection.find(self.target, {"_id": 1}, session=session)
        ids = (document["_id"] for document in found)
        while batch := list(islice(ids, _BATCH)):
            result = self.collection.update_many(
                _narrowed(self.target, batch), self.update, session=session
            )
            changed += result.matched_count if result.acknowledged else 0
            done += len(batch)
            if progress is not None:
                progress(name, done, max(done, total))
        return changed

    def _log(self, name: str, count: int) -> None:
        if self.verbose:
            logger.info("%s: %s, documents: %d", self.doc_class.__name__, name, count)


def _narrowed(target: Mapping[str, Any], ids: list[Any]) -> dict[str, Any]:
    chosen = {"$in": ids}
    return {"$and": [target, {"_id": chosen}]} if "_id" in target else {**target, "_id": chosen}


def _fields(update: Any) -> Iterator[str]:
    """The fields that an update gives a value to."""
    for stage in update if isinstance(update, list) else [update]:
        for operator, fields in stage.items():
            if operator not in _EXEMPT and isinstance(fields, Mapping):
                yield from fields


def _is_declared(node: Node | None, parts: list[str]) -> bool:
    """Tell whether an update's dotted field name has a place in a declaration."""
    if not parts:
        return True
    part, rest = parts[0], parts[1:]
    match node:
        case MappingNode() if node.fields or not node.path:
            known = part in ALWAYS_KNOWN and not node.path
            return known or (part in node.fields and _is_declared(node.fields[part], rest))
        case KeyedNode():
            return _is_declared(node.value, rest)
        case ListNode():
            is_index = part.isdigit() or part.startswith("$")
            return _is_declared(node.item, rest if is_index else parts)
        case TupleNode() if part.isdigit():
            return int(part) < len(node.items) and _is_declared(node.items[int(part)], rest)
        case EmbeddedNode():
            return _is_declared(node.document_class.__mongokit__.tree, parts)
        case ScalarNode():
            return issubclass(node.kind, (dict, list))
        case None | AnyNode() | MappingNode() | TupleNode() | I18nNode() | CustomNode():
            return True
        case OperatorNode() | ReferenceNode():
            return True
    return False


def _read_again(document: Any, session: Any) -> None:
    """Replace a document's content with what is stored now, if it is."""
    binding = bound(document)
    raw = binding.collection.find_one({"_id": dict.__getitem__(document, "_id")}, session=session)
    if raw is None:
        return
    stored = binding._make(raw)
    references.fetch([stored] if references.are_fetched(type(stored)) else [], session)
    dict.clear(document)
    dict.update(document, content_of(stored))
    references.remember(document, stored.__dict__.get("_stored"))


def migrate_fetched(document: Any, session: ClientSession | None = None) -> bool:
    """Migrate a document that was read and does not validate.

    The class's own `validate` is not called: an override of it may raise for other reasons. A
    document that was read with a projection stays as it is, since fields are missing anyway.

    Args:
        document: A document whose class has a `migration_handler`.
        session: Write in this session.

    Returns:
        Whether the stored document was changed.

    Raises:
        UpdateQueryError: An update names a field that the structure lacks.

    Example:
        >>> migrate_fetched(user)  # it is valid
        False
    """
    cls = type(document)
    if document._projected or dict.get(document, "_id") is None:
        return False
    if cls.__mongokit__.check(document, bound(document).options):
        return False
    if next(cls.__mongokit__.failures(document, bound(document).options), None) is None:
        return False
    changed: bool = cls.migration_handler(cls).migrate(document, session=session)
    return changed
