"""Logs: JSON lines in production, readable lines elsewhere, each with the request's id.

No line holds a query string, a body, or the text of an error that may carry stored values.

structlog writes the lines, those of the standard library's loggers too: what our modules and the
libraries log goes through one formatter. The chains of processors are short, since each request has
a line: one function arranges what is known, one renders it. docs/logs.md describes the lines.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
import structlog
from flask import Flask, g, has_request_context, request
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from app.core import figures
from app.core.current import current_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response
    from structlog.typing import EventDict

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]*", re.ASCII)  # as most are: quoted it is the same
_ACCESS = "app.access"
_ID = "app.request_id"  # in the WSGI environment
_access = logging.getLogger(_ACCESS)
# The message of an access line says these already.
_IN_THE_MESSAGE = ("method", "path", "status", "ms")
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
    formatter = _formatter(app.config["LOG_FORMAT"])
    handler = _Handler()
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(app.config["LOG_LEVEL"])
    # At DEBUG the driver logs whole commands, with the values in them.
    logging.getLogger("pymongo").setLevel(max(root.level, logging.INFO))
    _take_over_servers(formatter)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=logging.getLogger,
        cache_logger_on_first_use=True,
    )
    app.jinja_env.globals["request_id"] = request_id
    app.after_request(_finish)


class _Handler(logging.Handler):
    """The one handler that `init_app` puts on the root logger; its type tells it from others.

    It writes where the server wants errors, and looks that up once for each line.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line for one record."""
        try:
            self.write(self.format(record))
        except Exception:  # noqa: BLE001 - as logging's own handlers: no line may break a request
            self.handleError(record)

    def write_alone(self, line: str) -> None:
        """Write a line while no other thread writes one, as `handle` does with those of records."""
        self.acquire()
        try:
            self.write(line)
        finally:
            self.release()

    @staticmethod
    def write(line: str) -> None:
        """Write a line; raises what the stream raises."""
        stream = request.environ["wsgi.errors"] if has_request_context() else sys.stderr
        stream.write(line + "\n")
        stream.flush()


class JSONFormatter(ProcessorFormatter):
    """One JSON object a line: time, level, logger, message, request_id, and the record's fields.

    Of an exception it shows the types and where they were raised; the texts stay out, since they
    may hold what a visitor sent or the database stores.

    Example:
        >>> handler.setFormatter(JSONFormatter())  # doctest: +SKIP
    """

    def __init__(self) -> None:
        super().__init__(processors=(_arrange, _as_json), foreign_pre_chain=(ExtraAdder(),))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; for what structlog logged without copies of the record on the way."""
        if isinstance(record.msg, dict) and hasattr(record, "_logger"):
            event = {**record.msg, "_record": record, "_from_structlog": True}
            return _as_json(None, "", _arrange(None, "", event))
        return super().format(record)


