"""The page about the HTTP API: its session with curl, repeated."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.users import services
from app.users.permissions import OPERATOR
from tests.secrets import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

PAGE = (Path(__file__).parents[1] / "docs" / "http-api.md").read_text("utf-8")


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the page, and what is shown below it."""
    for block in re.findall(r"^```console\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL):
        for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            # A command goes on to the next line where a quote is open.
            lines = each.splitlines()
            command = lines.pop(0)
            while command.count("'") % 2:
                command += "\n" + lines.pop(0)
            yield command, "\n".join(lines).strip()


def send(client: FlaskClient, command: str) -> tuple[TestResponse, bool]:
    """Do what a curl command would do; tell whether the head of the answer is shown."""
    words = iter(shlex.split(command)[1:])
    sent: dict[str, Any] = {"method": "GET", "headers": {}}
    path, head = "", False
    for word in words:
        match word:
            case "-i":
                head = True
            case "-X":
                sent["method"] = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                sent["headers"][name] = value
            case "--json":
                sent["data"] = next(words)
                sent["headers"]["Content-Type"] = "application/json"
                sent["method"] = "POST" if sent["method"] == "GET" else sent["method"]
            case "--data-binary":
                sent["data"], sent["method"] = next(words), "POST"
            case _:
                path = word.removeprefix("http://127.0.0.1:5000")
    return client.open(path, **sent), head


def matches(shown: str, text: str) -> bool:
    pattern = re.escape(shown).replace("…", '[^"]*?')
    return re.fullmatch(pattern, text) is not None


def test_session_with_curl_goes_as_it_is_shown(app: Flask, make_user: Callable[..., Any]) -> None:
    services.create(
        {"name": "Ada", "email": "ada@example.org", "role": "admin"}, by=OPERATOR, password=PASSWORD
    )
    client = app.test_client()
    known: dict[str, str] = {}
    seen = 0

    for written, expected in commands():
        command, shown = written, expected
        for name, value in known.items():
            command, shown = command.replace(name, value), shown.replace(name, value)
        answer, has_head = send(client, command)
        text = answer.text.replace("\r\n", "\n").strip()
        if "$ID" in shown:
            known["$ID"] = (answer.json or {})["id"]
            known["$ETAG"] = answer.headers["ETag"].replace('"', '\\"')
            shown = shown.replace("$ID", known["$ID"])
        if "token" in (answer.json or {} if answer.is_json else {}):
            known["$TOKEN"] = (answer.json or {})["token"]
        if has_head:
            head, _, shown = shown.partition("\n\n")
            first, *headers = head.splitlines()
            assert first == f"HTTP/1.1 {answer.status}"
            for line in headers:
                name, _, value = line.partition(": ")
                assert matches(value, answer.headers[name]), (line, answer.headers[name])
        assert matches(shown, text), f"{command}\n{text}"
        seen += 1

    assert seen == 10
