"""Section 5: dot notation on documents. (`test_dotted.py` has the dicts on their own.)"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest

from mongokit import Collection, Connection, Document, DotedDict


class Doc(Document):
    use_dot_notation = True
    structure = {
        "name": str,
        "nested": {"x": int, "deeper": {"y": int}},
        "free": dict,
        "items": [{"z": int}],
        "list": list,
        "dc:title": str,
        "count": int,
    }

    attribute = "of the class"

    @property
    def upper(self) -> str:
        return str(self.name).upper()


def test_fields_are_read_and_written_as_attributes() -> None:
    doc = Doc()
    doc.name = "x"

    assert doc["name"] == doc.name == "x"
    doc["name"] = "y"
    assert doc.name == "y"
    assert doc.upper == "Y"


def test_nested_dicts_are_doted_dicts_in_a_new_document() -> None:
    doc = Doc()
    doc.nested.deeper.y = 3

    assert doc["nested"]["deeper"]["y"] == 3
    assert isinstance(doc["nested"], DotedDict)
    assert isinstance(Doc({"nested": {"x": 1}})["nested"], DotedDict)


def test_nested_dicts_are_doted_dicts_after_a_fetch(
    connection: Connection, col: Collection
) -> None:
    connection.register(Doc)
    col.insert_one({"nested": {"x": 1, "deeper": {"y": 2}}, "free": {"a": {"b": 1}}, "list": []})

    for doc in (col.Doc.find_one(), col.Doc.find().next(), *col.Doc.find(), col.Doc.one()):
        assert isinstance(doc["nested"], DotedDict)
        assert doc.nested.deeper.y == 2
        assert doc.free.a.b == 1
        doc.nested.x = 5
        assert doc["nested"]["x"] == 5


def test_nested_dicts_are_doted_dicts_after_assigning_through_the_parent_key() -> None:
    doc = Doc()
    doc["nested"] = {"x": 1, "deeper": {"y": 2}}

    doc.nested.deeper.y = 5

    assert doc["nested"]["deeper"]["y"] == 5


def test_keys_of_raw_dicts_and_of_dicts_in_lists_are_attributes() -> None:
    doc = Doc()
    doc.free = {"a": {"b": 1}}
    doc["list"] = [{"z": 1}]

    doc.free.a.b = 2

    assert doc["free"] == {"a": {"b": 2}}
    assert doc.list[0].z == 1


def test_a_method_or_attribute_of_the_class_is_never_shadowed() -> None:
    doc = Doc({"items": [{"z": 1}], "count": 3, "attribute": 1})

    assert callable(doc.items)
    assert callable(doc.count)
    assert doc.attribute == "of the class"
    assert doc["count"] == 3


def test_a_subclass_can_do_without_dot_notation_and_its_subclass_have_it_again() -> None:
    class WithErrors(Doc):
        structure = {"errors": str}

    class Plain(WithErrors):
        use_dot_notation = False

    class Below(Plain):
        pass

    class Again(Below):
        use_dot_notation = True

    for cls in (Plain, Below):
        doc: Any = cls({"name": "x", "errors": "none"})
        with pytest.raises(AttributeError):
            _ = doc.name
        doc.name = "y"
        assert (doc.name, doc["name"]) == ("y", "x")
        assert callable(doc.errors)
    again: Any = Again({"name": "x", "errors": "none"})
    again.name = "y"
    assert (again["name"], again.errors) == ("y", "none")


def test_setting_a_name_that_is_no_key_sets_a_plain_attribute() -> None:
    doc = Doc({"name": "x"})
    doc.other = 1

    assert doc.other == 1
    assert "other" not in doc


def test_setting_a_declared_field_that_is_missing_sets_a_plain_attribute() -> None:
    doc = Doc({"free": {}})
    doc.name = "x"

    assert doc.name == "x"
    assert "name" not in doc


def test_a_warning_is_logged_where_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    class Warned(Doc):
        dot_notation_warning = True

    doc = Warned()
    with caplog.at_level(logging.WARNING, logger="mongokit"):
        doc.name = "x"
        assert caplog.records == []
        doc.nmae = "x"

    assert "nmae" in caplog.text


def test_reading_a_missing_name_is_an_attribute_error_on_a_document_and_none_below() -> None:
    doc = Doc({"name": "x", "free": {"a": 1}})

    with pytest.raises(AttributeError):
        _ = doc.missing
    with pytest.raises(AttributeError):
        _ = doc.nested
    assert doc.free.missing is None


def test_without_dot_notation_there_are_no_attributes() -> None:
    class Plain(Document):
        structure = {"name": str}

    doc: Any = Plain()
    with pytest.raises(AttributeError):
        _ = doc.name
    doc.name = "x"
    assert doc == {"name": None}


def test_the_id_and_keys_that_are_not_declared_are_attributes_too() -> None:
    class Loose(Doc):
        use_schemaless = True

    doc = Loose({"_id": 1, "extra": {"a": 1}})

    assert doc._id == 1
    assert doc.extra.a == 1
    doc.extra = 2
    assert doc["extra"] == 2
    doc._id = 5
    assert doc["_id"] == 5


def test_a_field_can_be_deleted_by_attribute() -> None:
    doc = Doc({"name": "x"})
    del doc.name

    assert doc == {}


def test_getattr_reads_fields_that_are_no_identifiers() -> None:
    doc = Doc({"dc:title": "x"})

    assert getattr(doc, "dc:title") == "x"
    setattr(doc, "dc:title", "y")
    assert doc["dc:title"] == "y"


@pytest.mark.parametrize(
    "name",
    [
        *("errors", "patch", "json_form", "json_schema", "mongo_schema", "from_json_form"),
        *("titles", "descriptions", "examples"),
    ],
)
def test_a_field_stands_before_a_method_that_is_younger_than_mongokit(
    name: str, col: Collection
) -> None:
    class Doc(Document):
        structure: ClassVar[dict[str, Any]] = {name: [str]}
        use_dot_notation = True

    doc = col.documents(Doc)()
    setattr(doc, name, ["x"])
    doc.save()

    assert getattr(doc, name) == ["x"]
    assert getattr(col.documents(Doc).find_one(), name) == ["x"]
    assert col.find_one({}, {"_id": 0}) == {name: ["x"]}
