"""The reference is what the docstrings say now."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The pages as the docstrings make them; every public name has its place, or this fails."""
    script: dict[str, Any] = runpy.run_path(str(DOCS / "build_reference.py"))
    made: dict[str, str] = script["build"]()
    return made


def test_reference_is_not_stale(pages: dict[str, str]) -> None:
    stale = [
        name
        for name, text in pages.items()
        if not (page := DOCS / "reference" / name).exists() or page.read_text("utf-8") != text
    ]

    assert not stale, "run `make reference`"


def test_reference_has_no_page_of_nothing(pages: dict[str, str]) -> None:
    written = {page.name for page in (DOCS / "reference").glob("*.md")}

    assert written - pages.keys() == {"choices.md"}
