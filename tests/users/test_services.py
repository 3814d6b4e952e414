"""What can be done with users, and what can't happen to them: on the real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId

from app.core import page_tokens
from app.core.db import db
from app.core.errors import DomainError
from app.core.pagination import PageRequest
from app.users import bulk, documents, services
from app.users.bulk import Row
from app.users.files import format_time
from app.users.listing import ListRequest
from app.users.permissions import OPERATOR
from app.users.services import EmailTaken, UserNotFound, UserRefused
from mongokit import Embedded

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

pytestmark = pytest.mark.usefixtures("declared_as", "app")

ADA = {"name": "Ada", "email": "ada@example.org"}
GRACE = {"name": "Grace", "email": "grace@example.org"}


def stored() -> list[dict[str, Any]]:
    return list(db["users"].find().sort("_id", 1))


def in_threads(app: Flask, calls: list[Callable[[], object]]) -> list[object]:
    """Run all calls at once, each in a context of its own; errors are results."""

    def run(call: Callable[[], object]) -> object:
        with app.app_context():
            try:
                return call()
            except DomainError as error:
                return error

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(run, calls))


def test_created_user_is_found_as_it_was_returned() -> None:
    made = services.create({"name": " Ada ", "email": "Ada@EXAMPLE.org"}, by=OPERATOR)

    found = services.find(made["_id"], by=OPERATOR)
    assert found == made
    assert (found.name, found.email) == ("Ada", "Ada@example.org")


def test_refused_user_is_not_stored_and_every_reason_is_told() -> None:
    with pytest.raises(UserRefused) as caught:
        services.create(
            {"name": "n" * 51, "emial": "ada@example.org", "created": "today"}, by=OPERATOR
        )

    assert [(e["path"], e["rule"]) for e in caught.value.errors] == [
        ("emial", "unknown"),
        ("created", "read_only"),
        ("name", "max_length"),
        ("email", "required"),
    ]
    assert stored() == []


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@example.ORG", " ada@example.org "])
def test_email_is_taken_in_any_spelling(email: str) -> None:
    services.create(ADA, by=OPERATOR)

    with pytest.raises(EmailTaken) as caught:
        services.create({"name": "Eve", "email": email}, by=OPERATOR)

    assert [(e["path"], e["rule"]) for e in caught.value.errors] == [("email", "unique")]
    assert [user["name"] for user in stored()] == ["Ada"]


def test_of_many_who_want_one_email_at_once_exactly_one_gets_it(app: Flask) -> None:
    wanted = [f"user{number % 20}@example.org" for number in range(160)]

    results = in_threads(
        app,
        [
            partial(services.create, {"name": "Ada", "email": email}, by=OPERATOR)
            for email in wanted
        ],
    )

    assert sum(isinstance(result, documents.User) for result in results) == 20
    assert sum(isinstance(result, EmailTaken) for result in results) == 140
    assert {user["email"] for user in stored()} == set(wanted)
    assert len(stored()) == 20


def test_create_sent_twice_by_the_driver_makes_one_user_and_no_error() -> None:
    user = services.create(ADA, by=OPERATOR)

    user.save()  # the same command again, as after an answer that got lost

    assert [found["_id"] for found in stored()] == [user["_id"]]


def test_unknown_id_is_user_not_found() -> None:
    for call in (
        lambda: services.find(ObjectId(), by=OPERATOR),
        lambda: services.change(ObjectId(), {"name": "Ada"}, by=OPERATOR),
        lambda: services.change(ObjectId(), {}, by=OPERATOR),
        lambda: services.remove(ObjectId(), by=OPERATOR),
    ):
        with pytest.raises(UserNotFound):
            call()
    assert stored() == []


def test_change_leaves_the_other_fields_alone() -> None:
    ada = services.create(ADA, by=OPERATOR)

    changed = services.change(ada["_id"], {"name": " Ada Lovelace "}, by=OPERATOR)

    assert changed == ada | {
        "name": "Ada Lovelace",
        "name_key": f"ada lovelace\t{ada['_id']}",
        "shared": 3,
        "version": 2,
    }
    assert services.find(ada["_id"], by=OPERATOR) == changed


def test_changes_of_two_fields_at_once_are_both_there(app: Flask) -> None:
    ids = [
        services.create({"name": "Ada", "email": f"{n}@example.org"}, by=OPERATOR)["_id"]
        for n in range(20)
    ]

    changes = [(_id, {"name": "Grace"}) for _id in ids]
    changes += [(_id, {"email": f"new{n}@example.org"}) for n, _id in enumerate(ids)]
    in_threads(app, [partial(services.change, *change, by=OPERATOR) for change in changes])

    assert [(user["name"], user["email"]) for user in stored()] == [
        ("Grace", f"new{n}@example.org") for n in range(20)
    ]
    # What is made of both is right, whichever of the two came first.
    assert [(_id, result) for _id, result in bulk.refresh(by=OPERATOR) if result != "right"] == []


def test_change_keeps_what_the_declaration_does_not_know() -> None:
    _id = db["users"].insert_one({"name": "Ada", "email": "ada@example.org", "age": 36}).inserted_id

    changed = services.change(_id, {"name": "Grace"}, by=OPERATOR)

    assert changed["age"] == 36


def test_change_of_the_email_moves_the_key_and_frees_the_old_one() -> None:
    ada = services.create(ADA, by=OPERATOR)

    services.change(ada["_id"], {"email": "LOVELACE@example.org"}, by=OPERATOR)

    services.create({"name": "Another", "email": "ada@example.org"}, by=OPERATOR)
    with pytest.raises(EmailTaken):
        services.create({"name": "Another", "email": "lovelace@example.org"}, by=OPERATOR)


def test_change_to_the_email_of_another_is_refused_and_changes_nothing() -> None:
    ada, grace = services.create(ADA, by=OPERATOR), services.create(GRACE, by=OPERATOR)

    with pytest.raises(EmailTaken):
        services.change(grace["_id"], {"name": "Eve", "email": "ADA@example.org"}, by=OPERATOR)

    assert [services.find(user["_id"], by=OPERATOR) for user in (ada, grace)] == [ada, grace]


def test_change_to_another_spelling_of_ones_own_email_is_fine() -> None:
    ada = services.create(ADA, by=OPERATOR)

    assert (
        services.change(ada["_id"], {"email": "ADA@example.org"}, by=OPERATOR).email
        == "ADA@example.org"
    )


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"name": None}, ("name", "required")),
        ({"name": ""}, ("name", "blank")),
        ({"email": {"$ne": ""}}, ("email", "type")),
        ({"created": "2026-01-01T00:00:00Z"}, ("created", "read_only")),
        ({"id": "65f0c0ffee65f0c0ffee65f0"}, ("id", "read_only")),
        ({"email_key": "x"}, ("email_key", "unknown")),
        ({"_id": "x"}, ("_id", "unknown")),
        ({"$set": {"name": "Eve"}}, ("$set", "unknown")),
        ({"name.first": "Eve"}, ("name.first", "unknown")),
    ],
)
def test_refused_change_changes_nothing(values: dict[str, object], refusal: object) -> None:
    ada = services.create(ADA, by=OPERATOR)

    with pytest.raises(UserRefused) as caught:
        services.change(ada["_id"], values, by=OPERATOR)

    assert [(e["path"], e["rule"]) for e in caught.value.errors] == [refusal]
    assert services.find(ada["_id"], by=OPERATOR) == ada


def test_removed_user_is_gone_and_the_email_is_free() -> None:
    ada = services.create(ADA, by=OPERATOR)

    services.remove(ada["_id"], by=OPERATOR)

    with pytest.raises(UserNotFound):
        services.find(ada["_id"], by=OPERATOR)
    assert services.create(ADA, by=OPERATOR)["_id"] != ada["_id"]


def test_listing_goes_through_all_users_in_both_orders() -> None:
    made = [
        services.create({"name": "Ada", "email": f"{n}@example.org"}, by=OPERATOR) for n in range(5)
    ]

    first = services.listing(ListRequest(PageRequest(3)), by=OPERATOR)
    assert first.next is not None
    after = page_tokens.read("after", first.next)
    second = services.listing(ListRequest(PageRequest(3, after=after)), by=OPERATOR)
    newest = services.listing(ListRequest(PageRequest(2), sort="-created"), by=OPERATOR)

    assert first.items + second.items == made
    assert second.next is None
    assert newest.items == [made[4], made[3]]


def rows(*people: tuple[str, str]) -> list[Row]:
    return [
        Row(line, {"name": name, "email": email}) for line, (name, email) in enumerate(people, 2)
    ]


@pytest.mark.parametrize("dry_run", [False, True])
def test_import_says_of_each_row_what_became_of_it(dry_run: bool) -> None:
    services.create(ADA, by=OPERATOR)

    outcomes = bulk.import_rows(
        [
            *rows(
                ("Grace", "grace@example.org"),
                ("Ada", "ADA@example.org"),
                ("Eve", "ada@example.org"),
                ("Grace", "Grace@example.org"),
                ("Eve", "GRACE@example.org"),
                ("", "x"),
            ),
            Row(8, {"name": "Ada", "email": "a@b.org", "age": 36}),
        ],
        dry_run=dry_run,
        by=OPERATOR,
    )

    assert [(o.row.line, o.result, [e["rule"] for e in o.errors]) for o in outcomes] == [
        (2, "stored", []),
        (3, "present", []),
        (4, "refused", ["unique"]),
        (5, "present", []),
        (6, "refused", ["unique"]),
        (7, "refused", ["blank", "email"]),
        (8, "refused", ["unknown"]),
    ]
    assert [user["name"] for user in stored()] == (["Ada"] if dry_run else ["Ada", "Grace"])


@pytest.mark.parametrize("dry_run", [False, True])
def test_import_sees_doubles_across_batches(dry_run: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 2)
    people = [("Ada", f"{n % 4}@example.org") for n in range(12)]

    results = [o.result for o in bulk.import_rows(rows(*people), dry_run=dry_run, by=OPERATOR)]

    assert results == ["stored"] * 4 + ["present"] * 8


def test_imports_of_one_file_at_once_store_each_user_once(app: Flask) -> None:
    people = rows(*((f"Ada {n}", f"{n}@example.org") for n in range(300)))

    results = in_threads(app, [lambda: list(bulk.import_rows(people, by=OPERATOR))] * 4)

    found = [outcome.result for outcomes in results for outcome in outcomes]  # type: ignore[attr-defined]
    assert (found.count("stored"), found.count("present")) == (300, 900)
    assert len(stored()) == 300


def test_import_without_the_unique_index_is_refused(app: Flask) -> None:
    db["users"].drop_indexes()

    with pytest.raises(bulk.IndexesMissing, match="flask db sync"):
        list(bulk.import_rows(rows(("Ada", "ada@example.org")), by=OPERATOR))

    assert stored() == []


def test_import_reads_rows_as_it_goes() -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield Row(taken, {"name": "Ada", "email": f"{taken}@example.org"})

    outcomes = bulk.import_rows(endless(), dry_run=True, by=OPERATOR)
    assert next(outcomes).result == "stored"

    assert taken == bulk.BATCH


def test_export_is_in_the_order_of_making_and_shows_no_key() -> None:
    made = [services.create(values, by=OPERATOR) for values in (GRACE, ADA)]

    assert list(bulk.export_rows(by=OPERATOR)) == [
        {
            "name": user.name,
            "email": user.email,
            "role": "member",
            "created": format_time(user.created),
        }
        for user in made
    ]


def test_export_has_users_from_before_the_declaration() -> None:
    db["users"].insert_one({"name": "Old"})

    assert list(bulk.export_rows(by=OPERATOR)) == [
        {"name": "Old", "email": None, "role": "member", "created": None}
    ]


class Home(Embedded):
    street: str
    city: str


class Housed(documents.User):
    home: Home | None = None


@pytest.fixture
def housed(declared_as: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A user with an embedded document."""
    monkeypatch.setattr(documents, "User", Housed)
    return services.create({**ADA, "home": {"street": "1", "city": "London"}}, by=OPERATOR)


