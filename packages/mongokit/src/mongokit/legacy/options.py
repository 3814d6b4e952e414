"""Options of PyMongo 2 as options of PyMongo 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pymongo import CursorType, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError
from pymongo.read_preferences import (
    Nearest,
    Primary,
    PrimaryPreferred,
    Secondary,
    SecondaryPreferred,
)

from mongokit.legacy._warnings import warn

C = TypeVar("C", bound=Collection[Any])
ReadPreference = Primary | PrimaryPreferred | Secondary | SecondaryPreferred | Nearest

# In the order of PyMongo 2's numbers for them.
_READ_PREFERENCES: tuple[type[ReadPreference], ...] = (
    Primary,
    PrimaryPreferred,
    Secondary,
    SecondaryPreferred,
    Nearest,
)

# Client options with a new name, and what makes the new value of the old one.
_CLIENT_OPTIONS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "max_pool_size": ("maxPoolSize", lambda size: size),
    "j": ("journal", lambda journal: journal),
    "wtimeout": ("wTimeoutMS", lambda milliseconds: milliseconds),
    "network_timeout": ("socketTimeoutMS", lambda seconds: seconds and int(seconds * 1000)),
    "secondary_acceptable_latency_ms": ("localThresholdMS", lambda milliseconds: milliseconds),
    "ssl_ca_certs": ("tlsCAFile", lambda path: path),
    "ssl_certfile": ("tlsCertificateKeyFile", lambda path: path),
    "ssl_crlfile": ("tlsCRLFile", lambda path: path),
    "ssl_pem_passphrase": ("tlsCertificateKeyFilePassword", lambda text: text),
    "ssl_cert_reqs": ("tlsAllowInvalidCertificates", lambda required: not required),
    "ssl_match_hostname": ("tlsAllowInvalidHostnames", lambda match: not match),
}
# Client options that were about something which the driver now does by itself.
_CLIENT_OPTIONS_WITHOUT_MEANING = frozenset({"auto_start_request", "use_greenlets"})

_WRITE_CONCERN_OPTIONS = ("w", "j", "wtimeout", "fsync")

_FIND_ARGUMENTS = ("filter", "projection", "skip", "limit", "no_cursor_timeout", "cursor_type")
_FIND_RENAMED = {"spec": "filter", "fields": "projection", "partial": "allow_partial_results"}
_FIND_CURSOR_TYPES = ("tailable", "await_data", "exhaust")
_FIND_READ_PREFERENCES = ("slave_okay", "read_preference", "tag_sets")
# Arguments without a meaning for today's servers and drivers.
_FIND_WITHOUT_MEANING = frozenset(
    {"manipulate", "snapshot", "compile_re", "secondary_acceptable_latency_ms"}
)
_FIND_LEGACY = frozenset(
    {
        *_FIND_RENAMED,
        *_FIND_CURSOR_TYPES,
        *_FIND_READ_PREFERENCES,
        *_FIND_WITHOUT_MEANING,
        *("timeout", "network_timeout", "as_class"),
    }
)


def translate_client_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Translate PyMongo 2's client options into PyMongo 4's.

    Args:
        options: Keyword arguments for a client, in either spelling.

    Returns:
        The options as `pymongo.MongoClient` takes them. Those that PyMongo 4 knows, and those
        that nobody knows, are passed on as they are.

    Raises:
        TypeError: An option is given in both spellings.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     translate_client_options({"max_pool_size": 5, "slave_okay": True})
        {'maxPoolSize': 5, 'read_preference': SecondaryPreferred(tag_sets=None, ...)}
    """
    translated: dict[str, Any] = {}
    given = {name.lower() for name in options}
    for name, value in options.items():
        if name in _CLIENT_OPTIONS:
            new_name, convert = _CLIENT_OPTIONS[name]
            refuse_both(name, new_name, new_name.lower() in given)
            warn(f"the client option {name} is now {new_name}", DeprecationWarning)
            translated[new_name] = convert(value)
        elif name in _CLIENT_OPTIONS_WITHOUT_MEANING:
            warn(f"the client option {name} has no effect any more", DeprecationWarning)
        elif name == "safe":
            warn("the client option safe is now w; acknowledged is the default", DeprecationWarning)
            if value is False and "w" not in given:
                translated["w"] = 0
        elif name in {"slave_okay", "tag_sets"}:
            warn(f"the client option {name} is now read_preference", DeprecationWarning)
        elif name != "read_preference":
            translated[name] = value
    return translated | _read_preference_from(options)


