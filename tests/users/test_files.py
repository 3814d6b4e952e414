"""Users in CSV and NDJSON: what is read, on which line, and that it comes back as it went out."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.users import files
from app.users.files import BadHeader, RejectsWriter, Writer, open_reader

if TYPE_CHECKING:
    from app.users.bulk import Row

pytestmark = pytest.mark.usefixtures("declared_as")

FORMATS: tuple[files.Format, ...] = ("csv", "ndjson")
LONG = files.LONGEST_RECORD


def read(content: bytes, format: files.Format = "csv") -> list[Row]:
    return list(open_reader(io.BytesIO(content), format))


def read_csv(body: str | bytes, header: str = "name,email\r\n") -> list[tuple[int, Any]]:
    """The line and the values of each row, or its rules if it can't be read."""
    content = header.encode() + (body.encode() if isinstance(body, str) else body)
    return [
        (row.line, [e["rule"] for e in row.errors] if row.errors else tuple(row.values.values()))
        for row in read(content)
    ]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("Ada,a@b.org\r\nEve,e@b.org\r\n", [(2, ("Ada", "a@b.org")), (3, ("Eve", "e@b.org"))]),
        ("Ada,a@b.org\nEve,e@b.org", [(2, ("Ada", "a@b.org")), (3, ("Eve", "e@b.org"))]),
        ('"Ada ""A"" L, Jr.",a@b.org\r\n', [(2, ('Ada "A" L, Jr.', "a@b.org"))]),
        (
            '"A\r\nB\nC",a@b.org\r\nEve,e@b.org',
            [(2, ("A\r\nB\nC", "a@b.org")), (5, ("Eve", "e@b.org"))],
        ),
        ("\r\n\nAda,a@b.org\r\n\r\n", [(4, ("Ada", "a@b.org"))]),
        ("Ada\0,a@b.org\r\n", [(2, ("Ada\0", "a@b.org"))]),
        ("Ada\u2028Eve\x85,a@b.org\r\n", [(2, ("Ada\u2028Eve\x85", "a@b.org"))]),
        (",\r\n", [(2, ("", ""))]),
        ("", []),
    ],
)
def test_csv_rows_and_the_lines_they_start_on(body: str, rows: object) -> None:
    assert read_csv(body) == rows


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ("Ada\r\n", ["missing"]),
        ("Ada,a@b.org,x\r\n", ["surplus"]),
        (b"Ad\xe4,a@b.org\r\n", ["encoding"]),
        (b'"Ad\xe4,\nx",a\xff@b.org\r\n', ["encoding", "encoding"]),
        ('"Ada"x,a@b.org\r\n', ["csv"]),
        ("Ada\rEve,a@b.org\r\n", ["csv"]),
        ("n" * LONG + ",a@b.org\r\n", ["length"]),
        (b"\xff" * LONG * 3 + b"\r\n", ["length"]),
    ],
)
def test_row_that_cannot_be_read_is_reported_and_the_next_one_is_read(
    body: str | bytes, rules: list[str]
) -> None:
    text = body if isinstance(body, bytes) else body.encode()

    rows = read_csv(text + b"Eve,e@b.org\r\n")

    assert rows == [(2, rules), (2 + text.count(b"\n"), ("Eve", "e@b.org"))]


def test_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    rows = read_csv('"Ada,a@b.org\r\nEve,e@b.org\r\n"Bob, Jr.",b@b.org\r\n"Zoe,z@b.org\r\n')

    assert rows == [
        (2, ["csv"]),
        (3, ("Eve", "e@b.org")),
        (4, ("Bob, Jr.", "b@b.org")),
        (5, ["csv"]),
    ]


def test_quote_that_is_not_closed_for_long_is_given_up() -> None:
    people = "".join(f"Ada {n},{n}@b.org\r\n" for n in range(2000))

    rows = read_csv('"Ada,a@b.org\r\n' + people)

    assert rows[0] == (2, ["length"])
    assert [line for line, _ in rows] == list(range(2, 2003))
    assert rows[-1] == (2002, ("Ada 1999", "1999@b.org"))