@pytest.mark.parametrize(
    ("change", "home"),
    [
        ({"home": {"city": "Rome"}}, {"street": "1", "city": "Rome"}),
        ({"home": {"street": "2", "city": "Rome"}}, {"street": "2", "city": "Rome"}),
        ({"home": None}, None),
        ({"name": "Eva"}, {"street": "1", "city": "London"}),
    ],
)
def test_part_of_an_embedded_document_is_merged(
    housed: dict[str, Any], change: dict[str, Any], home: object
) -> None:
    changed = services.change(housed["_id"], change, by=OPERATOR)

    assert changed["home"] == home
    assert stored()[0]["home"] == home


class Contract(Embedded):
    title: str
    price: Decimal
    since: date


class Engaged(documents.User):
    contract: Contract | None = None


def test_part_beside_values_that_are_stored_in_another_form_is_merged(
    declared_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "User", Engaged)
    contract = {"title": "A", "price": "9.90", "since": "2026-01-02"}
    made = services.create({**ADA, "contract": contract}, by=OPERATOR)

    services.change(made["_id"], {"contract": {"title": "B"}}, by=OPERATOR)
    changed = services.change(made["_id"], {"contract": {"since": "2026-02-03"}}, by=OPERATOR)

    assert changed["contract"] == {
        "title": "B",
        "price": Decimal("9.90"),
        "since": date(2026, 2, 3),
    }


