"""The page on strict queries gives the outputs that it shows."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "strict-queries.md"


def test_page_on_strict_queries_gives_the_outputs_that_it_shows(
    mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    names: dict[str, Any] = {"__name__": "__main__"}
    text = PAGE.read_text(encoding="utf-8")
    example = doctest.DocTestParser().get_doctest(text, names, "page", None, None)
    said: list[str] = []

    doctest.DocTestRunner().run(example, out=said.append, clear_globs=False)
    example.globs["connection"].close()

    assert not said, "".join(said)
