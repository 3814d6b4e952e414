"""Tokens: they come back as they went, tell nothing, and no other text is one."""

from __future__ import annotations

import base64

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from app.core import page_tokens
from app.core.errors import MalformedRequest
from app.core.page_tokens import Anchor, check_of, mark_of

anchors = st.builds(
    Anchor,
    st.integers(0, 0xFFFF),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.text().map(check_of),
)
several = st.lists(anchors, min_size=1, max_size=3)
orders = st.text().map(mark_of)
tokens = st.builds(page_tokens.write, orders, several)


@given(orders, several)
def test_token_leads_back_and_needs_no_quoting(order: bytes, nearest: list[Anchor]) -> None:
    token = page_tokens.write(order, nearest)

    read = page_tokens.read("after", token)

    assert (read.order, list(read.anchors)) == (order, nearest)
    assert len(token) in (36, 60, 84)
    assert token.replace("-", "").replace("_", "").isalnum()


def test_further_anchors_than_three_are_left_out() -> None:
    nearest = [Anchor(0, ObjectId(), check_of(n)) for n in range(5)]

    read = page_tokens.read("after", page_tokens.write(mark_of("names"), nearest))

    assert list(read.anchors) == nearest[:3]


def test_token_holds_nothing_of_what_is_stored() -> None:
    _id = ObjectId()
    token = page_tokens.write(mark_of("ada"), [Anchor(0, _id, check_of("ada lovelace"))])

    content = base64.urlsafe_b64decode(token)
    # A version, a mark of the order, the run and the _id, two checksums.
    assert content.partition(_id.binary)[0][4:] == b"\0\0"
    assert len(content) == 1 + 3 + 2 + 12 + 4 + 5
    assert b"ada" not in content


@given(tokens, st.integers(0, 83), st.characters())
def test_altered_token_is_refused(token: str, place: int, other: str) -> None:
    place %= len(token)
    altered = token[:place] + other + token[place + 1 :]
    if altered == token:
        return

    with pytest.raises(MalformedRequest, match="after must be"):
        page_tokens.read("after", altered)


@given(tokens, st.integers(0, 83))
def test_cut_token_is_refused(token: str, length: int) -> None:
    with pytest.raises(MalformedRequest, match="after must be"):
        page_tokens.read("after", token[: length % len(token)])


@given(st.text())
def test_text_that_we_did_not_make_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest, match="before must be"):
        page_tokens.read("before", text)
