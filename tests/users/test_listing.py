"""Lists of users: complete and in order whatever happens meanwhile, against a plain reference."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.monitoring import CommandListener

from app.core.db import db
from app.core.errors import MalformedRequest
from app.users import services
from app.users.documents import email_key, search_key, tidy
from app.users.listing import ListRequest
from app.users.permissions import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

pytestmark = pytest.mark.usefixtures("declared_as", "app")

# Few, so that many are alike; with all that names, and orders of names, may be confused by.
NAMES = [
    "Ada",
    "ADA",
    "ada b",
    "Ada  B",
    "Adam",
    "a",
    "Äda",
    "Straße",
    "STRASSE",
    "a.*",
    "\U0001f600",
]
LOCALS = ["ada", "Ada.b", "a", "ad", "strasse", "x", "a.*", "äda"]
SORTS = ["created", "-created", "name", "-name", "email", "-email"]
QUERIES = ["a", "ad", "ADA", "ada b", "strass", "a.*", ".*", "$", "x", "ä", "zz"]

people = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(LOCALS), st.sampled_from(["member", "admin"])
)
lists = st.fixed_dictionaries({}, optional={"role": st.sampled_from(["member", "admin"])}).flatmap(
    lambda args: st.sampled_from([{"sort": s} for s in SORTS] + [{"q": q} for q in QUERIES]).map(
        lambda more: args | more
    )
)
events = st.lists(
    st.one_of(
        st.tuples(st.just("add"), people),
        st.tuples(st.just("remove"), st.integers(0, 99)),
        st.tuples(st.just("rename"), st.integers(0, 99)),
        st.none(),
    ),
    max_size=12,
)


class Crowd:
    """Users as they are stored, and which of them have been there unchanged all the time."""

    def __init__(self) -> None:
        db["users"].delete_many({})
        self.users: dict[ObjectId, dict[str, Any]] = {}
        self.changed: set[ObjectId] = set()
        self.number = 0

    def add(self, name: str, local: str, role: str) -> None:
        self.number += 1
        email = f"{local}{self.number}@example.org"
        user = tidy({"_id": ObjectId(), "name": name, "email": email, "role": role})
        db["users"].insert_one(user)
        self.users[user["_id"]] = user
        self.changed.add(user["_id"])

    def happen(self, event: Any) -> None:
        """Let one thing happen between two pages."""
        match event:
            case ("add", person):
                self.add(*person)
            case (what, index) if self.users:
                _id = list(self.users)[index % len(self.users)]
                self.changed.add(_id)
                if what == "remove":
                    with suppress(services.LastAdmin):
                        services.remove(_id, by=OPERATOR)
                        del self.users[_id]
                else:
                    services.change(_id, {"name": NAMES[index % len(NAMES)]}, by=OPERATOR)

    def listed(self, sort: str = "created", role: str | None = None, q: str = "") -> list[ObjectId]:
        """The plain reference: everybody is looked at, and sorted."""
        found = [user for user in self.users.values() if role in (None, user["role"])]
        if q:
            q = search_key(q)
            by_name = [user for user in found if search_key(user["name"]).startswith(q)]
            by_email = [user for user in found if email_key(user["email"]).startswith(q)]
            by_name.sort(key=lambda user: (search_key(user["name"]), user["_id"]))
            by_email.sort(key=lambda user: email_key(user["email"]))
            return [u["_id"] for u in by_name + [u for u in by_email if u not in by_name]]
        key: Callable[[dict[str, Any]], Any] = {
            "created": lambda user: user["_id"],
            "name": lambda user: (search_key(user["name"]), user["_id"]),
            "email": lambda user: email_key(user["email"]),
        }[sort.removeprefix("-")]
        return [u["_id"] for u in sorted(found, key=key, reverse=sort.startswith("-"))]


def walk(
    crowd: Crowd, args: dict[str, str], limit: int, happening: list[Any], *, backwards: bool
) -> list[ObjectId] | None:
    """All that is shown from one end to the other; None if nothing was left of a place."""
    wanted = args | {"limit": str(limit)}
    if backwards:
        page = services.listing(ListRequest.from_args(wanted), by=OPERATOR)
        while page.next is not None:
            page = services.listing(
                ListRequest.from_args(wanted | {"after": page.next}), by=OPERATOR
            )
    else:
        page = services.listing(ListRequest.from_args(wanted), by=OPERATOR)
    seen = [user["_id"] for user in page.items]
    remaining = iter(happening)
    while (token := page.previous if backwards else page.next) is not None:
        crowd.happen(next(remaining, None))
        place = {"before" if backwards else "after": token}
        try:
            page = services.listing(ListRequest.from_args(wanted | place), by=OPERATOR)
        except MalformedRequest:
            # Right if everybody nearest to the place is gone or was renamed.
            near = seen[:3] if backwards else seen[-3:]
            assert {*near} <= crowd.changed
            return None
        assert len(page.items) <= limit
        found = [user["_id"] for user in page.items]
        seen = found + seen if backwards else seen + found
        assert len(seen) < 100, "it goes round in circles"
    return seen


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(
    crowd_of=st.lists(people, max_size=12),
    args=lists,
    limit=st.integers(1, 5),
    happening=events,
    backwards=st.booleans(),
)
def test_who_is_there_all_the_time_is_shown_once_and_in_order(
    crowd_of: list[tuple[str, str, str]],
    args: dict[str, str],
    limit: int,
    happening: list[Any],
    backwards: bool,
) -> None:
    crowd = Crowd()
    for person in crowd_of:
        crowd.add(*person)
    crowd.changed.clear()
    before = crowd.listed(**args)

    quiet = walk(crowd, args, limit, [], backwards=backwards)
    seen = walk(crowd, args, limit, happening, backwards=backwards)

    assert quiet == before
    if seen is not None:
        stayed = [_id for _id in before if _id not in crowd.changed]
        assert [_id for _id in seen if _id not in crowd.changed] == stayed


def ids(**args: str) -> list[ObjectId]:
    return [
        user["_id"] for user in services.listing(ListRequest.from_args(args), by=OPERATOR).items
    ]


def test_search_finds_by_name_first_and_then_by_email_alone() -> None:
    people = [
        ("Grace", "ada@example.org"),
        ("Ada Lovelace", "lovelace@example.org"),
        ("Ada", "ada.b@example.org"),
        ("Canada", "x@example.org"),
        ("Ad", "Adam@example.org"),
    ]
    made = [
        services.create({"name": name, "email": email}, by=OPERATOR)["_id"]
        for name, email in people
    ]

    assert ids(q=" ADA ") == [made[2], made[1], made[0], made[4]]
    assert ids(q="ada@") == [made[0]]
    assert ids(q="ada  love") == [made[1]]
    assert ids(q="   ") == made


@pytest.mark.parametrize("q", [".*", "^a", "[a-z]", "$where", "{", "\\", "a|b", '"', "*"])
def test_what_is_searched_for_is_text_and_no_pattern(q: str) -> None:
    services.create({"name": "Ada", "email": "ada@example.org"}, by=OPERATOR)

    assert ids(q=q) == []
    literal = services.create({"name": f"{q}!", "email": "x@example.org"}, by=OPERATOR)
    assert ids(q=q) == [literal["_id"]]


def test_search_of_the_longest_text_works_whatever_it_becomes() -> None:
    made = services.create(
        {"name": "\ufdfa" * 50, "email": "x@example.org"}, by=OPERATOR
    )  # 18 letters each

    assert ids(q="\ufdfa" * 40) == [made["_id"]]
    assert ids(q="\U0010ffff" * 40) == []


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"q": "a" * 41}, ("q", "max_length")),
        ({"q": "a\0"}, ("q", "characters")),
        ({"q": "\n"}, ("q", "characters")),
        ({"q": "a", "sort": "-name"}, ("sort", "search")),
        ({"q": "a", "sort": "created"}, ("sort", "search")),
        ({"q": "a", "sort": "x"}, ("sort", "search")),
        ({"sort": ""}, ("sort", "choice")),
        ({"sort": "email_key"}, ("sort", "choice")),
        ({"role": "Admin"}, ("role", "choice")),
        ({"fields": ""}, ("fields", "choice")),
        ({"fields": "name,email_key"}, ("fields", "choice")),
        ({"fields": "name,_id"}, ("fields", "choice")),
    ],
)
def test_what_can_not_be_asked_for_is_refused_by_name(
    args: dict[str, str], error: tuple[str, str]
) -> None:
    with pytest.raises(MalformedRequest) as caught:
        ListRequest.from_args(args)

    assert [(e["path"], e["rule"]) for e in caught.value.errors] == [error]


def test_name_may_be_said_beside_q_and_any_order_beside_a_blank_one() -> None:
    assert ListRequest.from_args({"q": "a", "sort": "name"}).q == "a"
    assert ListRequest.from_args({"q": " ", "sort": "-email"}).sort == "-email"


def test_token_of_another_sort_role_or_search_is_refused() -> None:
    for n in range(3):
        services.create({"name": "Ada", "email": f"ada{n}@example.org"}, by=OPERATOR)
    lists: list[dict[str, str]] = [
        *({"sort": sort} for sort in SORTS),
        *({"q": q} for q in ("a", "ad")),
        *({"q": "a", "role": "member"}, {"role": "member"}),
    ]
    pages = [
        services.listing(ListRequest.from_args(args | {"limit": "1"}), by=OPERATOR)
        for args in lists
    ]

    for args in lists:
        for page, of in zip(pages, lists, strict=True):
            assert page.next is not None
            wanted = ListRequest.from_args(args | {"after": page.next})
            if args == of:
                assert len(services.listing(wanted, by=OPERATOR).items) == 2
            else:
                with pytest.raises(MalformedRequest, match="the same list"):
                    services.listing(wanted, by=OPERATOR)


class _Commands(CommandListener):
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def started(self, event: Any) -> None:
        if event.command_name in {"find", "aggregate", "count", "getMore"}:
            self.sent.append(event.command)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


@pytest.mark.parametrize("role", [{}, {"role": "member"}])
@pytest.mark.parametrize("wanted", [*({"sort": sort} for sort in SORTS), {"q": "ada"}])
def test_each_command_of_a_list_is_served_whole_by_a_declared_index(
    make_app: Callable[..., Flask], wanted: dict[str, str], role: dict[str, str]
) -> None:
    commands = _Commands()
    app = make_app(MONGODB_OPTIONS={"event_listeners": [commands]})
    with app.app_context():
        for n in range(30):
            services.create(
                {"name": f"Ada {n % 3}" if n % 2 else "x", "email": f"ada{n}@a.org"}, by=OPERATOR
            )
        page = services.listing(ListRequest.from_args(wanted | role | {"limit": "10"}), by=OPERATOR)
        assert page.next is not None
        commands.sent.clear()

        services.listing(ListRequest.from_args(wanted | role | {"after": page.next}), by=OPERATOR)

        declared = db["users"].index_information().values()
        indexes = [[name for name, _ in index["key"]] for index in declared]
    by_id = wanted.get("sort", "").endswith("created")
    assert len(commands.sent) == (1 if by_id else 3 if "q" in wanted else 2)
    for command in commands.sent:
        assert {"find", "limit"} <= set(command)
        assert 0 < command["limit"] <= 21
        fields = list(command["filter"])
        [key] = command.get("sort", {"_id": 1})
        # Equality first, in the order of the index; then the key, by which it is also bounded.
        assert [*(name for name in fields if name != key), key] in indexes
        assert "$" not in "".join(fields)


def test_shared_tells_an_email_match_that_is_a_name_match_too() -> None:
    user = services.create({"name": "Ada  B", "email": "ADA@example.org"}, by=OPERATOR)

    assert (user["name_key"], user["shared"]) == (f"ada b\t{user['_id']}", 3)
    assert services.change(user["_id"], {"email": "a@example.org"}, by=OPERATOR)["shared"] == 1
    assert services.change(user["_id"], {"name": "A@exam"}, by=OPERATOR)["shared"] == 6
    changed = services.change(user["_id"], {"name": "B", "email": "b@b.org"}, by=OPERATOR)
    assert (changed["name_key"], changed["shared"]) == (f"b\t{user['_id']}", 1)
