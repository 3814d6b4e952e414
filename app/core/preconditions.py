"""Conditional requests (RFC 9110, 13): `ETag`, `If-Match`, `If-None-Match`.

A tag is a hash of what clients see. So it changes exactly when that does, whoever changed it and by
whatever way, also when a new version of the application shows more.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, request
from werkzeug.exceptions import PreconditionFailed

from app.core.current import current_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIEnvironment

    from flask import Request

_BYTES = 12
_READING = ("GET", "HEAD")


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
    return under_conditions(Response(text, status, headers, mimetype="application/json"), text)


def under_conditions(response: Response, text: str) -> Response:
    """Return an answer with its tag; to GET and HEAD 304 where the client has the same already.

    Args:
        response: The answer.
        text: What it holds.

    Raises:
        werkzeug.exceptions.PreconditionFailed: 412: what was wanted is not what is there.

    Example:
        >>> under_conditions(Response("{}"), "{}").headers["ETag"]
        '"..."'
    """
    tag = tag_of(text)
    response.set_etag(tag)
    asked = current_request()
    # Of a change they were looked at before it was made.
    if asked.method in _READING and _has_condition(asked.environ):
        if _is_missed(asked, tag):
            raise failed()
        if _is_unwanted(asked, tag):
            response.status_code = HTTPStatus.NOT_MODIFIED
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
    return _has_condition(request.environ)


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
    asked = current_request()
    if _is_missed(asked, tag) or _is_unwanted(asked, tag):
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


def _has_condition(environ: WSGIEnvironment) -> bool:
    return "HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ


def _is_missed(asked: Request, tag: str) -> bool:
    """Tell whether a tag is not among those that are wanted.

    Of a header without any none is: who sends an empty one has lost the tag on the way, and means
    no change without a condition.
    """
    wanted = asked.if_match
    return "HTTP_IF_MATCH" in asked.environ and not (wanted.star_tag or wanted.is_strong(tag))


def _is_unwanted(asked: Request, tag: str) -> bool:
    unwanted = asked.if_none_match
    return bool(unwanted.star_tag) or unwanted.contains_weak(tag)
