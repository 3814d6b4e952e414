"""Annotated declarations: they read as if written by hand, and fail when the class is made."""

# mypy: disable-error-code="call-arg, arg-type, misc"
# Type checkers know of keyword arguments alone; here documents are made in every other way too.
# ruff: noqa: DTZ001, S301, UP035 - what the driver gives back is naive; pickles and old names are tried

from __future__ import annotations

import copy
import enum
import math
import pickle
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Dict,
    List,
    Literal,
    NewType,
    Optional,
    Tuple,
    TypedDict,
    Union,
)
from uuid import UUID, uuid4

import bson
import pytest
from annotated_types import Ge, Interval, Len, MaxLen, MinLen, Predicate
from bson import Decimal128, ObjectId

from mongokit import (
    IS,
    OR,
    AnyOf,
    Connection,
    CustomType,
    Document,
    Embedded,
    RequireFieldError,
    SchemaDocument,
    SchemaProperties,
    SchemaTypeError,
    Set,
    StructureError,
    ValidationError,
    field,
    utcnow,
)
from mongokit.types import DateType, DecimalType, EnumType
from mongokit.validators import max_length, min_length, one_of, pattern

if TYPE_CHECKING:
    from mongokit import Database


class Address(Embedded):
    """Where somebody lives.

    Attributes:
        street: The street, with the number.
    """

    street: str
    city: Annotated[str, MaxLen(80)]

    def line(self) -> str:
        return f"{self.street}, {self.city}"


class User(Document):
    __collection__ = "users"
    name: Annotated[str, MinLen(1), MaxLen(50)]
    email: Annotated[str, MaxLen(120)]
    role: Literal["member", "admin"] = "member"
    tags: list[str] = field(default_factory=list)
    address: Address | None = None
    created: datetime = field(default_factory=utcnow)
    indexes = [{"fields": "email", "unique": True}]


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


UserId = NewType("UserId", ObjectId)


@pytest.fixture
def users(connection: Connection, db: Database) -> Any:
    connection.register([User])
    return db.documents(User)


def test_the_declaration_reads_as_if_written_by_hand() -> None:
    assert User.structure == {
        "name": str,
        "email": str,
        "role": IS("member", "admin"),
        "tags": [str],
        "address": Address,
        "created": datetime,
    }
    assert User.required_fields == ["name", "email"]
    assert User.default_values == {"role": "member", "tags": list, "created": utcnow}
    assert User.validators == {
        "name": [min_length(1), max_length(50)],
        "email": max_length(120),
    }
    assert User.use_dot_notation
    assert User.indexes == [{"fields": "email", "unique": True}]


def test_a_new_document_has_its_skeleton_and_defaults() -> None:
    user = User()

    assert isinstance(user.created, datetime)
    assert dict(user) == {
        "name": None,
        "email": None,
        "role": "member",
        "tags": [],
        "address": None,
        "created": user.created,
    }
    assert User().tags is not User().tags


def test_fields_are_given_by_keyword() -> None:
    user = User(name="Ada", email="ada@example.org", tags=["a"])

    assert (user.name, user.tags, user.role) == ("Ada", ["a"], "member")
    assert user.errors() == []


def test_an_unknown_keyword_is_refused_with_the_nearest_name() -> None:
    make: Any = User

    with pytest.raises(TypeError, match=r"unexpected argument 'nmae': did you mean name\?"):
        make(nmae="Ada")


def test_a_classic_class_takes_no_keywords() -> None:
    class Classic(Document):
        structure = {"name": str}

    make: Any = Classic
    with pytest.raises(TypeError, match="unexpected argument 'name'"):
        make(name="Ada")


def test_save_and_read_back(users: Any) -> None:
    user = users(name="Ada", email="ada@example.org", address=Address(street="1", city="London"))
    user.save()

    found = users.find_one({"name": "Ada"})

    assert found == {**user, "created": user.created.replace(tzinfo=None)}
    assert type(found["address"]) is dict
    assert found.address.line() == "1, London"
    assert isinstance(found.address, Address)
    assert found.address is found.address
    found.save()
    assert users.collection.find_one()["address"] == {"street": "1", "city": "London"}


