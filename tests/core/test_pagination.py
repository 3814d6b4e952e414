"""Pages by key: complete, in order, and bounded in what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from app.core import page_tokens
from app.core.errors import MalformedRequest
from app.core.page_tokens import Anchor, check_of, mark_of
from app.core.pagination import Page, PageRequest
from app.core.runs import Order, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection

    Documents = Collection[dict[str, Any]]

OLDEST, NEWEST = Order("oldest", (Run(),)), Order("newest", (Run(descending=True),))
NAMES = Order("names", (Run("name"),))
# Those of the first group that begin with "a", by name; then others that begin with it, by title.
GROUPS = Order(
    "groups",
    (Run("name", {"group": 1}, begins="a"), Run("title", among={"group": [2, 3]}, begins="a")),
)


class Commands(CommandListener):
    """The commands that were sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def started(self, event: Any) -> None:
        self.sent.append(event.command)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


@pytest.fixture
def commands() -> Commands:
    """What was sent to the server."""
    return Commands()


@pytest.fixture
def things(mongodb_uri: str, database_name: str, commands: Commands) -> Iterator[Documents]:
    """An empty collection."""
    with MongoClient[dict[str, Any]](mongodb_uri, event_listeners=[commands]) as client:
        yield client[database_name].things


def named(things: Documents, *names: str, **more: object) -> list[ObjectId]:
    documents: list[dict[str, Any]] = [{"_id": ObjectId(), "name": each, **more} for each in names]
    things.insert_many(documents)
    return [each["_id"] for each in documents]


def read(things: Documents, order: Order, **args: str) -> Page[dict[str, Any]]:
    return PageRequest.from_args(args).read(things.find, order)


def there_and_back(
    things: Documents, order: Order, limit: int
) -> tuple[list[Page[Any]], list[Page[Any]]]:
    """All pages, by `next` from the first one and by `previous` from the last one."""
    there = [read(things, order, limit=str(limit))]
    while (token := there[-1].next) is not None:
        there.append(read(things, order, limit=str(limit), after=token))
    back = [there[-1]]
    while (token := back[0].previous) is not None:
        back.insert(0, read(things, order, limit=str(limit), before=token))
    return there, back


def names_of(pages: list[Page[Any]]) -> str:
    return " ".join(each["name"] for page in pages for each in page.items)


@pytest.mark.parametrize(("stored", "sizes"), [(0, [0]), (3, [3]), (4, [3, 1]), (6, [3, 3])])
def test_pages_hold_every_document_once_in_order(
    things: Documents, stored: int, sizes: list[int]
) -> None:
    ids = [ObjectId() for _ in range(stored)]
    if ids:
        things.insert_many({"_id": _id} for _id in reversed(ids))

    pages, _ = there_and_back(things, OLDEST, 3)

    assert [len(page.items) for page in pages] == sizes
    assert [document["_id"] for page in pages for document in page.items] == sorted(ids)


def test_next_page_goes_on_where_its_first_document_was_removed(things: Documents) -> None:
    ids = [ObjectId() for _ in range(4)]
    things.insert_many({"_id": _id} for _id in ids)

    first = read(things, OLDEST, limit="2")
    things.delete_many({"_id": {"$in": ids[1:3]}})
    assert first.next is not None
    second = read(things, OLDEST, limit="2", after=first.next)

    assert (second.items, second.next) == ([{"_id": ids[3]}], None)


@pytest.mark.parametrize("order", [OLDEST, NEWEST])
def test_previous_leads_back_through_the_same_pages(things: Documents, order: Order) -> None:
    things.insert_many({"_id": ObjectId()} for _ in range(7))

    there, back = there_and_back(things, order, 3)

    ids = [document["_id"] for page in there for document in page.items]
    assert ids == sorted(ids, reverse=order is NEWEST)
    # Seven by threes: the last page has one, and those before it are whole from the end too.
    assert [page.items for page in back] == [page.items for page in there]
    assert there[0].previous is None
    assert back[-1].next is None


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
def test_runs_come_one_after_the_other_and_each_begins_where_the_one_before_ends(
    things: Documents, limit: int
) -> None:
    named(things, "ab", "b", "aa", "ac", group=1)
    things.insert_many(
        {"name": name, "title": title, "group": group}
        for name, title, group in [("2b", "ab", 2), ("2a", "a", 3), ("-", "b", 2), ("-", "a!", 4)]
    )

    there, back = there_and_back(things, GROUPS, limit)

    assert names_of(there) == "aa ab ac 2a 2b"
    assert names_of(back) == "aa ab ac 2a 2b"
    assert all(len(page.items) == limit for page in there[:-1])


def test_text_is_ordered_by_its_characters_numbers(things: Documents) -> None:
    names = ["z", "\ufffd", "\U00010000", "\U0010ffff" * 100, "ä", "a\tb", "a b", "a"]
    named(things, *names)

    pages, _ = there_and_back(things, NAMES, 3)

    assert [each["name"] for page in pages for each in page.items] == sorted(names)


def test_document_without_the_key_is_not_listed(things: Documents) -> None:
    named(things, "a", "b")
    things.insert_many([{}, {"name": None}, {"name": 5}])

    there, back = there_and_back(things, NAMES, 1)

    assert (names_of(there), names_of(back)) == ("a b", "a b")