def test_line_without_an_end_is_not_held_in_memory() -> None:
    class Endless(io.RawIOBase):
        """A line of 64 MiB."""

        left = 64 * 1024 * 1024
        largest = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= LONG
            size = min(size, self.left)
            self.left -= size
            return b"x" * size

    stream = Endless()
    rows = list(open_reader(stream, "ndjson"))  # type: ignore[arg-type]

    assert [(row.line, row.errors[0]["rule"]) for row in rows] == [(1, "length")]
    assert stream.left == 0


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_mark_is_skipped(mark: bytes) -> None:
    assert read(mark + b"name,email\nAda,a@b.org\n")[0].values["name"] == "Ada"
    assert read(mark + b'{"name":"Ada"}', "ndjson")[0].values == {"name": "Ada"}


@pytest.mark.parametrize(
    "header", ["email,created,name", "Name, E-MAIL".replace("-", ""), '"name","email"']
)
def test_header_may_have_any_order_and_case(header: str) -> None:
    assert "name" in open_reader(io.BytesIO(header.encode()), "csv").columns


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b"\n", "lacks name and email"),
        (b"name;email\n", "parted by commas"),
        (b"Ada,ada@example.org\n", "lacks name and email"),
        (b"name\n", "lacks email"),
        (b"name,email,age\n", "unknown columns .age."),
        (b"name,email,name\n", "twice"),
        (b"name,email,created,email_key\n", "unknown"),
        (b'"name,email\n', "no CSV header"),
        (b"n\xe4me,email\n", "not in UTF-8"),
        ("name,email\n".encode("utf-16"), "not in UTF-8"),
        (b"x" * LONG * 2, "no CSV header"),
    ],
)
def test_header_that_does_not_name_the_columns_is_refused(content: bytes, text: str) -> None:
    with pytest.raises(BadHeader, match=text):
        open_reader(io.BytesIO(content), "csv")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"{", "json"),
        (b'{"name": "Ad\xe4"}', "json"),
        (b'{"name": "\\ud800"}', "json"),
        (b'{"name": NaN}', "json"),
        (b"[" * 5000, "json"),
        (b"[1]", "type"),
        (b'"Ada"', "type"),
        (b"null", "type"),
        (b'{"name":"' + b"n" * LONG + b'"}', "length"),
    ],
)
def test_ndjson_line_that_is_no_object_is_reported_and_the_next_one_is_read(
    line: bytes, rule: str
) -> None:
    bad, good = read(line + b'\r\n\n{"name":"Ada"}\n', "ndjson")

    assert (bad.line, [e["rule"] for e in bad.errors]) == (1, [rule])
    assert (good.line, good.values, good.errors) == (3, {"name": "Ada"}, [])


