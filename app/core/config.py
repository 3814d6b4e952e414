"""The configuration: what can be set, where values come from, what is refused.

    defaults ← class of APP_ENV ← instance/config.py ← .env ← process environment ← mapping

Later wins; the mapping is what `create_app` is called with. `.env` stands beside the instance
folder. `Testing` reads neither file, so that a test sees the same values on every machine.
docs/configuration.md has the whole table.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import flask
from dotenv import dotenv_values
from limits import parse as parse_limit
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MINIMUM_KEY_LENGTH = 32
MINIMUM_TOKEN_LENGTH = 16


class ConfigError(ValueError):
    """The configuration is refused; the text names every variable at fault, and no value.

    Attributes:
        problems: One sentence for each variable.

    Example:
        >>> ConfigError(["LOG_LEVEL must be one of INFO, ERROR"]).problems
        ['LOG_LEVEL must be one of INFO, ERROR']
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n  - ".join(["the configuration is refused:", *problems]))
        self.problems = problems


class Config:
    """Every setting, with its type and the default of all environments.

    Text is read by the type that stands here, wherever it comes from, a list by its commas; empty
    text counts as not set. Names that end in `_MS` are milliseconds, those in `_LIFETIME` seconds;
    `MAX_…` are bytes or a number.

    Example:
        >>> Config.MONGODB_PORT
        27017
    """

    SECRET_KEY: str | None = None
    DEBUG: bool = False
    LOG_LEVEL: str = "INFO"
    LOG_FORMAT: str = "text"
    METRICS_TOKEN: str | None = None
    MAX_CONTENT_LENGTH: int = 1024 * 1024
    IMPORT_MAX_CONTENT_LENGTH: int = 10 * 1024 * 1024
    MAX_FORM_MEMORY_SIZE: int = 500_000
    MAX_FORM_PARTS: int = 100
    MAX_QUERY_LENGTH: int = 2048
    SESSION_COOKIE_SECURE: bool = False
    PERMANENT_SESSION_LIFETIME: int = 7 * 24 * 60 * 60
    CORS_ORIGINS: str = ""
    HSTS_SECONDS: int = 0
    TRUSTED_HOSTS: list[str] | None = None
    PROXY_HOPS: int = 0
    READY_TIMEOUT_MS: int = 2_000

    ARGON2_TIME_COST: int = 3
    ARGON2_MEMORY_KIB: int = 64 * 1024
    ARGON2_PARALLELISM: int = 4
    SIGN_IN_LIMIT_PER_ACCOUNT: str = "10 per 15 minutes"
    SIGN_IN_LIMIT_PER_ADDRESS: str = "100 per 15 minutes"
    FIRST_ADMIN_PAGE: bool = False

    MONGODB_URI: str | None = None
    MONGODB_HOST: str | None = None
    MONGODB_PORT: int = 27017
    MONGODB_DATABASE: str | None = None
    MONGODB_USERNAME: str | None = None
    MONGODB_PASSWORD: str | None = None
    MONGODB_EMBEDDED: bool = True
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: int = 5_000
    MONGODB_CONNECT_TIMEOUT_MS: int = 5_000
    MONGODB_SOCKET_TIMEOUT_MS: int = 60_000
    MONGODB_REQUEST_TIMEOUT_MS: int = 5_000


class Development(Config):
    """One person's machine: readable logs, the embedded engine, a key that is made here."""

    FIRST_ADMIN_PAGE = True


class Testing(Config):
    """A test run: reads no file, keeps no key, hashes fast; Flask's `TESTING` is on."""

    ARGON2_TIME_COST = 1
    ARGON2_MEMORY_KIB = 64
    ARGON2_PARALLELISM = 1


class Production(Config):
    """Served to others: a key and a database have to be named, cookies travel by TLS only."""

    LOG_FORMAT = "json"
    SESSION_COOKIE_SECURE = True
    HSTS_SECONDS = 31_536_000  # a year
    MONGODB_EMBEDDED = False


ENVIRONMENTS: dict[str, type[Config]] = {
    "development": Development,
    "testing": Testing,
    "production": Production,
}
DEFAULT_DATABASE = "app"

