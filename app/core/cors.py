"""Who else may call the API from a browser: CORS (Fetch standard), for `CORS_ORIGINS` alone.

A page of another origin may read what the API answers, and send it JSON, only if this application
says so, by origin. Off unless set. Credentials are never granted: a browser sends no cookie of ours
along, so a foreign page can do no more than its visitor could with the token he gives it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Response, current_app, request

from app.core import errors
from app.core.config import parse_origins

if TYPE_CHECKING:
    from flask import Flask

_MAX_AGE = 600  # seconds a browser remembers a grant: as long as taking one back may last
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, If-Match, If-None-Match, X-Request-ID"
    ),
    "Access-Control-Max-Age": str(_MAX_AGE),
}
_EXPOSED = "ETag, Link, Location, Retry-After, X-Request-ID"
_EXTENSION = "cors"


def init_app(app: Flask) -> None:
    """Grant the origins of `CORS_ORIGINS` what the API does.

    Args:
        app: The application, configured. Call this before what may refuse a request: a browser asks
            for a grant without the headers that the request itself will have.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    app.extensions[_EXTENSION] = parse_origins(app.config["CORS_ORIGINS"])
    if app.extensions[_EXTENSION]:
        app.before_request(_answer_preflight)
        app.after_request(_add_headers)


def _granted() -> str | None:
    """Return what the origin of the current request is granted by, None if it is not."""
    origins = current_app.extensions[_EXTENSION]
    if "*" in origins:
        return "*"
    origin = request.headers.get("Origin")
    return origin if origin in origins else None


def _answer_preflight() -> Response | None:
    asked = request.headers.get("Access-Control-Request-Method")
    if not (errors.is_api_request() and request.method == "OPTIONS" and asked and _granted()):
        return None
    return Response(status=HTTPStatus.NO_CONTENT, headers=_ALLOWED)


def _add_headers(response: Response) -> Response:
    if not errors.is_api_request():
        return response
    granted = _granted()
    if granted != "*":
        response.vary.add("Origin")  # a cache must not give one origin's answer to another
    if granted and "Origin" in request.headers:
        response.headers["Access-Control-Allow-Origin"] = granted
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
