"""Where settings come from, what they may be, and that the documents name them all."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.core.config import ENVIRONMENTS, Config, ConfigError, load, variable_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
KEY = "kX2vQ9wLr7TzB4nYp8HsD3mJf6GcA1eUoZ5i"
SERVED = {"APP_ENV": "production", "SECRET_KEY": KEY, "MONGODB_URI": "mongodb://db.test"}
SOURCES = ["instance/config.py", ".env", "process environment", "mapping"]
NAMES = [name for name in vars(Config) if name.isupper()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An instance folder of this test's own; `.env` goes beside it."""
    made = tmp_path / "instance"
    made.mkdir()
    return made


def load_from(folder: Path, sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Load with each source holding the settings given for it."""

    def lines(values: dict[str, str]) -> dict[str, str]:
        return {variable_of(k) if k in NAMES else k: v for k, v in values.items()}

    if file := sources.get("instance/config.py"):
        (folder / "config.py").write_text("".join(f"{k} = {v!r}\n" for k, v in file.items()))
    if dotenv := sources.get(".env"):
        (folder.parent / ".env").write_text("".join(f"{k}={v}\n" for k, v in lines(dotenv).items()))
    environ = lines(sources.get("process environment", {}))
    return load(folder, environ, sources.get("mapping", {}))


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_sets_a_value(folder: Path, source: str) -> None:
    values = load_from(folder, {source: {"LOG_LEVEL": "ERROR", "MONGODB_DATABASE": "here"}})

    assert (values["LOG_LEVEL"], values["MONGODB_DATABASE"]) == ("ERROR", "here")


@pytest.mark.parametrize(("earlier", "later"), [*combinations(SOURCES, 2)])
def test_later_source_wins(folder: Path, earlier: str, later: str) -> None:
    values = load_from(
        folder,
        {
            earlier: {"LOG_LEVEL": "ERROR", "MONGODB_DATABASE": "earlier"},
            later: {"LOG_LEVEL": "DEBUG", "MONGODB_DATABASE": "later"},
        },
    )

    assert (values["LOG_LEVEL"], values["MONGODB_DATABASE"]) == ("DEBUG", "later")


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_wins_over_the_class_of_the_environment(folder: Path, source: str) -> None:
    sources = {"process environment": dict(SERVED)}
    sources.setdefault(source, {})["LOG_FORMAT"] = "text"

    values = load_from(folder, sources)

    assert values["LOG_FORMAT"] == "text"


def test_class_of_the_environment_wins_over_the_defaults(folder: Path) -> None:
    assert load(folder, {}, {})["LOG_FORMAT"] == "text"
    assert load(folder, SERVED, {})["LOG_FORMAT"] == "json"


@pytest.mark.parametrize(
    ("dotenv", "environ", "mapping", "expected"),
    [
        ("", {}, {}, "development"),
        ("testing", {}, {}, "testing"),
        ("testing", {"APP_ENV": "development"}, {}, "development"),
        ("", {"APP_ENV": "development"}, {"APP_ENV": "testing"}, "testing"),
    ],
)
def test_environment_is_chosen_by_the_latest_source(
    folder: Path, dotenv: str, environ: dict[str, str], mapping: dict[str, object], expected: str
) -> None:
    (folder.parent / ".env").write_text(f"APP_ENV={dotenv}\n")

    assert load(folder, environ, mapping)["APP_ENV"] == expected


def test_testing_reads_neither_file(folder: Path) -> None:
    values = load_from(
        folder,
        {
            "instance/config.py": {"LOG_LEVEL": "ERROR"},
            ".env": {"LOG_LEVEL": "ERROR", "MONGODB_URI": "mongodb://of.the.developer"},
            "mapping": {"APP_ENV": "testing"},
        },
    )

    assert (values["LOG_LEVEL"], values["MONGODB_URI"]) == ("INFO", None)


@pytest.mark.parametrize(
    ("variable", "text", "name", "expected"),
    [
        ("MONGODB_PORT", "27018", "MONGODB_PORT", 27018),
        ("MONGODB_PORT", " 27018 ", "MONGODB_PORT", 27018),
        ("MONGODB_PORT", "", "MONGODB_PORT", 27017),
        ("MONGODB_EMBEDDED", "yes", "MONGODB_EMBEDDED", True),
        ("FLASK_SESSION_COOKIE_SECURE", "1", "SESSION_COOKIE_SECURE", True),
        ("FLASK_DEBUG", "off", "DEBUG", False),
        ("FLASK_LOG_LEVEL", "warning", "LOG_LEVEL", "WARNING"),
        ("FLASK_LOG_FORMAT", "JSON", "LOG_FORMAT", "json"),
        ("FLASK_SECRET_KEY", "1234567890", "SECRET_KEY", "1234567890"),
        ("SECRET_KEY", KEY, "SECRET_KEY", KEY),
        ("FLASK_MONGODB_HOST", "db.test", "MONGODB_HOST", "db.test"),
        ("FLASK_TRUSTED_HOSTS", "a.test, .b.test,", "TRUSTED_HOSTS", ["a.test", ".b.test"]),
        ("FLASK_TRUSTED_HOSTS", "", "TRUSTED_HOSTS", None),
        # Flask's own options are read as Flask reads them.
        ("FLASK_PREFERRED_URL_SCHEME", "https", "PREFERRED_URL_SCHEME", "https"),
        ("FLASK_SESSION_REFRESH_EACH_REQUEST", "false", "SESSION_REFRESH_EACH_REQUEST", False),
    ],
)
def test_text_is_read_by_the_type_of_the_setting(
    folder: Path, variable: str, text: str, name: str, expected: object
) -> None:
    assert load(folder, {variable: text}, {})[name] == expected


def test_variables_of_the_flask_command_are_no_settings(folder: Path) -> None:
    values = load(folder, {"FLASK_APP": "wsgi", "FLASK_RUN_PORT": "5001"}, {})

    assert {"APP", "RUN_PORT"}.isdisjoint(values)


def test_prefixed_name_wins_over_the_bare_one(folder: Path) -> None:
    environ = {"FLASK_MONGODB_DATABASE": "prefixed", "MONGODB_DATABASE": "bare"}

    assert load(folder, environ, {})["MONGODB_DATABASE"] == "prefixed"


@pytest.mark.parametrize(
    ("dotenv", "environ", "mapping", "expected"),
    [
        ({"URI": "mongodb://a"}, {}, {}, ("mongodb://a", None, 27017)),
        ({"URI": "mongodb://a"}, {"HOST": "b"}, {}, (None, "b", 27017)),
        ({"HOST": "a", "PORT": "1"}, {"URI": "mongodb://b"}, {}, ("mongodb://b", None, 1)),
        ({"HOST": "a"}, {"HOST": "b", "URI": "mongodb://c"}, {}, ("mongodb://c", None, 27017)),
        ({"URI": "mongodb://a"}, {"PORT": "2"}, {}, ("mongodb://a", None, 2)),
        ({"HOST": "a"}, {"PORT": "2"}, {}, (None, "a", 2)),
        ({}, {"PORT": "2"}, {}, (None, None, 2)),
        ({"HOST": "a"}, {"URI": "mongodb://b"}, {"HOST": "c"}, (None, "c", 27017)),
        ({}, {"URI": "mongodb://b"}, {"URI": None}, (None, None, 27017)),
        ({"URI": "mongodb://a"}, {"URI": "", "HOST": ""}, {}, ("mongodb://a", None, 27017)),
    ],
)
def test_address_of_the_later_source_holds(
    folder: Path,
    dotenv: dict[str, str],
    environ: dict[str, str],
    mapping: dict[str, object],
    expected: tuple[str | None, str | None, int],
) -> None:
    (folder.parent / ".env").write_text(
        "".join(f"MONGODB_{name}={value}\n" for name, value in dotenv.items())
    )

    values = load(
        folder,
        {f"MONGODB_{name}": value for name, value in environ.items()},
        {f"MONGODB_{name}": value for name, value in mapping.items()},
    )

    assert tuple(values[f"MONGODB_{name}"] for name in ("URI", "HOST", "PORT")) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "app"),
        ({"MONGODB_URI": "mongodb://a/shop"}, "shop"),
        ({"MONGODB_URI": "mongodb://a"}, "app"),
        ({"MONGODB_URI": "mongodb+srv://a.b.test/shop?srvMaxHosts=2&retryWrites=true"}, "shop"),
        ({"MONGODB_URI": "mongodb://a/shop", "MONGODB_DATABASE": "mine"}, "mine"),
    ],
)
def test_database_is_the_named_one_else_the_one_in_the_uri(
    folder: Path, environ: dict[str, str], expected: str
) -> None:
    assert load(folder, environ, {})["MONGODB_DATABASE"] == expected


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"APP_ENV": "staging"}, "APP_ENV must be one of development, testing, production"),
        ({"APP_ENV": "Production"}, "APP_ENV must be one of"),
        ({"SECRET_KEY": None}, "SECRET_KEY is missing"),
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing"),
        ({"SECRET_KEY": KEY[:31]}, "SECRET_KEY is too short"),
        ({"SECRET_KEY": "a" * 40}, "SECRET_KEY is a placeholder"),
        ({"SECRET_KEY": "please-change-me-before-you-deploy-this"}, "SECRET_KEY is a placeholder"),
        ({"MONGODB_URI": None}, "MONGODB_URI is missing (or MONGODB_HOST)"),
        ({"FLASK_DEBUG": "1"}, "DEBUG must be off in production"),
        ({"MONGODB_URI": "http://db.test"}, "MONGODB_URI is malformed"),
        ({"MONGODB_URI": "mongodb://"}, "MONGODB_URI is malformed"),
        ({"MONGODB_URI": "mongodb://u:p/w@db.test"}, "MONGODB_URI is malformed"),
        ({"MONGODB_URI": "mongodb://db.test:99999"}, "MONGODB_URI is malformed"),
        ({"MONGODB_URI": "mongodb:// db.test"}, "MONGODB_URI is malformed"),
        ({"MONGODB_URI": "mongodb://db.test/a.b"}, "MONGODB_URI is malformed"),
        ({"MONGODB_URI": "mongodb://db.test/?tls=maybe"}, "MONGODB_URI is malformed"),
        ({"MONGODB_URI": "mongodb://db.test/?nope=1"}, "MONGODB_URI has an option"),
        ({"MONGODB_URI": "mongodb://db.test/?w=0"}, "MONGODB_URI asks for unacknowledged"),
        ({"MONGODB_PORT": "abc"}, "MONGODB_PORT must be a whole number"),
        ({"MONGODB_PORT": "27017.0"}, "MONGODB_PORT must be a whole number"),
        ({"MONGODB_PORT": "-1"}, "MONGODB_PORT must be a whole number"),
        ({"MONGODB_PORT": "\u0662\u0667"}, "MONGODB_PORT must be a whole number"),
        ({"MONGODB_PORT": "0"}, "MONGODB_PORT must be a number from 1 to 65535"),
        ({"MONGODB_PORT": "65536"}, "MONGODB_PORT must be a number from 1 to 65535"),
        ({"MONGODB_URI": None, "MONGODB_HOST": "mongodb://db"}, "MONGODB_HOST must be a host"),
        ({"MONGODB_DATABASE": "a/b"}, "MONGODB_DATABASE must be"),
        ({"MONGODB_DATABASE": "x" * 64}, "MONGODB_DATABASE must be"),
        ({"MONGODB_EMBEDDED": "maybe"}, "MONGODB_EMBEDDED must be true or false"),
        ({"MONGODB_CONNECT_TIMEOUT_MS": "0"}, "MONGODB_CONNECT_TIMEOUT_MS must be greater"),
        ({"FLASK_MAX_CONTENT_LENGTH": "0"}, "MAX_CONTENT_LENGTH must be greater than 0"),
        ({"FLASK_MAX_QUERY_LENGTH": "0"}, "MAX_QUERY_LENGTH must be greater than 0"),
        ({"FLASK_PROXY_HOPS": "one"}, "PROXY_HOPS must be a whole number"),
        ({"FLASK_METRICS_TOKEN": "x" * 15}, "METRICS_TOKEN is too short"),
        ({"FLASK_TRUSTED_HOSTS": "https://a.test"}, "TRUSTED_HOSTS must be host names"),
        ({"FLASK_TRUSTED_HOSTS": "a.test:443"}, "TRUSTED_HOSTS must be host names"),
        ({"FLASK_TRUSTED_HOSTS": "a.test b.test"}, "TRUSTED_HOSTS must be host names"),
        ({"FLASK_LOG_LEVEL": "LOUD"}, "LOG_LEVEL must be one of DEBUG, INFO"),
        ({"FLASK_LOG_FORMAT": "xml"}, "LOG_FORMAT must be one of text, json"),
    ],
)
def test_what_is_wrong_is_refused_and_named(
    folder: Path, changed: dict[str, str | None], named: str
) -> None:
    environ = {k: v for k, v in (SERVED | changed).items() if v is not None}

    with pytest.raises(ConfigError, match=re.escape(named)) as caught:
        load(folder, environ, {})

    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("MONGODB_PORT", True, "MONGODB_PORT must be a whole number, not bool"),
        ("MONGODB_PORT", None, "MONGODB_PORT must be a whole number, not NoneType"),
        ("MONGODB_EMBEDDED", 1, "MONGODB_EMBEDDED must be true or false, not int"),
        ("SECRET_KEY", b"bytes", "SECRET_KEY must be text, not bytes"),
        ("LOG_LEVEL", 10, "LOG_LEVEL must be text, not int"),
        ("TRUSTED_HOSTS", [1], "TRUSTED_HOSTS must be a list of text"),
        ("TRUSTED_HOSTS", 1, "TRUSTED_HOSTS must be a list of text, not int"),
    ],
)
def test_value_of_another_type_is_refused(
    folder: Path, name: str, value: object, named: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{named} (from the mapping")):
        load(folder, {}, {name: value})


@pytest.mark.parametrize("name", ["HSTS_SECONDS", "PROXY_HOPS"])
def test_number_below_zero_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must not be less than 0"):
        load(folder, {}, {name: -1})


@pytest.mark.parametrize("hosts", [["a.test"], ("a.test",), "a.test"])
def test_list_may_be_given_as_one_or_as_text(folder: Path, hosts: object) -> None:
    assert load(folder, {}, {"TRUSTED_HOSTS": hosts})["TRUSTED_HOSTS"] == ["a.test"]


def test_everything_wrong_is_in_one_message_that_shows_no_value(folder: Path) -> None:
    environ = {
        "APP_ENV": "production",
        "SECRET_KEY": "hunter2",
        "MONGODB_URI": "mongodb://root:hush/whisper@db.test",
        "MONGODB_PORT": "portly",
        "FLASK_LOG_LEVEL": "loud",
    }

    with pytest.raises(ConfigError) as caught:
        load(folder, environ, {})

    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert all(n in text for n in ("SECRET_KEY", "MONGODB_URI", "MONGODB_PORT", "LOG_LEVEL"))
    assert not any(v in text for v in ("hunter2", "hush", "whisper", "root", "portly", "loud"))
    assert caught.value.__cause__ is None


def test_production_may_be_told_to_use_the_embedded_engine(folder: Path) -> None:
    environ = {"APP_ENV": "production", "SECRET_KEY": KEY, "MONGODB_EMBEDDED": "true"}

    assert load(folder, environ, {})["MONGODB_URI"] is None


def test_development_without_an_address_or_the_engine_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="MONGODB_URI is missing"):
        load(folder, {"MONGODB_EMBEDDED": "false"}, {})


def test_development_keeps_one_key_that_only_its_owner_reads(folder: Path) -> None:
    first = load(folder, {}, {})["SECRET_KEY"]
    second = load(folder, {}, {})["SECRET_KEY"]

    assert first == second
    assert len(first) >= 32
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["secret_key"]


def test_workers_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    folder = tmp_path / "instance"  # not there yet
    program = (
        "import sys, pathlib; from app.core.config import load; sys.stdin.read()\n"
        "print(load(pathlib.Path(sys.argv[1]), {}, {})['SECRET_KEY'])"
    )
    workers = [
        subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", program, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]

    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()  # the signal to start
        worker.stdin = None
    keys = [worker.communicate(timeout=60)[0] for worker in workers]

    assert len(set(keys)) == 1
    assert len(keys[0].strip()) >= 32


def test_unusable_key_file_is_refused(folder: Path) -> None:
    (folder / "secret_key").write_text("short")

    with pytest.raises(ConfigError, match=r"SECRET_KEY is not set, and .* is too short"):
        load(folder, {}, {})


def test_testing_makes_a_key_and_keeps_none(folder: Path) -> None:
    first = load(folder, {}, {"APP_ENV": "testing"})["SECRET_KEY"]

    assert first != load(folder, {}, {"APP_ENV": "testing"})["SECRET_KEY"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [["-c", "import wsgi"], ["-m", "flask", "--app", "wsgi", "routes"]],
    ids=["wsgi", "flask"],
)
def test_refusal_ends_the_process_with_the_message_and_no_traceback(
    tmp_path: Path, command: list[str]
) -> None:
    environ = {**os.environ, "APP_ENV": "production", "INSTANCE_PATH": str(tmp_path / "instance")}

    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *command],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 4
    assert "SECRET_KEY is missing" in done.stderr
    assert "MONGODB_URI is missing" in done.stderr
    assert "Traceback" not in done.stderr


def _expected_defaults(of: Callable[[str], object]) -> dict[str, str]:
    def shown(value: object) -> str:
        return "" if value is None else str(value).lower() if value in (True, False) else str(value)

    return {variable_of(name): shown(of(name)) for name in NAMES}


def test_example_file_lists_every_variable_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^#?([A-Z0-9_]+)=(.*)$", text, re.MULTILINE))
    defaults = _expected_defaults(lambda name: getattr(Config, name))

    assert set(listed) == {*defaults, "APP_ENV", "INSTANCE_PATH"}
    assert {k: listed[k] for k, v in defaults.items() if v} == {
        k: v for k, v in defaults.items() if v
    }


def test_example_file_gives_every_variable_a_comment() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    paragraphs = [p for p in text.split("\n\n") if re.search(r"^#?[A-Z0-9_]+=", p, re.MULTILINE)]

    assert paragraphs
    assert all(p.startswith("# ") for p in paragraphs)


def test_documentation_lists_every_variable_with_its_defaults() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \|([^|]*)\|([^|]*)\|", text, re.MULTILINE)
    listed = {variable: default.strip(" `") for variable, default, _ in rows}
    served = {variable: cell.strip() for variable, _, cell in rows if cell.strip().startswith("`")}

    expected = _expected_defaults(lambda name: getattr(Config, name))
    production = _expected_defaults(lambda name: getattr(ENVIRONMENTS["production"], name))
    assert listed == expected | {"APP_ENV": "development", "INSTANCE_PATH": ""}
    assert served == {k: f"`{v}`" for k, v in production.items() if v != expected[k]}
