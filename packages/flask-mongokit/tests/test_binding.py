"""An application and the extension: `init_app`, contexts, registration, the database's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from pymongo.errors import InvalidName

from flask_mongokit import Document, MongoKit
from mongokit import Connection, Database

if TYPE_CHECKING:
    from collections.abc import Callable


class Task(Document):
    __collection__ = "tasks"
    structure = {"title": str}


class Note(Document):
    __collection__ = "notes"
    structure = {"text": str}


def test_constructor_binds_the_app() -> None:
    app = Flask("tasks")

    db = MongoKit(app)

    assert app.extensions["mongokit"] is db


def test_init_app_binds_any_number_of_apps() -> None:
    db = MongoKit()
    apps = [Flask(f"app{n}") for n in range(3)]

    for app in apps:
        db.init_app(app)

    assert all(app.extensions["mongokit"] is db for app in apps)


def test_init_app_opens_no_client_and_asks_for_no_address() -> None:
    app = Flask("tasks")
    asked: list[str] = []
    app.config["MONGODB_URI"] = lambda: asked.append("asked")

    MongoKit(app)

    assert asked == []


def test_second_init_app_of_the_same_object_changes_nothing(make_app: Any) -> None:
    db = MongoKit()
    app = make_app(db)
    with app.app_context():
        client = db.connection

        db.init_app(app)

        assert db.connection is client


def test_another_extension_on_the_app_is_refused() -> None:
    app = Flask("tasks")
    db = MongoKit(app)

    with pytest.raises(RuntimeError, match=r"'tasks' has another MongoKit already"):
        MongoKit(app)

    assert app.extensions["mongokit"] is db


USES: list[Callable[[MongoKit], object]] = [
    lambda db: db.connect(),
    lambda db: db.disconnect(),
    lambda db: db.connected,
    lambda db: db.connection,
    lambda db: db.Task,
    lambda db: db["tasks"],
    lambda db: db.documents(Task),
    lambda db: db.transaction().__enter__(),
    lambda db: db.close(),
    lambda db: db.missing_indexes(),
]


@pytest.mark.parametrize("use", USES)
def test_use_outside_a_context_names_the_cure(use: Callable[[MongoKit], object]) -> None:
    db = MongoKit(Flask("tasks"))

    with pytest.raises(RuntimeError, match=r"outside of an application context.*app\.app_context"):
        use(db)


@pytest.mark.parametrize("use", USES)
def test_use_in_an_app_that_is_not_bound_names_the_cure(
    use: Callable[[MongoKit], object],
) -> None:
    db = MongoKit(Flask("other"))
    app = Flask("tasks")
    MongoKit(app)

    with (
        app.app_context(),
        pytest.raises(RuntimeError, match=r"not bound to the Flask app 'tasks'.*init_app\(app\)"),
    ):
        use(db)


def test_the_extension_is_no_container() -> None:
    db: Any = MongoKit()

    with pytest.raises(TypeError, match="not iterable"):
        list(db)
    with pytest.raises(TypeError):
        assert "users" in db


@pytest.mark.parametrize("wrong", ["User", None, 3, dict, [dict], ["User"]])
def test_register_refuses_what_is_no_document_class(wrong: Any) -> None:
    db = MongoKit()

    with pytest.raises(TypeError, match=r"can't register .*no Document class"):
        db.register(wrong)

    assert db.registered_documents == []


def test_tools_may_probe_the_extension_without_a_context() -> None:
    db = MongoKit()

    assert not hasattr(db, "__wrapped__")
    assert not hasattr(db, "_repr_html_")
    with pytest.raises(AttributeError, match=r"db\['_events'\]"):
        _ = db._events


def test_collection_with_an_underscore_is_reached_by_subscript(make_app: Any) -> None:
    db = MongoKit()

    with make_app(db).app_context():
        assert db["_events"].name == "_events"


def test_decorator_returns_the_class() -> None:
    db = MongoKit()

    assert db.register(Task) is Task
    assert db.registered_documents == [Task]


@pytest.mark.parametrize("container", [list, tuple])
def test_register_of_several_returns_all_that_are_registered(container: type) -> None:
    db = MongoKit()
    db.register(Note)

    assert db.register(container([Task])) == [Note, Task]


def test_class_of_the_same_name_replaces_the_older_one(make_app: Any) -> None:
    db = MongoKit()
    db.register(Task)
    older = Task

    class Newer(Document):
        __collection__ = "newer"
        structure = {"title": str}

    Newer.__name__ = "Task"
    with make_app(db).app_context():
        assert isinstance(db.Task, older)
        db.register(Newer)

        assert db.registered_documents == [Newer]
        assert isinstance(db.Task, Newer)
        assert db.Task.collection.name == "newer"


@pytest.mark.parametrize("when", ["before init_app", "after init_app", "after the first use"])
def test_registration_may_come_at_any_time(when: str, make_app: Any) -> None:
    db = MongoKit()
    if when == "before init_app":
        db.register([Task])
    app = make_app(db)
    if when == "after init_app":
        db.register([Task])

    with app.app_context():
        db.connect()
        if when == "after the first use":
            db.register([Task])

        assert isinstance(db.Task, Task)
        assert db.Task.collection.name == "tasks"


def test_registration_reaches_every_app_in_use(make_app: Any) -> None:
    db = MongoKit()
    apps = [make_app(db), make_app(db)]
    for app in apps:
        with app.app_context():
            db.connect()

    db.register(Task)

    for app in apps:
        with app.app_context():
            assert isinstance(db.Task, Task)


def test_names_that_are_not_registered_are_the_databases(make_app: Any, database_name: str) -> None:
    db = MongoKit()

    with make_app(db).app_context():
        db["users"].insert_one({"name": "Ada"})

        assert db.name == database_name
        assert db.users == db["users"]
        assert db.list_collection_names() == ["users"]
        assert isinstance(db.database, Database)
        assert isinstance(db.connection, Connection)
        assert db.connection is db.database.client


def test_names_that_the_database_refuses_are_refused(make_app: Any) -> None:
    db = MongoKit()

    with make_app(db).app_context(), pytest.raises(InvalidName):
        _ = db["$tasks"]


def test_documents_gives_the_registered_manager(make_app: Any) -> None:
    db = MongoKit()
    db.register(Task)

    with make_app(db).app_context():
        db.Task({"title": "Write"}).save()
        found = db.documents(Task).find_one({"title": "Write"})

    assert isinstance(found, Task)
    assert found["title"] == "Write"


def test_two_apps_do_not_see_each_other(make_app: Any, database_name: str) -> None:
    db = MongoKit()
    db.register(Task)
    one, two = make_app(db), make_app(db, MONGODB_DATABASE=f"{database_name}_two")

    with one.app_context():
        db.Task({"title": "of one"}).save()
        first = db.connection
        with two.app_context():
            assert db.connection is not first
            assert list(db.Task.find()) == []
            db.Task({"title": "of two"}).save()
        assert db.connection is first
        assert [task["title"] for task in db.Task.find()] == ["of one"]
    with two.app_context():
        assert [task["title"] for task in db.Task.find()] == ["of two"]
        db.connection.drop_database(db.name)


def test_a_context_starts_unconnected_and_is_connected_by_connect(make_app: Any) -> None:
    db = MongoKit()
    app = make_app(db)

    for _ in range(2):
        with app.app_context():
            seen = [db.connected]
            db.connect()
            seen.append(db.connected)
            db.disconnect()
            seen.append(db.connected)

        assert seen == [False, True, False]


@pytest.mark.parametrize("use", [lambda db: db.Task, lambda db: db["a"], lambda db: db.connection])
def test_any_use_connects(use: Callable[[MongoKit], object], make_app: Any) -> None:
    db = MongoKit()

    with make_app(db).app_context():
        use(db)

        assert db.connected


def test_disconnect_without_connection_is_harmless_and_use_connects_again(make_app: Any) -> None:
    db = MongoKit()

    with make_app(db).test_request_context("/"):
        db.disconnect()
        client = db.connection
        db.disconnect()

        assert db.connection is client
        assert db.connected
