"""What goes wrong, as an answer: problem details (RFC 9457) for programs, a page for people.

A service raises a `DomainError` and knows no HTTP. The door that called it (API or pages) says
with `answer` which status that is. Everything else is answered here, the same for all doors. No
answer holds a stored value or the text of a driver's error.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from flask import Blueprint, Flask, Response, current_app, render_template, request
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, WTimeoutError
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, SecurityError

from mongokit.errors import SchemaDocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypedDict

    from flask.sansio.scaffold import Scaffold

    class FieldError(TypedDict):
        """One entry of `errors`: the dotted field, the broken rule, a sentence."""

        path: str
        rule: str
        message: str


API_PREFIX = "/api"
_API_PATHS = f"{API_PREFIX}/"
PROBLEM_JSON = "application/problem+json"
MAX_ERRORS = 100  # in one answer: a body may hold thousands of fields that are wrong
RETRY_AFTER = 2  # seconds: an engine or a primary that went is back in about this time
UNAVAILABLE = (
    "The database did not answer in time. A change that was under way may have been made or not:"
    " look before you repeat it."
)
DatabaseError = PyMongoError  # for the doors, which know no driver
_REFUSED_BY_THE_SERVER = 121  # MongoDB's DocumentValidationFailure
_log = logging.getLogger(__name__)


class DomainError(Exception):
    """A rule of the application refused something; base of every error a service raises.

    Attributes:
        title: What happened, in one sentence, the same each time; set it on the subclass.
        errors: The fields at fault.

    Example:
        >>> class EmailTaken(DomainError):
        ...     title = "Another user has this e-mail address."
        >>> raise EmailTaken([field_error("email", "unique", EmailTaken.title)])
        Traceback (most recent call last):
        app.core.errors.EmailTaken: Another user has this e-mail address.
    """

    title: ClassVar[str] = "The request breaks a rule of the application."

    def __init__(self, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(self.title)
        self.errors = list(errors)


# What `answer` was told, for the API's description.
_statuses: WeakKeyDictionary[Scaffold, dict[type[DomainError], HTTPStatus]] = WeakKeyDictionary()


class MalformedRequest(BadRequest):
    """400: an argument of the request can't be read.

    Args:
        path: The argument's name.
        rule: A short name of the broken rule, for programs.
        message: One sentence for a person, without the value.

    Example:
        >>> raise MalformedRequest("limit", "range", "limit must be from 1 to 100")
        Traceback (most recent call last):
        app.core.errors.MalformedRequest: 400 Bad Request: limit must be from 1 to 100
    """

    def __init__(self, path: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.errors = [field_error(path, rule, message)]


def malformed_json() -> MalformedRequest:
    """Return the refusal of a body that is not JSON.

    Example:
        >>> raise malformed_json()
        Traceback (most recent call last):
        app.core.errors.MalformedRequest: 400 Bad Request: the body must be JSON, in UTF-8
    """
    return MalformedRequest("", "json", "the body must be JSON, in UTF-8")


def init_app(app: Flask) -> None:
    """Answer errors of HTTP, of the documents, of the database, and unforeseen ones.

    Args:
        app: The application; a blueprint's own handlers go before these.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(SecurityError, _foreign_host)
    app.register_error_handler(SchemaDocumentError, _refused_document)
    app.register_error_handler(PyMongoError, _database_error)


def answer(
    door: Flask | Blueprint,
    statuses: Mapping[type[DomainError], HTTPStatus],
    *,
    headers: Callable[[DomainError], Mapping[str, str]] = lambda _error: {},
) -> None:
    """Answer these domain errors with these statuses where a view of the door raises them.

    Args:
        door: A blueprint, or the application for all of them.
        statuses: Status by class; subclasses are included.
        headers: Returns what headers the answer to an error has.

    Example:
        >>> answer(api, {EmailTaken: HTTPStatus.CONFLICT})  # doctest: +SKIP
    """
    _statuses.setdefault(door, {}).update(statuses)
    for kind, status in statuses.items():

        def handle(error: DomainError, status: HTTPStatus = status) -> Response:
            return respond(status, error.title, error.errors, headers(error))

        door.register_error_handler(kind, handle)


def statuses_of(door: Scaffold) -> Mapping[type[DomainError], HTTPStatus]:
    """Return what `answer` was told of a door.

    Args:
        door: A blueprint, or the application.

    Example:
        >>> statuses_of(api)[EmailTaken]
        <HTTPStatus.CONFLICT: 409>
    """
    return _statuses.get(door, {})


