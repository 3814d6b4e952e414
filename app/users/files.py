"""Users in files: CSV (RFC 4180, with a header) and NDJSON, read and written as streams.

A row is known by the physical line on which it starts: line feeds are counted, so a record with a
line break inside quotes takes two lines. Whatever can't be read is a row with errors, never the
end of the import: text that is not UTF-8, broken quoting, a record without an end. Broken quoting
costs its own line only; reading goes on with the next one.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

import orjson

from app.core.errors import field_error
from app.core.fields import Field, at, fields_of, nested
from app.users import documents
from app.users.bulk import Row
from app.users.formulas import Formulas, escape, unescape

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from app.core.errors import FieldError

Format = Literal["csv", "ndjson"]

MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
EXTENSIONS: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
REASONS = ("line", "field", "rule", "message")  # what a file of rejected rows has beside them
_PORTION = 64 * 1024  # bytes of a file that are sent at a time
LONGEST_RECORD = 16 * 1024  # bytes: a hundred times what a user takes


def fields() -> tuple[Field, ...]:
    """Return the fields that files have columns for: all that clients see, but the id.

    Example:
        >>> [field.path for field in fields()]
        ['name', 'email', 'role', 'created']
    """
    return fields_of(documents.User)


def columns() -> list[str]:
    """Return the columns of an exported file; a field of an embedded document has a dotted name.

    Example:
        >>> columns()
        ['name', 'email', 'role', 'created']
    """
    return [field.path for field in fields()]


class BadHeader(ValueError):
    """The first line of a CSV does not name the columns; the text says what is wrong.

    Example:
        >>> raise BadHeader("the file is empty")
        Traceback (most recent call last):
        app.users.files.BadHeader: the file is empty
    """


class Reader(Protocol):
    """What reads rows: iterate over it once."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the file."""

    @property
    def bytes_read(self) -> int:
        """How much of the file has been read."""

    def __iter__(self) -> Iterator[Row]: ...


def open_reader(stream: BinaryIO, format: Format, *, formulas: Formulas = "escape") -> Reader:
    """Return what reads the rows of a file.

    Args:
        stream: The file, from its beginning. A byte order mark is skipped.
        format: What it holds.
        formulas: Whether cells of a CSV were escaped.

    Raises:
        BadHeader: It is a CSV without a header that names `name` and `email`.

    Example:
        >>> with open("people.csv", "rb") as stream:
        ...     [(row.line, row.values["name"]) for row in open_reader(stream, "csv")]
        [(2, 'Ada')]
    """
    lines = _Lines(stream)
    return _CSVReader(lines, formulas) if format == "csv" else _NDJSONReader(lines)