TYPES: list[tuple[Any, Any, Any, Any]] = [
    (str, str, "a", 1),
    (int, int, 3, True),
    (int, int, -(2**63), 2**63),
    (float, float, 1.5, "1.5"),
    (float, float, 1, True),
    (bool, bool, True, 1),
    (bytes, bytes, b"a", "a"),
    (datetime, datetime, datetime(2026, 1, 1), "2026-01-01"),
    (ObjectId, ObjectId, ObjectId(), "65f0c0ffee65f0c0ffee65f0"),
    (UserId, ObjectId, ObjectId(), "65f0c0ffee65f0c0ffee65f0"),
    (UUID, UUID, uuid4(), "x"),
    (Decimal128, Decimal128, Decimal128("1.5"), 1.5),
    (Decimal, DecimalType(), Decimal("1.50"), 1.5),
    (Decimal, DecimalType(), Decimal("1e6144"), Decimal("1" * 35)),
    (Decimal, DecimalType(), Decimal("-0"), Decimal("sNaN")),
    (date, DateType(), date(2026, 1, 1), "2026-01-01"),
    (Color, EnumType(Color), Color.RED, "green"),
    (list, list, [1, "a"], "a"),
    (list[int], [int], [1, 2], ["a"]),
    (list[int], [int], [], [None]),
    (list[int | None], [int], [None], ["a"]),
    (list[list[int]], [[int]], [[1]], [1]),
    (dict, dict, {"a": 1}, []),
    (dict[str, int], {str: int}, {"a": 1}, {"a": "b"}),
    (dict[str, list[int]], {str: [int]}, {"a": [1]}, {"a": 1}),
    (dict[str, Any], {str: None}, {"a": 1, "b": None}, {"a": object()}),
    (set, Set(None), {1, "a"}, "a"),
    (set[str], Set(str), {"a"}, {1}),
    (tuple[float, float], (float, float), [1.5, 2.5], [1.5]),
    (tuple[int, str], (int, str), (1, "a"), (1, 2)),
    (tuple[int, ...], [int], (1, 2, 3), ("a",)),
    (Any, None, {"a": [1]}, object()),
    (int | str, OR(int, str), "a", 1.5),
    (int | str, OR(int, str), 3, True),
    (Literal["a", "b"], IS("a", "b"), "a", "c"),
    (Literal[1, "b"], IS(1, "b"), 1, True),
    (Literal["a"] | Literal["b"], IS("a", "b"), "b", "c"),
    (str | list[str], AnyOf(str, [str]), ["a"], [1]),
    (str | list[str], AnyOf(str, [str]), "a", 1),
    (Address | str, AnyOf(Address, str), {"street": "1", "city": "2"}, {"street": "1"}),
    (Address, Address, {"street": "1", "city": "2"}, {"street": 1, "city": "2"}),
    (list[Address], [Address], [{"street": "1", "city": "2"}], [{"street": "1"}]),
    (dict[str, Address], {str: Address}, {"a": {"street": "1", "city": "2"}}, {"a": {}}),
    (Annotated[str, MaxLen(3)], str, "abc", "abcd"),
    (Annotated[str, pattern("^[a-z]+$")], str, "abc", "abc\n"),
    (Annotated[str, one_of("a", "b")], str, "a", "c"),
    (Annotated[str, Len(2, 3)], str, "ab", "a"),
    (Annotated[int, Interval(gt=0, le=9)], int, 9, 0),
    (Annotated[float, Predicate(math.isfinite)], float, 1.5, float("inf")),
    (Annotated[Decimal, Ge(0)], DecimalType(), Decimal("0.1"), Decimal("-0.1")),
    (list[Annotated[str, MaxLen(3)]], [str], ["abc"], ["abcd"]),
    (dict[str, Annotated[int, Ge(0)]], {str: int}, {"a": 0}, {"a": -1}),
    (Annotated[list[str], MaxLen(1)], [str], ["abcd"], ["a", "b"]),
]


