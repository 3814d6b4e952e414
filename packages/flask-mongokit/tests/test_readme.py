"""The README's programs do what it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import flask_mongokit
from flask_mongokit import MongoKit

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_quickstart_runs(mongodb_uri: str, database_name: str, tmp_path: Path) -> None:
    program = tmp_path / "quickstart.py"
    program.write_text(re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)[0])
    names = runpy.run_path(str(program))
    app = names["create_app"]({"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name})
    client = app.test_client()

    synced = app.test_cli_runner().invoke(args=["db", "sync"])
    added = client.post("/", data={"title": "Write"})

    assert synced.output == "created tasks\ncreated tasks.title_1\n"
    assert added.status_code == 201
    assert client.get(added.json["url"]).json == {"title": "Write"}
    assert client.get("/").json == {"titles": ["Write"]}
    names["db"].close(app)


def test_every_public_name_is_explained() -> None:
    names = [name for name in vars(MongoKit) if not name.startswith("_")]

    unexplained = {name for name in [*names, *flask_mongokit.__all__] if name not in README}

    assert unexplained == set()


def test_every_public_name_has_a_docstring() -> None:
    for name in flask_mongokit.__all__:
        assert vars(flask_mongokit)[name].__doc__
    for name, value in vars(MongoKit).items():
        assert name.startswith("_") or value.__doc__, name