def respond(
    status: HTTPStatus,
    detail: str,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error in the form that the client wants: problem details or a page.

    Args:
        status: The HTTP status.
        detail: What happened and the way out, in a sentence or two.
        errors: The fields at fault.
        headers: Put on the response.

    Example:
        >>> respond(HTTPStatus.NOT_FOUND, "There is no such user.")  # doctest: +SKIP
        <Response 151 bytes [404 NOT FOUND]>
    """
    if wants_problem():
        return problem(status, detail, errors, headers)
    detail, found = _first(detail, errors)
    page = render_template("error.html", status=status, detail=detail, errors=found)
    return Response(page, status, headers)


def problem(
    status: HTTPStatus,
    detail: str,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return problem details, whatever the client wants; arguments as in `respond`.

    Example:
        >>> problem(HTTPStatus.NOT_FOUND, "There is no such user.").mimetype
        'application/problem+json'
    """
    text = current_app.json.dumps(problem_details(status, detail, errors))
    return Response(text, status, headers, mimetype=PROBLEM_JSON)


def problem_details(
    status: HTTPStatus, detail: str, errors: Iterable[FieldError] = ()
) -> dict[str, Any]:
    """Return what problem details hold (RFC 9457); arguments as in `respond`.

    They list `MAX_ERRORS` at most, and their detail says where there are more.

    Example:
        >>> problem_details(HTTPStatus.NOT_FOUND, "There is no such user.")["title"]
        'Not Found'
    """
    detail, found = _first(detail, errors)
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "errors": found,
    }


def details_of(error: HTTPException) -> tuple[HTTPStatus, str, list[FieldError]]:
    """Return status, detail and errors that an HTTP error is answered with.

    Args:
        error: One with a status.

    Example:
        >>> details_of(MalformedRequest("limit", "type", "limit must be a whole number"))[1]
        'limit must be a whole number'
    """
    if isinstance(error, InternalServerError):
        detail = "Something went wrong here. It has been logged under the request's id."
    else:
        detail = error.description or ""
    return HTTPStatus(error.code or 500), detail, list(getattr(error, "errors", ()))


def field_error(path: str, rule: str, message: str) -> FieldError:
    """Return one entry of `errors`.

    Args:
        path: The dotted name of the field or the argument; '' for the whole.
        rule: A short name of the broken rule, for programs.
        message: One sentence for a person, without the value.

    Example:
        >>> field_error("name", "required", "name is required")["rule"]
        'required'
    """
    return {"path": path, "rule": rule, "message": message}


def field_errors(error: SchemaDocumentError) -> list[FieldError]:
    """Return every failure that a document's validation found, in its order.

    Args:
        error: What `validate()` or `save()` raised.

    Example:
        >>> field_errors(SchemaDocumentError("name is required", path="name", rule="required"))
        [{'path': 'name', 'rule': 'required', 'message': 'name is required'}]
    """
    failures = error.errors or [error.failure]
    return [field_error(f.path, f.rule, f.message) for f in failures]


def is_api_request() -> bool:
    """Tell whether the current request is for the API, by its path.

    Example:
        >>> with app.test_request_context("/api/users"):
        ...     is_api_request()
        True
    """
    return is_api_path(request.path)


def is_api_path(path: str) -> bool:
    """Tell whether a path leads to the API.

    Args:
        path: The path, as in `request.path`.

    Example:
        >>> is_api_path("/api/users"), is_api_path("/apiary")
        (True, False)
    """
    return path.startswith(_API_PATHS) or path == API_PREFIX


def wants_problem() -> bool:
    """Tell whether the client gets problem details: always in the API, else when it prefers JSON.

    Example:
        >>> with app.test_request_context("/", headers={"Accept": "application/json"}):
        ...     wants_problem()
        True
    """
    accepted = request.accept_mimetypes
    offered = ["text/html", "application/json", "application/problem+json"]
    return is_api_request() or accepted.best_match(offered, "text/html") != "text/html"


def unavailable(error: Exception) -> Response:
    """Answer 503: the database does not answer, or not in time.

    Args:
        error: Logged by its type alone.

    Example:
        >>> app.register_error_handler(EngineError, unavailable)  # doctest: +SKIP
    """
    _log.warning("the database is unavailable: %s", type(error).__name__)
    headers = {"Retry-After": str(RETRY_AFTER)}
    return respond(HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, headers=headers)


def _first(detail: str, errors: Iterable[FieldError]) -> tuple[str, list[FieldError]]:
    """Return the errors that are listed, and the detail that says of others."""
    found = list(errors)
    if len(found) > MAX_ERRORS:
        detail = f"{detail} The first {MAX_ERRORS} of {len(found)} errors are listed.".lstrip()
    return detail, found[:MAX_ERRORS]


def _http_error(error: HTTPException) -> HTTPException | Response:
    if error.response is not None or error.code is None:
        return error
    own = {"content-type", "content-length"}
    headers = {name: value for name, value in error.get_headers() if name.lower() not in own}
    return respond(*details_of(error), headers)


def _foreign_host(_error: SecurityError) -> Response:
    # As problem details always: under a host that is not ours no page can name its addresses.
    return problem(HTTPStatus.BAD_REQUEST, "There is no such host here.")


def _refused_document(error: SchemaDocumentError) -> Response:
    detail = "The document was refused: see the fields."
    return respond(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field_errors(error))


def _database_error(error: PyMongoError) -> Response:
    if isinstance(error, ConnectionFailure | ExecutionTimeout | WTimeoutError) or error.timeout:
        return unavailable(error)
    if getattr(error, "code", None) == _REFUSED_BY_THE_SERVER:
        _log.error("the server's validator is older than the document: run `flask db sync`")
    raise error
