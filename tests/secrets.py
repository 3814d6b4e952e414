"""What tests use as secrets. None of it may stand in a log: `tests.guard` looks for each."""

from __future__ import annotations

PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "staple battery horse correct"
WRONG_PASSWORD = "a guess that is long enough"

PASSWORDS = [PASSWORD, OTHER_PASSWORD, WRONG_PASSWORD]