@pytest.mark.parametrize(("annotation", "spec", "good", "bad"), TYPES)
def test_type(annotation: Any, spec: Any, good: Any, bad: Any, db: Database) -> None:
    class Thing(Document):
        value: annotation

    thing = db["things"].documents(Thing)

    assert Thing.structure == {"value": spec}
    assert Thing.required_fields == ["value"]
    fine = thing({"value": good})
    if good != []:
        assert fine.errors() == []
        fine.validate()
        fine.save()
        found = thing.find_one()
        assert found is not None
        assert found["value"] == (list(good) if isinstance(good, tuple) else good)
    wrong = thing({"value": bad})
    assert {failure.path for failure in wrong.errors()} <= {"value", "value.$str", *_below()}
    assert wrong.errors() != []
    with pytest.raises((SchemaTypeError, ValidationError, StructureError, ValueError, Exception)):
        wrong.validate()


def _below() -> set[str]:
    return {f"value{key}.{name}" for key in ("", ".$str") for name in ("street", "city")}


@pytest.mark.parametrize(
    ("annotation", "default", "none_is_fine"),
    [
        (str, "x", False),
        (str | None, None, True),
        (str | None, "x", True),
        (list[str], ["x"], False),
        (list[str] | None, None, True),
        (dict[str, int] | None, None, True),
        (Address | None, None, True),
        (Literal["a", None], None, True),
        (Literal["a"], "a", False),
        (Decimal, Decimal(1), False),
        (Decimal | None, None, True),
        (int | str, 1, False),
        (int | str | None, None, True),
        (str | list[str] | None, None, True),
        (Any, None, True),
    ],
)
def test_none_is_a_value_only_where_the_annotation_says_so(
    annotation: Any, default: Any, none_is_fine: bool
) -> None:
    class Thing(Document):
        value: annotation = default

    assert Thing.required_fields == []
    assert Thing() == {"value": default}
    assert Thing().errors() == []
    errors = Thing({"value": None}).errors()
    assert (errors == []) is none_is_fine
    if not none_is_fine:
        assert [(failure.path, failure.rule) for failure in errors] == [("value", "type")]
        with pytest.raises(SchemaTypeError, match=r"^value must be .* not None"):
            Thing({"value": None}).validate()


def test_a_field_without_default_is_required() -> None:
    with pytest.raises(RequireFieldError, match=r"^name is required$") as caught:
        User(email="a").validate()

    assert [failure.path for failure in caught.value.errors] == ["name"]
    assert [failure.message for failure in User({"email": "a"}).errors()] == ["name is required"]


def test_an_optional_field_without_default_must_be_there_but_may_be_none() -> None:
    class Thing(Document):
        value: str | None
        labels: list[str] | None

    assert Thing() == {"value": None, "labels": None}
    assert Thing().errors() == []
    assert [failure.message for failure in Thing({"labels": None}).errors()] == [
        "value is required"
    ]


def test_a_factory_is_called_for_each_document() -> None:
    count = iter(range(10))

    class Thing(Document):
        number: int = field(default_factory=lambda: next(count))

    assert [Thing().number, Thing().number] == [0, 1]


# Stored data is older than the class.
def test_a_field_that_stored_data_lacks_reads_as_its_default(users: Any) -> None:
    users.collection.insert_one({"name": "Ada", "email": "a"})

    user = users.find_one()

    assert user.role == "member"
    assert user.address is None
    user.tags.append("new")
    user.save()
    assert users.collection.find_one()["tags"] == ["new"]
    assert "role" not in users.collection.find_one()


def test_a_missing_required_field_is_said_to_be_required(users: Any) -> None:
    users.collection.insert_one({"name": "Ada"})
    user = users.find_one()

    assert [failure.message for failure in user.errors()] == ["email is required"]
    with pytest.raises(AttributeError, match="no attribute 'email'"):
        user.email  # noqa: B018
    user.email = "a"
    user.save()


