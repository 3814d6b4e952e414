"""Keyset pages: page 50,000 costs what page 1 does, and nothing is counted or skipped.

A page starts at a place in an `Order`, the key of a document, that its token leads to. It costs one
command to find the place, where the key is not the `_id`, and one for each run of the order, all of
them bounded by the length of the page. docs/decisions/listing.md says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlencode

from bson import ObjectId

from app.core import page_tokens
from app.core.errors import MalformedRequest
from app.core.page_tokens import TOKEN_FORMAT, Anchor, check_of, mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.core.runs import Order

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100
D = TypeVar("D", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class Page(Generic[D]):
    """Some documents, and where their neighbours are.

    Attributes:
        items: The documents, in the order that was asked for.
        next: The token that the next page comes after, or None on the last one.
        previous: The token that the previous page comes before, or None on the first one.

    Example:
        >>> Page([], None).next is None
        True
    """

    items: list[D]
    next: str | None
    previous: str | None = None

    def links(self, url: str, arguments: Mapping[str, str]) -> str:
        """Return the `Link` header (RFC 8288): the first page, and the neighbours that there are.

        Args:
            url: Where the list is, without a query.
            arguments: The query of this page; what does not say where it is stays as it is.

        Example:
            >>> Page([], "abc").links("/api/users", {"limit": "5"})
            '</api/users?limit=5>; rel="first", </api/users?limit=5&after=abc>; rel="next"'
        """
        kept = {name: arguments[name] for name in arguments if name not in ("after", "before")}
        places: list[tuple[str, dict[str, str]]] = [("first", {})]
        if self.previous is not None:
            places.append(("prev", {"before": self.previous}))
        if self.next is not None:
            places.append(("next", {"after": self.next}))
        targets = [(rel, urlencode(kept | place)) for rel, place in places]
        return ", ".join(
            f'<{url}{"?" if query else ""}{query}>; rel="{rel}"' for rel, query in targets
        )


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted.

    Attributes:
        limit: How many documents at most, from 1 to 100.
        after: The token that the page comes after, or None for the first page.
        before: The token that the page comes before; only one of the two is set.

    Example:
        >>> wanted = PageRequest.from_args(request.args)
        >>> wanted.read(users.find, Order("created", (Run(),)))  # doctest: +SKIP
    """

    limit: int = DEFAULT_LIMIT
    after: page_tokens.Token | None = None
    before: page_tokens.Token | None = None

    @classmethod
    def parameters(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return the arguments that the API tells of, as JSON Schema.

        Example:
            >>> list(PageRequest.parameters())
            ['limit', 'after', 'before']
        """
        return _PARAMETERS

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> PageRequest:
        """Read `limit`, `after` and `before` from the arguments of a request.

        Args:
            args: The query of the URL, `request.args`.

        Raises:
            MalformedRequest: `limit` is no number from 1 to 100, `after` or `before` no token of
                ours, or both are given.

        Example:
            >>> PageRequest.from_args({"limit": "5"}).limit
            5
        """
        if "after" in args and "before" in args:
            raise MalformedRequest("before", "cursor", "before can't be given beside after")
        return cls(
            _read_limit(args["limit"]) if "limit" in args else DEFAULT_LIMIT,
            page_tokens.read("after", args["after"]) if "after" in args else None,
            page_tokens.read("before", args["before"]) if "before" in args else None,
        )

    def read(self, find: Callable[..., Any], order: Order) -> Page[Any]:
        """Read the page.

        Args:
            find: The `find` of a collection, or of its documents.
            order: What is listed. An index has to serve each run: the fields of `equal`, then the
                key.

        Raises:
            MalformedRequest: The token is of another order, or nothing is left of its place.

        Example:
            >>> PageRequest(limit=2).read(users.find, Order("created", (Run(),))).items
            [<User 'Ada'>, <User 'Grace'>]
        """
        start = self._start(find, order)
        forwards = self.before is None
        found: list[tuple[int, Any]] = []  # with the number of the run
        first = start[0] if start else 0
        # Backwards there is always a place to begin at.
        for number in range(first, len(order.runs)) if forwards else range(first, -1, -1):
            run = order.runs[number]
            upwards = run.descending != forwards
            place = start[1] if start and number == first else None
            rest = self.limit + 1 - len(found)  # the one too many tells of a further page
            cursor = find(run.filter(place, upwards=upwards)).sort(run.key, 1 if upwards else -1)
            found += [(number, document) for document in cursor.limit(rest).to_list()]
            if len(found) > self.limit:
                break
        has_more = len(found) > self.limit
        del found[self.limit :]
        if forwards:
            has_next, has_previous = has_more, self.after is not None
        else:
            found.reverse()
            has_next, has_previous = True, has_more
        return Page(
            [document for _, document in found],
            _token(order, found[::-1], self.after) if found and has_next else None,
            _token(order, found, self.before) if found and has_previous else None,
        )

    def _start(self, find: Callable[..., Any], order: Order) -> tuple[int, Any] | None:
        """Return the run and the key that the page comes after or before, None for the beginning.

        Of the token's documents the nearest one counts that still stands where it stood. What stood
        between it and the page is gone from there, so nothing is shown twice or left out.
        """
        name, token = ("after", self.after) if self.before is None else ("before", self.before)
        if token is None:
            return None
        if token.order != mark_of(order.name) or any(
            anchor.run >= len(order.runs) for anchor in token.anchors
        ):
            raise MalformedRequest(
                name, "cursor", f"{name} must be a token of the same list, in the same order"
            )
        nearest = token.anchors[0]
        if order.runs[nearest.run].key == "_id":
            return nearest.run, nearest.id  # a place even when the document is gone
        keys = sorted({order.runs[anchor.run].key for anchor in token.anchors})
        ids = [anchor.id for anchor in token.anchors]
        stored = {each["_id"]: each for each in find({"_id": {"$in": ids}}, keys).limit(len(ids))}
        for anchor in token.anchors:
            run = order.runs[anchor.run]
            place = stored.get(anchor.id, {}).get(run.key)
            if run.holds(place) and check_of(place) == anchor.check:
                return anchor.run, place
        raise MalformedRequest(
            name,
            "cursor",
            f"what stood at the place of {name} is gone, or stands elsewhere: begin again without"
            f" {name}",
        )


_PARAMETERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "limit": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAXIMUM_LIMIT,
            "default": DEFAULT_LIMIT,
            "description": f"How many at most, from 1 to {MAXIMUM_LIMIT}.",
        },
        "after": {
            "type": "string",
            "format": TOKEN_FORMAT,
            "description": "The token of the page, which the page before it has in `next`.",
        },
        "before": {
            "type": "string",
            "format": TOKEN_FORMAT,
            "description": (
                "The token of the page, which the page after it has in `previous`. Not beside"
                " `after`."
            ),
        },
    }
)


def page_schema(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of the pages that the API answers.

    Args:
        item: The schema of what is listed.

    Example:
        >>> page_schema({"type": "string"})["required"]
        ['items', 'next', 'previous']
    """
    example = Anchor(0, ObjectId("65f0c0ffee65f0c0ffee65f0"), b"page")
    token = {
        "type": ["string", "null"],
        "format": TOKEN_FORMAT,
        "examples": [page_tokens.write(mark_of("example"), [example])],
    }
    words = {
        "next": "The token of the next page, for `after`; null on the last one.",
        "previous": "The token of the page before, for `before`; null on the first one.",
    }
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "maxItems": MAXIMUM_LIMIT, "items": item},
            **{name: token | {"description": text} for name, text in words.items()},
        },
        "required": ["items", *words],
        "additionalProperties": False,
    }


def _token(
    order: Order, nearest: Sequence[tuple[int, Any]], earlier: page_tokens.Token | None
) -> str:
    """Return the token of an edge of a page.

    Args:
        order: The order.
        nearest: The page's documents, from this edge on.
        earlier: The token at the page's other edge: what a short page lacks, it has.
    """
    anchors = [
        Anchor(number, document["_id"], check_of(document[order.runs[number].key]))
        for number, document in nearest[: page_tokens.MOST_ANCHORS]
    ]
    if order.runs[anchors[0].run].key == "_id":
        del anchors[1:]  # one is enough: it is a place by itself
    elif earlier is not None:
        anchors += earlier.anchors
    return page_tokens.write(mark_of(order.name), anchors)


def _read_limit(text: str) -> int:
    # Bounded before it is converted: int() of a very long text is slow.
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise MalformedRequest("limit", "type", "limit must be a whole number")
    limit = int(text)
    if not 1 <= limit <= MAXIMUM_LIMIT:
        raise MalformedRequest("limit", "range", f"limit must be from 1 to {MAXIMUM_LIMIT}")
    return limit
