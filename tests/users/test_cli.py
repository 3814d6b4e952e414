"""The terminal's door: files in, files out, what is said about it, and the exit status."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import psutil
import pytest
from hypothesis import strategies as st

from app.core.db import db
from app.users import bulk, cli, documents, files, services
from app.users.permissions import OPERATOR
from benchmarks import people
from mongokit import Embedded, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from flask import Flask

pytestmark = pytest.mark.usefixtures("declared_as")


@pytest.fixture
def run(app: Flask) -> Callable[..., Result]:
    """Run `flask users …` in this process."""

    def invoke(*arguments: object, stdin: bytes | None = None) -> Result:
        return app.test_cli_runner().invoke(
            args=["users", *map(str, arguments)], input=stdin, catch_exceptions=False
        )

    return invoke


def stored() -> list[tuple[str, str]]:
    return [(user["name"], user["email"]) for user in db["users"].find().sort("_id", 1)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


CSV = (
    "name,email\r\n"
    '"Ada ""A"" Lovelace, Jr.",ada@example.org\r\n'
    '"Grace\r\nHopper",grace@EXAMPLE.org\r\n'
    "x,bad\r\n"
    f"{'n' * 51},n@example.org\r\n"
    "Eve,ADA@example.org\r\n"
)
GOOD = [('Ada "A" Lovelace, Jr.', "ada@example.org"), ("Grace\r\nHopper", "grace@example.org")]


def test_good_rows_are_stored_and_bad_ones_named_by_line_field_and_rule(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    result = run("import", write(tmp_path / "people.csv", CSV))

    assert result.exit_code == 1
    assert stored() == GOOD
    assert result.stdout == "2 stored, 0 already there, 3 refused\n"
    assert [line for line in result.stderr.splitlines() if line.startswith("line ")] == [
        "line 5: email: email: email must be an e-mail address, like ada@example.org",
        "line 6: name: max_length: name must be at most 50 characters long",
        "line 7: email: unique: Another user has this e-mail address.",
    ]


def test_same_import_again_stores_nothing_and_says_so(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = write(tmp_path / "people.csv", "name,email\r\nAda,ada@example.org\r\n")
    run("import", file)

    result = run("import", file)

    assert (result.exit_code, result.stdout) == (0, "0 stored, 1 already there, 0 refused\n")
    assert len(stored()) == 1


def test_dry_run_checks_everything_and_stores_nothing(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    services.create({"name": "Grace\nHopper", "email": "grace@example.org"}, by=OPERATOR)

    result = run("import", write(tmp_path / "people.csv", CSV), "--dry-run")

    assert result.exit_code == 1
    assert result.stdout == (
        "dry run, nothing was stored: 1 would be stored, 0 already there, 4 would be refused\n"
    )
    assert "line 3: email: unique" in result.stderr
    assert "line 7: email: unique" in result.stderr
    assert len(stored()) == 1


def test_rejected_rows_are_written_as_they_stood_and_import_when_corrected(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    rejects = write(tmp_path / "rejects.csv", "an older file")
    run("import", write(tmp_path / "people.csv", CSV), "--rejects", rejects)

    with rejects.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.reader(opened))
    corrected = rejects.read_text(encoding="utf-8").replace("x,bad", "Bob,bob@example.org")
    again = run("import", write(tmp_path / "corrected.csv", corrected))

    assert rows == [
        ["name", "email", "line", "field", "rule", "message"],
        ["x", "bad", "5", "email", "email",
         "email must be an e-mail address, like ada@example.org"],
        ["n" * 51, "n@example.org", "6", "name", "max_length",
         "name must be at most 50 characters long"],
        ["Eve", "ADA@example.org", "7", "email", "unique",
         "Another user has this e-mail address."],
    ]  # fmt: skip
    assert again.stdout == "1 stored, 0 already there, 2 refused\n"
    assert stored()[-1] == ("Bob", "bob@example.org")


def test_rejected_ndjson_is_ndjson(run: Callable[..., Result], tmp_path: Path) -> None:
    rejects = tmp_path / "rejects"
    lines = b'{"name":"Ada","email":"x"}\n{"name":"Eve","email":"eve@example.org"}\nno json\n'

    result = run("import", "-", "--format", "ndjson", "--rejects", rejects, stdin=lines)

    assert result.stdout == "1 stored, 0 already there, 2 refused\n"
    first, second = map(json.loads, rejects.read_text(encoding="utf-8").splitlines())
    assert (first["name"], first["email"], first["line"]) == ("Ada", "x", 1)
    assert (second["source"], second["line"], second["rule"]) == ("no json", 3, "json")


def test_rejects_never_overwrite_the_file_that_is_read(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = write(tmp_path / "people.csv", CSV)
    link = tmp_path / "link.csv"
    link.symlink_to(file)

    for rejects in (file, link):
        result = run("import", file, "--rejects", rejects)
        assert result.exit_code == 2
        assert "it is the file to be imported" in result.stderr

    assert file.read_bytes() == CSV.encode()
    assert stored() == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["import", "missing.csv"], "does not exist"),
        (["import", "."], "is a directory"),
        (["import"], "Missing argument"),
        (["import", "people.txt"], "say --format csv"),
        (["import", "people.txt", "--format", "xml"], "is not one of"),
        (["import", "people.csv"], "lacks name and email"),
        (["export", "people.xls"], "say --format csv"),
    ],
)
def test_what_cannot_begin_is_told_with_status_2(
    run: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "people.txt", CSV)
    write(tmp_path / "people.csv", "Ada;ada@example.org\n")

    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr
    assert "Traceback" not in result.output


def test_bad_bytes_and_endless_rows_are_refused_rows(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    content = (
        b"\xef\xbb\xbfname,email\r\nAd\xe4,a@example.org\r\nNu\0l,n@example.org\r\n"
        + b"x" * 300_000
        + b',x@example.org\r\n"never closed,q@example.org\r\nAda,ada@example.org\r\n'
    )

    result = run("import", write(tmp_path / "people.csv", content))

    assert result.exit_code == 1
    assert stored() == [("Ada", "ada@example.org")]
    reported = [line.split(": ")[:3] for line in result.stderr.splitlines() if "line" in line]
    assert reported == [
        ["line 2", "name", "encoding"],
        ["line 3", "name", "characters"],
        ["line 4", "row", "length"],
        ["line 5", "row", "csv"],
    ]


def test_what_a_file_holds_cannot_command_the_terminal(run: Callable[..., Result]) -> None:
    line = b'{"name":"Ada","email":"ada@example.org","\\u001b[2J\\n\\u202eage":1}\n'

    result = run("import", "-", "--format", "ndjson", stdin=line)

    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output


@pytest.mark.parametrize(("format", "extension"), [("csv", ".csv"), ("ndjson", ".jsonl")])
def test_export_imports_again_as_the_same_users(
    run: Callable[..., Result], tmp_path: Path, format: str, extension: str
) -> None:
    run("import", write(tmp_path / "people.csv", CSV))
    before = list(bulk.export_rows(by=OPERATOR))

    to_file = run("export", tmp_path / f"out{extension}")
    to_stdout = run("export", "--format", format)
    db["users"].delete_many({})
    again = run("import", tmp_path / f"out{extension}")

    assert (to_file.exit_code, to_file.stdout, to_stdout.exit_code) == (0, "", 0)
    assert to_stdout.stdout_bytes == (tmp_path / f"out{extension}").read_bytes()
    assert (again.exit_code, again.stdout) == (0, "2 stored, 0 already there, 0 refused\n")
    assert list(bulk.export_rows(by=OPERATOR)) == before


def test_export_of_nothing_is_a_header(run: Callable[..., Result]) -> None:
    assert run("export").stdout_bytes == b"name,email,role,created\r\n"
    assert run("export", "--format", "ndjson").stdout_bytes == b""


def test_export_that_fails_leaves_the_older_file_and_no_other(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    folder = tmp_path / "out"
    folder.mkdir()
    file = write(folder / "people.csv", "older")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Writer, "write", full)
    result = run("export", file)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: No space left on device" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["people.csv"]
    assert file.read_bytes() == b"older"


def test_export_writes_into_a_device(run: Callable[..., Result]) -> None:
    assert run("export", "/dev/null", "--format", "csv").exit_code == 0
    assert Path("/dev/null").is_char_device()


def test_database_that_is_gone_ends_the_import_with_one_sentence(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app(MONGODB_URI="mongodb://127.0.0.1:1/", MONGODB_SERVER_SELECTION_TIMEOUT_MS=200)
    file = write(tmp_path / "people.csv", CSV)

    for arguments in (["import", str(file)], ["export", str(tmp_path / "out.csv")]):
        result = app.test_cli_runner().invoke(args=["users", *arguments])
        assert result.exit_code == 4
        assert "Error: The database did not answer" in result.stderr
        assert "Traceback" not in result.output
    assert not (tmp_path / "out.csv").exists()


def test_progress_is_plain_lines_where_there_is_no_terminal(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_PLAIN_STEP", 2)
    rows = "".join(f"Ada,{n}@example.org\n" for n in range(5))

    result = run("import", "-", stdin=f"name,email\n{rows}".encode())

    progress = [line for line in result.stderr.splitlines() if line.startswith("Importing")]
    assert progress == ["Importing: 2 rows", "Importing: 4 rows"]
    assert "\r" not in result.stderr


def test_progress_is_a_bar_on_a_terminal(settings: dict[str, object], tmp_path: Path) -> None:
    file = write(tmp_path / "people.csv", CSV)
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    flask = [sys.executable, "-m", "flask", "--app", "app:create_app"]

    terminal, other_end = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command
        [*flask, "users", "import", str(file)],
        env=environment,
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
    ) as process:
        os.close(other_end)
        shown = b""
        with contextlib.suppress(OSError):  # Linux answers EIO when the other end is closed
            while read := os.read(terminal, 4096):
                shown += read
    os.close(terminal)

    assert process.returncode == 1
    assert b"100%" in shown
    assert b"line 5: email: email: " in shown
    assert b"2 stored, 0 already there, 3 refused" in shown


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("import - <&-", 2, "no header"),
        ("create-admin --email a@example.org --name A --password-stdin <&-", 1, "password"),
        ("create-admin --email a@example.org --name A <&-", 2, "--password-stdin"),
        ("delete ada@example.org <&-", 1, "Aborted"),
        ("export >&-", 2, "standard output is closed"),
        ("show ada@example.org 2>&-", 0, ""),
    ],
)
def test_closed_stream_is_no_traceback(
    settings: dict[str, object], run: Callable[..., Result], command: str, status: int, said: str
) -> None:
    run("import", "-", stdin=CSV.encode())
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    flask = f"{sys.executable} -m flask --app app:create_app users {command}"

    result = subprocess.run(  # noqa: S603 - our own command
        ["/bin/sh", "-c", flask], env=environment, capture_output=True, text=True, check=False
    )

    assert result.returncode == status, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_reports_for_programs(run: Callable[..., Result]) -> None:
    imported = run("import", "--json", "-", stdin=CSV.encode())
    lines = [json.loads(line) for line in imported.stdout.splitlines()]
    refreshed = run("refresh", "--json")
    exported = run("export", "--json")

    assert imported.exit_code == 1
    assert imported.stderr == ""
    assert [line["result"] for line in lines[:-1]].count("stored") == 2
    assert lines[-1] == {"stored": 2, "present": 0, "refused": 3}
    refused = next(line for line in lines if line.get("result") == "refused")
    assert refused["errors"][0]["rule"] == "email"
    assert json.loads(refreshed.stdout) == {"set": 0, "right": 2, "taken": 0}
    assert [json.loads(line)["email"] for line in exported.stdout.splitlines()] == [
        "ada@example.org",
        "grace@example.org",
    ]
    assert run("export", "--json", "--format", "csv").exit_code == 2


def test_help_names_every_option(run: Callable[..., Result]) -> None:
    assert {"import", "export"} <= set(run("--help").stdout.split())
    shown = run("import", "--help").stdout
    assert all(option in shown for option in ("--format", "--rejects", "--dry-run", "FILE"))


def test_every_option_is_in_the_documentation() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "import-and-export.md").read_text("utf-8")

    for command in (cli.import_users, cli.export_users, cli.refresh_users):
        assert f"flask users {command.name}" in page
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or option in page


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=50)
emails = st.builds("{}@example.org".format, st.text("abcäß.+-王", min_size=1, max_size=12))


@pytest.mark.parametrize("format", files.EXTENSIONS.values())
@hypothesis.settings(
    max_examples=15, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(pairs=st.lists(st.tuples(names, emails), max_size=12))
def test_export_holds_exactly_what_the_import_took(
    run: Callable[..., Result], tmp_path: Path, format: files.Format, pairs: list[tuple[str, str]]
) -> None:
    db["users"].delete_many({})
    with (tmp_path / "in").open("wb") as stream:
        writer = files.Writer(stream, format, ["name", "email"])
        for name, email in pairs:
            writer.write({"name": name, "email": email})

    result = run("import", tmp_path / "in", "--format", format, "--rejects", tmp_path / "rejects")
    run("export", tmp_path / "out", "--format", format)

    exported = _values(tmp_path / "out", format)
    rejected = _values(tmp_path / "rejects", format)
    count = [int(word) for word in result.stdout.split() if word.isdigit()]
    assert exported == stored()
    assert count == [len(exported), len(pairs) - len(exported) - len(rejected), len(rejected)]
    assert set(rejected) <= set(pairs)


def _values(path: Path, format: files.Format) -> list[tuple[Any, Any]]:
    with path.open("rb") as stream:
        rows = list(files.open_reader(stream, format))
    return [(row.values["name"], row.values["email"]) for row in rows]


def test_large_file_is_taken_to_the_row_and_memory_stays_flat(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    expected = people.write(tmp_path / "people.csv", rows=4000, seed=3, bad=60, doubled=40)
    process = psutil.Process()
    before = process.memory_info().rss

    result = run("import", tmp_path / "people.csv", "--rejects", tmp_path / "rejects.csv")
    run("export", tmp_path / "out.csv")

    wrong = expected.bad.keys() | expected.doubled.keys()
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as rejects:
        assert {int(row["line"]) for row in csv.DictReader(rejects)} == wrong
    with (tmp_path / "people.csv").open("rb") as stream:
        rows = [row for row in files.open_reader(stream, "csv") if row.line not in wrong]
    good = [(row.values["name"], row.values["email"]) for row in rows]
    assert _values(tmp_path / "out.csv", "csv") == good
    assert result.stdout == f"{expected.good} stored, 0 already there, {len(wrong)} refused\n"
    assert process.memory_info().rss - before < 64 * 1024 * 1024


class Home(Embedded):
    street: str
    city: str | None = None


class Housed(documents.User):
    age: int | None = None
    tags: list[str] = field(default_factory=list)
    home: Home | None = None


def test_columns_of_an_embedded_document_have_dotted_names(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "User", Housed)
    file = write(
        tmp_path / "people.csv",
        "name,email,age,tags,home.street,home.city\n"
        'Ada,ada@example.org,36,"[""a"", ""b""]",1 St James\'s Square,London\n'
        "Eva,eva@example.org,,,,\n"
        "Bob,bob@example.org,old,,,Rome\n",
    )

    imported = run("import", file)
    exported = run("export")

    assert imported.exit_code == 1
    assert [line for line in imported.output.splitlines() if line.startswith("line ")] == [
        "line 4: age: type: age must be an instance of int not str",
        "line 4: home.street: required: home.street is required",
    ]
    rows = list(csv.DictReader(exported.stdout.splitlines()))
    assert [{**row, "created": ""} for row in rows] == [
        {
            "name": "Ada",
            "email": "ada@example.org",
            "role": "member",
            "created": "",
            "age": "36",
            "tags": '["a", "b"]',
            "home.street": "1 St James's Square",
            "home.city": "London",
        },
        {
            "name": "Eva",
            "email": "eva@example.org",
            "role": "member",
            "created": "",
            "age": "",
            "tags": "[]",
            "home.street": "",
            "home.city": "",
        },
    ]


def test_refresh_says_how_many_were_set_right_and_names_those_who_clash(
    run: Callable[..., Result],
) -> None:
    services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)
    db["users"].insert_one({"name": "Old", "email": "old@example.org"})
    first, again = run("refresh"), run("refresh")
    eve = {"name": "Eve", "email": "ADA@example.org", "email_key": "x"}
    _id = db["users"].insert_one(eve).inserted_id

    clash = run("refresh")

    rest = "0 have the e-mail address of another\n"
    assert (first.exit_code, first.stdout) == (0, f"1 set right, 1 were right, {rest}")
    assert (again.exit_code, again.stdout) == (0, f"0 set right, 2 were right, {rest}")
    assert clash.exit_code == 1
    assert clash.stderr == f"{_id}: email: unique: Another user has this e-mail address.\n"
