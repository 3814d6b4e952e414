"""The examples in docstrings give what stands there, and every public name has one."""

from __future__ import annotations

import ast
import doctest
import re
import runpy
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mongokit

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(mongokit.__file__).parent
CAST = Path(__file__).parent / "programs" / "cast.py"

# What the embedded engine has not; see its page among the decisions.
NEEDS_MONGOD = {
    "legacy.collection.LegacyCollection.inline_map_reduce",
    "legacy.collection.LegacyCollection.map_reduce",
    "queries.Queries.find_fulltext",
    "raw_queries.RawQueries.find_fulltext",
}

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _docstrings(node: ast.AST, path: str) -> Iterator[tuple[str, str]]:
    """Each docstring at or below a node, with its dotted name."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    if isinstance(node, kinds) and (text := ast.get_docstring(node)):
        yield path, text
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from _docstrings(child, f"{path}.{child.name}")


def _module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


DOCSTRINGS = {
    name.strip("."): (_module_name(file), text)
    for file in sorted(PACKAGE.rglob("*.py"))
    for name, text in _docstrings(ast.parse(file.read_text("utf-8")), _module_name(file))
}
_ALL_EXAMPLES = "\n".join(text for _, text in DOCSTRINGS.values())
EXAMPLES = {name: given for name, given in DOCSTRINGS.items() if ">>>" in given[1]}

# Making the cast takes longer than most examples, so only those that name one of it get it.
_OF_THE_CAST = {
    *("Page", "Post", "User", "ada", "collection", "connection", "db", "grace", "page", "post"),
    *("uri", "user"),
}


@pytest.fixture
def cast(mongodb_uri: str, database_name: str) -> Iterator[dict[str, Any]]:
    """The names that examples use."""
    names = runpy.run_path(str(CAST), init_globals={"uri": mongodb_uri, "name": database_name})
    yield names
    names["connection"].close()


# The calls of PyMongo 2 are documented too.
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_example_gives_what_stands_there(name: str, request: pytest.FixtureRequest) -> None:
    module, text = EXAMPLES[name]
    names = {each: getattr(mongokit, each) for each in mongokit.__all__}
    names |= vars(import_module(f"mongokit.{module}".strip(".")))
    example = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    sources = " ".join(part.source for part in example.examples)
    if _OF_THE_CAST & set(re.findall(r"\w+", sources)):
        example.globs |= request.getfixturevalue("cast")
    if name in NEEDS_MONGOD and _is_embedded(example.globs["connection"]):
        pytest.skip("the embedded engine can't do this")
    example.globs["__name__"] = "__main__"
    said: list[str] = []

    doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)

    assert not said, "".join(said)


@pytest.mark.parametrize("name", sorted(mongokit.__all__))
def test_public_name_has_an_example(name: str) -> None:
    value = getattr(mongokit, name)

    own = value.__doc__ if isinstance(value, type) or callable(value) else None

    # Constants, and the names that bson and PyMongo document, stand in others' examples.
    assert ">>>" in (own or "") or re.search(rf"(>>>|\.\.\.) .*\b{name}\b", _ALL_EXAMPLES)


def _is_embedded(connection: Any) -> bool:
    return bool(connection.admin.command("hello").get("setName") == "secantus")
