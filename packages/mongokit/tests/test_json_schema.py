"""JSON Schemas of classes: what they say, mode by mode."""

# mypy: disable-error-code="call-arg, arg-type, misc"

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from annotated_types import Ge, Interval, Len, MaxLen, MinLen
from bson import DBRef, ObjectId
from jsonschema import Draft202012Validator

from mongokit import IS, NOT, OR, AnyOf, Document, Embedded, SchemaDocument, Set, field, utcnow
from mongokit.jsonschema import definitions
from mongokit.labels import descriptions_of, summary_of, title_of
from mongokit.validators import (
    email,
    gt,
    max_length,
    min_length,
    multiple_of,
    one_of,
    pattern,
    unique_items,
    url,
)

MODES: tuple[Literal["store", "create", "update", "read"], ...] = (
    *("store", "create"),
    *("update", "read"),
)
TEXT = {"type": "string"}
INTEGER = {"type": "integer"}


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(Embedded):
    """Where somebody lives.

    Attributes:
        street: The street,
            with the number.
        city (str): The city.
    """

    street: str
    city: Annotated[str, MaxLen(80)]
    note: str = field(default="", hidden=True)


def not_blank(value: str) -> bool:
    """Something must show. Spaces don't."""
    return bool(value.strip())


class User(Document):
    """A user of the shop.

    More about it.

    Attributes:
        name: What to call them.
    """

    name: Annotated[str, MinLen(1), MaxLen(50), not_blank]
    mail: Annotated[str, email(), field(examples=["ada@example.org"])]
    password: str = field(hidden=True)
    created_at: datetime = field(default_factory=utcnow, read_only=True)
    role: Literal["member", "admin"] = "member"
    home: Address | None = None
    homes: list[Address] = field(default_factory=list)


def only(structure: Any, mode: Any = "create", **options: Any) -> Any:
    """The schema of a class's field `x`, without its title."""
    cls: Any = type("Thing", (Document,), {"structure": {"x": structure}, **options})
    schema = dict(cls.json_schema(mode)["properties"]["x"])
    assert schema.pop("title") == "X"
    return schema


def annotated(annotation: Any, mode: Any = "create") -> Any:
    """The same of an annotated class, whose field is required."""
    namespace = {"__annotations__": {"x": annotation}, "__module__": __name__}
    cls: Any = type(Document)("Thing", (Document,), namespace)
    schema = dict(cls.json_schema(mode)["properties"]["x"])
    assert schema.pop("title") == "X"
    return schema


@pytest.mark.parametrize(
    ("spec", "schema"),
    [
        (str, {"type": ["string", "null"]}),
        (int, {"type": ["integer", "boolean", "null"]}),
        (float, {"type": ["number", "null"]}),
        (datetime, {"type": ["string", "null"], "format": "date-time"}),
        (UUID, {"type": ["string", "null"], "format": "uuid"}),
        (ObjectId, {"type": ["string", "null"], "pattern": "^[0-9a-fA-F]{24}$"}),
        (dict, {"type": ["object", "null"]}),
        (None, {}),
        ([], {"type": "array"}),
        ([str], {"type": "array", "items": {"type": ["string", "null"]}}),
        ({str: str}, {"type": "object", "additionalProperties": {"type": ["string", "null"]}}),
        (
            Set(int),
            {
                "type": ["array", "null"],
                "items": {"type": ["integer", "boolean"]},
                "uniqueItems": True,
            },
        ),
        (OR(int, str), {"type": ["integer", "string", "null"]}),
        (OR(int, float), {"type": ["number", "null"]}),
        (NOT(int, str), {"not": {"type": ["integer", "string"]}}),
        (NOT(float), {"not": {"type": "number", "not": {"type": "integer"}}}),
        (NOT(datetime), {}),
        (IS("a", 1), {"type": ["string", "integer", "null"], "enum": ["a", 1, None]}),
        (
            AnyOf(str, [str]),
            {
                "anyOf": [
                    TEXT,
                    {"type": "array", "items": {"type": ["string", "null"]}},
                    {"type": "null"},
                ]
            },
        ),
    ],
)
def test_a_spec_as_a_schema(spec: Any, schema: Any) -> None:
    assert only(spec) == schema


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, TEXT),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (str | None, {"type": ["string", "null"]}),
        (date, {"type": "string", "format": "date"}),
        (Color, {"type": "string", "enum": ["red", "blue"]}),
        (Literal["a", None], {"type": ["string", "null"], "enum": ["a", None]}),
        (list[str], {"type": "array", "items": TEXT, "minItems": 1}),
        (
            list[Annotated[str, MaxLen(3)]],
            {"type": "array", "items": {**TEXT, "maxLength": 3}, "minItems": 1},
        ),
        (
            dict[str, int],
            {"type": "object", "additionalProperties": INTEGER, "minProperties": 1},
        ),
        (set[str], {"type": "array", "items": TEXT, "uniqueItems": True}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, TEXT],
                "items": False,
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (Annotated[str, Len(2, 3)], {**TEXT, "minLength": 2, "maxLength": 3}),
        (
            Annotated[list[str], MaxLen(3)],
            {"type": "array", "items": TEXT, "maxItems": 3, "minItems": 1},
        ),
        (Annotated[dict, MinLen(2)], {"type": "object", "minProperties": 2}),
        (Annotated[str, pattern("^a$")], {**TEXT, "pattern": "^a$"}),
        (Annotated[str, one_of("a", "b")], {**TEXT, "enum": ["a", "b"]}),
        (Annotated[str | None, one_of("a")], {"type": ["string", "null"], "enum": ["a", None]}),
        (
            Annotated[int, Interval(gt=0, le=9)],
            {"type": "integer", "exclusiveMinimum": 0, "maximum": 9},
        ),
        (Annotated[float, multiple_of(0.5)], {"type": "number", "multipleOf": 0.5}),
        (
            Annotated[list[int], unique_items()],
            {"type": "array", "items": INTEGER, "uniqueItems": True, "minItems": 1},
        ),
        (Any, {"minItems": 1, "minProperties": 1}),
    ],
)
def test_an_annotation_as_a_schema(annotation: Any, schema: Any) -> None:
    assert annotated(annotation) == schema


