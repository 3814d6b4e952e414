"""Pages by key: complete, in order, and deaf to tokens that are not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient

from app.core.errors import MalformedRequest
from app.core.pagination import Page, PageRequest, make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection

    Documents = Collection[dict[str, Any]]

object_ids = st.binary(min_size=12, max_size=12).map(ObjectId)


@pytest.fixture
def things(mongodb_uri: str, database_name: str) -> Iterator[Documents]:
    """An empty collection."""
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        yield client[database_name].things


def read(things: Documents, args: dict[str, str]) -> Page[dict[str, Any]]:
    return read_request(things, PageRequest.from_args(args))


def read_request(things: Documents, wanted: PageRequest) -> Page[dict[str, Any]]:
    return wanted.page(things.find(wanted.filter()).sort(wanted.sort()).limit(wanted.limit + 1))


@pytest.mark.parametrize(("stored", "sizes"), [(0, [0]), (3, [3]), (4, [3, 1]), (6, [3, 3])])
def test_pages_hold_every_document_once_in_order(
    things: Documents, stored: int, sizes: list[int]
) -> None:
    ids = [ObjectId() for _ in range(stored)]
    if ids:
        things.insert_many({"_id": _id} for _id in reversed(ids))

    pages = [read(things, {"limit": "3"})]
    while (token := pages[-1].next) is not None:
        pages.append(read(things, {"limit": "3", "after": token}))

    assert [len(page.items) for page in pages] == sizes
    assert [document["_id"] for page in pages for document in page.items] == sorted(ids)


def test_next_page_goes_on_where_its_first_document_was_removed(things: Documents) -> None:
    ids = [ObjectId() for _ in range(4)]
    things.insert_many({"_id": _id} for _id in ids)

    first = read(things, {"limit": "2"})
    things.delete_many({"_id": {"$in": ids[1:3]}})
    assert first.next is not None
    second = read(things, {"limit": "2", "after": first.next})

    assert (second.items, second.next) == ([{"_id": ids[3]}], None)


@pytest.mark.parametrize("newest_first", [False, True])
def test_previous_leads_back_through_the_same_pages(things: Documents, newest_first: bool) -> None:
    things.insert_many({"_id": ObjectId()} for _ in range(7))

    wanted = PageRequest(3, newest_first=newest_first)
    there = [read_request(things, wanted)]
    while (token := there[-1].next) is not None:
        wanted = PageRequest.from_args({"limit": "3", "after": token}, newest_first=newest_first)
        there.append(read_request(things, wanted))
    back = [there[-1]]
    while (token := back[0].previous) is not None:
        wanted = PageRequest.from_args({"limit": "3", "before": token}, newest_first=newest_first)
        back.insert(0, read_request(things, wanted))

    ids = [document["_id"] for page in there for document in page.items]
    assert ids == sorted(ids, reverse=newest_first)
    # Seven by threes: the last page has one, and those before it are whole from the end too.
    assert [page.items for page in back] == [page.items for page in there]
    assert there[0].previous is None
    assert back[-1].next is None


def test_after_and_before_together_are_refused() -> None:
    token = make_token(ObjectId())

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


@given(object_ids)
def test_token_leads_back_to_its_id_and_needs_no_quoting(last: ObjectId) -> None:
    token = make_token(last)

    assert PageRequest.from_args({"after": token}).after == last
    assert len(token) == 24
    assert token.replace("-", "").replace("_", "").isalnum()


@given(object_ids, st.integers(0, 23), st.characters())
def test_altered_token_is_refused(last: ObjectId, place: int, other: str) -> None:
    token = make_token(last)
    altered = token[:place] + other + token[place + 1 :]
    if altered == token:
        return

    with pytest.raises(MalformedRequest, match="after must be"):
        PageRequest.from_args({"after": altered})


@given(object_ids, st.integers(0, 23))
def test_cut_token_is_refused(last: ObjectId, length: int) -> None:
    with pytest.raises(MalformedRequest, match="after must be"):
        PageRequest.from_args({"after": make_token(last)[:length]})


@given(st.text())
def test_text_that_we_did_not_make_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest, match="after must be"):
        PageRequest.from_args({"after": text})
