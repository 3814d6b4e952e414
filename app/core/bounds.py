"""How long the database work of one request may take: all of it together, by pymongo.timeout.

    the WSGI call          whatever way it ends, no bound outlives it
      first before_request   START_IN_REQUEST more than the bound: the outermost limit
        first use of `db`      the bound itself, once there is a client

The bound begins at a request's first use of the database, when the client is there. So the start of
the embedded engine and the creation of indexes, once per process, take nothing from it; they have
START_IN_REQUEST. A nested `pymongo.timeout` can only shorten, hence the order; a view may shorten
further with one of its own.

A streamed answer is sent when the WSGI call has ended. Its generator is not bounded by this: it
enters `pymongo.timeout` itself, around each portion that it reads and never around a `yield`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import pymongo
from flask import g, request

from app.core.current import current_application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask

V = TypeVar("V", bound="Callable[..., Any]")

START_IN_REQUEST = 10.0  # seconds that a visitor waits for the embedded engine and for indexes

_ATTRIBUTE = "__request_timeout__"
_CALL = "bounded_call"  # in `g`: whose bound may begin there


class _Call:
    """One call of the application, by WSGI.

    An ExitStack would leave the bounds as well; at each request it costs more than they do.

    Attributes:
        waiting: The seconds of the request's bound while it is still to begin; else None.
    """

    __slots__ = ("_entered", "waiting")

    def __init__(self) -> None:
        self.waiting: float | None = None
        self._entered: list[AbstractContextManager[None]] = []

    def enter(self, seconds: float | None) -> None:
        """Bound what the database does from now on."""
        bound = pymongo.timeout(seconds)
        bound.__enter__()
        self._entered.append(bound)

    def end(self) -> None:
        """Leave the bounds, the last one first."""
        while self._entered:
            self._entered.pop().__exit__(None, None, None)


# What uses the database when the call is over, as a streamed answer does, finds none.
_current: ContextVar[_Call | None] = ContextVar("app.bounds", default=None)


def init_app(app: Flask) -> None:
    """Bound the database work of each request to the app by `MONGODB_REQUEST_TIMEOUT_MS`.

    The socket time-out has to leave room for long commands from the terminal; a visitor does not
    wait as long. Within the bound the driver also looks for a server that long, and not for
    `serverSelectionTimeoutMS`.

    Args:
        app: The application, configured.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    serve = app.wsgi_app

    def serve_in_time(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        call = _Call()
        before = _current.set(call)
        try:
            return serve(environ, start_response)
        finally:
            _current.reset(before)
            call.end()

    app.wsgi_app = serve_in_time  # type: ignore[method-assign]
    app.before_request(_prepare)


def request_timeout(seconds: float | None) -> Callable[[V], V]:
    """Return a decorator that gives the requests of a view a bound of their own.

    It stands below the route.

    Args:
        seconds: For all database work of one request together; None for no bound: then each
            command may take as long as `MONGODB_SOCKET_TIMEOUT_MS` says.

    Raises:
        ValueError: `seconds` is not greater than 0.

    Example:
        >>> @request_timeout(60)
        ... def import_users() -> str: ...
    """
    if seconds is not None and seconds <= 0:
        raise ValueError("a bound must be greater than 0 seconds; None is no bound")

    def keep(view: V) -> V:
        setattr(view, _ATTRIBUTE, seconds)
        return view

    return keep


def seconds_of_request() -> float | None:
    """Return the bound of the current request, by its view or by the configuration.

    Example:
        >>> with app.test_request_context("/users"):
        ...     seconds_of_request()
        5.0
    """
    app = current_application()
    view = app.view_functions.get(request.endpoint or "")
    bound: float | None = getattr(view, _ATTRIBUTE, app.config["MONGODB_REQUEST_TIMEOUT_MS"] / 1000)
    return bound


def begin() -> None:
    """Begin the bound of the current request, if there is one and it has not begun.

    Called when the client is there, each time that it is asked for.

    Example:
        >>> begin()
    """
    call = _current.get()
    # Not in an application context within the request, as that in which indexes are created.
    if call is not None and call.waiting is not None and g.get(_CALL) is call:
        seconds, call.waiting = call.waiting, None
        call.enter(seconds)


def _prepare() -> None:
    """Enter the outermost limit; keep for `begin` what the request may take then.

    The outermost is there too where the bound begins within a block of the view's own: what leaves
    such a block sets back all that began in it, and so this one holds afterwards.
    """
    call = _current.get()
    if call is not None:  # None in a context that a test made
        call.waiting = seconds = seconds_of_request()
        call.enter(None if seconds is None else seconds + START_IN_REQUEST)
        setattr(g, _CALL, call)
