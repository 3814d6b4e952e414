"""`flask db status` and `flask db sync`, and what they are made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.errors import DuplicateKeyError, OperationFailure

from flask_mongokit import Document, MongoKit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from flask import Flask


class User(Document):
    __collection__ = "users"
    structure = {"email": str, "name": str}
    indexes = [{"fields": "email", "unique": True}, {"fields": ["name", ("email", -1)]}]


class Tag(Document):
    __collection__ = "tags"
    structure = {"name": str}


class Loose(Document):
    structure = {"name": str}
    indexes = [{"fields": "name"}]


@pytest.fixture
def db() -> MongoKit:
    db = MongoKit()
    db.register([User, Tag, Loose])
    return db


@pytest.fixture
def users_app(db: MongoKit, make_app: Any) -> Iterator[Flask]:
    app = make_app(db)
    with app.app_context():
        yield app


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["db", *arguments])


def test_sync_creates_the_declared_indexes(users_app: Flask, db: MongoKit) -> None:
    result = run(users_app, "sync")

    assert result.exit_code == 0
    assert result.output == (
        "created tags\ncreated users\ncreated users.email_1\ncreated users.name_1_email_-1\n"
    )
    assert db["users"].index_information()["email_1"]["unique"] is True


def test_second_sync_creates_nothing(users_app: Flask) -> None:
    run(users_app, "sync")

    assert run(users_app, "sync").output == ""


def test_status_shows_what_is_missing_and_exits_with_1(users_app: Flask, db: MongoKit) -> None:
    db["users"].create_index("email", unique=True)

    result = run(users_app, "status")

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "User in users:",
        "  present    email_1 (email 1, unique=True)",
        "  missing    name_1_email_-1 (name 1, email -1)",
        "Tag in tags: no indexes",
    ]


def test_status_exits_with_0_when_all_is_there(users_app: Flask) -> None:
    run(users_app, "sync")

    result = run(users_app, "status")

    assert result.exit_code == 0
    assert "missing" not in result.output


def test_status_shows_unknown_indexes_without_complaint(users_app: Flask, db: MongoKit) -> None:
    run(users_app, "sync")
    db["users"].create_index("age")

    result = run(users_app, "status")

    assert result.exit_code == 0
    assert "  unknown    age_1 (age 1)" in result.output.splitlines()


def test_different_index_is_shown_and_not_touched(users_app: Flask, db: MongoKit) -> None:
    db["users"].create_index("email")

    status, sync = run(users_app, "status"), run(users_app, "sync")

    assert status.exit_code == 1
    assert "  different  email_1: unique is declared True" in status.output
    assert sync.exit_code == 1
    assert "created users.name_1_email_-1\n" in sync.output
    assert "users.email_1: unique is declared True" in sync.output
    assert "unique" not in db["users"].index_information()["email_1"]


def test_sync_over_doubled_values_lists_them_and_does_nothing(
    users_app: Flask, db: MongoKit
) -> None:
    doubled = [{"_id": number, "email": "ada@example.org"} for number in (1, 2)]
    db["users"].insert_many([*doubled, {"_id": 3, "email": "eva@example.org"}])

    result = run(users_app, "sync")

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        'not unique: users.email_1: {"email": "ada@example.org"} in 2 documents (1, 2)',
        (
            "Error: users.email_1 can't be unique: 1 value stands in more than one document. "
            "Nothing was done."
        ),
    ]
    assert list(db["users"].index_information()) == ["_id_"]
    assert "tags" not in db.list_collection_names()


def test_plan_shows_what_sync_would_do_and_exits_with_1(users_app: Flask, db: MongoKit) -> None:
    result = run(users_app, "plan", "--validators", "strict")

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "tags: a collection to create",
        "  set the validator (error)",
        "users: a collection to create",
        "  create the index email_1 (email 1, unique=True)",
        "  create the index name_1_email_-1 (name 1, email -1)",
        "  set the validator (error)",
    ]
    assert db.list_collection_names() == []


def test_plan_after_sync_has_nothing_to_do(users_app: Flask) -> None:
    run(users_app, "sync", "--validators", "strict")

    result = run(users_app, "plan", "--validators", "strict")

    assert (result.exit_code, result.output) == (0, "nothing to do\n")
    assert run(users_app, "sync", "--validators", "strict").output == ""


def test_plan_as_json_is_data_for_programs(users_app: Flask) -> None:
    result = run(users_app, "plan", "--json")

    found = json.loads(result.output)
    assert [each["collection"] for each in found["collections"]] == ["tags", "users"]
    assert found["validators"] == "off"
    assert found["conflicts"] == []


def test_a_strict_validator_refuses_what_the_class_does_not_declare(
    users_app: Flask, db: MongoKit
) -> None:
    result = run(users_app, "sync", "--validators", "strict")

    assert result.output.splitlines()[-1] == "set the validator of users"
    with pytest.raises(OperationFailure) as caught:
        db["users"].insert_one({"email": 3, "name": "Ada"})
    assert caught.value.code == 121
    db.documents(User)({"email": "ada@example.org", "name": "Ada"}).save()


def test_command_without_a_server_is_an_error_not_a_traceback(make_app: Any) -> None:
    db = MongoKit()
    db.register([User])
    app = make_app(
        db, MONGODB_URI="mongodb://127.0.0.1:1/", MONGODB_OPTIONS={"serverSelectionTimeoutMS": 20}
    )

    for command in ("status", "plan", "sync"):
        result = run(app, command)
        assert result.exit_code == 1
        assert result.output.startswith("Error: 127.0.0.1:1: ")
        assert "Topology" not in result.output


def test_commands_have_help(users_app: Flask) -> None:
    result = run(users_app, "--help")

    assert "Show the indexes" in result.output
    assert "Show what `sync` would do" in result.output
    assert "Create the declared collections" in result.output


def test_missing_indexes_names_collection_and_index(users_app: Flask, db: MongoKit) -> None:
    db["users"].create_index("email")  # not unique, so not the declared one

    assert db.missing_indexes() == ["users.email_1", "users.name_1_email_-1"]


def test_create_indexes_gives_what_it_made(users_app: Flask, db: MongoKit) -> None:
    db["users"].create_index("email", unique=True)

    assert db.create_indexes() == ["users.name_1_email_-1"]
    assert db.missing_indexes() == []
    assert db.create_indexes() == []


def test_create_indexes_lets_the_servers_refusal_through(users_app: Flask, db: MongoKit) -> None:
    db["users"].create_index("email")
    with pytest.raises(OperationFailure):
        db.create_indexes()
    db["users"].drop_index("email_1")
    db["users"].insert_many([{"email": "ada@example.org"}, {"email": "ada@example.org"}])

    with pytest.raises(DuplicateKeyError):
        db.create_indexes()


def test_refused_index_does_not_keep_the_others_from_being_created(
    users_app: Flask, db: MongoKit
) -> None:
    db["users"].create_index("email")

    with pytest.raises(OperationFailure):
        db.create_indexes()

    assert db.missing_indexes() == ["users.email_1"]


def test_nothing_is_created_without_being_asked(users_app: Flask, db: MongoKit) -> None:
    db.User({"email": "ada@example.org", "name": "Ada"}).save()
    db.User.find_one({"email": "ada@example.org"})

    assert list(db["users"].index_information()) == ["_id_"]
