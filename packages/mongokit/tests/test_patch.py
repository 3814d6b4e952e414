"""`patch` of a document: a part is changed in place, with one command."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.monitoring import CommandListener, CommandStartedEvent

from mongokit import (
    ConditionNotMet,
    Connection,
    ConnectionError,  # noqa: A004 - the classic name
    Database,
    Document,
    Documents,
    RequireFieldError,
    SchemaTypeError,
    Set,
    UnknownFieldError,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class User(Document):
    structure = {
        "name": str,
        "age": int,
        "visits": int,
        "tags": [str],
        "labels": Set(str),
        "address": {"city": str, "zip": str},
        "title": str,
        "set": str,
    }
    i18n = ["title"]
    required_fields = ["name"]
    default_values = {"visits": 0}
    validators = {"age": lambda age: age >= 0}
    use_dot_notation = True


class Sent(CommandListener):
    """The commands that a client sent."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append(event.command_name)

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def connection(mongodb_uri: str, sent: Sent) -> Iterator[Connection]:
    with Connection(mongodb_uri, event_listeners=[sent]) as client:
        yield client


@pytest.fixture
def users(db: Database) -> Documents[User]:
    return db["users"].documents(User)


@pytest.fixture
def user(users: Documents[User]) -> Any:
    made = users()
    made.update({"_id": 1, "name": "Ada", "age": 36, "tags": ["a"], "labels": {"x"}})
    made.save()
    return made


def stored(user: Any) -> Any:
    return user.collection.find_one({"_id": user["_id"]})


def test_fields_and_paths_are_set_and_the_same_object_is_refreshed(user: Any, sent: Sent) -> None:
    same, address = user, user["address"]
    sent.commands.clear()

    result = user.patch(name="Grace", set={"address.city": "London"}, inc={"age": 1})

    assert result is None
    assert user is same
    assert sent.commands == ["findAndModify"]
    assert (user.name, user.age, user.address.city) == ("Grace", 37, "London")
    assert address["city"] is None
    assert stored(user)["address"] == {"city": "London", "zip": None}


def test_lists_are_changed(user: Any) -> None:
    user.patch(push={"tags": {"$each": ["b", "c"]}}, add_to_set={"labels": "y"})
    assert (user["tags"], user["labels"]) == (["a", "b", "c"], {"x", "y"})

    user.patch(pull={"tags": {"$in": ["a", "b"]}, "labels": "x"})
    assert (user["tags"], user["labels"]) == (["c"], {"y"})
    assert stored(user)["labels"] == ["y"]


def test_values_are_given_in_their_python_form(user: Any) -> None:
    user.patch(labels={"b", "a"}, title={"en": "Mouse", "fr": "Souris"})

    assert user["labels"] == {"a", "b"}
    assert user["title"] == {"en": "Mouse", "fr": "Souris"}
    assert stored(user)["title"][1] == {"lang": "fr", "value": "Souris"}


def test_field_named_as_an_argument_is_set_by_its_path(user: Any) -> None:
    user.patch(set={"set": "x"})

    assert user["set"] == "x"


def test_what_others_changed_arrives_and_what_was_not_saved_goes(
    user: Any, users: Documents[User]
) -> None:
    other = users.get_from_id(1)
    assert other is not None
    other.patch(tags=["theirs"])
    user["name"] = "not saved"
    user["extra"] = 1

    user.patch(age=40)

    assert (user["tags"], user["age"], user["name"]) == (["theirs"], 40, "Ada")
    assert "extra" not in user


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"visits": "40"}, SchemaTypeError),
        ({"age": -1}, ValidationError),
        ({"name": None}, RequireFieldError),
        ({"nmae": "x"}, UnknownFieldError),
        ({"unset": "name"}, RequireFieldError),
        ({"unset": ["address.nope"]}, UnknownFieldError),
        ({"inc": {"name": 1}}, SchemaTypeError),
        ({"push": {"tags": 1}}, SchemaTypeError),
        ({"age": 1, "set": {"age": 2}}, ValueError),
        ({"set": 5}, TypeError),
    ],
)
def test_refused_patch_changes_nothing_and_sends_nothing(
    user: Any, sent: Sent, changes: dict[str, Any], error: type[Exception]
) -> None:
    before = dict(user)
    sent.commands.clear()

    with pytest.raises(error):
        user.patch(**changes)

    assert dict(user) == before
    assert sent.commands == []


