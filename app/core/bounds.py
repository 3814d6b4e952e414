"""How long the database work of one request may take: all of it together, by pymongo.timeout.

    the WSGI call          ExitStack: whatever way the call ends, no bound outlives it
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

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import pymongo
from flask import current_app, g, has_request_context, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask

V = TypeVar("V", bound="Callable[..., Any]")

START_IN_REQUEST = 10.0  # seconds that a visitor waits for the embedded engine and for indexes

_ATTRIBUTE = "__request_timeout__"
_STACK = "app.bounds"  # in the WSGI environment, as long as the call lasts
_WAITING = "database_bound"  # in `g`, until the bound begins


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
        with ExitStack() as stack:
            environ[_STACK] = stack
            # What uses the database later, as a streamed answer may, has no bound to begin.
            stack.callback(environ.pop, _STACK)
            return serve(environ, start_response)

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
    default: float = current_app.config["MONGODB_REQUEST_TIMEOUT_MS"] / 1000
    view = current_app.view_functions.get(request.endpoint or "")
    bound: float | None = getattr(view, _ATTRIBUTE, default)
    return bound


def begin() -> None:
    """Begin the bound of the current request, if there is one and it has not begun.

    Called when the client is there, each time that it is asked for.

    Example:
        >>> begin()
    """
    if has_request_context() and (seconds := g.pop(_WAITING, None)) is not None:
        stack: ExitStack | None = request.environ.get(_STACK)
        if stack is not None:
            stack.enter_context(pymongo.timeout(seconds))


def _prepare() -> None:
    """Enter the outermost limit; keep for `begin` what the request may take then.

    The outermost is there too where the bound begins within a block of the view's own: what leaves
    such a block sets back all that began in it, and so this one holds afterwards.
    """
    stack: ExitStack | None = request.environ.get(_STACK)
    if stack is not None:  # None in a context that a test made
        seconds = seconds_of_request()
        outermost = None if seconds is None else seconds + START_IN_REQUEST
        stack.enter_context(pymongo.timeout(outermost))
        setattr(g, _WAITING, seconds)
