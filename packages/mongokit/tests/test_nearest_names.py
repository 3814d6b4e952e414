"""A misspelt path is answered with the declared one that it most likely means."""

from __future__ import annotations

from typing import Any

import pytest

from mongokit import Document
from mongokit.nearest import near_name, nearest


class Address(Document):
    structure = {"street": str, "city": {"name": str, "zip": str}}


class Person(Document):
    structure = {
        "name": str,
        "created_at": str,
        "address": Address,
        "lines": [{"product": str, "amount": int}],
        "pair": ({"left": int}, {"right": int}),
        "scores": {str: {"points": int}},
        "title": str,
    }
    i18n = ["title"]


TREE: Any = Person.__mongokit__.tree


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("nmae", "name"),
        ("NAME", "name"),
        ("createdAt", "created_at"),
        ("id", "_id"),
        ("adress.stret", "address.street"),
        ("adress.city.zpi", "address.city.zip"),
        ("adress.unheard", "address"),
        ("lines.prodct", "lines.product"),
        ("lines.0.prodct", "lines.0.product"),
        ("pair.rigth", "pair.right"),
        ("pair.1.rigth", "pair.1.right"),
        ("pair.2", None),
        ("scores.chess.ponits", "scores.chess.points"),
        ("title.lnag", "title.lang"),
        ("title.0.fr", "title.0.value"),
        ("name", "name"),
        ("unheard", None),
        ("address.unheard", None),
        ("0", None),
    ],
)
def test_nearest_declared_path_is_found_level_by_level(written: str, meant: str | None) -> None:
    assert nearest(TREE, written) == meant


def test_further_names_are_known_at_the_top_only() -> None:
    assert nearest(TREE, "_tpye", ["_type"]) == "_type"
    assert nearest(TREE, "address._tpye", ["_type"]) is None


def test_class_without_structure_knows_no_name() -> None:
    assert nearest(None, "name") is None


def test_names_are_compared_whatever_their_case() -> None:
    assert near_name("USERNAME", ["username", "name"]) == "username"
