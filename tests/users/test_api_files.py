"""Users in bulk by HTTP: an import that reports each row, an export in two forms."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from app.core.db import db
from app.users import services
from app.users.permissions import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from app.users.documents import User

NDJSON = "application/x-ndjson"


def send(client: FlaskClient, *rows: object, query: str = "") -> TestResponse:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return client.post(
        f"/api/users/import{query}", data="\n".join(lines).encode(), content_type=NDJSON
    )


def lines(answer: TestResponse) -> list[dict[str, Any]]:
    assert (answer.status_code, answer.mimetype) == (200, NDJSON)
    return [json.loads(line) for line in answer.text.splitlines()]


def stored() -> list[str]:
    return [user["name"] for user in db["users"].find().sort("_id", 1) if user["name"] != "Admin"]


def test_each_row_has_its_line_in_the_report_and_the_numbers_come_last(api: FlaskClient) -> None:
    report = lines(
        send(
            api,
            {"name": "Ada", "email": "ada@example.org"},
            "",
            {"name": "Ada", "email": "ADA@example.org"},
            {"name": "Eve", "email": "ada@example.org"},
            {"name": "x" * 51, "email": "bad"},
            "{",
        )
    )

    assert [(line.get("line"), line.get("result")) for line in report[:-1]] == [
        (1, "stored"),
        (3, "present"),
        (4, "refused"),
        (5, "refused"),
        (6, "refused"),
    ]
    assert [error["rule"] for error in report[3]["errors"]] == ["max_length", "email"]
    assert report[-1] == {"stored": 1, "present": 1, "refused": 3}
    assert stored() == ["Ada"]


def test_dry_run_stores_nothing(api: FlaskClient) -> None:
    ada = {"name": "Ada", "email": "ada@example.org"}

    report = lines(send(api, ada, query="?dry_run=true"))

    assert report[-1] == {"stored": 1, "present": 0, "refused": 0}
    assert stored() == []
    assert send(api, ada, query="?dry_run=maybe").status_code == 400


def test_import_takes_ndjson_alone_and_not_too_much_of_it(
    api: FlaskClient, make_user: Callable[..., User]
) -> None:
    api.application.config["IMPORT_MAX_CONTENT_LENGTH"] = 1000
    api.application.config["MAX_CONTENT_LENGTH"] = 10

    wrong = api.post("/api/users/import", json={"name": "Ada", "email": "ada@example.org"})
    large = send(api, *({"name": "Ada", "email": f"{n}@example.org"} for n in range(50)))
    fine = send(api, {"name": "Ada", "email": "ada@example.org"})

    assert wrong.status_code == 415
    assert NDJSON in (wrong.json or {})["detail"]
    assert large.status_code == 413
    assert lines(fine)[-1]["stored"] == 1
    assert stored() == ["Ada"]


def test_import_without_the_unique_index_is_refused_by_the_status(api: FlaskClient) -> None:
    with api.application.app_context():
        db["users"].drop_index("email_key_1")

    assert send(api, {"name": "Ada", "email": "ada@example.org"}).status_code == 503


def test_export_is_ndjson_or_csv_as_the_client_prefers(api: FlaskClient) -> None:
    services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)

    plain = api.get("/api/users/export")
    table = api.get("/api/users/export", headers={"Accept": "text/csv"})

    assert [line["name"] for line in lines(plain)] == ["Admin", "Ada"]
    assert "id" not in lines(plain)[0]
    assert (table.status_code, table.mimetype) == (200, "text/csv")
    assert [row["name"] for row in csv.DictReader(io.StringIO(table.text))] == ["Admin", "Ada"]
    assert "Accept" in plain.headers["Vary"]
    assert "password" not in plain.text + table.text
    assert api.get("/api/users/export", headers={"Accept": "text/html"}).status_code == 406


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@x", "\uff1d1", "'=1", "''+x", "'Ada'", "a=b"]
)
def test_cells_that_a_spreadsheet_would_run_are_made_text_and_come_back_as_they_were(
    api: FlaskClient, name: str
) -> None:
    made = services.create({"name": name, "email": "ada@example.org"}, by=OPERATOR)

    table = api.get("/api/users/export", headers={"Accept": "text/csv"}).text
    raw = api.get("/api/users/export?formulas=keep", headers={"Accept": "text/csv"}).text

    cell = list(csv.reader(io.StringIO(table)))[2][0]
    assert cell[0] not in "=+-@\uff1d"
    assert list(csv.reader(io.StringIO(raw)))[2][0] == name
    runner = api.application.test_cli_runner()
    services.remove(made["_id"], by=OPERATOR)
    imported = runner.invoke(args=["users", "import", "-"], input=table)
    assert imported.exit_code == 0, imported.output
    assert stored() == [name]


def test_rows_are_taken_and_given_a_batch_at_a_time(app: Flask, api: FlaskClient) -> None:
    rows = [{"name": f"Ada {n}", "email": f"{n}@example.org"} for n in range(2500)]

    report = lines(send(api, *rows))

    assert report[-1] == {"stored": 2500, "present": 0, "refused": 0}
    assert len(lines(api.get("/api/users/export"))) == 2501
