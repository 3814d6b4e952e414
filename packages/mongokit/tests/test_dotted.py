"""Dotted dicts: read by attribute, collapsed to paths, expanded again."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from bson.objectid import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from mongokit.dotted import (
    DecodedDotedDict,
    DotCollapsedDict,
    DotedDict,
    DotExpandedDict,
    i18nDotedDict,
)

_KEYS = st.text(alphabet="abé_ ", max_size=3)
_LEAVES: st.SearchStrategy[Any] = (
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.just({})
    | st.lists(st.integers(), max_size=2)
)
_NESTED = st.dictionaries(
    _KEYS | st.sampled_from([str, int, float, ObjectId, datetime]),
    st.recursive(
        _LEAVES,
        lambda inner: st.dictionaries(_KEYS | st.sampled_from([str, int]), inner),
        max_leaves=8,
    ),
)


def test_a_key_is_read_and_set_and_removed_by_attribute() -> None:
    place = DotedDict({"city": "Rome"})

    place.city = "Roma"
    place.country = "Italia"

    assert place == {"city": "Roma", "country": "Italia"}
    assert (place.city, place.country) == ("Roma", "Italia")
    del place.city
    assert place == {"country": "Italia"}


def test_a_missing_name_reads_as_none() -> None:
    assert DotedDict().anything is None
    assert DotedDict()._id is None


@pytest.mark.parametrize("name", ["__deepcopy_it__", "__len_hint__", "_repr_html_"])
def test_names_that_ask_for_abilities_raise_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(DotedDict(), name)


def test_removing_a_missing_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="city"):
        del DotedDict().city


def test_a_method_of_dict_is_not_shadowed_by_a_key() -> None:
    place = DotedDict({"items": [1], "keys": 2})

    assert list(place.items()) == [("items", [1]), ("keys", 2)]
    setattr(place, "keys", 3)  # noqa: B010
    assert place["keys"] == 3
    assert callable(place.keys)


def test_a_method_of_dict_cannot_be_replaced_on_the_object() -> None:
    with pytest.raises(AttributeError):
        setattr(DotedDict(), "items", 1)  # noqa: B010


def test_the_constructor_converts_nested_dicts_and_lists_of_dicts() -> None:
    given: dict[str, Any] = {"a": {"b": {"c": 1}}, "l": [{"x": 1}, [{"y": 2}], 3], "n": [1, 2]}

    place = DotedDict(given, other={"z": 4})

    assert place["a"]["b"].c == 1
    assert place["l"][0].x == 1
    assert place["l"][1][0].y == 2
    assert place["other"].z == 4
    assert place["n"] is given["n"]
    assert type(given["a"]) is dict
    assert [type(item) for item in given["l"]] == [dict, list, int]


def test_a_dict_put_in_later_is_written_through() -> None:
    place = DotedDict()
    place["a"] = {"b": {}}

    place.a.b.c = 1

    assert place == {"a": {"b": {"c": 1}}}
    assert place.a is place["a"]


def test_a_list_put_in_later_is_written_through_and_stays_the_same_list() -> None:
    phones = [{"kind": "home"}, [{"kind": "work"}]]
    place = DotedDict()
    place["phones"] = phones

    place.phones[0].kind = "mobile"
    place.phones[1][0].kind = "fax"

    assert place["phones"] is phones
    assert place == {"phones": [{"kind": "mobile"}, [{"kind": "fax"}]]}


def test_a_deep_copy_is_plain_to_the_last_level() -> None:
    place = DotedDict({"a": {"b": [{"c": 1}]}})

    copied = copy.deepcopy(place)

    assert copied == place
    assert type(copied) is dict
    assert type(copied["a"]) is dict
    assert type(copied["a"]["b"][0]) is dict
    assert copied["a"] is not place["a"]


def test_a_deep_copy_keeps_what_is_shared_shared() -> None:
    shared = DotedDict(x=1)
    place = DotedDict()
    place["a"] = place["b"] = shared

    copied = copy.deepcopy(place)

    assert copied["a"] is copied["b"]


@pytest.mark.parametrize("class_", [DotedDict, DecodedDotedDict])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_class_and_content(class_: type[DotedDict], protocol: int) -> None:
    place = class_(a=1, b=DotedDict(c=2))

    loaded = pickle.loads(pickle.dumps(place, protocol))  # noqa: S301

    assert loaded == place
    assert type(loaded) is class_
    assert loaded.b.c == 2


def test_a_shallow_copy_keeps_the_class() -> None:
    assert type(copy.copy(DotedDict(a=1))) is DotedDict


def test_a_dotted_dict_equals_the_plain_dict_and_is_json() -> None:
    place = DotedDict({"a": {"b": 1}})

    assert place == {"a": {"b": 1}}
    assert json.loads(json.dumps(place)) == {"a": {"b": 1}}


def test_dir_lists_keys_beside_the_methods() -> None:
    names = dir(DotedDict({"city": 1, "country": 3}))

    assert "city" in names
    assert "items" in names


@pytest.mark.parametrize("class_", [DotedDict, DecodedDotedDict])
def test_bson_decodes_nested_documents_into_it_and_encodes_them(class_: type[DotedDict]) -> None:
    data = bson.encode({"a": {"b": [{"c": 1}]}, "_type_marker": 7})

    decoded = bson.decode(data, CodecOptions(document_class=class_))

    assert type(decoded) is class_
    assert decoded.a.b[0].c == 1
    assert bson.encode(decoded) == data


def test_a_field_named_like_bsons_type_marker_is_stored_as_a_field() -> None:
    document = {"inner": DotedDict({"_type_marker": 7})}

    assert bson.decode(bson.encode(document)) == document


def test_a_decoded_dotted_dict_is_a_dotted_dict_whose_later_values_convert() -> None:
    place = DecodedDotedDict()
    place["a"] = {"b": 1}

    assert isinstance(place, DotedDict)
    assert place.a.b == 1


def _book(current: str = "fr") -> tuple[SimpleNamespace, i18nDotedDict]:
    doc = SimpleNamespace(
        i18n=["title", "cover.text"], _current_lang=current, _fallback_lang="en", plain=1
    )
    return doc, i18nDotedDict(
        {
            "title": {"en": "Mouse", "fr": "Souris"},
            "cover": {"text": {"en": "Old"}, "size": {"x": 1}},
            "pages": {"n": 3},
        },
        doc,
    )


def test_an_i18n_field_reads_in_the_current_language_then_the_fallback_then_none() -> None:
    doc, book = _book()

    assert book.title == "Souris"
    assert book.cover.text == "Old"
    doc._current_lang = "de"
    assert book.title == "Mouse"
    doc._fallback_lang = "es"
    assert book.title is None


def test_setting_an_i18n_field_writes_the_current_language_only() -> None:
    doc, book = _book()

    book.title = "Rongeur"
    book.cover.text = "Vieux"
    doc._current_lang = "de"
    book.title = "Maus"

    assert book["title"] == {"en": "Mouse", "fr": "Rongeur", "de": "Maus"}
    assert book["cover"]["text"] == {"en": "Old", "fr": "Vieux"}


def test_setting_an_i18n_field_that_was_missing_makes_its_dict() -> None:
    _, book = _book()
    del book.title

    book.title = "Souris"

    assert book["title"] == {"fr": "Souris"}


def test_fields_without_i18n_are_read_and_set_as_in_a_dotted_dict() -> None:
    _, book = _book()

    book.pages.n = 4
    book.cover.size.x = 2
    book.price = 5

    assert book["pages"] == {"n": 4}
    assert book["cover"]["size"] == {"x": 2}
    assert book["price"] == 5
    assert book.missing is None


def test_an_i18n_dotted_dict_leaves_its_document_behind_when_copied() -> None:
    _, book = _book()
    assert book.cover.text == "Old"

    loaded = pickle.loads(pickle.dumps(book))  # noqa: S301
    copied = copy.deepcopy(book)

    assert loaded == copied == book
    assert type(loaded) is DotedDict
    assert type(copied) is dict
    assert type(copied["cover"]) is dict


def test_collapsing_joins_the_keys_and_names_the_types() -> None:
    collapsed = DotCollapsedDict({"a": {"b": 1}, "c": {}, "d": {str: {"e": 2}, int: 3}})

    assert collapsed == {"a.b": 1, "c": {}, "d.$str.e": 2, "d.$int": 3}


def test_remove_under_type_keeps_an_empty_dict_there() -> None:
    structure = {"a": {str: {"b": int}}, "c": {"d": {int: float}, "e": str}}

    collapsed = DotCollapsedDict(structure, remove_under_type=True)

    assert collapsed == {"a": {}, "c.d": {}, "c.e": str}


def test_a_reference_says_how_far_to_collapse() -> None:
    structure = {"a": {"b": dict}, "t": {str: {"n": int}}, "raw": dict}
    document = {"a": {"b": {"c": 1}}, "t": {"x": {"n": 1}}, "raw": {"y": 2}, "other": {"z": 3}}

    assert DotCollapsedDict(document, reference=structure) == {
        "a.b": {"c": 1},
        "t.x.n": 1,
        "raw": {"y": 2},
        "other": {"z": 3},
    }
    collapsed = DotCollapsedDict(structure)
    assert DotCollapsedDict(document, reference=collapsed) == DotCollapsedDict(
        document, reference=structure
    )
    assert DotCollapsedDict(document, remove_under_type=True, reference=structure) == {
        "a.b": {"c": 1},
        "t": {"x": {"n": 1}},
        "raw": {"y": 2},
        "other": {"z": 3},
    }


def test_a_dict_with_other_keys_is_a_value() -> None:
    numbers: dict[Any, Any] = {1: {"b": 3}}

    assert DotCollapsedDict({"a": {1: 2, "b": 3}}) == {"a": {1: 2, "b": 3}}
    assert DotCollapsedDict(numbers) == numbers


def test_expanding_reads_todays_and_classic_type_names() -> None:
    expanded = DotExpandedDict({"a.$unicode.b": 1, "a.$long": 2, "c.$ObjectId": 3, "d.$set": 4})

    assert expanded == {"a": {str: {"b": 1}, int: 2}, "c": {ObjectId: 3}, "d": {"$set": 4}}


def test_expanding_evaluates_nothing() -> None:
    text = "$__import__('os')"

    assert DotExpandedDict({f"a.{text}": 1}) == {"a": {text: 1}}


def test_a_whole_dict_and_a_path_into_it_are_merged_without_touching_the_given_dict() -> None:
    whole = {"x": {"y": 1}}

    expanded = DotExpandedDict({"a": whole, "a.x.z": 2, "a.x.y": 3})

    assert expanded == {"a": {"x": {"y": 3, "z": 2}}}
    assert whole == {"x": {"y": 1}}


@pytest.mark.parametrize("flat", [{"a": 1, "a.b": 2}, {"a.b": 2, "a": 1}])
def test_a_path_through_a_value_is_refused(flat: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="lead through"):
        DotExpandedDict(flat)


@settings(deadline=None)
@given(_NESTED)
def test_expanding_undoes_collapsing(nested: dict[Any, Any]) -> None:
    assert DotExpandedDict(DotCollapsedDict(nested)) == nested


@settings(deadline=None)
@given(_NESTED)
def test_a_collapsed_dict_has_no_dict_with_keys_left(nested: dict[Any, Any]) -> None:
    assert not any(isinstance(value, dict) and value for value in DotCollapsedDict(nested).values())


@settings(deadline=None)
@given(_NESTED)
def test_collapsing_twice_is_collapsing_once(nested: dict[Any, Any]) -> None:
    collapsed = DotCollapsedDict(nested)

    assert DotCollapsedDict(DotExpandedDict(collapsed)) == collapsed
    assert DotCollapsedDict(collapsed) == collapsed
