"""What the configuration keys do, and which of them wins."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from pymongo import ReadPreference
from pymongo.errors import ConfigurationError
from pymongo.uri_parser import parse_uri

from flask_mongokit import MongoKit

NOWHERE = {"serverSelectionTimeoutMS": 1}


def test_defaults_are_the_local_server_and_the_database_flask(make_app: Any) -> None:
    db = MongoKit()
    app = make_app(db, MONGODB_URI=None, MONGODB_DATABASE=None, MONGODB_OPTIONS={"connect": False})

    with app.app_context():
        assert db.name == "flask"
        assert db.connection._topology_settings.seeds == {("127.0.0.1", 27017)}
        assert db.connection.codec_options.tz_aware is False
        assert db.connection.read_preference == ReadPreference.PRIMARY


@pytest.mark.parametrize("kind", [int, str])
def test_host_and_port_and_database(
    kind: type, make_app: Any, mongodb_uri: str, database_name: str
) -> None:
    host, port = parse_uri(mongodb_uri)["nodelist"][0]
    db = MongoKit()

    with make_app(db, MONGODB_URI=None, MONGODB_HOST=host, MONGODB_PORT=kind(port)).app_context():
        db.connect()

        assert db.connection.address == (host, port)
        assert db.name == database_name


def test_uri_wins_over_host_and_port(make_app: Any, mongodb_uri: str) -> None:
    db = MongoKit()

    with make_app(db, MONGODB_HOST="nowhere.invalid", MONGODB_PORT=1).app_context():
        db.connect()

        assert db.connection.address == parse_uri(mongodb_uri)["nodelist"][0]


@pytest.mark.parametrize(
    ("path", "configured", "name"),
    [
        ("", None, "flask"),
        ("stored", None, "stored"),
        ("stored", "chosen", "chosen"),
        ("", "chosen", "chosen"),
    ],
)
def test_database_is_the_configured_one_or_the_uris_or_flask(
    path: str, configured: str | None, name: str, make_app: Any
) -> None:
    db = MongoKit()
    uri = f"mongodb://127.0.0.1:1/{path}"
    app = make_app(
        db, MONGODB_URI=uri, MONGODB_DATABASE=configured, MONGODB_OPTIONS={"connect": False}
    )

    with app.app_context():
        assert db.name == name


def test_tz_aware_and_slave_okay_reach_the_client(make_app: Any) -> None:
    db = MongoKit()

    with make_app(db, MONGODB_TZ_AWARE=True, MONGODB_SLAVE_OKAY=True).app_context():
        assert db.connection.codec_options.tz_aware is True
        assert db.connection.read_preference == ReadPreference.SECONDARY_PREFERRED


def test_options_of_the_uri_stay_when_the_keys_are_unset(make_app: Any, mongodb_uri: str) -> None:
    db = MongoKit()
    uri = f"{mongodb_uri}?tz_aware=true&readPreference=nearest"

    with make_app(db, MONGODB_URI=uri, MONGODB_TZ_AWARE=False).app_context():
        assert db.connection.codec_options.tz_aware is True
        assert db.connection.read_preference == ReadPreference.NEAREST


def test_options_go_to_the_client_and_win(make_app: Any) -> None:
    db = MongoKit()
    options = {"appname": "tasks", "tz_aware": False, "readPreference": "primary"}
    app = make_app(db, MONGODB_OPTIONS=options, MONGODB_TZ_AWARE=True, MONGODB_SLAVE_OKAY=True)

    with app.app_context():
        assert db.connection.options.pool_options.appname == "tasks"
        assert db.connection.codec_options.tz_aware is False
        assert db.connection.read_preference == ReadPreference.PRIMARY
    assert options == {"appname": "tasks", "tz_aware": False, "readPreference": "primary"}


def test_unknown_option_is_the_drivers_own_error(make_app: Any) -> None:
    db = MongoKit()

    with (
        make_app(db, MONGODB_OPTIONS={"no_such_option": 1}).app_context(),
        pytest.raises(ConfigurationError, match="no_such_option"),
    ):
        db.connect()


def test_credentials_log_in_to_the_configured_database_unless_told_otherwise(
    make_app: Any,
) -> None:
    db = MongoKit()
    login = {"MONGODB_URI": None, "MONGODB_USERNAME": "ada", "MONGODB_PASSWORD": "secret"}
    classic = make_app(db, **login, MONGODB_DATABASE="tasks", MONGODB_OPTIONS={"connect": False})
    told = make_app(db, **login, MONGODB_OPTIONS={"connect": False, "authSource": "admin"})

    with classic.app_context():
        assert db.connection.options._options["authsource"] == "tasks"
        assert db.connection.options._options["username"] == "ada"
    with told.app_context():
        assert db.connection.options._options["authsource"] == "admin"


def test_configuration_is_read_at_the_first_use(make_app: Any, database_name: str) -> None:
    db = MongoKit()
    app = make_app(db, MONGODB_DATABASE="too_early")

    app.config["MONGODB_DATABASE"] = database_name

    with app.app_context():
        assert db.name == database_name


def test_init_app_sets_the_defaults_that_are_missing() -> None:
    app = Flask("tasks")
    app.config["MONGODB_PORT"] = 27018

    MongoKit(app)

    assert {key: app.config[key] for key in app.config if key.startswith("MONGODB_")} == {
        "MONGODB_HOST": "127.0.0.1",
        "MONGODB_PORT": 27018,
        "MONGODB_DATABASE": "flask",
        "MONGODB_USERNAME": None,
        "MONGODB_PASSWORD": None,
        "MONGODB_TZ_AWARE": False,
        "MONGODB_SLAVE_OKAY": False,
    }


def test_database_of_the_uri_wins_over_the_default_and_not_over_the_same_name_set_late() -> None:
    db, other = MongoKit(), MongoKit()
    settings = {"MONGODB_URI": "mongodb://127.0.0.1:1/stored", "MONGODB_OPTIONS": NOWHERE}
    app, late = Flask("tasks"), Flask("late")
    for each, extension in ((app, db), (late, other)):
        extension.init_app(each)
        each.config |= settings
    late.config["MONGODB_DATABASE"] = "flask"

    with app.app_context():
        assert db.name == "stored"
    with late.app_context():
        assert other.name == "flask"


def test_empty_uri_counts_as_none(make_app: Any) -> None:
    db = MongoKit()

    with make_app(db, MONGODB_URI="", MONGODB_OPTIONS={"connect": False}).app_context():
        assert db.connection._topology_settings.seeds == {("127.0.0.1", 27017)}


def test_options_may_name_host_and_port(make_app: Any) -> None:
    options = {"host": "db.example", "port": 27018, "connect": False}
    db = MongoKit()

    with make_app(db, MONGODB_URI=None, MONGODB_OPTIONS=options).app_context():
        assert db.connection._topology_settings.seeds == {("db.example", 27018)}
