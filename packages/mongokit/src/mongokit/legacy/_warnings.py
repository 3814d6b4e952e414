"""Warnings that point at the line which makes a call of PyMongo 2."""

from __future__ import annotations

import inspect
import warnings


class LegacyWarning(PendingDeprecationWarning, DeprecationWarning):
    """A call of PyMongo 2 was made, which works and will go on working.

    Pending, as nothing is planned to go; a deprecation too, so that
    `python -W error::DeprecationWarning` finds the calls of a program that wants to leave them.

    Example:
        >>> import warnings
        >>> warnings.simplefilter("ignore", LegacyWarning)
    """


def warn(text: str, category: type[Warning] = LegacyWarning) -> None:
    """Warn at the first line outside of the mapper and the driver.

    Args:
        text: What is old, and what takes its place.
        category: The class of the warning.

    Example:
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     warn("the client option j is now journal", DeprecationWarning)
        >>> caught[0].category
        <class 'DeprecationWarning'>
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in {"mongokit", "pymongo"}:
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)


def warn_call(name: str, instead: str) -> None:
    """Warn about a call.

    Args:
        name: The method's name.
        instead: What to call now.

    Example:
        >>> warn_call("insert", "insert_one()")
    """
    warn(f"{name}() is PyMongo 2's: use {instead}")