def write_concern_from(
    options: Mapping[str, Any], base: WriteConcern | None = None
) -> tuple[WriteConcern | None, dict[str, Any]]:
    """Take PyMongo 2's write options out of the keyword arguments of one call.

    Args:
        options: The keyword arguments; `safe`, `w`, `j`, `wtimeout` and `fsync` are taken.
        base: The write concern of the collection: `safe=True` changes one that does not ask for
            an acknowledgement.

    Returns:
        The write concern for this call, None for the collection's own; and the other arguments.
        `safe=False` means unacknowledged only where it is said, and alone.

    Raises:
        pymongo.errors.ConfigurationError: The options exclude each other, as `w=0` and `j=True`.
        TypeError: An option has a value of a wrong type.

    Example:
        >>> write_concern_from({"w": 1, "session": None})
        (WriteConcern(w=1), {'session': None})
    """
    rest = dict(options)
    safe = rest.pop("safe", None)
    taken = {name: rest.pop(name) for name in _WRITE_CONCERN_OPTIONS if name in rest}
    chosen = {name: value for name, value in taken.items() if value is not None}
    if chosen:
        return WriteConcern(**chosen), rest
    if safe is False:
        return WriteConcern(w=0), rest
    if safe and base is not None and not base.acknowledged:
        return WriteConcern(w=1), rest
    return None, rest


def translate_find(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """Translate the arguments of a PyMongo 2 `find` into PyMongo 4's.

    Args:
        args: The positional arguments; the first four mean the same in both.
        kwargs: The keyword arguments, in either spelling; stays as it is.

    Returns:
        The positional and the keyword arguments for PyMongo 4's `find`, and what is an option of
        the collection there: see `with_find_options`.

    Raises:
        TypeError: One thing is given in both spellings.

    Example:
        >>> translate_find((), {"spec": {"a": 1}, "fields": ["b"], "timeout": False})
        ((), {'filter': {'a': 1}, 'projection': ['b'], 'no_cursor_timeout': True}, {})
    """
    if _FIND_LEGACY.isdisjoint(kwargs):
        return args, kwargs, {}
    used = ", ".join(sorted(_FIND_LEGACY & kwargs.keys()))
    warn(f"find() was called with arguments of PyMongo 2: {used}")
    given = {*_FIND_ARGUMENTS[: len(args)], *kwargs}
    new = {name: value for name, value in kwargs.items() if name not in _FIND_LEGACY}
    for old_name, new_name in _FIND_RENAMED.items():
        if old_name in kwargs:
            refuse_both(old_name, new_name, new_name in given)
            new[new_name] = kwargs[old_name]
    if "timeout" in kwargs:
        refuse_both("timeout", "no_cursor_timeout", "no_cursor_timeout" in given)
        new["no_cursor_timeout"] = not kwargs["timeout"]
    if kwargs.get("network_timeout"):
        # The time-out of a socket can't be set for one query any more: bound it on the server.
        new.setdefault("max_time_ms", int(kwargs["network_timeout"] * 1000))
    for name in _FIND_CURSOR_TYPES:
        if kwargs.get(name):
            refuse_both(name, "cursor_type", "cursor_type" in given)
            new["cursor_type"] = _cursor_type(kwargs)
    options = _read_preference_from(kwargs)
    if kwargs.get("as_class") is not None:
        options["document_class"] = kwargs["as_class"]
    return args, new, options


def with_find_options(collection: C, options: Mapping[str, Any]) -> C:
    """Return the collection with what a PyMongo 2 `find` gave as arguments.

    Args:
        collection: The collection; stays as it is.
        options: The third result of `translate_find`: `read_preference`, `document_class`.

    Returns:
        A collection with these options; the same one when there are none.

    Example:
        >>> with_find_options(collection, {}) is collection
        True
    """
    if not options:
        return collection
    codec_options = collection.codec_options
    if "document_class" in options:
        codec_options = codec_options.with_options(document_class=options["document_class"])
    changed: Any = collection.with_options(codec_options, options.get("read_preference"))
    with_options: C = changed
    return with_options


def refuse_both(old_name: str, new_name: str, is_given: bool) -> None:
    """Refuse an argument that is given by its new name too.

    Args:
        old_name: PyMongo 2's name, which is given.
        new_name: PyMongo 4's name.
        is_given: Whether that is given.

    Raises:
        TypeError: It is.

    Example:
        >>> refuse_both("spec", "filter", is_given=False)
    """
    if is_given:
        raise TypeError(f"{old_name} and {new_name} name the same thing: give one of them")


def _cursor_type(kwargs: Mapping[str, Any]) -> int:
    if kwargs.get("exhaust"):
        return CursorType.EXHAUST
    return CursorType.TAILABLE_AWAIT if kwargs.get("await_data") else CursorType.TAILABLE


def _read_preference_from(options: Mapping[str, Any]) -> dict[str, Any]:
    """The `read_preference` that PyMongo 2's three options for it make, if any."""
    preference = options.get("read_preference")
    tag_sets = options.get("tag_sets")
    if isinstance(preference, int):
        preference = _READ_PREFERENCES[preference]()
    elif preference is None and (options.get("slave_okay") or tag_sets):
        preference = SecondaryPreferred()
    if preference is None:
        return {}
    # [{}] is "any member", PyMongo 2's default; a primary has no choice of members.
    if tag_sets and tag_sets != [{}]:
        if isinstance(preference, Primary):
            raise ConfigurationError("tag_sets can't be combined with the primary")
        preference = type(preference)(tag_sets=tag_sets, max_staleness=preference.max_staleness)
    return {"read_preference": preference}
