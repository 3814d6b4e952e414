"""Tokens of pages: where a page ends or begins, in a form that clients only carry.

    version, order, then up to three times (run, _id, check), then a check of the whole

A token names the order that it is of, so that one of another order is refused, and the documents
nearest the page's edge by their `_id`s. It holds no stored value: URLs end up in logs. The check
beside each `_id` tells whether the document still stands where it stood. Tokens grant nothing,
since any client may read from any place; so they need no signature and survive a change of
`SECRET_KEY`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bson import ObjectId

from app.core.errors import MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN_FORMAT = "page-token"  # noqa: S105 - the format that schemas name
MOST_ANCHORS = 3
_VERSION = b"\x02"
_ORDER_BYTES = 3
_CHECK_BYTES = 5
# 18 bytes, and 9 around them: base64 needs no padding, so each token is written in one way only.
_ANCHOR = struct.Struct(">H12s4s")
_HEAD = len(_VERSION) + _ORDER_BYTES


@dataclass(frozen=True, slots=True)
class Anchor:
    """A document that a page begins or ends with, or one that stood beside it there.

    Attributes:
        run: The number of the run in which it was found.
        id: Its `_id`.
        check: What its key was then, as a checksum.

    Example:
        >>> Anchor(0, ObjectId(), check_of("ada")).check.hex()
        '96a44b76'
    """

    run: int
    id: ObjectId
    check: bytes


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says.

    Attributes:
        order: The mark of the order that it is of.
        anchors: The documents, the nearest to the edge first: one to three.

    Example:
        >>> Token(mark_of("created"), (Anchor(0, ObjectId(), check_of("ada")),)).order.hex()
        'b17dbd'
    """

    order: bytes
    anchors: tuple[Anchor, ...]


def check_of(key: object) -> bytes:
    """Return the checksum of a document's key.

    Args:
        key: The value; an `ObjectId` or text.

    Example:
        >>> check_of("ada") == check_of("bob")
        False
    """
    return _digest(str(key).encode("utf-8", "surrogatepass"), b"app page key", 4)


def mark_of(order: str) -> bytes:
    """Return what tokens remember of an order.

    Args:
        order: Its name.

    Example:
        >>> mark_of("created") == mark_of("-created")
        False
    """
    return _digest(order.encode("utf-8", "surrogatepass"), b"app page order", _ORDER_BYTES)


def write(order: bytes, anchors: Iterable[Anchor]) -> str:
    """Return a token: 36 to 84 characters, safe in a URL.

    Args:
        order: The mark of the order.
        anchors: The documents, the nearest to the edge first; further ones than three are left out.

    Example:
        >>> len(write(mark_of("created"), [Anchor(0, ObjectId(), check_of("ada"))]))
        36
    """
    packed = [_ANCHOR.pack(each.run, each.id.binary, each.check) for each in anchors]
    content = _VERSION + order + b"".join(packed[:MOST_ANCHORS])
    return base64.urlsafe_b64encode(content + _check_of(content)).decode()


def read(name: str, text: str) -> Token:
    """Return what a token says.

    Args:
        name: The argument that held it.
        text: What it held.

    Raises:
        MalformedRequest: It is none, or was altered.

    Example:
        >>> read("after", write(mark_of("name"), [anchor])).anchors == (anchor,)
        True
    """
    refusal = MalformedRequest(
        name, "cursor", f"{name} must be the token of an earlier page, unchanged"
    )
    try:
        packed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise refusal from error
    content, check = packed[:-_CHECK_BYTES], packed[-_CHECK_BYTES:]
    anchors = content[_HEAD:]
    if (
        content[:1] != _VERSION
        or check != _check_of(content)
        or len(anchors) not in [_ANCHOR.size * n for n in range(1, MOST_ANCHORS + 1)]
        # "+" and "/" are read as "-" and "_" are.
        or base64.urlsafe_b64encode(packed).decode() != text
    ):
        raise refusal
    return Token(
        content[1:_HEAD],
        tuple(
            Anchor(run, ObjectId(_id), key_check)
            for run, _id, key_check in _ANCHOR.iter_unpack(anchors)
        ),
    )


def _check_of(content: bytes) -> bytes:
    return _digest(content, b"app page token", _CHECK_BYTES)


def _digest(content: bytes, person: bytes, size: int) -> bytes:
    return hashlib.blake2b(content, digest_size=size, person=person).digest()