class Writer:
    """Writes rows to a file.

    Args:
        stream: The file; it is not closed.
        format: What it shall hold.
        columns: The columns of a CSV.
        formulas: What becomes of cells that a spreadsheet would run.

    Example:
        >>> writer = Writer(stream, "csv", ["name", "email"])
        >>> writer.write({"name": "Ada", "email": "ada@example.org"})
    """

    def __init__(
        self,
        stream: BinaryIO,
        format: Format,
        columns: Sequence[str],
        *,
        formulas: Formulas = "escape",
    ) -> None:
        self._stream = stream
        self._columns = columns
        self._formulas = formulas
        self._csv = csv.writer(_Encoder(stream), lineterminator="\r\n") if format == "csv" else None
        if self._csv is not None:
            self._csv.writerow(columns)

    def write(self, row: Mapping[str, object], surplus: Sequence[str] = ()) -> None:
        """Write one row.

        Args:
            row: Value by column, or documents in documents; in NDJSON it is written whole, in CSV
                its known columns.
            surplus: Further cells of a CSV.

        Raises:
            OSError: The file can't be written.
        """
        written = {
            name: format_time(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        if self._csv is not None:
            cells = (self._cell(_at(written, name)) for name in self._columns)
            self._csv.writerow([*cells, *map(self._cell, surplus)])
        else:
            self._stream.write(orjson.dumps(written) + b"\n")

    def _cell(self, value: object) -> str:
        # A number may begin with a minus; it runs nothing.
        is_text = isinstance(value, str) and self._formulas == "escape"
        return escape(str(value)) if is_text else Field.write(value)


def portions_of(
    rows: Iterable[Mapping[str, object]], format: Format, *, formulas: Formulas = "escape"
) -> Generator[bytes, None, None]:
    r"""Yield a file of users portion by portion, as its rows come.

    Args:
        rows: As `bulk.export_rows` returns them.
        format: What it shall hold.
        formulas: What becomes of cells that a spreadsheet would run.

    Example:
        >>> b"".join(portions_of([], "csv"))
        b'name,email,role,created\r\n'
    """
    stream = BytesIO()
    writer = Writer(stream, format, columns(), formulas=formulas)
    for row in rows:
        writer.write(row)
        if stream.tell() >= _PORTION:
            yield stream.getvalue()
            stream.seek(0)
            stream.truncate()
    yield stream.getvalue()


class RejectsWriter:
    """Writes refused rows as they stood in their file, and why they were refused beside it.

    Corrected, the file can be imported as it is: the reasons are not read.

    Args:
        stream: The file; it is not closed.
        format: That of the imported file.
        columns: Those of the imported file.
        formulas: What becomes of cells that a spreadsheet would run, and became of them there.

    Example:
        >>> RejectsWriter(stream, "csv", ["name", "email"]).write(row, row.errors)
    """

    def __init__(
        self,
        stream: BinaryIO,
        format: Format,
        columns: Sequence[str],
        *,
        formulas: Formulas = "escape",
    ) -> None:
        self._formulas = formulas
        self._columns = [column for column in columns if column not in REASONS]
        self._all_columns = columns
        self._writer = Writer(stream, format, [*self._columns, *REASONS], formulas=formulas)

    def write(self, row: Row, errors: Sequence[FieldError]) -> None:
        """Write one row, with all its errors in one cell for each kind of reason.

        Args:
            row: The row.
            errors: Why it was refused.

        Raises:
            OSError: The file can't be written.
        """
        reasons = {
            "line": row.line,
            "field": "; ".join(error["path"] for error in errors),
            "rule": "; ".join(error["rule"] for error in errors),
            "message": "; ".join(error["message"] for error in errors),
        }
        source = row.source
        if isinstance(source, list):
            if self._formulas == "escape":
                source = [unescape(cell) for cell in source]  # written, they are again
            cells = dict(zip(self._all_columns, source, strict=False))
            surplus = source[len(self._all_columns) :]
            self._writer.write(cells | reasons, surplus)
        elif isinstance(source, dict):
            self._writer.write(source | reasons)
        else:
            self._writer.write({"source": source} | reasons)


def format_time(moment: datetime) -> str:
    """Return a time as RFC 3339 writes it, in UTC and with milliseconds.

    Args:
        moment: Without a zone it is taken as UTC.

    Example:
        >>> format_time(datetime(2026, 1, 2, tzinfo=UTC))
        '2026-01-02T00:00:00.000Z'
    """
    in_utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return in_utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def read_time(text: str) -> datetime | None:
    """Return the time, in UTC and whole milliseconds, or None for what is none with a zone.

    Args:
        text: In the form of RFC 3339.

    Example:
        >>> read_time("2026-01-02T01:00:00+01:00")
        datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(text.upper())  # RFC 3339, 5.6: t and z may be small
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    content: bytes
    is_whole: bool

    @property
    def text(self) -> str:
        """The line with what is not UTF-8 kept in surrogates, from which it can be written back."""
        return self.content.decode("utf-8", "surrogateescape")


class _Lines:
    """The physical lines of a file, none of them held whole where it is too long."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.bytes_read = 0

    def __iter__(self) -> Iterator[_Line]:
        number = 0
        while content := self._read(LONGEST_RECORD):
            number += 1
            rest = content
            is_whole = True
            while rest and not rest.endswith(b"\n"):
                # The rest of a long line is dropped; the last line of a file ends without any.
                rest = self._read(LONGEST_RECORD)
                is_whole = is_whole and not rest
            yield _Line(number, content, is_whole)

    def _read(self, size: int) -> bytes:
        at_start = self.bytes_read == 0
        content = self._stream.readline(size)
        self.bytes_read += len(content)
        return content.removeprefix(codecs.BOM_UTF8) if at_start else content


class _RecordTooLong(Exception):
    """A record does not end within `LONGEST_RECORD`."""


class _Feed:
    """Lines for `csv.reader`, kept until their record is complete; if it breaks they come again."""

    def __init__(self, lines: _Lines) -> None:
        self._fresh = iter(lines)
        self._again: deque[_Line] = deque()
        self._record: list[_Line] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._fresh)
        self._record.append(line)
        self._size += len(line.content)
        if not line.is_whole or self._size > LONGEST_RECORD:
            raise _RecordTooLong
        return line.text

    def start(self) -> None:
        """Begin a new record."""
        self._record = []
        self._size = 0

    @property
    def first(self) -> _Line:
        """The line on which the record starts."""
        return self._record[0]

    def give_back(self) -> None:
        """Read all lines of the record but its first again."""
        self._again.extendleft(reversed(self._record[1:]))


class _CSVReader:
    def __init__(self, lines: _Lines, formulas: Formulas) -> None:
        self._formulas = formulas
        self._lines = lines
        self._feed = _Feed(lines)
        # Strict, so that a stray quote is noticed near its line and swallows no others.
        self._records = csv.reader(self._feed, strict=True)
        self.columns = self._read_header()

    @property
    def bytes_read(self) -> int:
        return self._lines.bytes_read

    def _read_header(self) -> list[str]:
        try:
            cells = next(self._records)
        except StopIteration:
            raise BadHeader("the file is empty: it has no header") from None
        except (csv.Error, _RecordTooLong) as error:
            raise BadHeader("the first line is no CSV header in UTF-8") from error
        if any(_is_undecoded(cell) for cell in cells):
            raise BadHeader("the file is not in UTF-8")
        known = {name.casefold(): name for name in (*columns(), *REASONS)}
        found = [known.get(name, name) for name in (cell.strip().casefold() for cell in cells)]
        must = [field.path for field in fields() if field.required and not field.read_only]
        may = [name for name in columns() if name not in must]
        wanted = f"columns are {', '.join(must)}"
        wanted += f" and, if need be, {', '.join(may)}" if may else ""
        if missing := [name for name in must if name not in found]:
            raise BadHeader(f"the header lacks {' and '.join(missing)}: {wanted}, parted by commas")
        if unknown := [name for name in found if name not in known.values()]:
            raise BadHeader(f"the header has unknown columns ({', '.join(unknown)}): {wanted}")
        if len(set(found)) < len(found):
            raise BadHeader(f"the header names a column twice: {wanted}")
        return found

    def __iter__(self) -> Iterator[Row]:
        while True:
            self._feed.start()
            try:
                cells = next(self._records)
            except StopIteration:
                return
            except (csv.Error, _RecordTooLong) as error:
                yield self._broken(error)
            else:
                if cells:  # not an empty line
                    yield self._row(cells)

    def _broken(self, error: Exception) -> Row:
        first = self._feed.first
        self._feed.give_back()
        if isinstance(error, _RecordTooLong):
            message = f"the row is longer than {LONGEST_RECORD} bytes, or a quote is not closed"
            errors = [field_error("", "length", message)]
        else:
            errors = [
                field_error("", "csv", "the row is no CSV: its quotes or line ends are wrong")
            ]
        return Row(first.number, {}, errors, [first.text.rstrip("\r\n")])

    def _row(self, cells: list[str]) -> Row:
        read = dict(zip(self.columns, cells, strict=False))
        counts = f"the row has {len(cells)} cells, the header {len(self.columns)}"
        errors = [
            field_error(name, "missing", f"{name} is missing: {counts}")
            for name in self.columns[len(cells) :]
        ]
        if len(cells) > len(self.columns):
            errors.append(field_error("", "surplus", f"the row is too long: {counts}"))
        errors += [
            field_error(name, "encoding", f"{name} is not in UTF-8")
            for name, cell in read.items()
            if _is_undecoded(cell)
        ]
        if self._formulas == "escape":
            read = {name: unescape(cell) for name, cell in read.items()}
        values = _values(_from_cells(read), errors)
        return Row(self._feed.first.number, values, errors, cells)


class _NDJSONReader:
    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self.columns = columns()

    @property
    def bytes_read(self) -> int:
        return self._lines.bytes_read

    def __iter__(self) -> Iterator[Row]:
        for line in self._lines:
            if line.content.strip():
                yield self._row(line)

    def _row(self, line: _Line) -> Row:
        text = line.content.decode("utf-8", "backslashreplace").rstrip("\r\n")
        if not line.is_whole:
            message = f"the line is longer than {LONGEST_RECORD} bytes"
            return Row(line.number, {}, [field_error("", "length", message)], text)
        try:
            read = orjson.loads(line.content)
        except orjson.JSONDecodeError:
            message = "the line is not JSON, or not in UTF-8"
            return Row(line.number, {}, [field_error("", "json", message)], text)
        if not isinstance(read, dict):
            message = "the line must hold an object"
            return Row(line.number, {}, [field_error("", "type", message)], text)
        errors: list[FieldError] = []
        values = _values(read, errors)
        return Row(line.number, values, errors, read)


def _is_undecoded(cell: str) -> bool:
    return not cell.isascii() and any("\udc80" <= char <= "\udcff" for char in cell)


def _from_cells(read: Mapping[str, str]) -> dict[str, Any]:
    """Return what the cells of a row mean; an empty one says nothing where something is no must."""
    values: dict[str, Any] = {}
    for field in fields():
        text = read.get(field.path)
        if text is None or (text == "" and not field.required and not field.node.none):
            continue
        values[field.path] = field.read(text)
    return nested(values)


def _values(read: Mapping[str, Any], errors: list[FieldError]) -> dict[str, Any]:
    """Return what is to be imported of a row; add to the errors what can't be read."""
    values = {name: value for name, value in read.items() if name not in REASONS}
    for field in fields():
        if field.kind is not datetime:
            continue
        given = _at(values, field.path)
        if given in (None, "") and field.read_only:
            values.pop(field.path, None)
        elif isinstance(given, str):
            moment = read_time(given)
            if field.path in values:
                values[field.path] = moment
            if moment is None:
                message = f"{field.path} must be a time with its zone, like 2026-01-02T03:04:05Z"
                errors.append(field_error(field.path, "time", message))
    return values


def _at(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, or under the path as a name; None where there is none."""
    if path in values or "." not in path:
        return values.get(path)
    return at(values, path)


class _Encoder:
    """What `csv.writer` writes to: text in, bytes out, undecoded bytes as they came."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode("utf-8", "surrogateescape"))