def test_an_undeclared_field_that_was_read_survives_a_save(users: Any) -> None:
    stored = {"name": "Ada", "email": "a", "legacy": 1, "address": {**HOME, "flat": 3}}
    users.collection.insert_one(stored)
    user = users.find_one()

    user.name = "Eva"
    user.address.city = "Paris"
    user.save()

    expected = {**stored, "name": "Eva", "address": {**HOME, "city": "Paris", "flat": 3}}
    assert users.collection.find_one() == expected


HOME = {"street": "1", "city": "London"}


@pytest.mark.parametrize(
    "add",
    [
        lambda user: user.__setitem__("emial", "x"),
        lambda user: user.update(emial="x"),
        lambda user: user.update({"emial": "x"}),
        lambda user: user.update([("emial", "x")]),
        lambda user: user.setdefault("emial", "x"),
        lambda user: user.__ior__({"emial": "x"}),
    ],
)
def test_an_undeclared_field_that_the_program_adds_is_refused(users: Any, add: Any) -> None:
    users.collection.insert_one({"name": "Ada", "email": "a", "legacy": 1})
    user = users.find_one()

    add(user)

    text = "emial is not a field of User: did you mean email?"
    assert [(f.path, f.rule, f.message) for f in user.errors()] == [("emial", "unknown", text)]
    with pytest.raises(StructureError, match=r"^emial is not a field of User"):
        user.save()
    user.reload()
    user.save()


@pytest.mark.parametrize(
    "add",
    [
        lambda user: user.__setitem__("address", {**HOME, "ctiy": 1}),
        lambda user: setattr(user, "address", {**HOME, "ctiy": 1}),
        lambda user: user.address.__setitem__("ctiy", 1),
        lambda user: setattr(user, "address", Address({**HOME, "ctiy": 1})),
    ],
)
def test_an_undeclared_field_inside_an_embedded_document_is_refused(users: Any, add: Any) -> None:
    users.collection.insert_one({"name": "Ada", "email": "a", "address": HOME})
    user = users.find_one()

    add(user)

    assert [failure.message for failure in user.errors()] == [
        "address.ctiy is not a field of Address: did you mean city?"
    ]
    assert [failure.path for failure in user.errors()] == ["address.ctiy"]


def test_a_new_document_has_no_undeclared_fields() -> None:
    user = User({"name": "Ada", "email": "a", "address": {**HOME, "x": 1}, "y": 2})

    assert [failure.path for failure in user.errors()] == ["y", "address.x"]


def test_an_attribute_that_is_no_field_is_refused_at_once() -> None:
    user: Any = User()

    with pytest.raises(AttributeError, match=r"nmae is not a field of User: did you mean name\?"):
        user.nmae = "Ada"
    user._private = 1
    assert user._private == 1
    assert "_private" not in user


# Inheritance, both ways.
def test_an_annotated_class_inherits_from_a_classic_one() -> None:
    class Classic(Document):
        structure = {"title": str, "count": int}
        required_fields = ["title"]
        default_values = {"count": 1}

    class Both(Classic):
        author: str

    thing = Both({"title": "t", "author": "a", "count": None})

    assert Both.structure == {"title": str, "count": int, "author": str}
    assert Both.required_fields == ["title", "author"]
    assert thing.errors() == []
    assert Classic.structure == {"title": str, "count": int}


def test_a_classic_class_inherits_from_an_annotated_one() -> None:
    class Child(User):
        structure = {"phone": str}
        required_fields = ["phone"]

    child = Child(name="Ada", email="a")
    child["phone"] = "1"

    assert list(Child.structure or ()) == [*(User.structure or ()), "phone"]
    assert child.errors() == []
    assert [failure.path for failure in Child({"role": None, "phone": None}).errors()] == [
        "role",
        "name",
        "email",
        "phone",
    ]


