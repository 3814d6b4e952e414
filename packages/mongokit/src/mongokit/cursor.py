"""The cursor: takes whole batches from the driver and hands out documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, overload

from mongokit import _driver
from mongokit.legacy import LegacyCursor

if TYPE_CHECKING:
    from mongokit.compiler import Model

D = TypeVar("D", bound=Mapping[str, Any])
D_co = TypeVar("D_co", covariant=True)


class Wrapper(Protocol[D_co]):
    """What makes documents out of what the driver decoded: a `Binding`."""

    @property
    def model(self) -> Model:
        """What the documents' class declares."""

    @property
    def strict(self) -> Any:
        """What checks queries; None where nothing does."""

    @property
    def per_batch(self) -> bool:
        """Whether documents of one batch are completed together, because they hold references."""

    def hydrate(
        self, raw: dict[str, Any], /, *, partial: bool = False, session: Any = None
    ) -> D_co:
        """Return the document that `raw` is the content of."""

    def hydrate_all(
        self, batch: Sequence[dict[str, Any]], /, *, partial: bool = False, session: Any = None
    ) -> Iterator[D_co]:
        """Yield the documents of one batch, complete with their references."""

    def stream(self, cursor: Any, advance: Any, /) -> Iterator[D_co]:
        """Yield the cursor's documents; the fastest way for this class of documents."""


