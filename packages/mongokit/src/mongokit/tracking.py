"""What a program sets in a document of an annotated class, noted where it matters.

Stored data may be older than its class: a field that was read and that nobody declares stays. A
field that the program adds must be declared. To tell the two apart, such classes get these methods,
which note what is set; reading a document costs nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def _note(doc: Any, key: Any) -> None:
    if key not in type(doc).__mongokit__.unwatched and not doc._made:
        doc.__dict__["_added"] = doc._added | {key}


def _set(self: Any, key: Any, value: Any) -> None:
    """Set a field."""
    _note(self, key)
    dict.__setitem__(self, key, value)


def _update(self: Any, *args: Any, **kwargs: Any) -> None:
    """Set many fields, as `dict.update` does."""
    if not self._made:
        for given in (*args[:1], kwargs):
            pairs: Iterable[Any] = given if isinstance(given, Mapping) else dict(given)
            for key in pairs:
                _note(self, key)
    dict.update(self, *args, **kwargs)


def _set_default(self: Any, key: Any, default: Any = None) -> Any:
    """Set a field that is missing, as `dict.setdefault` does."""
    if not dict.__contains__(self, key):
        _note(self, key)
    return dict.setdefault(self, key, default)


def _merge(self: Any, other: Any) -> Any:
    """Set many fields, as `|=` does."""
    pairs = other if isinstance(other, Mapping) else dict(other)
    for key in pairs:
        _note(self, key)
    dict.update(self, pairs)
    return self


METHODS: Mapping[str, Callable[..., Any]] = {
    "__setitem__": _set,
    "update": _update,
    "setdefault": _set_default,
    "__ior__": _merge,
}
"""The methods of dict that set fields, by name."""


def made(doc: Any) -> None:
    """Note that the program made a document.

    Args:
        doc: A new document.
    """
    if type(doc).__mongokit__.notes_origin:
        doc.__dict__["_made"] = True


def read(doc: Any) -> None:
    """Note that all of a document's content comes from the database.

    Args:
        doc: A document that has just been read.
    """
    doc.__dict__.pop("_made", None)
    doc.__dict__.pop("_added", None)
