"""An application as one wrote it for Flask-MongoKit 0.6, on today's Flask."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from flask import Flask, abort, redirect, render_template_string, request, url_for

from flask_mongokit import Document, MongoKit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient

# How such applications tell the time (Python 3.12 deprecates it), and the calls of PyMongo 2.
pytestmark = [
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

LIST = """<ul>{% for task in tasks %}
<li><a href="{{ url_for('show_task', task_id=task._id) }}">{{ task.title }}</a></li>
{% endfor %}</ul>"""

SHOW = "<h1>{{ task.title }}</h1><p>{{ task.text }}</p><i>{{ task.creation.year }}</i>"


class Task(Document):
    __collection__ = "tasks"
    structure = {
        "title": str,
        "text": str,
        "creation": datetime,
    }
    required_fields = ["title", "creation"]
    default_values = {"creation": datetime.utcnow}
    use_dot_notation = True


db = MongoKit()
db.register([Task])


def create_app(**config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(config)
    db.init_app(app)

    @app.route("/")
    def show_all() -> str:
        tasks = db.Task.find().sort("title")
        return render_template_string(LIST, tasks=tasks)

    @app.route("/<ObjectId:task_id>")
    def show_task(task_id: ObjectId) -> str:
        task = db.Task.get_or_404(task_id)
        return render_template_string(SHOW, task=task)

    @app.route("/by-title/<title>")
    def show_by_title(title: str) -> str:
        task = db.Task.find_one_or_404({"title": title})
        return render_template_string(SHOW, task=task)

    @app.route("/new", methods=["POST"])
    def new_task() -> Any:
        try:
            task = db.Task()
            task.title = request.form["title"]
            task.text = request.form["text"]
            task.save()
        except TypeError:
            abort(400)
        return redirect(url_for("show_all"))

    @app.route("/<ObjectId:task_id>", methods=["POST"])
    def change_task(task_id: ObjectId) -> Any:
        task = db.Task.get_from_id(task_id)
        task["text"] = request.form["text"]
        task.save()
        return redirect(url_for("show_task", task_id=task["_id"]))

    @app.route("/<ObjectId:task_id>/delete", methods=["POST"])
    def delete_task(task_id: ObjectId) -> Any:
        db.Task.get_or_404(task_id).delete()
        return redirect(url_for("show_all"))

    return app


@pytest.fixture
def tasks(mongodb_uri: str, database_name: str) -> Iterator[Flask]:
    app = create_app(MONGODB_URI=mongodb_uri, MONGODB_DATABASE=database_name, TESTING=True)
    yield app
    db.close(app)


@pytest.fixture
def browser(tasks: Flask) -> FlaskClient:
    return tasks.test_client()


def test_task_is_written_listed_and_shown(browser: FlaskClient) -> None:
    form = {"title": "Write", "text": "A <letter>"}

    assert browser.post("/new", data=form).location == "/"
    page = browser.get("/").text
    link = page.split('href="')[1].split('"')[0]

    assert ">Write</a>" in page
    assert "<h1>Write</h1><p>A &lt;letter&gt;</p>" in browser.get(link).text
    assert "<h1>Write</h1>" in browser.get("/by-title/Write").text


def test_task_is_changed_and_deleted(browser: FlaskClient, tasks: Flask) -> None:
    browser.post("/new", data={"title": "Write", "text": "once"})
    with tasks.app_context():
        task_id = db.Task.find_one()["_id"]

    browser.post(f"/{task_id}", data={"text": "twice"})
    assert "<p>twice</p>" in browser.get(f"/{task_id}").text
    browser.post(f"/{task_id}/delete")

    assert browser.get(f"/{task_id}").status_code == 404


def test_unknown_task_is_404_and_a_malformed_id_400(browser: FlaskClient) -> None:
    assert browser.get(f"/{ObjectId()}").status_code == 404
    assert browser.get("/by-title/nothing").status_code == 404
    assert browser.get("/nothing").status_code == 400


def test_request_context_is_enough(tasks: Flask) -> None:
    with tasks.test_request_context("/"):
        before = db.connected
        task = db.Task()
        task.title = "Write"
        task.text = "A letter"
        task.save()

        assert (before, db.connected) == (False, True)
        assert isinstance(task.creation, datetime)
        assert db["tasks"].count() == 1
        assert db.collection_names() == ["tasks"]
        assert db.dereference(task.get_dbref())["title"] == "Write"


def test_connections_are_pushed_and_popped_by_hand(tasks: Flask) -> None:
    context = tasks.test_request_context("/")
    context.push()
    db.connect()
    db.Task({"title": "Write", "text": "", "creation": datetime(2012, 2, 29)}).save()  # noqa: DTZ001
    context.pop()

    with tasks.app_context():
        assert not db.connected
        assert [task.title for task in db.Task.find()] == ["Write"]


def test_two_applications_keep_their_tasks_apart(
    tasks: Flask, browser: FlaskClient, mongodb_uri: str, database_name: str
) -> None:
    other = create_app(MONGODB_URI=mongodb_uri, MONGODB_DATABASE=f"{database_name}_other")
    browser.post("/new", data={"title": "Write", "text": ""})
    other.test_client().post("/new", data={"title": "Read", "text": ""})

    page, other_page = browser.get("/").text, other.test_client().get("/").text
    with other.app_context():
        db.connection.drop_database(db.name)
    db.close(other)

    assert "Write" in page
    assert "Read" not in page
    assert "Read" in other_page
    assert "Write" not in other_page
