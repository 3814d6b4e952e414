"""Imports that somebody asked for on a page: what became of them, kept for a day. Knows no HTTP.

Any node can show a report, so it is in the database: one document, and the file of refused rows in
parts beside it. The server removes both by themselves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, cast

from annotated_types import MaxLen
from bson import ObjectId

from app.core.db import db
from app.core.errors import DomainError
from app.users import bulk, files
from app.users.permissions import Action, require
from mongokit import Document, field, utcnow

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from app.users.permissions import Actor

KEPT = timedelta(days=1)
SHOWN = 100  # refusals that a report tells of; the file has all of them
PART = 1024 * 1024  # bytes of a part of the file: a document may have 16 MiB
LONGEST_NAME = 100  # characters of a file's name
_STEP = 250  # rows between two signs of progress
_BROKEN_OFF = "It was broken off before its end: the connection was closed."


class ReportNotFound(DomainError):
    """There is no report with this id, or not any more."""

    title = "There is no such report. Reports are kept for a day."


@db.register
class Report(Document):
    """What became of an import.

    Attributes:
        by: The `_id` of who asked for it; None for an operator.
        file: The name of the file.
        format: What it held.
        dry_run: Whether everything was checked and nothing stored.
        state: `running` until it has come to an end.
        problem: Why it failed, in a sentence.
        stored: How many rows were stored (would be, in a dry run).
        present: How many were there already.
        refused: How many were refused.
        refusals: The first `SHOWN` reasons: line, field, rule, message.
        parts: Of how many parts the file of refused rows is.
        started: When it began.
        expires: When the server removes it.

    Example:
        >>> db.documents(Report).find_one({"_id": id})
    """

    __collection__ = "import_reports"
    by: ObjectId | None = None
    file: Annotated[str, MaxLen(LONGEST_NAME)]
    format: Literal["csv", "ndjson"]
    dry_run: bool
    state: Literal["running", "done", "failed"] = "running"
    problem: str | None = None
    stored: int = 0
    present: int = 0
    refused: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    parts: int = 0
    started: datetime = field(default_factory=utcnow)
    expires: datetime

    indexes = [{"fields": "expires", "expireAfterSeconds": 0}]


@db.register
class RejectsPart(Document):
    """A part of the file of refused rows.

    Attributes:
        report: The `_id` of the report.
        number: Its place, from 0.
        content: Its bytes, `PART` at most.
        expires: When the server removes it.

    Example:
        >>> db.documents(RejectsPart).find_one({"report": id, "number": 0})
    """

    __collection__ = "import_rejects"
    report: ObjectId
    number: int
    content: bytes
    expires: datetime

    indexes = [
        {"fields": ["report", "number"], "unique": True},
        {"fields": "expires", "expireAfterSeconds": 0},
    ]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is.

    Attributes:
        bytes_read: How much of the file is read.
        rows: How many rows are done.

    Example:
        >>> Progress(bytes_read=52_000, rows=1000).rows
        1000
    """

    bytes_read: int
    rows: int


def begin(*, file: str, format: files.Format, dry_run: bool, by: Actor) -> Report:
    """Open a report on an import that is about to begin.

    Args:
        file: The name of the file, from outside.
        format: What it holds.
        dry_run: Whether to check everything and store nothing.
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.

    Example:
        >>> begin(file="people.csv", format="csv", dry_run=False, by=OPERATOR).state
        'running'
    """
    require(by, Action.IMPORT)
    report = db.documents(Report)()
    report["_id"] = ObjectId()
    report.by = by.id
    report.file = "".join(char for char in file if char.isprintable())[:LONGEST_NAME] or "a file"
    report.format = format
    report.dry_run = dry_run
    report.expires = utcnow() + KEPT
    report.save()
    return report


def work(report: Report, reader: files.Reader, *, by: Actor) -> Iterator[Progress]:
    """Import the rows of a file, and keep in the report what becomes of them.

    Whatever happens, the report says so in the end: also where the database fails on the way, and
    where nobody asks for further progress.

    Args:
        report: From `begin`.
        reader: The rows.
        by: Who asks.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        pymongo.errors.PyMongoError: The report itself can't be kept.

    Example:
        >>> for progress in work(report, reader, by=OPERATOR):
        ...     print(progress.rows)
        1000
        2000
    """
    counts: Counter[str] = Counter()
    report.state, report.problem = "failed", _BROKEN_OFF
    with SpooledTemporaryFile(max_size=PART) as spooled:
        rejects = cast("BinaryIO", spooled)
        writer = files.RejectsWriter(rejects, report.format, reader.columns)
        try:
            for outcome in bulk.import_rows(reader, by=by, dry_run=report.dry_run):
                counts[outcome.result] += 1
                if outcome.result == "refused":
                    writer.write(outcome.row, outcome.errors)
                    _note(report, outcome)
                if counts.total() % _STEP == 0:
                    yield Progress(reader.bytes_read, counts.total())
            report.state, report.problem = "done", None
        except (bulk.DatabaseFailed, bulk.IndexesMissing) as error:
            report.problem = error.title
        finally:
            report.stored, report.present = counts["stored"], counts["present"]
            report.refused = counts["refused"]
            if report.refused:
                report.parts = _keep(rejects, report)
            report.save()


def find(id: ObjectId, *, by: Actor) -> Report:
    """Return a report.

    Args:
        id: Its `_id`.
        by: Who asks: whoever made it, or somebody who may import.

    Raises:
        NotSignedIn, NotAllowed: Who asks has no right to it.
        ReportNotFound: There is none.

    Example:
        >>> find(report["_id"], by=OPERATOR).stored
        99299
    """
    report = db.documents(Report).find_one({"_id": id})
    if by.id is None or report is None or report.get("by") != by.id:
        require(by, Action.IMPORT)  # so nobody else hears whether there is one
    if report is None or report.expires <= utcnow():
        raise ReportNotFound
    return report


def rejects(report: Report) -> Generator[bytes, None, None]:
    """Return the file of the refused rows, part by part.

    Args:
        report: From `find`.

    Raises:
        ReportNotFound: The server has removed it meanwhile.

    Example:
        >>> b"".join(rejects(report))
        b'name,email,line,field,rule,message...'
    """
    for number in range(report.parts):
        part = db.documents(RejectsPart).find_one({"report": report["_id"], "number": number})
        if part is None:
            raise ReportNotFound
        yield part.content


def _note(report: Report, outcome: bulk.Outcome) -> None:
    for error in outcome.errors:
        if len(report.refusals) < SHOWN:
            entry = {"line": outcome.row.line, "field": error["path"], "rule": error["rule"]}
            report.refusals.append(entry | {"message": _storable(error["message"])})


def _storable(text: str) -> str:
    """Return a text without what UTF-8 can't hold."""
    return text.encode("utf-8", "replace").decode()


def _keep(rejects: BinaryIO, report: Report) -> int:
    """Store the file of refused rows; return of how many parts it is."""
    rejects.seek(0)
    number = 0
    while content := rejects.read(PART):
        part = db.documents(RejectsPart)()
        part["_id"] = ObjectId()
        part.report, part.number, part.content = report["_id"], number, content
        part.expires = report.expires
        part.save()
        number += 1
    return number