@pytest.mark.parametrize("changes", [{}, {"set": {}, "unset": [], "inc": None}, {"when": {"a": 1}}])
def test_nothing_to_do_sends_nothing(user: Any, sent: Sent, changes: dict[str, Any]) -> None:
    user["name"] = "not saved"
    sent.commands.clear()

    user.patch(**changes)

    assert sent.commands == []
    assert user["name"] == "not saved"


def test_condition_that_holds_lets_the_change_through(user: Any) -> None:
    user.patch(name="Grace", when={"age": 36, "tags": "a", "_id": {"$gt": 0}})

    assert user["name"] == "Grace"


def test_condition_that_does_not_hold_changes_nothing(user: Any, sent: Sent) -> None:
    before = dict(user)
    sent.commands.clear()

    with pytest.raises(ConditionNotMet, match="stored User does not meet") as caught:
        user.patch(name="Grace", when={"age": {"$lt": 30}})

    assert (caught.value.document_class, caught.value.id) == (User, 1)
    assert dict(user) == before
    assert stored(user)["name"] == "Ada"
    assert sent.commands[:2] == ["findAndModify", "find"]


def test_position_of_a_condition_can_be_named(user: Any, connection: Connection) -> None:
    if connection.admin.command("hello").get("setName") == "secantus":
        pytest.skip("the embedded engine has no $ in findAndModify")
    user.patch(push={"tags": "b"})

    user.patch(set={"tags.$": "B"}, when={"tags": "b"})

    assert user["tags"] == ["a", "B"]


def test_document_that_is_gone_is_an_error_as_for_reload(user: Any) -> None:
    user.collection.delete_one({"_id": 1})
    before = dict(user)

    for changes in ({"name": "x"}, {"name": "x", "when": {"age": 36}}):
        with pytest.raises(OperationFailure, match="can't patch: no document with this _id"):
            user.patch(**changes)
    assert dict(user) == before
    assert user.collection.count_documents({}) == 0


def test_document_without_id_or_collection_is_refused(users: Documents[User]) -> None:
    with pytest.raises(KeyError):
        users().patch(name="x")
    with pytest.raises(ConnectionError):
        User({"_id": 1}).patch(name="x")


def test_error_of_the_server_leaves_the_document_as_it_was(
    user: Any, users: Documents[User]
) -> None:
    users.collection.create_index("name", unique=True)
    users({**user, "_id": 2, "name": "Eva"}).save()
    before = dict(user)

    with pytest.raises(DuplicateKeyError):
        user.patch(name="Eva")

    assert dict(user) == before


def test_projected_document_is_whole_afterwards(user: Any, users: Documents[User]) -> None:
    partial = users.find_one({"_id": 1}, {"name": 1})
    assert partial is not None

    partial.patch(age=40)

    assert partial == {**user, "age": 40}
    partial.save()


class Item(Document):
    structure = {"owner": User, "note": str}
    use_autorefs = True


def test_references_are_set_and_fetched(user: Any, db: Database) -> None:
    items = db["items"].documents(Item)
    item = items({"owner": None, "note": "x"})
    item.save()

    item.patch(owner=user)

    assert type(item["owner"]) is User
    assert item["owner"] == user
    assert stored(item)["owner"] == user.get_dbref()
    item["owner"]["name"] = "Changed"
    item.save()
    assert stored(user)["name"] == "Changed"


class Made(Document):
    structure = {"name": str}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__["made"] = True


def test_class_with_its_own_init_is_patched(db: Database) -> None:
    made = db["made"].documents(Made)({"_id": 1, "name": "x"})
    made.save()

    made.patch(name="y")

    assert made == {"_id": 1, "name": "y"}


def test_no_visit_of_32_threads_is_lost(user: Any, users: Documents[User]) -> None:
    start = threading.Barrier(32)

    def visit(_: int) -> None:
        mine = users.get_from_id(1)
        assert mine is not None
        start.wait()
        for _ in range(50):
            mine.patch(inc={"visits": 1})

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(visit, range(32)))

    user.reload()
    assert user["visits"] == 1600


def test_one_of_many_wins_a_compare_and_set(user: Any, users: Documents[User]) -> None:
    start = threading.Barrier(16)

    def take(number: int) -> bool:
        mine = users.get_from_id(1)
        assert mine is not None
        start.wait()
        try:
            mine.patch(name=str(number), when={"name": "Ada"})
        except ConditionNotMet:
            return False
        return bool(mine["name"] == str(number))

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(16))) == 1
