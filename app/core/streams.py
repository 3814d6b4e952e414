"""Answers that are sent portion by portion, when the request itself is over.

Each portion is made inside an application context, as `db` needs it, and under a bound of its own;
between two of them there is neither, so that what the server does meanwhile is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pymongo

from app.core.current import current_application

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from flask import Flask

T = TypeVar("T")
PORTION = 30.0  # seconds of database work for one portion


def portions(made: Generator[T, None, None]) -> Iterator[T]:
    """Return what a generator makes, each portion in a context of the current application.

    Args:
        made: What is to be sent; it may use `db`, also when it is closed before its end.

    Example:
        >>> Response(portions(lines()), mimetype="text/csv")
    """
    app = current_application()
    return _portions(app, made)


def _portions(app: Flask, made: Generator[T, None, None]) -> Iterator[T]:
    try:
        while True:
            with app.app_context(), pymongo.timeout(PORTION):
                try:
                    portion = next(made)
                except StopIteration:
                    return
            yield portion
    finally:
        # Also where the client has gone: what is made may have something left to put down.
        with app.app_context(), pymongo.timeout(PORTION):
            made.close()
