"""Which commands an index serves whole, and that a test fails whose app sends another."""

# ruff: noqa: S603 - pytest, run by itself

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bson import Regex

from app.core.db import db
from app.users import documents
from tests.recorder import ASKERS, WALKS, Recorder, declared
from tests.served import Index, fault, shape

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

    from app.users.documents import User

ROOT = Path(__file__).parents[1]
INDEXES = [
    Index((("email_key", 1),), is_unique=True),
    Index((("name_key", 1),)),
    Index((("role", 1), ("name_key", 1))),
    Index((("city", 1), ("age", -1))),
]
SERVED: list[tuple[str, dict[str, Any]]] = [
    ("find", {"filter": {"_id": 1}}),
    ("find", {"filter": {"_id": {"$in": [1, 2]}}}),
    ("find", {"filter": {}, "sort": {"_id": 1}, "limit": 21}),
    ("find", {"filter": {"_id": {"$gt": 1}}, "sort": {"_id": -1}, "limit": 21}),
    ("find", {"filter": {"email_key": "a"}}),
    ("find", {"filter": {"email_key": {"$eq": "a"}, "age": 7}}),
    ("find", {"filter": {"email_key": {"$in": ["a", "b"]}}}),
    ("find", {"filter": {"name_key": {"$gte": "a", "$lt": "b"}}, "limit": 2}),
    ("find", {"filter": {"role": "admin"}, "sort": {"name_key": -1}, "limit": 2}),
    ("find", {"filter": {"role": "admin", "name_key": {"$ne": "a"}}, "limit": 1}),
    ("find", {"filter": {"role": {"$in": ["a"]}, "name_key": {"$gt": "b"}}, "limit": 1}),
    ("find", {"filter": {"role": "a"}, "sort": {"role": 1, "name_key": 1}, "limit": 1}),
    ("find", {"filter": {}, "sort": {"city": -1, "age": 1}, "limit": 1}),
    ("aggregate", {"pipeline": [{"$match": {"_id": 1}}, {"$project": {"n": 1}}]}),
    ("aggregate", {"pipeline": [{"$match": {"role": "a"}}, {"$limit": 2}]}),
    ("aggregate", {"pipeline": [{"$match": {"_id": 1}}, {"$lookup": {"foreignField": "_id"}}]}),
    ("update", {"updates": [{"q": {"_id": 1, "version": 2}, "u": {}}]}),
    ("update", {"updates": [{"q": {"_id": 1, "entries.9": {"$not": {"$gte": 3}}}, "u": {}}]}),
    ("delete", {"deletes": [{"q": {"email_key": "a"}, "limit": 0}]}),
    ("count", {"query": {"email_key": "a"}}),
]
NOT_SERVED: list[tuple[str, dict[str, Any], str]] = [
    ("find", {"filter": {"age": 7}, "limit": 1}, "no index"),
    ("find", {"filter": {}, "sort": {"age": 1}, "limit": 1}, "no index"),
    ("find", {"filter": {"role": "a", "age": 7}, "limit": 1}, "no index"),
    ("find", {"filter": {"name_key": {"$gt": "a"}, "role": {"$gt": "b"}}, "limit": 1}, "no index"),
    ("find", {"filter": {"role": {"$gt": "a"}}, "sort": {"name_key": 1}, "limit": 1}, "no index"),
    ("find", {"filter": {"role": "a", "name_key": {"$exists": True}}, "limit": 1}, "no index"),
    ("find", {"filter": {}, "sort": {"city": 1, "age": 1}, "limit": 1}, "no index"),
    ("find", {"filter": {"_id": {"$in": [1]}, "age": 7}}, "no index"),
    ("find", {"filter": {}}, "no limit"),
    ("find", {"filter": {}, "sort": {"_id": 1}, "batchSize": 9}, "no limit"),
    ("find", {"filter": {"name_key": {"$gt": "a"}}}, "no limit"),
    ("find", {"filter": {"role": "a"}}, "no limit"),
    ("find", {"filter": {}, "sort": {"_id": 1}, "limit": 1, "skip": 9}, "skips"),
    ("find", {"filter": {"$or": [{"_id": 1}, {"email_key": "a"}]}, "limit": 1}, r"\$or"),
    ("find", {"filter": {"_id": 1, "$where": "true"}}, r"\$where"),
    ("find", {"filter": {"name_key": re.compile("^a")}, "limit": 1}, "a pattern"),
    ("find", {"filter": {"name_key": Regex("^a")}, "limit": 1}, "a pattern"),
    ("find", {"filter": {"_id": 1, "name_key": {"$regex": "^a"}}, "limit": 1}, "a pattern"),
    ("count", {}, "counts"),
    ("count", {"query": {"role": "a"}}, "no limit"),
    ("distinct", {"key": "role"}, "no limit"),
    ("aggregate", {"pipeline": [{"$match": {"role": "a"}}, {"$group": {"_id": 1}}]}, "no limit"),
    ("aggregate", {"pipeline": [{"$group": {"_id": 1}}, {"$match": {"_id": 1}}]}, "no limit"),
    ("aggregate", {"pipeline": [{"$match": {"_id": 1}}, {"$lookup": {}}]}, r"stage \$lookup"),
    ("aggregate", {"pipeline": [{"$skip": 3}, {"$limit": 1}]}, r"stage \$skip"),
    ("update", {"updates": [{"q": {"_id": 1}}, {"q": {"age": 7}}]}, "no index"),
    ("update", {"updates": [{"q": {"role": "a"}, "multi": True}]}, "no limit"),
    ("delete", {"deletes": [{"q": {"role": "a"}, "limit": 0}]}, "no limit"),
    ("findAndModify", {"query": {"_id": 1}}, "embedded engine"),
]
PROGRAM = """
from app.core.db import db
from app.users import services

def test_served(app):
    with app.app_context():
        assert services.is_empty()

def test_not_served(app):
    def find_by_age():
        return db["users"].find_one({"age": 7})
    # As if it stood there.
    find_by_age.__code__ = find_by_age.__code__.replace(co_filename=services.__file__)
    with app.app_context():
        find_by_age()
"""


