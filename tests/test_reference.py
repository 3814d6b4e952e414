"""The reference is what the docstrings say now."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize(
    "page", sorted([*DOCS.glob("reference/*.md"), DOCS / "porting.md"]), ids=lambda page: page.name
)
def test_links_lead_to_a_page_and_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s:]+)\)", page.read_text("utf-8"))

    broken = [link for link in links if not _is_heading(page, *link.partition("#")[::2])]

    assert not broken


def _is_heading(page: Path, path: str, anchor: str) -> bool:
    target = page.parent / path if path else page
    if not target.exists():
        return False
    headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
    return not anchor or anchor in {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    """A heading as the last part of an address, the way that forges make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
