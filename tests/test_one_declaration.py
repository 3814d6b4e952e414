"""One line in `documents.py`, and nothing else: every door has the field, with its limits."""

# ruff: noqa: S603 - commands of this project, on a copy of it

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
LINE = "    phone: Annotated[str, MaxLen(20)] | None = None\n"
AFTER = '    email_key: str = field(default="", hidden=True)\n'

PROGRAM = """
import io, json, re, sys
from app import create_app
from app.core.db import db

app = create_app()
client = app.test_client()
runner = app.test_cli_runner()
seen = {}
password = "correct horse battery staple"

planned = runner.invoke(args=["db", "plan", "--validators", "strict"])
seen["plan"] = [planned.exit_code, planned.output]
synced = runner.invoke(args=["db", "sync", "--validators", "strict"])
seen["sync"] = [synced.exit_code, synced.output]

admin = ["--email", "admin@example.org", "--name", "Admin"]
runner.invoke(args=["users", "create-admin", *admin, "--password-stdin"], input=password)
token = runner.invoke(args=["users", "token", "admin@example.org"]).stdout.strip()
client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
new = {"name": "Ada", "email": "ada@example.org", "phone": "+44 20 7946 0000"}
made = client.post("/api/users", json=new)
seen["created"] = [made.status_code, made.json]
seen["shown"] = client.get(made.headers["Location"]).json
seen["listed"] = client.get("/api/users").json["items"]
without = client.post("/api/users", json={"name": "Bob", "email": "bob@example.org"})
seen["without"] = [without.status_code, without.json]
long = client.post("/api/users", json={**new, "email": "x@example.org", "phone": "1" * 21})
seen["refused"] = [long.status_code, long.json["errors"]]
changed = client.patch(made.headers["Location"], json={"phone": "1"})
seen["changed"] = [changed.status_code, changed.json["phone"]]
emptied = client.patch(made.headers["Location"], json={"phone": None})
seen["emptied"] = [emptied.status_code, emptied.json["phone"]]

schemas = client.get("/api/openapi.json").json["components"]["schemas"]
seen["openapi"] = {
    name: schema["properties"]["phone"]
    for name, schema in schemas.items()
    if "phone" in schema.get("properties", {})
}

page = client.get("/sign-in").get_data(as_text=True)
token = re.search(r"name=.csrf_token.[^>]*value=.([^\\"' >]+)", page)[1]
form = {"csrf_token": token, "email": "admin@example.org", "password": password}
assert client.post("/sign-in", data=form).status_code == 303
page = client.get("/users/new").get_data(as_text=True)
seen["input"] = re.search(r"<input[^>]*name=.phone.[^>]*>", page)[0]
token = re.search(r"name=.csrf_token.[^>]*value=.([^\\"' >]+)", page)[1]
form = {"csrf_token": token, "name": "Eva", "email": "eva@example.org", "phone": "2" * 21}
refused = client.post("/users/new", data=form)
seen["form refused"] = [refused.status_code, "Phone must be at most 20" in refused.text]
sent = client.post("/users/new", data=form | {"phone": "22"})
seen["form"] = sent.status_code
seen["table"] = ">22<" in client.get("/users").get_data(as_text=True)
seen["page"] = ">22<" in client.get(sent.location).get_data(as_text=True)
seen["changes"] = 'value="22"' in client.get(sent.location + "/edit").get_data(as_text=True)

rows = "name,email,phone\\nGrace,grace@example.org,333\\nLong,long@example.org," + "1" * 21 + "\\n"
with open(sys.argv[1], "w") as file:
    file.write(rows)
imported = runner.invoke(args=["users", "import", sys.argv[1]])
seen["import"] = [imported.exit_code, imported.output]
seen["export"] = runner.invoke(args=["users", "export"]).stdout.splitlines()
with app.app_context():
    seen["stored"] = [user.get("phone") for user in db["users"].find().sort("_id", 1)]
db.close(app)
print(json.dumps(seen))
"""

TYPED = """
from typing import assert_type

from app.users.documents import User

user = User(name="Ada", email="ada@example.org", phone="1")
assert_type(user.phone, str | None)
"""


@pytest.fixture
def run(tmp_path: Path, mongodb_uri: str, database_name: str) -> Callable[..., str]:
    """A function that runs a command of this Python, on the copy of the application or on it."""

    def run_python(*arguments: str, folder: Path) -> str:
        paths = [folder, ROOT / "packages/mongokit/src", ROOT / "packages/flask-mongokit/src"]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "MYPYPATH": os.pathsep.join(map(str, paths)),
            "INSTANCE_PATH": str(tmp_path / "instance"),
            "APP_ENV": "development",
            "MONGODB_URI": mongodb_uri,
            "MONGODB_DATABASE": database_name,
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_python


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the application, whose user has one more line."""
    folder = tmp_path / "copy"
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    documents = folder / "app/users/documents.py"
    text = documents.read_text("utf-8")
    assert text.count(AFTER) == 1
    documents.write_text(text.replace(AFTER, AFTER + LINE), "utf-8")
    return folder


def test_a_field_that_is_added_to_the_document_is_everywhere(
    run: Callable[..., str], copy: Path, tmp_path: Path
) -> None:
    flask = ("-m", "flask", "--app", "app:create_app")
    run(*flask, "db", "sync", "--validators", "strict", folder=ROOT)

    printed = run("-c", PROGRAM, str(tmp_path / "people.csv"), folder=copy)

    seen: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert seen["plan"] == [1, "users:\n  change the validator (error): phone is new\n"]
    assert seen["sync"] == [0, "set the validator of users\n"]
    assert (seen["created"][0], seen["created"][1]["phone"]) == (201, "+44 20 7946 0000")
    assert seen["shown"] == seen["created"][1]
    assert seen["listed"][1:] == [seen["created"][1]]  # the first is the admin
    assert (seen["without"][0], seen["without"][1]["phone"]) == (201, None)
    message = "phone must be at most 20 characters long"
    assert seen["refused"] == [
        422,
        [{"path": "phone", "rule": "max_length", "message": message}],
    ]
    assert seen["changed"] == [200, "1"]
    assert seen["emptied"] == [200, None]
    assert len(seen["openapi"]) >= 3
    for said in seen["openapi"].values():
        assert said["maxLength"] == 20
        assert said["type"] == ["string", "null"]
    assert 'maxlength="20"' in seen["input"]
    assert seen["form refused"] == [422, True]
    assert seen["form"] == 303
    assert seen["table"]
    assert seen["page"]
    assert seen["changes"]
    assert seen["import"][0] == 1
    assert "line 3: phone: max_length" in seen["import"][1]
    header = seen["export"][0].split(",")
    assert header.index("phone") == 2
    assert [line.split(",")[2] for line in seen["export"][1:]] == ["", "", "", "22", "333"]
    assert seen["stored"] == [None, None, None, "22", "333"]


def test_type_checkers_know_a_field_that_is_added(run: Callable[..., str], copy: Path) -> None:
    (copy / "typed.py").write_text(TYPED, "utf-8")

    run(
        *("-m", "mypy", "--strict", "--no-incremental", "--follow-imports=silent"),
        *("--cache-dir", os.devnull, "typed.py"),
        folder=copy,
    )
