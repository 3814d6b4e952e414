"""Keyset pages in the order of `_id`: page 50,000 costs what page 1 does, and nothing is counted.

A token names the document that a page starts after, or ends before. It is opaque to clients:
versioned and checked, so that a cut or altered one is a 400 and never a wrong page. It grants
nothing, since any client may read from any place; so it needs no signature and survives a change
of `SECRET_KEY`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from bson import ObjectId

from app.core.errors import MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100
TOKEN_FORMAT = "page-token"  # noqa: S105 - the format that schemas name
_VERSION = b"\x01"
_CHECK_BYTES = 5  # with the version and the ObjectId 18 bytes: 24 characters, no padding

D = TypeVar("D", bound="Mapping[str, Any]")


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


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted.

    Attributes:
        parameters: The arguments that the API tells of, as JSON Schema.
        limit: How many documents at most, from 1 to 100.
        after: The `_id` that the page comes after, or None for the first page.
        before: The `_id` that the page comes before; only one of the two is set.
        newest_first: Whether the order is that of descending `_id`.

    Example:
        >>> wanted = PageRequest.from_args(request.args)
        >>> found = users.find(wanted.filter()).sort(wanted.sort()).limit(wanted.limit + 1)
        >>> wanted.page(found)  # doctest: +SKIP
    """

    parameters: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
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
        }
    )

    limit: int = DEFAULT_LIMIT
    after: ObjectId | None = None
    before: ObjectId | None = None
    newest_first: bool = False

    @classmethod
    def from_args(cls, args: Mapping[str, str], *, newest_first: bool = False) -> PageRequest:
        """Read `limit`, `after` and `before` from the arguments of a request.

        Args:
            args: The query of the URL, `request.args`.
            newest_first: Whether the order is that of descending `_id`.

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
            _read_token("after", args["after"]) if "after" in args else None,
            _read_token("before", args["before"]) if "before" in args else None,
            newest_first,
        )

    @property
    def _ascending(self) -> bool:
        """Whether the query reads upwards: a page before a place is read from there, backwards."""
        return self.newest_first == (self.before is not None)

    def filter(self) -> dict[str, Any]:
        """Return the filter that finds what comes after, or before, the token.

        Example:
            >>> PageRequest().filter()
            {}
        """
        place = self.before or self.after
        return {} if place is None else {"_id": {"$gt" if self._ascending else "$lt": place}}

    def sort(self) -> list[tuple[str, int]]:
        """Return the order of the query; `page` turns it round where need be.

        Example:
            >>> PageRequest().sort()
            [('_id', 1)]
        """
        return [("_id", 1 if self._ascending else -1)]

    def page(self, found: Iterable[D]) -> Page[D]:
        """Return the page of what was found.

        Args:
            found: Documents that match `filter()`, in the order of `sort()`; ask for `limit + 1`
                of them: the one too many tells that there is a further page.

        Example:
            >>> PageRequest(limit=1).page([{"_id": ObjectId()}]).next is None
            True
        """
        items = list(islice(found, self.limit + 1))
        has_more = len(items) > self.limit
        del items[self.limit :]
        if not items:
            return Page(items, None)
        if self.before is None:
            has_next, has_previous = has_more, self.after is not None
        else:
            items.reverse()
            has_next, has_previous = True, has_more
        return Page(
            items,
            make_token(items[-1]["_id"]) if has_next else None,
            make_token(items[0]["_id"]) if has_previous else None,
        )


def make_token(last: ObjectId) -> str:
    """Return the token of the pages beside this `_id`: 24 characters, safe in a URL.

    Args:
        last: The `_id` of a page's last document, or of its first for the page before it.

    Example:
        >>> make_token(ObjectId("65f0c0ffee65f0c0ffee65f0"))[:8]
        'AWXwwP_u'
    """
    content = _VERSION + last.binary
    return base64.urlsafe_b64encode(content + _check_of(content)).decode()


def page_schema(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of the pages that the API answers.

    Args:
        item: The schema of what is listed.

    Example:
        >>> page_schema({"type": "string"})["required"]
        ['items', 'next']
    """
    following = {
        "type": ["string", "null"],
        "format": TOKEN_FORMAT,
        "description": "The token of the next page, for `after`; null on the last one.",
        "examples": [make_token(ObjectId("65f0c0ffee65f0c0ffee65f0"))],
    }
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "maxItems": MAXIMUM_LIMIT, "items": item},
            "next": following,
        },
        "required": ["items", "next"],
        "additionalProperties": False,
    }


def _check_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECK_BYTES, person=b"app page token").digest()


def _read_limit(text: str) -> int:
    # Bounded before it is converted: int() of a very long text is slow.
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise MalformedRequest("limit", "type", "limit must be a whole number")
    limit = int(text)
    if not 1 <= limit <= MAXIMUM_LIMIT:
        raise MalformedRequest("limit", "range", f"limit must be from 1 to {MAXIMUM_LIMIT}")
    return limit


def _read_token(name: str, token: str) -> ObjectId:
    refusal = MalformedRequest(
        name, "cursor", f"{name} must be the token of an earlier page, unchanged"
    )
    try:
        read = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise refusal from error
    content, check = read[:-_CHECK_BYTES], read[-_CHECK_BYTES:]
    if content[:1] != _VERSION or len(content) != 13 or check != _check_of(content):
        raise refusal
    return ObjectId(content[1:])
