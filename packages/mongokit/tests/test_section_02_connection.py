"""Section 2: connections, databases, collections, and the classes registered on them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pymongo
import pymongo.collection
import pymongo.database
import pytest
from bson import DBRef
from bson.binary import UuidRepresentation

from mongokit import (
    Collection,
    Connection,
    Cursor,
    Database,
    Document,
    MasterSlaveConnection,
    MongoClient,
    ReplicaSetConnection,
)


class User(Document):
    structure = {"name": str}

    def shout(self) -> str:
        return f"{self.collection.name}!"

    @classmethod
    def kind(cls) -> str:
        return "user"

    @property
    def where(self) -> str:
        return str(self.collection.full_name)


def test_connection_is_a_mongo_client(connection: Connection) -> None:
    assert isinstance(connection, pymongo.MongoClient)
    assert MongoClient is Connection
    assert ReplicaSetConnection is Connection


def test_master_slave_connection_raises_an_error_that_names_a_read_preference() -> None:
    with pytest.raises(Exception, match="read preference"):
        MasterSlaveConnection("localhost")


def test_old_client_options_are_translated_with_a_deprecation_warning(mongodb_uri: str) -> None:
    with pytest.warns(DeprecationWarning):
        client = Connection(mongodb_uri, slave_okay=True, max_pool_size=7, safe=True)
    with client:
        assert client.read_preference == pymongo.ReadPreference.SECONDARY_PREFERRED
        assert client.options.pool_options.max_pool_size == 7
        assert client.write_concern.acknowledged


def test_safe_false_is_unacknowledged(mongodb_uri: str) -> None:
    with pytest.warns(DeprecationWarning):
        client = Connection(mongodb_uri, safe=False)
    with client:
        assert not client.write_concern.acknowledged


def test_an_unknown_option_is_pymongos_own_error(mongodb_uri: str) -> None:
    with pytest.raises(pymongo.errors.ConfigurationError, match="surprise"):
        Connection(mongodb_uri, surprise=1)


def test_databases_and_collections_are_ours_and_pymongos(connection: Connection) -> None:
    assert isinstance(connection["a"], Database)
    assert isinstance(connection["a"], pymongo.database.Database)
    assert isinstance(connection.a.b, Collection)
    assert isinstance(connection.a.b, pymongo.collection.Collection)
    assert connection.a.b.c.name == "b.c"


def test_the_same_object_comes_back_for_the_same_name(connection: Connection) -> None:
    assert connection.a is connection["a"]
    assert connection.a.b is connection["a"]["b"]
    assert connection.a.b.c is connection.a["b.c"]


def test_with_options_and_get_collection_give_our_classes_with_their_managers(
    connection: Connection, db: Database
) -> None:
    connection.register(User)
    wanted = pymongo.ReadPreference.SECONDARY_PREFERRED

    for collection in (
        db.things.with_options(read_preference=wanted),
        db.get_collection("things", read_preference=wanted),
        db.with_options(read_preference=wanted).things,
        connection.get_database(db.name, read_preference=wanted).things,
    ):
        assert type(collection) is Collection
        assert collection.read_preference == wanted
        assert isinstance(collection.User, User)
        assert collection.User.collection is collection


def test_get_default_database_and_create_collection_are_ours(
    mongodb_uri: str, database_name: str
) -> None:
    with Connection(f"{mongodb_uri}{database_name}") as client:
        assert type(client.get_default_database()) is Database
        assert type(client.get_default_database().create_collection("made")) is Collection
        assert client[database_name].list_collection_names() == ["made"]


def test_register_takes_a_class_and_returns_it(connection: Connection, col: Collection) -> None:
    assert connection.register(User) is User
    assert isinstance(col.User(), User)


def test_register_is_a_decorator(connection: Connection, col: Collection) -> None:
    @connection.register
    class Tag(Document):
        structure = {"name": str}

    assert type(col.Tag()) is Tag


@pytest.mark.parametrize("container", [list, tuple, set])
def test_register_takes_several_classes(
    connection: Connection, col: Collection, container: type
) -> None:
    class A(Document):
        structure = {"a": int}

    class B(Document):
        structure = {"b": int}

    connection.register(container([A, B]))

    assert type(col.A()) is A
    assert type(col.B()) is B


def test_registering_the_name_again_replaces_the_class_everywhere(
    connection: Connection, col: Collection
) -> None:
    class Thing(Document):
        structure = {"old": int}

    connection.register(Thing)
    assert col.Thing() == {"old": None}
    old = Thing

    class Thing(Document):  # type: ignore[no-redef]
        structure = {"new": int}

    connection.register(Thing)

    assert col.Thing() == {"new": None}
    assert not isinstance(col.Thing, old)


def test_a_class_can_be_on_two_connections_at_once(
    mongodb_uri: str, connection: Connection, database_name: str
) -> None:
    with Connection(mongodb_uri) as other:
        connection.register(User)
        other.register(User)

        one, two = connection[database_name].a.User(), other[database_name].a.User()

        assert one.connection is connection
        assert two.connection is other


def test_a_class_registered_on_one_connection_is_unknown_on_another(
    mongodb_uri: str, connection: Connection
) -> None:
    with Connection(mongodb_uri) as other:
        connection.register(User)

        assert type(other.a.b.User) is Collection


def test_names_resolve_from_the_connection_and_the_database(
    connection: Connection, database_name: str
) -> None:
    class Base(Document):
        __database__ = database_name
        __collection__ = "people"

    class Person(Base):
        structure = {"name": str}

    connection.register(Person)

    assert isinstance(connection.Person, Person)
    assert connection.Person is connection[database_name].Person
    assert connection.Person is connection[database_name].people.Person


def test_collection_alone_resolves_from_the_database(connection: Connection, db: Database) -> None:
    class Person(Document):
        __collection__ = "people"
        structure = {"name": str}

    connection.register(Person)

    assert db.Person is db.people.Person
    assert isinstance(connection.Person, Database)


def test_database_without_collection_is_an_attribute_error(connection: Connection) -> None:
    class Lost(Document):
        __database__ = "somewhere"

    connection.register(Lost)

    for place in (connection, connection.somewhere, connection.elsewhere):
        with pytest.raises(AttributeError) as caught:
            _ = place.Lost
        assert str(caught.value) == (
            "Lost: __collection__ attribute not found. You cannot specify the `__database__` "
            "attribute without the `__collection__` attribute"
        )
    assert type(connection.somewhere.things.Lost()) is Lost


def test_a_name_that_is_not_registered_is_a_database_or_a_collection(
    connection: Connection, db: Database
) -> None:
    assert type(connection.Nobody) is Database
    assert type(db.Nobody) is Collection
    assert type(db.things.Nobody) is Collection


def test_the_manager_is_an_empty_document_that_can_be_called(
    connection: Connection, col: Collection
) -> None:
    connection.register(User)
    manager = col.User

    assert isinstance(manager, User)
    assert manager is col.User
    assert manager["name"] is None
    assert manager.structure == {"name": str}
    assert "shout" in dir(manager)
    assert type(manager()) is User
    assert manager.shout() == "things!"
    assert manager.kind() == "user"
    assert manager.where == col.full_name


def test_the_manager_takes_content_gen_skel_and_languages(
    connection: Connection, col: Collection
) -> None:
    connection.register(User)

    assert col.User({"name": "Ada"}) == {"name": "Ada"}
    assert col.User(doc={"name": "Ada"}, gen_skel=True) == {"name": "Ada"}
    assert col.User(gen_skel=False) == {}
    user = col.User(lang="fr", fallback_lang="de")
    assert user.get_lang() == "fr"


def test_documents_gives_the_manager_typed(connection: Connection, db: Database) -> None:
    class Person(Document):
        __collection__ = "people"
        structure = {"name": str}

    connection.register(Person)

    assert db.documents(Person) is db.people.Person
    assert db.people.documents(Person) is db.people.Person


def test_find_on_a_manager_gives_our_cursor(connection: Connection, col: Collection) -> None:
    connection.register(User)

    assert type(col.User.find()) is Cursor


def test_register_refuses_what_is_no_document_class(connection: Connection) -> None:
    with pytest.raises(TypeError, match="no Document class"):
        connection.register(dict)


def test_using_a_manager_does_not_change_it(connection: Connection, col: Collection) -> None:
    connection.register(User)
    before = dict(col.User)

    col.User({"name": "Ada"}).save()
    list(col.User.find())
    col.User.find_one()

    assert dict(col.User) == before


CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda users: users.__setitem__("name", "Ada"),
    "set by dot": lambda users: setattr(users, "name", "Ada"),
    "delete": lambda users: users.__delitem__("name"),
    "merge": lambda users: users.__ior__({"name": "Ada"}),
    "update": lambda users: users.update({"name": "Ada"}),
    "setdefault": lambda users: users.setdefault("age", 36),
    "pop": lambda users: users.pop("name"),
    "popitem": lambda users: users.popitem(),
    "clear": lambda users: users.clear(),
    "save": lambda users: users.save(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_manager_which_all_share_can_be_neither_changed_nor_saved(
    change: str, connection: Connection, col: Collection
) -> None:
    class Dotted(User):
        use_dot_notation = True

    connection.register(Dotted)

    with pytest.raises(TypeError, match=r"manager of Dotted.*db\.things\.Dotted\(\)"):
        CHANGES[change](col.Dotted)

    assert dict(col.Dotted) == {"name": None}
    assert col.count_documents({}) == 0


def test_what_a_class_calls_update_or_save_works_on_its_manager(
    connection: Connection, col: Collection
) -> None:
    class Post(User):
        def update(self, title: str) -> str:  # type: ignore[override]
            return f"{title} in {self.collection.name}"

        @classmethod
        def pop(cls) -> str:  # type: ignore[override]
            return "popped"

    connection.register(Post)

    assert col.Post.update("news") == "news in things"
    assert col.Post.pop() == "popped"


def test_find_refuses_to_wrap_in_what_is_no_document(col: Collection) -> None:
    for wrong in (5, dict, "User"):
        with pytest.raises(TypeError, match="wrap must be a Document class or a manager"):
            col.find(wrap=wrong)


def test_dereference_gives_a_dict_or_a_document(connection: Connection, db: Database) -> None:
    connection.register(User)
    db.things.insert_one({"_id": 1, "name": "Ada"})
    ref = DBRef("things", 1, db.name)

    assert db.dereference(ref) == {"_id": 1, "name": "Ada"}
    found: Any = db.dereference(ref, User)
    assert type(found) is User
    found = db.dereference(ref, db.things.User)  # a manager stands for its class
    assert type(found) is User


def test_a_structure_changed_before_registration_counts(
    connection: Connection, col: Collection
) -> None:
    class Tree(Document):
        structure = {"name": str}

    Tree.structure["leaves"] = int
    connection.register(Tree)

    assert col.Tree() == {"name": None, "leaves": None}


def test_a_subclass_of_a_registered_class_is_not_registered(
    connection: Connection, col: Collection
) -> None:
    connection.register(User)

    class Admin(User):
        pass

    assert isinstance(col.Admin, Collection)
    assert Admin.structure == User.structure


def test_a_document_made_with_a_collection_is_bound_without_registration(col: Collection) -> None:
    user = User({"name": "Ada"}, collection=col)
    user.save()

    assert col.find_one() == user


def test_documents_are_not_callable_and_registering_none_is_fine(connection: Connection) -> None:
    connection.register([])

    assert not callable(User())


def test_uuids_save_and_load_without_options(connection: Connection, col: Collection) -> None:
    class Thing(Document):
        structure = {"key": uuid.UUID}

    connection.register(Thing)
    thing = col.Thing({"key": uuid.uuid4()})
    thing.save()

    assert col.Thing.find_one() == thing
    assert col.Thing.find_one({"key": thing["key"]}) == thing
    assert col.find_one() == thing


@pytest.mark.parametrize("where", ["option", "uri"])
def test_another_uuid_representation_is_an_option(
    mongodb_uri: str, database_name: str, where: str
) -> None:
    uri = mongodb_uri + "?uuidRepresentation=pythonLegacy" * (where == "uri")
    options = {"uuidRepresentation": "pythonLegacy"} if where == "option" else {}
    with Connection(uri, **options) as client:
        assert client.codec_options.uuid_representation == UuidRepresentation.PYTHON_LEGACY


def test_calling_a_collection_says_that_the_class_may_not_be_registered(col: Collection) -> None:
    with pytest.raises(TypeError, match=r"'Foo'.*may not have been registered"):
        col.Foo()


def test_calling_a_class_that_names_no_collection_on_the_database_says_so(
    connection: Connection, db: Database
) -> None:
    connection.register(User)

    with pytest.raises(
        TypeError, match=r"User names no __collection__: use db\.a_collection\.User"
    ):
        db.User()


def test_dereference_refuses_wrong_types_and_other_databases(db: Database) -> None:
    wrong: Any = "things"
    with pytest.raises(TypeError):
        db.dereference(wrong)
    with pytest.raises(TypeError):
        db.dereference(DBRef("things", 1), dict)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="database"):
        db.dereference(DBRef("things", 1, "elsewhere"), User)
