"""What no log may hold, looked for in everything that a test logs.

Each record is looked at as it was logged, and in both forms in which the application writes it. A
test that logs such things on purpose is marked `logs_secrets`.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.core.logging import JSONFormatter, TextFormatter
from tests.secrets import PASSWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

FORBIDDEN = {
    "an e-mail address": re.compile(r"[\w.+-]+(@|%40)[\w-]+(\.[\w-]+)+"),
    "a token of ours": re.compile(r"mk_[A-Za-z0-9]{20,}"),
    "an Authorization header": re.compile(r"(Bearer|Basic) ", re.IGNORECASE),
    "a session cookie": re.compile(r"session=", re.IGNORECASE),
    # Flask-WTF's: a SHA-1 in quotes, and a time, signed by itsdangerous.
    "a CSRF token": re.compile(r"csrf_token=|\bI[\w-]{55}\.[\w-]{6,7}\.[\w-]{27}"),
    "a password": re.compile("|".join(map(re.escape, PASSWORDS))),
}


class Guard(logging.Handler):
    """Looks at records, and keeps what it found in them.

    Attributes:
        found: A sentence for each finding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._forms = (JSONFormatter(), TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record."""
        texts = {record.getMessage(), *(form.format(record) for form in self._forms)}
        for what, pattern in FORBIDDEN.items():
            if hit := next(filter(None, map(pattern.search, texts)), None):
                self.found.append(f"{record.name} logged {what}: {hit.string!r}")


@contextmanager
def guarded() -> Iterator[Guard]:
    """Look at all that is logged in a block, by whatever logger, on each level that is enabled."""
    guard, root = Guard(), logging.getLogger()
    root.addHandler(guard)
    try:
        yield guard
    finally:
        root.removeHandler(guard)
