"""The house's own rules: what no file may hold, what every document must name."""

# ruff: noqa: S603 - git, asked for its own list

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from subprocess import CalledProcessError, run
from typing import TYPE_CHECKING

import click
import pytest

from app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = [ROOT, ROOT / "packages" / "mongokit", ROOT / "packages" / "flask-mongokit"]
_NOT_OURS = {".git", ".venv", ".envs", ".nox", "__pycache__", "build", "dist", ".artifacts"}

# Written so that they do not find themselves: this file is searched too.
FORBIDDEN = {
    "unfinished work": r"\b([T]ODO|[F]IXME|[X]XX)\b",
    "a path of one machine": r"/([h]ome|[U]sers|[r]oot|[w]ork)/\w",
    "a package registry": r"[p]ypi\.org|[p]ythonhosted\.org|[n]pmjs\.(com|org)",
    "an index in a requirement": r"--(extra-)?[i]ndex-url|--[f]ind-links",
}


def _files() -> list[Path]:
    """Every file of the project: git's own list, or in a bare copy all but what git ignores."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        names = run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, CalledProcessError):
        return [path for path in ROOT.rglob("*") if path.is_file() and _is_ours(path)]
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def _is_ours(path: Path) -> bool:
    inside = path.relative_to(ROOT)
    kept = inside.parts[0] != "instance" or inside.name == "README.md"
    return kept and not _NOT_OURS.intersection(inside.parts)


def _documents() -> list[Path]:
    return [path for path in _files() if path.suffix == ".md"]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    wanted = re.compile(FORBIDDEN[what])
    found = []

    for path in _files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        places = (f"{path.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, 1))
        found += [place for place, line in zip(places, lines, strict=True) if wanted.search(line)]

    assert found == []


def test_a_pin_is_a_name_and_a_version_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert lines == sorted(lines, key=lambda line: line.lower().replace("-", "_"))


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


def test_every_command_and_each_of_its_options_is_documented_and_has_a_help_text() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    commands = dict(_commands(create_app({"APP_ENV": "testing"}).cli, "flask"))

    assert {"flask users import", "flask users export", "flask db sync"} <= set(commands)
    assert [name for name, command in commands.items() if not command.help] == []
    assert [name for name in commands if name not in page] == []
    options = {
        option: parameter.help
        for command in commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    assert [option for option, text in options.items() if option not in page or not text] == []


def test_every_target_of_make_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)

    assert "run" in targets
    assert [each for each in targets if each != "help" and f"`make {each}`" not in page] == []


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in _documents()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert broken == []


def test_every_page_is_reached_from_an_index() -> None:
    docs = ROOT / "docs"
    reached = {
        (index.parent / target).resolve()
        for index in docs.rglob("README.md")
        for target in re.findall(r"\]\(([^)#\s]+)", index.read_text(encoding="utf-8"))
    }

    pages = [page for page in docs.rglob("*.md") if page != docs / "README.md"]

    assert [str(page.relative_to(docs)) for page in pages if page not in reached] == []


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_each_distribution_has_a_licence_a_readme_and_a_changelog_of_its_version(
    folder: Path,
) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (folder / "CHANGELOG.md").read_text(encoding="utf-8")

    headings = re.findall(r"^## (.+)$", changes, re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert project["version"] in headings
    assert len((folder / "README.md").read_text(encoding="utf-8")) > 1000
    assert "Redistribution" in (folder / "LICENSE").read_text(encoding="utf-8")
