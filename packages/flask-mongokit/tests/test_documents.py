"""Documents that answer 404, and ObjectIds in URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from flask import Flask, url_for
from werkzeug.exceptions import NotFound

from flask_mongokit import BSONObjectIdConverter, Document, MongoKit

if TYPE_CHECKING:
    from collections.abc import Iterator


class Task(Document):
    __collection__ = "tasks"
    structure = {"title": str}


class Named(Document):
    __collection__ = "named"
    structure = {"_id": str, "title": str}


@pytest.fixture
def db(make_app: Any) -> Iterator[MongoKit]:
    db = MongoKit()
    db.register([Task, Named])
    with make_app(db).app_context():
        yield db


def test_get_or_404_takes_an_id_or_its_text(db: MongoKit) -> None:
    task = db.Task({"title": "Write"})
    task.save()

    assert db.Task.get_or_404(task["_id"]) == task
    assert db.Task.get_or_404(str(task["_id"])) == task
    assert isinstance(db.Task.get_or_404(task["_id"]), Task)


def test_get_or_404_works_on_documents_too(db: MongoKit) -> None:
    task = db.Task({"title": "Write"})
    task.save()

    assert db.Task().get_or_404(task["_id"]) == task


@pytest.mark.parametrize("id", ["ada", "4e4ac5cfffc84958fa1f45fb"])
def test_get_or_404_finds_text_ids_even_when_they_look_like_object_ids(
    id: str, db: MongoKit
) -> None:
    db.Named({"_id": id, "title": "Write"}).save()

    assert db.Named.get_or_404(id)["title"] == "Write"


@pytest.mark.parametrize("declared", [{}, {"_id": ObjectId}, {"_id": str}])
def test_get_or_404_answers_404_under_strict_queries_too(
    declared: dict[str, Any], db: MongoKit
) -> None:
    class Strict(Document):
        __collection__ = "strict"
        structure = {**declared, "title": str}
        strict_queries = True

    db.register([Strict])
    identity: Any = "4e4ac5cfffc84958fa1f45fb"
    if declared != {"_id": str}:
        identity = ObjectId(identity)
    db.Strict({"_id": identity, "title": "Write"}).save()

    assert db.Strict.get_or_404(str(identity))["title"] == "Write"
    others: list[Any] = ["4e4ac5cfffc84958fa1f45fc", "junk", 17, {"$ne": None}, [], None]
    for other in others:
        with pytest.raises(NotFound):
            db.Strict.get_or_404(other)


@pytest.mark.parametrize(
    "id",
    [
        ObjectId("4e4ac5cfffc84958fa1f45fb"),
        "4e4ac5cfffc84958fa1f45fb",
        "junk",
        "",
        "half a pair \ud800",
        None,
        17,
        {"$ne": None},
        {"$gt": ""},
        [],
        {"$in": ["x"]},
    ],
)
def test_get_or_404_answers_404_for_ids_that_no_document_has(id: object, db: MongoKit) -> None:
    db.Task({"title": "Write"}).save()

    with pytest.raises(NotFound):
        db.Task.get_or_404(id)


def test_find_one_or_404_takes_what_find_one_takes(db: MongoKit) -> None:
    task = db.Task({"title": "Write"})
    task.save()

    assert db.Task.find_one_or_404({"title": "Write"}) == task
    assert db.Task.find_one_or_404(task["_id"]) == task
    assert "title" not in db.Task.find_one_or_404({"title": "Write"}, {"_id": 1})
    with pytest.raises(NotFound):
        db.Task.find_one_or_404({"title": "Read"})


def test_find_one_of_a_class_decides_what_there_is(make_app: Any) -> None:
    class Kept(Document):
        __collection__ = "kept"
        structure = {"removed": bool}

        def find_one(self, *args: Any, **kwargs: Any) -> Any:
            document = super().find_one(*args, **kwargs)
            return None if document and document["removed"] else document

    db = MongoKit()
    db.register([Kept])
    with make_app(db).app_context():
        removed = db.Kept({"removed": True})
        removed.save()

        with pytest.raises(NotFound):
            db.Kept.get_or_404(removed["_id"])


@pytest.fixture
def routes() -> Flask:
    app = Flask("tasks")
    MongoKit(app)

    @app.get("/tasks/<ObjectId:task_id>")
    def show_task(task_id: ObjectId) -> str:
        assert isinstance(task_id, ObjectId)
        return f"task {task_id}"

    return app


def test_url_with_an_id_gives_an_object_id_to_the_view(routes: Flask) -> None:
    task_id = ObjectId()

    assert routes.test_client().get(f"/tasks/{task_id}").text == f"task {task_id}"


@pytest.mark.parametrize("id", ["junk", "0" * 23, "0" * 25, "g" * 24, "%00", "abcdefghijkl", "é"])
def test_url_with_a_malformed_id_is_400(id: str, routes: Flask) -> None:
    response = routes.test_client().get(f"/tasks/{id}")

    assert response.status_code == 400
    assert "24 hexadecimal digits" in response.text


def test_url_for_gives_the_hexadecimal_digits(routes: Flask) -> None:
    task_id = ObjectId("4e4ac5cfffc84958fa1f45fb")

    with routes.test_request_context("/"):
        assert url_for("show_task", task_id=task_id) == "/tasks/4e4ac5cfffc84958fa1f45fb"
        assert url_for("show_task", task_id=str(task_id)) == "/tasks/4e4ac5cfffc84958fa1f45fb"


def test_converter_is_inverse_on_ids() -> None:
    converter = BSONObjectIdConverter(Flask("tasks").url_map)
    task_id = ObjectId()

    assert converter.to_url(task_id) == str(task_id)
    assert converter.to_python(converter.to_url(task_id)) == task_id
