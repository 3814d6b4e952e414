"""The service keeps what /api/openapi.json says: schemathesis drives it by that alone.

Its engine runs here as its command would: the description's examples, the bounds of every schema,
random data that is right and data that is wrong, other methods, and chains of operations (make one,
change it, remove it, look for it). It talks to the application by WSGI. Where a seed is set and
nothing is remembered, each run sends the same.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
import schemathesis
from annotated_types import Ge, Le, MaxLen, MinLen
from bson import ObjectId
from hypothesis import strategies as st
from schemathesis.engine import events, from_schema

from app.core import page_tokens
from app.core.db import db
from app.core.page_tokens import TOKEN_FORMAT, Anchor, mark_of
from app.users import documents, services, tokens
from app.users.permissions import OPERATOR
from mongokit import Document, Embedded, field, validators
from tests.secrets import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

# Random requests of each kind to each operation; API_EXAMPLES=5000 makes an afternoon of it.
EXAMPLES = int(os.environ.get("API_EXAMPLES", "30"))
# Chance seldom finds the address of another, and never what is wrong with the service or the
# database, nor a tag, a password or a token that is right; and who asks is an admin. Tests of their
# own bring these about.
NOT_BROUGHT_ABOUT = {304, 401, 403, 406, 409, 412, 413, 414, 429, 500, 503}
SELDOM = {
    "tokensCreate": {201},
    "tokensListing": {400},
    "tokensRevoke": {204},
    "usersChange": {422},
    "usersReplace": {422},
}

# Why arguments may be refused of which each is right: two don't go together, or a token is of
# another order. OpenAPI has no words for that.
TOGETHER = {"cursor", "search"}

schemathesis.openapi.format(
    TOKEN_FORMAT,
    st.binary(min_size=12, max_size=12).map(
        lambda digits: page_tokens.write(
            mark_of("created None"), [Anchor(0, ObjectId(digits), b"page")]
        )
    ),
)


@schemathesis.serializer("application/x-ndjson")
def _lines(_context: Any, value: Any) -> bytes:
    """Send a generated text as it is: lines of an import, or what is none."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "surrogatepass")


class Address(Embedded):
    """Where somebody lives."""

    street: Annotated[str, MinLen(1)]
    city: Annotated[str, MaxLen(80)] = "London"


class Person(Document):
    """Somebody about whom much is said, all of it in words that JSON Schema has."""

    __collection__ = "users"
    name: Annotated[str, validators.pattern("^[A-Za-z]{1,50}$")]
    email: Annotated[str, validators.pattern("^[a-z0-9]{1,20}@[a-z]{1,20}[.]org$")]
    email_key: str | None = field(default=None, hidden=True)
    name_key: str = field(default="", hidden=True)
    shared: int = field(default=0, hidden=True)
    # Were it optional, a patch could be right or wrong by what is stored: whether it makes a part
    # of an address or a part of the whole.
    address: Address
    role: Literal["member", "admin"] = "member"
    password_hash: str | None = field(default=None, hidden=True)
    epoch: int = field(default=0, hidden=True)
    version: int = field(default=0, hidden=True)
    age: Annotated[int, Ge(0), Le(150)] | None = None
    height: Annotated[float, Ge(0.3), Le(3)] | None = None
    tags: list[Annotated[str, MaxLen(20)]] = field(default_factory=list)
    done: bool = False
    born: date | None = None
    friend: ObjectId | None = None
    seen: datetime | None = field(default=None, read_only=True)

    version_field = "version"
    indexes = [{"fields": "email_key", "unique": True}, {"fields": ["role", "_id"]}]


