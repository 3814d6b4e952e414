"""Section 11: auth.User: passwords in 80 characters, old ones too."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from mongokit import Collection, Connection, Database, RequireFieldError
from mongokit.auth import User, hash_password, verify

CHEAP = (10, 1, 1)


class Member(User):
    password_cost = CHEAP


def sha1(password: str, salt: str = "") -> str:
    """What classic MongoKit stored: the salt, then the SHA-1 of password and salt."""
    salt = salt or hashlib.sha1(b"some random bytes", usedforsecurity=False).hexdigest()
    salted = (password + salt).encode()
    return salt + hashlib.sha1(salted, usedforsecurity=False).hexdigest()


@pytest.fixture
def members(connection: Connection, db: Database) -> Collection:
    """A collection of members."""
    connection.register([Member])
    return db["members"]


def stored(members: Collection) -> Any:
    """What the database holds."""
    return members.find_one()


def ada(members: Collection) -> Any:
    """A new member."""
    member = members.Member()
    member.login = "ada"
    member.email = "ada@example.org"
    member.password = "u$ser_p4$$w0rd"
    return member


def test_login_is_the_id_too_and_deleting_it_sets_none(members: Collection) -> None:
    member = ada(members)
    assert member.login == "ada"
    assert member["_id"] == "ada"
    assert member["user"]["login"] == "ada"

    del member.login

    assert member.login is None
    assert member["_id"] is None


def test_email_reads_writes_and_deletes(members: Collection) -> None:
    member = ada(members)
    assert member.email == member["user"]["email"] == "ada@example.org"
    del member.email
    assert member.email is None


def test_setting_a_password_hashes_it(members: Collection) -> None:
    member = ada(members)

    assert "u$ser" not in str(dict(member))
    assert member.password == member["user"]["password"]
    assert member.password.startswith("scrypt$")


def test_deleting_a_password_sets_none(members: Collection) -> None:
    member = ada(members)
    del member.password
    assert member.password is None
    assert member.verify_password("") is False
    member.password = "x"
    member.password = None
    assert member.password is None


def test_what_is_stored_is_80_characters_long() -> None:
    for cost in (CHEAP, (14, 8, 5), (10, 9, 9)):
        assert len(hash_password("x", cost)) == 80
    assert len(hash_password("", CHEAP)) == len(hash_password("é" * 1000, CHEAP)) == 80


def test_the_default_cost_is_a_recommended_one_and_stands_in_the_text() -> None:
    stored = hash_password("correct horse")

    assert stored.startswith("scrypt$14.8.5$")
    assert verify("correct horse", stored)
    assert User.password_cost == (14, 8, 5)


def test_the_same_password_is_stored_differently_each_time() -> None:
    assert hash_password("x", CHEAP) != hash_password("x", CHEAP)


def test_verify_password_tells_right_from_wrong(members: Collection) -> None:
    member = ada(members)

    assert member.verify_password("u$ser_p4$$w0rd") is True
    for wrong in ("bla", "", "u$ser_p4$$w0rd ", "U$SER_P4$$W0RD", b"bla"):
        assert member.verify_password(wrong) is False
    assert member.verify_password(b"u$ser_p4$$w0rd") is True


def test_a_saved_user_verifies_after_it_was_read(members: Collection) -> None:
    ada(members).save()

    member = members.Member.get_from_id("ada")

    assert member.login == "ada"
    assert member.verify_password("u$ser_p4$$w0rd")
    assert not member.verify_password("bla")


def test_email_and_password_are_required(members: Collection) -> None:
    member = ada(members)
    del member.password
    with pytest.raises(RequireFieldError, match=r"user\.password is required"):
        member.save()
    member.password = "x"
    del member.email
    with pytest.raises(RequireFieldError, match=r"user\.email is required"):
        member.save()


def test_an_old_sha1_hash_is_verified() -> None:
    stored = sha1("secret")
    assert len(stored) == 80

    assert verify("secret", stored)
    assert not verify("Secret", stored)
    assert not verify("secret", stored[:-1] + ("0" if stored[-1] != "0" else "1"))


def test_an_old_sha1_hash_of_a_password_beyond_ascii_is_verified() -> None:
    assert verify("pässwörd", sha1("pässwörd"))


def test_the_salt_may_stand_on_either_side() -> None:
    salt = "0123456789" * 4
    after = hashlib.sha1((salt + "secret").encode(), usedforsecurity=False).hexdigest()

    assert verify("secret", salt + after)
    assert verify("secret", after + salt)
    assert verify("secret", sha1("secret", salt)[40:] + salt)


def test_an_old_hash_is_replaced_when_the_right_password_is_given(members: Collection) -> None:
    old = sha1("secret")
    members.insert_one(
        {"_id": "bob", "user": {"login": "bob", "password": old, "email": "b@example.org"}}
    )
    member = members.Member.find_one()

    assert member.verify_password("wrong") is False
    assert member.password == old
    assert stored(members)["user"]["password"] == old

    assert member.verify_password("secret") is True
    assert member.password.startswith("scrypt$")
    assert stored(members)["user"]["password"] == member.password
    assert members.Member.find_one().verify_password("secret")


def test_a_hash_of_another_cost_is_replaced_too(members: Collection) -> None:
    member = ada(members)
    member["user"]["password"] = hash_password("x", (11, 1, 1))
    member.save()

    assert member.verify_password("x")

    assert stored(members)["user"]["password"].startswith("scrypt$10.1.1$")


def test_a_hash_of_the_same_cost_is_not_replaced(members: Collection) -> None:
    member = ada(members)
    member.save()
    before = member.password

    member.verify_password("u$ser_p4$$w0rd")

    assert member.password == before
    assert stored(members)["user"]["password"] == before


def test_replacing_an_old_hash_stores_nothing_else(members: Collection) -> None:
    members.insert_one(
        {"_id": "bob", "user": {"login": "bob", "password": sha1("s"), "email": "b@example.org"}}
    )
    member = members.Member.find_one()
    member.email = "unsaved@example.org"
    members.update_one({"_id": "bob"}, {"$set": {"newer": 1}})

    member.verify_password("s")

    assert stored(members)["user"]["email"] == "b@example.org"
    assert stored(members)["newer"] == 1


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(members: Collection) -> None:
    members.insert_one(
        {"_id": "bob", "user": {"login": "bob", "password": sha1("old"), "email": "b@example.org"}}
    )
    member = members.Member.find_one()
    newer = members.Member.find_one()
    newer.password = "new"
    newer.save()

    assert member.verify_password("old")

    assert members.Member.find_one().verify_password("new")


def test_an_old_document_is_read_changed_and_saved(members: Collection) -> None:
    old: dict[str, Any] = {
        "_id": "bob",
        "user": {"login": "bob", "password": sha1("s"), "email": "b@example.org"},
    }
    members.insert_one(old)
    member = members.Member.find_one()
    member.validate()
    member.email = "new@example.org"

    member.save()

    assert members.find_one() == {**old, "user": {**old["user"], "email": "new@example.org"}}


def test_a_user_without_collection_verifies_and_rehashes_in_memory() -> None:
    member = Member()
    member["user"]["password"] = sha1("s")

    assert member.verify_password("s")
    assert member.password.startswith("scrypt$")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "x",
        "0" * 79,
        "G" * 80,
        "scrypt$99.8.5$" + "A" * 22 + "$" + "A" * 43,
        "scrypt$10.0.0$" + "A" * 22 + "$" + "A" * 43,
        "scrypt$14.8.5$" + "A" * 22,
    ],
)
def test_a_malformed_stored_password_never_verifies(stored: str) -> None:
    assert verify("x", stored) is False


def test_a_cost_that_does_not_fit_is_a_value_error() -> None:
    for cost in ((9, 8, 1), (21, 8, 1), (14, 0, 1), (14, 8, 10)):
        with pytest.raises(ValueError, match="password_cost"):
            hash_password("x", cost)


def test_properties_hold_under_dot_notation(db: Database, connection: Connection) -> None:
    @connection.register
    class Dotted(Member):
        use_dot_notation = True

    member = db.members.Dotted()
    member.login = "ada"
    member.email = "ada@example.org"
    member.password = "x"
    member.save()

    found = db.members.Dotted.find_one()
    assert found.user.login == found.login == "ada"
    assert found.verify_password("x")


def test_a_password_that_is_no_text_is_refused() -> None:
    account = Member()
    wrong: Any = 5

    with pytest.raises(TypeError, match="password must be a text, not int"):
        account.password = wrong
