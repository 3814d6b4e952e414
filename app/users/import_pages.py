"""The HTML door for a file of users: upload it, see what became of it, get the refused rows.

With JavaScript (app/static/import.js) the form asks for `application/x-ndjson`, and is answered
with a line of progress now and then; without it, the answer comes when all is done.
"""

from __future__ import annotations

from collections import deque
from http import HTTPStatus
from io import BytesIO
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import orjson
from flask import (
    Blueprint,
    Response,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import RequestEntityTooLarge

from app.core import errors
from app.core.bounds import request_timeout
from app.core.errors import field_error
from app.core.streams import portions
from app.users import access, bulk, files, permissions, reports
from app.users.account_forms import ImportForm
from app.users.permissions import Action

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from bson import ObjectId

NDJSON = files.MEDIA_TYPES["ndjson"]
_MIB = 1024 * 1024

blueprint = Blueprint("import", __name__, template_folder="templates")


@blueprint.url_value_preprocessor
def _take_larger_bodies(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let who may import send more than others; before the form's token is looked for in it."""
    if endpoint == "import.take" and access.may(Action.IMPORT):
        request.max_content_length = current_app.config["IMPORT_MAX_CONTENT_LENGTH"]


@blueprint.get("/users/import")
def upload() -> str:
    """Ask for a file."""
    permissions.require(access.caller(), Action.IMPORT)
    return _page(ImportForm())


@blueprint.post("/users/import")
@request_timeout(None)  # as long as the file is long
def take() -> Any:
    """Import a file, and lead to the report."""
    by = access.caller()
    permissions.require(by, Action.IMPORT)
    form = ImportForm()
    sent = request.files.get("file")
    name = sent.filename if sent is not None and sent.filename else ""
    kind = form.format.data or files.EXTENSIONS.get(PurePath(name).suffix.lower())
    if sent is None or not name:
        return _refused(form, "file", "file", "Choose a file.")
    if kind not in files.MEDIA_TYPES:
        known = ", ".join(files.EXTENSIONS)
        message = f"The name of the file ends in none of {known}: say what it holds."
        return _refused(form, "format", "choice", message)
    try:
        reader = files.open_reader(cast("BinaryIO", sent.stream), kind)
    except files.BadHeader as error:
        return _refused(form, "file", "header", f"{error}.")
    report = reports.begin(file=name, format=kind, dry_run=bool(form.dry_run.data), by=by)
    where = url_for(".report", id=report["_id"])
    work = reports.work(report, reader, by=by)
    if NDJSON in request.accept_mimetypes.values():
        # The request closes its files before a streamed answer is made: it gets another one.
        stream, sent.stream = sent.stream, BytesIO()
        lines = portions(_lines(work, where, stream))
        # Some proxies collect an answer before they hand it on; this header is their switch.
        return Response(lines, mimetype=NDJSON, headers={"X-Accel-Buffering": "no"})
    deque(work, maxlen=0)
    return redirect(where, HTTPStatus.SEE_OTHER)


@blueprint.get("/users/import/<user_id:id>")
def report(id: ObjectId) -> str:
    """Show what became of an import."""
    found = reports.find(id, by=access.caller())
    return render_template("import/report.html", report=found, shown=reports.SHOWN)


@blueprint.get("/users/import/<user_id:id>/rejects")
def rejects(id: ObjectId) -> Response:
    """Send the refused rows as a file, which can be corrected and imported."""
    found = reports.find(id, by=access.caller())
    if not found.parts:
        raise reports.ReportNotFound
    parts = portions(reports.rejects(found))
    name = f"refused-{found['_id']}.{found.format}"
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(parts, mimetype=files.MEDIA_TYPES[found.format], headers=headers)


access.guard_pages(blueprint)
errors.answer(
    blueprint,
    {
        reports.ReportNotFound: HTTPStatus.NOT_FOUND,
        bulk.DatabaseFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    },
)


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> Response:
    detail = f"The file is too large: {_largest()} are the most. Import it in parts, or with the"
    return errors.respond(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{detail} command flask users import."
    )


def _largest() -> str:
    size = request.max_content_length or 0
    return f"{size // _MIB} MiB" if size >= _MIB else f"{size} bytes"


def _page(form: ImportForm) -> str:
    largest = request.max_content_length = current_app.config["IMPORT_MAX_CONTENT_LENGTH"]
    return render_template(
        "import/upload.html", form=form, largest=largest, size=_largest(), columns=files.columns()
    )


def _refused(form: ImportForm, name: str, rule: str, message: str) -> Any:
    refusal = [field_error(name, rule, message)]
    if errors.wants_problem():
        return errors.respond(HTTPStatus.UNPROCESSABLE_ENTITY, message, refusal)
    form.refuse(refusal)
    return _page(form), HTTPStatus.UNPROCESSABLE_ENTITY


def _lines(
    work: Iterator[reports.Progress], where: str, stream: IO[bytes]
) -> Generator[bytes, None, None]:
    """Return a line for each sign of progress; the last one says where the report is."""
    with stream:
        for progress in work:
            yield orjson.dumps({"rows": progress.rows, "bytes": progress.bytes_read}) + b"\n"
    yield orjson.dumps({"report": where}) + b"\n"
