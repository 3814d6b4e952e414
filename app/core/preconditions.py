"""Conditional requests (RFC 9110, 13): `ETag`, `If-Match`, `If-None-Match`.

A tag is a hash of what clients see. So it changes exactly when that does, whoever changed it and by
whatever way, also when a new version of the application shows more.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, request
from werkzeug.exceptions import PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

_BYTES = 12
_CONDITIONS = frozenset({"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"})


def tagged(
    shown: Mapping[str, Any],
    status: HTTPStatus | int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an answer with its tag; 304 where the client has the same already.

    Args:
        shown: What clients see.
        status: The status.
        headers: Further headers.

    Example:
        >>> tagged({"id": "65f0c0ffee65f0c0ffee65f0"}).headers["ETag"]
        '"..."'
    """
    text = current_app.json.dumps(shown)
    response = Response(text, status, headers, mimetype="application/json")
    response.set_etag(tag_of(text))
    if not _CONDITIONS.isdisjoint(request.environ):
        response.make_conditional(request)  # nothing but GET and HEAD is ever 304
    return response


def tag_of(text: str) -> str:
    """Return the tag of what clients see.

    Args:
        text: It as JSON.

    Example:
        >>> len(tag_of("{}"))
        24
    """
    return hashlib.blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def is_conditional() -> bool:
    """Tell whether a change is to be made only under a condition.

    Example:
        >>> is_conditional()
        False
    """
    return bool(request.if_match or request.if_none_match)


def check(shown: Mapping[str, Any]) -> None:
    """Refuse a change that was meant for something else than what is there.

    Args:
        shown: What clients see of it now; it matters only if `is_conditional`.

    Raises:
        werkzeug.exceptions.PreconditionFailed: 412.

    Example:
        >>> check(shown(user))
    """
    tag = tag_of(current_app.json.dumps(shown))
    wanted, unwanted = request.if_match, request.if_none_match
    if (wanted and not (wanted.star_tag or wanted.is_strong(tag))) or (
        unwanted and (unwanted.star_tag or unwanted.contains_weak(tag))
    ):
        raise failed()


def failed() -> PreconditionFailed:
    """Return the refusal.

    Example:
        >>> raise failed()
        Traceback (most recent call last):
        werkzeug.exceptions.PreconditionFailed: 412 Precondition Failed: It was changed meanwhile...
    """
    return PreconditionFailed(
        "It was changed meanwhile: this is not what you have read. Read it again, and repeat."
    )
