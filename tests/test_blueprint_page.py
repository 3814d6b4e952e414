"""The page about a blueprint of one's own, followed to the letter on a copy of the tree."""

# ruff: noqa: S603 - commands of this project, on a copy of it

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "blueprint.md").read_text("utf-8")
_FILE = re.compile(r"^`([\w/.]+)`:\n\n```python\n(.*?)```$", re.MULTILINE | re.DOTALL)
_CHANGE = re.compile(r"^```diff\n(.*?)```$", re.MULTILINE | re.DOTALL)

PROGRAM = """
from app import create_app
from app.core.db import db

app = create_app()
runner = app.test_cli_runner()
client = app.test_client()
who = ["--email", "ada@example.org", "--name", "Ada", "--password-stdin"]
runner.invoke(args=["users", "create-admin", *who], input="correct horse battery staple")
token = runner.invoke(args=["users", "token", "ada@example.org", "--name", "notes"]).stdout.strip()
client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
print(client.post("/api/notes", json={"text": "Buy ink."}).text)
print(client.post("/api/notes", json={"text": ""}).text)
print(sorted(client.get("/api/openapi.json").json["paths"]))
db.close(app)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tree, without what git ignores."""
    folder = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "instance", "node_modules", "results")
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


@pytest.fixture
def run(copy: Path, tmp_path: Path, mongodb_uri: str, database_name: str) -> Callable[..., str]:
    """A function that runs a module of this Python in the copy, and returns what it printed."""
    paths = [copy, copy / "packages/mongokit/src", copy / "packages/flask-mongokit/src"]

    def run_module(*arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=copy,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, paths)),
                "MYPYPATH": os.pathsep.join(map(str, paths)),
                "INSTANCE_PATH": str(tmp_path / "instance"),
                "MONGODB_URI": mongodb_uri,
                "MONGODB_DATABASE": database_name,
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.stdout + (done.stderr if done.returncode else "")

    return run_module


def test_page_gives_what_it_shows(copy: Path, run: Callable[..., str]) -> None:
    files = _FILE.findall(PAGE)
    assert len(files) == 5
    for path, text in files:
        written = copy / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text, "utf-8")
    changes = [block.splitlines() for block in _CHANGE.findall(PAGE)]
    assert len(changes) == 3
    for lines, path in zip(
        changes, ["app/__init__.py", "app/__init__.py", "pyproject.toml"], strict=True
    ):
        before = "\n".join(line[1:] for line in lines if line.startswith("-"))
        after = "\n".join(line[1:] for line in lines if line.startswith("+"))
        text = (copy / path).read_text("utf-8")
        assert text.count(before + "\n") == 1
        (copy / path).write_text(text.replace(before + "\n", after + "\n"), "utf-8")

    flask = ("-m", "flask", "--app", "wsgi", "db")
    production = {"APP_ENV": "production", "SECRET_KEY": "x0" + os.urandom(24).hex()}
    planned, synced = run(*flask, "plan", **production), run(*flask, "sync", **production)
    printed = run("-c", PROGRAM, APP_ENV="development").splitlines()
    tested = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/notes")
    linted = run("-m", "ruff", "check", "--no-cache", "app/notes", "tests/notes", "app/__init__.py")
    formatted = run("-m", "ruff", "format", "--no-cache", "--check", "app/notes", "tests/notes")
    floors = run("-c", "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])")

    shown = re.search(r"\$ flask db plan\n(.*?)\$ flask db sync\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert shown[1] in planned
    assert set(shown[2].splitlines()) <= set(synced.splitlines())
    answers = re.findall(r"^\{.*\}$", PAGE, re.MULTILINE)
    for answer, expected in zip(printed, answers, strict=False):
        assert re.fullmatch(re.escape(expected).replace(re.escape("..."), '[^"]+'), answer)
    assert "/api/notes" in printed[2]
    assert "/api/notes/{id}" in printed[2]
    assert "1 passed" in tested
    assert "All checks passed" in linted
    assert "already formatted" in formatted
    assert "0 broken" in floors
