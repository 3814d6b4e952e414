"""Section 10, indexes: declared, checked, created on request, planned."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from bson import DBRef
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, OperationFailure

import mongokit
from mongokit import Document, SchemaDocument
from mongokit.errors import BadIndexError
from mongokit.indexes import Index, declared_indexes, plan

if TYPE_CHECKING:
    from mongokit import Connection


def document_with(*indexes: Any, **options: Any) -> type[Document]:
    namespace: dict[str, Any] = {
        "structure": {
            "name": str,
            "age": int,
            "other": {"deep": str, "raw": dict},
            "scores": {str: {"value": int}},
            "tags": [str],
            "comments": [{"author": str}],
            "pair": (str, dict),
            "title": str,
            "anything": None,
            "ref": DBRef,
        },
        "i18n": ["title"],
        "indexes": list(indexes),
        **options,
    }
    return type("Doc", (Document,), namespace)


def keys_of(document_class: type[Document]) -> list[tuple[tuple[str, Any], ...]]:
    return [index.keys for index in declared_indexes(document_class)]


# What `fields` may be.


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ("name", (("name", 1),)),
        (("name", -1), (("name", -1),)),
        (["name", ("age", -1)], (("name", 1), ("age", -1))),
        (["name"], (("name", 1),)),
        ([("name", 1)], (("name", 1),)),
        ("other.deep", (("other.deep", 1),)),
    ],
)
def test_fields_is_a_name_or_a_pair_or_a_list_of_both(fields: Any, keys: Any) -> None:
    assert keys_of(document_with({"fields": fields})) == [keys]


@pytest.mark.parametrize("direction", [1, -1, "2d", "2dsphere", "hashed", "text", 0, 2])
def test_every_direction_is_taken(direction: Any) -> None:
    assert keys_of(document_with({"fields": ("name", direction)})) == [(("name", direction),)]


def test_directions_have_their_classic_names() -> None:
    assert (mongokit.INDEX_ASCENDING, mongokit.INDEX_DESCENDING) == (1, -1)
    assert (mongokit.INDEX_OFF, mongokit.INDEX_ALL) == (0, 2)
    assert (mongokit.INDEX_GEO2D, mongokit.INDEX_GEOSPHERE) == ("2d", "2dsphere")
    assert (mongokit.INDEX_HASHED, mongokit.INDEX_TEXT) == ("hashed", "text")
    assert mongokit.INDEX_GEOHAYSTACK == "geoHaystack"


# What is refused, with the texts of the page.


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"unique": True}, "'fields' key must be specify in indexes"),
        ({"field": "name"}, "'fields' key must be specify in indexes"),
        (
            {"fields": {"name": 1}},
            "fields must be a string, a tuple or a list of tuple (got <class 'dict'> instead)",
        ),
        (
            {"fields": 3},
            "fields must be a string, a tuple or a list of tuple (got <class 'int'> instead)",
        ),
        (
            {"fields": ["name", 3]},
            "fields must be a string, a tuple or a list of tuple (got <class 'int'> instead)",
        ),
        (
            {"fields": [{"name": 1}]},
            "fields must be a string, a tuple or a list of tuple (got <class 'dict'> instead)",
        ),
        (
            {"fields": []},
            "fields must be a string, a tuple or a list of tuple (got <class 'list'> instead)",
        ),
        (
            {"fields": ("name", 1, "age")},
            (
                "Error in indexes: a tuple must contain only two value : "
                "the field name and the direction"
            ),
        ),
        (
            {"fields": [("name",)]},
            (
                "Error in indexes: a tuple must contain only two value : "
                "the field name and the direction"
            ),
        ),
        (
            {"fields": (1, 1)},
            "Error in 1, the field name must be string (got <class 'int'> instead)",
        ),
        (
            {"fields": [("name", {})]},
            "Error in name, the direction must be int or basestring (got <class 'dict'> instead)",
        ),
        (
            {"fields": ("name", 1.0)},
            "Error in name, the direction must be int or basestring (got <class 'float'> instead)",
        ),
        (
            {"fields": ("name", "age")},
            (
                "index direction must be INDEX_DESCENDING, INDEX_ASCENDING, INDEX_OFF, INDEX_ALL, "
                "INDEX_GEO2D, INDEX_GEOHAYSTACK, or INDEX_GEOSPHERE. Got age"
            ),
        ),
        (
            {"fields": [("name", 3)]},
            (
                "index direction must be INDEX_DESCENDING, INDEX_ASCENDING, INDEX_OFF, INDEX_ALL, "
                "INDEX_GEO2D, INDEX_GEOHAYSTACK, or INDEX_GEOSPHERE. Got 3"
            ),
        ),
    ],
)
def test_a_malformed_index_is_a_bad_index_error(entry: Any, text: str) -> None:
    with pytest.raises(BadIndexError) as caught:
        document_with(entry)

    assert str(caught.value) == text


def test_check_false_does_not_excuse_a_malformed_index() -> None:
    with pytest.raises(BadIndexError):
        document_with({"fields": ("name", 7), "check": False})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ("nothing", "nothing"),
        (("nothing", -1), "nothing"),
        (["name", ("other.nothing", 1)], "other.nothing"),
        ("name.first", "name.first"),
        ("scores.$str.nothing", "scores.$str.nothing"),
        ("title.en", "title.en"),
    ],
)
def test_a_field_that_is_not_in_the_structure_is_a_value_error(fields: Any, named: str) -> None:
    text = f"Error in indexes: can't find {named} in structure"

    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        document_with({"fields": fields})
    with pytest.raises(ValueError, match="can't find"):
        document_with({"fields": fields, "check": True})


def test_check_false_allows_a_field_that_is_not_in_the_structure() -> None:
    made = document_with({"fields": [("nothing", 1), "name"], "check": False})

    assert keys_of(made) == [(("nothing", 1), ("name", 1))]


@pytest.mark.parametrize(
    "path",
    [
        *("_id", "_type", "_revision", "_version", "_id.part"),
        *("other", "other.raw.any.thing", "anything.any.thing"),
        *("scores.maths.value", "scores.$str.value", "scores.$unicode.value"),
        *("tags", "tags.0", "comments.author", "comments.0.author", "pair.1.x"),
        *("title", "title.lang", "title.value", "ref.$id"),
        *("$**", "other.$**"),
    ],
)
def test_what_stored_documents_can_have_may_be_indexed(path: str) -> None:
    assert keys_of(document_with({"fields": path})) == [((path, 1),)]


def test_fields_of_embedded_and_referenced_classes_are_looked_up() -> None:
    class Address(SchemaDocument):
        structure = {"city": str}

    class Person(Document):
        structure = {"address": Address, "boss": Document}
        use_autorefs = True
        indexes = [{"fields": "address.city"}, {"fields": "boss.$id"}]

    assert len(declared_indexes(Person)) == 2
    with pytest.raises(ValueError, match=r"can't find address\.zip in structure"):

        class Worse(Document):
            structure = {"address": Address}
            indexes = [{"fields": "address.zip"}]


# Inheritance.


def test_indexes_are_the_class_s_own_first_and_then_base_by_base() -> None:
    class A(Document):
        structure = {"a": int}
        indexes = [{"fields": "a"}]

    class B(Document):
        structure = {"b": int}
        indexes = [{"fields": "b"}]

    class C(A, B):
        structure = {"c": int}
        indexes = [{"fields": "c"}, {"fields": ["c", "a"]}]

    assert [index["fields"] for index in C.indexes] == ["c", ["c", "a"], "a", "b"]


def test_the_parent_s_indexes_are_never_changed() -> None:
    class A(Document):
        structure = {"a": int}
        indexes = [{"fields": ["a"]}]

    class B(A):
        structure = {"b": int}
        indexes = [{"fields": "b"}]

    B.indexes[1]["fields"].append("b")

    assert A.indexes == [{"fields": ["a"]}]


def test_one_index_inherited_twice_stands_once() -> None:
    class A(Document):
        structure = {"a": int}
        indexes = [{"fields": "a"}]

    class B(A):
        pass

    class C(A):
        pass

    class D(B, C):
        pass

    assert D.indexes == [{"fields": "a"}]


# Creating.


def test_generate_index_creates_the_declared_indexes(
    connection: Connection, db: mongokit.Database
) -> None:
    made = document_with(
        {"fields": "name", "unique": True},
        {"fields": ["age", ("other.deep", -1)]},
        {"fields": ("tags", -1), "name": "my_tags", "sparse": True},
    )
    connection.register(made)

    names = db.docs.Doc.generate_index(db.docs)

    found = db.docs.index_information()
    assert names == ["name_1", "age_1_other.deep_-1", "my_tags"]
    assert found["name_1"]["unique"] is True
    assert found["age_1_other.deep_-1"]["key"] == [("age", 1), ("other.deep", -1)]
    assert found["my_tags"]["key"] == [("tags", -1)]
    assert found["my_tags"]["sparse"] is True


def test_generate_index_is_a_class_method_and_may_run_twice(db: mongokit.Database) -> None:
    made = document_with({"fields": "name"})

    made.generate_index(db.docs)
    made.generate_index(db.docs)

    assert set(db.docs.index_information()) == {"_id_", "name_1"}


def test_generate_index_takes_a_plain_pymongo_collection(
    mongodb_uri: str, database_name: str
) -> None:
    made = document_with({"fields": "name"})
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        made.generate_index(client[database_name].docs)

        assert "name_1" in client[database_name].docs.index_information()


def test_nothing_is_created_implicitly(connection: Connection, db: mongokit.Database) -> None:
    connection.register(document_with({"fields": "name", "unique": True}))

    doc = db.docs.Doc()
    doc["name"] = "x"
    doc.save()
    list(db.docs.Doc.find())

    assert set(db.docs.index_information()) == {"_id_"}


def test_a_unique_index_refuses_a_second_document(
    connection: Connection, db: mongokit.Database
) -> None:
    connection.register(document_with({"fields": "name", "unique": True}))
    db.docs.Doc.generate_index(db.docs)
    first, second = db.docs.Doc(), db.docs.Doc()
    first["name"] = second["name"] = "x"
    first.save()

    with pytest.raises(DuplicateKeyError):
        second.save()
    assert "_id" not in second


def test_unknown_options_are_passed_on(db: mongokit.Database) -> None:
    made = document_with({"fields": "age", "expireAfterSeconds": 60, "background": True})

    made.generate_index(db.docs)

    assert db.docs.index_information()["age_1"]["expireAfterSeconds"] == 60


def test_the_server_decides_about_unknown_options(db: mongokit.Database) -> None:
    made = document_with({"fields": "age", "expireAfterSeconds": "soon"})

    with pytest.raises(OperationFailure):
        made.generate_index(db.docs)


def test_ttl_is_ignored_with_a_warning_that_names_expire_after_seconds(
    db: mongokit.Database,
) -> None:
    with pytest.warns(DeprecationWarning, match="ttl.*expireAfterSeconds") as caught:
        made = document_with({"fields": "age", "ttl": 86400})
    assert caught[0].filename == __file__

    with pytest.warns(DeprecationWarning, match="expireAfterSeconds"):
        made.generate_index(db.docs)

    assert "expireAfterSeconds" not in db.docs.index_information()["age_1"]


def test_an_inherited_ttl_does_not_warn_again() -> None:
    with pytest.warns(DeprecationWarning):
        made = document_with({"fields": "age", "ttl": 86400})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        type("Below", (made,), {})


def test_drop_dups_is_ignored_with_a_warning(db: mongokit.Database) -> None:
    with pytest.warns(DeprecationWarning, match="drop_dups"):
        made = document_with({"fields": "age", "unique": True, "drop_dups": True})
    with pytest.warns(DeprecationWarning, match="drop_dups"):
        made.generate_index(db.docs)

    assert db.docs.index_information()["age_1"]["unique"] is True


def test_indexes_changed_after_the_class_was_made_are_used_and_checked(
    connection: Connection, db: mongokit.Database
) -> None:
    made = document_with()
    made.indexes.append({"fields": "name"})
    connection.register(made)

    assert db.docs.Doc.generate_index(db.docs) == ["name_1"]
    made.indexes.append({"fields": "nothing"})
    with pytest.raises(ValueError, match="can't find nothing"):
        connection.register(made)


# The plan.


def test_the_plan_of_a_collection_that_does_not_exist_has_all_missing(
    db: mongokit.Database,
) -> None:
    found = plan(document_with({"fields": "name"}, {"fields": "age", "unique": True}), db.docs)

    assert [index.name for index in found.missing] == ["name_1", "age_1"]
    assert found.missing[1] == Index("age_1", (("age", 1),), {"unique": True})
    assert (found.present, found.different, found.unknown) == ((), (), ())
    assert db.list_collection_names() == []


def test_the_plan_tells_present_missing_different_and_unknown(db: mongokit.Database) -> None:
    made = document_with({"fields": "name", "unique": True}, {"fields": "age"}, {"fields": "tags"})
    db.docs.create_index("age")
    db.docs.create_index("name")
    db.docs.create_index([("old", -1)])

    found = plan(made, db.docs)

    assert [str(index) for index in found.present] == ["age_1"]
    assert [str(index) for index in found.missing] == ["tags_1"]
    assert [str(index) for index in found.different] == ["name_1"]
    assert found.different[0].changes == {"unique": (True, None)}
    assert [str(index) for index in found.unknown] == ["old_-1"]
    assert str(found).splitlines() == [
        "docs:",
        "  present    age_1 (age 1)",
        "  missing    tags_1 (tags 1)",
        "  unknown    old_-1 (old -1)",
        "  different  name_1: unique is declared True, stored None",
    ]


def test_what_was_generated_is_present(db: mongokit.Database) -> None:
    made = document_with(
        {"fields": "name", "unique": True, "collation": {"locale": "en", "strength": 2}},
        {"fields": "age", "expireAfterSeconds": 0},
        {"fields": ["tags", ("age", -1)], "sparse": True, "background": True},
        {"fields": "other.deep", "partialFilterExpression": {"age": {"$gt": 3}}},
        {"fields": ("other.raw", "2dsphere")},
        {"fields": "_id"},
        {"fields": "other.$**"},
    )
    made.generate_index(db.docs)

    found = plan(made, db.docs)

    assert (found.missing, found.different, found.unknown) == ((), (), ())
    assert len(found.present) == 7


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ({"expireAfterSeconds": 60}, {"expireAfterSeconds": 30}),
        ({"expireAfterSeconds": 0}, {}),
        ({}, {"expireAfterSeconds": 30}),
        ({"sparse": True}, {}),
        ({}, {"unique": True}),
        ({"partialFilterExpression": {"age": {"$gt": 1}}}, {}),
        ({"collation": {"locale": "en", "strength": 2}}, {}),
    ],
)
def test_an_option_that_differs_is_different(
    db: mongokit.Database, declared: dict[str, Any], stored: dict[str, Any]
) -> None:
    db.docs.create_index("age", **stored)

    found = plan(document_with({"fields": "age", **declared}), db.docs)

    assert [difference.name for difference in found.different] == ["age_1"]
    assert set(found.different[0].changes) == {*declared, *stored}


def test_options_spelled_as_the_server_understands_them_are_no_difference(
    db: mongokit.Database,
) -> None:
    db.docs.create_index("age")

    assert plan(document_with({"fields": "age", "unique": False}), db.docs).different == ()


def test_the_same_index_under_another_name_is_not_missing(db: mongokit.Database) -> None:
    db.docs.create_index("age", name="by_age")

    found = plan(document_with({"fields": "age"}), db.docs)

    assert ([str(index) for index in found.present], found.missing) == (["age_1"], ())
    assert found.unknown == ()


def test_a_name_that_was_asked_for_and_is_another_one_is_different(db: mongokit.Database) -> None:
    db.docs.create_index("age")

    found = plan(document_with({"fields": "age", "name": "by_age"}), db.docs)

    assert found.different[0].explain() == "by_age: name is declared 'by_age', stored 'age_1'"


def test_other_keys_under_the_name_are_different(db: mongokit.Database) -> None:
    db.docs.create_index("name", name="mine")

    found = plan(document_with({"fields": ("age", -1), "name": "mine"}), db.docs)

    assert found.different[0].changes["keys"] == ((("age", -1),), (("name", 1),))


def test_apply_creates_what_is_missing_and_leaves_the_rest(db: mongokit.Database) -> None:
    made = document_with({"fields": "name", "unique": True}, {"fields": "tags"})
    db.docs.create_index("name")
    db.docs.create_index("old")

    assert plan(made, db.docs).apply() == ["tags_1"]

    found = db.docs.index_information()
    assert set(found) == {"_id_", "name_1", "old_1", "tags_1"}
    assert "unique" not in found["name_1"]
    assert plan(made, db.docs).apply() == []


def test_apply_replaces_and_drops_where_it_is_told_to(db: mongokit.Database) -> None:
    made = document_with({"fields": "name", "unique": True}, {"fields": "tags"})
    db.docs.create_index("name")
    db.docs.create_index("old")

    assert plan(made, db.docs).apply(replace=True, drop=True) == ["name_1", "tags_1"]

    found = db.docs.index_information()
    assert set(found) == {"_id_", "name_1", "tags_1"}
    assert found["name_1"]["unique"] is True


def test_the_plan_takes_a_manager_too(connection: Connection, db: mongokit.Database) -> None:
    connection.register(document_with({"fields": "name"}))

    assert [str(index) for index in plan(db.docs.Doc, db.docs).missing] == ["name_1"]


def test_indexes_are_generated_in_a_collection_only(db: mongokit.Database) -> None:
    wrong: Any
    for wrong in (db, "docs"):
        with pytest.raises(TypeError, match="collection must be a collection"):
            document_with({"fields": "name"}).generate_index(wrong)
