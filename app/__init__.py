"""The users service: `create_app` puts it together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from app import users
from app.core import (
    api_docs,
    cors,
    db,
    errors,
    figures,
    health,
    limits,
    logging,
    look,
    metrics,
    operations,
    passwords,
    security,
)
from app.core import config as settings
from app.core.json import OrjsonProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["create_app"]


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """Make the application. Nothing is opened: the database is asked for at its first use.

    Args:
        config: Settings that win over every other source; docs/configuration.md lists them all.
            `INSTANCE_PATH` moves the instance folder.

    Raises:
        app.core.config.ConfigError: A setting is missing or malformed.

    Example:
        >>> app = create_app({"APP_ENV": "testing", "MONGODB_DATABASE": "demo"})
        >>> app.config["MONGODB_DATABASE"]
        'demo'
    """
    overrides = config or {}
    app = Flask(__name__, instance_path=settings.instance_path(overrides))
    app.config.from_mapping(settings.load(Path(app.instance_path), os.environ, overrides))
    app.json = OrjsonProvider(app)
    figures.init_app(app)
    logging.init_app(app)
    errors.init_app(app)
    metrics.init_app(app)
    db.init_app(app)
    cors.init_app(app)
    security.init_app(app)
    operations.init_app(app)
    passwords.init_app(app)
    limits.init_app(app)
    look.init_app(app)
    app.register_blueprint(health.blueprint)
    users.init_app(app)
    api_docs.init_app(app, title="Users API", version="1.0.0")
    return app
