"""`session=` on whatever talks to the server: seen in a transaction, gone when it is aborted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from bson import DBRef, ObjectId
from pymongo import UpdateOne
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from mongokit import (
    AutoReferenceError,
    Connection,
    Database,
    Document,
    DocumentMigration,
    VersionedDocument,
)
from mongokit.references import fetch

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

pytestmark = [
    pytest.mark.replica_set,
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


class UserMigration(DocumentMigration):
    def migration01__add_age(self) -> None:
        self.target = {"age": {"$exists": False}}
        self.update = {"$set": {"age": 0}}

    def allmigration01__add_age(self) -> None:
        self.target = {"age": {"$exists": False}}
        self.update = {"$set": {"age": 0}}


class User(Document):
    __collection__ = "users"
    structure = {"name": str, "age": int, "friend": "User"}
    use_autorefs = True


class Versioned(Document):
    __collection__ = "accounts"
    structure = {"name": str, "version": int}
    version_field = "version"


class Page(VersionedDocument):
    __collection__ = "pages"
    structure = {"text": str}


class Old(Document):
    __collection__ = "old"
    structure = {"name": str, "age": int}
    migration_handler = UserMigration


@pytest.fixture
def db(connection: Connection, database_name: str) -> Database:
    """With documents that are there before any transaction."""
    connection.register([User, Versioned, Page, Old])
    db = connection[database_name]
    db.documents(User)({"_id": 1, "name": "Ada", "age": 36, "friend": None}).save()
    db.documents(Versioned)({"_id": 1, "name": "Ada", "version": None}).save()
    db.documents(Page)({"_id": 1, "text": "x"}).save()
    db["old"].insert_one({"_id": 1, "name": "Ada"})
    return db


def everything(db: Database) -> dict[str, list[Any]]:
    return {name: list(db[name].find().sort("_id")) for name in sorted(db.list_collection_names())}


def user(db: Database) -> Any:
    return db.documents(User).get_from_id(1)


def page(db: Database) -> Any:
    return db.documents(Page).get_from_id(1)


def content(**fields: Any) -> dict[str, Any]:
    return {"name": "Eva", "age": 1, "friend": None, **fields}


def saved_friend(db: Database, session: ClientSession) -> None:
    friend = user(db)
    friend["age"] += 1
    db.documents(User)(content(friend=friend)).save(session=session)


def succeeds(call: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    call(*args, **kwargs)
    return True


WRITES: dict[str, Callable[[Database, ClientSession], Any]] = {
    "save new": lambda db, s: db.documents(User)(content()).save(session=s),
    "save": lambda db, s: (
        user(db).save(session=s)
        or user(db).collection.update_one({"_id": 1}, {"$inc": {"age": 1}}, session=s)
    ),
    "save versioned": lambda db, s: db.documents(Versioned).get_from_id(1).save(session=s),  # type: ignore[union-attr]
    "save revision": lambda db, s: page(db).save(session=s),
    "delete": lambda db, s: user(db).delete(session=s),
    "delete revisions": lambda db, s: page(db).delete(versioning=True, session=s),
    "remove": lambda db, s: page(db).remove({}, versioning=True, session=s),
    "patch": lambda db, s: user(db).patch(name="Eva", session=s),
    "patch revision": lambda db, s: page(db).patch(text="y", session=s),
    "update_one": lambda db, s: db.documents(User).update_one(
        {"_id": 1}, {"$inc": {"age": 1}}, session=s
    ),
    "update_many": lambda db, s: db.documents(User).update_many(
        {}, {"$inc": {"age": 1}}, session=s
    ),
    "upsert": lambda db, s: db.documents(User).update_one(
        {"_id": 9}, {"$set": content()}, upsert=True, session=s
    ),
    "insert_many": lambda db, s: db.documents(User).insert_many([content()], session=s),
    "bulk_write": lambda db, s: db.documents(User).bulk_write(
        [user(db), content(), UpdateOne({"_id": 1}, {"$inc": {"age": 1}})], session=s
    ),
    "bulk_write versioned": lambda db, s: db.documents(Versioned).bulk_write(
        [db.documents(Versioned).get_from_id(1)], session=s
    ),
    "find_and_modify": lambda db, s: db.documents(User).find_and_modify(
        {"_id": 1}, {"$inc": {"age": 1}}, session=s
    ),
    "migrate": lambda db, s: db.documents(Old)({"_id": 1, "name": "Ada"}).migrate(session=s),
    "migrate_all": lambda db, s: UserMigration(Old).migrate_all(db["old"], session=s),
    "read and migrate": lambda db, s: db.documents(Old).find_one({"_id": 1}, session=s),
    "validate and migrate": lambda db, s: db.documents(Old)({"_id": 1, "name": "Ada"}).validate(
        session=s
    ),
    "save of what is referenced": saved_friend,
}


@pytest.mark.parametrize("name", WRITES)
def test_write_is_undone_with_its_transaction(db: Database, name: str) -> None:
    db.documents(User)  # made before
    before = everything(db)
    changed: dict[str, list[Any]] = {}

    with pytest.raises(LookupError), db.transaction() as session:  # noqa: PT012
        WRITES[name](db, session)
        changed = {
            each: list(db[each].find(session=session).sort("_id")) for each in sorted(before)
        }
        raise LookupError

    assert changed != before
    assert everything(db) == before


# Each finds the documents that were stored in the transaction, so it reads in it.
READS: dict[str, Callable[[Database, ClientSession], Any]] = {
    "find": lambda db, s: list(db.documents(User).find({"_id": 2}, session=s)),
    "find, sliced": lambda db, s: db.documents(User).find({"_id": 2}, session=s).clone()[0],
    "find, counted": lambda db, s: db.documents(User).find({"_id": 2}, session=s).count() == 1,
    "find_one": lambda db, s: db.documents(User).find_one({"_id": 2}, session=s),
    "one": lambda db, s: db.documents(User).one({"_id": 2}, session=s),
    "get_from_id": lambda db, s: db.documents(User).get_from_id(2, session=s),
    "get_from_id of a document": lambda db, s: user(db).get_from_id(2, session=s),
    "find_random": lambda db, s: (
        {
            db.documents(User).find_random(session=s)["_id"]  # type: ignore[index]
            for _ in range(100)
        }
        == {1, 2}
    ),
    "fetch": lambda db, s: list(db.documents(User).fetch({"_id": 2}, session=s)),
    "fetch_one": lambda db, s: db.documents(User).fetch_one({"_id": 2}, session=s),
    "distinct": lambda db, s: "New" in db.documents(User).distinct("name", session=s),
    "count": lambda db, s: db.documents(User).count({"_id": 2}, session=s) == 1,
    "reload": lambda db, s: succeeds(db.documents(User)({"_id": 2}).reload, session=s),
    "from_json": lambda db, s: db.documents(User).from_json('{"friend": {"_id": 2}}', session=s),
    "from_extended_json": lambda db, s: db.documents(User).from_extended_json(
        f'{{"friend": {{"$ref": "users", "$id": 2, "$db": "{db.name}"}}}}', session=s
    ),
    "fetch references": lambda db, s: succeeds(fetch, [pointing(db)], s),
    "validate": lambda db, s: succeeds(pointing(db).validate, session=s),
    "insert_many with references": lambda db, s: db.documents(User).insert_many(
        [pointing(db)], session=s
    ),
    "bulk_write with references": lambda db, s: db.documents(User).bulk_write(
        [pointing(db)], session=s
    ),
    "save with references": lambda db, s: succeeds(pointing(db).save, session=s),
    "patch with references": lambda db, s: succeeds(
        user(db).patch, friend=DBRef("users", 2, db.name), session=s
    ),
    "dereference": lambda db, s: db.dereference(DBRef("users", 2), User, session=s),
    "get_revision": lambda db, s: page(db).get_revision(2, session=s),
    "get_revisions": lambda db, s: len(list(page(db).get_revisions(session=s))) == 2,
    "get_last_revision_id": lambda db, s: page(db).get_last_revision_id(session=s) == 2,
    "get_deprecated": lambda db, s: (
        UserMigration(Old).get_deprecated(db["old"], session=s)
        == {"deprecated": ["allmigration01__add_age", "migration01__add_age"], "active": []}
    ),
}


def pointing(db: Database) -> User:
    """A document with a reference that was assigned and not fetched."""
    return db.documents(User)({"_id": ObjectId(), **content(friend=DBRef("users", 2, db.name))})


@pytest.mark.parametrize("name", READS)
def test_read_sees_what_its_transaction_has_written(db: Database, name: str) -> None:
    with pytest.raises(LookupError), db.transaction() as session:  # noqa: PT012
        db.documents(User)({"_id": 2, "name": "New", "age": 1, "friend": None}).save(
            session=session
        )
        page(db).save(session=session)
        db["old"].update_one({}, {"$set": {"age": 1}}, session=session)
        assert READS[name](db, session)
        raise LookupError

    assert user(db).collection.count_documents({}) == 1


@pytest.mark.parametrize(
    "name", ["reload", "from_json", "validate", "save with references", "get_from_id"]
)
def test_read_without_the_session_does_not_see_it(db: Database, name: str) -> None:
    with db.transaction() as session:
        db.documents(User)({"_id": 2, "name": "New", "age": 1, "friend": None}).save(
            session=session
        )
        outside: Any = None
        try:
            seen = READS[name](db, outside)
        except (AutoReferenceError, PyMongoError):
            seen = None
        assert seen is None


def test_block_that_ends_is_committed_whole(db: Database) -> None:
    with db.transaction(ReadConcern("snapshot"), WriteConcern("majority")) as session:
        db.documents(User)(content(_id=5)).save(session=session)
        db.documents(Versioned)({"_id": 5, "name": "x", "version": None}).save(session=session)

    assert db.documents(User).get_from_id(5) is not None
    assert db.documents(Versioned).get_from_id(5) is not None
    assert session.has_ended


def test_block_may_end_its_transaction_itself(db: Database) -> None:
    with db.transaction() as session:
        db.documents(User)(content(_id=5)).save(session=session)
        session.abort_transaction()

    assert db.documents(User).get_from_id(5) is None