def test_a_field_that_is_annotated_anew_says_everything_anew() -> None:
    class Child(User):
        name: str | None = None  # type: ignore[assignment]
        email: Annotated[str, MaxLen(5)] = "x"

    assert Child.required_fields == []
    assert Child.validators == {"email": max_length(5)}
    assert Child.default_values["email"] == "x"
    assert User.required_fields == ["name", "email"]
    assert Child().errors() == []


def test_a_structure_has_the_last_word_on_a_field() -> None:
    class Child(User):
        structure = {"role": str}

    assert Child({"name": "A", "email": "e", "role": None}).errors() == []


# What is no field.
def test_class_variables_options_and_what_the_structure_declares_are_no_fields() -> None:
    class Thing(Document):
        structure: ClassVar[dict[Any, Any]] = {"name": str}
        use_dot_notation: ClassVar[bool] = True
        limit: ClassVar[int] = 3
        _cache: int = 4
        name: str

    assert Thing.structure == {"name": str}
    assert Thing.required_fields == []
    assert Thing.limit == 3
    assert not Thing._said


# Wrong annotations.
class Plain(TypedDict):
    x: int


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (object(), "is no type of a field"),
        (Plain, "declare it as an Embedded class"),
        (Sequence[str], r"use list\[...\]"),
        (frozenset[str], r"use list\[...\]"),
        (dict[int, str], "the keys of a stored dict are str, not int"),
        (complex, "is not an authorized type"),
        (None, "None alone"),
        (set[Address], "of one plain type"),
        (Decimal | str, "a union can't hold Decimal"),
        (User | str, "a union can't hold User"),
        (
            Annotated[int, MaxLen(3)],
            "max_length speaks of text, bytes, lists and dicts, not of int",
        ),
        (Annotated[str, Ge(3)], "ge speaks of numbers and dates, not of str"),
        (Annotated[int, pattern("x")], "pattern speaks of text, not of int"),
        (Literal[Color.RED], "use the Enum itself"),
        (type[int], "is no type of a field"),
        ("Nowhere", "Nowhere.* is not defined here"),
        ("list[", "can't be evaluated"),
    ],
)
def test_a_wrong_annotation_names_class_field_and_reason(annotation: Any, text: str) -> None:
    namespace = {"__annotations__": {"thing": annotation}, "__module__": __name__}

    with pytest.raises(StructureError, match=rf"^Bad\.thing: .*{text}") as caught:
        SchemaProperties("Bad", (Document,), namespace)

    assert caught.value.path == "thing"


@pytest.mark.parametrize("name", ["items", "keys", "find", "save", "collection", "errors", "lang"])
def test_a_field_never_hides_an_attribute_of_the_class(name: str) -> None:
    namespace = {"__annotations__": {name: str}, "__module__": __name__}

    with pytest.raises(StructureError, match=rf"^Bad\.{name}: .* of this name"):
        SchemaProperties("Bad", (Document,), namespace)


def test_none_as_the_default_of_a_type_without_none_is_refused() -> None:
    with pytest.raises(StructureError, match=r"^Bad\.name: None is the default"):

        class Bad(Document):
            name: str = None  # type: ignore[assignment]


def test_a_default_and_a_factory_are_one_too_many() -> None:
    with pytest.raises(TypeError, match="not both"):
        field(default=1, default_factory=int)


# References.
def test_a_document_class_is_a_reference(connection: Connection, db: Database) -> None:
    class Post(Document):
        __collection__ = "posts"
        title: str
        author: User
        reviewer: "User | None" = None  # noqa: UP037
        parent: Post | None = None

    connection.register([User, Post])
    ada = db.documents(User)(name="Ada", email="a")
    ada.save()
    post = db.documents(Post)(title="One", author=ada)
    post.save()
    second = db.documents(Post)(title="Two", author=ada, reviewer=ada, parent=post)
    second.save()

    found = db.documents(Post).find_one({"title": "Two"})

    assert Post.use_autorefs
    assert Post.structure == {"title": str, "author": User, "reviewer": User, "parent": "Post"}
    assert found is not None
    assert found.parent is not None
    assert (found.author.name, found.parent.author.name) == ("Ada", "Ada")
    assert db["posts"].find_one({"title": "Two"})["author"] == ada.get_dbref()  # type: ignore[index]
    assert [failure.path for failure in Post({"title": "x", "author": None}).errors()] == ["author"]