def test_refused_part_of_an_embedded_document_is_named_by_its_path(housed: dict[str, Any]) -> None:
    with pytest.raises(UserRefused) as caught:
        services.change(housed["_id"], {"home": {"city": 3, "x": 1}}, by=OPERATOR)

    assert [error["path"] for error in caught.value.errors] == ["home.x", "home.city"]
    assert stored()[0]["home"] == {"street": "1", "city": "London"}


def test_parts_of_an_embedded_document_changed_at_once_all_stay(
    app: Flask, housed: dict[str, Any]
) -> None:
    parts = [{"home": {name: str(n)}} for n in range(10) for name in ("street", "city")]

    def change_until_done(part: dict[str, Any]) -> None:
        while True:
            try:
                services.change(housed["_id"], part, by=OPERATOR)
            except services.UserChanged:
                continue
            return

    results = in_threads(app, [partial(change_until_done, part) for part in parts[-2:]])

    assert results == [None, None]
    assert stored()[0]["home"] == {"street": "9", "city": "9"}


OLD = [
    {"_id": ObjectId("65f0c0ffee65f0c0ffee65f0"), "name": "Ada", "email": "ada@example.org"},
    {"_id": ObjectId("65f0c0ffee65f0c0ffee65f1"), "name": "Grace", "email": None},
    {"_id": ObjectId("65f0c0ffee65f0c0ffee65f2"), "age": 36},
]


