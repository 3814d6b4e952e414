"""What JSON leaves and enters the application."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from bson import Int64, ObjectId
from flask import jsonify

if TYPE_CHECKING:
    from flask import Flask


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ObjectId("65f0c0ffee65f0c0ffee65f0"), '"65f0c0ffee65f0c0ffee65f0"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05Z"'),
        (datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC), '"2026-01-02T03:04:05.006000Z"'),
        (
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            '"2026-01-01T21:34:05Z"',
        ),
        (datetime(2026, 1, 2, 3, 4, 5), '"2026-01-02T03:04:05Z"'),  # noqa: DTZ001
        (date(2026, 1, 2), '"2026-01-02"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Int64(2**62), "4611686018427387904"),
        (1.5, "1.5"),
        (float("nan"), "null"),
        (True, "true"),
        ("Żółć 😀", '"Żółć 😀"'),
        ((1, "a", None), '[1,"a",null]'),
        ({"b": 1, "a": {"at": ObjectId("0" * 24)}}, '{"b":1,"a":{"at":"' + "0" * 24 + '"}}'),
    ],
)
def test_value_has_this_form(app: Flask, value: object, text: str) -> None:
    assert app.json.dumps(value) == text


@pytest.mark.parametrize(
    "value", [b"bytes", {1, 2}, Decimal("1.5"), {1: "a"}, 2**64, object(), "\ud800", 1j]
)
def test_value_without_a_form_is_refused(app: Flask, value: object) -> None:
    with pytest.raises(TypeError):
        app.json.dumps(value)


def test_indent_and_sort_keys_mean_what_they_do_in_the_standard_library(app: Flask) -> None:
    text = app.json.dumps({"b": 1, "a": 2}, indent=2, sort_keys=True)

    assert text == '{\n  "a": 2,\n  "b": 1\n}'


@pytest.mark.parametrize("text", ["", "{", "[1,]", "NaN", "{'a': 1}", b'"\xff"', '{"a": 1} x'])
def test_text_that_is_not_json_is_a_value_error(app: Flask, text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"line 1|input"):
        app.json.loads(text)


def test_responses_and_requests_go_through_it(app: Flask) -> None:
    known = ObjectId()

    with app.test_request_context("/", json={"id": known}) as context:
        sent = context.request.get_json()
        answered = jsonify(id=known).get_json()

    assert sent == answered == {"id": str(known)}


def test_session_survives_the_provider(app: Flask) -> None:
    @app.get("/remember")
    def remember() -> str:
        from flask import session  # noqa: PLC0415

        seen = session.get("seen")
        session["seen"] = datetime(2026, 1, 2, tzinfo=UTC)
        return str(seen)

    client = app.test_client()
    client.get("/remember")

    assert client.get("/remember").text == "2026-01-02 00:00:00+00:00"
