"""What views need: documents that answer 404, and ObjectIds in URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from bson import ObjectId
from bson.errors import InvalidId
from flask import abort
from werkzeug.exceptions import BadRequest
from werkzeug.routing import BaseConverter

import mongokit

D = TypeVar("D", bound="Document")


class Document(mongokit.Document):
    """`mongokit.Document`, whose documents and managers also find one or answer 404.

    Example:
        >>> with app.app_context():
        ...     db.Task.get_or_404(1)["title"]
        ...     db.Task.find_one_or_404({"title": "Write"})["_id"]
        'Write'
        1
    """

    def get_or_404(self, id: Any) -> Self:
        """Return the document with an id, which may be an ObjectId's text.

        Raises:
            werkzeug.exceptions.NotFound: There is none, whatever the value is.

        Example:
            >>> with app.app_context():
            ...     db.Task.get_or_404("4e4ac5cfffc84958fa1f45fb")
            Traceback (most recent call last):
            werkzeug.exceptions.NotFound: 404 Not Found: ...
        """
        # $eq, because the id may be a request's JSON, which must not become an operator.
        found: dict[str, Any] = {"$eq": id}
        if isinstance(id, str) and ObjectId.is_valid(id):
            found = {"$in": [ObjectId(id), id]}
        try:
            return self.find_one_or_404({"_id": found})
        # Half a surrogate pair; or, under `strict_queries`, what the class's ids can never be.
        except (UnicodeEncodeError, mongokit.QueryTypeError, mongokit.UnknownFieldError):
            abort(404)

    def find_one_or_404(self, *args: Any, **kwargs: Any) -> Self:
        """Return what `find_one` finds.

        Raises:
            werkzeug.exceptions.NotFound: It finds nothing.

        Example:
            >>> with app.app_context():
            ...     db.Task.find_one_or_404({"title": "Write"})["_id"]
            1
        """
        document: Self | None = self.find_one(*args, **kwargs)
        return abort(404) if document is None else document


if TYPE_CHECKING:

    class DocumentsOr404(mongokit.Documents[D]):
        """What the manager of a `Document` is to type checkers."""

        def get_or_404(self, id: Any) -> D: ...
        def find_one_or_404(self, *args: Any, **kwargs: Any) -> D: ...


class BSONObjectIdConverter(BaseConverter):
    """The URL converter `ObjectId`: `/tasks/<ObjectId:task_id>` gives the view an `ObjectId`.

    Example:
        >>> @app.get("/<ObjectId:task_id>")
        ... def show(task_id):
        ...     return {"made": task_id.generation_time.isoformat()}
        >>> client = app.test_client()
        >>> client.get("/4e4ac5cfffc84958fa1f45fb").json
        {'made': '2011-08-16T19:32:31+00:00'}
        >>> client.get("/home").status
        '400 BAD REQUEST'
    """

    def to_python(self, value: str) -> ObjectId:
        """Return the id, or raise `werkzeug.exceptions.BadRequest` for any other text."""
        try:
            return ObjectId(value)
        except InvalidId as error:
            raise BadRequest("The id in the URL must be 24 hexadecimal digits.") from error
