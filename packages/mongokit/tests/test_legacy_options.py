"""Options of PyMongo 2 become options of PyMongo 4."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from bson.son import SON
from pymongo import CursorType, MongoClient, ReadPreference, WriteConcern
from pymongo.errors import ConfigurationError
from pymongo.read_preferences import Nearest, Secondary, SecondaryPreferred

from mongokit.legacy import (
    translate_client_options,
    translate_find,
    with_find_options,
    write_concern_from,
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"max_pool_size": 5}, {"maxPoolSize": 5}),
        ({"network_timeout": 1.5}, {"socketTimeoutMS": 1500}),
        ({"network_timeout": None}, {"socketTimeoutMS": None}),
        ({"slave_okay": True}, {"read_preference": SecondaryPreferred()}),
        ({"slave_okay": False}, {}),
        ({"safe": True}, {}),
        ({"safe": False}, {"w": 0}),
        ({"safe": False, "w": 2}, {"w": 2}),
        ({"auto_start_request": True, "use_greenlets": True}, {}),
        ({"j": True, "wtimeout": 10}, {"journal": True, "wTimeoutMS": 10}),
        ({"ssl_ca_certs": "ca.pem", "ssl_certfile": "me.pem"},
         {"tlsCAFile": "ca.pem", "tlsCertificateKeyFile": "me.pem"}),
        ({"ssl_cert_reqs": ssl.CERT_NONE}, {"tlsAllowInvalidCertificates": True}),
        ({"ssl_cert_reqs": ssl.CERT_REQUIRED}, {"tlsAllowInvalidCertificates": False}),
        ({"secondary_acceptable_latency_ms": 20}, {"localThresholdMS": 20}),
        ({"read_preference": 2, "tag_sets": [{"dc": "ny"}]},
         {"read_preference": Secondary([{"dc": "ny"}])}),
        ({"tag_sets": [{"dc": "ny"}]}, {"read_preference": SecondaryPreferred([{"dc": "ny"}])}),
    ],
    ids=lambda options: "-".join(options) if isinstance(options, dict) else None,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_client_option_of_pymongo_2_is_translated(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert translate_client_options(old) == new


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tz_aware": True, "document_class": SON, "replicaSet": "rs"},
        {"maxPoolSize": 3, "w": "majority", "socketTimeoutMS": 1000},
        {"read_preference": ReadPreference.NEAREST},
        {"no_such_option": 1},
    ],
)
def test_other_client_options_are_passed_on_without_a_warning(options: dict[str, Any]) -> None:
    assert translate_client_options(options) == options


@pytest.mark.parametrize(
    "name",
    ["safe", "max_pool_size", "network_timeout", "use_greenlets", "slave_okay", "j"],
)
def test_each_old_client_option_warns_at_the_callers_line(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=name) as caught:
        translate_client_options({name: 1})

    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_client_option_in_both_spellings_is_refused() -> None:
    with pytest.raises(TypeError, match="max_pool_size and maxPoolSize"):
        translate_client_options({"max_pool_size": 1, "maxpoolsize": 2})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_translated_client_options_are_ones_that_pymongo_takes() -> None:
    options = translate_client_options(
        {
            "max_pool_size": 5,
            "network_timeout": 2,
            "slave_okay": True,
            "safe": True,
            "j": True,
            "wtimeout": 100,
            "auto_start_request": False,
            "secondary_acceptable_latency_ms": 20,
            "tz_aware": True,
        }
    )

    client: MongoClient[dict[str, Any]] = MongoClient(connect=False, **options)
    try:
        assert client.options.pool_options.max_pool_size == 5
        assert client.options.pool_options.socket_timeout == 2
        assert client.read_preference == SecondaryPreferred()
        assert client.write_concern == WriteConcern(j=True, wtimeout=100)
        assert client.codec_options.tz_aware
    finally:
        client.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"safe": True}, None),
        ({"safe": None, "w": None}, None),
        ({"safe": False}, WriteConcern(w=0)),
        ({"safe": False, "w": 1}, WriteConcern(w=1)),
        ({"safe": True, "w": 2, "wtimeout": 5}, WriteConcern(w=2, wtimeout=5)),
        ({"j": True}, WriteConcern(j=True)),
        ({"fsync": True}, WriteConcern(fsync=True)),
        ({"w": 0}, WriteConcern(w=0)),
    ],
)
def test_write_options_become_a_write_concern(
    options: dict[str, Any], expected: WriteConcern | None
) -> None:
    assert write_concern_from({**options, "session": 1}) == (expected, {"session": 1})


def test_safe_makes_an_unacknowledged_collection_acknowledge() -> None:
    assert write_concern_from({"safe": True}, WriteConcern(w=0))[0] == WriteConcern(w=1)
    assert write_concern_from({"safe": True}, WriteConcern(w="majority"))[0] is None
    assert write_concern_from({}, WriteConcern(w=0))[0] is None


def test_write_options_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        write_concern_from({"w": 0, "j": True})


@pytest.mark.parametrize(
    ("kwargs", "expected", "options"),
    [
        ({"spec": {"a": 1}}, {"filter": {"a": 1}}, {}),
        ({"fields": ["a"]}, {"projection": ["a"]}, {}),
        ({"fields": {"a": 0}, "limit": 2}, {"projection": {"a": 0}, "limit": 2}, {}),
        ({"timeout": False}, {"no_cursor_timeout": True}, {}),
        ({"timeout": True}, {"no_cursor_timeout": False}, {}),
        ({"partial": True}, {"allow_partial_results": True}, {}),
        ({"tailable": True}, {"cursor_type": CursorType.TAILABLE}, {}),
        ({"tailable": True, "await_data": True}, {"cursor_type": CursorType.TAILABLE_AWAIT}, {}),
        ({"exhaust": True}, {"cursor_type": CursorType.EXHAUST}, {}),
        ({"tailable": False, "await_data": False}, {}, {}),
        ({"manipulate": False, "snapshot": True, "compile_re": False}, {}, {}),
        ({"network_timeout": 2}, {"max_time_ms": 2000}, {}),
        ({"network_timeout": 2, "max_time_ms": 5}, {"max_time_ms": 5}, {}),
        ({"slave_okay": True}, {}, {"read_preference": SecondaryPreferred()}),
        ({"slave_okay": False}, {}, {}),
        ({"read_preference": 4}, {}, {"read_preference": Nearest()}),
        (
            {"read_preference": ReadPreference.SECONDARY, "tag_sets": [{"dc": "ny"}]},
            {},
            {"read_preference": Secondary([{"dc": "ny"}])},
        ),
        ({"read_preference": ReadPreference.PRIMARY, "tag_sets": [{}]}, {},
         {"read_preference": ReadPreference.PRIMARY}),
        ({"as_class": SON}, {}, {"document_class": SON}),
        ({"as_class": None}, {}, {}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_find_argument_of_pymongo_2_is_translated(
    kwargs: dict[str, Any], expected: dict[str, Any], options: dict[str, Any]
) -> None:
    given = dict(kwargs)

    assert translate_find((), kwargs) == ((), expected, options)
    assert kwargs == given


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_tags_for_the_primary_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="primary"):
        translate_find((), {"read_preference": 0, "tag_sets": [{"dc": "ny"}]})


def test_find_arguments_of_pymongo_4_are_left_alone_without_a_warning() -> None:
    args = ({"a": 1}, ["b"], 1, 2, True, CursorType.TAILABLE)
    kwargs = {"sort": [("a", 1)], "batch_size": 5, "comment": "x", "collation": None}

    assert translate_find(args, kwargs) == (args, kwargs, {})


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (({},), {"spec": {}}),
        ((), {"spec": {}, "filter": {}}),
        (({}, ["a"]), {"fields": ["b"]}),
        ((), {"fields": ["a"], "projection": ["b"]}),
        ((), {"timeout": False, "no_cursor_timeout": True}),
        (({}, None, 0, 0, True), {"timeout": False}),
        ((), {"tailable": True, "cursor_type": CursorType.TAILABLE}),
        ((), {"partial": True, "allow_partial_results": True}),
    ],
)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_one_thing_by_both_names_is_refused(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="name the same thing"):
        translate_find(args, kwargs)


def test_old_find_arguments_warn_and_are_named() -> None:
    with pytest.warns(PendingDeprecationWarning, match="spec, timeout") as caught:
        translate_find((), {"timeout": False, "spec": {}})

    assert caught[0].filename == __file__


def test_find_options_are_options_of_another_collection_object() -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(connect=False)
    try:
        things = client.db.things
        options = {"document_class": SON, "read_preference": Nearest()}

        changed = with_find_options(things, options)

        assert with_find_options(things, {}) is things
        assert changed.codec_options.document_class is SON
        assert changed.read_preference == Nearest()
        assert changed == things
        assert things.codec_options.document_class is dict
    finally:
        client.close()
