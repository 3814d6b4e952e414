"""Section 4: making a document: skeleton, defaults, content, copies."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from mongokit import (
    OR,
    Collection,
    Connection,
    CustomType,
    DefaultFieldTypeError,
    Document,
    SchemaDocument,
    Set,
)
from mongokit import ConnectionError as NoConnectionError


class Day(CustomType):
    mongo_type = datetime
    python_type: ClassVar[Any] = str

    def to_bson(self, value: Any) -> Any:
        return value and datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)

    def to_python(self, value: Any) -> Any:
        return value and value.strftime("%Y-%m-%d")


class Picklable(Document):
    structure = {"a": {"b": int}, "tags": [str]}
    use_dot_notation = True


class Everything(Document):
    structure = {
        "scalar": int,
        "any": None,
        "dict": dict,
        "list": list,
        "nested": {"a": str, "deeper": {"b": [int]}},
        "keyed": {str: int},
        "items": [int],
        "pair": (float, float),
        "custom": Day(),
        "set": Set(int),
        "either": OR(int, str),
        "embedded": SchemaDocument,
    }


def test_the_skeleton_has_every_declared_field_in_its_empty_form() -> None:
    assert Everything() == {
        "scalar": None,
        "any": None,
        "dict": {},
        "list": [],
        "nested": {"a": None, "deeper": {"b": []}},
        "keyed": {},
        "items": [],
        "pair": [None, None],
        "custom": None,
        "set": set(),
        "either": None,
        "embedded": None,
    }
    assert list(Everything()) == list(Everything.structure)


def test_content_is_exactly_what_was_given() -> None:
    assert Everything({"scalar": 1}) == {"scalar": 1}


def test_gen_skel_false_gives_nothing_at_all() -> None:
    assert Everything(gen_skel=False) == {}


def test_an_empty_dict_counts_as_no_content() -> None:
    assert Everything({}) == Everything()


def test_generate_skeleton_adds_what_is_missing() -> None:
    doc = Everything({"scalar": 1, "nested": {"a": "x"}})

    doc.generate_skeleton()

    assert doc["scalar"] == 1
    assert doc["nested"] == {"a": "x", "deeper": {"b": []}}
    assert doc["pair"] == [None, None]


def test_documents_never_share_their_skeletons_or_defaults() -> None:
    class Thing(Document):
        structure = {"a": {"b": list}, "c": dict, "d": list}
        default_values = {"c": {"x": [1]}, "d": [{"y": 1}]}

    one, two = Thing(), Thing()
    one["a"]["b"].append(1)
    one["c"]["x"].append(2)
    one["d"][0]["y"] = 2

    assert two == {"a": {"b": []}, "c": {"x": [1]}, "d": [{"y": 1}]}
    assert Thing.default_values == {"c": {"x": [1]}, "d": [{"y": 1}]}


def test_callable_defaults_are_called_each_time() -> None:
    calls: list[int] = []

    def count() -> int:
        calls.append(1)
        return len(calls)

    class Thing(Document):
        structure = {"n": int, "nested": {"n": int}, "items": [int]}
        default_values = {"n": count, "nested.n": count, "items": [count, 7]}

    first, second = Thing(), Thing()

    assert (first["n"], first["nested"]["n"], first["items"]) == (1, 2, [3, 7]) or first != second
    assert first["n"] != second["n"]
    assert second["items"][1] == 7


@pytest.mark.parametrize("empty", [[], {}, 0, "", False])
def test_an_empty_default_is_a_default(empty: Any) -> None:
    class Thing(Document):
        structure = {"x": None}
        default_values = {"x": empty}

    assert Thing() == {"x": empty}
    assert type(Thing()["x"]) is type(empty)


def test_defaults_reach_nested_dicts_and_tuples() -> None:
    class Thing(Document):
        structure = {"a": {"b": {"c": int}}, "pair": (int, str)}
        default_values = {"a.b.c": 5, "pair": [1, "x"]}

    assert Thing() == {"a": {"b": {"c": 5}}, "pair": [1, "x"]}


def test_defaults_for_a_whole_dict_and_a_path_in_it_go_together() -> None:
    class Thing(Document):
        structure = {"a": {"b": int, "c": int}}
        default_values = {"a": {"b": 1, "c": 2}, "a.c": 3}

    assert Thing() == {"a": {"b": 1, "c": 3}}


def test_a_default_for_a_custom_type_must_be_of_its_python_type() -> None:
    class Thing(Document):
        structure = {"day": Day()}
        default_values = {"day": 3}

    with pytest.raises(DefaultFieldTypeError):
        Thing()


def test_the_refused_default_of_a_custom_type_with_several_python_types_names_them() -> None:
    class Either(Day):
        python_type: ClassVar[Any] = (str, int)

    class Thing(Document):
        structure = {"day": Either()}
        default_values = {"day": 1.5}

    with pytest.raises(DefaultFieldTypeError, match="str or int"):
        Thing()


def test_defaults_are_not_given_to_documents_with_content() -> None:
    class Thing(Document):
        structure = {"a": int, "b": int}
        default_values = {"b": 1}

    assert Thing({"a": 1}) == {"a": 1}


def test_content_in_bson_form_is_turned_into_python_form() -> None:
    stored = datetime(2026, 11, 23, tzinfo=UTC)

    assert Everything({"custom": stored, "set": [1, 1]}) == {"custom": "2026-11-23", "set": {1}}
    assert Everything({"custom": "2026-11-23"}) == {"custom": "2026-11-23"}


def test_the_callers_content_is_not_changed() -> None:
    class Thing(Document):
        structure = {"a": {"day": Day()}}
        use_dot_notation = True

    content = {"a": {"day": datetime(2026, 11, 23, tzinfo=UTC)}}
    Thing(content).a.day = "2000-01-01"

    assert content == {"a": {"day": datetime(2026, 11, 23, tzinfo=UTC)}}


def test_a_document_is_a_dict() -> None:
    doc = Picklable({"a": {"b": 1}, "tags": ["x"]})

    assert isinstance(doc, dict)
    assert doc == {"a": {"b": 1}, "tags": ["x"]}
    assert dict(doc) == doc
    assert json.loads(json.dumps(doc)) == doc
    assert list(doc) == ["a", "tags"]


def test_copies_keep_class_and_binding(connection: Connection, col: Collection) -> None:
    connection.register(Picklable)
    doc = col.Picklable({"a": {"b": 1}, "tags": ["x"]})

    shallow, deep = copy.copy(doc), copy.deepcopy(doc)

    assert type(shallow) is type(deep) is Picklable
    assert shallow == deep == doc
    assert shallow.collection is deep.collection is col
    deep["a"]["b"] = 2
    assert doc["a"]["b"] == 1
    deep.a.b = 3
    assert deep["a"]["b"] == 3


def test_pickling_keeps_the_content_and_drops_the_binding(
    connection: Connection, col: Collection
) -> None:
    connection.register(Picklable)
    doc = col.Picklable({"a": {"b": 1}, "tags": ["x"]})

    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        restored = pickle.loads(pickle.dumps(doc, protocol))  # noqa: S301 - our own bytes
        assert type(restored) is Picklable
        assert restored == doc
        assert restored.a.b == 1
        with pytest.raises(NoConnectionError):
            _ = restored.collection


def test_the_hash_is_that_of_the_id() -> None:
    assert hash(Everything({"_id": 7})) == hash(7)
    with pytest.raises(TypeError):
        hash(Everything())


def test_unbound_documents_work_as_data_and_say_what_is_missing() -> None:
    doc = Picklable({"a": {"b": 1}, "tags": []})
    doc.validate()

    for use in (
        lambda: doc.collection,
        lambda: doc.db,
        lambda: doc.connection,
        doc.save,
        doc.find,
    ):
        with pytest.raises(NoConnectionError, match="No collection found"):
            use()


def test_a_declared_type_field_is_filled_with_the_class_name() -> None:
    class Animal(Document):
        structure = {"_type": str, "name": str}

    class Cat(Animal):
        pass

    class Plain(Animal):
        type_field = None

    assert Animal() == {"_type": "Animal", "name": None}
    assert Cat() == {"_type": "Cat", "name": None}
    assert Plain() == {"_type": None, "name": None}
