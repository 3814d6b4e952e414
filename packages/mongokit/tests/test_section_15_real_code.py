"""Section 15: what applications of MongoKit's time lean on."""

from __future__ import annotations

from typing import Any

import pytest

import mongokit.cursor
from mongokit import IS, Collection, Connection, Document, cursor, paginator


class Overriding(Document):
    """A class that gives the names of dict and Document methods other meanings."""

    structure = {"name": str, "nested": {"a": int}, "tags": [str]}
    use_dot_notation = True

    def __getitem__(self, key: str) -> Any:
        raise AssertionError(f"the mapper read {key} through the class")

    def get(self, *args: Any) -> Any:
        raise AssertionError("the mapper called get")

    def items(self) -> Any:
        raise AssertionError("the mapper called items")

    def keys(self) -> Any:
        raise AssertionError("the mapper called keys")

    def __iter__(self) -> Any:
        raise AssertionError("the mapper iterated")

    def update(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the mapper called update")

    def pop(self, *args: Any) -> Any:
        raise AssertionError("the mapper called pop")

    def copy(self) -> Any:
        raise AssertionError("the mapper called copy")

    def clear(self) -> Any:
        raise AssertionError("the mapper called clear")

    @classmethod
    def count(cls) -> str:  # type: ignore[override]
        return "count"

    @classmethod
    def remove(cls) -> str:
        return "remove"

    @classmethod
    def group(cls) -> str:
        return "group"

    def query(self) -> str:
        return "query"

    def get_id(self) -> str:
        return str(self._id)

    def manager(self) -> str:
        return "manager"

    def find_one(self, *args: Any) -> str:
        return "find_one"

    def find(self, *args: Any) -> str:  # type: ignore[override]
        return "find"


def test_the_mapper_never_calls_an_overridable_method_for_its_own_ends(
    connection: Connection, col: Collection
) -> None:
    connection.register(Overriding)
    col.Overriding({"name": "x", "nested": {"a": 1}, "tags": []}).save()

    doc = col.Overriding.one()
    assert doc is not None
    dict.__setitem__(doc, "name", "y")
    doc.validate()
    doc.save()
    doc.reload()

    assert col.find_one({}, {"_id": 0}) == {"name": "y", "nested": {"a": 1}, "tags": []}
    assert doc.errors() == []
    assert doc.get_size() > 0
    doc.delete()
    assert col.Overriding.count() == "count"
    assert col.Overriding.find_one() == "find_one"


@pytest.mark.parametrize("use", ["positional", "keyword"])
def test_init_takes_its_arguments_in_the_classic_order(
    connection: Connection, col: Collection, use: str
) -> None:
    class Thing(Document):
        structure = {"name": str}

    connection.register(Thing)
    if use == "positional":
        thing = Thing({"name": "x"}, True, col, "fr", "de")
    else:
        thing = Thing(
            doc={"name": "x"}, gen_skel=True, collection=col, lang="fr", fallback_lang="de"
        )

    assert thing.collection is col
    assert thing.get_lang() == "fr"
    thing.save()
    assert col.count_documents({}) == 1


def test_an_overridden_init_is_called_for_each_document_made_or_read(
    connection: Connection, col: Collection
) -> None:
    made: list[Any] = []

    class Thing(Document):
        structure = {"name": str}

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.extra = "set"
            made.append(dict(self))

    connection.register(Thing)
    manager = col.Thing
    made.clear()
    manager({"name": "x"}).save()
    assert made == [{"name": "x"}]

    found = [*manager.find(), manager.find_one(), next(manager.find()), *manager.find().to_list()]

    assert {thing.extra for thing in found if thing is not None} == {"set"}
    assert len(made) == 5


def test_document_save_is_called_on_the_class_and_through_super(
    connection: Connection, col: Collection
) -> None:
    class Thing(Document):
        structure = {"name": str}

        def save(
            self,
            uuid: bool = False,
            validate: bool | None = None,
            safe: bool = True,
            *args: Any,
            **kwargs: Any,
        ) -> None:
            if uuid:
                Document.save(self)
            else:
                super().save(uuid=uuid, validate=validate, safe=safe, *args, **kwargs)  # type: ignore[misc]  # noqa: B026

    connection.register(Thing)
    col.Thing({"name": "x"}).save()
    col.Thing({"name": "y"}).save(True)

    assert col.count_documents({}) == 2


class UserMixin:
    """As Flask-Login's."""

    @property
    def is_active(self) -> bool:
        return True

    def get_id(self) -> str:
        return str(self._id)  # type: ignore[attr-defined]


@pytest.mark.parametrize("bases", [(Document, UserMixin), (UserMixin, Document)])
def test_mixins_stand_on_either_side(
    connection: Connection, col: Collection, bases: tuple[type, ...]
) -> None:
    made: Any = type("User", bases, {"structure": {"name": str}, "use_dot_notation": True})
    connection.register(made)
    user = col.User({"name": "x"})
    user.save()

    assert user.is_active
    assert col.User.find_one().get_id() == str(user["_id"])


def test_unusual_field_names_work(connection: Connection, col: Collection) -> None:
    class Thing(Document):
        structure = {"dc:title": str, "@graph": [dict], "_type": str}
        required_fields = ["dc:title"]
        use_dot_notation = True

    connection.register(Thing)
    thing = col.Thing()
    thing["dc:title"] = "x"
    thing["@graph"] = [{"@id": 1}]
    thing.save()

    assert col.Thing.find_one() == thing
    assert thing._type == "Thing"


def test_the_modules_and_the_cursor_class_are_reachable(
    connection: Connection, col: Collection
) -> None:
    class Thing(Document):
        structure = {"name": str}

    connection.register(Thing)
    result = col.Thing.find()

    assert type(result) == mongokit.cursor.Cursor  # noqa: E721 - as applications write it
    assert cursor.Cursor is mongokit.cursor.Cursor
    assert paginator.Paginator(result).count == 0
    assert isinstance(col.Thing(), Document)


# PyMongo 4.9 warns that the session may end before the cursor.
@pytest.mark.filterwarnings("ignore:use an explicit session with no_cursor_timeout:UserWarning")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_legacy_calls_on_cursors_and_collections(connection: Connection, col: Collection) -> None:
    class Thing(Document):
        structure = {"n": int}

    connection.register(Thing)
    col.insert([{"n": n} for n in range(4)])
    result = col.Thing.find({"n": {"$gte": 0}}, timeout=False).sort("n", -1)

    assert result.count() == 4
    assert result.limit(2).count(True) == 2
    assert sorted(result.clone().distinct("n")) == [0, 1, 2, 3]
    assert [t["n"] for t in result] == [3, 2]
    result.rewind()
    assert type(result.next()) is Thing
    change = col.Thing({"n": 9})
    answer: Any = col.update({"n": 3}, change, upsert=False, multi=False)
    assert answer["n"] == 1
    assert "n" in (col.find_one({"n": 9}) or {})
    ids = col.insert([col.Thing({"n": 20}), col.Thing({"n": 21})])
    assert len(ids) == 2


def test_structures_of_that_time(connection: Connection, col: Collection) -> None:
    class Thing(Document):
        structure = {
            "state": IS(*["new", "done"]),
            "blobs": [dict],
            "points": [(float, float)],
            "pair": (str, str),
            "scores": [{"score": int, "user_id": int}],
            "x": [],
            "config": dict,
            "nested": {"a": int, "b": {"c": str}},
        }
        required_fields = ["config", "state"]
        default_values = {
            "state": "new",
            "config": {"on": True},
            "nested.b.c": "deep",
            "pair": ("a", "b"),
        }

    connection.register(Thing)
    thing = col.Thing()
    thing["points"].append((1.0, 2.0))
    thing["scores"].append({"score": 1, "user_id": 2})
    thing["blobs"] = [{"any": [1]}]
    thing["x"] = [1, "a", None]
    thing.save()

    found = col.Thing.find_one()
    assert found is not None
    found.validate()
    assert found["nested"] == {"a": None, "b": {"c": "deep"}}
    assert found["pair"] == ["a", "b"]


def test_a_collection_has_no_truth_value(col: Collection) -> None:
    with pytest.raises(NotImplementedError):
        bool(col)


def test_private_helpers_keep_working(connection: Connection, col: Collection) -> None:
    from mongokit import Set  # noqa: PLC0415 - beside its only use

    class Thing(Document):
        structure = {"tags": Set(str)}

    connection.register(Thing)
    thing = col.Thing({"tags": {"b", "a"}})

    with pytest.warns(DeprecationWarning, match="_process_custom_type"):
        thing._process_custom_type("bson", thing, thing.structure)
    assert thing["tags"] == ["a", "b"]
    with pytest.warns(DeprecationWarning, match="_process_custom_type"):
        thing._process_custom_type("python", thing, thing.structure)
    assert thing["tags"] == {"a", "b"}
