"""The JSON door: /api/users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request, url_for
from werkzeug.exceptions import BadRequest

from app.core import errors
from app.core.fields import shown
from app.core.pagination import PageRequest
from app.users import services
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
def listing() -> dict[str, Any]:
    """Answer one page of the users, the oldest first: `?limit=` and `?after=`."""
    page = services.listing(PageRequest.from_args(request.args))
    return {"items": [shown(user) for user in page.items], "next": page.next}


@blueprint.post("")
def create() -> tuple[dict[str, Any], HTTPStatus, dict[str, str]]:
    """Store a user; answer 201, and where it is."""
    user = services.create(_body())
    location = url_for(".show", user_id=user["_id"])
    return shown(user), HTTPStatus.CREATED, {"Location": location}


@blueprint.get("/<user_id:user_id>")
def show(user_id: ObjectId) -> dict[str, Any]:
    """Answer one user."""
    return shown(services.find(user_id))


@blueprint.patch("/<user_id:user_id>")
def change(user_id: ObjectId) -> dict[str, Any]:
    """Change the fields in the body, as in JSON Merge Patch (RFC 7396); answer the user."""
    return shown(services.change(user_id, _body()))


@blueprint.delete("/<user_id:user_id>")
def remove(user_id: ObjectId) -> tuple[str, HTTPStatus]:
    """Remove a user; answer 204."""
    services.remove(user_id)
    return "", HTTPStatus.NO_CONTENT


def _body() -> Mapping[str, object]:
    """Return the object that the body holds. Of two equal keys the last one counts.

    Raises:
        MalformedRequest: The body is not JSON.
        UserRefused: It is no object.
    """
    try:
        body = request.get_json()
    except BadRequest as error:
        raise errors.MalformedRequest("", "json", "the body must be JSON, in UTF-8") from error
    if not isinstance(body, dict):
        refusal = errors.field_error("", "type", "the body must be an object")
        raise services.UserRefused([refusal])
    return body