class Cursor(_driver.ChunkedCursor[D], LegacyCursor[D]):
    """PyMongo's cursor, whose results are documents of one class.

    A cursor that `collection.find()` makes without `wrap=` gives plain dicts, as PyMongo's does.
    Slices, clones and rewound cursors keep the class.

    Example:
        >>> [user.name for user in db.documents(User).find({"age": {"$gt": 30}}).sort("name")]
        ['Ada', 'Grace']
    """

    _wrap: Wrapper[D] | None = None
    _partial: bool = False
    _stream: Iterator[D] | None = None
    _keeps_all: bool = False  # what is read now goes into one list

    def _wrapped(self, wrap: Wrapper[D] | None, *, partial: bool) -> Cursor[D]:
        """Set what makes the documents, and whether the query leaves out fields."""
        self._wrap = wrap
        self._partial = partial
        return self

    def _wants_chunks(self) -> bool:
        # Plain dicts come as from PyMongo; references are fetched for a whole batch; and nothing is
        # gained where all documents are kept.
        return self._wrap is not None and not self._keeps_all and not self._wrap.per_batch

    if TYPE_CHECKING:
        # All these return the cursor itself; PyMongo annotates its own class.
        @overload
        def __getitem__(self, index: int) -> D: ...
        @overload
        def __getitem__(self, index: slice) -> Self: ...
        def __getitem__(self, index: int | slice) -> Any: ...
        def __enter__(self) -> Self: ...
        def add_option(self, mask: int) -> Self: ...
        def remove_option(self, mask: int) -> Self: ...
        def allow_disk_use(self, allow_disk_use: bool) -> Self: ...
        def limit(self, limit: int) -> Self: ...
        def batch_size(self, batch_size: int) -> Self: ...
        def skip(self, skip: int) -> Self: ...
        def max_time_ms(self, max_time_ms: int | None) -> Self: ...
        def max_await_time_ms(self, max_await_time_ms: int | None) -> Self: ...
        def max(self, spec: Any) -> Self: ...
        def min(self, spec: Any) -> Self: ...
        def sort(self, key_or_list: Any, direction: int | str | None = None) -> Self: ...
        def hint(self, index: Any) -> Self: ...
        def comment(self, comment: Any) -> Self: ...
        def where(self, code: Any) -> Self: ...
        def collation(self, collation: Any) -> Self: ...

    def next(self) -> D:
        """Return the next document.

        Raises:
            StopIteration: There is none; a tailable cursor may have one later.
            pymongo.errors.PyMongoError: The driver's error.

        Example:
            >>> db.User.find().sort("name").next().name
            'Ada'
        """
        wrap = self._wrap
        if wrap is None:
            return super().next()
        if wrap.per_batch:
            if self._stream is None:
                self._stream = self._batches(wrap)
            try:
                return next(self._stream)
            except BaseException:  # the end, or a document that can't be completed: then go on
                self._stream = None
                raise
        raw: Any = super().next()
        return wrap.hydrate(raw, partial=self._partial, session=self.session)

    __next__ = next  # noqa: A003 - PyMongo's name

    def __iter__(self) -> Iterator[D]:  # type: ignore[override]
        """Return an iterator over the documents; it shares its position with the cursor."""
        wrap = self._wrap
        if wrap is None or wrap.per_batch:
            return self
        if self._partial:
            return _driver.documents(
                self,
                super().next,
                lambda raw: wrap.hydrate(raw, partial=True, session=self.session),
            )
        return wrap.stream(self, super().next)

    def _batches(self, wrap: Wrapper[D]) -> Iterator[D]:
        """Yield documents whose references are fetched for a whole batch at once."""
        advance = super().next
        while True:
            try:
                first = advance()
            except StopIteration:
                return
            buffer = _driver.buffer_of(self)
            rest = [] if buffer is None else list(buffer)
            batch = [first, *rest]
            done = wrap.hydrate_all(batch, partial=self._partial, session=self.session)
            yield next(done)
            for _ in rest:
                if buffer is None or _driver.buffer_of(self) is not buffer or not buffer:
                    return  # rewound or closed between two documents
                buffer.popleft()
                yield next(done)

    def to_list(self, length: int | None = None) -> list[D]:
        """Return the remaining documents, `length` at the most.

        Args:
            length: How many documents; None for all.

        Raises:
            pymongo.errors.PyMongoError: The driver's error.

        Example:
            >>> [user.name for user in db.User.find().sort("name").to_list(1)]
            ['Ada']
        """
        wrap = self._wrap
        if wrap is None:
            return super().to_list(length)
        self._stream = None
        self._keeps_all = True
        try:
            raw: Any = super().to_list(length)
        finally:
            self._keeps_all = False
        return list(wrap.hydrate_all(raw, partial=self._partial, session=self.session))

    def rewind(self) -> Cursor[D]:
        """Start again from the first document.

        Example:
            >>> users = db.User.find().sort("name")
            >>> users.next().name, users.rewind().next().name
            ('Ada', 'Ada')
        """
        self._stream = None
        if buffer := _driver.buffer_of(self):
            buffer.clear()  # a loop that is still running takes its next document from here
        super().rewind()
        return self

    def clone(self) -> Cursor[D]:
        """Return a new cursor for the same query, with the same class.

        Example:
            >>> users = db.User.find().sort("name")
            >>> users.next().name, users.clone().next().name, users.next().name
            ('Ada', 'Ada', 'Grace')
        """
        return self._same(super().clone())

    def __copy__(self) -> Cursor[D]:
        return self._same(super().__copy__())

    def __deepcopy__(self, memo: Any) -> Cursor[D]:
        return self._same(super().__deepcopy__(memo))

    def _same(self, other: Any) -> Cursor[D]:
        if self._wrap is not None:
            other._wrapped(self._wrap, partial=self._partial)
        clone: Cursor[D] = other
        return clone


class StrictCursor(Cursor[D]):
    """The cursor of a class with `strict_queries`; what it is made for has been checked."""

    def sort(self, key_or_list: Any, direction: int | str | None = None) -> Self:
        """Sort the documents, as PyMongo does.

        Args:
            key_or_list: A field, or fields, or pairs of field and direction.
            direction: The direction of a single field.

        Raises:
            UnknownFieldError: A field is not declared.
        """
        if self._wrap is not None:
            key = key_or_list if direction is None else [(key_or_list, direction)]
            self._wrap.strict.check_sort(self._wrap.model, key)
        return super().sort(key_or_list, direction)

    def distinct(self, key: str) -> list[Any]:
        """Return the distinct values of a field, as PyMongo does.

        Args:
            key: The field.

        Raises:
            UnknownFieldError: It is not declared.
        """
        if self._wrap is not None:
            self._wrap.strict.check_path(self._wrap.model, key)
        return super().distinct(key)


def is_partial(projection: Mapping[str, Any] | Sequence[str] | None) -> bool:
    """Tell whether a projection leaves out stored fields.

    Args:
        projection: As given to `find()`.

    Example:
        >>> is_partial(["name"]), is_partial(None)
        (True, False)
    """
    return bool(projection)
