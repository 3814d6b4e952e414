"""What a view of the API says of itself beside its docstring; `openapi` describes it by that.

    USERS = Resource(lambda: documents.User)

    @blueprint.post("")
    @operation(body=USERS.create, answers={HTTPStatus.CREATED: USERS.read}, raises=[EmailTaken])
    def create(): ...

What follows from the rest is not said again: arguments of the path come from the URL, their
refusals and those of a body from the method, the status of a domain error from the door's
`errors.answer`. What a view says is also kept: of its query every argument that it does not name,
or that comes twice, is refused, and so is a client that takes no JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from flask import current_app
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import NotAcceptable, PreconditionFailed

from app.core.current import current_request
from app.core.errors import PROBLEM_JSON, MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from http import HTTPStatus

    from flask import Flask, Request

    from app.core.errors import DomainError
    from mongokit import Document

Mode = Literal["create", "update", "replace", "read", "page"]
"""What a client sends to make, change or replace one; what it gets: one, or a page of them."""

V = TypeVar("V", bound="Callable[..., Any]")
_ATTRIBUTE = "__operation__"
_SAFE = ("GET", "HEAD")


class Query(Protocol):
    """Arguments of a query: what they may be, and what reads them.

    Example:
        >>> PageRequest.parameters()["limit"]["maximum"]
        100
    """

    @classmethod
    def parameters(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return JSON Schema by name; its `description` is the argument's.

        The items of an array are separated by commas.
        """

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> object:
        """Read the arguments of a request.

        Raises:
            MalformedRequest: One is malformed.
        """


@dataclass(frozen=True, slots=True)
class Content:
    """What a body or an answer holds.

    Attributes:
        resource: Of what.
        mode: In which form.

    Example:
        >>> Resource(lambda: User).page.mode
        'page'
    """

    resource: Resource
    mode: Mode


@dataclass(frozen=True, slots=True)
class Described:
    """A body or an answer that no document class describes.

    Attributes:
        name: The name of its schema.
        schema: JSON Schema, of the whole or of what a text in this form means.
        media_type: Its form.
        example: One of them, where the schema has none.

    Example:
        >>> Described("Credentials", {"type": "object"}).media_type
        'application/json'
    """

    name: str
    schema: Mapping[str, Any]
    media_type: str = "application/json"
    example: Any = None


Answer = Content | Described
"""What an answer holds."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A document class, looked up when it is needed, in the forms that clients meet.

    Attributes:
        document: Returns the class.
        write_only: What may be sent beside its fields to make one, as JSON Schema by name.

    Example:
        >>> USERS = Resource(lambda: documents.User)
    """

    document: Callable[[], type[Document]]
    write_only: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def create(self) -> Content:
        """What a client sends to make one."""
        return Content(self, "create")

    @property
    def update(self) -> Content:
        """What a client sends to change one, a JSON Merge Patch."""
        return Content(self, "update")

    @property
    def replace(self) -> Content:
        """What a client sends in place of one."""
        return Content(self, "replace")

    @property
    def read(self) -> Content:
        """What a client gets."""
        return Content(self, "read")

    @property
    def page(self) -> Content:
        """Some of them, and the token of the next page."""
        return Content(self, "page")


@dataclass(frozen=True, slots=True)
class Operation:
    """What is known of a view.

    Attributes:
        answers: What it answers when all goes well, by status; None for no content.
        body: What it reads.
        query: The arguments that it takes.
        raises: The domain errors of the services it calls.
        is_conditional: Whether `If-Match` and `If-None-Match` count.
        is_open: Whether nobody has to sign in.

    Example:
        >>> Operation({HTTPStatus.NO_CONTENT: None}).raises
        ()
    """

    answers: Mapping[HTTPStatus, Answer | tuple[Described, ...] | None]
    body: Answer | None = None
    query: type[Query] | None = None
    raises: tuple[type[DomainError], ...] = ()
    is_conditional: bool = False
    is_open: bool = False


