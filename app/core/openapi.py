"""The API's description, OpenAPI 3.1: made of the URLs, the views and the documents.

Nothing is written down twice. Bodies and answers are the documents' own schemas, with `_id` as
`id`; summaries are the views' docstrings; an error is described by the very details that it is
answered with. docs/decisions/openapi.md says why it is done this way.
"""

from __future__ import annotations

import inspect
import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from apispec import APISpec
from werkzeug.routing import IntegerConverter

from app.core import errors, refusals, security
from app.core.examples import NoExample, example_of
from app.core.operations import Content, Described, operation_of
from app.core.pagination import page_schema
from flask_mongokit import BSONObjectIdConverter
from mongokit import jsonschema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask
    from flask.sansio.scaffold import Scaffold
    from werkzeug.routing import BaseConverter, Rule

    from app.core.operations import Answer, Mode, Operation
    from mongokit import Document

VERSION = "3.1.1"
_SCHEMAS = "#/components/schemas/"
_SUFFIXES: dict[Mode, str] = {
    "read": "",
    "create": "Create",
    "update": "Update",
    "replace": "Replace",
    "page": "Page",
}
_METHODS = ("get", "post", "put", "patch", "delete")  # Flask adds HEAD and OPTIONS by itself
_ARGUMENT = re.compile(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_SECTION = re.compile(r"^\s*(?:Args|Raises|Returns|Example):\s*$", re.MULTILINE)

_ID = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{24}$",
    "description": "24 hexadecimal digits.",
    "examples": ["65f0c0ffee65f0c0ffee65f0"],
}
_SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token, `mk_…`, from `POST /api/tokens`, the profile page or"
        " `flask users token`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "The cookie of who is signed in on the pages.",
    },
}
_ETAG = {
    "description": "The tag of what clients see of it (RFC 9110, 8.8.3).",
    "schema": {"type": "string"},
}
_TAGS = {"type": "string", "examples": ['"0123456789abcdef01234567"']}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "Do it only if it has one of these tags still; 412 otherwise.",
    "schema": _TAGS,
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "Answer 304 if it has one of these tags.",
    "schema": _TAGS,
}
_CONDITIONS: dict[str, list[dict[str, Any]]] = {
    "get": [_IF_NONE_MATCH, _IF_MATCH],
    "put": [_IF_MATCH],
    "patch": [_IF_MATCH],
    "delete": [_IF_MATCH],
}
_LINK = {
    "description": "The first page, the next and the one before (RFC 8288): first, next, prev.",
    "schema": {"type": "string"},
    "required": True,
}
_DESCRIPTION = """\
JSON in UTF-8, both ways. Every error is answered as `application/problem+json` (RFC 9457), also
those that no operation lists: 404 where there is no such address, 405 where it has no such method.
An argument in the query that an operation does not list, or one given twice, is a 400, and
`If-Match` before a change that does not list it a 412.

Each answer carries an `X-Request-ID`, the one of the request if it had one; logs name it.\
"""


def describe(app: Flask, *, title: str, version: str) -> dict[str, Any]:
    """Return the description of all described views below `/api`.

    Args:
        app: The application, complete.
        title: The name of the API.
        version: The version of the API.

    Raises:
        LookupError: A view raises an error that its door knows no status for.
        apispec.exceptions.DuplicateComponentNameError: Two different classes have one name.

    Example:
        >>> describe(app, title="Users", version="1.0.0")["openapi"]
        '3.1.1'
    """
    return _Description(app, title, version).made()