@pytest.mark.parametrize(
    ("text", "created"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678901+02:00", datetime(2026, 1, 2, 1, 4, 5, 678000, tzinfo=UTC)),
        ("2026-01-02 03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_created_is_read_in_utc_and_whole_milliseconds(text: str, created: datetime) -> None:
    (row,) = read(f"name,email,created\nAda,a@b.org,{text}\n".encode())

    assert row.values["created"] == created


@pytest.mark.parametrize(
    "text",
    ["2026-01-02", "2026-01-02T03:04:05", "0001-01-01T00:00:00+01:00", "today", "1767322245"],
)
def test_created_without_a_zone_or_out_of_range_is_refused(text: str) -> None:
    (row,) = read(f"name,email,created\nAda,a@b.org,{text}\n".encode())

    assert [(e["path"], e["rule"]) for e in row.errors] == [("created", "time")]


@pytest.mark.parametrize("nothing", ["", "null"])
def test_created_that_is_left_out_is_no_value(nothing: str) -> None:
    if nothing:
        (row,) = read(b'{"name":"Ada","created":null}', "ndjson")
    else:
        (row,) = read(b"name,email,created\nAda,a@b.org,\n")

    assert "created" not in row.values
    assert row.errors == []


def test_csv_is_written_as_rfc_4180_has_it() -> None:
    stream = io.BytesIO()
    writer = Writer(stream, "csv", ["name", "email"])
    for name in ("Ada", 'A "B", C', "A\nB", "A\rB", "", "Zoë"):
        writer.write({"name": name, "email": "a@b.org"})

    assert stream.getvalue().decode() == (
        'name,email\r\nAda,a@b.org\r\n"A ""B"", C",a@b.org\r\n"A\nB",a@b.org\r\n'
        '"A\rB",a@b.org\r\n,a@b.org\r\nZoë,a@b.org\r\n'
    )


texts = st.text(st.characters(codec="utf-8"), max_size=60)
milliseconds = st.integers(-2_000_000_000_000, 7_000_000_000_000)
moments = milliseconds.map(lambda n: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=n))
users = st.fixed_dictionaries({"name": texts, "email": texts, "created": moments})


@pytest.mark.parametrize("format", FORMATS)
@given(people=st.lists(users, max_size=8))
def test_what_is_written_reads_back_equal(format: files.Format, people: list[Any]) -> None:
    stream = io.BytesIO()
    writer = Writer(stream, format, files.columns())
    starts = []
    for person in people:
        starts.append(stream.getvalue().count(b"\n") + 1)
        writer.write(person)

    rows = read(stream.getvalue(), format)

    assert [row.values for row in rows] == people
    assert [row.line for row in rows] == starts
    assert not any(row.errors for row in rows)


@pytest.mark.parametrize("format", FORMATS)
@given(content=st.binary(max_size=400) | texts.map(str.encode))
def test_no_content_breaks_the_reading_and_all_rejected_can_be_written(
    format: files.Format, content: bytes
) -> None:
    header = b"name,email\r\n" if format == "csv" else b""
    reader = open_reader(io.BytesIO(header + content), format)
    rejects = io.BytesIO()
    writer = RejectsWriter(rejects, format, reader.columns)

    lines = []
    for row in reader:
        lines.append(row.line)
        writer.write(row, row.errors)

    assert lines == sorted(set(lines))
    assert reader.bytes_read == len(header + content)
    again = open_reader(io.BytesIO(rejects.getvalue()), format)
    assert len(list(again)) == len(lines)


@given(st.lists(st.lists(st.binary(max_size=10), min_size=1, max_size=4), max_size=5))
def test_rejected_cells_are_written_byte_for_byte(records: list[list[bytes]]) -> None:
    quoted = [b",".join(b'"' + cell.replace(b'"', b'""') + b'"' for cell in r) for r in records]
    reader = open_reader(io.BytesIO(b"name,email\r\n" + b"\r\n".join(quoted)), "csv")
    rejects = io.BytesIO()
    writer = RejectsWriter(rejects, "csv", reader.columns, formulas="keep")
    for row in reader:
        writer.write(row, row.errors)

    written = [row.source for row in open_reader(io.BytesIO(rejects.getvalue()), "csv")]

    original = [[cell.decode("utf-8", "surrogateescape") for cell in r] for r in records]
    assert [row[: min(len(r), 2)] + row[6:] for row, r in zip(written, original, strict=True)] == (
        original
    )


def test_rejected_rows_have_the_reasons_beside_them_and_can_be_imported_when_corrected() -> None:
    rejects = io.BytesIO()
    writer = RejectsWriter(rejects, "csv", ["email", "name"])
    row = read(b"email,name\r\nx,\r\n")[0]
    writer.write(
        row,
        [
            {"path": "email", "rule": "email", "message": "no address"},
            {"path": "name", "rule": "blank", "message": "empty"},
        ],
    )

    assert rejects.getvalue() == (
        b"email,name,line,field,rule,message\r\nx,,2,email; name,email; blank,no address; empty\r\n"
    )
    corrected = rejects.getvalue().replace(b"x,,", b"a@b.org,Ada,")
    assert read(corrected)[0].values == {"email": "a@b.org", "name": "Ada"}


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=1)))

    assert files.format_time(moment) == "2026-01-02T00:00:00.000Z"
    assert files.format_time(moment.replace(tzinfo=None)) == "2026-01-02T01:00:00.000Z"
