"""Forms and files from a declaration with a field of every kind: what is shown, what is read."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from annotated_types import Ge, Le, Len, MaxLen

from app.core.fields import at, fields_of, nested, shown
from app.users.forms import form_class
from mongokit import Document, Embedded, field, validators

if TYPE_CHECKING:
    from flask import Flask


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Home(Embedded):
    """Where somebody lives.

    Attributes:
        street: With the number.
    """

    street: str
    city: Annotated[str, MaxLen(80)]


class Everything(Document):
    """A field of every kind."""

    code: Annotated[str, Len(2, 4), validators.pattern("^[a-z]+$")]
    age: Annotated[int, Ge(0), Le(150)] | None = None
    size: float = 1.5
    price: Decimal | None = None
    born: date | None = None
    seen: datetime | None = None
    active: bool = False
    role: Literal["member", "admin"] = "member"
    color: Color | None = None
    tags: list[str] = field(default_factory=list)
    site: Annotated[str, validators.url()] | None = None
    notes: Annotated[str, MaxLen(1000)] = ""
    home: Home | None = None
    homes: list[Home] = field(default_factory=list)
    made: str = field(default="now", read_only=True)
    secret: str = field(default="x", hidden=True)


# Type checkers know of keyword arguments alone.
documents: Any = Everything

PATHS = [
    *("code", "age", "size", "price", "born", "seen", "active", "role", "color", "tags", "site"),
    *("notes", "home.street", "home.city"),
]


def test_fields_are_flat_and_none_is_hidden() -> None:
    fields = fields_of(Everything)

    assert [each.path for each in fields] == [*PATHS, "homes", "made"]
    assert [each.path for each in fields if each.required] == ["code"]
    assert [each.path for each in fields if each.read_only] == ["made"]
    assert {each.path: each.description for each in fields}["home.street"] == "With the number."
    assert {each.path: each.title for each in fields}["home.city"] == "City"


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("code", ['minlength="2"', 'maxlength="4"', 'pattern=".*(?:^[a-z]+$).*"', " required"]),
        ("age", ['type="number"', 'min="0"', 'max="150"']),
        ("size", ['type="number"']),
        ("price", ['type="number"', 'step="any"']),
        ("born", ['type="date"']),
        ("seen", ['type="datetime-local"']),
        ("active", ['type="checkbox"']),
        ("role", ["<select", '<option selected value="member">member</option>']),
        ("color", ["<select", '<option value=""></option>', '<option value="red">']),
        ("tags", ["<textarea"]),
        ("site", ['type="url"']),
        ("notes", ["<textarea", 'maxlength="1000"']),
        ("home.city", ['name="home-city"', 'maxlength="80"', 'autocomplete="address-level2"']),
    ],
)
def test_input_has_the_declared_limits(app: Flask, path: str, parts: list[str]) -> None:
    with app.test_request_context():
        form = form_class(Everything)()
        html = str(dict(zip(PATHS, form.inputs, strict=True))[path]())

    assert [part for part in parts if part not in html] == []


def values_of(app: Flask, **sent: str) -> dict[str, Any]:
    with app.test_request_context(method="POST", data=sent):
        values: dict[str, Any] = form_class(Everything)().values()
    return values


def test_what_is_sent_becomes_what_is_declared(app: Flask) -> None:
    values = values_of(
        app,
        code="ab",
        age="36",
        size="2",
        price="9.90",
        born="1815-12-10",
        seen="2026-01-02T03:04",
        active="y",
        role="admin",
        color="red",
        tags="one\r\n\r\ntwo\r\n",
        site="https://example.org",
        notes="n",
        **{"home-street": "1", "home-city": "London"},
    )

    assert values == {
        "code": "ab",
        "age": 36,
        "size": 2.0,
        "price": Decimal("9.90"),
        "born": date(1815, 12, 10),
        "seen": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "active": True,
        "role": "admin",
        "color": "red",
        "tags": ["one", "two"],
        "site": "https://example.org",
        "notes": "n",
        "home": {"street": "1", "city": "London"},
    }
    assert documents({**Everything(code="x"), **Everything.from_json_form(values)}).errors() == []


def test_what_is_left_empty_is_none_where_it_may_be(app: Flask) -> None:
    values = values_of(
        app, code="", age="", size="", price="", born="", color="", site="", role="member"
    )

    assert {name for name, value in values.items() if value is None} >= {
        *("age", "price", "born", "seen", "color", "site", "home"),
    }
    assert "size" not in values
    assert (values["code"], values["active"]) == ("", False)
    assert "tags" not in values


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("age", "many", "Not a valid integer value."),
        ("born", "yesterday", "Not a valid date value."),
        ("price", "cheap", "Not a valid decimal value."),
    ],
)
def test_what_can_not_be_read_is_said_at_its_field(
    app: Flask, path: str, text: str, message: str
) -> None:
    with app.test_request_context(method="POST", data={"code": "ab", path: text}):
        form = form_class(Everything)()
        user = documents({**Everything(code="x"), **Everything.from_json_form(form.values())})
        form.refuse([{"path": e.path, "rule": e.rule, "message": e.message} for e in user.errors()])

        assert form[path].errors == [message]
        assert form.first_invalid == path


def test_a_refusal_of_no_field_is_said_for_the_form(app: Flask) -> None:
    with app.test_request_context():
        form = form_class(Everything)()
        form.refuse([{"path": "homes", "rule": "x", "message": "no"}])

    assert form.form_errors == ["no"]


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("code", "ab", "ab"),
        ("code", "", ""),
        ("age", "36", 36),
        ("age", "", None),
        ("age", "many", "many"),
        ("age", "9" * 50, "9" * 50),
        ("size", "2.5", 2.5),
        ("size", "1e3", 1000.0),
        ("active", "Yes", True),
        ("active", "0", False),
        ("active", "perhaps", "perhaps"),
        ("role", "admin", "admin"),
        ("role", "boss", "boss"),
        ("tags", '["a"]', ["a"]),
        ("tags", "[a", "[a"),
        ("homes", '[{"street": "1"}]', [{"street": "1"}]),
        ("site", "", None),
    ],
)
def test_cell_is_read_as_its_field_has_it(path: str, text: str, value: object) -> None:
    by_path = {each.path: each for each in fields_of(Everything)}

    assert by_path[path].read(text) == value


def test_what_is_shown_is_flat_in_files_and_nested_again_when_read() -> None:
    document = Everything(
        code="ab", price=Decimal("1.50"), born=date(2026, 1, 2), color=Color.BLUE, tags=["a,b"]
    )
    row = shown(document)
    fields = fields_of(Everything)

    cells = {each.path: each.write(at(row, each.path)) for each in fields}
    read = nested({each.path: each.read(cells[each.path]) for each in fields})

    assert cells["price"] == "1.50"
    assert cells["tags"] == '["a,b"]'
    assert "secret" not in row
    content = {name: value for name, value in read.items() if name != "made"}
    assert documents({**document, **Everything.from_json_form(content)}) == document
