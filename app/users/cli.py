"""The terminal's door: `flask users import`, `flask users export` and `flask users refresh`.

What was asked for goes to standard output, everything about it to standard error. Exit status 0:
done; 1: rows or the whole were refused; 2: it can't begin; 4: the database did not do it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click
from flask import current_app
from flask.cli import AppGroup

from app.core.embedded import EngineError
from app.core.errors import DomainError
from app.users import bulk, files, services
from app.users.formulas import FORMULAS, Formulas
from app.users.permissions import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLAIN_STEP = 10_000  # rows between two lines of progress where there is no terminal
_BAR_STEP = 250


class _Users(AppGroup):
    """The commands; each finds standard streams, also where a script has closed them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        if sys.stdout is None:
            raise click.UsageError("standard output is closed")
        sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - for good
        sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        return super().invoke(ctx)


REFUSED, NOT_FOUND, FAILED = 1, 3, 4  # exit statuses; 2 is click's


class Failure(click.ClickException):
    """Ends the command with a text and an exit status.

    Args:
        text: What is said, after "Error: ".
        status: The exit status.

    Example:
        >>> raise Failure("The database did not do it.", FAILED)
        Traceback (most recent call last):
        app.users.cli.Failure: The database did not do it.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__("\n".join(map(printable, text.split("\n"))))
        self.exit_code = status  # type: ignore[misc]


commands = _Users("users", help="Users and their tokens; import and export.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_format_option = click.option(
    "--format",
    type=click.Choice(["csv", "ndjson"]),
    help="What the file holds; without it, its extension tells: .csv, .ndjson or .jsonl.",
)


_formulas_option = click.option(
    "--formulas",
    type=click.Choice(FORMULAS),
    default="escape",
    show_default=True,
    help="CSV cells that a spreadsheet would run get an apostrophe before them, or stay.",
)


@commands.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@_format_option
@_formulas_option
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False),
    help="Write the refused rows to this file, as they stood, and the reasons beside them.",
)
@click.option("--dry-run", is_flag=True, help="Check everything and store nothing.")
@json_option
@click.pass_context
def import_users(
    context: click.Context,
    file: str,
    format: files.Format | None,
    formulas: Formulas,
    rejects: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Store the users in FILE (- for standard input), which is CSV or NDJSON.

    A CSV begins with a header; the columns are the fields of a user: name and email and, if need
    be, role, created, and those that you have added (a field of an embedded document is
    address.city). Good rows are stored, bad ones are reported with their line, field and rule, and
    the exit status is 1 when there was one. A user whose e-mail and name are there already is left
    alone, so the same import again stores nothing. --json prints a line for each row, and one with
    the numbers, as the API does.

    \b
    Example:
      flask users import people.csv --rejects refused.csv
    """
    kind = format or _format_of(file)
    _refuse_same_file(file, rejects)
    counts: Counter[str] = Counter()
    with _errors_for_people(counts), click.open_file(file, "rb") as opened:
        stream = cast("BinaryIO", opened)
        try:
            reader = files.open_reader(stream, kind, formulas=formulas)
        except files.BadHeader as error:
            raise click.BadParameter(printable(str(error)), param_hint="FILE") from error
        with (
            Path(rejects).open("wb") if rejects else nullcontext() as target,
            _progress("Importing", _size_of(stream)) as advance,
        ):
            writer = (
                files.RejectsWriter(target, kind, reader.columns, formulas=formulas)
                if target
                else None
            )
            for outcome in bulk.import_rows(reader, by=OPERATOR, dry_run=dry_run):
                counts[outcome.result] += 1
                if as_json:
                    print_json(outcome.line())
                elif outcome.result == "refused":
                    _report(outcome)
                if writer is not None and outcome.result == "refused":
                    writer.write(outcome.row, outcome.errors)
                advance(reader.bytes_read, counts.total())
    if as_json:
        print_json(bulk.totals(counts))
    else:
        click.echo(_summary(counts, dry_run=dry_run))
    context.exit(REFUSED if counts["refused"] else 0)


@commands.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default="-")
@_format_option
@_formulas_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format ndjson.")
def export_users(file: str, format: files.Format | None, formulas: Formulas, as_json: bool) -> None:
    """Write all users, the oldest first, to FILE (- or nothing for standard output).

    The file is CSV with a header (name, email, role, created, and the fields that you have added)
    or NDJSON, and can be imported again. It takes its name when it is complete; until then a file
    of that name stays as it is.

    \b
    Example:
      flask users export people.csv
    """
    if as_json and format == "csv":
        raise click.UsageError("--json and --format csv don't go together")
    kind = "ndjson" if as_json else format or _format_of(file)
    count = 0
    with _errors_for_people(), _replacing(file) as stream:
        length = None if file == "-" else bulk.estimate(by=OPERATOR)
        with _progress("Exporting", length) as advance:
            writer = files.Writer(stream, kind, files.columns(), formulas=formulas)
            for count, row in enumerate(bulk.export_rows(by=OPERATOR), start=1):
                writer.write(row)
                advance(count, count)
    click.echo(f"{count} exported", err=True)


