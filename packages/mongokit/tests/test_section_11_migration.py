"""Section 11: migrations: one document when it is read, a collection on demand."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from bson import DBRef

from mongokit import (
    Collection,
    Connection,
    Database,
    Document,
    DocumentMigration,
    OptionConflictError,
    SchemaTypeError,
    StructureError,
    UpdateQueryError,
    migration,
)


class PostMigration(DocumentMigration):
    """From `{'created_at', 'old'}` to `{'creation_date', 'tags', 'blog': {'title'}}`."""

    def migration01__add_tags(self) -> None:
        self.target = {"tags": {"$exists": False}}
        self.update = {"$set": {"tags": []}}

    def migration02__rename_created_at(self) -> None:
        self.target = {"created_at": {"$exists": True}}
        self.update = {
            "$set": {"creation_date": self.doc["created_at"]},
            "$unset": {"created_at": 1},
        }

    def allmigration01__add_tags(self) -> None:
        self.target = {"tags": {"$exists": False}}
        self.update = {"$set": {"tags": []}}

    def allmigration02__remove_old(self) -> None:
        self.target = {"old": {"$exists": True}}
        self.update = {"$unset": {"old": 1}}

    def allmigration03__rename(self) -> None:
        self.target = {"created_at": {"$exists": True}}
        self.update = {"$rename": {"created_at": "creation_date"}}


class Post(Document):
    structure = {"creation_date": int, "tags": [str], "blog": {"title": str}}
    migration_handler = PostMigration


@pytest.fixture
def posts(connection: Connection, db: Database) -> Collection:
    """A collection of posts."""
    connection.register([Post])
    return db["posts"]


def stored(collection: Collection, identity: Any = 1) -> Any:
    """What the database holds."""
    return collection.find_one({"_id": identity})


def old(identity: Any, **more: Any) -> dict[str, Any]:
    """A post as an earlier program stored it."""
    return {"_id": identity, "created_at": 2012, "blog": {"title": "Hello"}, **more}


NEW = {"creation_date": 2012, "tags": [], "blog": {"title": "Hello"}}


# Lazy: a document that was read.


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "read",
    [
        lambda posts: posts.Post.find_one(),
        lambda posts: posts.Post.get_from_id(1),
        lambda posts: posts.Post.one(),
        lambda posts: next(posts.Post.find()),
        lambda posts: list(posts.Post.find())[0],  # noqa: RUF015
        lambda posts: posts.Post.find().to_list()[0],
        lambda posts: posts.Post.find()[0],
        lambda posts: posts.Post.find_random(),
        lambda posts: posts.Post.find_and_modify({}, {"$set": {"blog.title": "Hello"}}),
    ],
)
def test_a_fetched_document_that_does_not_validate_is_migrated_on_the_spot(
    posts: Collection, read: Any
) -> None:
    posts.insert_one(old(1))

    post = read(posts)

    assert type(post) is Post
    assert post == {"_id": 1, **NEW}
    assert posts.find_one() == {"_id": 1, **NEW}


def test_the_target_is_narrowed_to_the_document(posts: Collection) -> None:
    posts.insert_many([old(1), old(2)])

    posts.Post.get_from_id(1)

    assert posts.find_one({"_id": 2}) == old(2)


def test_a_document_that_validates_is_not_written(posts: Collection) -> None:
    posts.insert_one({"_id": 1, **NEW, "tags": ["a"]})

    assert posts.Post.find_one()["tags"] == ["a"]
    assert posts.find_one() == {"_id": 1, **NEW, "tags": ["a"]}


def test_methods_run_in_the_order_of_their_names(posts: Collection, connection: Connection) -> None:
    ran: list[str] = []

    class Ordered(DocumentMigration):
        def migration10__last(self) -> None:
            ran.append("10")

        def migration02__second(self) -> None:
            ran.append("02")

        def migration01__first(self) -> None:
            ran.append("01")

    @connection.register
    class Changed(Document):
        structure = {"x": int}
        migration_handler = Ordered

    posts.insert_one({"_id": 1})

    assert posts.Changed.find_one() == {"_id": 1}
    assert ran == ["01", "02", "10"]


def test_a_later_method_sees_what_an_earlier_one_changed(
    posts: Collection, connection: Connection
) -> None:
    class Steps(DocumentMigration):
        def migration01__make(self) -> None:
            self.target = {"a": {"$exists": False}}
            self.update = {"$set": {"a": 1}}

        def migration02__use(self) -> None:
            self.target = {"b": {"$exists": False}}
            self.update = {"$set": {"b": self.doc["a"] + 1}}

    @connection.register
    class Changed(Document):
        structure = {"a": int, "b": int}
        migration_handler = Steps

    posts.insert_one({"_id": 1})

    assert posts.Changed.find_one() == {"_id": 1, "a": 1, "b": 2}


def test_a_document_that_no_migration_repairs_is_read_all_the_same(posts: Collection) -> None:
    posts.insert_one({"_id": 1, **NEW, "unknown": 1})

    post = posts.Post.find_one()

    assert post["unknown"] == 1
    with pytest.raises(StructureError):
        post.validate()


def test_a_document_read_with_a_projection_is_not_migrated(posts: Collection) -> None:
    posts.insert_one(old(1))

    assert posts.Post.find_one({}, {"blog": 1}) == {"_id": 1, "blog": {"title": "Hello"}}
    assert list(posts.Post.find({}, {"blog": 1})) == [{"_id": 1, "blog": {"title": "Hello"}}]
    assert posts.find_one() == old(1)


def test_skip_validation_with_a_handler_still_migrates_and_still_validates(
    posts: Collection, connection: Connection
) -> None:
    @connection.register
    class Skipping(Post):
        skip_validation = True

    posts.insert_one(old(1))

    post = posts.Skipping.find_one()
    assert post == {"_id": 1, **NEW}

    post["creation_date"] = "no int"
    with pytest.raises(SchemaTypeError):
        post.save()
    with pytest.raises(SchemaTypeError):
        post.save(validate=False)


def test_an_override_of_validate_that_raises_does_not_spoil_the_migration(
    posts: Collection, connection: Connection
) -> None:
    @connection.register
    class Strict(Post):
        def validate(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("never")

    posts.insert_many([old(1), old(2)])

    assert posts.Strict.find_one({"_id": 1}) == {"_id": 1, **NEW}
    assert [post["_id"] for post in posts.Strict.find().sort("_id", 1)] == [1, 2]


def test_raise_validation_errors_off_still_migrates(
    posts: Collection, connection: Connection
) -> None:
    @connection.register
    class Quiet(Post):
        raise_validation_errors = False

    posts.insert_one(old(1))

    assert posts.Quiet.find_one() == {"_id": 1, **NEW}


def test_a_handler_with_use_schemaless_is_an_option_conflict_error() -> None:
    with pytest.raises(
        OptionConflictError,
        match="You cannot set a migration_handler with use_schemaless set to True",
    ):

        class Both(Post):
            use_schemaless = True


def test_a_subclass_inherits_the_handler_and_may_have_its_own(
    posts: Collection, connection: Connection
) -> None:
    class More(PostMigration):
        def migration03__add_stars(self) -> None:
            self.target = {"stars": {"$exists": False}}
            self.update = {"$set": {"stars": 0}}

    @connection.register
    class Starred(Post):
        structure = {"stars": int}
        migration_handler = More

    posts.insert_one(old(1))

    assert posts.Starred.find_one() == {"_id": 1, **NEW, "stars": 0}


def test_a_lazy_update_of_an_undeclared_field_is_an_update_query_error(
    posts: Collection, connection: Connection
) -> None:
    class Wrong(DocumentMigration):
        def migration01__wrong(self) -> None:
            self.target = {"bar": {"$exists": False}}
            self.update = {"$set": {"foo.bar": 1}}

    @connection.register
    class Changed(Document):
        structure = {"foo": {"x": int}}
        migration_handler = Wrong

    posts.insert_one({"_id": 1})

    with pytest.raises(UpdateQueryError, match=r"can't find foo\.bar in structure"):
        posts.Changed.find_one()
    assert posts.find_one() == {"_id": 1}


def test_a_mistake_in_a_needed_lazy_migration_is_not_hidden(
    posts: Collection, connection: Connection
) -> None:
    class Broken(DocumentMigration):
        def migration01__broken(self) -> None:
            self.target = {"old": {"$exists": True}}
            self.update = {"$set": {"x": self.doc["mistake"]}}

    @connection.register
    class Changed(Document):
        structure = {"x": int}
        migration_handler = Broken

    posts.insert_many([{"_id": 1}, {"_id": 2, "old": 1}])

    assert posts.Changed.find_one({"_id": 1}) == {"_id": 1}
    with pytest.raises(KeyError, match="mistake"):
        posts.Changed.find_one({"_id": 2})


def test_doc_migrate_runs_the_lazy_migrations_and_reads_again(
    posts: Collection, connection: Connection
) -> None:
    posts.insert_one(old(1))
    post = posts.Post(posts.find_one())

    assert post.migrate() is True

    assert post == {"_id": 1, **NEW}
    assert posts.find_one() == {"_id": 1, **NEW}
    assert post.migrate() is False


def test_doc_migrate_without_a_handler_is_a_type_error(
    db: Database, connection: Connection
) -> None:
    @connection.register
    class Plain(Document):
        structure = {"x": int}

    with pytest.raises(TypeError, match="migration_handler"):
        db.things.Plain({"_id": 1}).migrate()


def test_validate_migrates_a_stored_document_and_a_save_does_not(posts: Collection) -> None:
    posts.insert_one(old(1))
    post = posts.Post(posts.find_one())
    with pytest.raises(StructureError):
        post.save()
    assert posts.find_one() == old(1)
    with pytest.raises(StructureError):
        post.validate(auto_migrate=False)

    post.validate()

    assert post == {"_id": 1, **NEW}


def test_a_new_document_that_does_not_validate_raises_and_loses_nothing(posts: Collection) -> None:
    post = posts.Post({"_id": 1, "unknown": 1})
    with pytest.raises(StructureError):
        post.validate()
    assert post == {"_id": 1, "unknown": 1}


def test_a_migrated_document_can_be_changed_and_saved(posts: Collection) -> None:
    posts.insert_one(old(1))
    post = posts.Post.find_one()
    post["tags"].append("new")

    post.save()

    assert stored(posts)["tags"] == ["new"]


def test_a_referenced_document_is_migrated_when_it_is_fetched(
    db: Database, posts: Collection, connection: Connection
) -> None:
    @connection.register
    class Comment(Document):
        structure = {"post": Post}
        use_autorefs = True

    posts.insert_one(old(1))
    db.comments.insert_one({"_id": 1, "post": DBRef("posts", 1, db.name)})

    assert db.comments.Comment.find_one()["post"] == {"_id": 1, **NEW}
    assert posts.find_one() == {"_id": 1, **NEW}


def test_dot_notation_holds_after_a_migration(posts: Collection, connection: Connection) -> None:
    @connection.register
    class Dotted(Post):
        use_dot_notation = True

    posts.insert_one(old(1))

    assert posts.Dotted.find_one().blog.title == "Hello"


def test_a_document_is_migrated_in_its_session(posts: Collection, connection: Connection) -> None:
    posts.insert_many([old(1), old(2)])
    with connection.start_session() as session, session.start_transaction():
        assert posts.Post.find_one({"_id": 1}, session=session) == {"_id": 1, **NEW}
        assert len(list(posts.Post.find({"_id": 2}, session=session))) == 1
        session.abort_transaction()

    assert posts.find_one({"_id": 1}) == old(1)


# Bulk.


def test_migrate_all_runs_the_bulk_migrations(posts: Collection) -> None:
    posts.insert_many([old(1, old=True), old(2), {"_id": 3, **NEW, "tags": ["kept"]}])

    done = PostMigration(Post).migrate_all(posts)

    assert list(posts.find().sort("_id", 1)) == [
        {"_id": 1, **NEW},
        {"_id": 2, **NEW},
        {"_id": 3, **NEW, "tags": ["kept"]},
    ]
    assert done == {
        "allmigration01__add_tags": 2,
        "allmigration02__remove_old": 1,
        "allmigration03__rename": 2,
    }


def test_migrate_all_takes_collection_by_name_and_safe(posts: Collection) -> None:
    posts.insert_one(old(1))

    PostMigration(Post).migrate_all(collection=posts, safe=True)

    assert posts.find_one() == {"_id": 1, **NEW}


def test_migrate_all_leaves_the_lazy_migrations_out(posts: Collection) -> None:
    class Lazy(DocumentMigration):
        def migration01__never(self) -> None:
            self.target = {}
            self.update = {"$set": {"tags": []}}

    posts.insert_one(old(1))

    assert Lazy(Post).migrate_all(posts) == {}
    assert posts.find_one() == old(1)


def test_migrate_all_can_be_run_again(posts: Collection) -> None:
    posts.insert_many([old(1), old(2)])
    handler = PostMigration(Post)
    handler.migrate_all(posts)

    assert set(handler.migrate_all(posts).values()) == {0}


def test_migrate_all_changes_more_documents_than_one_batch_holds(
    posts: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_BATCH", 10)
    posts.insert_many(old(n) for n in range(25))

    done = PostMigration(Post).migrate_all(posts)

    assert done["allmigration03__rename"] == 25
    assert posts.count_documents({"creation_date": 2012, "tags": []}) == 25


def test_a_target_on_the_id_is_kept(posts: Collection) -> None:
    class Some(DocumentMigration):
        def allmigration01__some(self) -> None:
            self.target = {"_id": {"$gte": 2}}
            self.update = {"$set": {"tags": ["x"]}}

    posts.insert_many([old(1), old(2), old(3)])

    assert Some(Post).migrate_all(posts) == {"allmigration01__some": 2}
    assert "tags" not in stored(posts, 1)


def test_a_dry_run_counts_and_changes_nothing(posts: Collection) -> None:
    posts.insert_many([old(1, old=True), old(2)])

    counted = PostMigration(Post).migrate_all(posts, dry_run=True)

    assert counted == {
        "allmigration01__add_tags": 2,
        "allmigration02__remove_old": 1,
        "allmigration03__rename": 2,
    }
    assert list(posts.find().sort("_id", 1)) == [old(1, old=True), old(2)]


def test_progress_is_told_from_nothing_to_all(
    posts: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_BATCH", 10)
    posts.insert_many(old(n) for n in range(15))
    told: list[tuple[str, int, int]] = []

    PostMigration(Post).migrate_all(posts, progress=lambda *step: told.append(step))

    assert told[:3] == [
        ("allmigration01__add_tags", 0, 15),
        ("allmigration01__add_tags", 10, 15),
        ("allmigration01__add_tags", 15, 15),
    ]
    assert ("allmigration02__remove_old", 0, 0) in told


@pytest.mark.parametrize(
    "update",
    [
        {"$set": {"unknown": 1}},
        {"$set": {"tags": [], "blog.unknown": 1}},
        {"$push": {"unknown": 1}},
        {"$inc": {"creation_date.x": 1}},
        {"$addToSet": {"blog.tags": 1}},
        [{"$set": {"unknown": 1}}],
    ],
)
def test_a_field_that_the_structure_lacks_is_an_update_query_error(
    posts: Collection, update: Any
) -> None:
    class Wrong(DocumentMigration):
        def allmigration01__wrong(self) -> None:
            self.target = {"tags": {"$exists": False}}
            self.update = update

    posts.insert_one(old(1))

    with pytest.raises(UpdateQueryError, match="allmigration01__wrong"):
        Wrong(Post).migrate_all(posts)
    assert posts.find_one() == old(1)


@pytest.mark.parametrize(
    "update",
    [
        {"$unset": {"unknown": 1}},
        {"$rename": {"created_at": "creation_date"}},
        {"$set": {"blog.title": "x"}},
        {"$set": {"tags.0": "x"}},
        {"$set": {"tags.$[]": "x"}},
        {"$set": {"by_name.anything.n": 1}},
        {"$set": {"open.anything": 1}},
        {"$set": {"list.0.n": 1}},
        {"$set": {"pair.1": 1}},
        {"$set": {"embedded.title": "x"}},
        {"$set": {"_id": 1}},
        [{"$set": {"creation_date": "$created_at"}}, {"$unset": "created_at"}],
    ],
)
def test_declared_fields_and_unset_and_rename_pass(posts: Collection, update: Any) -> None:
    class Inner(Document):
        structure = {"title": str}

    class Wide(Document):
        structure = {
            **Post.structure,
            "by_name": {str: {"n": int}},
            "open": dict,
            "list": [{"n": int}],
            "pair": (int, int),
            "embedded": Inner,
        }

    class Right(DocumentMigration):
        def allmigration01__right(self) -> None:
            self.target = {"never": True}
            self.update = update

    assert Right(Wide).migrate_all(posts) == {"allmigration01__right": 0}


def test_a_bulk_migration_may_write_by_itself(posts: Collection) -> None:
    class ByItself(DocumentMigration):
        def allmigration01__each(self) -> None:
            self.target = {"created_at": {"$exists": True}}
            if not self.status:
                for document in self.collection.find(self.target):
                    self.update = {
                        "$set": {"creation_date": document["created_at"] + 1},
                        "$unset": {"created_at": 1},
                    }
                    self.collection.update_one({"_id": document["_id"]}, self.update)

    posts.insert_many([old(1), old(2)])
    handler = ByItself(Post)

    assert handler.get_deprecated(posts)["active"] == ["allmigration01__each"]
    handler.migrate_all(posts, dry_run=True)
    assert posts.count_documents({"created_at": 2012}) == 2
    handler.migrate_all(posts)

    assert posts.count_documents({"creation_date": 2013}) == 2
    assert handler.get_deprecated(posts)["active"] == []


# Which are still needed.


def test_get_deprecated_tells_which_migrations_no_document_needs(posts: Collection) -> None:
    posts.insert_many([old(1), {"_id": 2, **NEW}])
    handler = PostMigration(Post)

    assert handler.get_deprecated(posts) == {
        "deprecated": ["allmigration02__remove_old"],
        "active": [
            "allmigration01__add_tags",
            "allmigration03__rename",
            "migration01__add_tags",
            "migration02__rename_created_at",
        ],
    }

    handler.migrate_all(posts)

    assert handler.get_deprecated(collection=posts)["active"] == []


def test_get_deprecated_needs_no_document_for_a_lazy_migration(posts: Collection) -> None:
    class Nested(DocumentMigration):
        def migration01__nested(self) -> None:
            self.target = {"a": {"$exists": True}}
            self.update = {"$set": {"blog.title": self.doc["a"]["b"]}}

    posts.insert_one({"_id": 1, "a": {"b": "x"}})

    assert Nested(Post).get_deprecated(posts) == {
        "deprecated": [],
        "active": ["migration01__nested"],
    }


def test_a_mistake_in_a_migration_is_not_hidden(posts: Collection) -> None:
    class Broken(DocumentMigration):
        def allmigration01__broken(self) -> None:
            raise KeyError("mistake")

    for call in (Broken(Post).get_deprecated, Broken(Post).migrate_all):
        with pytest.raises(KeyError, match="mistake"):
            call(posts)


def test_verbose_logs_each_step(posts: Collection, caplog: pytest.LogCaptureFixture) -> None:
    posts.insert_one(old(1))

    with caplog.at_level(logging.INFO, "mongokit"):
        PostMigration(Post, verbose=True).migrate_all(posts)

    assert "Post: allmigration01__add_tags, documents: 1" in caplog.text