class _Description:
    def __init__(self, app: Flask, title: str, version: str) -> None:
        info = {"description": _DESCRIPTION}
        self._app = app
        self._spec = APISpec(title=title, version=version, openapi_version=VERSION, info=info)
        self._schemas = self._spec.components.schemas
        self._classes: dict[str, type[Document]] = {}

    def made(self) -> dict[str, Any]:
        self._spec.components.schema(refusals.SCHEMA, refusals.PROBLEM)
        for name, scheme in _SECURITY_SCHEMES.items():
            self._spec.components.security_scheme(name, scheme)
        for name, response in refusals.shared().items():
            self._spec.components.response(name, response)
        tags = []
        for rule, said in described_rules(self._app):
            path = _ARGUMENT.sub(r"{\g<name>}", rule.rule)
            tags.append(_tag(rule))
            for method in _METHODS:
                if method.upper() in (rule.methods or ()):
                    self._spec.path(path, operations={method: self._operation(rule, method, said)})
        for tag in dict.fromkeys(tags):
            self._spec.tag({"name": tag})
        return self._spec.to_dict()

    def _operation(self, rule: Rule, method: str, said: Operation) -> dict[str, Any]:
        summary, description = _words_of(self._app.view_functions[rule.endpoint])
        made: dict[str, Any] = {
            "tags": [_tag(rule)],
            "operationId": self._id(rule),
            "summary": summary,
        }
        if description:
            made["description"] = description
        if not said.is_open:
            made["security"] = [{name: []} for name in _SECURITY_SCHEMES]
        arguments = dict(self._arguments(rule))
        parameters = [
            _parameter(name, _schema_of(converter), **{"in": "path", "required": True})
            for name, converter in arguments.items()
        ]
        for name, schema in (said.query.parameters() if said.query else {}).items():
            parameters.append(_parameter(name, schema, **{"in": "query"}))
        if said.is_conditional:
            parameters += _CONDITIONS[method]
        if parameters:
            made["parameters"] = parameters
        taken = security.types_of(self._app.view_functions[rule.endpoint], method.upper())
        if said.body is not None:
            content = self._content(said.body)
            made["requestBody"] = {"required": True, "content": dict.fromkeys(taken, content)}
        responses: dict[HTTPStatus, Any] = {
            status: self._answer(rule, status, answered)
            for status, answered in said.answers.items()
        }
        if said.is_conditional:
            for status, answered in said.answers.items():
                if answered is not None:
                    responses[status].setdefault("headers", {})["ETag"] = _ETAG
            if method == "get":
                responses[HTTPStatus.NOT_MODIFIED] = {
                    "description": "It is what the client has.",
                    "headers": {"ETag": _ETAG},
                }
        try:
            statuses = errors.statuses_of(self._door(rule))
            responses |= refusals.refusals_of(said, arguments, statuses, takes_body=bool(taken))
        except LookupError as error:
            raise LookupError(f"{rule.endpoint}: {error}") from error
        made["responses"] = {str(each.value): responses[each] for each in sorted(responses)}
        return made

    # Content.

    def _content(self, content: Answer) -> dict[str, Any]:
        """Return a media type object; the schema it names is among the components then."""
        if isinstance(content, Described):
            return self._described(content)
        name = self._schema(content)
        schema = self._schemas[name]
        made: dict[str, Any] = {"schema": name}
        with suppress(NoExample):
            found = example_of(schema, self._schemas)
            # Of a merge patch one field is enough to show what it is.
            made["example"] = dict([*found.items()][:1]) if content.mode == "update" else found
        return made

    def _described(self, content: Described) -> dict[str, Any]:
        if content.name not in self._schemas:
            self._spec.components.schema(content.name, _for_apispec(dict(content.schema)))
        made: dict[str, Any] = {"schema": content.name}
        if content.example is not None:
            made["example"] = content.example
        else:
            with suppress(NoExample):
                made["example"] = example_of(content.schema, self._schemas)
        return made

    def _schema(self, content: Content) -> str:
        """Return the name of a component, which is made if need be."""
        document, mode = content.resource.document(), content.mode
        name = f"{document.__name__}{_SUFFIXES[mode]}"
        if self._classes.get(name) is document:
            return name
        self._classes[name] = document
        if mode == "page":
            item = f"{document.__name__}Item"
            self._spec.components.schema(item, self._item(content.resource.read, item))
            self._spec.components.schema(name, page_schema({"$ref": _SCHEMAS + item}))
            return name
        where = f"{_SCHEMAS}{{name}}{_SUFFIXES[mode]}"
        kind: Any = "create" if mode == "replace" else mode
        schema = document.json_schema(kind, ref_template=where)
        if mode == "create" and content.resource.write_only:
            properties = schema["properties"] | dict(content.resource.write_only)
            schema = schema | {"properties": properties}
        made = {name: _with_id(schema)}
        for inner, embedded in jsonschema.definitions(document, kind, ref_template=where).items():
            made[f"{inner}{_SUFFIXES[mode]}"] = embedded
        for each, content_of in made.items():
            component = _for_apispec(content_of) | {"title": each}
            if self._schemas.get(each) != component:  # two of one name and two minds are refused
                self._spec.components.schema(each, component)
        return name

    def _item(self, content: Content, title: str) -> dict[str, Any]:
        """Return the schema of what a page holds: clients may ask for some of the fields only."""
        whole = self._schemas[self._schema(content)]
        return {key: value for key, value in whole.items() if key != "required"} | {"title": title}

    def _answer(
        self, rule: Rule, status: HTTPStatus, content: Answer | tuple[Described, ...] | None
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": status.phrase}
        if content is None:
            return answer
        if not isinstance(content, Content):
            each = content if isinstance(content, tuple) else (content,)
            answer["content"] = {one.media_type: self._content(one) for one in each}
            return answer
        answer["content"] = {"application/json": self._content(content)}
        if content.mode == "page":
            answer["headers"] = {"Link": _LINK}
        if status is HTTPStatus.CREATED:
            where = {"type": "string", "format": "uri-reference"}
            answer["headers"] = {
                "Location": {"description": "Where it is.", "schema": where, "required": True}
            }
            answer["links"] = {}
            for other, said in self._next(rule, self._schema(content)):
                name = self._id(other)
                given = {each: f"$response.body#/{each}" for each in sorted(other.arguments)}
                answer["links"][name] = {"operationId": name, "parameters": given}
                if said.is_conditional:
                    answer["headers"]["ETag"] = _ETAG
        return answer

    def _next(self, rule: Rule, schema: str) -> Iterator[tuple[Rule, Operation]]:
        """Yield what can be done next with what was made: operations whose arguments it holds."""
        fields = set(self._schemas[schema]["properties"])
        for other, said in described_rules(self._app):
            if other.arguments and other.arguments <= fields and other.rule.startswith(rule.rule):
                yield other, said

    def _arguments(self, rule: Rule) -> Iterator[tuple[str, BaseConverter]]:
        for found in _ARGUMENT.finditer(rule.rule):
            kind = self._app.url_map.converters[found["converter"] or "default"]
            yield found["name"], kind(self._app.url_map)

    def _id(self, rule: Rule) -> str:
        view = self._app.view_functions[rule.endpoint]
        return f"{_tag(rule)}{view.__name__.capitalize()}"

    def _door(self, rule: Rule) -> Scaffold:
        name, _, _ = rule.endpoint.rpartition(".")
        return self._app.blueprints[name] if name else self._app


def described_rules(app: Flask) -> Iterator[tuple[Rule, Operation]]:
    """Yield each URL below `/api` whose view says what it is, with what it says.

    Args:
        app: The application.

    Example:
        >>> [rule.rule for rule, _ in described_rules(app)][:2]
        ['/api/users', '/api/users']
    """
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(f"{errors.API_PREFIX}/"):
            said = operation_of(app.view_functions[rule.endpoint])
            if said is not None:
                yield rule, said


def _tag(rule: Rule) -> str:
    """Return the name of the group that an operation is shown in: /api/users/… is of users."""
    return rule.rule.removeprefix(f"{errors.API_PREFIX}/").partition("/")[0]


def _words_of(view: Callable[..., Any]) -> tuple[str, str]:
    """Return the first line of a view's docstring, and what else it tells clients."""
    text = _SECTION.split(inspect.cleandoc(view.__doc__ or ""), maxsplit=1)[0]
    summary, _, description = text.partition("\n")
    return summary.rstrip("."), description.strip()


def _schema_of(converter: BaseConverter) -> dict[str, Any]:
    if isinstance(converter, BSONObjectIdConverter):
        return dict(_ID)
    if isinstance(converter, IntegerConverter):
        return {"type": "integer", "minimum": 0}
    return {"type": "string", "minLength": 1}


def _parameter(name: str, schema: Mapping[str, Any], **where: Any) -> dict[str, Any]:
    """Return a parameter object; what its schema says of it in words stands beside the schema."""
    rest = dict(schema)
    words: dict[str, Any] = {word: rest.pop(word) for word in ("description",) if word in rest}
    if rest.get("type") == "array":
        words |= {"style": "form", "explode": False}  # separated by commas: no name comes twice
    return {"name": name, **where, **words, "schema": rest}


def _with_id(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with `_id` in the form and under the name that clients see it."""
    if "_id" not in schema["properties"]:
        return dict(schema)
    properties = dict(schema["properties"])
    own = properties.pop("_id")
    # Undeclared, an `_id` is an ObjectId; a document may declare another type for it.
    properties = {"id": own if "type" in own else own | _ID} | properties
    required = ["id" if name == "_id" else name for name in schema["required"]]
    return {**schema, "properties": properties, "required": required}


def _for_apispec(schema: Any) -> Any:
    """Return the schema with another word for "no further items" than false.

    apispec takes what is no dict for the name of a component.
    """
    if isinstance(schema, dict):
        if "prefixItems" in schema and schema.get("items") is False:
            schema = schema | {"items": {"not": {}}}
        return {key: _for_apispec(value) for key, value in schema.items()}
    return [_for_apispec(each) for each in schema] if isinstance(schema, list) else schema
