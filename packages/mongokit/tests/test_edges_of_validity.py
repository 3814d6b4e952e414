"""Places where validation, its compiled form and the rules of `validators` must not drift apart."""

# mypy: disable-error-code="call-arg, arg-type, misc"
# ruff: noqa: DTZ001 - what the driver gives back is naive

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from bson import Decimal128

from mongokit import NOT, Connection, Document, Embedded, Set
from mongokit.types import EnumType
from mongokit.validators import Constraint, ge, lt, multiple_of, one_of, pattern

if TYPE_CHECKING:
    from mongokit import Database


class Part(Embedded):
    name: str


class Classic(Document):
    structure = {"part": Part, "parts": [Part]}


def is_valid(doc: Any) -> bool:
    """What `errors()` says, after `validate()` has said the same."""
    try:
        doc.validate()
    except Exception:  # noqa: BLE001 - that it raises is what counts
        assert doc.errors()
        return False
    assert doc.errors() == []
    return True


def test_what_the_program_adds_to_an_embedded_document_is_refused_in_a_classic_one_too() -> None:
    assert not is_valid(Classic({"part": {"name": "a", "nmae": 1}, "parts": []}))
    assert not is_valid(Classic({"part": None, "parts": [{"name": "a", "nmae": 1}]}))


def test_what_was_read_stays_valid_inside_a_classic_document(
    connection: Connection, db: Database
) -> None:
    connection.register([Classic])
    db["things"].insert_one({"part": {"name": "a", "old": 1}, "parts": []})

    found = db["things"].documents(Classic).find_one()

    assert found is not None
    assert is_valid(found)
    made = db["things"].documents(Classic)({"part": {"name": "a", "old": 1}, "parts": []})
    assert not is_valid(made)


@pytest.mark.parametrize("kind", [list[int] | None, dict | None, dict[str, int] | None])
def test_a_required_list_or_dict_is_not_empty_where_none_would_do(kind: Any) -> None:
    namespace = {"__annotations__": {"x": kind}, "__module__": __name__}
    thing: Any = type(Document)("Thing", (Document,), namespace)

    assert is_valid(thing({"x": None}))
    assert not is_valid(thing({"x": [] if kind == list[int] | None else {}}))


def test_operators_refuse_an_int_that_bson_cannot_hold() -> None:
    class Thing(Document):
        structure = {"x": NOT(str)}

    assert is_valid(Thing({"x": 2**63 - 1}))
    assert not is_valid(Thing({"x": 2**63}))


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (one_of(Decimal(1)), Decimal128("1.0"), Decimal128("2")),
        (one_of(Decimal128("1")), Decimal(1), Decimal(2)),
        (multiple_of(0.5), 1e300, 1.3),
        (multiple_of(0.1), 0.3, 0.35),
        (multiple_of(3), Decimal("3E+40"), Decimal("1E+40")),
        (multiple_of(Decimal("0.5")), Decimal128("1.5"), Decimal("Infinity")),
        (ge(1), Decimal128("1"), Decimal("NaN")),
        (ge(Decimal128("1.5")), 2, Decimal128("1")),
        (ge(datetime(2026, 1, 2)), date(2026, 1, 2), date(2026, 1, 1)),
        (lt(date(2026, 1, 2)), datetime(2026, 1, 1, 23, tzinfo=UTC), datetime(2026, 1, 2)),
        (pattern("^a$|^b$"), "a", "a\n"),
        (pattern(r"^[$]\$$"), "$$", "$$\n"),
    ],
)
def test_a_constraint_compares_what_can_be_compared(rule: Constraint, good: Any, bad: Any) -> None:
    assert rule(good)
    with pytest.raises(Exception, match="%s must"):
        rule(bad)


def test_true_is_no_member_of_an_enum_of_numbers() -> None:
    class Size(enum.Enum):
        S = 1

    assert EnumType(Size).to_python(1) is Size.S
    assert EnumType(Size).to_python(True) is True


def test_a_stored_list_that_is_no_set_is_read_and_refused(db: Database) -> None:
    class Thing(Document):
        structure = {"tags": Set(str)}

    db["things"].insert_one({"tags": [["a"]]})

    found = db["things"].documents(Thing).find_one()

    assert found == {"_id": found["_id"], "tags": [["a"]]}  # type: ignore[index]
    assert not is_valid(found)