def command(name: str, parts: dict[str, Any]) -> dict[str, Any]:
    return {name: "people", **parts}


@pytest.mark.parametrize(("name", "parts"), SERVED)
def test_index_serves(name: str, parts: dict[str, Any]) -> None:
    assert fault(name, command(name, parts), INDEXES) is None


@pytest.mark.parametrize(("name", "parts", "why"), NOT_SERVED)
def test_no_index_serves(name: str, parts: dict[str, Any], why: str) -> None:
    found = fault(name, command(name, parts), INDEXES)

    assert found is not None
    assert re.search(why, found)


def test_walk_that_is_allowed_goes_in_portions_or_along_what_is_equal() -> None:
    by_id = {"sort": {"_id": 1}}
    in_portions = command("find", {"filter": {}, "batchSize": 9, **by_id})
    at_once = command("find", {"filter": {}, **by_id})
    beyond = command("find", {"filter": {"_id": {"$gt": 1}}, "batchSize": 9, **by_id})
    of_a_role = command("delete", {"deletes": [{"q": {"role": "a"}, "limit": 0}]})

    assert fault("find", in_portions, INDEXES, may_walk=True) is None
    assert fault("delete", of_a_role, INDEXES, may_walk=True) is None
    assert fault("count", command("count", {}), INDEXES, may_walk=True) is None
    assert fault("find", at_once, INDEXES, may_walk=True) == "it has no limit"
    assert fault("find", beyond, INDEXES, may_walk=True) == "it has no limit"


def test_shape_holds_no_value() -> None:
    wanted = {"role": "admin", "n": {"$in": [1, 2]}, "$or": [{"a": 1}, {"a": 2}, {"b": 3}]}

    said = shape("find", command("find", {"filter": wanted, "sort": {"n": -1}, "limit": 3}))

    assert said == (
        'find on people: {"role": "?", "n": {"$in": ["?"]}, "$or": [{"a": "?"}, {"b": "?"}]},'
        ' sort {"n": -1}, limit 3'
    )


def test_shape_of_many_updates_says_each_once() -> None:
    updates = [{"q": {"_id": 1}}, {"q": {"_id": 2}}, {"q": {"a": 3}}]

    said = shape("update", command("update", {"updates": updates}))

    assert said == 'update on people: {"_id": "?"}, limit 1; {"a": "?"}, limit 1'


def test_recorder_sees_what_the_application_sends_and_not_what_a_test_does(
    app: Flask, api: FlaskClient, admin: User, recorder: Recorder
) -> None:
    recorder.seen.clear()

    with app.app_context():
        db["users"].find_one({"name": "Ada"})  # nothing serves it, but a test may
        db.documents(documents.User).find_one({"_id": admin["_id"]})
    assert recorder.seen == []

    api.get(f"/api/users/{admin['_id']}")
    assert recorder.seen == [
        ("app.users.tokens.actor_of", 'aggregate on tokens: {"digest": "?"}'),
        ("app.users.tokens.actor_of", 'update on tokens: {"_id": "?"}, limit 1'),
        ("app.users.services._find", 'find on users: {"_id": "?"}, limit 1'),
    ]


def test_declared_indexes_are_those_of_the_application_alone() -> None:
    assert set(declared()) >= {"users", "tokens", "locks", "rate_limits"}


def test_whoever_is_allowed_something_is_there() -> None:
    for name in WALKS | ASKERS:
        module, _, function = name.rpartition(".")
        assert hasattr(sys.modules[module], function)


def test_test_whose_app_sends_an_unserved_command_fails_by_name(
    tmp_path: Path, mongodb_uri: str
) -> None:
    (tmp_path / "test_program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "tests.conftest"]
    command += ["-p", "no:xdist", "-p", "no:cacheprovider"]

    ended = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"MONGODB_URI": mongodb_uri},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 passed, 1 error" in ended.stdout
    assert "ERROR" in ended.stdout
    assert "test_not_served" in ended.stdout
    assert 'find on users: {"age": "?"}, limit 1; no index serves it whole' in ended.stdout
