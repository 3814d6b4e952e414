"""The steps of Flask's old page "MongoKit in Flask", with its outputs, on today's stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.users.documents import User
from mongokit import Connection, SchemaTypeError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mongokit import Collection


@pytest.fixture
def collection(mongodb_uri: str, database_name: str) -> Iterator[Collection]:
    """`connection['test'].users`, as on the page."""
    connection = Connection(mongodb_uri)
    connection.register([User])
    yield connection[database_name].users
    connection.close()


def test_steps_of_the_page_give_its_outputs(collection: Collection) -> None:
    user = collection.User()
    user["name"] = "admin"
    user["email"] = "admin@localhost"
    user.save()

    assert repr(list(collection.User.find())) == "[<User 'admin'>]"
    assert repr(collection.User.find_one({"name": "admin"})) == "<User 'admin'>"


def test_fields_are_attributes_too(collection: Collection) -> None:
    user = collection.User()
    user.name = "admin"
    user.email = "admin@localhost"
    user.save()

    assert collection.User.find_one().email == "admin@localhost"


def test_bytes_are_refused_as_a_name(collection: Collection) -> None:
    user = collection.User()
    user["name"] = b"admin"
    user["email"] = "admin@localhost"

    with pytest.raises(SchemaTypeError, match=r"^name must be an instance of str not bytes$"):
        user.save()

    assert list(collection.find()) == []


def test_validators_of_the_page_refuse_long_text(collection: Collection) -> None:
    user = collection.User()
    user["name"] = "a" * 51
    user["email"] = "admin@localhost"

    with pytest.raises(ValidationError, match=r"^name must be at most 50 characters long$"):
        user.save()


def test_raw_layer_is_one_step_away(collection: Collection) -> None:
    collection.insert_one({"name": "admin", "email": "admin@localhost"})

    assert collection.find({"name": "admin"})[0]["email"] == "admin@localhost"
    assert repr(list(collection.User.find())) == "[<User 'admin'>]"


def test_save_makes_the_key_that_emails_are_compared_by(collection: Collection) -> None:
    user = collection.User()
    user.name, user.email = " admin ", "Admin@LOCALHOST"
    user.save()

    stored = collection.find()[0]
    assert (stored["name"], stored["email"]) == ("admin", "Admin@localhost")
    assert stored["email_key"] == "admin@localhost"