@pytest.fixture
def _without_index() -> None:
    """As before the keys: users who lack them would collide in the unique index."""
    db["users"].drop_indexes()


@pytest.mark.usefixtures("_without_index")
@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_refresh_sets_what_older_users_lack_and_nothing_the_second_time(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", batch)
    db["users"].insert_many([dict(user) for user in OLD])
    new = services.create(GRACE, by=OPERATOR)

    results = [result for _, result in bulk.refresh(by=OPERATOR)]

    assert results == ["set", "set", "set", "right"]
    ada, grace, nobody, last = stored()
    assert ada == services.find(ada["_id"], by=OPERATOR) | {
        "name": "Ada",
        "email": "ada@example.org",
        "email_key": "ada@example.org",
        "name_key": f"ada\t{ada['_id']}",
        "shared": 3,
        "role": "member",
        "epoch": 0,
        "version": 0,
    }
    assert (grace["name_key"], grace["role"]) == (f"grace\t{grace['_id']}", "member")
    assert nobody == OLD[2] | {"role": "member", "epoch": 0, "version": 0}
    assert last == new
    assert [result for _, result in bulk.refresh(by=OPERATOR)] == ["right"] * 4
    assert len(services.listing(ListRequest(role="member"), by=OPERATOR).items) == 4


def test_refresh_corrects_what_others_wrote_and_keeps_what_they_may_write() -> None:
    ada = services.create({**ADA, "role": "admin"}, by=OPERATOR)
    wrong = {"name": "Eve", "name_key": "x", "shared": "y", "email_key": "z", "age": 3}
    db["users"].update_one({"_id": ada["_id"]}, {"$set": wrong})

    assert list(bulk.refresh(by=OPERATOR)) == [(ada["_id"], "set")]

    found = stored()[0]
    assert found == ada | {
        "name": "Eve",
        "name_key": f"eve\t{ada['_id']}",
        "shared": 0,
        "age": 3,
    }


def test_refresh_names_whoever_has_the_address_of_another() -> None:
    services.create(ADA, by=OPERATOR)
    second = ObjectId()
    db["users"].insert_one(
        {"_id": second, "name": "Eve", "email": "ADA@example.org", "email_key": "old"}
    )
    third = services.create(GRACE, by=OPERATOR)
    db["users"].update_one({"_id": third["_id"]}, {"$unset": {"role": ""}})

    for others in ("set", "right"):
        assert list(bulk.refresh(by=OPERATOR))[1:] == [
            (second, "taken"),
            (third["_id"], others),
        ]
    found = stored()[1]
    assert (found["email_key"], found["role"]) == ("old", "member")
    assert found["name_key"] == f"eve\t{second}"


def test_refresh_leaves_a_user_to_the_change_that_came_meanwhile() -> None:
    _id = db["users"].insert_one({"name": "Ada", "email": "ada@example.org"}).inserted_id
    changes = {_id: {"name_key": "old"}}

    services.change(_id, {"name": "Eve"}, by=OPERATOR)
    bulk._set_all([{"_id": _id, "name": "Ada", "email": "ada@example.org"}], changes)

    assert services.find(_id, by=OPERATOR)["name_key"] == f"eve\t{_id}"
