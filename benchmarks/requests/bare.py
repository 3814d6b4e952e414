"""The least that answers the same JSON: Flask, PyMongo, a view for each address, nothing else.

No access line, no request's id, no security headers, no bound on the database's time, no figures,
no description of the API; a token is looked up each time, as in our application.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bson import ObjectId
from flask import Flask, Response, abort, jsonify, request
from pymongo import MongoClient

from app.core.page_tokens import Anchor, check_of, mark_of, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.database import Database


def create_app(uri: str, database: str) -> Flask:
    """Make the bare application.

    Args:
        uri: The server's address.
        database: The name of the database that our application uses too.

    Example:
        >>> create_app("mongodb://127.0.0.1:27017/", "app").test_client()  # doctest: +SKIP
    """
    app = Flask(__name__)
    client: MongoClient[dict[str, Any]] = MongoClient(uri, tz_aware=True)
    db = client[database]

    @app.get("/api/users/<id>")
    def show(id: str) -> Response:
        authorize(db)
        return jsonify(shown(found(db, id)))

    @app.get("/tagged/api/users/<id>")
    def show_tagged(id: str) -> Response:
        authorize(db)
        response = jsonify(shown(found(db, id)))
        response.add_etag()
        response.make_conditional(request)
        return response

    @app.get("/api/users")
    def listing() -> Response:
        authorize(db)
        limit = request.args.get("limit", 20, int)
        users = list(db["users"].find().sort("_id", 1).limit(limit + 1))
        after = None
        if len(users) > limit:
            last = users[limit - 1]["_id"]
            # Our own token, so that both answer the same.
            after = write(mark_of("created None"), [Anchor(0, last, check_of(last))])
        return jsonify(items=[shown(user) for user in users[:limit]], next=after, previous=None)

    return app


def authorize(db: Database[dict[str, Any]]) -> Mapping[str, Any]:
    """Return the user whose token the request carries; 401 where there is none."""
    secret = request.headers.get("Authorization", "").removeprefix("Bearer ")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    token = db["tokens"].find_one({"digest": digest})
    if token is None or (token["expires"] is not None and token["expires"] < datetime.now(UTC)):
        abort(401)
    user = db["users"].find_one({"_id": token["user"]}, {"role": 1})
    if user is None:
        abort(401)
    return user


def found(db: Database[dict[str, Any]], id: str) -> Mapping[str, Any]:
    """Return a user by the text of the `_id`; 404 where there is none."""
    user = db["users"].find_one({"_id": ObjectId(id)})
    if user is None:
        abort(404)
    return user


def shown(user: Mapping[str, Any]) -> dict[str, Any]:
    """Return what clients see of a user."""
    return {
        "id": str(user["_id"]),
        "name": user["name"],
        "email": user["email"],
        "role": user["role"],
        "created": user["created"].replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
    }
