"""The binding of a document class to a collection: how its documents are read and written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import bson

from mongokit import _driver, migration, references, tracking
from mongokit.schema_document import fill, set_binding

if TYPE_CHECKING:
    from mongokit.collection import Collection
    from mongokit.document import Document

D = TypeVar("D", bound="Document")

_update = dict.update

logger = logging.getLogger("mongokit")


class Binding(Generic[D]):
    """One class in one collection; shared by the manager and all its documents.

    Args:
        document_class: The class.
        collection: Where its documents are stored.

    Attributes:
        document_class: The class.
        model: What the class declared when the binding was made.
        collection: The collection as the user sees it.
        options: How documents are encoded.
        strict: What checks queries, the module `mongokit.strict`; None unless the class or the
            connection has `strict_queries`.
    """

    __slots__ = (
        *("_bind", "_new", "_own_init", "_plain", "_type_field", "_wrap"),
        *("collection", "document_class", "model", "options", "strict"),
    )

    def __init__(self, document_class: type[D], collection: Collection) -> None:
        model = self.model = document_class.__mongokit__
        self.document_class = document_class
        self.collection = collection
        self.options = collection.codec_options
        # Asked of the instance: on a client of PyMongo's own any name is a database.
        of_all = vars(collection.database.client).get("_strict_queries", False)
        self.strict: Any = None
        if document_class.strict_queries or of_all:
            self.strict = import_module("mongokit.strict")  # who does without need not load it
        self._wrap = model.wrap_nested
        base = _base_of(document_class)
        self._new = document_class.__new__
        self._bind = vars(base)["_binding"].__set__
        self._type_field = document_class.type_field
        self._own_init = vars(base)["__init__"] is not getattr(document_class, "__init__")  # noqa: B009
        # A class whose documents need nothing but their content: the common case, made fast.
        self._plain = (
            not self._own_init
            and model.to_python is None
            and not model.has_references
            and not document_class._is_referenced
            and document_class.migration_handler is None
        )

    @property
    def is_plain(self) -> bool:
        """Whether documents of the class need nothing but their content."""
        return self._plain

    @property
    def per_batch(self) -> bool:
        """Whether documents of one batch are completed together, because they hold references."""
        return references.are_fetched(self.document_class)

    def new(
        self,
        doc: Any = None,
        gen_skel: bool = True,
        lang: str = "en",
        fallback_lang: str = "en",
    ) -> D:
        """Return a new document of the class, bound to the collection.

        Args:
            doc: The content; see `Document`.
            gen_skel: Whether to make the skeleton when there is no content.
            lang: The current language.
            fallback_lang: The language for fields without a value in the current one.
        """
        cls = self.document_class
        if self._plain and lang == fallback_lang == "en":
            made = self._new(cls)
            self._bind(made, self)
            if doc:
                fill(made, doc)
            elif gen_skel:
                _update(made, self.model.construct())
            if self.model.notes_origin:
                made.__dict__["_made"] = True  # see `tracking`
            return made
        languages = {} if lang == fallback_lang == "en" else _languages(lang, fallback_lang)
        return cls(doc=doc, gen_skel=gen_skel, collection=self.collection, **languages)

    def sibling(self, collection: Any, document_class: type[Any]) -> Binding[Any]:
        """Return the binding of another class in another collection of the same connection.

        Args:
            collection: A collection, ours or PyMongo's own.
            document_class: A `Document` class.
        """
        if hasattr(type(collection), "_binding_of"):
            shared: Binding[Any] = collection._binding_of(document_class)
            return shared
        return Binding(document_class, collection)

    def hydrate(self, raw: dict[str, Any], /, *, partial: bool = False, session: Any = None) -> D:
        """Return the document that `raw`, as decoded, is the content of.

        Args:
            raw: A freshly decoded document; it is not changed.
            partial: Whether a projection left out fields.
            session: Read what it references in this session.

        Raises:
            AutoReferenceError: A referenced document is not there.
        """
        if self._plain and not partial and self._type_field not in raw:
            document = self._new(self.document_class)
            _update(document, raw)
            if self._wrap is not None:
                self._wrap(document)
            self._bind(document, self)
            return document
        document = self._make(raw, partial=partial)
        for error in references.resolve([document], session).values():
            raise error
        return self._migrated(document, session)

    def hydrate_all(
        self, batch: Sequence[dict[str, Any]], /, *, partial: bool = False, session: Any = None
    ) -> Iterator[D]:
        """Yield the documents of one batch; their references take one query per collection.

        Args:
            batch: Freshly decoded documents.
            partial: Whether a projection left out fields.
            session: Read what they reference in this session.

        Raises:
            AutoReferenceError: What the document that comes next references is not there.
        """
        typed = self._type_field
        if self._plain and not partial and all(typed not in raw for raw in batch):
            yield from map(self.hydrate, batch)  # nothing is completed together
            return
        documents = [self._make(raw, partial=partial) for raw in batch]
        broken = references.resolve(documents, session)
        for index, document in enumerate(documents):
            if index in broken:
                raise broken[index]
            yield self._migrated(document, session)

    def stream(self, cursor: Any, advance: Callable[[], Any], /) -> Iterator[D]:
        """Yield the cursor's documents.

        Args:
            cursor: A PyMongo cursor.
            advance: The driver's own `next` of it.
        """
        if self._plain:
            return self._stream_plain(cursor, advance)
        session = cursor.session
        if session is None:
            return _driver.documents(cursor, advance, self.hydrate)
        return _driver.documents(cursor, advance, lambda raw: self.hydrate(raw, session=session))

    def _stream_plain(self, cursor: Any, advance: Callable[[], Any]) -> Iterator[D]:
        """Yield documents with everything that a document costs in this one loop."""
        cls = self.document_class
        new, update, bind, wrap = self._new, _update, self._bind, self._wrap
        type_field, typed = self._type_field, self.hydrate
        buffer: Any = ()
        while True:
            if buffer:
                raw = buffer.popleft()
            else:
                try:
                    raw = advance()
                except StopIteration:
                    return
                buffer = _driver.buffer_of(cursor)
            if type_field in raw:
                yield typed(raw)
                continue
            document = new(cls)
            update(document, raw)
            if wrap is not None:
                wrap(document)
            bind(document, self)
            yield document

    def _make(
        self, raw: dict[str, Any], *, partial: bool = False, encoded: bytes | None = None
    ) -> D:
        """Return the document of `raw`, with references and migration still to come."""
        binding = self._for_type(raw)
        document = binding._build(raw)
        if binding.document_class._is_referenced:
            references.remember(document, encoded or bson.encode(raw, False, self.options))
        if partial:
            document.__dict__["_projected"] = True
        return document

    def _build(self, raw: dict[str, Any]) -> D:
        cls = self.document_class
        if self._own_init:
            return self._through_init(raw)
        document = cls.__new__(cls)
        convert = cls.__mongokit__.to_python
        dict.update(document, raw if convert is None else convert(raw))
        if self._wrap is not None:
            self._wrap(document)
        set_binding(document, self)
        return document

    def _through_init(self, raw: dict[str, Any]) -> D:
        """Call the class's own `__init__`, as for every document that is made."""
        cls = self.document_class
        if raw:
            document = cls(doc=raw, collection=self.collection)
        else:
            document = cls(doc=raw, gen_skel=False, collection=self.collection)
        field = cls.type_field
        if field in raw:  # what is stored stays as it is
            dict.__setitem__(document, field, raw[field])
        tracking.read(document)
        return document

    def _for_type(self, raw: dict[str, Any]) -> Binding[D]:
        """Return the binding of the class that the document names, else this one."""
        field = self.document_class.type_field
        if field not in raw or raw[field] == self.document_class.__name__:
            return self
        name = raw[field]
        known = registry(self.collection.database.client)
        found = known.get(name) if isinstance(name, str) else None
        if found is None:
            if isinstance(name, str) and name not in _warned:
                _warned.add(name)
                logger.warning(
                    "%s %r is not registered: its documents are read as %s",
                    field,
                    name,
                    self.document_class.__name__,
                )
            return self
        binding: Binding[D] = self.collection._binding_of(found)
        return binding

    def _migrated(self, document: D, session: Any = None) -> D:
        if type(document).migration_handler is not None:
            migration.migrate_fetched(document, session)
        return document


_warned: set[str] = set()


def registry(client: Any) -> dict[str, type[Any]]:
    """Return the classes registered on a client by name; none on a client of PyMongo's own.

    Args:
        client: A `Connection` or `pymongo.MongoClient`.
    """
    return getattr(client, "_documents", {})


def _languages(lang: str, fallback_lang: str) -> dict[str, str]:
    return {"lang": lang, "fallback_lang": fallback_lang}


def _base_of(cls: type) -> type:
    """`Document`, found through the class: this module is below it."""
    return next(base for base in cls.__mro__ if "_binding" in vars(base))