_TYPES: dict[str, object] = get_type_hints(Config)
_CHOICES = {
    "LOG_LEVEL": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "LOG_FORMAT": ("text", "json"),
}
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True}
_BOOLEANS |= {"0": False, "false": False, "no": False, "off": False}
# Flask's own command reads these; they are no settings of the application.
_OF_THE_COMMAND = ("APP", "ENV_FILE", "SKIP_DOTENV")
_POSITIVE = ("_MS", "_LIFETIME", "_COST", "_PARALLELISM")  # how they end
# HTML Living Standard, 7.1.1, "serialization of an origin"; the usual port is left out there.
_ORIGIN = re.compile(
    r"(?:https://(?!.*:443$)|http://(?!.*:80$))(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[1-9]\d{0,4})?"
)
_SRV = "mongodb+srv://"
_HOST = re.compile(r"\.?[\w-]+(\.[\w-]+)*")
_PLACEHOLDERS = ("change", "secret", "placeholder", "example", "password", "replace", "insert")


def variable_of(name: str) -> str:
    """Return the environment variable that sets a setting.

    `MONGODB_…` and `SECRET_KEY` are read as they are (and with `FLASK_` before them, which then
    wins), every other setting with `FLASK_` before it.

    Args:
        name: A name of `Config`.

    Example:
        >>> variable_of("MONGODB_URI"), variable_of("LOG_LEVEL")
        ('MONGODB_URI', 'FLASK_LOG_LEVEL')
    """
    return name if _is_bare(name) else f"FLASK_{name}"


def instance_path(overrides: Mapping[str, object]) -> str | None:
    """Return the instance folder that the mapping or the process environment names, or None.

    Args:
        overrides: The mapping given to `create_app`; its `INSTANCE_PATH` wins.

    Example:
        >>> instance_path({"INSTANCE_PATH": "/srv/app/instance"})
        '/srv/app/instance'
    """
    named = overrides.get("INSTANCE_PATH") or os.environ.get("INSTANCE_PATH")
    return str(Path(str(named)).resolve()) if named else None