@commands.command("refresh")
@json_option
@click.pass_context
def refresh_users(context: click.Context, as_json: bool) -> None:
    """Make anew what lists and searches find users by, and set defaults that are missing.

    For users who were stored by other programs or by an older version; the service may run
    meanwhile. The exit status is 1 when two users have one e-mail address, as they are compared
    now: the later one is named, and keeps what it has there.

    \b
    Example:
      flask users refresh
    """
    counts: Counter[str] = Counter()
    with _errors_for_people(), _progress("Refreshing", bulk.estimate(by=OPERATOR)) as advance:
        for count, (_id, result) in enumerate(bulk.refresh(by=OPERATOR), start=1):
            counts[result] += 1
            if result == "taken":
                click.echo(f"{_id}: email: unique: {services.EmailTaken.title}", err=True)
            advance(count, count)
    if as_json:
        print_json({name: counts[name] for name in ("set", "right", "taken")})
    else:
        click.echo(
            f"{counts['set']} set right, {counts['right']} were right, {counts['taken']} have the"
            " e-mail address of another"
        )
    context.exit(REFUSED if counts["taken"] else 0)


def _format_of(file: str) -> files.Format:
    if file == "-":
        return "csv"
    extension = Path(file).suffix.lower()
    if extension not in files.EXTENSIONS:
        known = ", ".join(files.EXTENSIONS)
        raise click.BadParameter(
            f"its extension is none of {known}: say --format csv or --format ndjson",
            param_hint="FILE",
        )
    return files.EXTENSIONS[extension]


def _refuse_same_file(file: str, rejects: str | None) -> None:
    """Refuse to write the rejected rows over the file that they are read from."""
    if rejects and file != "-" and Path(rejects).exists() and Path(rejects).samefile(file):
        raise click.BadParameter("it is the file to be imported", param_hint="--rejects")


def _size_of(stream: BinaryIO) -> int | None:
    """Return the size of a file in bytes; None for a pipe or a terminal."""
    try:
        return os.fstat(stream.fileno()).st_size or None
    except OSError:
        return None


@contextmanager
def _replacing(file: str) -> Iterator[BinaryIO]:
    """Open a file beside `file` that takes its place at the end, if nothing goes wrong."""
    if file == "-":
        with click.open_file(file, "wb") as stream:
            yield cast("BinaryIO", stream)
        return
    path = Path(file).resolve()
    if path.exists() and not path.is_file():  # a device or a named pipe
        with path.open("wb") as stream:
            yield stream
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as stream:
            yield stream
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _progress(label: str, length: int | None) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is told the place in the file, and how many rows are done."""
    if length and sys.stderr.isatty():
        with click.progressbar(length=length, label=label, file=sys.stderr) as bar:

            def draw(place: int, rows: int) -> None:
                if rows % _BAR_STEP == 0 or place >= length:
                    bar.update(place - bar.pos)

            yield draw
    else:

        def tell(_place: int, rows: int) -> None:
            if rows % _PLAIN_STEP == 0:
                click.echo(f"{label}: {rows} rows", err=True)

        yield tell


def _report(outcome: bulk.Outcome) -> None:
    """Say of each reason: line, field, rule, sentence."""
    # On a terminal the line takes the place of the bar, which is drawn again below it.
    before = "\r\x1b[K" if sys.stderr.isatty() else ""
    for error in outcome.errors:
        text = f"line {outcome.row.line}: {error['path'] or 'row'}: {error['rule']}: "
        click.echo(before + printable(text + error["message"]), err=True)


def printable(text: str) -> str:
    """Return a text without what could command a terminal.

    Args:
        text: With parts that come from a file, or from the database.

    Example:
        >>> printable("Ada")
        'Ada'
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def print_json(value: object) -> None:
    """Print a value as one line of JSON.

    Args:
        value: What the API would answer.

    Example:
        >>> print_json({"name": "Zoë"})
        {"name": "Zoë"}
    """
    click.echo(json.dumps(json.loads(current_app.json.dumps(value)), ensure_ascii=False))


def _summary(counts: Counter[str], *, dry_run: bool) -> str:
    stored, present, refused = counts["stored"], counts["present"], counts["refused"]
    if dry_run:
        return (
            f"dry run, nothing was stored: {stored} would be stored,"
            f" {present} already there, {refused} would be refused"
        )
    return f"{stored} stored, {present} already there, {refused} refused"


@contextmanager
def _errors_for_people(counts: Counter[str] | None = None) -> Iterator[None]:
    """End the command with one sentence where the database or a file fails."""
    try:
        yield
    except (DomainError, EngineError) as error:
        text = str(error)
        if counts:
            text += (
                f" It stopped after {counts.total()} rows: run the same import again,"
                " nothing is stored twice."
            )
        is_the_database = isinstance(error, (bulk.DatabaseFailed, EngineError))
        raise Failure(text, FAILED if is_the_database else REFUSED) from error
    except BrokenPipeError:  # `… | head`: click ends the command quietly
        raise
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{name}{error.strerror}") from error
