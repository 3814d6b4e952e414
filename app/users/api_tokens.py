"""The JSON door to tokens: /api/tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, jsonify

from app.core import errors
from app.core.fields import shown
from app.core.limits import TooManyAttempts
from app.core.operations import Described, operation
from app.users import documents, services, signing_in, tokens
from app.users.access import address, answer_refusals, caller, headers_of
from app.users.api import json_object
from app.users.permissions import SCOPES, NotAllowed, NotSignedIn

if TYPE_CHECKING:
    from bson import ObjectId

blueprint = Blueprint("tokens_api", __name__, url_prefix=f"{errors.API_PREFIX}/tokens")
answer_refusals(blueprint)
errors.answer(
    blueprint,
    {
        services.UserRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
        signing_in.WrongCredentials: HTTPStatus.UNAUTHORIZED,
        tokens.TokenNotFound: HTTPStatus.NOT_FOUND,
        tokens.TokenRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
        tokens.TooManyTokens: HTTPStatus.CONFLICT,
    },
    headers=headers_of,
)

_FIELDS = {
    "name": {
        "type": "string",
        "minLength": 1,
        "maxLength": 50,
        "description": "What it is for.",
        "examples": ["laptop"],
    },
    "scopes": {
        "type": "array",
        "items": {"enum": list(SCOPES)},
        "minItems": 1,
        "description": "What it is for; all where it is missing.",
        "examples": [["users:read"]],
    },
    "expires_in": {
        "type": "string",
        "pattern": "^([1-9][0-9]{0,1}[hdwy]|never)$",
        "description": "How long it is good for: a number and `h`, `d`, `w` or `y`, up to ten"
        " years, or `never`; 90 days where it is missing.",
        "examples": ["90d"],
    },
}
CREDENTIALS = Described(
    "Credentials",
    {
        "type": "object",
        "properties": {
            "email": {"type": "string", "examples": ["ada@example.org"]},
            "password": {"type": "string", "examples": ["correct horse battery staple"]},
            **_FIELDS,
        },
        "required": ["email", "password"],
        "additionalProperties": False,
    },
)


def _schema(**more: dict[str, Any]) -> dict[str, Any]:
    """Return what clients see of a token."""
    schema = documents.Token.json_schema("read")
    own_id = {
        "type": "string",
        "pattern": "^[0-9a-f]{24}$",
        "examples": ["65f0c0ffee65f0c0ffee65f0"],
    }
    fields = {name: each for name, each in schema["properties"].items() if name != "_id"}
    properties = {"id": own_id, **fields, **more}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


NEW_TOKEN = Described(
    "NewToken",
    _schema(
        token={
            "type": "string",
            "pattern": "^mk_[0-9A-Za-z]{46}$",
            "examples": ["mk_" + "0" * 46],
        }
    ),
)
TOKENS = Described(
    "TokenList",
    {
        "type": "object",
        "properties": {"items": {"type": "array", "maxItems": tokens.MOST, "items": _schema()}},
        "required": ["items"],
        "additionalProperties": False,
    },
)


@blueprint.post("")
@operation(
    {HTTPStatus.CREATED: NEW_TOKEN},
    body=CREDENTIALS,
    raises=[
        signing_in.WrongCredentials,
        services.UserRefused,
        tokens.TokenRefused,
        tokens.TooManyTokens,
        TooManyAttempts,
    ],
    is_open=True,
)
def create() -> tuple[dict[str, Any], HTTPStatus]:
    """Get a token for an e-mail address and a password.

    The secret in `token` is shown this once. It is sent as `Authorization: Bearer mk_…`, and acts
    as the user whose it is.
    """
    values = json_object()
    user = signing_in.sign_in(
        values.pop("email", None), values.pop("password", None), address=address()
    )
    g.user_id = user["_id"]  # for the access line
    token, secret = tokens.exchange(user, {"name": "API", **values})
    return {**shown(token), "token": secret}, HTTPStatus.CREATED


@blueprint.get("")
@operation({HTTPStatus.OK: TOKENS}, raises=[NotSignedIn, NotAllowed])
def listing() -> Response:
    """List one's own tokens, the newest first."""
    who = caller()
    if who.id is None:
        raise NotSignedIn
    return jsonify({"items": [shown(token) for token in tokens.listing(who.id, by=who)]})


@blueprint.delete("/<user_id:id>")
@operation(
    {HTTPStatus.NO_CONTENT: None},
    raises=[NotSignedIn, NotAllowed, tokens.TokenNotFound],
)
def revoke(id: ObjectId) -> Response:
    """Revoke a token; also the one that the request is sent with."""
    tokens.revoke(id, by=caller())
    return Response(status=HTTPStatus.NO_CONTENT)
