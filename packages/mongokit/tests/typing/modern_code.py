"""What type checkers infer for code that asks for classes; read by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

from bson import DBRef, ObjectId, Timestamp
from pymongo.client_session import ClientSession
from pymongo.results import BulkWriteResult, UpdateResult

from mongokit import (
    Change,
    ChangeStream,
    Collection,
    Connection,
    Cursor,
    Database,
    Document,
    Documents,
    SchemaDocument,
    StaleDocument,
    UnknownFieldError,
)


@Connection("localhost").register
class Tag(Document):
    __database__ = "blog"
    __collection__ = "tags"
    structure = {"name": str}


class User(Document):
    __collection__ = "users"
    structure = {"name": str, "age": int}
    required_fields = ["name"]
    default_values = {"age": 0}
    indexes = [{"fields": "name", "unique": True}]
    use_dot_notation = True

    def greeting(self) -> str:
        return f"Hello {self['name']}"

    @classmethod
    def adults(cls, db: Database) -> Cursor[User]:
        return db.documents(User).find({"age": {"$gte": 18}})


# register
with Connection("localhost", 27017) as connection:
    assert_type(connection, Connection)
    assert_type(connection.register(User), type[User])
    assert_type(connection.register([User, Tag]), None)
    assert_type(connection.documents(Tag), Documents[Tag])

assert_type(Tag, type[Tag])
assert_type(Tag(), Tag)

# databases and collections
db = connection["blog"]
assert_type(db, Database)
assert_type(connection.get_database("blog"), Database)
assert_type(connection.get_default_database(), Database)
assert_type(db.with_options(), Database)
assert_type(db["users"], Collection)
assert_type(db["users"]["archive"], Collection)
assert_type(db.get_collection("users"), Collection)
assert_type(db.create_collection("users"), Collection)
assert_type(db["users"].with_options(), Collection)

# managers
users = db.documents(User)
assert_type(users, Documents[User])
assert_type(db["users"].documents(User), Documents[User])
assert_type(users(), User)
assert_type(users({"name": "Ada"}), User)
assert_type(users.find_one(), User | None)
assert_type(users.find_one({"name": "Ada"}, sort=[("age", 1)]), User | None)
assert_type(users.find_one(ObjectId()), User | None)
assert_type(users.one({"name": "Ada"}), User | None)
assert_type(users.find_random(), User | None)
assert_type(users.get_from_id(ObjectId()), User | None)
assert_type(users.fetch_one(), User | None)
assert_type(users.find_and_modify({"name": "Ada"}, {"$inc": {"age": 1}}), User | None)
assert_type(users.count(), int)
assert_type(users.count({"age": 3}), int)
assert_type(users.distinct("name"), list[Any])
assert_type(users.find_fulltext("Ada"), dict[str, list[dict[str, Any]]])

assert_type(users.insert_many([{"name": "Ada"}, users()]), list[Any])
assert_type(users.generate_index(db["users"]), list[str])
assert_type(users.collection, Collection)
assert_type(users.db.client, Connection)
users.greeting()

# cursors
cursor = users.find({"age": {"$gt": 30}}, ["name"], limit=10)
assert_type(cursor, Cursor[User])
assert_type(users.fetch(), Cursor[User])
assert_type(cursor.sort("name").skip(1).limit(2), Cursor[User])
assert_type(cursor.sort([("name", 1)]).batch_size(5).hint("name_1").comment("why"), Cursor[User])
assert_type(cursor.clone(), Cursor[User])
assert_type(cursor.rewind(), Cursor[User])
assert_type(cursor[0], User)
assert_type(cursor[1:3], Cursor[User])
assert_type(next(cursor), User)
assert_type(cursor.next(), User)
assert_type(cursor.to_list(), list[User])
assert_type(cursor.to_list(5), list[User])
assert_type(list(cursor), list[User])
assert_type([user.greeting() for user in cursor], list[str])
assert_type(cursor.alive, bool)
assert_type(User.adults(db), Cursor[User])
with users.find() as opened:
    assert_type(opened, Cursor[User])
for user in users.find():
    assert_type(user, User)
    assert_type(user.greeting(), str)

# documents
ada = users({"name": "Ada"})
assert_type(ada.save(), None)
assert_type(ada.validate(), None)
assert_type(ada.delete(), None)
assert_type(ada.reload(), None)
assert_type(ada["name"], Any)
assert_type(ada.name, Any)
assert_type(ada.get_dbref(), DBRef)
assert_type(ada.get_size(), int)
assert_type(ada.db, Database)
assert_type(ada.collection, Collection)
assert_type(ada.connection, Connection)
ada.name = "Ada Lovelace"
ada["age"] = 36

found = users.find_one({"name": "Ada"})
if found is not None:
    assert_type(found, User)
    found.age += 1
    found.save()

session = connection.start_session()
with session, session.start_transaction():
    users({"name": "Grace"}).save(session=session)
    assert_type(users.find_one({"name": "Grace"}, session=session), User | None)

# changing a part
assert_type(users.update_one({"name": "Ada"}, {"$set": {"age": 37}}), UpdateResult)
assert_type(users.update_many({}, [{"$set": {"age": "$year"}}], upsert=True), UpdateResult)
users.update_one({}, {"$inc": {"a.$[x]": 1}}, array_filters=[{"x": 1}], hint="name_1")
assert_type(users.bulk_write([ada]), BulkWriteResult)
assert_type(ada.patch(name="Grace", inc={"age": 1}, when={"age": 36}), None)
ada.patch(set={"address.city": "x"}, unset="nick", push={"tags": "a"}, pull={"tags": "b"})
ada.patch(unset=["a", "b"], add_to_set={"tags": {"$each": ["c"]}})


class Account(Document):
    structure = {"version": int}
    version_field = "version"


try:
    db.documents(Account)().save()
except StaleDocument as stale:
    assert_type(stale.expected, int | None)
    assert_type(stale.found, int | None)
    assert_type(stale.document_class, type)
    assert_type(stale.others, list[StaleDocument])
except UnknownFieldError as unknown:
    assert_type(unknown.suggestion, str | None)
    assert_type([failure.path for failure in unknown.errors], list[str])

# transactions
with db.transaction() as transaction:
    assert_type(transaction, ClientSession)
    ada.patch(age=1, session=transaction)
    users.update_one({}, {"$set": {"age": 1}}, session=transaction)

# change streams
with users.watch([{"$match": {"operationType": "insert"}}]) as stream:
    assert_type(stream, ChangeStream[User])
    assert_type(stream.try_next(), Change[User] | None)
    assert_type(next(stream), Change[User])
    for change in stream:
        assert_type(change, Change[User])
        assert_type(change.document, User | None)
        assert_type(change.before, User | None)
        assert_type(change.operation, str)
        assert_type(change.updated, dict[str, Any])
        assert_type(change.removed, list[str])
        assert_type(change.cluster_time, Timestamp | None)
users.watch(full_document=None, resume_after=stream.resume_token, max_await_time_ms=10)

# PyMongo's own, on our objects
assert_type(db["users"].find_one(), dict[str, Any] | None)
assert_type(db["users"].find(), Cursor[dict[str, Any]])
assert_type(db["users"].find(wrap=User), Cursor[User])
assert_type(db["users"].insert_one({"name": "Ada"}).inserted_id, Any)
assert_type(db["users"].count_documents({}), int)
assert_type(db.list_collection_names(), list[str])
assert_type(db.dereference(DBRef("users", 1), User), User | None)
assert_type(db.dereference(DBRef("users", 1)), dict[str, Any] | None)


# classes without a collection
class Point(SchemaDocument):
    structure = {"x": float, "y": float}


assert_type(Point(), Point)
assert_type(Point({"x": 1.0})["x"], Any)
assert_type([failure.path for failure in Point().errors()], list[str])
