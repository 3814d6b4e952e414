"""`version_field`: a write carries the version that was read, and a lost race is an error."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bson import DBRef, Int64, ObjectId
from pymongo import DeleteOne, InsertOne, UpdateMany, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, DuplicateKeyError

from mongokit import (
    Connection,
    Database,
    Document,
    Documents,
    SchemaDocumentError,
    SchemaTypeError,
    StaleDocument,
    StructureError,
    VersionedDocument,
)


class Account(Document):
    structure = {"name": str, "balance": int, "version": int}
    version_field = "version"


@pytest.fixture
def accounts(db: Database) -> Documents[Account]:
    return db["accounts"].documents(Account)


def new(accounts: Documents[Any], **fields: Any) -> Any:
    account = accounts({"name": "Ada", "balance": 0, "version": None, **fields})
    account.save()
    return account


def stored(accounts: Documents[Any], identity: Any) -> Any:
    return accounts.collection.find_one({"_id": identity})


# The declaration.


@pytest.mark.parametrize(
    ("structure", "field"),
    [
        ({"version": int}, "revision"),
        ({"version": str}, "version"),
        ({"version": bool}, "version"),
        ({"version": float}, "version"),
        ({"version": None}, "version"),
        ({"version": [int]}, "version"),
        ({"meta": {"version": int}}, "meta.version"),
        ({str: int}, "version"),
        (None, "version"),
    ],
)
def test_version_field_must_be_an_int_at_the_top(structure: Any, field: str) -> None:
    with pytest.raises(StructureError, match="must be declared as an int field") as caught:
        type("Wrong", (Document,), {"structure": structure, "version_field": field})

    assert caught.value.path == field


def test_option_is_inherited_and_can_be_taken_back() -> None:
    class Inherited(Account):
        pass

    class Without(Account):
        version_field = None  # type: ignore[assignment]

    assert Inherited.__mongokit__.version_field == "version"
    assert Without.__mongokit__.version_field is None


# Saving.


class WithDefault(Account):
    default_values = {"version": 7, "balance": 5}
    required_fields = ["version"]


@pytest.mark.parametrize("identity", [None, 1])
@pytest.mark.parametrize("version", [None, 0, -3])
def test_first_save_stores_version_1(
    accounts: Documents[Account], identity: Any, version: int | None
) -> None:
    fields = {} if identity is None else {"_id": identity}

    account = new(accounts, version=version, **fields)

    assert account["version"] == 1
    assert stored(accounts, account["_id"])["version"] == 1


def test_first_save_takes_no_default_for_a_version(db: Database) -> None:
    accounts = db["accounts"].documents(WithDefault)
    by_skeleton, by_id = accounts(), accounts({"_id": 1, "name": "Ada", "balance": 0})
    by_skeleton["name"] = "Grace"

    by_skeleton.save()
    by_id.save()

    assert [each["version"] for each in (by_skeleton, by_id)] == [1, 1]
    assert by_skeleton["balance"] == 5


def test_first_save_with_a_uuid_stores_version_1(accounts: Documents[Account]) -> None:
    account = accounts({"name": "Ada", "balance": 0, "version": None})

    account.save(uuid=True)

    assert account["_id"].startswith("Account-")
    assert stored(accounts, account["_id"])["version"] == 1


def test_every_save_adds_one(accounts: Documents[Account]) -> None:
    account = new(accounts)

    for balance in (1, 2):
        account["balance"] = balance
        account.save()

    assert account["version"] == 3
    assert stored(accounts, account["_id"]) == dict(account)


class Underscored(Document):
    structure = {"_version": int}
    version_field = "_version"


def test_version_may_be_called_as_classic_code_calls_it(db: Database) -> None:
    documents = db["underscored"].documents(Underscored)
    document = documents({"_id": 1})

    document.save()
    document.save()

    assert documents.collection.find_one() == {"_id": 1, "_version": 2} == document


class Wide(Document):
    structure = {"version": Int64}
    version_field = "version"


def test_int64_versions_stay_int64(db: Database) -> None:
    wide = db["wide"].documents(Wide)
    wide({"_id": 1, "version": None}).save()

    read = wide.get_from_id(1)
    assert read is not None

    read.save()
    read.save()
    read.patch(unset=[], set={}, inc={})
    wide.update_one({"_id": 1}, {"$unset": {"_version": ""}})

    assert type(read["version"]) is Int64
    read.reload()
    assert (read["version"], type(read["version"])) == (4, Int64)
    read.validate()


def test_second_of_two_writers_gets_an_error_and_the_first_write_stays(
    accounts: Documents[Account],
) -> None:
    identity = new(accounts)["_id"]
    mine, yours = accounts.get_from_id(identity), accounts.get_from_id(identity)
    assert mine is not None
    assert yours is not None
    mine["balance"], yours["balance"] = 1, 2
    mine.save()
    before = dict(yours)

    with pytest.raises(StaleDocument, match="version 1 was read, 2 is stored") as caught:
        yours.save()

    error = caught.value
    assert (error.expected, error.found, error.id) == (1, 2, identity)
    assert error.document_class is Account
    assert dict(yours) == before
    assert stored(accounts, identity) == dict(mine)
    yours.reload()
    yours["balance"] += 10
    yours.save()
    assert stored(accounts, identity)["balance"] == 11


def test_document_that_is_gone_does_not_come_back(accounts: Documents[Account]) -> None:
    account = new(accounts)
    accounts.collection.delete_one({"_id": account["_id"]})

    with pytest.raises(StaleDocument, match="is gone") as caught:
        account.save()

    assert (caught.value.expected, caught.value.found) == (1, None)
    assert account["version"] == 1
    assert accounts.count() == 0


@pytest.mark.parametrize("old", [{}, {"version": None}])
def test_document_from_before_the_version_gets_one(
    accounts: Documents[Account], old: dict[str, Any]
) -> None:
    accounts.collection.insert_one({"_id": 1, "name": "Ada", "balance": 0, **old})
    first, second = accounts.get_from_id(1), accounts.get_from_id(1)
    assert first is not None
    assert second is not None

    first.save()

    assert first["version"] == 1
    with pytest.raises(StaleDocument) as caught:
        second.save()
    assert (caught.value.expected, caught.value.found) == (None, 1)
    assert second.get("version") is None
    assert set(second) == set(old) | {"_id", "name", "balance"}
    first.save()
    assert stored(accounts, 1)["version"] == 2


def test_version_0_counts_as_none(accounts: Documents[Account]) -> None:
    accounts.collection.insert_one({"_id": 1, "name": "Ada", "balance": 0, "version": 0})
    account = accounts.get_from_id(1)
    assert account is not None

    account.save()

    assert stored(accounts, 1)["version"] == 1


def test_new_document_whose_id_is_taken_is_stale(accounts: Documents[Account]) -> None:
    accounts.collection.create_index("name", unique=True)
    new(accounts, _id=1)

    with pytest.raises(StaleDocument, match="is new, but version 1 is stored") as caught:
        new(accounts, _id=1)

    assert (caught.value.expected, caught.value.found) == (None, 1)
    assert isinstance(caught.value.__cause__, DuplicateKeyError)


def test_other_unique_indexes_stay_duplicate_keys(accounts: Documents[Account]) -> None:
    accounts.collection.create_index("name", unique=True)
    new(accounts, _id=1)
    accounts.collection.insert_one({"_id": 3, "name": "Eva", "balance": 0})
    old = accounts.get_from_id(3)
    assert old is not None
    old["name"] = "Ada"

    for attempt in (
        lambda: new(accounts, _id=2),
        lambda: new(accounts),
        old.save,
    ):
        with pytest.raises(DuplicateKeyError):
            attempt()
    assert accounts.count() == 2


def test_invalid_document_keeps_its_version(accounts: Documents[Account]) -> None:
    account = new(accounts)
    account["balance"] = "much"

    with pytest.raises(SchemaDocumentError):
        account.save()

    assert account["version"] == 1
    account.save(validate=False)
    assert stored(accounts, account["_id"])["version"] == 2


def test_version_that_is_no_int_is_refused_without_validation_too(
    accounts: Documents[Account],
) -> None:
    account = new(accounts)
    account["version"] = "one"

    with pytest.raises(SchemaTypeError, match="version must be an instance of int"):
        account.save(validate=False)


def test_large_document_carries_its_version(accounts: Documents[Account]) -> None:
    account = new(accounts, name="x" * 5_000_000)

    account.save()

    assert stored(accounts, account["_id"])["version"] == 2
    stale = accounts({**account, "version": 1})
    with pytest.raises(StaleDocument):
        stale.save()


def test_unacknowledged_save_cannot_tell(accounts: Documents[Account]) -> None:
    account = new(accounts)
    stale = accounts(dict(account))
    account.save()

    stale.save(w=0)

    assert stale["version"] == 2
    assert accounts.collection.find_one({"_id": account["_id"]}) == dict(account)


def test_delete_asks_for_no_version(accounts: Documents[Account]) -> None:
    account = new(accounts)
    stale = accounts(dict(account))
    account.save()

    stale.delete()

    assert accounts.count() == 0


def test_save_in_a_transaction_carries_the_version(
    accounts: Documents[Account], db: Database
) -> None:
    account = new(accounts)
    stale = accounts({**account, "version": 5})

    with db.transaction() as session:
        account.save(session=session)
        with pytest.raises(StaleDocument) as caught:
            stale.save(session=session)

    assert caught.value.found == 2
    assert stored(accounts, account["_id"])["version"] == 2
    with pytest.raises(StaleDocument) as caught, db.transaction() as session:
        accounts({**account, "version": None}).save(session=session)
    assert caught.value.found == 2


# Changing a part.


def test_patch_carries_the_version_and_adds_one(accounts: Documents[Account]) -> None:
    account = new(accounts)
    stale = accounts(dict(account))

    account.patch(inc={"balance": 5})

    assert dict(account) == stored(accounts, account["_id"])
    assert (account["balance"], account["version"]) == (5, 2)
    before = dict(stale)
    with pytest.raises(StaleDocument) as caught:
        stale.patch(inc={"balance": 5})
    assert (caught.value.expected, caught.value.found) == (1, 2)
    assert dict(stale) == before
    assert stored(accounts, account["_id"])["balance"] == 5


def test_patch_of_what_is_gone_is_stale(accounts: Documents[Account]) -> None:
    account = new(accounts)
    account.delete()

    with pytest.raises(StaleDocument, match="is gone"):
        account.patch(name="Eva")


@pytest.mark.parametrize("old", [{}, {"version": None}, {"version": 0}])
def test_patch_gives_an_old_document_its_first_version(
    accounts: Documents[Account], old: dict[str, Any]
) -> None:
    accounts.collection.insert_one({"_id": 1, "name": "Ada", "balance": 0, **old})
    account = accounts.get_from_id(1)
    assert account is not None

    account.patch(name="Eva")
    account.patch(inc={"balance": 1})

    assert stored(accounts, 1) == {"_id": 1, "name": "Eva", "balance": 1, "version": 2}
    assert dict(account) == stored(accounts, 1)


def test_updates_of_the_manager_add_one(accounts: Documents[Account]) -> None:
    account, other = new(accounts), new(accounts)
    accounts.collection.insert_one({"_id": 1, "name": "Old", "balance": 0})

    accounts.update_one({"_id": account["_id"]}, {"$inc": {"balance": 1}})
    accounts.update_one({"_id": account["_id"]}, [{"$set": {"balance": 9}}])
    accounts.update_many({}, {"$set": {"name": "Eva"}})
    accounts.update_many({}, [{"$set": {"name": "Zoe"}}, {"$unset": "nothing"}])

    assert stored(accounts, account["_id"])["version"] == 5
    assert stored(accounts, other["_id"])["version"] == 3
    assert stored(accounts, 1)["version"] == 2
    with pytest.raises(StaleDocument):
        account.save()


def test_upsert_of_the_manager_starts_with_1(accounts: Documents[Account]) -> None:
    for _ in range(2):
        accounts.update_one(
            {"_id": 1}, {"$inc": {"balance": 1}, "$setOnInsert": {"name": "Ada"}}, upsert=True
        )

    assert stored(accounts, 1) == {"_id": 1, "name": "Ada", "balance": 2, "version": 2}


@pytest.mark.parametrize(
    "update",
    [
        {"$set": {"version": 5}},
        {"$inc": {"version": 1}},
        {"$setOnInsert": {"version": 1}},
        [{"$set": {"version": 5}}],
        [{"$unset": "version"}],
        [{"$unset": ["name", "version"]}],
        [{"$replaceWith": {"name": "x"}}],
        [{"$project": {"name": 1}}],
    ],
)
def test_update_may_not_touch_the_version(accounts: Documents[Account], update: Any) -> None:
    account = new(accounts)

    with pytest.raises(StructureError) as caught:
        accounts.update_one({}, update)

    assert (caught.value.path, caught.value.rule) == ("version", "version")
    assert stored(accounts, account["_id"]) == dict(account)


@pytest.mark.parametrize(
    "changes", [{"version": 5}, {"inc": {"version": 1}}, {"set": {"version": 3}}]
)
def test_patch_may_not_touch_the_version(
    accounts: Documents[Account], changes: dict[str, Any]
) -> None:
    with pytest.raises(StructureError, match="counts the versions of Account by itself"):
        new(accounts).patch(**changes)


class Loose(Document):
    structure = {"version": int}
    version_field = "version"
    use_schemaless = True


def test_rename_may_not_touch_the_version(db: Database) -> None:
    for update in ({"$rename": {"version": "v"}}, {"$rename": {"v": "version"}}):
        with pytest.raises((StructureError, SchemaTypeError)):
            db["loose"].documents(Loose).update_many({}, update)


# Many at once.


def test_insert_many_stores_version_1(accounts: Documents[Account]) -> None:
    content = {"name": "Ada", "balance": 0, "version": None}
    documents = [accounts({**content, "_id": 1, "version": 9}), accounts(content)]

    ids = accounts.insert_many([*documents, content, {"name": "Eva", "balance": 1}])

    assert [each["version"] for each in documents] == [1, 1]
    assert {each["version"] for each in accounts.collection.find()} == {1}
    assert len(ids) == 4
    assert content == {"name": "Ada", "balance": 0, "version": None}
    documents[0].save()


def test_insert_many_gives_no_version_to_what_is_refused(accounts: Documents[Account]) -> None:
    new(accounts, _id=2)
    documents = [
        accounts({"_id": n, "name": "Ada", "balance": 0, "version": None}) for n in (1, 2, 3)
    ]

    with pytest.raises(BulkWriteError):
        accounts.insert_many(documents)

    assert [each["version"] for each in documents] == [1, None, None]


def test_bulk_write_saves_carry_their_versions(accounts: Documents[Account]) -> None:
    first, second = new(accounts), new(accounts)
    fresh = accounts({"name": "Eva", "balance": 0, "version": None})
    given = accounts({"_id": 5, "name": "Zoe", "balance": 0, "version": None})
    first["balance"] = second["balance"] = 3

    result = accounts.bulk_write([first, second, fresh, given, first])

    assert (result.modified_count, result.inserted_count, result.upserted_count) == (2, 1, 1)
    for account in (first, second, fresh, given):
        assert dict(account) == stored(accounts, account["_id"])
    assert [each["version"] for each in (first, second, fresh, given)] == [2, 2, 1, 1]


@pytest.mark.parametrize("others", [0, 1])
def test_bulk_write_reports_each_lost_race(accounts: Documents[Account], others: int) -> None:
    documents = [new(accounts, balance=n) for n in range(5)]
    lost = [accounts(dict(each)) for each in documents]
    documents[1].save()
    documents[3].delete()
    for each in lost:
        each["balance"] = 100
    foreign = [UpdateOne({"_id": "nobody"}, {"$set": {"a": 1}})] * others

    with pytest.raises(StaleDocument) as caught:
        accounts.bulk_write([*lost, *foreign], ordered=False)

    errors = [caught.value, *caught.value.others]
    assert [(error.id, error.expected, error.found) for error in errors] == [
        (documents[1]["_id"], 1, 2),
        (documents[3]["_id"], 1, None),
    ]
    assert [each["version"] for each in lost] == [2, 1, 2, 1, 2]
    assert [each["balance"] for each in accounts.collection.find().sort("_id")] == [
        *(100, 1, 100, 100),
    ]


def test_ordered_bulk_write_stops_at_a_lost_race(accounts: Documents[Account]) -> None:
    documents = [new(accounts) for _ in range(3)]
    lost = [accounts({**each, "balance": 100}) for each in documents]
    fresh = accounts({"name": "Eva", "balance": 0, "version": None})
    documents[1].save()

    with pytest.raises(StaleDocument) as caught:
        accounts.bulk_write([fresh, *lost])

    assert caught.value.id == documents[1]["_id"]
    assert isinstance(caught.value.__cause__, BulkWriteError)
    assert [each["version"] for each in lost] == [2, 1, 1]
    assert dict(fresh) == stored(accounts, fresh["_id"])


def test_bulk_write_of_a_new_document_whose_id_is_taken(accounts: Documents[Account]) -> None:
    accounts.collection.create_index("name", unique=True)
    new(accounts, _id=1)
    taken = accounts({"_id": 1, "name": "Ada", "balance": 0, "version": None})
    other = accounts({"_id": 2, "name": "Ada", "balance": 0, "version": None})

    with pytest.raises(StaleDocument) as caught:
        accounts.bulk_write([taken], ordered=False)
    with pytest.raises(BulkWriteError):
        accounts.bulk_write([other, taken], ordered=False)

    assert (caught.value.expected, caught.value.found) == (None, 1)
    assert taken["version"] is None
    assert other["version"] is None


def test_bulk_write_passes_other_operations_on(accounts: Documents[Account]) -> None:
    account, old = new(accounts), new(accounts)
    account["balance"] = 3

    result = accounts.bulk_write(
        [
            InsertOne({"_id": 1}),
            UpdateMany({}, {"$set": {"name": "Zoe"}}),
            account,
            DeleteOne({"_id": old["_id"]}),
        ]
    )

    assert (result.inserted_count, result.deleted_count) == (1, 1)
    assert account["version"] == 2
    assert stored(accounts, account["_id"])["balance"] == 3


class Box(Document):
    structure = {"content": dict, "version": int}
    version_field = "version"


def test_bulk_write_stores_any_content_as_it_is(db: Database) -> None:
    boxes = db["boxes"].documents(Box)
    content = {"$literal": "$$ROOT", "a.b": 1, "ref": DBRef("x", 1), "large": "x" * 5_000_000}
    box = boxes({"_id": 1, "content": {}, "version": None})
    box.save()
    box["content"] = content

    boxes.bulk_write([box])

    read = boxes.get_from_id(1)
    assert read is not None
    assert read == box == {"_id": 1, "content": content, "version": 2}


def test_unacknowledged_bulk_write_cannot_tell(db: Database, accounts: Documents[Account]) -> None:
    account = new(accounts)
    unsafe = db["accounts"].with_options(write_concern=WriteConcern(w=0)).documents(Account)

    unsafe.bulk_write([account])

    assert account["version"] == 2


def test_bulk_write_in_a_transaction_reports_lost_races(
    accounts: Documents[Account], db: Database
) -> None:
    account = new(accounts)
    stale = accounts(dict(account))
    account.save()

    with pytest.raises(StaleDocument) as caught, db.transaction() as session:
        accounts.bulk_write([stale], session=session)

    assert caught.value.found == 2
    assert stored(accounts, account["_id"])["version"] == 2


# References.


class Order(Document):
    structure = {"account": Account, "note": str}
    use_autorefs = True
    validators = {"note": lambda value: value != "bad"}


@pytest.fixture
def orders(connection: Connection, db: Database) -> Documents[Order]:
    connection.register([Account, Order])
    return db["orders"].documents(Order)


def test_referenced_document_is_saved_with_its_version(
    orders: Documents[Order], accounts: Documents[Account]
) -> None:
    account = new(accounts)
    order = orders({"account": account, "note": "x"})
    account["balance"] = 5

    order.save()
    order.save()

    assert account["version"] == 2
    assert stored(accounts, account["_id"]) == dict(account)
    read = orders.find_one()
    assert read is not None
    read["account"]["balance"] = 6
    read.save()
    assert stored(accounts, account["_id"])["version"] == 3


def test_lost_race_of_a_referenced_document_stops_the_save(
    orders: Documents[Order], accounts: Documents[Account]
) -> None:
    new(accounts, _id=1)
    orders({"_id": 1, "account": accounts.get_from_id(1), "note": "x"}).save()
    order = orders.get_from_id(1)
    assert order is not None
    accounts.update_one({"_id": 1}, {"$inc": {"balance": 1}})
    order["account"]["balance"] = 100
    order["note"] = "changed"

    with pytest.raises(StaleDocument) as caught:
        order.save()

    assert caught.value.document_class is Account
    assert (caught.value.expected, caught.value.found) == (1, 2)
    assert order["account"]["version"] == 1
    assert stored(accounts, 1)["balance"] == 1
    assert stored(orders, 1)["note"] == "x"


def test_referenced_document_is_put_back_under_a_version_of_its_own(
    orders: Documents[Order], accounts: Documents[Account]
) -> None:
    orders.collection.create_index("note", unique=True)
    account = new(accounts)
    orders({"account": account, "note": "x"}).save()
    order = orders({"account": account, "note": "x"})
    account["balance"] = 100

    with pytest.raises(DuplicateKeyError):
        order.save()

    # Version 2 was there for a moment, with the balance of 100: it must not come again.
    assert stored(accounts, account["_id"]) == {**account, "balance": 0, "version": 3}
    order["note"] = "y"
    order.save()
    assert stored(accounts, account["_id"]) == {**account, "balance": 100, "version": 4}


def test_referenced_document_that_is_gone_stays_an_error_of_references(
    orders: Documents[Order], accounts: Documents[Account]
) -> None:
    account = new(accounts)
    order = orders({"account": account, "note": "x"})
    order.save()
    account.delete()
    account["balance"] = 100

    with pytest.raises(Exception, match="which is not stored"):
        order.save()


# Revisions.


class Page(VersionedDocument):
    structure = {"text": str, "version": int}
    version_field = "version"


@pytest.fixture
def pages(connection: Connection, db: Database) -> Documents[Page]:
    connection.register(Page)
    return db["pages"].documents(Page)


@pytest.mark.parametrize("fields", [{}, {"_id": "home"}])
def test_revisions_and_versions_go_together(pages: Documents[Page], fields: dict[str, Any]) -> None:
    page = pages({"text": "1", "version": None, **fields})
    page.save()
    stale: Any = pages.get_from_id(page["_id"])
    page["text"] = "2"
    page.save()
    stale["text"] = "lost"
    before = dict(stale)

    with pytest.raises(StaleDocument):
        stale.save()

    assert dict(stale) == before
    assert (page["version"], page["_revision"]) == (2, 2)
    assert stored(pages, page["_id"]) == dict(page)
    assert [old["text"] for old in page.get_revisions()] == ["1", "2"]
    assert [old["version"] for old in page.get_revisions()] == [1, 2]


def test_versioned_page_that_is_gone_or_taken_is_stale(pages: Documents[Page]) -> None:
    page = pages({"_id": 1, "text": "1", "version": None})
    page.save()

    with pytest.raises(StaleDocument, match="is new"):
        pages({"_id": 1, "text": "2", "version": None}).save()
    page.delete()
    with pytest.raises(StaleDocument, match="is gone"):
        page.save()
    assert pages.count() == 0


def test_page_without_version_or_revision_gets_both(pages: Documents[Page]) -> None:
    pages.collection.insert_one({"_id": 1, "text": "old"})
    page = pages.get_from_id(1)
    assert page is not None

    page.save()
    page.save(versioning=False)

    assert stored(pages, 1) == {"_id": 1, "text": "old", "version": 2, "_revision": 1}


def test_patched_page_keeps_a_revision(pages: Documents[Page]) -> None:
    page = pages({"_id": 1, "text": "1", "version": None})
    page.save()
    stale = pages.get_from_id(1)
    assert stale is not None

    page.patch(text="2")

    assert (page["version"], page["_revision"]) == (2, 2)
    assert stored(pages, 1) == dict(page)
    assert [old["text"] for old in page.get_revisions()] == ["1", "2"]
    with pytest.raises(StaleDocument):
        stale.patch(text="3")
    assert page.get_last_revision_id() == 2


# Threads.


def test_no_update_of_32_threads_is_lost(accounts: Documents[Account]) -> None:
    identity = new(accounts)["_id"]
    start = threading.Barrier(32)
    times = 3

    def add(_: int) -> int:
        start.wait()
        lost = done = 0
        while done < times:
            account = accounts.get_from_id(identity)
            assert account is not None
            account["balance"] += 1
            try:
                account.save()
            except StaleDocument:
                lost += 1
            else:
                done += 1
        return lost

    with ThreadPoolExecutor(32) as pool:
        lost = sum(pool.map(add, range(32)))

    final = stored(accounts, identity)
    assert lost
    assert final["balance"] == 32 * times
    assert final["version"] == 1 + 32 * times


def test_no_update_of_threads_that_write_in_bulk_is_lost(accounts: Documents[Account]) -> None:
    ids = [new(accounts)["_id"] for _ in range(3)]
    start = threading.Barrier(8)

    def add(_: int) -> None:
        start.wait()
        waiting = dict.fromkeys(ids, 2)
        while any(waiting.values()):
            documents = [accounts.get_from_id(each) for each, left in waiting.items() if left]
            for document in documents:
                assert document is not None
                document["balance"] += 1
            lost: set[ObjectId] = set()
            try:
                accounts.bulk_write(documents, ordered=False)
            except StaleDocument as error:
                lost = {error.id, *(other.id for other in error.others)}
            for document in documents:
                assert document is not None
                waiting[document["_id"]] -= document["_id"] not in lost

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))

    assert [each["balance"] for each in accounts.collection.find()] == [16, 16, 16]


def test_one_of_many_first_saves_wins(accounts: Documents[Account]) -> None:
    start = threading.Barrier(16)

    def save(number: int) -> tuple[int | None, int | None] | None:
        account = accounts({"_id": 1, "name": str(number), "balance": 0, "version": None})
        start.wait()
        try:
            account.save()
        except StaleDocument as error:
            return error.expected, error.found
        return None

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(save, range(16)))

    assert sorted(results, key=str) == [(None, 1)] * 15 + [None]
