"""The porting guide and the choices: what they claim is run, and their searches find the lines."""

from __future__ import annotations

import doctest
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import mongokit

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("porting.md", "reference/choices.md")

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_EXAMPLES = Sybil([PythonCodeBlockParser(doctest_optionflags=_FLAGS)])


def _sections(page: str) -> Iterator[tuple[str, range]]:
    """The heading and the lines of each section of a page."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, 1) if re.match("#+ ", line)]
    for start, end in pairwise([*starts, len(lines) + 1]):
        yield lines[start - 1].lstrip("# "), range(start, end)


SECTIONS = [
    pytest.param(page, lines, id=f"{page}: {title}")
    for page in PAGES
    for title, lines in _sections(page)
]


def _blocks(page: str, lines: range, language: str) -> list[str]:
    text = "\n".join(
        (DOCS / page).read_text("utf-8").splitlines()[lines.start - 1 : lines.stop - 1]
    )
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(mongodb_uri: str, database_name: str) -> Iterator[dict[str, Any]]:
    """The names that the pages say a section starts from."""
    with mongokit.Connection(mongodb_uri) as connection:
        public = {name: getattr(mongokit, name) for name in mongokit.__all__}
        given = {"uri": mongodb_uri, "connection": connection, "db": connection[database_name]}
        yield {"__name__": "__main__", **public, **given}


# The calls and options of PyMongo 2, shown on purpose.
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("page", "lines"), SECTIONS)
def test_section_gives_what_stands_there(page: str, lines: range, names: dict[str, Any]) -> None:
    document = _EXAMPLES.parse(DOCS / page)
    document.namespace = names

    for example in document.examples():
        if example.line in lines:
            example.evaluate()


@pytest.mark.parametrize(("page", "lines"), SECTIONS)
def test_searches_find_each_line_that_must_change(page: str, lines: range, tmp_path: Path) -> None:
    old = [
        line[1:]
        for block in _blocks(page, lines, "diff")
        for line in block.splitlines()
        if line.startswith("-")
    ]
    (tmp_path / "old.py").write_text("\n".join(old), "utf-8")

    found = {
        int(line.split(":")[1])
        for command in "".join(_blocks(page, lines, "sh")).splitlines()
        for line in _output(command, tmp_path)
    }

    assert [line for number, line in enumerate(old, 1) if number not in found] == []


def _output(command: str, folder: Path) -> list[str]:
    run = subprocess.run(  # noqa: S602 - the page's own text
        command, shell=True, cwd=folder, capture_output=True, text=True, check=False
    )
    assert not run.stderr, run.stderr
    return run.stdout.splitlines()
