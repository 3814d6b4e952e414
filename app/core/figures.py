"""What a request costs: when it began, how often it asked the database and for how long.

The driver tells a listener of each command, in the context that sent it; so a command belongs to
the request that is served there. Commands outside of requests count nowhere.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from pymongo.monitoring import CommandListener

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask
    from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent


class Figures:
    """The figures of one request.

    Attributes:
        began: When it began, by `time.perf_counter`.
        commands: The commands that the database has answered, or failed at.
        microseconds: What they took together.

    Example:
        >>> figures = Figures()
        >>> figures.commands, figures.microseconds
        (0, 0)
    """

    __slots__ = ("began", "commands", "microseconds")

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.commands = 0
        self.microseconds = 0

    def seconds(self) -> float:
        """Return how long ago the request began.

        Example:
            >>> Figures().seconds() >= 0
            True
        """
        return time.perf_counter() - self.began


# Not in `g`: a listener is called for each command, and this is found in a single step.
_current: ContextVar[Figures | None] = ContextVar("app.figures", default=None)


class Counter(CommandListener):
    """Counts commands for the request that sent them; one for each app's client.

    Example:
        >>> MongoClient(event_listeners=[Counter()])  # doctest: +SKIP
    """

    reads_no_replies = True  # the mapper may decode them as it likes

    def started(self, event: CommandStartedEvent) -> None:
        """Do nothing; the driver calls all three."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Count a command that was answered."""
        _count(event.duration_micros)

    def failed(self, event: CommandFailedEvent) -> None:
        """Count a command that failed: the time that it took was spent as well."""
        _count(event.duration_micros)


def init_app(app: Flask) -> None:
    """Keep figures for each request from now on.

    Args:
        app: The application.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    serve = app.wsgi_app

    def serve_and_count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        before = _current.set(Figures())
        try:
            return serve(environ, start_response)
        finally:
            _current.reset(before)

    app.wsgi_app = serve_and_count  # type: ignore[method-assign]


def of_request() -> Figures:
    """Return the figures of the current request; new ones in a context that no request made.

    Example:
        >>> with app.test_request_context():
        ...     of_request().commands
        0
    """
    return _current.get() or Figures()


def _count(microseconds: int) -> None:
    figures = _current.get()
    if figures is not None:
        figures.commands += 1
        figures.microseconds += microseconds
