"""Calls of a WSGI application, without a server or a test client, which cost by themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from wsgiref.types import WSGIApplication, WSGIEnvironment

_NOWHERE = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process


def prepared(path: str, headers: Mapping[str, str]) -> WSGIEnvironment:
    """Return the environment of a GET; what the application logs goes nowhere.

    Args:
        path: The path, with the query.
        headers: The request's headers.
    """
    environ = EnvironBuilder(
        path, headers=Headers(dict(headers)), errors_stream=_NOWHERE
    ).get_environ()
    environ["wsgi.errors"] = _NOWHERE
    return environ


def call(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body that an application answers."""
    said: list[Any] = []

    def start_response(*answer: Any) -> Callable[[bytes], object]:
        said.extend(answer)
        return lambda _: None

    answered = app(dict(environ), start_response)
    try:
        body = b"".join(answered)
    finally:
        close = getattr(answered, "close", None)
        if close is not None:
            close()
    return said[0], dict(said[1]), body
