"""The API's description: complete, valid, and true to the letter where it shows answers."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from annotated_types import MaxLen
from apispec.exceptions import DuplicateComponentNameError
from flask import Blueprint
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app.core import errors, openapi
from app.core.examples import NoExample, example_of
from app.core.operations import Resource, operation, operation_of
from app.core.pagination import PageRequest
from app.users import documents, services
from mongokit import Document, Embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from flask.testing import FlaskClient

    AppMaker = Callable[..., Flask]

ADA = {"name": "Ada", "email": "ada@example.org"}
UNKNOWN = "65f0c0ffee65f0c0ffee65f0"
TOKEN = "mk_0000000000000000000000000000000000000000" + "24Ns4i"  # of the right form
NOBODY = "mongodb://127.0.0.1:1/"  # reserved, and refused at once


class Address(Embedded):
    """Where somebody lives."""

    city: Annotated[str, MaxLen(80)]
    place: tuple[float, float] | None = None


class Person(Document):
    """Somebody with an address."""

    name: str
    address: Address
    token: str = "secret"


class EmailTaken(errors.DomainError):
    """What a service would raise."""

    title = "Another user has this e-mail address."


def described(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/api/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert isinstance(answer.json, dict)
    return answer.json


def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in description["paths"].values()
        for operation in methods.values()
    }


def examples(description: dict[str, Any], operation: str, status: int) -> list[Any]:
    """What the description shows for an answer."""
    response = operations(description)[operation]["responses"][str(status)]
    if "$ref" in response:
        response = description["components"]["responses"][response["$ref"].rpartition("/")[2]]
    [content] = response["content"].values()
    return (
        [content["example"]]
        if "example" in content
        else [each["value"] for each in content["examples"].values()]
    )


def contents(part: Any) -> Iterator[dict[str, Any]]:
    """Every media type object inside a part of a description."""
    if isinstance(part, list):
        for each in part:
            yield from contents(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "content":
                yield from value.values()
            yield from contents(value)


def test_description_is_openapi(app: Flask) -> None:
    description = described(app)

    validate(description)
    assert description["openapi"] == "3.1.1"
    assert set(description["components"]["schemas"]) == {
        *("User", "UserCreate", "UserUpdate", "UserReplace", "UserItem", "UserPage", "Problem"),
        *("Credentials", "NewToken", "TokenList", "NewPassword"),
        *("UserRows", "UserLines", "UserTable", "ImportReport"),
    }


def test_every_view_of_the_api_is_described(app: Flask) -> None:
    views = {
        (rule.rule, rule.endpoint)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and not rule.endpoint.startswith("api_docs.")
    }

    missing = [path for path, endpoint in views if not operation_of(app.view_functions[endpoint])]

    assert views
    assert missing == []
    for found in operations(described(app)).values():
        assert found["summary"]
        assert {"400", "406", "414", "500", "503"} <= set(found["responses"])


def test_schemas_are_the_documents_own_with_the_id_that_clients_see(app: Flask) -> None:
    schemas = described(app)["components"]["schemas"]

    assert next(iter(schemas["User"]["properties"])) == "id"
    assert set(schemas["User"]["properties"]) == {"id", "name", "email", "role", "created"}
    assert schemas["User"]["properties"]["id"]["pattern"] == "^[0-9a-fA-F]{24}$"
    assert set(schemas["UserCreate"]["properties"]) == {"name", "email", "role", "password"}
    assert schemas["UserCreate"]["required"] == ["name", "email"]
    assert schemas["UserCreate"]["properties"]["name"]["maxLength"] == 50
    assert "required" not in schemas["UserUpdate"]


def test_every_example_is_valid(app: Flask) -> None:
    description = described(app)
    components = {"components": description["components"]}

    shown = 0
    for content in contents(description):
        values = [each["value"] for each in content.get("examples", {}).values()]
        values += [content["example"]] if "example" in content else []
        for value in values:
            Draft202012Validator(content["schema"] | components).validate(value)
        assert values, content
        shown += len(values)

    assert shown > 20


@pytest.mark.parametrize(
    ("operation", "method", "path", "sent"),
    [
        ("usersListing", "get", "/api/users?limit=", {}),
        ("usersListing", "get", "/api/users?after=x", {}),
        ("usersListing", "get", "/api/users?sort=", {}),
        ("usersListing", "get", "/api/users?role=", {}),
        ("usersListing", "get", "/api/users?fields=", {}),
        ("usersListing", "get", "/api/users?unknown=1", {}),
        ("usersListing", "get", "/api/users", {"headers": {"Accept": "text/html"}}),
        ("usersShow", "get", f"/api/users/{UNKNOWN}?unknown=", {}),
        ("usersListing", "get", f"/api/users?after={'x' * 2048}", {}),
        ("usersShow", "get", "/api/users/x", {}),
        ("usersShow", "get", f"/api/users/{UNKNOWN}", {}),
        ("usersCreate", "post", "/api/users", {"json": {}}),
        ("usersCreate", "post", "/api/users", {"json": ADA}),
        ("usersCreate", "post", "/api/users", {"data": "{", "content_type": "application/json"}),
        ("usersCreate", "post", "/api/users", {"data": {}}),
        ("usersCreate", "post", "/api/users", {"json": {"name": "n" * 2000}}),
        ("usersChange", "patch", "/api/users/x", {"json": {}}),
        ("usersChange", "patch", f"/api/users/{UNKNOWN}", {"json": {}}),
        ("usersChange", "patch", f"/api/users/{UNKNOWN}", {"json": {"name": None, "email": None}}),
        ("usersRemove", "delete", f"/api/users/{UNKNOWN}", {}),
    ],
)
def test_errors_are_answered_as_they_are_shown(
    api: FlaskClient, operation: str, method: str, path: str, sent: dict[str, Any]
) -> None:
    app, client = api.application, api
    app.config["MAX_CONTENT_LENGTH"] = 1000
    client.post("/api/users", json=ADA)

    answer = client.open(path, method=method, **sent)

    assert answer.mimetype == "application/problem+json"
    assert answer.json in examples(described(app), operation, answer.status_code)


def test_unavailable_database_is_answered_as_it_is_shown(make_app: AppMaker) -> None:
    app = make_app(MONGODB_URI=NOBODY, MONGODB_REQUEST_TIMEOUT_MS=100)

    answer = app.test_client().get("/api/users", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 503
    assert [answer.json] == examples(described(app), "usersListing", 503)
    assert int(answer.headers["Retry-After"]) > 0


def test_unforeseen_error_is_answered_as_it_is_shown(
    api: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = api.application
    app.config["TESTING"] = False
    monkeypatch.setattr(services, "listing", None)

    with caplog.at_level(logging.CRITICAL):
        answer = api.get("/api/users")

    assert answer.status_code == 500
    assert [answer.json] == examples(described(app), "usersListing", 500)


def test_class_is_looked_up_when_the_description_is_asked_for(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "User", Person)

    description = described(app)

    validate(description)
    assert set(description["components"]["schemas"]) == {
        *("Person", "PersonCreate", "PersonUpdate", "PersonReplace", "PersonItem", "PersonPage"),
        *("Address", "AddressCreate", "AddressUpdate", "AddressReplace", "Problem"),
        *("Credentials", "NewToken", "TokenList", "NewPassword"),
        *("UserRows", "UserLines", "UserTable", "ImportReport"),
    }
    created = description["components"]["schemas"]["PersonCreate"]["properties"]["address"]
    assert created["$ref"] == "#/components/schemas/AddressCreate"


def test_description_is_made_once_and_not_sent_twice(app: Flask, client: FlaskClient) -> None:
    first = client.get("/api/openapi.json")
    again = client.get("/api/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert first.data == client.get("/api/openapi.json").data
    assert (again.status_code, again.data) == (304, b"")


def test_headers_of_a_user_are_described(api: FlaskClient) -> None:
    known = operations(described(api.application))
    made = api.post("/api/users", json=ADA)
    path = made.headers["Location"]
    answers = {
        "usersCreate": made,
        "usersShow": api.get(path),
        "usersChange": api.patch(path, json={"name": "Ada L."}),
        "usersReplace": api.put(path, json=ADA),
        "usersRemove": api.delete(path),
    }

    for name, answer in answers.items():
        told = known[name]["responses"][str(answer.status_code)].get("headers", {})
        sent = {"ETag", "Link", "Location", "Retry-After"} & set(answer.headers.keys())
        assert sent == set(told), name


def door(app: Flask, view: Callable[..., Any], rule: str = "/things") -> Blueprint:
    """A blueprint of the app with one view."""
    blueprint = Blueprint("things", __name__, url_prefix="/api")
    blueprint.add_url_rule(rule, view_func=view)
    app.register_blueprint(blueprint)
    return blueprint


def test_error_without_a_status_fails_and_names_the_view(app: Flask) -> None:
    @operation({HTTPStatus.NO_CONTENT: None}, raises=[EmailTaken])
    def things() -> str:
        """Do something."""
        return ""

    door(app, things)

    with pytest.raises(LookupError, match=r"things\.things: .* EmailTaken"):
        openapi.describe(app, title="Things", version="1")


def test_two_different_classes_of_one_name_fail(app: Flask) -> None:
    class User(Document):
        size: int

    @operation({HTTPStatus.OK: Resource(lambda: User).read})
    def things() -> str:
        """Do something."""
        return ""

    door(app, things)

    with pytest.raises(DuplicateComponentNameError, match="User"):
        openapi.describe(app, title="Things", version="1")


def test_arguments_come_from_the_url_and_words_from_the_docstring(app: Flask) -> None:
    @operation({HTTPStatus.NO_CONTENT: None}, query=PageRequest)
    def things(number: int, name: str) -> str:
        """Do something.

        It takes long.

        Args:
            number: Which.
            name: Of what.
        """
        return ""

    door(app, things, "/things/<int:number>/<name>")

    found = openapi.describe(app, title="Things", version="1")["paths"]
    [described_one] = found["/api/things/{number}/{name}"].values()

    assert described_one["summary"] == "Do something"
    assert described_one["description"] == "It takes long."
    assert [(each["in"], each["name"]) for each in described_one["parameters"]] == [
        ("path", "number"),
        ("path", "name"),
        ("query", "limit"),
        ("query", "after"),
        ("query", "before"),
    ]
    assert described_one["parameters"][0]["schema"]["type"] == "integer"
    assert set(described_one["responses"]) == {"204", "400", "406", "414", "500", "503"}


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "string", "examples": ["Ada"]}, "Ada"),
        ({"type": ["string", "null"], "default": None}, None),
        ({"enum": ["member", "admin"]}, "member"),
        ({"const": 3}, 3),
        ({"type": ["string", "null"], "maxLength": 10}, "text"),
        ({"type": "string", "format": "date"}, "2026-11-23"),
        ({"type": "integer", "minimum": 18}, 18),
        ({"type": "integer", "exclusiveMinimum": 0, "multipleOf": 5}, 5),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"anyOf": [{"$ref": "#/components/schemas/Name"}, {"type": "null"}]}, "Ada"),
        ({"type": "object", "properties": {"a": {"const": 1}, "b": {}}}, {"a": 1}),
    ],
)
def test_example_is_what_the_schema_says_or_the_plainest(schema: Any, example: Any) -> None:
    assert example_of(schema, {"Name": {"examples": ["Ada"]}}) == example


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string", "pattern": "^[A-Z]{7}$"},
        {"type": "string", "maxLength": 2},
        {"type": "integer", "minimum": 7, "maximum": 3},
        {"type": "array", "minItems": 1},
        {"type": "object", "minProperties": 1},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"$ref": "#/components/schemas/Self"},
    ],
)
def test_no_example_is_better_than_a_wrong_one(schema: Any) -> None:
    own = {"type": "object", "properties": {"self": {"$ref": "#/Self"}}, "required": ["self"]}

    with pytest.raises(NoExample):
        example_of(schema, {"Self": own})


def test_rules_that_schemas_have_no_word_for_are_told(app: Flask) -> None:
    created = described(app)["components"]["schemas"]["UserCreate"]["properties"]

    assert created["email"]["description"] == (
        "The e-mail address, as its owner writes it, since mail goes there."
        " Also: Not empty, nor of spaces and invisible characters alone."
        " Also: A well-formed e-mail address; nothing is looked up."
    )