def test_a_class_that_is_defined_later_is_named_in_quotes(
    connection: Connection, db: Database
) -> None:
    class Early(Document):
        __collection__ = "early"
        late: "Late"  # noqa: UP037

    class Late(Document):
        __collection__ = "late"
        name: str

    connection.register([Early, Late])
    late = db.documents(Late)(name="x")
    late.save()
    db.documents(Early)(late=late).save()

    found = db.documents(Early).find_one()

    assert found is not None
    assert found.late.name == "x"


# Custom types.
class Upper(CustomType):
    mongo_type = str
    python_type = str

    def to_bson(self, value: Any) -> Any:
        return value and value.upper()

    def to_python(self, value: Any) -> Any:
        return value and value.lower()


def test_a_custom_type_stands_in_annotated(db: Database) -> None:
    class Thing(Document):
        code: Annotated[str, Upper()]

    things = db["things"].documents(Thing)
    things(code="ab").save()

    assert Thing.structure == {"code": Thing.structure["code"]}  # type: ignore[index]
    assert db["things"].find_one({}, {"_id": 0}) == {"code": "AB"}
    assert things.find_one().code == "ab"  # type: ignore[union-attr]


def test_stored_forms_are_those_of_bson(db: Database) -> None:
    class Thing(Document):
        price: Decimal
        born: date
        color: Color
        colors: list[Color]
        tags: set[str]

    things = db["things"].documents(Thing)
    things(
        price=Decimal("9.90"),
        born=date(2026, 1, 2),
        color=Color.RED,
        colors=[Color.BLUE],
        tags={"b", "a"},
    ).save()

    assert db["things"].find_one({}, {"_id": 0}) == {
        "price": Decimal128("9.90"),
        "born": datetime(2026, 1, 2),
        "color": "red",
        "colors": ["blue"],
        "tags": ["a", "b"],
    }
    found = things.find_one()
    assert found is not None
    assert (found.price, found.born, found.color) == (Decimal("9.90"), date(2026, 1, 2), Color.RED)
    assert found.colors == [Color.BLUE]


def test_an_enum_with_values_that_bson_lacks_is_refused() -> None:
    class Odd(enum.Enum):
        A = object()

    with pytest.raises((StructureError, TypeError), match="no value that BSON has"):

        class Bad(Document):
            odd: Odd


def test_the_id_may_be_annotated(db: Database) -> None:
    class Thing(Document):
        _id: str
        name: str

    things = db["things"].documents(Thing)
    things({"_id": "a", "name": "x"}).save()

    assert things.find_one("a").name == "x"  # type: ignore[union-attr]
    assert [failure.path for failure in things({"_id": 3, "name": "x"}).errors()] == ["_id"]


def test_fields_say_more_than_their_type() -> None:
    class Thing(Document):
        secret: str = field(hidden=True)
        made: datetime = field(default_factory=utcnow, read_only=True, title="Made at")
        size: Annotated[int, field(description="In bytes.", examples=[3])] = 0

    assert Thing.hidden_fields == ["secret"]
    assert Thing.read_only_fields == ["made"]
    assert Thing.field_titles == {"made": "Made at"}
    assert Thing.field_descriptions == {"size": "In bytes."}
    assert Thing.field_examples == {"size": [3]}
    assert Thing.default_values["size"] == 0
    assert Thing.required_fields == ["secret"]


def test_an_annotated_schema_document_needs_no_collection() -> None:
    class Point(SchemaDocument):
        x: float
        y: float = 0.0

    point = Point({"x": 1})

    assert point.errors() == []
    assert Point().y == 0.0


