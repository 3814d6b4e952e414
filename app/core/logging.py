"""Logs: JSON lines in production, readable lines elsewhere, each with the request's id.

No line holds a query string, a body, or the text of an error that may carry stored values.
"""

from __future__ import annotations

import logging
import re
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import orjson
from flask import Flask, g, has_request_context, request
from flask.logging import wsgi_errors_stream

if TYPE_CHECKING:
    from flask import Response

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_access = logging.getLogger("app.access")
# What a caller put on the record with `extra=`, and nothing that `logging` itself puts there.
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}
# Texts of these packages repeat what was stored or sent: "dup key: { email: ... }".
_TELLING_PACKAGES = ("pymongo", "bson", "gridfs", "mongokit")


def init_app(app: Flask) -> None:
    """Set the process's log format and level, and give each request an id and an access line.

    The format is the process's: of several apps in one process the last one decides. `LOG_LEVEL`
    and `LOG_FORMAT` say what it is.

    Args:
        app: The application, configured.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(handler)
    handler = _Handler(wsgi_errors_stream)
    handler.setFormatter(JSONFormatter() if app.config["LOG_FORMAT"] == "json" else TextFormatter())
    handler.addFilter(_add_request_id)
    root.addHandler(handler)
    root.setLevel(app.config["LOG_LEVEL"])
    # At DEBUG the driver logs whole commands, with the values in them.
    logging.getLogger("pymongo").setLevel(max(root.level, logging.INFO))
    werkzeug = logging.getLogger("werkzeug")
    if _is_no_request_line not in werkzeug.filters:
        werkzeug.addFilter(_is_no_request_line)
    app.before_request(_start)
    app.after_request(_finish)


class _Handler(logging.StreamHandler[Any]):
    """The one handler that `init_app` puts on the root logger; its type tells it from others."""


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, and the `extra` fields.

    Of an exception it shows the types and where they were raised; the texts stay out, since they
    may hold what a visitor sent or the database stores.

    Example:
        >>> handler.setFormatter(JSONFormatter())  # doctest: +SKIP
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for one record."""
        line: dict[str, object] = {
            "time": _time_of(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", None),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _OWN_FIELDS}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _describe(record.exc_info[1], with_texts=False)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class TextFormatter(logging.Formatter):
    """Lines for a person: time, level, logger, message, id; tracebacks with most texts.

    Texts of the driver's and the mapper's errors stay out here too: they hold stored values.

    Example:
        >>> handler.setFormatter(TextFormatter())  # doctest: +SKIP
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines for one record."""
        request_id = getattr(record, "request_id", None)
        line = f"{_time_of(record)} {record.levelname:<7} {record.name}: {record.getMessage()}"
        if request_id:
            line += f" [{request_id}]"
        if record.exc_info and record.exc_info[1]:
            line += "\n" + _describe(record.exc_info[1], with_texts=True)
        return line


def _time_of(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _describe(error: BaseException, *, with_texts: bool) -> str:
    """Return the traceback of an error and of what caused it, without texts that tell values."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        kind = type(current)
        telling = any(c.__module__.partition(".")[0] in _TELLING_PACKAGES for c in kind.__mro__)
        text = f": {current}" if with_texts and not telling else ""
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{frames}{kind.__module__}.{kind.__qualname__}{text}")
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "\nwhich followed from:\n".join(parts)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = g.get("request_id") if has_request_context() else None
    return True


def _is_no_request_line(record: logging.LogRecord) -> bool:
    """Tell whether a record of the development server is not its access line.

    That line repeats ours, and shows the query string.
    """
    return not str(record.msg).endswith('"%s" %s %s')


def _start() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _WELL_FORMED_ID.fullmatch(given) else uuid4().hex
    g.request_started = time.perf_counter()


def _finish(response: Response) -> Response:
    milliseconds = round((time.perf_counter() - g.request_started) * 1000, 1)
    response.headers["X-Request-ID"] = g.request_id
    path = quote(request.path)
    _access.info(
        "%s %s %s %s ms",
        request.method,
        path,
        response.status_code,
        milliseconds,
        extra={
            "method": request.method,
            "path": path,
            "status": response.status_code,
            "ms": milliseconds,
        },
    )
    return response