def test_formats_come_with_a_pattern() -> None:
    mail, web = annotated(Annotated[str, email()]), annotated(Annotated[str, url()])

    assert (mail["format"], web["format"]) == ("email", "uri")
    assert Draft202012Validator(mail).is_valid("ada@example.org")
    assert not Draft202012Validator(web).is_valid("ftp://example.org")


def test_what_no_keyword_says_is_said_in_words() -> None:
    assert annotated(Annotated[Decimal, Ge(0)])["description"] == "Also: must be at least 0."
    assert annotated(Annotated[bytes, MaxLen(4)])["maxLength"] == 8
    assert (
        annotated(Annotated[bytes, MaxLen(4)])["description"]
        == "Also: must be at most 4 bytes long."
    )
    assert annotated(Annotated[str, not_blank])["description"] == "Also: Something must show."
    assert annotated(Annotated[datetime, gt(datetime(2026, 1, 1))])["description"] == (  # noqa: DTZ001
        "Also: must be greater than 2026-01-01 00:00:00."
    )
    assert annotated(Annotated[str, lambda value: True])["description"] == (
        "Also: a check of its own."
    )
    assert annotated(list[Annotated[str, not_blank]])["description"] == (
        "Also: each item: Something must show."
    )


def test_bounds_of_64_bits_are_for_stored_documents() -> None:
    assert annotated(int, "store") == {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert only(int, "store") == {"type": ["integer", "boolean", "null"]}


def test_the_whole_of_a_class() -> None:
    schema = User.json_schema("create")

    assert (schema["title"], schema["description"]) == ("User", "A user of the shop.")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["name", "mail"]
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == ["name", "mail", "role", "home", "homes"]
    assert schema["properties"]["name"] == {
        **TEXT,
        "minLength": 1,
        "maxLength": 50,
        "title": "Name",
        "description": "What to call them. Also: Something must show.",
    }
    assert schema["properties"]["mail"]["examples"] == ["ada@example.org"]
    assert schema["properties"]["role"]["default"] == "member"
    assert schema["properties"]["home"] == {
        "anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}],
        "title": "Home",
    }
    assert schema["$defs"] == {
        "Address": {
            "type": "object",
            "title": "Address",
            "description": "Where somebody lives.",
            "properties": {
                "street": {
                    **TEXT,
                    "title": "Street",
                    "description": "The street, with the number.",
                },
                "city": {**TEXT, "maxLength": 80, "title": "City", "description": "The city."},
            },
            "required": ["street", "city"],
            "additionalProperties": False,
        }
    }


def test_each_mode_has_its_fields() -> None:
    store, read = User.json_schema("store"), User.json_schema("read")
    update = User.json_schema("update")

    assert list(store["properties"])[:4] == ["_id", "name", "mail", "password"]
    assert store["required"] == ["name", "mail", "password"]
    assert "password" not in read["properties"]
    assert read["required"] == ["_id", "name", "mail"]
    assert read["properties"]["_id"] == {"title": "Id", "readOnly": True}
    assert read["properties"]["created_at"] == {
        **TEXT,
        "format": "date-time",
        "title": "Created at",
        "readOnly": True,
    }
    assert "required" not in update
    assert list(update["properties"]) == ["name", "mail", "role", "home", "homes"]


def test_a_part_of_a_document_is_a_merge_patch() -> None:
    update = Draft202012Validator(User.json_schema("update"))

    assert update.is_valid({})
    assert update.is_valid({"home": {"city": "Paris"}})
    assert not update.is_valid({"homes": [{"city": "Paris"}]})  # lists are replaced as a whole
    assert not update.is_valid({"name": None})
    assert not update.is_valid({"created_at": "2026-01-01T00:00:00Z"})


@pytest.mark.parametrize("mode", MODES)
def test_schemas_are_schemas_of_the_dialect(mode: Any) -> None:
    Draft202012Validator.check_schema(User.json_schema(mode))


def test_definitions_may_stand_elsewhere() -> None:
    there = "#/components/schemas/{name}Read"

    schema = User.json_schema("read", ref_template=there)

    assert schema["properties"]["homes"]["items"] == {"$ref": "#/components/schemas/AddressRead"}
    assert "$defs" not in schema
    assert "$schema" not in schema
    assert list(definitions(User, "read", ref_template=there)) == ["Address"]
    assert "note" not in definitions(User, "read")["Address"]["properties"]


def test_two_embedded_classes_of_one_name_are_told_apart() -> None:
    other: Any = type("Address", (SchemaDocument,), {"structure": {"zip": str}})

    class Both(Document):
        structure = {"a": Address, "b": other, "c": [other]}

    schema = Both.json_schema()

    assert list(schema["$defs"]) == ["Address", "Address2"]
    assert schema["properties"]["c"]["items"]["anyOf"][0] == {"$ref": "#/$defs/Address2"}


def test_classic_required_fields_are_strict_and_not_empty() -> None:
    class Thing(Document):
        structure = {"a": {"b": str, "c": int}, "tags": [str], "more": {"x": str}}
        required_fields = ["a.b", "tags", "more"]
        default_values = {"tags": ["x"]}

    store, create = Thing.json_schema("store"), Thing.json_schema("create")

    assert store["required"] == ["a", "tags", "more"]
    assert store["properties"]["a"]["required"] == ["b", "c"]
    assert store["properties"]["a"]["properties"]["b"]["type"] == "string"
    assert store["properties"]["tags"]["minItems"] == 1
    assert create["required"] == ["a", "more"]
    assert create["properties"]["a"]["required"] == ["b"]
    assert create["properties"]["more"]["minProperties"] == 1


def test_a_schemaless_class_leaves_documents_open() -> None:
    class Thing(Document):
        structure = {"a": str, "b": {"c": int}}
        required_fields = ["a"]
        use_schemaless = True

    schema = Thing.json_schema()

    assert schema["required"] == ["a"]
    assert "additionalProperties" not in schema
    assert "additionalProperties" not in schema["properties"]["b"]


def test_an_outer_class_speaks_of_what_is_inside() -> None:
    class Outer(Document):
        structure = {"home": Address, "rooms": [{"name": str}]}
        required_fields = ["home.note", "rooms.name"]
        validators = {"home.street": max_length(5), "rooms.name": [min_length(2), not_blank]}
        field_titles = {"home.street": "Road"}

    schema = Outer.json_schema("store")["properties"]

    assert schema["home"]["required"] == ["street", "city", "note"]
    assert schema["home"]["type"] == "object"
    assert schema["home"]["properties"]["street"]["maxLength"] == 5
    assert schema["home"]["properties"]["street"]["title"] == "Road"
    assert schema["rooms"]["items"]["properties"]["name"] == {
        **TEXT,
        "minLength": 2,
        "title": "Name",
        "description": "Also: Something must show.",
    }


def test_languages_and_references() -> None:
    class Book(Document):
        structure = {"title": str, "owner": User}
        i18n = ["title"]
        validators = {"title": max_length(9)}
        use_autorefs = True

    schema = Book.json_schema("create")["properties"]

    assert schema["title"]["additionalProperties"] == {"type": ["string", "null"], "maxLength": 9}
    owner = Draft202012Validator(schema["owner"])
    assert owner.is_valid({"$ref": "users", "$id": 3, "$db": "shop"})
    assert not owner.is_valid({"$ref": "users"})
    assert only(DBRef)["required"] == ["$ref", "$id"]


def test_two_rules_of_one_kind_both_hold() -> None:
    schema = annotated(Annotated[str, pattern("a"), pattern("b"), one_of("ab"), one_of("ab", "b")])

    check = Draft202012Validator(schema).is_valid
    assert check("ab")
    assert not check("b")


def test_texts_come_from_names_and_docstrings() -> None:
    class Child(User):
        """A child."""

        structure = {"nick_name": str}
        field_titles = {"nick_name": "Nickname", "name": "Full name"}
        field_descriptions = {"mail": "Where to write."}

    schema = Child.json_schema()["properties"]

    assert summary_of(Child) == "A child."
    assert descriptions_of(Child)["name"] == "What to call them."
    assert schema["name"]["title"] == "Full name"
    assert schema["name"]["description"].startswith("What to call them.")
    assert schema["nick_name"]["title"] == "Nickname"
    assert schema["mail"]["description"] == "Where to write."
    assert (title_of("URL"), title_of("user_ID"), title_of("_")) == ("URL", "User ID", "_")


def test_defaults_that_are_no_plain_values_stay_out() -> None:
    class Thing(Document):
        made: datetime = field(default_factory=utcnow)
        tags: list[str] = field(default_factory=list)
        color: Color = Color.RED
        born: date = date(2026, 1, 2)

    schema = Thing.json_schema("create")["properties"]

    assert "default" not in schema["made"]
    assert "default" not in schema["tags"]
    assert schema["color"]["default"] == "red"
    assert schema["born"]["default"] == "2026-01-02"