class TextFormatter(ProcessorFormatter):
    """Lines for a person: time, level, message, logger, fields; tracebacks with most texts.

    Texts of the driver's and the mapper's errors stay out here too: they hold stored values.

    Args:
        colors: For a terminal.

    Example:
        >>> handler.setFormatter(TextFormatter())  # doctest: +SKIP
    """

    def __init__(self, *, colors: bool = False) -> None:
        render = structlog.dev.ConsoleRenderer(
            colors=colors,
            event_key="message",
            timestamp_key="time",
            pad_event_to=0,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
        super().__init__(
            processors=(_arrange_with_texts, _shorten, render), foreign_pre_chain=(ExtraAdder(),)
        )


def _formatter(name: str) -> logging.Formatter:
    if name == "json":
        return JSONFormatter()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # None: a script has closed it
    return TextFormatter(colors=is_terminal and sys.platform != "win32")


# Processors --------------------------------------------------------------------------------------


def _arrange(
    _logger: object, _method: str, event: EventDict, with_texts: bool = False
) -> EventDict:
    """Return the fields of a line in their order, with the exception described."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    event.pop("asctime", None)  # of a handler that had the record before
    error = _error_of(event.pop("exc_info", None))
    message = event.pop("event")
    line = _line(record.created, record.levelname, record.name, message, event)
    if error is not None:
        line["exception"] = _describe(error, with_texts=with_texts)
    return line


def _line(
    created: float, level: str, logger: str, message: object, fields: Mapping[str, object]
) -> EventDict:
    moment = datetime.fromtimestamp(created, UTC)
    return {
        "time": moment.isoformat("T", "milliseconds").replace("+00:00", "Z"),
        "level": level,
        "logger": logger,
        "message": message,
        "request_id": request_id() if has_request_context() else None,
        **fields,
    }


def _arrange_with_texts(logger: object, method: str, event: EventDict) -> EventDict:
    return _arrange(logger, method, event, with_texts=True)


def _as_json(_logger: object, _method: str, line: EventDict) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _shorten(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Leave out what a person has no use for, and let no visitor begin a line of his own."""
    line["level"] = line["level"].lower()
    if line["request_id"] is None:
        del line["request_id"]
    else:
        line["message"] = str(line["message"]).replace("\n", "\\n").replace("\r", "\\r")
    if line["logger"] == _ACCESS:
        for name in _IN_THE_MESSAGE:
            line.pop(name, None)
    return line


def _error_of(exc_info: object) -> BaseException | None:
    """Return the exception that a record names, in any of the ways to name one."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    elif exc_info is True:
        exc_info = sys.exception()
    return exc_info if isinstance(exc_info, BaseException) else None


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


# The servers' own lines ---------------------------------------------------------------------------


def _take_over_servers(formatter: logging.Formatter) -> None:
    """See to it that the lines of werkzeug and gunicorn keep what visitors send to themselves."""
    gunicorn = logging.getLogger("gunicorn.error")
    for handler in gunicorn.handlers:  # its own, to where the operator has it
        handler.setFormatter(formatter)
    for logger, keep in ((logging.getLogger("werkzeug"), _of_werkzeug), (gunicorn, _of_gunicorn)):
        if keep not in logger.filters:
            logger.addFilter(keep)


def _of_werkzeug(record: logging.LogRecord) -> bool:
    """Drop the development server's lines on single requests; keep tracebacks for the formatter.

    The access line repeats ours. It shows the query string, as do lines on malformed requests.
    """
    message = str(record.msg)
    if " - - [" in message:
        return False
    if message.startswith("Error on request:"):  # followed by a traceback, with texts
        record.msg = "Error on request"
        record.exc_info = sys.exc_info()
    return True


def _of_gunicorn(record: logging.LogRecord) -> bool:
    """Cut from a line what its request has sent."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            each.partition("?")[0] if isinstance(each, str) else each for each in record.args
        )
    if str(record.msg).startswith("Invalid request from "):
        record.msg = str(record.msg).partition(": ")[0]
    return True


# Requests ----------------------------------------------------------------------------------------


def request_id() -> str:
    """Return the id of the current request: the one that it came with, if that is well formed.

    Example:
        >>> with app.test_request_context(headers={"X-Request-ID": "edge-42.A_b"}):
        ...     request_id()
        'edge-42.A_b'
    """
    environ = request.environ
    found: str | None = environ.get(_ID)
    if found is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        found = environ[_ID] = given if _WELL_FORMED_ID.fullmatch(given) else token_hex(16)
    return found


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = request_id()
    if _access.isEnabledFor(logging.INFO):
        asked = current_request()
        method, path = asked.method, asked.path
        if not _PLAIN_PATH.fullmatch(path):
            path = quote(path)
        status, cost, user = response.status_code, figures.of_request(), g.get("user_id")
        ms = round(cost.seconds() * 1000, 1)
        fields = {
            "method": method,
            "path": path,
            "status": status,
            "ms": ms,
            "user": None if user is None else str(user),
            "db_ms": round(cost.microseconds / 1000, 1),
            "db_commands": cost.commands,
        }
        _log_access(f"{method} {path} {status} {ms} ms", fields)
    return response


def _log_access(message: str, fields: Mapping[str, object]) -> None:
    """Write an access line; without a record of it where that would come to our handler alone.

    A record, and its way to the handler, cost more than all else of the line. Whoever adds a
    handler or a filter gets records.
    """
    handler = _only_handler()
    if handler is not None:
        line = _line(time.time(), "INFO", _ACCESS, message, fields)
        with suppress(Exception):  # the handler fails again below, and says so
            handler.write_alone(_as_json(None, "", line))
            return
    # What structlog's logger makes of it too; but that first looks for who calls it.
    event, by = {**fields, "event": message}, {"_logger": _access, "_name": "info"}
    _access.handle(
        _access.makeRecord(_ACCESS, logging.INFO, __file__, 0, event, (), None, extra=by)
    )


def _only_handler() -> _Handler | None:
    """Return our handler, if it writes JSON and nobody else would see a record of `_access`."""
    logger: logging.Logger | None = _access
    handlers: list[logging.Handler] = []
    while logger is not None:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None
    if len(handlers) != 1 or _access.filters:
        return None
    [handler] = handlers
    if not (isinstance(handler, _Handler) and isinstance(handler.formatter, JSONFormatter)):
        return None
    return None if handler.filters or handler.level > logging.INFO else handler
