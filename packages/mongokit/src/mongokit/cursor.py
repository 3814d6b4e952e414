"""The cursor: takes whole batches from the driver and hands out documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from mongokit import _driver
from mongokit.legacy import LegacyCursor

D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)


class Wrapper(Protocol[D_co]):
    """What makes documents out of what the driver decoded: a `Binding`."""

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


class Cursor(LegacyCursor, Generic[D]):
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

    def _wrapped(self, wrap: Wrapper[D] | None, *, partial: bool) -> Cursor[D]:
        """Set what makes the documents, and whether the query leaves out fields."""
        self._wrap = wrap
        self._partial = partial
        return self

    def next(self) -> Any:
        """Return the next document.

        Raises:
            StopIteration: There is none; a tailable cursor may have one later.
            pymongo.errors.PyMongoError: The driver's error.
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
        return wrap.hydrate(super().next(), partial=self._partial, session=self.session)

    __next__ = next  # noqa: A003 - PyMongo's name

    def __iter__(self) -> Any:
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

    def to_list(self, length: int | None = None) -> list[Any]:
        """Return the remaining documents, `length` at the most.

        Args:
            length: How many documents; None for all.

        Raises:
            pymongo.errors.PyMongoError: The driver's error.
        """
        wrap = self._wrap
        if wrap is None:
            return super().to_list(length)
        self._stream = None
        raw = super().to_list(length)
        return list(wrap.hydrate_all(raw, partial=self._partial, session=self.session))

    def rewind(self) -> Cursor[D]:
        """Start again from the first document."""
        self._stream = None
        if buffer := _driver.buffer_of(self):
            buffer.clear()  # a loop that is still running takes its next document from here
        super().rewind()
        return self

    def clone(self) -> Cursor[D]:
        """Return a new cursor for the same query, with the same class."""
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


def is_partial(projection: Mapping[str, Any] | Sequence[str] | None) -> bool:
    """Tell whether a projection leaves out stored fields.

    Args:
        projection: As given to `find()`.

    Example:
        >>> is_partial(["name"]), is_partial(None)
        (True, False)
    """
    return bool(projection)
