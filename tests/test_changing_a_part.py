"""The page on changing a part: its blocks give the outputs that stand there."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import mongokit

PAGE = Path(__file__).parents[1] / "docs" / "changing-a-part.md"

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_EXAMPLES = Sybil([PythonCodeBlockParser(doctest_optionflags=_FLAGS)])


@pytest.mark.replica_set
def test_page_gives_what_stands_there(mongodb_uri: str, database_name: str) -> None:
    with mongokit.Connection(mongodb_uri) as connection:
        names: dict[str, Any] = {"__name__": "__main__"}
        names |= {name: getattr(mongokit, name) for name in mongokit.__all__}
        names |= {"connection": connection, "db": connection[database_name]}
        document = _EXAMPLES.parse(PAGE)
        document.namespace = names

        for example in document.examples():
            example.evaluate()
