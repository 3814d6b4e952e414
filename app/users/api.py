"""The JSON door: /api/users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import BadRequest

from app.core import errors, passwords, preconditions
from app.core.fields import shown
from app.core.limits import TooManyAttempts
from app.core.locks import Busy
from app.core.operations import Described, Resource, operation
from app.core.preconditions import tagged
from app.users import bulk, documents, services, signing_in
from app.users.access import caller, guard_api
from app.users.listing import ListRequest
from app.users.permissions import Action, NotAllowed, NotSignedIn
from flask_mongokit import BSONObjectIdConverter

if TYPE_CHECKING:
    from bson import ObjectId

blueprint = Blueprint("users_api", __name__, url_prefix=f"{errors.API_PREFIX}/users")
guard_api(blueprint)
errors.answer(
    blueprint,
    {
        services.UserNotFound: HTTPStatus.NOT_FOUND,
        services.EmailTaken: HTTPStatus.CONFLICT,
        services.UserChanged: HTTPStatus.CONFLICT,
        services.LastAdmin: HTTPStatus.CONFLICT,
        services.StaleVersion: HTTPStatus.PRECONDITION_FAILED,
        services.UserRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
        bulk.DatabaseFailed: HTTPStatus.SERVICE_UNAVAILABLE,
        bulk.IndexesMissing: HTTPStatus.SERVICE_UNAVAILABLE,
        Busy: HTTPStatus.CONFLICT,
    },
)

USERS = Resource(lambda: documents.User, {"password": passwords.SCHEMA})
NEW_PASSWORD = Described(
    "NewPassword",
    {
        "type": "object",
        "properties": {
            "password": passwords.SCHEMA,
            "current_password": {"type": "string", "writeOnly": True},
        },
        "required": ["password"],
        "additionalProperties": False,
    },
)
REFUSED: list[type[errors.DomainError]] = [NotSignedIn, NotAllowed]
CHANGES_REFUSED: list[type[errors.DomainError]] = [
    *REFUSED,
    services.UserNotFound,
    services.EmailTaken,
    services.LastAdmin,
    services.StaleVersion,
    services.UserChanged,
    services.UserRefused,
    Busy,
]


class UserIdConverter(BSONObjectIdConverter):
    """The id of a user in a URL: 24 hexadecimal digits there, an `ObjectId` in the view.

    Example:
        >>> app.url_map.converters["user_id"] = UserIdConverter  # doctest: +SKIP
    """

    # What stands in its place in other addresses is no id: they answer 405 to a wrong method.
    regex = r"(?!(?:import|export)$)[^/]+"

    def to_python(self, value: str) -> ObjectId:
        """Return the id.

        Raises:
            MalformedRequest: It is no id.
        """
        try:
            return super().to_python(value)
        except BadRequest as error:
            raise errors.MalformedRequest(
                "id", "object_id", "id must be 24 hexadecimal digits"
            ) from error


@blueprint.get("")
@operation({HTTPStatus.OK: USERS.page}, query=ListRequest, raises=REFUSED)
def listing() -> tuple[dict[str, Any], dict[str, str]]:
    """List the users, the oldest first, or in another order, or search them.

    A page holds up to `limit` of them; the next one begins after the token in `next`, the one
    before ends before the token in `previous`. Both are in `Link` too, as addresses. No page costs
    more than the first, and users who come or go meanwhile neither hide nor double another.
    """
    wanted = ListRequest.from_args(request.args)
    page = services.listing(wanted, by=caller())
    items = [shown(user) for user in page.items]
    if wanted.fields is not None:
        items = [{name: item[name] for name in item if name in wanted.fields} for item in items]
    links = page.links(url_for(".listing"), request.args)
    return {"items": items, "next": page.next, "previous": page.previous}, {"Link": links}


@blueprint.post("")
@operation(
    {HTTPStatus.CREATED: USERS.read},
    body=USERS.create,
    raises=[*REFUSED, services.EmailTaken, services.UserRefused],
)
def create() -> Response:
    """Add a user.

    The answer is the user as stored, tidied: spaces around the name are gone, the domain of the
    address is in lower case. Without a `password` the user can't sign in until one is set.
    """
    values = json_object()
    password = values.pop("password", None)
    user = services.create(values, by=caller(), password=password)
    location = url_for(".show", id=user["_id"])
    return tagged(shown(user), HTTPStatus.CREATED, {"Location": location})


@blueprint.get("/<user_id:id>")
@operation(
    {HTTPStatus.OK: USERS.read}, raises=[*REFUSED, services.UserNotFound], is_conditional=True
)
def show(id: ObjectId) -> Response:
    """Show a user."""
    return tagged(shown(services.find(id, by=caller())))


@blueprint.patch("/<user_id:id>")
@operation(
    {HTTPStatus.OK: USERS.read}, body=USERS.update, raises=CHANGES_REFUSED, is_conditional=True
)
def change(id: ObjectId) -> Response:
    """Change some fields of a user.

    The body is a JSON Merge Patch (RFC 7396): what it does not name stays as it is, also what
    others change meanwhile. With `If-Match` nobody else may have changed anything.
    """
    expected = _expected(id, Action.CHANGE)
    values = json_object()
    return tagged(shown(services.change(id, values, by=caller(), expected=expected)))


@blueprint.put("/<user_id:id>")
@operation(
    {HTTPStatus.OK: USERS.read}, body=USERS.replace, raises=CHANGES_REFUSED, is_conditional=True
)
def replace(id: ObjectId) -> Response:
    """Replace a user.

    What the body does not name gets its default, or is gone. Use `PATCH` to change a part.
    """
    expected = _expected(id, Action.CHANGE)
    values = json_object()
    return tagged(shown(services.replace(id, values, by=caller(), expected=expected)))


@blueprint.delete("/<user_id:id>")
@operation(
    {HTTPStatus.NO_CONTENT: None},
    raises=[
        *REFUSED,
        services.UserNotFound,
        services.LastAdmin,
        services.StaleVersion,
        services.UserChanged,
        Busy,
    ],
    is_conditional=True,
)
def remove(id: ObjectId) -> Response:
    """Remove a user, and the user's tokens."""
    services.remove(id, by=caller(), expected=_expected(id, Action.REMOVE))
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.put("/<user_id:id>/password")
@operation(
    {HTTPStatus.NO_CONTENT: None},
    body=NEW_PASSWORD,
    raises=[*REFUSED, services.UserNotFound, services.UserRefused, TooManyAttempts],
)
def password(id: ObjectId) -> Response:
    """Set a user's password, and end the user's sessions.

    Who sets their own has to send the current one too, if there is one.
    """
    values = json_object()
    if unknown := [name for name in values if name not in NEW_PASSWORD.schema["properties"]]:
        raise services.UserRefused(
            [errors.field_error(name, "unknown", f"{name} is not known here") for name in unknown]
        )
    current = values.get("current_password", "")
    if not isinstance(current, str):
        message = "current_password must be a text"
        raise services.UserRefused([errors.field_error("current_password", "type", message)])
    signing_in.set_password(id, values.get("password"), by=caller(), current=current)
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.delete("/<user_id:id>/sessions")
@operation({HTTPStatus.NO_CONTENT: None}, raises=[*REFUSED, services.UserNotFound])
def sessions(id: ObjectId) -> Response:
    """Sign a user out everywhere; tokens stay."""
    signing_in.end_sessions(id, by=caller())
    return Response(status=HTTPStatus.NO_CONTENT)


def json_object() -> dict[str, object]:
    """Return the object that the body holds. Of two equal keys the last one counts.

    Raises:
        MalformedRequest: The body is not JSON.
        UserRefused: It is no object.

    Example:
        >>> json_object()["name"]
        'Ada'
    """
    try:
        body = request.get_json()
    except BadRequest as error:
        raise errors.malformed_json() from error
    if not isinstance(body, dict):
        refusal = errors.field_error("", "type", "the body must be an object")
        raise services.UserRefused([refusal])
    return body


def _expected(id: ObjectId, to: Action) -> int | None:
    """Return the version that a change under a condition is meant for."""
    if not preconditions.is_conditional():
        return None
    user = services.find(id, by=caller(), to=to)
    preconditions.check(shown(user))
    return user.get("version") or 0
