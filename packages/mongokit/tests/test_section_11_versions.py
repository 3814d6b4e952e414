"""Section 11: documents of which every save is kept."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from mongokit import (
    AutoReferenceError,
    Collection,
    Connection,
    Database,
    Document,
    MaxDocumentSizeError,
    SchemaTypeError,
    Set,
)
from mongokit import ConnectionError as NoConnectionError
from mongokit.versioned_document import RevisionDocument, VersionedDocument


class Page(VersionedDocument):
    structure = {"text": str}


@pytest.fixture
def pages(connection: Connection, db: Database) -> Collection:
    """A collection of pages."""
    connection.register(Page)
    return db["pages"]


@pytest.fixture
def kept(db: Database) -> Collection:
    """Where the revisions of pages are kept."""
    return db["versioned_pages"]


def saved(pages: Collection, *texts: str, identity: Any = "home") -> Any:
    """A page that was saved with each of the texts."""
    page = pages.Page()
    page["_id"] = identity
    for text in texts:
        page["text"] = text
        page.save()
    return page


def test_a_save_adds_the_first_revision_and_keeps_a_copy(
    pages: Collection, kept: Collection
) -> None:
    page = saved(pages, "a")

    assert page == {"_id": "home", "_revision": 1, "text": "a"}
    assert pages.find_one() == page
    revision = kept.find()[0]
    assert revision == {
        "_id": revision["_id"],
        "id": "home",
        "revision": 1,
        "doc": {"_id": "home", "_revision": 1, "text": "a"},
    }


def test_every_save_takes_the_next_number(pages: Collection, kept: Collection) -> None:
    page = saved(pages, "a", "b", "b", "c")

    assert page["_revision"] == 4
    assert pages.find_one() == page
    assert [(r["revision"], r["doc"]["text"]) for r in kept.find().sort("revision", 1)] == [
        (1, "a"),
        (2, "b"),
        (3, "b"),
        (4, "c"),
    ]


def test_id_and_revision_have_a_unique_index(pages: Collection, kept: Collection) -> None:
    saved(pages, "a")

    found = [i for i in kept.index_information().values() if len(i["key"]) == 2]

    assert found[0]["key"] == [("id", 1), ("revision", 1)]
    assert found[0]["unique"] is True
    with pytest.raises(DuplicateKeyError):
        kept.insert_one({"id": "home", "revision": 1, "doc": {}})


def test_a_save_without_versioning_keeps_nothing(pages: Collection, kept: Collection) -> None:
    page = pages.Page({"_id": "home", "text": "a"})
    page.save(versioning=False)

    assert page == {"_id": "home", "text": "a"}
    assert pages.find_one() == page
    assert kept.count_documents({}) == 0

    page.save(False)
    assert kept.count_documents({}) == 0
    page.save()
    assert page["_revision"] == 1


def test_versioning_and_uuid_may_be_given_by_position(pages: Collection, kept: Collection) -> None:
    page = pages.Page({"text": "a"})
    page.save(True, True)

    assert page["_id"].startswith("Page-")
    assert kept.find()[0]["id"] == page["_id"]


def test_a_document_without_id_gets_one(pages: Collection, kept: Collection) -> None:
    page = pages.Page({"text": "a"})
    page.save()

    assert type(page["_id"]) is ObjectId
    assert kept.find()[0]["id"] == page["_id"]
    assert pages.count_documents({}) == 1


@pytest.mark.parametrize("identity", ["x", 5, ObjectId(), {"a": 1}, True, 2.5])
def test_ids_may_be_of_any_type(pages: Collection, kept: Collection, identity: Any) -> None:
    page = saved(pages, "a", "b", identity=identity)

    again = pages.Page.find_one()
    again["text"] = "c"
    again.save()

    assert again["_revision"] == 3
    assert [revision["id"] for revision in kept.find()] == [identity] * 3
    assert page.get_revision(1)["text"] == "a"


def test_versioning_collection_is_on_the_manager_and_the_document(
    pages: Collection, kept: Collection
) -> None:
    page = saved(pages, "a")

    assert pages.Page.versioning_collection == kept
    assert page.versioning_collection == kept
    assert type(pages.Page.versioning_collection) is Collection
    with pytest.raises(NoConnectionError):
        Page().versioning_collection  # noqa: B018


def test_revisions_are_documents_of_revision_document(pages: Collection, kept: Collection) -> None:
    saved(pages, "a")

    revision = kept.RevisionDocument.find_one()

    assert type(revision) is RevisionDocument
    revision.validate()


def test_get_revision_gives_the_document_as_it_was(pages: Collection) -> None:
    page = saved(pages, "a", "b")

    first = page.get_revision(1)

    assert type(first) is Page
    assert first == {"_id": "home", "_revision": 1, "text": "a"}
    assert first.collection == pages
    assert page.get_revision(3) is None
    assert page["text"] == "b"


def test_get_revisions_yields_them_in_order(pages: Collection) -> None:
    page = saved(pages, *"abcdefghijkl")

    revisions = list(page.get_revisions())

    assert "".join(revision["text"] for revision in revisions) == "abcdefghijkl"
    assert [revision["_revision"] for revision in revisions] == list(range(1, 13))
    assert {type(revision) for revision in revisions} == {Page}


def test_get_last_revision_id_gives_the_number_of_the_last(pages: Collection) -> None:
    page = saved(pages, "a", "b")

    assert page.get_last_revision_id() == 2
    assert pages.Page({"_id": "other"}).get_last_revision_id() is None


def test_an_old_revision_can_be_saved_again(pages: Collection) -> None:
    page = saved(pages, "a", "b")
    page.get_revision(1).save()

    page.reload()

    assert page == {"_id": "home", "_revision": 3, "text": "a"}


def test_revisions_of_one_document_are_not_those_of_another(pages: Collection) -> None:
    five, text = saved(pages, "int", identity=5), saved(pages, "text", "more", identity="5")

    assert five.get_last_revision_id() == 1
    assert [page["text"] for page in five.get_revisions()] == ["int"]
    assert [page["text"] for page in text.get_revisions()] == ["text", "more"]


def test_delete_keeps_the_revisions(pages: Collection, kept: Collection) -> None:
    page = saved(pages, "a", "b")

    page.delete()

    assert pages.count_documents({}) == 0
    assert kept.count_documents({}) == 2


def test_delete_with_versioning_removes_the_revisions_of_this_document(
    pages: Collection, kept: Collection
) -> None:
    page = saved(pages, "a", "b")
    saved(pages, "x", identity="other")

    page.delete(versioning=True)

    assert [page["_id"] for page in pages.find()] == ["other"]
    assert [revision["id"] for revision in kept.find()] == ["other"]


def test_a_deleted_document_that_is_saved_again_goes_on_counting(pages: Collection) -> None:
    page = saved(pages, "a", "b")
    page.delete()

    page.save()
    fresh = pages.Page({"_id": "home", "text": "c"})
    fresh.save()

    assert page["_revision"] == 3
    assert fresh["_revision"] == 4
    assert page.get_last_revision_id() == 4


def test_remove_takes_a_query_and_leaves_the_revisions(pages: Collection, kept: Collection) -> None:
    saved(pages, "a")
    saved(pages, "b", identity="other")

    result = pages.Page.remove({"text": "a"})

    assert result["n"] == 1
    assert [page["_id"] for page in pages.find()] == ["other"]
    assert kept.count_documents({}) == 2


def test_remove_with_versioning_removes_their_revisions_too(
    pages: Collection, kept: Collection
) -> None:
    page = saved(pages, "a", "b")
    saved(pages, "b", identity="more")
    saved(pages, "c", identity="other")

    page.remove({"text": "b"}, versioning=True)

    assert [revision["id"] for revision in kept.find()] == ["other"]
    assert pages.count_documents({}) == 1


def test_a_save_is_validated(pages: Collection, kept: Collection) -> None:
    page = pages.Page({"_id": "home", "text": 1})

    with pytest.raises(SchemaTypeError):
        page.save()
    assert page == {"_id": "home", "text": 1}
    assert pages.count_documents({}) == kept.count_documents({}) == 0

    page.save(validate=False)
    assert page["_revision"] == 1


def test_a_refused_save_keeps_no_revision_and_no_number(
    pages: Collection, kept: Collection
) -> None:
    pages.create_index("text", unique=True)
    page = saved(pages, "a")
    other = pages.Page({"text": "a"})

    with pytest.raises(DuplicateKeyError):
        other.save()
    with pytest.raises(DuplicateKeyError):
        saved(pages, "a", identity="third")
    other["text"] = "b"
    other.save()
    other["text"] = "a"
    with pytest.raises(DuplicateKeyError):
        other.save()

    assert other["_revision"] == 1
    assert kept.count_documents({}) == 2
    assert pages.find({"_id": other["_id"]})[0]["text"] == "b"
    assert page.get_last_revision_id() == 1


def test_a_document_whose_revision_is_too_large_is_refused_before_anything_is_stored(
    pages: Collection, kept: Collection
) -> None:
    page = pages.Page({"_id": 1, "text": ""})
    page["text"] = "x" * (16 * 1024 * 1024 - page.get_size() - 20)

    with pytest.raises(MaxDocumentSizeError, match="revision"):
        page.save()

    assert "_revision" not in page
    assert pages.count_documents({}) == kept.count_documents({}) == 0


def test_a_document_that_was_stored_without_versions_starts_with_one(
    pages: Collection, kept: Collection
) -> None:
    pages.insert_one({"_id": "home", "text": "old"})
    page = pages.Page.find_one()

    page.save()

    assert page["_revision"] == 1
    assert pages.count_documents({}) == kept.count_documents({}) == 1


def test_a_stale_document_that_is_saved_takes_the_next_free_number(pages: Collection) -> None:
    page = saved(pages, "a")
    stale = pages.Page.find_one()
    page["text"] = "b"
    page.save()
    stale["text"] = "c"

    stale.save()

    assert stale["_revision"] == 3
    assert pages.find()[0]["text"] == "c"
    assert [p["text"] for p in page.get_revisions()] == ["a", "b", "c"]


def test_a_number_that_was_set_back_is_not_taken_twice(pages: Collection) -> None:
    page = saved(pages, "a", "b", "c")
    old = page.get_revision(1)
    old.save(versioning=False)
    old["text"] = "d"

    old.save()

    assert old["_revision"] == 4
    assert pages.find_one() == {"_id": "home", "_revision": 4, "text": "d"}
    assert [p["text"] for p in page.get_revisions()] == ["a", "b", "c", "d"]


def test_custom_types_are_kept_in_their_stored_form(db: Database, connection: Connection) -> None:
    @connection.register
    class Tagged(VersionedDocument):
        structure = {"tags": Set(str)}
        use_dot_notation = True

    tagged = db.tagged.Tagged({"_id": 1, "tags": {"b", "a"}})
    tagged.save()

    assert db.versioned_tagged.find_one()["doc"]["tags"] == ["a", "b"]
    assert tagged.get_revision(1).tags == {"a", "b"}
    assert tagged.tags == {"a", "b"}


def test_a_versioned_document_saves_what_it_references(
    db: Database, connection: Connection
) -> None:
    class Author(VersionedDocument):
        structure = {"name": str}

    class Article(VersionedDocument):
        structure = {"author": Author}
        use_autorefs = True

    connection.register([Author, Article])
    author = db.authors.Author({"_id": 1, "name": "a"})
    author.save()
    article = db.articles.Article({"_id": 1, "author": author})
    article.save()
    author["name"] = "b"

    article.save()
    article.save()

    assert article["_revision"] == 3
    assert [a["name"] for a in author.get_revisions()] == ["a", "b"]
    assert article.get_revision(1)["author"]["name"] == "b"
    db.authors.delete_many({})
    with pytest.raises(AutoReferenceError):
        article.get_revision(1)


def test_an_override_of_save_reaches_versioning_through_super(
    db: Database, connection: Connection
) -> None:
    @connection.register
    class Stamped(VersionedDocument):
        structure = {"n": int}

        def save(self, *args: Any, **kwargs: Any) -> None:
            self["n"] += 1
            super().save(*args, **kwargs)

    stamped = db.stamped.Stamped({"_id": 1, "n": 0})
    stamped.save()
    stamped.save(versioning=False)

    assert stamped == {"_id": 1, "n": 2, "_revision": 1}


def test_a_session_and_its_transaction_hold_the_revision_too(
    pages: Collection, kept: Collection, connection: Connection
) -> None:
    saved(pages, "a")
    page = pages.Page.find_one()
    with connection.start_session() as session, session.start_transaction():
        page["text"] = "b"
        page.save(session=session)
        assert page.get_last_revision_id(session=session) == 2
        session.abort_transaction()

    assert pages.find()[0]["text"] == "a"
    assert kept.count_documents({}) == 1


def test_revisions_with_text_ids_of_classic_mongokit_are_read_and_go_on(
    pages: Collection, kept: Collection
) -> None:
    identity = ObjectId("4f2f1f5e9a1b2c0d3e000001")
    for number, text in ((1, "first"), (2, "second")):
        kept.insert_one(
            {
                "id": str(identity),
                "revision": number,
                "doc": {"_id": identity, "_revision": number, "text": text},
            }
        )
    pages.insert_one({"_id": identity, "_revision": 2, "text": "second"})

    page = pages.Page.find_one()
    assert page.get_last_revision_id() == 2
    assert page.get_revision(1)["text"] == "first"
    page["text"] = "third"
    page.save()

    assert page["_revision"] == 3
    assert [p["text"] for p in page.get_revisions()] == ["first", "second", "third"]
    assert [r["id"] for r in kept.find().sort("revision", 1)] == [str(identity)] * 2 + [identity]
    page.delete(versioning=True)
    assert kept.count_documents({}) == 0


def test_32_writers_with_20_saves_each_make_640_revisions_none_lost_or_doubled(
    mongodb_uri: str, database_name: str
) -> None:
    writers, saves = 32, 20
    start = threading.Barrier(writers)
    failures: list[BaseException] = []
    numbers: list[int] = []

    with Connection(mongodb_uri) as connection:
        pages = connection[database_name].pages

        def write(writer: int) -> None:
            try:
                page = pages.documents(Page)({"_id": "home", "text": ""})
                start.wait(timeout=60)
                for number in range(saves):
                    page["text"] = f"{writer}/{number}"
                    page.save()
                    numbers.append(page["_revision"])
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not failures
        kept = list(connection[database_name].versioned_pages.find().sort("revision", 1))
        stored = pages.find_one()

    assert sorted(numbers) == list(range(1, 641))
    assert [revision["revision"] for revision in kept] == list(range(1, 641))
    texts = {revision["doc"]["text"] for revision in kept}
    assert texts == {f"{writer}/{number}" for writer in range(writers) for number in range(saves)}
    assert stored == kept[-1]["doc"]


def test_a_versioned_class_is_a_document(pages: Collection) -> None:
    assert issubclass(VersionedDocument, Document)
    assert isinstance(pages.Page, VersionedDocument)


@pytest.mark.parametrize("call", ["delete", "get_last_revision_id", "get_revisions", "reload"])
def test_a_document_that_was_never_saved_says_so(call: str, pages: Collection) -> None:
    with pytest.raises(KeyError, match="_id: this Page was never saved"):
        list(getattr(pages.Page({"text": "x"}), call)())