def load(
    folder: Path, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> dict[str, Any]:
    """Merge all sources, check the result and return what goes into `app.config`.

    Args:
        folder: The instance folder; `config.py` is read in it and `.env` beside it.
        environ: The process environment.
        overrides: The mapping given to `create_app`; what `Config` lacks is kept as it is.

    Returns:
        All settings, `APP_ENV`, and whatever else the sources hold.

    Raises:
        ConfigError: Something is missing or malformed; all of it is in the one text.

    Example:
        >>> load(Path("instance"), {}, {"APP_ENV": "testing"})["LOG_LEVEL"]
        'INFO'
    """
    named = overrides.get("APP_ENV") or environ.get("APP_ENV")
    dotenv: dict[str, str] = {}
    if named != "testing":
        read = dotenv_values(folder.parent / ".env", encoding="utf-8")
        dotenv = {name: value for name, value in read.items() if value is not None}
        named = named or dotenv.get("APP_ENV") or "development"
    if not isinstance(named, str) or named not in ENVIRONMENTS:
        raise ConfigError([f"APP_ENV must be one of {', '.join(ENVIRONMENTS)}"])

    environment = ENVIRONMENTS[named]
    problems: list[str] = []
    merged: dict[str, Any] = {name: getattr(environment, name) for name in _TYPES}
    merged["TESTING"] = environment is Testing
    sources: list[tuple[str, Mapping[str, object]]] = []
    if named != "testing":
        sources.append(("instance/config.py", _from_file(folder)))
        sources.append((".env", dict(_from_environment(dotenv))))
    sources.append(("the process environment", dict(_from_environment(environ))))
    sources.append(("the mapping given to create_app()", overrides))
    for source, values in sources:
        _merge(merged, source, values, problems)

    merged["APP_ENV"] = named
    _check(merged, problems)
    if not merged["SECRET_KEY"] and not problems:
        merged["SECRET_KEY"] = _key_of_this_machine(folder, environment)
    if problems:
        raise ConfigError(problems)
    return merged


def parse_address(uri: str) -> dict[str, Any]:
    """Return the parts of a MongoDB URI, without asking a name server.

    Args:
        uri: `mongodb://…` or `mongodb+srv://…`.

    Returns:
        What `pymongo.uri_parser.parse_uri` does, `database` and `options` among it.

    Raises:
        ValueError: The URI is malformed. Nothing of it is in the text: it may hold a password.

    Example:
        >>> parse_address("mongodb://db.example/shop")["database"]
        'shop'
    """
    # The records of a +srv address are looked up by the driver, at first use; its srv… options
    # only say how.
    plain = re.sub(r"(?<=[?&])srv\w+=[^&]*&?", "", uri) if uri.startswith(_SRV) else uri
    try:
        parsed = parse_uri(plain.replace(_SRV, "mongodb://", 1), warn=False)
    except (PyMongoError, ValueError) as error:
        # The driver's own text may repeat parts of the URI.
        if str(error).startswith("Unknown option"):
            raise ValueError("has an option that the driver does not know") from None
        raise ValueError(
            "is malformed: mongodb://[user:password@]host[:port][/database][?options] is wanted,"
            " with reserved characters of user and password percent-encoded"
        ) from None
    if any(not host.isprintable() or " " in host for host, _ in parsed["nodelist"]):
        raise ValueError("is malformed: a host name holds a space")
    if parsed["collection"]:
        raise ValueError("is malformed: a database name can't hold a dot")
    if parsed["options"].get("w") == 0:
        raise ValueError("asks for unacknowledged writes (w=0), which lose errors and data")
    return parsed


def parse_origins(text: str) -> tuple[str, ...]:
    """Return the origins of a list, each as browsers send it.

    Args:
        text: Origins, such as `https://app.example`, separated by commas; or `*` for any.

    Raises:
        ValueError: One of them is no origin.

    Example:
        >>> parse_origins("https://app.example, http://localhost:3000")
        ('https://app.example', 'http://localhost:3000')
    """
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    if any(not _ORIGIN.fullmatch(origin) for origin in origins) and origins != ("*",):
        raise ValueError(
            "must be origins, separated by commas, in the form that browsers send: scheme and host"
            " in lower case, a port if it is not the usual one, nothing else, as in"
            " https://app.example; or * alone"
        )
    return origins


def _is_bare(name: str) -> bool:
    return name == "SECRET_KEY" or name.startswith("MONGODB_")


def _from_file(folder: Path) -> dict[str, object]:
    config = flask.Config(folder)
    config.from_pyfile("config.py", silent=True)
    return dict(config)


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    """Yield the settings among the variables, those without FLASK_ first: the prefixed one wins."""
    for name, text in environ.items():
        if text and name in _TYPES and _is_bare(name):
            yield name, text
    for variable, text in environ.items():
        name = variable.removeprefix("FLASK_")
        if not text or name == variable or name.startswith("RUN_") or name in _OF_THE_COMMAND:
            continue
        if name in _TYPES:
            yield name, text
        else:
            # One of Flask's or of an extension's: read as Flask.config.from_prefixed_env does.
            try:
                yield name, json.loads(text)
            except ValueError:
                yield name, text


def _merge(
    merged: dict[str, Any], source: str, values: Mapping[str, object], problems: list[str]
) -> None:
    """Put one source over the earlier ones."""
    if values.get("MONGODB_URI"):
        merged["MONGODB_HOST"] = None
    elif values.get("MONGODB_HOST"):
        merged["MONGODB_URI"] = None
    for name, value in values.items():
        if name not in _TYPES:
            merged[name] = value
        elif name == "MONGODB_HOST" and values.get("MONGODB_URI"):
            continue
        else:
            try:
                merged[name] = _read(name, value)
            except ValueError as error:
                problems.append(f"{name} {error} (from {source})")


def _read(name: str, value: object) -> object:
    """Return the value in the setting's type.

    Raises:
        ValueError: It can't be read; the text tells the rule and never the value.
    """
    kind = _TYPES[name]
    if isinstance(value, str):
        value = value.strip()
        if name in _CHOICES:
            known = {choice.lower(): choice for choice in _CHOICES[name]}
            if value.lower() not in known:
                raise ValueError(f"must be one of {', '.join(_CHOICES[name])}")
            return known[value.lower()]
        if kind is bool:
            if value.lower() not in _BOOLEANS:
                raise ValueError("must be true or false")
            return _BOOLEANS[value.lower()]
        if kind is int:
            if not (value.isascii() and value.isdigit()):
                raise ValueError("must be a whole number")
            return int(value)
        if kind == list[str] | None:
            return [part for each in value.split(",") if (part := each.strip())]
        return value
    if value is None and kind in (str | None, list[str] | None):
        return None
    if kind == list[str] | None and isinstance(value, list | tuple):
        if not all(isinstance(each, str) for each in value):
            raise ValueError("must be a list of text")
        return list(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    wanted: dict[object, str] = {int: "a whole number", bool: "true or false"}
    wanted[list[str] | None] = "a list of text"
    raise ValueError(f"must be {wanted.get(kind, 'text')}, not {type(value).__name__}")


def _check(merged: dict[str, Any], problems: list[str]) -> None:
    """Check the values against each other, and settle the name of the database."""
    if not 1 <= merged["MONGODB_PORT"] <= 65535:
        problems.append("MONGODB_PORT must be a number from 1 to 65535")
    problems += [
        f"{name} must be greater than 0"
        for name in _TYPES
        if (name.endswith(_POSITIVE) or name.startswith("MAX_")) and merged[name] <= 0
    ]
    problems += [
        f"{name} must not be less than 0"
        for name in ("HSTS_SECONDS", "PROXY_HOPS")
        if merged[name] < 0
    ]
    # RFC 9106, 3.1: eight KiB for each lane are the least.
    if merged["ARGON2_MEMORY_KIB"] < 8 * merged["ARGON2_PARALLELISM"]:
        problems.append("ARGON2_MEMORY_KIB must be at least 8 times ARGON2_PARALLELISM")
    for name in ("SIGN_IN_LIMIT_PER_ACCOUNT", "SIGN_IN_LIMIT_PER_ADDRESS"):
        try:
            parse_limit(merged[name])
        except ValueError:
            problems.append(f"{name} must be like 10 per 15 minutes")
    try:
        parse_origins(merged["CORS_ORIGINS"])
    except ValueError as error:
        problems.append(f"CORS_ORIGINS {error}")
    if merged["METRICS_TOKEN"] is not None and len(merged["METRICS_TOKEN"]) < MINIMUM_TOKEN_LENGTH:
        problems.append(
            f"METRICS_TOKEN is too short: at least {MINIMUM_TOKEN_LENGTH} random characters"
        )
    if not all(_HOST.fullmatch(host) for host in merged["TRUSTED_HOSTS"] or ()):
        problems.append(
            "TRUSTED_HOSTS must be host names, with a dot before one to include those below it,"
            " and no scheme, port or path"
        )
    named: str | None = None
    if uri := merged["MONGODB_URI"]:
        try:
            named = parse_address(uri)["database"]
        except ValueError as error:
            problems.append(f"MONGODB_URI {error}")
    host = merged["MONGODB_HOST"]
    if host and (not host.isprintable() or set(host) & set(" /@?")):
        problems.append(
            "MONGODB_HOST must be a host name or an address; for an URI set MONGODB_URI"
        )
    database = merged["MONGODB_DATABASE"] = merged["MONGODB_DATABASE"] or named or DEFAULT_DATABASE
    # MongoDB manual, "MongoDB Limits and Thresholds", naming restrictions.
    if set(database) & set('/\\. "$\0') or len(database.encode()) > 63:
        problems.append(
            'MONGODB_DATABASE must be at most 63 bytes, without any of / \\ . " $ space'
        )
    refused_before = any(p.startswith(("MONGODB_URI", "MONGODB_HOST")) for p in problems)
    if not (uri or host or merged["MONGODB_EMBEDDED"] or refused_before):
        problems.append(
            "MONGODB_URI is missing (or MONGODB_HOST): name the database server"
            " (MONGODB_EMBEDDED=true runs the embedded engine instead, on one machine)"
        )
    if merged["APP_ENV"] == "production":
        problems += _problems_of_production(merged)


def _problems_of_production(merged: Mapping[str, Any]) -> Iterator[str]:
    key = merged["SECRET_KEY"]
    if not key:
        yield (
            "SECRET_KEY is missing: set it to a random text, such as"
            " python -c 'import secrets; print(secrets.token_urlsafe(48))' prints"
        )
    elif len(key) < MINIMUM_KEY_LENGTH:
        yield f"SECRET_KEY is too short: at least {MINIMUM_KEY_LENGTH} random characters"
    elif len(set(key)) < 10 or any(word in key.lower() for word in _PLACEHOLDERS):
        yield "SECRET_KEY is a placeholder: set it to a random text of this deployment's own"
    if merged["DEBUG"]:
        yield "DEBUG must be off in production: the debugger runs whatever a visitor types"


def _key_of_this_machine(folder: Path, environment: type[Config]) -> str:
    """Return a random key; development keeps it, so that sessions survive the reloader.

    Raises:
        ConfigError: The file can't be written or read.
    """
    fresh = secrets.token_urlsafe(48)
    if environment is Testing:
        return fresh
    kept = folder / "secret_key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not kept.exists():
            # Written whole, then linked: of several workers one wins, and none reads half a key.
            with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".secret_key.") as draft:
                draft.write(fresh)
                draft.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(draft.name, kept)  # readable by its owner only, as tempfile makes it
        key = kept.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [f"SECRET_KEY is not set, and {kept} can't be kept instead: {type(error).__name__}"]
        ) from error
    if len(key) < MINIMUM_KEY_LENGTH:
        raise ConfigError([f"SECRET_KEY is not set, and {kept} is too short: remove the file"])
    return key
