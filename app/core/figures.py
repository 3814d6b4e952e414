"""What a request costs: when it began, how often it asked the database and for how long.

The driver tells a listener of each command, in the thread that sent it; so a command belongs to the
request that the thread is serving. Commands outside of requests count nowhere.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import g, has_request_context
from pymongo.monitoring import CommandListener

if TYPE_CHECKING:
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
    """Keep figures for each request from now on; the first thing that a request meets.

    Args:
        app: The application.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    app.before_request(_begin)


def of_request() -> Figures:
    """Return the figures of the current request.

    Example:
        >>> with app.test_request_context():
        ...     of_request().commands
        0
    """
    # None where the request failed before it came to `_begin`.
    found: Figures = g.get("figures") or Figures()
    return found


def _begin() -> None:
    g.figures = Figures()


def _count(microseconds: int) -> None:
    if has_request_context():
        figures: Figures | None = g.get("figures")
        if figures is not None:
            figures.commands += 1
            figures.microseconds += microseconds