@pytest.mark.parametrize("gone", [["c"], ["c", "b"], ["a", "b"]])
@pytest.mark.parametrize("how", ["removed", "renamed"])
@pytest.mark.parametrize("limit", [1, 3])
def test_place_is_that_of_the_nearest_document_that_still_stands_there(
    things: Documents, limit: int, how: str, gone: list[str]
) -> None:
    named(things, "a", "b", "c", "d", "e")
    page = read(things, NAMES, limit=str(limit))
    while names_of([page])[-1] != "c":
        assert page.next is not None
        page = read(things, NAMES, limit=str(limit), after=page.next)
    assert page.next is not None

    if how == "removed":
        things.delete_many({"name": {"$in": gone}})
    else:
        things.update_many(
            {"name": {"$in": gone}}, [{"$set": {"name": {"$concat": ["z", "$name"]}}}]
        )

    found = read(things, NAMES, limit="2", after=page.next)
    assert names_of([found]) == "d e"


def test_place_at_the_beginning_of_a_run_goes_back_to_the_run_before(things: Documents) -> None:
    named(things, "aa", "ab", group=1)
    things.insert_many({"name": f"2{t}", "title": f"a{t}", "group": 2} for t in "ab")
    page = read(things, GROUPS, limit="3")
    assert names_of([page]) == "aa ab 2a"
    assert page.next is not None

    things.delete_one({"name": "2a"})

    assert names_of([read(things, GROUPS, after=page.next)]) == "2b"


def test_token_of_which_no_document_is_left_is_refused_with_the_way_out(things: Documents) -> None:
    named(things, "a", "b", "c", "d")
    page = read(things, NAMES, limit="3")
    assert page.next is not None
    things.delete_many({"name": {"$in": ["a", "b", "c"]}})

    with pytest.raises(MalformedRequest, match="begin again without after") as caught:
        read(things, NAMES, after=page.next)

    assert caught.value.errors[0]["rule"] == "cursor"


def test_token_of_another_order_is_refused(things: Documents) -> None:
    named(things, "a", "b")
    token = read(things, NAMES, limit="1").next
    assert token is not None

    for order in (OLDEST, GROUPS, Order("other names", NAMES.runs)):
        with pytest.raises(MalformedRequest, match="before must be a token of the same list"):
            read(things, order, before=token)


def test_made_up_place_of_the_right_order_is_refused(things: Documents) -> None:
    [_id] = named(things, "b", group=1)
    for run, name in [(2, "b"), (0, "b"), (1, "b")]:  # no such run; not of the run; without the key
        token = page_tokens.write(mark_of("groups"), [Anchor(run, _id, check_of(name))])
        with pytest.raises(MalformedRequest):
            read(things, GROUPS, after=token)


def test_page_costs_a_fixed_number_of_commands_each_of_them_bounded(
    things: Documents, commands: Commands
) -> None:
    named(things, *(f"a{n}" for n in range(50)), group=1)
    things.insert_many({"title": f"a{n}", "group": 2} for n in range(50))
    token = read(things, GROUPS, limit="40").next
    assert token is not None

    costs = []
    for order, args, most in [
        (OLDEST, {}, 1),
        (NAMES, {}, 1),
        (GROUPS, {"limit": "60"}, 2),
        (GROUPS, {"limit": "60", "after": token}, 3),
        (GROUPS, {"limit": "5", "before": token}, 2),
    ]:
        commands.sent.clear()
        read(things, order, **args)
        costs.append((len(commands.sent), most))
        for command in commands.sent:
            assert set(command) >= {"find", "limit"}
            assert 0 < command["limit"] <= int(args.get("limit", 20)) + 1
            assert not {"skip", "$or", "$regex"} & {*command, *command["filter"]}

    assert [sent for sent, _ in costs] == [most for _, most in costs]


def test_links_keep_the_other_arguments_and_replace_the_place() -> None:
    links = Page([], "N", "P").links("/api/things", {"q": "a&b=ä", "limit": "5", "after": "A"})

    assert links == (
        '</api/things?q=a%26b%3D%C3%A4&limit=5>; rel="first", '
        '</api/things?q=a%26b%3D%C3%A4&limit=5&before=P>; rel="prev", '
        '</api/things?q=a%26b%3D%C3%A4&limit=5&after=N>; rel="next"'
    )
    assert Page([], None).links("/api/things", {}) == '</api/things>; rel="first"'


def test_after_and_before_together_are_refused() -> None:
    token = page_tokens.write(mark_of("names"), [Anchor(0, ObjectId(), check_of("a"))])

    with pytest.raises(MalformedRequest, match="beside"):
        PageRequest.from_args({"after": token, "before": token})


def test_limit_is_20_unless_given_and_100_at_most() -> None:
    assert PageRequest.from_args({}) == PageRequest(20)
    assert PageRequest.from_args({"limit": "100"}).limit == 100


@pytest.mark.parametrize(
    "text", ["0", "101", "-1", "+5", "1.0", "", " 5", "ten", "\u0665", "9" * 50]
)
def test_limit_out_of_range_or_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(MalformedRequest, match="limit must be") as caught:
        PageRequest.from_args({"limit": text})

    assert caught.value.code == 400
    assert caught.value.errors[0]["path"] == "limit"
