"""What a view of the API says of itself beside its docstring; `openapi` describes it by that.

    USERS = Resource(lambda: documents.User)

    @blueprint.post("")
    @operation(body=USERS.create, answers={HTTPStatus.CREATED: USERS.read}, raises=[EmailTaken])
    def create(): ...

What follows from the rest is not said again: arguments of the path come from the URL, their
refusals and those of a body from the method, the status of a domain error from the door's
`errors.answer`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from http import HTTPStatus

    from app.core.errors import DomainError
    from mongokit import Document

Mode = Literal["create", "update", "replace", "read", "page"]
"""What a client sends to make, change or replace one; what it gets: one, or a page of them."""

V = TypeVar("V", bound="Callable[..., Any]")
_ATTRIBUTE = "__operation__"


class Query(Protocol):
    """Arguments of a query: what they may be, and what reads them.

    Attributes:
        parameters: JSON Schema by name; its `description` is the argument's.

    Example:
        >>> PageRequest.parameters["limit"]["maximum"]
        100
    """

    parameters: ClassVar[Mapping[str, Mapping[str, Any]]]

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
