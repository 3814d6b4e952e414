"""The guard over the logs bites."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from flask_wtf.csrf import generate_csrf  # type: ignore[import-untyped]

from tests.guard import FORBIDDEN, guarded
from tests.secrets import PASSWORD

if TYPE_CHECKING:
    from flask import Flask

ROOT = Path(__file__).parents[1]
LEAKS = [
    ("an e-mail address", "no user has ada@example.org"),
    ("an e-mail address", "GET /users?email=ada%40example.org"),
    ("a token of ours", "token mk_aBcDeFgHiJkLmNoPqRsT0123"),
    ("an Authorization header", "authorization: bearer abc"),
    ("a session cookie", "Cookie: session=eyJ1c2VyIjoxfQ"),
    ("a password", f"tried {PASSWORD}"),
]
HARMLESS = [
    "GET /api/users/0123456789abcdef01234567 200 3.1 ms",
    "created the index users.email_key_1",
    "failed at File app/users/services.py, line 12, in find",
]
PROGRAM = """
import logging
import pytest

def test_harmless():
    logging.getLogger("a").warning("all is well")

def test_leaking():
    logging.getLogger("a").warning("no user has %s", "ada@example.org")

@pytest.mark.logs_secrets
def test_leaking_on_purpose():
    logging.getLogger("a").warning("no user has %s", "ada@example.org")
"""


@pytest.mark.logs_secrets
@pytest.mark.parametrize(("what", "text"), LEAKS)
@pytest.mark.parametrize("logger", [logging.getLogger("a"), structlog.stdlib.get_logger("a")])
def test_guard_finds(app: Flask, logger: Any, what: str, text: str) -> None:
    with guarded() as guard:
        logger.warning(text)

    [found] = guard.found
    assert found.startswith(f"a logged {what}: ")


@pytest.mark.logs_secrets
def test_guard_finds_a_csrf_token(app: Flask) -> None:
    with app.test_request_context(), guarded() as guard:
        logging.getLogger("a").warning("the form held %s", generate_csrf())

    assert guard.found[0].startswith("a logged a CSRF token")


@pytest.mark.logs_secrets
def test_guard_finds_what_stands_in_fields_and_exceptions(app: Flask) -> None:
    with guarded() as guard:
        logging.getLogger("a").warning("in a field", extra={"email": "ada@example.org"})
        try:
            raise LookupError("ada" + "@example.org")
        except LookupError:
            logging.getLogger("a").exception("in an exception")

    assert len(guard.found) == 2


@pytest.mark.logs_secrets
def test_guard_looks_at_debug_where_it_is_enabled(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with guarded() as guard:
        logging.getLogger("a.b").debug("ada@example.org")
        with caplog.at_level(logging.DEBUG, "a.b"):
            logging.getLogger("a.b").debug("grace@example.org")

    [found] = guard.found
    assert "grace" in found


def test_guard_lets_pass_what_is_harmless(app: Flask) -> None:
    with guarded() as guard:
        for text in HARMLESS:
            logging.getLogger("a").warning(text)

    assert guard.found == []


def test_every_pattern_is_tried() -> None:
    assert {what for what, _ in LEAKS} | {"a CSRF token"} == set(FORBIDDEN)


def test_test_that_leaks_fails_unless_it_says_that_it_will(tmp_path: Path) -> None:
    (tmp_path / "test_program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:xdist"]
    command += ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), str(tmp_path)]

    done = subprocess.run(  # noqa: S603 - our own interpreter
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert re.search(r"3 passed, 1 error", done.stdout), done.stdout
    assert "ERROR" in done.stdout
    assert "test_leaking - Failed: a logged an e-mail address" in done.stdout
