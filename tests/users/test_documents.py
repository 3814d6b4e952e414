"""The user document: what it refuses, and the form in which it keeps what it takes."""

from __future__ import annotations

import unicodedata
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.users.documents import User, email_address, email_key, tidy
from mongokit import ValidationError, utcnow
from mongokit.validators import max_length


def rules_of(**fields: object) -> list[tuple[str, str]]:
    user = User(name="", email="")
    dict.update(user, tidy({"name": "Ada", "email": "ada@example.org"} | fields))
    return [(failure.path, failure.rule) for failure in user.errors()]


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "Æsa Þórðardóttir",
        "محمد بن سلمان",
        "נֹעַם",
        "அருண்",
        "王小明",
        "한지민",
        "Ọlábísí",
        'Robert "Bob" Smith, Jr.',
        "two\nlines",
        "two\r\nlines\twith a tab",
        "نیم‌فاصله",
        "👩‍👩‍👧",
        "𐐀" * 50,
        "n" * 50,
        "n" * 50 + "  ",
        "$where",
        "a.b",
    ],
)
def test_name_in_any_script_is_taken(name: str) -> None:
    assert rules_of(name=name) == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("n" * 51, "max_length"),
        ("ж" * 51, "max_length"),
        ("", "blank"),
        (" \t\r\n\u3000 ", "blank"),
        ("\u200b\u200d", "blank"),
        ("Ada\0", "characters"),
        ("A\x1b[31mda", "characters"),
        ("A\x7fda", "characters"),
        ("A\x85da", "characters"),
        ("\ud83d", "blank"),
        ("Ada\ud83d", "characters"),
        (None, "required"),
        (b"Ada", "type"),
        (5, "type"),
        (["Ada"], "type"),
        ({"$ne": ""}, "type"),
    ],
)
def test_name_is_refused_by_its_one_rule(name: object, rule: str) -> None:
    assert rules_of(name=name) == [("name", rule)]


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.org",
        "admin@localhost",
        "Ada+news@Example.ORG",
        "o'hara@sub.a-b.example.org",
        "jörg@exämple.org",
        "x@xn--exmple-cua.org",
        "用户@例え.jp",
        "a@company.local",
        "a@shop.test",
        f"{'l' * 64}@{'d' * 43}.example.org",
    ],
)
def test_email_by_the_grammar_is_taken(email: str) -> None:
    assert rules_of(email=email) == []


@pytest.mark.parametrize(
    ("email", "rule"),
    [
        ("ada", "email"),
        ("ada@", "email"),
        ("@example.org", "email"),
        ("ada@@example.org", "email"),
        ("ada@example", "email"),
        ("ada@1.2.3.4", "email"),
        ("ada@[127.0.0.1]", "email"),
        ("ada@example.org.", "email"),
        (".ada@example.org", "email"),
        ("ada@-example.org", "email"),
        ("ada@exam_ple.org", "email"),
        ("a b@example.org", "email"),
        ('"a b"@example.org', "email"),
        ("Ada <ada@example.org>", "email"),
        ("ada@example.org\nbcc: eve@example.org", "email"),
        ("ada\0@example.org", "email"),
        ("ada\ud800@example.org", "email"),
        ("", "blank"),
        ("  ", "blank"),
        (f"ada@{'d' * 55}.{'d' * 50}.example.org", "max_length"),
        ("a" * 1_000_000, "max_length"),
        (None, "required"),
        (b"ada@example.org", "type"),
        ({"$ne": ""}, "type"),
    ],
)
def test_email_is_refused_by_its_one_rule(email: object, rule: str) -> None:
    assert rules_of(email=email) == [("email", rule)]


def test_all_errors_come_at_once() -> None:
    assert rules_of(name="", email="ada") == [("name", "blank"), ("email", "email")]


def test_message_names_the_field_and_the_limit_and_not_the_value() -> None:
    user = User(name="n" * 51, email="ada@example.org")

    with pytest.raises(ValidationError) as caught:
        user.validate()

    assert str(caught.value) == "name must be at most 50 characters long"


def test_max_length_counts_characters_not_bytes() -> None:
    assert max_length(2)("жж")
    with pytest.raises(ValidationError, match="at most 2 characters"):
        max_length(2)("жжж")


def test_new_user_knows_when_it_was_made() -> None:
    created = User(name="Ada", email="ada@example.org").created

    assert created.tzinfo is UTC
    assert created.microsecond % 1000 == 0
    assert utcnow() - created < timedelta(minutes=1)


def test_user_shows_its_name() -> None:
    assert repr(User(name="admin", email="")) == "<User 'admin'>"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", "ADA@Example.ORG"),
        ("ada@example.org", "  ada@example.org\n"),
        ("x@exämple.org", "X@xn--exmple-cua.org"),
        ("jo\u0308rg@example.org", "j\u00f6rg@example.org"),
        ("STRASSE@example.org", "stra\u00dfe@example.org"),
        ("\uff41da@example.org", "ada@example.org"),
        ("admin@LOCALHOST", "admin@localhost"),
    ],
)
def test_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    assert tidy({"email": one})["email_key"] == tidy({"email": other})["email_key"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", "ada@example.com"),
        ("ada@example.org", "a.da@example.org"),
        ("ada@example.org", "ada+news@example.org"),
        ("jorg@example.org", "jörg@example.org"),
    ],
)
def test_different_addresses_have_different_keys(one: str, other: str) -> None:
    assert email_key(one) != email_key(other)


def test_email_keeps_the_case_before_the_at_and_loses_it_behind() -> None:
    assert tidy({"email": " Ada.L@EXAMPLE.org "})["email"] == "Ada.L@example.org"


local_parts = st.text(
    st.sampled_from("abcXYZ0189.!#$%&'*+-/=?^_`{|}~äÖßİıﬁｆ王\u0301"), min_size=1, max_size=20
)
addresses = (
    st.builds(
        "{}@{}".format, local_parts, st.sampled_from(["example.org", "EXÄMPLE.org", "localhost"])
    )
    | st.emails()
)


@given(addresses)
def test_case_and_normal_form_never_make_another_user(address: str) -> None:
    tidied = tidy({"email": address})
    if "email" in dict(rules_of(email=address)):
        return
    local, _, domain = tidied["email"].rpartition("@")

    for spelling in (
        f"{unicodedata.normalize('NFD', local)}@{domain}",
        f"{local}@{domain.upper()}",
        f"{local.casefold()}@{domain}",
    ):
        if email_address(spelling):
            assert email_key(spelling) == tidied["email_key"]
    # What is stored is stable: saved again, it stays as it is.
    assert tidy(tidied) == tidied


@given(st.text())
def test_no_text_breaks_the_checks(text: str) -> None:
    rules = rules_of(name=text, email=text)

    assert {path for path, _ in rules} <= {"name", "email"}
    assert tidy(tidy({"name": text})) == tidy({"name": text})


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=200))
def test_name_is_taken_exactly_when_it_is_visible_and_short(text: str) -> None:
    stored = tidy({"name": text})["name"]
    visible = any(unicodedata.category(char)[0] != "Z" for char in stored)

    assert (rules_of(name=text) == []) == (visible and len(stored) <= 50)
