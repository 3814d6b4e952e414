"""The JSON door: /api/users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import BadRequest

from app.core import errors
from app.core.fields import shown
from app.core.operations import Resource, operation
from app.core.pagination import PageRequest
from app.users import documents, services
from flask_mongokit import BSONObjectIdConverter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bson import ObjectId

blueprint = Blueprint("users_api", __name__, url_prefix=f"{errors.API_PREFIX}/users")
errors.answer(
    blueprint,
    {
        services.UserNotFound: HTTPStatus.NOT_FOUND,
        services.EmailTaken: HTTPStatus.CONFLICT,
        services.UserChanged: HTTPStatus.CONFLICT,
        services.UserRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    },
)

USERS = Resource(lambda: documents.User)


class UserIdConverter(BSONObjectIdConverter):
    """The id of a user in a URL: 24 hexadecimal digits there, an `ObjectId` in the view.

    Example:
        >>> app.url_map.converters["user_id"] = UserIdConverter  # doctest: +SKIP
    """

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
@operation({HTTPStatus.OK: USERS.page}, query=PageRequest)
def listing() -> dict[str, Any]:
    """List the users, the oldest first.

    A page holds up to `limit` of them; the next one begins after the token in `next`. No page costs
    more than the first, and users who come or go meanwhile neither hide nor double another.
    """
    page = services.listing(PageRequest.from_args(request.args))
    return {"items": [shown(user) for user in page.items], "next": page.next}


@blueprint.post("")
@operation(
    {HTTPStatus.CREATED: USERS.read},
    body=USERS.create,
    raises=[services.EmailTaken, services.UserRefused],
)
def create() -> tuple[dict[str, Any], HTTPStatus, dict[str, str]]:
    """Add a user.

    The answer is the user as stored, tidied: spaces around the name are gone, the domain of the
    address is in lower case.
    """
    user = services.create(_body())
    location = url_for(".show", id=user["_id"])
    return shown(user), HTTPStatus.CREATED, {"Location": location}


@blueprint.get("/<user_id:id>")
@operation({HTTPStatus.OK: USERS.read}, raises=[services.UserNotFound])
def show(id: ObjectId) -> dict[str, Any]:
    """Show a user."""
    return shown(services.find(id))


@blueprint.patch("/<user_id:id>")
@operation(
    {HTTPStatus.OK: USERS.read},
    body=USERS.update,
    raises=[
        services.UserNotFound,
        services.EmailTaken,
        services.UserChanged,
        services.UserRefused,
    ],
)
def change(id: ObjectId) -> dict[str, Any]:
    """Change some fields of a user.

    The body is a JSON Merge Patch (RFC 7396): what it does not name stays as it is, also what
    others change meanwhile.
    """
    return shown(services.change(id, _body()))


@blueprint.delete("/<user_id:id>")
@operation({HTTPStatus.NO_CONTENT: None}, raises=[services.UserNotFound])
def remove(id: ObjectId) -> Response:
    """Remove a user."""
    services.remove(id)
    return Response(status=HTTPStatus.NO_CONTENT)


def _body() -> Mapping[str, object]:
    """Return the object that the body holds. Of two equal keys the last one counts.

    Raises:
        MalformedRequest: The body is not JSON.
        UserRefused: It is no object.
    """
    try:
        body = request.get_json()
    except BadRequest as error:
        raise errors.malformed_json() from error
    if not isinstance(body, dict):
        refusal = errors.field_error("", "type", "the body must be an object")
        raise services.UserRefused([refusal])
    return body