@pytest.fixture(params=["as declared", "of many fields"])
def document(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What the API is of: the user as declared, and one with whatever fields can be declared."""
    declared = documents.User
    if request.param == "of many fields":
        monkeypatch.setattr(documents, "User", db.register(Person))
    yield request.param
    db.register(declared)


# Hypothesis says so of long random texts, where it notes what it sent.
@pytest.mark.filterwarnings(
    "ignore:Generating overly large repr:hypothesis.errors.HypothesisWarning"
)
def test_service_does_what_its_description_says(
    make_app: Callable[..., Flask], document: str
) -> None:
    app = make_app(
        SIGN_IN_LIMIT_PER_ACCOUNT="1000 per second", SIGN_IN_LIMIT_PER_ADDRESS="1000 per second"
    )
    more = {} if document == "as declared" else {"address": {"street": "1", "city": "London"}}
    with app.app_context():
        who = {"name": "Admin", "email": "admin@example.org", "role": "admin", **more}
        admin = services.create(who, by=OPERATOR, password=PASSWORD)
        _, token = tokens.create(admin["_id"], {"name": "test"}, by=OPERATOR)
    # 401: a wrong password for a token; 412: a tag of another version.
    expected = ["2xx", 304, 401, 404, 409, 412]
    refusing = ["2xx", 404, 409, 422]  # more than JSON Schema can say: a common password
    if document == "as declared":
        # Functions of the document refuse more than that too: what is no e-mail address.
        expected = [*expected, 422]
    checks: dict[str, Any] = {
        # Fails on WSGI applications (4.32); the tests of permissions ask every operation by nobody.
        "ignored_auth": {"enabled": False},
        "positive_data_acceptance": {"expected-statuses": expected},
        "negative_data_rejection": {"expected-statuses": ["4xx"]},
    }
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            # Else the first failure of an operation ends it, also one that `_collect` lets pass.
            "continue-on-failure": True,
            "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
            "checks": checks,
            "operations": [
                {
                    "include-operation-id": name,
                    "checks": {"positive_data_acceptance": {"expected-statuses": refusing}},
                }
                for name in ("usersPassword", "usersCreate")
            ]
            # What is wrong with a row is said in the report, and not by the status.
            + [
                {
                    "include-operation-id": "usersImport_users",
                    "checks": {"negative_data_rejection": {"enabled": False}},
                }
            ],
            "headers": {"Authorization": f"Bearer {token}"},
        }
    )
    api = schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=config)
    failures: dict[tuple[str, str], str] = {}
    answered: dict[str, Counter[int]] = defaultdict(Counter)

    for event in from_schema(api).execute():
        match event:
            case events.NonFatalError() | events.FatalError():
                raise AssertionError(str(event))
            case events.ScenarioFinished():
                _collect(event.recorder, failures, answered)

    for name, statuses in answered.items():
        print(f"{name}: {statuses.total()} requests, {dict(statuses)}")  # noqa: T201 - by pytest -s
    assert "\n\n".join(failures.values()) == ""
    with app.app_context():
        stored = db.documents(documents.User).find()
        assert {str(user["_id"]): user.errors() for user in stored if user.errors()} == {}
    documented = {
        operation["operationId"]: {int(status) for status in operation["responses"]}
        for methods in api.raw_schema["paths"].values()
        for operation in methods.values()
    }
    missed = {name: statuses - answered[name].keys() for name, statuses in documented.items()}
    left = {
        name: statuses - NOT_BROUGHT_ABOUT - SELDOM.get(name, set())
        for name, statuses in missed.items()
    }
    assert {name: statuses for name, statuses in left.items() if statuses} == {}


def _collect(
    recorder: Any, failures: dict[tuple[str, str], str], answered: dict[str, Counter[int]]
) -> None:
    """Note what failed, once each, and which statuses there were."""
    for key, interaction in recorder.interactions.items():
        case = recorder.cases[key].value
        if interaction.response is not None and case.method == case.operation.method.upper():
            name = case.operation.definition.raw["operationId"]
            answered[name][interaction.response.status_code] += 1
    for key, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                case, answer = recorder.cases[key].value, recorder.interactions[key].response
                if check.name == "positive_data_acceptance" and answer.status_code == 400:
                    rules = {error["rule"] for error in answer.json()["errors"]}
                    if rules <= TOGETHER:
                        continue
                failures[check.name, case.operation.label] = (
                    f"{check.name}: {check.failure_info.failure.message}\n"
                    f"{case.method} {case.formatted_path} {case.query} {case.body!r}\n"
                    f"{answer.status_code} {answer.text}"
                )
