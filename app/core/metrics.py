"""Figures for Prometheus at /metrics, for whoever has the token; without `METRICS_TOKEN` nothing.

Where it is off, the library is not even imported. Each app has a registry of its own. Under several
gunicorn workers the library keeps all their numbers in the folder `PROMETHEUS_MULTIPROC_DIR`, and
each worker answers for all. docs/logs.md says what is there, and how to scrape it.
"""

from __future__ import annotations

import hmac
import os
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Response, request
from pymongo.monitoring import CommandListener

from app.core import errors, figures
from app.core.config import ConfigError

if TYPE_CHECKING:
    from flask import Flask
    from prometheus_client import CollectorRegistry
    from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# A visitor may send any word as the method, and each would be a series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def init_app(app: Flask) -> None:
    """Keep and answer figures, if `METRICS_TOKEN` is set; before the database is bound.

    Args:
        app: The application, configured.

    Raises:
        ConfigError: `PROMETHEUS_MULTIPROC_DIR` names no folder.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    token = app.config["METRICS_TOKEN"]
    if token is None:
        return
    if (folder := os.environ.get(_FOLDER)) and not Path(folder).is_dir():
        raise ConfigError([f"{_FOLDER} must be a folder, empty when the first process starts"])
    metrics = _Metrics(token.encode())
    # The client is made of these; ours is added to what the configuration has.
    given = app.config.get("MONGODB_OPTIONS", {})
    listeners = [*given.get("event_listeners", ()), metrics]
    app.config["MONGODB_OPTIONS"] = given | {"event_listeners": listeners}
    app.after_request(metrics.count)
    app.add_url_rule("/metrics", "metrics", metrics.answer)


class _Metrics(CommandListener):
    """The figures of one app."""

    reads_no_replies = True

    def __init__(self, token: bytes) -> None:
        # Imported here, since most processes do without.
        import prometheus_client  # noqa: PLC0415

        self._token = token
        self._registry = prometheus_client.CollectorRegistry()
        self._requests = prometheus_client.Counter(
            "http_requests",
            "Requests that were answered.",
            ["method", "endpoint", "status"],
            registry=self._registry,
        )
        self._durations = prometheus_client.Histogram(
            "http_request_duration_seconds",
            "From the request to the beginning of its answer.",
            ["method", "endpoint"],
            registry=self._registry,
        )
        self._commands = prometheus_client.Summary(
            "mongodb_command_duration_seconds",
            "Commands to the database, those outside of requests too.",
            ["command", "outcome"],
            registry=self._registry,
        )

    # Requests.

    def count(self, response: Response) -> Response:
        """Count a request, by the name of its endpoint: paths hold ids, and are without number."""
        method = request.method if request.method in _METHODS else "other"
        endpoint = request.endpoint or "none"
        self._requests.labels(method, endpoint, response.status_code).inc()
        self._durations.labels(method, endpoint).observe(figures.of_request().seconds())
        return response

    def answer(self) -> Response:
        """Answer all figures in Prometheus' text format."""
        from prometheus_client import exposition  # noqa: PLC0415 - as above

        given = request.authorization
        sent = given.token if given is not None and given.type == "bearer" else None
        if not hmac.compare_digest((sent or "").encode(), self._token):
            headers = {"WWW-Authenticate": "Bearer"}
            detail = "Send the token that METRICS_TOKEN is set to, as a bearer token."
            return errors.problem(HTTPStatus.UNAUTHORIZED, detail, headers=headers)
        text = exposition.generate_latest(_all_processes() or self._registry)
        return Response(text, content_type=exposition.CONTENT_TYPE_PLAIN_0_0_4)

    # Commands.

    def started(self, event: CommandStartedEvent) -> None:
        """Do nothing; the driver calls all three."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Count a command that was answered."""
        self._observe(event, "ok")

    def failed(self, event: CommandFailedEvent) -> None:
        """Count a command that failed."""
        self._observe(event, "failed")

    def _observe(self, event: Any, outcome: str) -> None:
        seconds = event.duration_micros / 1_000_000
        self._commands.labels(event.command_name, outcome).observe(seconds)


def _all_processes() -> CollectorRegistry | None:
    """Return what all workers keep together; None where each keeps its own."""
    if not os.environ.get(_FOLDER):
        return None
    from prometheus_client import CollectorRegistry, multiprocess  # noqa: PLC0415 - as above

    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
