"""`-W error::DeprecationWarning`: silent for programs of today, loud for calls of PyMongo 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mongokit import Collection
from mongokit.legacy import LegacyWarning

PROGRAMS = Path(__file__).parent / "programs"


def _run(program: str, *arguments: str, filters: tuple[str, ...]) -> str:
    command = [sys.executable, *(part for each in filters for part in ("-W", each))]
    ended = subprocess.run(  # noqa: S603 - this run's interpreter, a program of ours
        [*command, str(PROGRAMS / program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_program_of_today_raises_no_warning(mongodb_uri: str, database_name: str) -> None:
    filters = ("error::DeprecationWarning", "error::PendingDeprecationWarning")

    assert _run("modern.py", mongodb_uri, database_name, filters=filters) == "done\n"


def test_each_legacy_call_raises_ours(mongodb_uri: str, database_name: str) -> None:
    filters = ("error::DeprecationWarning",)

    outcomes = json.loads(_run("legacy_calls.py", mongodb_uri, database_name, filters=filters))

    options = {call for call in outcomes if call.startswith("Connection with")}
    assert {call for call, outcome in outcomes.items() if outcome != "LegacyWarning"} == options
    assert {outcomes[call] for call in options} == {"DeprecationWarning"}


def test_a_legacy_call_is_silent_where_nobody_asked(mongodb_uri: str, database_name: str) -> None:
    """Python shows deprecations only of the main program: here the caller is a module."""
    program = (
        "import sys, types; caller = types.ModuleType('caller');"
        "exec('def count(things): return things.count()', vars(caller));"
        "from mongokit import Connection;"
        f"connection = Connection({mongodb_uri!r});"
        f"print(caller.count(connection[{database_name!r}].things)); connection.close()"
    )

    ended = subprocess.run(  # noqa: S603 - this run's interpreter
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120
    )

    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_the_warning_is_pending_and_a_deprecation(col: Collection) -> None:
    for category in (LegacyWarning, PendingDeprecationWarning, DeprecationWarning):
        with pytest.warns(category, match=r"count\(\) is PyMongo 2's: use count_documents\(\)"):
            col.count()
