"""MongoKit documents in Flask applications: see `MongoKit`."""

from __future__ import annotations

from flask_mongokit._client import client_created
from flask_mongokit._document import BSONObjectIdConverter, Document
from flask_mongokit._extension import AuthenticationIncorrect, MongoKit

__all__ = [
    "AuthenticationIncorrect",
    "BSONObjectIdConverter",
    "Document",
    "MongoKit",
    "client_created",
]