def test_documents_are_encoded_as_the_dicts_that_they_are() -> None:
    user = User(name="Ada", email="a", address=Address(street="1", city="2"), created=utcnow())

    assert bson.decode(bson.encode(user))["address"] == {"street": "1", "city": "2"}
    assert user.created.tzinfo is UTC


def test_an_object_id_is_made_by_the_driver_where_it_is_annotated(db: Database) -> None:
    class Thing(Document):
        _id: ObjectId
        name: str

    things = db["things"].documents(Thing)
    thing = things(name="x")
    thing.save()

    assert isinstance(thing._id, ObjectId)
    assert Thing.required_fields == ["name"]
    assert things.find_one(thing._id) == thing
    assert [failure.path for failure in things({"_id": "a", "name": "x"}).errors()] == ["_id"]


def test_a_structure_that_is_changed_afterwards_counts(connection: Connection) -> None:
    class Thing(Document):
        name: str
        size: int

    assert Thing.structure is not None
    Thing.structure["name"] = bytes
    connection.register([Thing])

    assert Thing({"name": b"x", "size": 1}).errors() == []
    assert [failure.path for failure in Thing({"name": "x", "size": True}).errors()] == [
        "name",
        "size",
    ]


def test_typing_has_other_names_for_the_same(db: Database) -> None:
    class Thing(Document):
        a: Optional[str] = None  # noqa: UP045
        b: Union[int, str] = 1  # noqa: UP007
        c: List[Dict[str, int]] = field(default_factory=list)  # noqa: UP006
        d: Tuple[int, ...] = field(default_factory=list)  # noqa: UP006
        e: Annotated[Optional[str], MaxLen(3)] = None  # noqa: UP045

    assert Thing.structure == {"a": str, "b": OR(int, str), "c": [{str: int}], "d": [int], "e": str}
    assert Thing().errors() == []
    assert [failure.path for failure in Thing({"e": "long", "c": [{"x": "y"}]}).errors()] == [
        "e",
        "c.$str",
    ]


def test_documents_of_annotated_classes_are_pickled_and_copied() -> None:
    user = User(name="Ada", email="a", address=Address(street="1", city="2"))
    user["x"] = 1

    for copied in (pickle.loads(pickle.dumps(user)), copy.copy(user), copy.deepcopy(user)):
        assert copied == user
        assert [failure.path for failure in copied.errors()] == ["x"]


def test_languages_and_annotations_go_together(db: Database) -> None:
    class Book(Document):
        title: Annotated[str, MaxLen(5)]
        i18n = ["title"]

    books = db["books"].documents(Book)
    book = books()
    book.title = "Mouse"
    book.set_lang("fr")
    book.title = "Souris"

    assert [failure.path for failure in book.errors()] == ["title"]
    book.title = "Rat"
    book.save()
    assert books.find_one() == {"_id": book["_id"], "title": {"en": "Mouse", "fr": "Rat"}}


def test_annotated_documents_of_one_collection_know_their_class(
    connection: Connection, db: Database
) -> None:
    class Animal(Document):
        __collection__ = "animals"
        _type: str
        structure = {"_type": str}
        name: str

    class Dog(Animal):
        barks: bool = True

    connection.register([Animal, Dog])
    db.documents(Dog)(name="Rex").save()

    found = db.documents(Animal).find_one()

    assert type(found) is Dog
    assert found.barks


@pytest.mark.parametrize("method", ["copy", "pickle"])
def test_what_a_copy_is_given_afterwards_is_noted_too(users: Any, method: str) -> None:
    users.collection.insert_one({"name": "Ada", "email": "a", "old": 1})
    found = users.find_one()
    copied = copy.copy(found) if method == "copy" else pickle.loads(pickle.dumps(found))

    copied["new"] = 2

    assert [failure.path for failure in copied.errors()] == ["new"]
    assert found.errors() == []
