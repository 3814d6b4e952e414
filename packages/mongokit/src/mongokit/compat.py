"""Python 2's names of types, for code that is being ported.

Example:
    >>> from mongokit.compat import basestring, unicode
    >>> isinstance("text", basestring)
    True
"""

from __future__ import annotations

__all__ = ["basestring", "long", "unicode"]

unicode = str
basestring = str
long = int
