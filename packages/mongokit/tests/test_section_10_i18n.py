"""Section 10, i18n, with what sections 4 and 5 say of it."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from mongokit import (
    CustomType,
    Document,
    DuplicateI18nError,
    RequireFieldError,
    SchemaDocument,
    SchemaTypeError,
    ValidationError,
    i18n,
)

if TYPE_CHECKING:
    from mongokit import Collection, Connection


class Doc(Document):
    structure = {
        "title": str,
        "plain": str,
        "tags": [str],
        "a": {"b": int, "c": {"d": str, "e": str}},
        "posts": [{"text": str, "n": int}],
        "keyed": {str: {"text": str}},
    }
    i18n = ["title", "tags", "a.c.d", "posts.text", "keyed.$unicode.text"]
    use_dot_notation = True


STRUCTURE: dict[Any, Any] = {
    "title": str,
    "plain": str,
    "tags": [str],
    "a": {"b": int, "c": {"d": str, "e": str}},
    "posts": [{"text": str, "n": int}],
    "keyed": {str: {"text": str}},
}

IN_MEMORY: dict[str, Any] = {
    "title": {"en": "Mouse", "fr": "Souris"},
    "plain": "x",
    "tags": {"en": ["small", "grey"], "fr": []},
    "a": {"b": 1, "c": {"d": {"fr": "là"}, "e": "e"}},
    "posts": [{"text": {"en": "hello"}, "n": 1}, {"text": {}, "n": 2}],
    "keyed": {"k": {"text": {"en": "t"}}},
}

STORED: dict[str, Any] = {
    "title": [{"lang": "en", "value": "Mouse"}, {"lang": "fr", "value": "Souris"}],
    "plain": "x",
    "tags": [{"lang": "en", "value": ["small", "grey"]}, {"lang": "fr", "value": []}],
    "a": {"b": 1, "c": {"d": [{"lang": "fr", "value": "là"}], "e": "e"}},
    "posts": [{"text": [{"lang": "en", "value": "hello"}], "n": 1}, {"text": [], "n": 2}],
    "keyed": {"k": {"text": [{"lang": "en", "value": "t"}]}},
}


@pytest.fixture
def docs(connection: Connection, col: Collection) -> Any:
    connection.register(Doc)
    return col.Doc


def make(structure: dict[Any, Any], fields: list[str], **options: Any) -> Any:
    return type("Made", (Document,), {"structure": structure, "i18n": fields, **options})


# The two forms.


def test_in_memory_it_is_a_dict_and_stored_a_list(docs: Any, col: Collection) -> None:
    doc = docs(copy.deepcopy(IN_MEMORY))
    doc.save()

    stored = col.find_one({}, {"_id": 0})

    assert stored == STORED
    assert doc == {**IN_MEMORY, "_id": doc["_id"]}
    assert doc["title"]["en"] == "Mouse"


def test_data_that_classic_stored_is_read_changed_and_saved(docs: Any, col: Collection) -> None:
    col.insert_one({"_id": 1, **STORED})

    doc = docs.find_one()

    assert doc == {"_id": 1, **IN_MEMORY}
    doc["title"]["de"] = "Maus"
    doc.save()
    stored = col.find_one()
    assert stored is not None
    assert stored["title"][-1] == {"lang": "de", "value": "Maus"}
    assert {**stored, "title": STORED["title"]} == {"_id": 1, **STORED}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_every_way_of_reading_gives_the_form_of_memory(docs: Any, col: Collection) -> None:
    col.insert_one({"_id": 1, **STORED})
    expected = {"_id": 1, **IN_MEMORY}

    assert list(docs.find()) == [expected]
    assert docs.find().to_list() == [expected]
    assert docs.find()[0] == expected
    assert docs.one() == expected
    assert docs.get_from_id(1) == expected
    assert docs.find_and_modify({"_id": 1}, {"$set": {"plain": "x"}}) == expected
    fetched = docs.find_one()
    fetched.reload()
    assert fetched == expected


def test_data_in_stored_form_is_taken_by_the_constructor(docs: Any) -> None:
    assert docs(copy.deepcopy(STORED)) == IN_MEMORY


def test_the_class_s_own_structure_is_not_rewritten() -> None:
    assert Doc.structure == STRUCTURE


def test_a_failed_save_leaves_the_form_of_memory(docs: Any, col: Collection) -> None:
    doc = docs(copy.deepcopy(IN_MEMORY))
    doc["plain"] = 3

    with pytest.raises(SchemaTypeError):
        doc.save()

    assert doc == {**IN_MEMORY, "plain": 3}
    assert col.count_documents({}) == 0


def test_stored_values_that_are_no_language_list_stay_as_they_are(
    docs: Any, col: Collection
) -> None:
    col.insert_one({"_id": 1, **STORED, "title": "old text", "tags": ["old", "tags"]})

    doc = docs.find_one()

    assert (doc["title"], doc["tags"]) == ("old text", ["old", "tags"])
    assert [error.message for error in doc.errors()] == [
        "title must be an instance of dict not str",
        "tags must be an instance of dict not list",
    ]


def test_setting_a_missing_field_by_dot_gives_it_the_current_language() -> None:
    doc = make({"title": str}, ["title"], use_dot_notation=True)(gen_skel=False, lang="fr")

    doc.title = "Souris"

    assert doc == {"title": {"fr": "Souris"}}
    assert doc.title == "Souris"


# A new document, its languages.


def test_the_empty_form_is_an_empty_dict(docs: Any) -> None:
    assert docs() == {
        "title": {},
        "plain": None,
        "tags": {},
        "a": {"b": None, "c": {"d": {}, "e": None}},
        "posts": [],
        "keyed": {},
    }


def test_the_language_is_english_unless_said(docs: Any) -> None:
    doc = docs()

    assert doc.get_lang() == "en"
    doc.set_lang("fr")
    assert doc.get_lang() == "fr"


@pytest.mark.parametrize("maker", ["manager", "class", "position"])
def test_the_constructor_takes_both_languages(docs: Any, col: Collection, maker: str) -> None:
    if maker == "manager":
        doc = docs(lang="fr", fallback_lang="de")
    elif maker == "class":
        doc = Doc(collection=col, lang="fr", fallback_lang="de")
    else:
        doc = Doc(None, True, col, "fr", "de")

    doc.title = "Souris"
    doc["tags"] = {"de": ["grau"], "en": ["grey"]}

    assert doc.get_lang() == "fr"
    assert doc["title"] == {"fr": "Souris"}
    assert doc.tags == ["grau"]


def test_a_language_is_one_document_s_own(docs: Any) -> None:
    first, second = docs(), docs()

    first.set_lang("fr")

    assert second.get_lang() == "en"
    assert docs.get_lang() == "en"


# Dot notation.


def test_setting_by_dot_writes_the_current_language(docs: Any) -> None:
    doc = docs()
    doc.title = "Mouse"
    doc.tags = ["grey"]
    doc.a.c.d = "there"
    doc.set_lang("fr")
    doc.title = "Souris"
    doc.a.c.d = "là"
    doc.a.c.e = "not translated"

    assert doc["title"] == {"en": "Mouse", "fr": "Souris"}
    assert doc["tags"] == {"en": ["grey"]}
    assert doc["a"]["c"] == {"d": {"en": "there", "fr": "là"}, "e": "not translated"}


def test_reading_by_dot_gives_the_current_language_else_the_fallback_else_none(docs: Any) -> None:
    doc = docs({"title": {"en": "Mouse"}, "a": {"c": {"d": {"en": "there", "fr": "là"}}}})

    assert (doc.title, doc.a.c.d) == ("Mouse", "there")
    doc.set_lang("fr")
    assert (doc.title, doc.a.c.d) == ("Mouse", "là")
    doc["title"] = {"de": "Maus"}
    assert doc.title is None
    assert docs().title is None


def test_a_list_per_language_is_read_and_changed_by_dot(docs: Any) -> None:
    doc = docs()
    doc.tags = ["grey"]
    doc.tags.append("small")

    assert doc["tags"] == {"en": ["grey", "small"]}


def test_fields_in_lists_of_dicts_are_read_and_set_by_dot(docs: Any) -> None:
    doc = docs()
    doc.posts = [{"text": {"en": "hello", "fr": "salut"}, "n": 1}]
    doc.posts.append({"text": {}, "n": 2})

    doc.set_lang("fr")
    doc.posts[1].text = "ça va"

    assert [post.text for post in doc.posts] == ["salut", "ça va"]
    assert doc["posts"][1] == {"text": {"fr": "ça va"}, "n": 2}
    doc.validate()


def test_fields_under_a_type_key_are_read_and_set_by_dot(docs: Any) -> None:
    doc = docs({"keyed": {"k": {"text": {"en": "t"}}}})

    assert doc.keyed.k.text == "t"
    doc.keyed.k.text = "u"
    assert doc["keyed"] == {"k": {"text": {"en": "u"}}}


def test_assigning_through_the_parent_key_keeps_the_languages(docs: Any) -> None:
    doc = docs()

    doc["a"] = {"b": 1, "c": {"d": {"en": "x"}, "e": None}}
    assert doc.a.c.d == "x"
    doc.a.c = {"d": {"en": "y"}, "e": None}
    assert doc.a.c.d == "y"
    doc["a"]["c"]["d"]["en"] = "z"
    assert doc.a.c.d == "z"


def test_a_fetched_document_is_read_by_dot(docs: Any, col: Collection) -> None:
    col.insert_one(copy.deepcopy(STORED))

    doc = docs.find_one()
    doc.set_lang("fr")

    assert (doc.title, doc.a.c.d, doc.posts[0].text) == ("Souris", "là", "hello")
    doc.a.c.d = "ici"
    doc.save()
    assert col.find()[0]["a"]["c"]["d"] == [{"lang": "fr", "value": "ici"}]


def test_without_dot_notation_languages_are_keys(connection: Connection, col: Collection) -> None:
    plain = make({"title": str}, ["title"])
    connection.register(plain)
    doc = col.Made()
    doc["title"]["en"] = "Mouse"
    doc.save()

    assert col.Made.find_one() == {"_id": doc["_id"], "title": {"en": "Mouse"}}


# Copies.


def test_copies_keep_their_languages_and_their_own_current_one(docs: Any) -> None:
    doc = docs(copy.deepcopy(IN_MEMORY), lang="fr")
    assert doc.a.c.d == "là"
    doc["a"]["c"]["d"]["en"] = "there"

    for made in (copy.copy(doc), copy.deepcopy(doc), pickle.loads(pickle.dumps(doc))):  # noqa: S301
        assert made == doc
        assert (made.get_lang(), made.a.c.d) == ("fr", "là")
        made.set_lang("en")
        assert (made.a.c.d, doc.a.c.d) == ("there", "là")


def test_a_translated_document_is_plain_data_for_json(docs: Any) -> None:
    doc = docs(copy.deepcopy(IN_MEMORY))
    _ = (doc.a.c.d, doc.posts[0].text)

    assert json.loads(json.dumps(doc)) == IN_MEMORY


# Validation.


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("title", {"en": 3}, "title (en) must be an instance of str not int"),
        ("title", {"en": "x", "fr": b"y"}, "title (fr) must be an instance of str not bytes"),
        ("tags", {"fr": "x"}, "tags (fr) must be an instance of list not str"),
        ("tags", {"fr": ["x", 3]}, "tags (fr) must be an instance of str not int"),
        ("title", "plain", "title must be an instance of dict not str"),
        ("title", ["plain"], "title must be an instance of dict not list"),
        ("tags", ["plain"], "tags must be an instance of dict not list"),
        ("title", {3: "x"}, "key of title must be an instance of str not int"),
    ],
)
def test_values_are_checked_per_language(docs: Any, field: str, value: Any, text: str) -> None:
    doc = docs(copy.deepcopy(IN_MEMORY))
    doc[field] = value

    with pytest.raises(SchemaTypeError) as caught:
        doc.validate()

    assert str(caught.value) == text


def test_nested_values_are_checked_per_language(docs: Any) -> None:
    doc = docs(copy.deepcopy(IN_MEMORY))
    doc["a"]["c"]["d"] = {"fr": 1}
    doc["posts"][0]["text"] = {"en": 2}
    doc["keyed"]["k"]["text"] = {"en": 3}

    assert [(error.path, error.message) for error in doc.errors()] == [
        ("a.c.d", "a.c.d (fr) must be an instance of str not int"),
        ("posts.text", "posts.text (en) must be an instance of str not int"),
        ("keyed.$str.text", "keyed.$str.text (en) must be an instance of str not int"),
    ]


def test_none_passes_as_the_field_and_as_a_value(docs: Any, col: Collection) -> None:
    doc = docs({**copy.deepcopy(IN_MEMORY), "title": None})
    doc["a"]["c"]["d"] = {"en": None}

    doc.save()

    assert docs.find_one() == doc
    doc.title = "now"
    assert doc["title"] == {"en": "now"}


def test_setting_a_wrong_type_by_dot_is_refused_by_validation(docs: Any) -> None:
    doc = docs(copy.deepcopy(IN_MEMORY))
    doc.set_lang("fr")
    doc.title = 4

    with pytest.raises(SchemaTypeError, match=r"title \(fr\) must be an instance of str not int"):
        doc.validate()


def test_validators_run_for_the_value_of_each_language() -> None:
    cls = make({"title": str}, ["title"], validators={"title": lambda text: len(text) > 2})

    cls({"title": {"en": "long", "fr": None}}).validate()
    with pytest.raises(ValidationError, match="title does not pass the validator"):
        cls({"title": {"en": "long", "fr": "x"}}).validate()


def test_a_required_field_needs_a_language() -> None:
    cls = make({"title": str, "a": {"b": str}}, ["title", "a.b"], required_fields=["title", "a.b"])

    cls({"title": {"en": "x"}, "a": {"b": {"fr": "y"}}}).validate()
    with pytest.raises(RequireFieldError, match=r"^title is required$"):
        cls({"title": {}, "a": {"b": {"fr": "y"}}}).validate()
    with pytest.raises(RequireFieldError, match=r"^a\.b is required$"):
        cls({"title": {"en": "x"}, "a": {"b": {}}}).validate()


def test_errors_can_be_collected() -> None:
    cls = make({"title": str}, ["title"], raise_validation_errors=False)
    doc = cls({"title": {"en": 3}})

    doc.validate()

    assert [str(error) for error in doc.validation_errors["title"]] == [
        "title (en) must be an instance of str not int"
    ]


# Declarations.


def test_defaults_are_given_per_language() -> None:
    cls = make(
        {"title": str, "a": {"b": [int]}},
        ["title", "a.b"],
        default_values={"title": {"en": "Mouse"}, "a.b": {"fr": [1]}},
    )
    first, second = cls(), cls()

    assert first == {"title": {"en": "Mouse"}, "a": {"b": {"fr": [1]}}}
    first["title"]["fr"] = "Souris"
    first["a"]["b"]["fr"].append(2)
    assert second == {"title": {"en": "Mouse"}, "a": {"b": {"fr": [1]}}}


def test_defaults_are_read_by_dot() -> None:
    cls = make(
        {"title": str, "a": {"b": str}},
        ["title", "a.b"],
        default_values={"title": {"en": "Mouse"}, "a.b": {"fr": "x"}},
        use_dot_notation=True,
    )
    doc = cls(lang="fr")

    assert (doc.title, doc.a.b) == ("Mouse", "x")


def test_a_field_that_is_not_in_the_structure_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"Error in i18n: can't find a\.c in structure"):
        make({"title": str, "a": {"b": str}}, ["title", "a.c"])


def test_a_field_that_stands_twice_is_a_duplicate_i18n_error() -> None:
    with pytest.raises(DuplicateI18nError, match=r"duplicate i18n : \['title'\]"):
        make({"title": str}, ["title", "title"])


def test_i18n_is_inherited_and_united() -> None:
    class A(Document):
        structure = {"a": str}
        i18n = ["a"]

    class B(Document):
        structure = {"b": str}
        i18n = ["b"]

    class C(A, B):
        structure = {"c": str}
        i18n = ["c"]

    assert sorted(C.i18n) == ["a", "b", "c"]
    assert (A.i18n, B.i18n) == (["a"], ["b"])
    assert C() == {"a": {}, "b": {}, "c": {}}


def test_custom_types_have_both_forms_per_language(connection: Connection, col: Collection) -> None:
    class Large(CustomType):
        mongo_type = str
        python_type = int

        def to_bson(self, value: Any) -> Any:
            return None if value is None else str(value)

        def to_python(self, value: Any) -> Any:
            return None if value is None else int(value)

    cls = make({"n": Large(), "all": [Large()]}, ["n", "all"])
    connection.register(cls)
    doc = col.Made({"n": {"en": 1}, "all": {"en": [2, 3]}})
    doc.save()

    assert col.find_one({}, {"_id": 0}) == {
        "n": [{"lang": "en", "value": "1"}],
        "all": [{"lang": "en", "value": ["2", "3"]}],
    }
    assert col.Made.find_one() == doc
    doc["n"]["fr"] = "x"
    with pytest.raises(SchemaTypeError, match=r"n \(fr\) must be an instance of int not str"):
        doc.validate()


def test_a_whole_dict_can_be_translated(connection: Connection, col: Collection) -> None:
    cls = make({"text": {"head": str, "n": int}, "raw": dict}, ["text", "raw"])
    connection.register(cls)
    doc = col.Made({"text": {"en": {"head": "h", "n": 1}}, "raw": {"fr": {"any": 1}}})
    doc.save()

    assert col.Made.find_one() == doc
    doc["text"]["fr"] = {"head": 3, "n": 1}
    with pytest.raises(SchemaTypeError, match=r"text \(fr\)\.head must be an instance of str"):
        doc.validate()


def test_embedded_documents_have_their_own_i18n_fields(
    connection: Connection, col: Collection
) -> None:
    class Part(SchemaDocument):
        structure = {"name": str}
        i18n = ["name"]

    cls = make({"part": Part, "parts": [Part]}, [])
    connection.register(cls)
    doc = col.Made({"part": {"name": {"en": "x"}}, "parts": [{"name": {"fr": "y"}}]})
    doc.save()

    assert col.find_one({}, {"_id": 0}) == {
        "part": {"name": [{"lang": "en", "value": "x"}]},
        "parts": [{"name": [{"lang": "fr", "value": "y"}]}],
    }
    assert col.Made.find_one() == doc


def test_schemaless_documents_have_i18n_fields(connection: Connection, col: Collection) -> None:
    cls = make({"title": str}, ["title"], use_schemaless=True)
    connection.register(cls)
    doc = col.Made({"title": {"en": "x"}, "more": [1]})
    doc.save()

    assert col.Made.find_one() == doc


# The class `i18n`.


def test_the_class_i18n_stands_in_a_structure_too(connection: Connection, col: Collection) -> None:
    cls = make({"title": i18n(str), "tags": i18n([str])}, [])
    connection.register(cls)
    doc = col.Made()
    assert doc == {"title": {}, "tags": {}}
    doc["title"]["en"] = "Mouse"
    doc["tags"]["en"] = ["grey"]
    doc.save()

    assert col.find_one({}, {"_id": 0}) == {
        "title": [{"lang": "en", "value": "Mouse"}],
        "tags": [{"lang": "en", "value": ["grey"]}],
    }
    assert col.Made.find_one() == doc
    doc["title"]["fr"] = 3
    with pytest.raises(SchemaTypeError, match=r"title \(fr\) must be an instance of str not int"):
        doc.validate()
    doc["title"] = {}
    doc["tags"]["en"].append(3)
    with pytest.raises(SchemaTypeError, match=r"tags \(en\) must be an instance of str not int"):
        doc.validate()


def test_the_class_i18n_converts_both_ways() -> None:
    title = i18n(str, "title")

    stored = title.to_bson({"en": "Mouse", "fr": "Souris"})

    assert stored == [{"lang": "en", "value": "Mouse"}, {"lang": "fr", "value": "Souris"}]
    assert title.to_python(stored) == {"en": "Mouse", "fr": "Souris"}
    assert (title.to_bson(None), title.to_python(None)) == (None, None)
    with pytest.raises(SchemaTypeError, match=r"title \(en\) must be an instance of str"):
        title.to_bson({"en": 3})
