"""The JSON door to users in bulk: /api/users/import and /api/users/export, as streams.

Memory stays flat both ways. What is imported is taken into a temporary file before the first row is
read: a client may send all of it before it reads the first line of the report.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, request

from app.core import security
from app.core.errors import DomainError, MalformedRequest
from app.core.operations import Described, operation
from app.core.streams import portions
from app.users import bulk, files
from app.users.access import caller
from app.users.api import REFUSED, blueprint
from app.users.formulas import FORMULAS, Formulas

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from typing import IO

__all__ = ["blueprint"]  # that of `api`, with the views below

NDJSON, CSV = files.MEDIA_TYPES["ndjson"], files.MEDIA_TYPES["csv"]
_SPOOLED = 1024 * 1024  # bytes that are kept in memory

_ROWS = Described(
    "UserRows",
    {"type": "string", "description": "A user a line, as JSON: what is sent to make one."},
    NDJSON,
    '{"name": "Ada Lovelace", "email": "ada@example.org"}\n',
)
_REPORT = Described(
    "ImportReport",
    {
        "type": "string",
        "description": "A line for each row that holds something, in their order: `line`, `result`"
        " (`stored`, `present` or `refused`) and, where it was refused, `errors`. The last line has"
        " the numbers of each, and `stopped` where the database failed on the way: then import the"
        " same again, nothing is stored twice.",
    },
    NDJSON,
    '{"line":1,"result":"stored"}\n{"stored":1,"present":0,"refused":0}\n',
)
_EXPORT = (
    Described(
        "UserLines",
        {"type": "string", "description": "A user a line, as JSON; the oldest first."},
        NDJSON,
        '{"name":"Ada Lovelace","email":"ada@example.org"}\n',
    ),
    Described(
        "UserTable",
        {"type": "string", "description": "CSV (RFC 4180) with a header, where `Accept` asks so."},
        CSV,
        "name,email\r\nAda Lovelace,ada@example.org\r\n",
    ),
)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What an import is asked for beside its rows.

    Attributes:
        dry_run: Whether to check everything and store nothing.

    Example:
        >>> ImportRequest.from_args({"dry_run": "true"}).dry_run
        True
    """

    dry_run: bool = False

    @classmethod
    def parameters(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return JSON Schema by name."""
        text = "Check everything and store nothing."
        return {"dry_run": {"type": "boolean", "default": False, "description": text}}

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> ImportRequest:
        """Read the arguments of a request.

        Args:
            args: The query of the URL.

        Raises:
            MalformedRequest: `dry_run` is neither true nor false.
        """
        given = args.get("dry_run", "false")
        if given not in ("true", "false"):
            raise MalformedRequest("dry_run", "type", "dry_run must be true or false")
        return cls(given == "true")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """How an export is asked for.

    Attributes:
        formulas: What becomes of cells that a spreadsheet would run.

    Example:
        >>> ExportRequest.from_args({}).formulas
        'escape'
    """

    formulas: Formulas = "escape"

    @classmethod
    def parameters(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return JSON Schema by name."""
        text = "What becomes of CSV cells that a spreadsheet would run: an apostrophe before them,"
        text += " which an import takes away again, or nothing."
        schema = {"type": "string", "enum": list(FORMULAS), "default": "escape"}
        return {"formulas": schema | {"description": text}}

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> ExportRequest:
        """Read the arguments of a request.

        Args:
            args: The query of the URL.

        Raises:
            MalformedRequest: `formulas` is unknown.
        """
        given = args.get("formulas", "escape")
        for known in FORMULAS:
            if given == known:
                return cls(known)
        raise MalformedRequest("formulas", "choice", "formulas must be escape or keep")


@blueprint.post("/import")
@security.takes(NDJSON)
@operation(
    {HTTPStatus.OK: _REPORT},
    body=_ROWS,
    query=ImportRequest,
    raises=[*REFUSED, bulk.IndexesMissing],
)
def import_users() -> Response:
    """Import users.

    The body is NDJSON, the answer a report of the same form, a line for each row. Good rows are
    stored, bad ones are reported; a user whose e-mail address and name are there already is left
    alone, so the same import again stores nothing. A file larger than
    `FLASK_IMPORT_MAX_CONTENT_LENGTH` is a matter for `flask users import`.
    """
    wanted = ImportRequest.from_args(request.args)
    request.max_content_length = current_app.config["IMPORT_MAX_CONTENT_LENGTH"]
    # Closed when the report is made, or when the client has gone.
    rows = tempfile.SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115
    try:
        shutil.copyfileobj(request.stream, rows)
        rows.seek(0)
        reader = files.open_reader(rows, "ndjson")  # type: ignore[arg-type]
        outcomes = bulk.import_rows(reader, by=caller(), dry_run=wanted.dry_run)
    except BaseException:
        rows.close()
        raise
    response = Response(portions(_report(outcomes, rows)), mimetype=NDJSON)
    response.call_on_close(rows.close)
    return response


@blueprint.get("/export")
@operation({HTTPStatus.OK: _EXPORT}, query=ExportRequest, raises=[*REFUSED, bulk.DatabaseFailed])
def export_users() -> Response:
    """Export all users, the oldest first, as NDJSON or, where `Accept` prefers it, as CSV.

    Both can be imported again.
    """
    wanted = ExportRequest.from_args(request.args)
    accepted = request.accept_mimetypes
    kind = accepted.best_match([NDJSON, CSV], NDJSON) if accepted else NDJSON
    rows = bulk.export_rows(by=caller())
    # The first one now: a database that is not there is said by the status.
    first = next(rows, None)
    all_rows = rows if first is None else chain([first], rows)
    written = files.portions_of(
        all_rows, "csv" if kind == CSV else "ndjson", formulas=wanted.formulas
    )
    response = Response(portions(written), mimetype=kind)
    response.vary.add("Accept")
    return response


def _report(outcomes: Iterator[bulk.Outcome], rows: IO[bytes]) -> Generator[str, None, None]:
    counts: Counter[str] = Counter()
    last: dict[str, Any] = {}
    try:
        for outcome in outcomes:
            counts[outcome.result] += 1
            yield current_app.json.dumps(outcome.line()) + "\n"
    except DomainError as error:  # the status is sent by now
        last = {"stopped": error.title}
    finally:
        rows.close()
    yield current_app.json.dumps(bulk.totals(counts) | last) + "\n"
