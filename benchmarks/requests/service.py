"""Our application as it runs in production, on an embedded engine of its own, with users in it."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from app import create_app
from app.core import embedded
from app.core.db import db
from app.users import bulk, services, tokens
from app.users.permissions import OPERATOR, SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bson import ObjectId
    from flask import Flask

DATABASE = "requests"
PASSWORD = secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Service:
    """What is measured.

    Attributes:
        app: The application.
        uri: The server's address.
        admin: The `_id` of a user who may do everything.
        token: The secret of a token of the admin.
    """

    app: Flask
    uri: str
    admin: ObjectId
    token: str


@contextmanager
def service(users: int, **settings: object) -> Iterator[Service]:
    """Run an engine while the block runs, with an application in production's configuration.

    Args:
        users: How many there are, beside the admin.
        **settings: Over those of production.

    Raises:
        app.core.embedded.EngineError: The engine is not installed, or does not start.
    """
    with TemporaryDirectory() as folder:
        uri = embedded.attach(folder)
        app = create_app(
            {
                "APP_ENV": "production",
                "SECRET_KEY": secrets.token_hex(32),
                "INSTANCE_PATH": folder,
                "MONGODB_URI": uri,
                "MONGODB_DATABASE": DATABASE,
                **settings,
            }
        )
        try:
            with app.app_context():
                db.create_indexes()
                values = {"name": "Admin", "email": "admin@example.org", "role": "admin"}
                admin = services.create(values, by=OPERATOR, password=PASSWORD)["_id"]
                made = {"name": "benchmark", "scopes": list(SCOPES)}
                token = tokens.create(admin, made, by=OPERATOR)[1]
                rows = (
                    bulk.Row(n, {"name": f"User {n:06}", "email": f"user{n:06}@example.org"})
                    for n in range(users)
                )
                for _ in bulk.import_rows(rows, by=OPERATOR):
                    pass
            yield Service(app, uri, admin, token)
        finally:
            db.close(app)
            embedded.detach(folder)
