"""What the documents show is run here, block by block, with the outputs that stand there."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from app.core import embedded
from app.core.db import db
from mongokit import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
_EXAMPLES = Sybil([PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS)])

# The calls of PyMongo 2, shown on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture
def run(
    mongodb_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """A function that runs a document's blocks as one program, and returns its names.

    The run's server stands in for the reader's own, wherever the document has its address from.
    """
    monkeypatch.setenv("INSTANCE_PATH", str(tmp_path / "instance"))
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("FLASK_MONGODB_URI", mongodb_uri)
    monkeypatch.setattr(embedded, "attach", lambda _folder: mongodb_uri)
    names: dict[str, Any] = {"__name__": "__main__"}  # as if typed in

    def run_document(path: str) -> dict[str, Any]:
        document = _EXAMPLES.parse(ROOT / path)
        document.namespace = names
        for example in document.examples():
            example.evaluate()
        return names

    yield run_document
    for name in ("connection", "client"):
        if isinstance(names.get(name), MongoClient):
            names[name].close()
    for name in ("app", "service"):
        if name in names:
            for extension in {db, names.get("db", db)}:
                extension.close(names[name])


@pytest.fixture
def drop(mongodb_uri: str) -> Iterator[Callable[[str], None]]:
    """A function that drops a database of a document's choice, now and when the test ends."""
    names: list[str] = []
    with MongoClient[dict[str, Any]](mongodb_uri) as client:

        def drop_database(name: str) -> None:
            names.append(name)
            client.drop_database(name)

        yield drop_database
        for name in names:
            client.drop_database(name)


def test_tutorial_gives_the_outputs_that_it_shows(
    run: Callable[[str], dict[str, Any]], drop: Callable[[str], None]
) -> None:
    drop("tutorial")
    drop("tutorial_service")

    run("docs/tutorial.md")


def test_annotated_declarations_give_the_outputs_that_they_show(
    run: Callable[[str], dict[str, Any]],
) -> None:
    run("docs/annotations.md")


def test_page_on_schemas_gives_the_outputs_that_it_shows(
    run: Callable[[str], dict[str, Any]], drop: Callable[[str], None]
) -> None:
    drop("schemas_page")

    run("docs/schemas.md")


def test_pattern_in_the_readme_works_as_it_stands(
    run: Callable[[str], dict[str, Any]],
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLASK_MONGODB_DATABASE", database_name)
    client = run("README.md")["app"].test_client()

    refused = client.post("/users", json={"name": "x" * 51, "email": "x@example.org"})
    added = client.post("/users", json={"name": "Ada", "email": "ada@example.org"})

    assert (refused.status_code, refused.json["path"]) == (422, "name")
    assert added.status_code == 201
    assert client.get("/users").json == ["Ada"]


def test_readme_of_mongokit_gives_the_outputs_that_it_shows(
    run: Callable[[str], dict[str, Any]], drop: Callable[[str], None]
) -> None:
    drop("blog")

    run("packages/mongokit/README.md")


def test_generated_source_is_what_the_page_on_performance_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (ROOT / "docs/performance.md").read_text("utf-8")
    program, shown = re.findall(
        r"```python\n(class User.*?)```.*?```python\n(def check.*?)```", page, re.DOTALL
    )[0]

    exec(program, {"Document": Document})  # noqa: S102 - the page's own example

    # Laid out by a formatter there.
    assert ast.dump(ast.parse(capsys.readouterr().out)) == ast.dump(ast.parse(shown))


def test_pattern_in_the_readme_has_about_twenty_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    pattern = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]

    assert len([line for line in pattern.splitlines() if line.strip()]) <= 26
