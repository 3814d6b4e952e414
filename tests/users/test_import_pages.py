"""Files of users on the page: what is taken, what is told, who may see it, and for how long."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.errors import AutoReconnect

from app.core.db import db
from app.users import bulk, files, reports, services
from app.users.permissions import OPERATOR, VISITOR, Actor, NotAllowed, NotSignedIn
from app.users.reports import Report, ReportNotFound
from mongokit import utcnow

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from app.users.documents import User

CSV = b"name,email\r\nAda,ada@example.org\r\nGrace,grace@example.org\r\n"
PROGRESS = {"Accept": "application/x-ndjson, application/problem+json"}


@pytest.fixture
def client(admin: User, sign_in: Callable[..., FlaskClient]) -> FlaskClient:
    """The browser of an admin."""
    return sign_in(admin)


def send(
    client: FlaskClient,
    content: bytes | None,
    name: str = "people.csv",
    headers: dict[str, str] | None = None,
    **fields: str,
) -> TestResponse:
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/users/import").text)
    assert token is not None
    data: dict[str, Any] = {"csrf_token": token[1], "format": "", **fields}
    if content is not None:
        data["file"] = (BytesIO(content), name)
    return client.post("/users/import", data=data, headers=headers)


def facts(text: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(\d+)</dd>", text))


def test_file_is_imported_and_the_answer_leads_to_the_report(client: FlaskClient) -> None:
    answer = send(client, CSV)

    assert answer.status_code == 303
    page = client.get(answer.location).text
    assert facts(page) == {"Stored": "2", "Already there": "0", "Refused": "0"}
    assert "All rows are stored." in page
    assert "people.csv" in page
    assert services.find_by_email("grace@example.org", by=OPERATOR).name == "Grace"
    assert facts(client.get(send(client, CSV).location).text)["Already there"] == "2"


def test_dry_run_stores_nothing_and_says_so(client: FlaskClient) -> None:
    page = client.get(send(client, CSV, dry_run="y").location).text

    assert facts(page)["Would be stored"] == "2"
    assert "nothing was stored" in page
    with pytest.raises(services.UserNotFound):
        services.find_by_email("ada@example.org", by=OPERATOR)


def test_ndjson_is_told_by_its_name_or_by_the_field(client: FlaskClient) -> None:
    lines = b'{"name": "Ada", "email": "ada@example.org"}\n'

    by_name = send(client, lines, "people.jsonl")
    by_field = send(client, lines, "people.txt", format="ndjson")

    assert facts(client.get(by_name.location).text)["Stored"] == "1"
    assert facts(client.get(by_field.location).text)["Already there"] == "1"


def test_refused_rows_are_told_and_can_be_had_as_a_file(client: FlaskClient) -> None:
    rows = b"".join(b"Ada,not an address %d\r\n" % n for n in range(120))

    answer = send(client, b"name,email\r\n<b>Eve</b>,eve@example.org\r\n" + rows)

    page = client.get(answer.location).text
    assert facts(page) == {"Stored": "1", "Already there": "0", "Refused": "120"}
    assert page.count("email must be an e-mail address") == reports.SHOWN
    assert ">3</td>" in page
    file = client.get(f"{answer.location}/rejects")
    assert file.mimetype == "text/csv"
    assert ".csv" in file.headers["Content-Disposition"]
    lines = file.text.splitlines()
    assert lines[0] == "name,email,line,field,rule,message"
    assert lines[1].startswith("Ada,not an address 0,3,email,email,")
    assert len(lines) == 121


def test_file_of_refused_rows_is_kept_in_parts(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "PART", 100)

    answer = send(client, b"name,email\r\n" + b"Ada,x\r\n" * 20)

    parts = list(db["import_rejects"].find())
    assert len(parts) > 10
    assert max(len(part["content"]) for part in parts) == 100
    assert len(client.get(f"{answer.location}/rejects").text.splitlines()) == 21


@pytest.mark.parametrize(
    ("content", "name", "field", "message"),
    [
        (None, "", "file", "Choose a file."),
        (CSV, "people.xls", "format", "say what it holds"),
        (b"", "people.csv", "file", "the file is empty"),
        (b"a,b\r\n", "people.csv", "file", "the header lacks name and email"),
    ],
)
def test_what_can_not_be_imported_is_422_at_its_field_and_leaves_no_report(
    client: FlaskClient, content: bytes | None, name: str, field: str, message: str
) -> None:
    page = send(client, content, name)
    program = send(client, content, name, PROGRESS)

    assert (page.status_code, program.status_code) == (422, 422)
    assert message in page.text
    assert f'href="#{field}"' in page.text
    assert program.mimetype == "application/problem+json"
    assert program.json is not None
    assert program.json["errors"][0]["path"] == field
    assert list(db["import_reports"].find()) == []


def test_progress_is_told_line_by_line_and_ends_with_the_report(client: FlaskClient) -> None:
    rows = b"".join(b"Ada,%d@example.org\r\n" % n for n in range(600))

    answer = send(client, b"name,email\r\n" + rows, headers=PROGRESS)

    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.mimetype == "application/x-ndjson"
    assert [line.get("rows") for line in lines] == [250, 500, None]
    assert 0 < lines[0]["bytes"] <= len(rows) + 12
    assert facts(client.get(lines[-1]["report"]).text)["Stored"] == "600"


def test_import_that_nobody_waits_for_any_more_says_that_it_was_broken_off(
    app: Flask, admin: User
) -> None:
    by = Actor("admin", admin["_id"])
    rows = b"".join(b"Ada,%d@example.org\r\n" % n for n in range(600))
    reader = files.open_reader(BytesIO(b"name,email\r\n" + rows), "csv")
    report = reports.begin(file="x.csv", format="csv", dry_run=False, by=by)
    assert reports.find(report["_id"], by=by).state == "running"

    work = reports.work(report, reader, by=by)
    next(work)
    work.close()  # type: ignore[attr-defined]

    found = reports.find(report["_id"], by=by)
    assert (found.state, found.stored) == ("failed", 250)


def test_database_that_fails_on_the_way_is_told_in_the_report(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AutoReconnect("secret")

    monkeypatch.setattr(bulk, "_import_batch", fail)

    page = client.get(send(client, CSV).location).text

    assert "The database did not answer, or refused the command." in page
    assert "nothing is stored twice" in page
    assert "secret" not in page


def test_missing_index_is_told_in_the_report(client: FlaskClient) -> None:
    db["users"].drop_index("email_key_1")

    page = client.get(send(client, CSV).location).text

    assert "A declared index is missing" in page
    assert facts(page)["Stored"] == "0"


def test_report_is_for_its_maker_and_for_admins(
    app: Flask, admin: User, make_user: Callable[..., User]
) -> None:
    ada = make_user("Ada", role="admin")
    report = reports.begin(file="x", format="csv", dry_run=True, by=Actor("admin", ada["_id"]))
    found = report["_id"]

    for by in (Actor("member", ada["_id"]), Actor("admin", admin["_id"]), OPERATOR):
        assert reports.find(found, by=by).file == "x"
    with pytest.raises(NotAllowed):
        reports.find(found, by=Actor("member", admin["_id"]))
    with pytest.raises(NotAllowed):
        reports.find(admin["_id"], by=Actor("member", admin["_id"]))
    with pytest.raises(NotSignedIn):
        reports.find(found, by=VISITOR)
    with pytest.raises(ReportNotFound):
        reports.find(admin["_id"], by=OPERATOR)


def test_report_is_gone_after_a_day(client: FlaskClient) -> None:
    where = send(client, b"name,email\r\nAda,x\r\n").location
    db["import_reports"].update_one({}, {"$set": {"expires": utcnow() - timedelta(seconds=1)}})

    assert client.get(where).status_code == 404
    assert client.get(f"{where}/rejects").status_code == 404
    assert "kept for a day" in client.get(where).text
    for cls in (Report, reports.RejectsPart):
        indexes = db[cls.__collection__].index_information()
        assert indexes["expires_1"]["expireAfterSeconds"] == 0


def test_report_without_refused_rows_has_no_file(client: FlaskClient) -> None:
    where = send(client, CSV).location

    assert client.get(f"{where}/rejects").status_code == 404
    assert "Get them as a file" not in client.get(where).text


def test_file_may_be_larger_than_other_bodies_but_not_than_its_own_limit(
    make_app: Callable[..., Flask], make_user: Callable[..., User]
) -> None:
    limits = {"MAX_CONTENT_LENGTH": 2_000, "IMPORT_MAX_CONTENT_LENGTH": 50_000}
    rows = b"".join(b"Ada,%d@example.org\r\n" % n for n in range(500))
    member, admin = make_user("Bob"), make_user("Eve", role="admin")

    def sent(user: User, content: bytes) -> int:
        client = make_app(**limits).test_client()
        page = client.get("/sign-in").text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token is not None
        form = {"email": user.email, "password": "correct horse battery staple"}
        client.post("/sign-in", data=form | {"csrf_token": token[1]})
        data = {"file": (BytesIO(content), "people.csv")}
        page = client.get("/profile").text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token is not None
        return client.post("/users/import", data=data | {"csrf_token": token[1]}).status_code

    assert sent(admin, b"name,email\r\n" + rows) == 303
    assert sent(admin, b"x" * 60_000) == 413
    assert sent(member, b"name,email\r\n" + rows) == 413
    assert sent(member, CSV) == 403
