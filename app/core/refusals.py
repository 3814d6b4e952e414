"""How the API's description tells of errors: as the very details that they are answered with."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    InternalServerError,
    RequestEntityTooLarge,
)

from app.core import errors, operations, preconditions, security
from app.core.operations import Content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.routing import BaseConverter

    from app.core.operations import Operation

SCHEMA = "Problem"  # the name of the component

_FIELD_ERROR = {
    "type": "object",
    "properties": {
        "path": {
            "type": "string",
            "description": "The dotted name of the field, or of the argument; empty for the whole.",
        },
        "rule": {"type": "string", "description": "The broken rule, for programs."},
        "message": {"type": "string", "description": "A sentence, for people."},
    },
    "required": ["path", "rule", "message"],
    "additionalProperties": False,
}
PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "description": "The status."},
        "detail": {"type": "string", "description": "What happened, and the way out."},
        "errors": {
            "type": "array",
            "items": _FIELD_ERROR,
            "description": "Each field at fault; empty where it is not about fields.",
        },
    },
    "required": ["type", "title", "status", "detail", "errors"],
}
_SHARED = {
    HTTPStatus.NOT_ACCEPTABLE: ("NotAcceptable", "The client takes no JSON."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("TooLarge", "The body is too large."),
    HTTPStatus.REQUEST_URI_TOO_LONG: ("QueryTooLong", "The query is too long."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("UnsupportedType", "The body is not sent as JSON."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("Failed", "Something went wrong here."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Unavailable", "The database does not answer."),
}
_OF_A_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_RETRY_AFTER = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer"},
    "required": True,
}

_Causes = dict[str, tuple[str, dict[str, Any]]]
"""The reasons for a status, by name: a sentence, and the details."""


def shared() -> dict[str, dict[str, Any]]:
    """Return the refusals that are the same everywhere, as response objects by name.

    Example:
        >>> sorted(shared())
        ['Failed', 'NotAcceptable', 'QueryTooLong', 'TooLarge', 'Unavailable', 'UnsupportedType']
    """
    return {
        name: _response(status, {name: (text, _details_of(status))})
        for status, (name, text) in _SHARED.items()
    }


def refusals_of(
    operation: Operation,
    arguments: Mapping[str, BaseConverter],
    statuses: Mapping[type[errors.DomainError], HTTPStatus],
    *,
    takes_body: bool,
) -> dict[HTTPStatus, Any]:
    """Return what an operation may refuse: response objects, or the names of shared ones.

    Args:
        operation: What its view says.
        arguments: The arguments in its path.
        statuses: How its door answers domain errors.
        takes_body: Whether its method has one.

    Raises:
        LookupError: The door has no status for an error.

    Example:
        >>> refusals_of(operation, {}, {}, takes_body=False)[HTTPStatus.SERVICE_UNAVAILABLE]
        'Unavailable'
    """
    causes: dict[HTTPStatus, _Causes] = {}
    for name, error in _malformed(operation, arguments).items():
        status, text, found = errors.details_of(error)
        details = errors.problem_details(status, text, found)
        causes.setdefault(status, {})[name] = (text, details)
    for kind in operation.raises:
        if kind not in statuses:
            raise LookupError(f"its door has no status for {kind.__name__}: say it to answer()")
        status, found = statuses[kind], kind().errors
        if status is HTTPStatus.UNPROCESSABLE_ENTITY and isinstance(operation.body, Content):
            # As where all that is required is missing, or set to null.
            failures = operation.body.resource.document()().errors()
            found = [errors.field_error(each.path, each.rule, each.message) for each in failures]
        details = errors.problem_details(status, kind.title, found)
        causes.setdefault(status, {})[kind.__name__] = (kind.title, details)
    own = {status: _response(status, reasons) for status, reasons in causes.items()}
    return own | {
        status: name
        for status, (name, _) in _SHARED.items()
        if takes_body or status not in _OF_A_BODY
    }


def _malformed(
    operation: Operation, arguments: Mapping[str, BaseConverter]
) -> dict[str, HTTPException]:
    """Return what is raised for arguments and a body that can't be read."""
    found: dict[str, HTTPException] = {}
    for name, converter in arguments.items():
        try:
            converter.to_python("?")
        except BadRequest as error:
            found[name] = error
        except ValueError:
            continue  # no such address then: 404
    if query := operation.query:
        for name in query.parameters():
            try:
                query.from_args({name: ""})
            except BadRequest as error:
                found[name] = error
    if isinstance(operation.body, Content) or (
        operation.body is not None and operation.body.media_type == "application/json"
    ):
        found["body"] = errors.malformed_json()
    if operation.is_conditional:
        found["If-Match"] = preconditions.failed()
    found["argument"] = operations.unknown_argument("unknown")
    return found


def _response(status: HTTPStatus, causes: _Causes) -> dict[str, Any]:
    """Return a response object, with an example for each reason."""
    content: dict[str, Any] = {"schema": SCHEMA}
    if len(causes) == 1:
        [(_, content["example"])] = causes.values()
    else:
        content["examples"] = {
            name: {"summary": text, "value": details} for name, (text, details) in causes.items()
        }
    made: dict[str, Any] = {
        "description": "; ".join(dict.fromkeys(text for text, _ in causes.values())),
        "content": {errors.PROBLEM_JSON: content},
    }
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        made["headers"] = {"Retry-After": _RETRY_AFTER}
    return made


def _details_of(status: HTTPStatus) -> dict[str, Any]:
    """Return what one of the shared refusals is answered with."""
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return errors.problem_details(status, errors.UNAVAILABLE)
    raised = (
        operations.not_acceptable(),
        RequestEntityTooLarge(),
        security.query_too_long(),
        security.unsupported_type(),
        InternalServerError(),
    )
    error = next(each for each in raised if each.code == status)
    return errors.problem_details(*errors.details_of(error))
