"""How often something may be tried: Flask-Limiter, counting in the application's own database.

All workers and nodes count together, through the one client that the application has anyway. The
moving window counts exactly, and one update decides, so requests at the same moment can't slip
through together. docs/decisions/signing-in.md says more.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import current_app
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse
from limits.storage.mongodb import MongoDBStorageBase

from app.core.db import db
from app.core.errors import DomainError
from mongokit import Document

if TYPE_CHECKING:
    from flask import Flask
    from limits import RateLimitItem
    from limits.strategies import RateLimiter

COLLECTION = "rate_limits"
_EXTENSION = "limits"


class TooManyAttempts(DomainError):
    """A limit is reached.

    Attributes:
        retry_after: Seconds after which to try again.

    Example:
        >>> TooManyAttempts(30).retry_after
        30
    """

    title = "Too many attempts. Wait a while, then try again."

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = retry_after


@db.register
class RateLimit(Document):
    """What was tried lately, under one key; the server removes what is over."""

    __collection__ = COLLECTION
    structure = {"_id": str, "entries": [float], "expireAt": datetime}
    indexes = [{"fields": "expireAt", "expireAfterSeconds": 0}]


class _Storage(MongoDBStorageBase):
    """The library's storage, on the application's client; its indexes are declared above."""

    STORAGE_SCHEME = ["app"]

    @property
    def storage(self) -> Any:
        return db.connection

    @property
    def _database(self) -> Any:
        return db.database

    def __del__(self) -> None:
        """Leave the client open: it is the application's."""

    def _init_mongo_client(self, uri: str | None, **options: int | str | bool) -> Any:
        raise NotImplementedError  # `storage` is asked instead

    def clear(self, key: str) -> None:
        # Not find_one_and_delete, which reads the whole collection on the embedded engine.
        self.windows.delete_one({"_id": key})


def init_app(app: Flask) -> None:
    """Give an application its counters; opens nothing.

    Args:
        app: The application, configured.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    limiter = app.extensions[_EXTENSION] = Limiter(
        get_remote_address,
        storage_uri="app://",
        storage_options={"window_collection_name": COLLECTION},
        strategy="moving-window",
    )
    # What stands there gets no hooks. They would look for limits of the view at each request; here
    # none has any, since services ask.
    app.extensions.setdefault("limiter", set()).add(limiter)
    limiter.init_app(app)


class Limit:
    """One limit, for one key.

    Args:
        setting: The setting that holds it, such as `10 per 15 minutes`.
        key: What is counted. Only a hash of it is stored.

    Example:
        >>> Limit("SIGN_IN_LIMIT_PER_ACCOUNT", "ada@example.org").check()
    """

    def __init__(self, setting: str, key: str) -> None:
        self._item: RateLimitItem = parse(current_app.config[setting])
        secret = current_app.config["SECRET_KEY"].encode()
        hashed = hmac.new(secret, key.encode("utf-8", "surrogatepass"), hashlib.sha256)
        self._key = (setting.lower(), hashed.hexdigest())

    def check(self) -> None:
        """Refuse if the limit is reached; count nothing.

        Raises:
            TooManyAttempts: It is.
        """
        if not _counters().test(self._item, *self._key):
            raise self._refusal()

    def count(self) -> None:
        """Count one attempt, or refuse it; of many at the same moment just as many as are left.

        Raises:
            TooManyAttempts: The limit was reached before.
        """
        if not _counters().hit(self._item, *self._key):
            raise self._refusal()

    def forget(self) -> None:
        """Count from nothing again."""
        _counters().clear(self._item, *self._key)

    def _refusal(self) -> TooManyAttempts:
        reset = _counters().get_window_stats(self._item, *self._key).reset_time
        return TooManyAttempts(max(1, math.ceil(reset - time.time())))


def _counters() -> RateLimiter:
    limiter: Limiter = current_app.extensions[_EXTENSION]
    return limiter.limiter
