"""Pages of a query: numbered ones as classic had them, and keyset pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pymongo.cursor import Cursor as PyMongoCursor

from mongokit import _driver

if TYPE_CHECKING:
    from mongokit.cursor import Cursor

D = TypeVar("D", bound=Mapping[str, Any])

__all__ = ["KeysetPage", "Paginator", "keyset"]


class Paginator(Generic[D]):
    """One numbered page of a query, and what a page needs to link to the others.

    The count and the items are read when they are first asked for, once each. Both cost more the
    further the page is from the first: the server reads all that stands before it. `keyset` has
    pages that all cost the same.

    Args:
        cursor: A query, best with a sort; it is not changed, and its own skip and limit are
            not used.
        page: The number of the page, from 1.
        limit: How many items a page has.

    Raises:
        ValueError: `page` or `limit` is less than 1.
        TypeError: One of them is no int, or the query is no cursor of `find`.

    Example:
        >>> page = Paginator(db.User.find().sort("name"), page=2, limit=1)
        >>> [user.name for user in page.items]
        ['Grace']
        >>> page.has_previous, page.has_next, page.num_pages
        (True, False, 2)
    """

    def __init__(self, cursor: Cursor[D], page: int = 1, limit: int = 10) -> None:
        """Take the query and the place."""
        if not isinstance(cursor, PyMongoCursor):
            raise TypeError(f"cursor must be what find() returns, not {type(cursor).__name__}")
        for name, value in (("page", page), ("limit", limit)):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not {type(value).__name__}")
        if page < 1 or limit < 1:
            raise ValueError(f"page and limit must be at least 1, not {page} and {limit}")
        self._cursor = cursor
        self._page = page
        self._limit = limit

    @cached_property
    def items(self) -> list[D]:
        """The documents of the page; an empty list after the last page."""
        start = (self._page - 1) * self._limit
        return list(self._cursor.clone().skip(start).limit(self._limit))

    @cached_property
    def count(self) -> int:
        """How many documents the query matches, on all pages together."""
        return _driver.count(self._cursor)

    @property
    def num_pages(self) -> int:
        """How many pages there are; 0 when nothing matches."""
        return -(-self.count // self._limit)

    @property
    def page_range(self) -> list[int]:
        """The numbers of all pages."""
        return list(range(1, self.num_pages + 1))

    @property
    def is_paginated(self) -> bool:
        """Whether there is more than one page."""
        return self.num_pages > 1

    @property
    def current_page(self) -> int:
        """The number of this page, from 1."""
        return self._page

    @property
    def has_previous(self) -> bool:
        """Whether there is a page before this one."""
        return self.previous_page is not None

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.next_page is not None

    @property
    def previous_page(self) -> int | None:
        """The number of the page before this one, or None; after the last page, the last one."""
        return min(self._page - 1, self.num_pages) or None

    @property
    def next_page(self) -> int | None:
        """The number of the page after this one, or None."""
        return self._page + 1 if self._page < self.num_pages else None

    @property
    def start_index(self) -> int:
        """The number of the page's first item among all, from 1; 0 when the page is empty."""
        start = (self._page - 1) * self._limit + 1
        return start if start <= self.count else 0

    @property
    def end_index(self) -> int:
        """The number of the page's last item among all; 0 when the page is empty."""
        return min(self._page * self._limit, self.count) if self.start_index else 0


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """The query for one keyset page, as `keyset` makes it.

    Attributes:
        filter: What to find.
        sort: What to sort by, with `_id` last.
        is_backward: Whether the server returns the page's documents from its end to its start.

    Example:
        >>> keyset({"age": {"$gt": 30}}, "name").sort
        [('name', 1), ('_id', 1)]
    """

    filter: dict[str, Any]
    sort: list[tuple[str, int]]
    is_backward: bool = False

    def in_order(self, documents: Iterable[D]) -> list[D]:
        """Return the documents that were found as a list in the order of the whole result.

        Args:
            documents: What the query found, in the server's order.

        Example:
            >>> keyset({}, before=(9,)).in_order([{"_id": 8}, {"_id": 7}])
            [{'_id': 7}, {'_id': 8}]
        """
        found = list(documents)
        return found[::-1] if self.is_backward else found

    def position(self, document: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the place of a document in the result: the values of the sorted fields.

        Args:
            document: A document of the page, for `keyset`'s `after` or `before`; it must have
                been read with the sorted fields.

        Returns:
            A value for each field of `sort`; None for one that is missing.

        Raises:
            KeyError: The document was read without its `_id`.

        Example:
            >>> keyset({}, "name").position({"_id": 7, "name": "Ada", "age": 36})
            ('Ada', 7)
        """
        # dict's own methods are called, because classes of documents may override any.
        content = document if isinstance(document, dict) else dict(document)
        if not dict.__contains__(content, "_id"):
            raise KeyError("_id")
        return tuple(_value_at(content, field) for field, _ in self.sort)


def keyset(
    filter: Mapping[str, Any],
    sort: str | Sequence[str | tuple[str, int]] = (),
    *,
    after: Sequence[Any] | None = None,
    before: Sequence[Any] | None = None,
) -> KeysetPage:
    """Return the query for the page that follows, or precedes, a place in a sorted result.

    Instead of counting what to skip, it asks for what is greater than the last document's values:
    with an index on the sorted fields (and `_id`), page 50,000 costs what page 1 costs. Documents
    that are inserted or deleted meanwhile shift nothing. `_id` is added to the sort, so that
    documents of equal values have an order.

    A sorted field may be null or missing, but its other values must be of one type, because
    MongoDB compares only values of one type with `$gt` and `$lt`; it must not hold lists.

    Args:
        filter: What the whole result matches.
        sort: A field, or fields, or pairs of field and direction (1 or -1).
        after: The place after which the page starts: `page.position(last)`; None for the start.
        before: The place before which the page ends: `page.position(first)`.

    Returns:
        The filter and the sort of the page. Find with them and your limit; ask for one more to
        know whether there is a further page.

    Raises:
        ValueError: Both places are given, a place has not one value for each field, or a
            direction is neither 1 nor -1.

    Example:
        >>> page = keyset({"age": {"$gt": 30}}, "name")
        >>> users = page.in_order(db.User.find(page.filter).sort(page.sort).limit(1))
        >>> [user.name for user in users]
        ['Ada']
        >>> page = keyset({"age": {"$gt": 30}}, "name", after=page.position(users[-1]))
        >>> [user.name for user in db.User.find(page.filter).sort(page.sort).limit(1)]
        ['Grace']
    """
    order = _with_id([sort] if isinstance(sort, str) else sort)
    if after is not None and before is not None:
        raise ValueError("give after or before, not both")
    is_backward = before is not None
    if is_backward:
        order = [(field, -direction) for field, direction in order]
    place = before if is_backward else after
    if place is None:
        return KeysetPage(dict(filter), order)
    if isinstance(place, str) or len(place) != len(order):
        fields = ", ".join(field for field, _ in order)
        raise ValueError(f"a place needs one value for each of: {fields}")
    return KeysetPage(_joined(filter, _beyond(order, place)), order, is_backward)


def _with_id(sort: Sequence[str | tuple[str, int]]) -> list[tuple[str, int]]:
    order = [(item, 1) if isinstance(item, str) else item for item in sort]
    for field, direction in order:
        if direction not in (1, -1):
            raise ValueError(f"the direction of {field} must be 1 or -1")
    if all(field != "_id" for field, _ in order):
        order.append(("_id", order[-1][1] if order else 1))
    return order


def _beyond(order: Sequence[tuple[str, int]], place: Sequence[Any]) -> dict[str, Any]:
    """The filter for what comes after a place: one branch for each field that may decide."""
    branches: list[dict[str, Any]] = []
    equal: dict[str, Any] = {}
    for (field, direction), value in zip(order, place, strict=True):
        # MongoDB manual, Comparison/Sort Order: null, and missing with it, sorts first.
        if value is not None:
            branches.append({**equal, field: {"$gt" if direction == 1 else "$lt": value}})
            if direction == -1 and field != "_id":
                branches.append({**equal, field: None})
        elif direction == 1:
            branches.append({**equal, field: {"$ne": None}})
        equal[field] = value
        if field == "_id":
            break
    if not branches:
        return {"_id": {"$in": []}}  # nothing sorts before a null
    return branches[0] if len(branches) == 1 else {"$or": branches}


def _joined(filter: Mapping[str, Any], bound: dict[str, Any]) -> dict[str, Any]:
    # Side by side where the names allow it: some servers use no index below an $and.
    if filter.keys().isdisjoint(bound):
        return {**filter, **bound}
    return {"$and": [dict(filter), bound]}


def _value_at(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = dict.get(value, name) if isinstance(value, dict) else None
    return value
