"""Is the process alive, and can it serve? For load balancers and service managers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pymongo
from flask import Blueprint, current_app, jsonify
from pymongo.errors import PyMongoError

from app.core import errors
from app.core.db import db
from app.core.embedded import EngineError

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """Answer 200 as long as the process serves requests; touches no database."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def ready() -> Response:
    """Answer 200 when the database answers and every declared index exists, else 503.

    Waits `READY_TIMEOUT_MS` for both together.
    """
    try:
        with pymongo.timeout(current_app.config["READY_TIMEOUT_MS"] / 1000):
            db.connection.admin.command("ping")
            missing = db.missing_indexes()
    except (PyMongoError, EngineError):
        return _not_ready("database", "reachable", ["the database does not answer"])
    if missing:
        return _not_ready("indexes", "exists", [f"{name} is missing" for name in missing])
    return jsonify(status="ready")


def _not_ready(path: str, rule: str, messages: list[str]) -> Response:
    return errors.problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Not ready: a check failed.",
        [errors.field_error(path, rule, message) for message in messages],
        {"Retry-After": str(errors.RETRY_AFTER)},
    )
