"""The examples in docstrings give what stands there, and every public name has one."""

from __future__ import annotations

import doctest
import inspect
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import flask_mongokit
import mongokit

if TYPE_CHECKING:
    from collections.abc import Iterator

CAST = Path(__file__).parent / "programs" / "cast.py"


def _documented() -> Iterator[tuple[str, str]]:
    """Each docstring of a public name or its methods, with its dotted name."""
    for name in flask_mongokit.__all__:
        value = vars(flask_mongokit)[name]
        yield name, value.__doc__ or ""
        for method, member in vars(value).items() if isinstance(value, type) else ():
            if not method.startswith("_"):
                yield f"{name}.{method}", member.__doc__ or ""


EXAMPLES = {name: text for name, text in _documented() if ">>>" in text}


@pytest.fixture
def cast(mongodb_uri: str, database_name: str) -> Iterator[dict[str, Any]]:
    """The names that examples use."""
    given = {"uri": mongodb_uri, "name": database_name}
    names = runpy.run_path(str(CAST), init_globals=given)
    yield names
    names["db"].close(names["app"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_gives_what_stands_there(name: str, cast: dict[str, Any]) -> None:
    names = {each: getattr(flask_mongokit, each) for each in flask_mongokit.__all__}
    names |= {"mongokit": mongokit, "__name__": "__main__"} | cast
    text = inspect.cleandoc(EXAMPLES[name])
    example = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    said: list[str] = []

    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)

    assert not said, "".join(said)


@pytest.mark.parametrize("name", flask_mongokit.__all__)
def test_public_name_has_an_example(name: str) -> None:
    assert name in EXAMPLES