def operation(
    answers: Mapping[HTTPStatus, Answer | tuple[Described, ...] | None],
    *,
    body: Answer | None = None,
    query: type[Query] | None = None,
    raises: Iterable[type[DomainError]] = (),
    is_conditional: bool = False,
    is_open: bool = False,
) -> Callable[[V], V]:
    """Return a decorator that keeps this with a view; arguments as in `Operation`.

    It stands below the route. The view itself stays as it is.

    Example:
        >>> @operation({HTTPStatus.NO_CONTENT: None}, raises=[UserNotFound])
        ... def remove(id: ObjectId) -> Response: ...
    """
    described = Operation(
        MappingProxyType(dict(answers)),
        body,
        query,
        tuple(raises),
        is_conditional,
        is_open,
    )

    def describe(view: V) -> V:
        setattr(view, _ATTRIBUTE, described)
        return view

    return describe


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """Return what a view says of itself, or None if it is no described one.

    Args:
        view: The function.

    Example:
        >>> operation_of(print) is None
        True
    """
    found = getattr(view, _ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None


def init_app(app: Flask) -> None:
    """Refuse arguments that no view of the API has said to take, and clients that take no JSON.

    Also `If-Match` before a change of what has no tag (RFC 9110, 13.1.1: it must not be made then).

    Args:
        app: The application; views added later are included.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    app.before_request(_check_request)


def unknown_argument(name: str) -> MalformedRequest:
    """Return the refusal of an argument that the operation does not take.

    Args:
        name: The argument's name.

    Example:
        >>> raise unknown_argument("limti")
        Traceback (most recent call last):
        app.core.errors.MalformedRequest: 400 Bad Request: limti is not an argument of this ...
    """
    return MalformedRequest(name, "unknown", f"{name} is not an argument of this operation")


def not_acceptable(*offered: str) -> NotAcceptable:
    """Return the refusal of a client that takes nothing of what the API answers.

    Args:
        *offered: The types of the answer, JSON where none is named.

    Example:
        >>> raise not_acceptable()
        Traceback (most recent call last):
        werkzeug.exceptions.NotAcceptable: 406 Not Acceptable: The answer is application/json: ...
    """
    kinds = " or ".join(offered or ("application/json",))
    return NotAcceptable(f"The answer is {kinds}: let Accept admit it, or leave it out.")


def _check_request() -> None:
    # No endpoint: there is no such address, or it does not have the method. OPTIONS does nothing.
    asked = current_request()
    endpoint = asked.endpoint
    if endpoint is None or asked.method == "OPTIONS":
        return
    said = operation_of(current_app.view_functions[endpoint])
    if said is None:
        return
    _check_accepted(said, asked)
    if "HTTP_IF_MATCH" in asked.environ and not said.is_conditional and asked.method not in _SAFE:
        raise PreconditionFailed("What this changes has no tag: leave If-Match out.")
    if not asked.query_string:
        return
    known = said.query.parameters() if said.query else {}
    for name, values in asked.args.lists():
        if name not in known:
            raise unknown_argument(name)
        if len(values) > 1:
            raise MalformedRequest(name, "repeated", f"{name} can be given once only")


def _types_of(said: Operation) -> tuple[str, ...]:
    """Return the types of what an operation answers when all goes well."""
    found = ("application/json",)
    for answer in said.answers.values():
        if isinstance(answer, tuple):
            return tuple(each.media_type for each in answer)
        if isinstance(answer, Described):
            return (answer.media_type,)
    return found


def _check_accepted(said: Operation, asked: Request) -> None:
    """Refuse a client that takes none of the types that are answered, whatever their parameters.

    RFC 9110, 12.5.1: without the header anything will do.
    """
    if asked.environ.get("HTTP_ACCEPT", "*/*") == "*/*":  # most programs; reading it is slow
        return
    accepted = asked.accept_mimetypes
    if not accepted:
        return
    plain = MIMEAccept([(kind.partition(";")[0].strip(), q) for kind, q in accepted])
    offered = _types_of(said)
    if not any(plain.quality(kind) > 0 for kind in (*offered, PROBLEM_JSON)):
        raise not_acceptable(*offered)
