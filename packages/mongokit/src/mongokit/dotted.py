"""Dicts that are read by attribute, and dicts whose keys are paths."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

_MISSING: Final = object()

TYPE_NAMES: Final[Mapping[str, type[object]]] = {
    **{
        f"${type_.__name__}": type_
        for type_ in (
            *(bool, bytes, dict, float, int, list, str, tuple, type(None)),
            *(datetime, re.Pattern, uuid.UUID),
            *(Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp),
        )
    },
    # What classic wrote on Python 2: paths in old declarations still use these names.
    "$unicode": str,
    "$basestring": str,
    "$long": int,
}
"""The names that stand for a type key in a path, with their types: `"$str"` is `str`."""


def type_key_name(type_: type[object]) -> str:
    """Return the name that stands for a type key in a path.

    Args:
        type_: The type that is the key, as in `{str: int}`.

    Returns:
        `$` and the type's name.

    Example:
        >>> type_key_name(str)
        '$str'
    """
    return f"${type_.__name__}"


class DotedDict(dict[str, Any]):
    """A dict whose string keys can be read, set and deleted as attributes.

    - Reading a key gives its value. A plain dict there, or in a list there, becomes a `DotedDict`
      in place first, so that `x.a.b = 1` writes into `x`.
    - Reading a name that is no key gives None, as classic did; only names such as
      `__deepcopy__` and `_repr_html_`, by which Python and notebooks ask what an object can do,
      raise AttributeError.
    - A method or another attribute of the class is never shadowed: `x.items` is dict's method
      whatever the keys are.
    - Setting a name sets the key.

    A deep copy is a plain dict, down to the last level; `copy.copy` and pickle keep the class.

    Args:
        *args: What dict takes. Plain dicts in the values, and in lists there, are converted; the
            given mapping and its lists stay as they are.
        **kwargs: What dict takes.

    Raises:
        TypeError: The arguments are none that dict takes.

    Example:
        >>> place = DotedDict({"city": {"name": "Rome"}})
        >>> place.city.name = "Roma"
        >>> place
        {'city': {'name': 'Roma'}}
    """

    __slots__ = ()

    # bson asks each value for this attribute when it encodes: answered by the class it costs
    # nothing, and a field of that name can't pass for a BSON type.
    _type_marker: ClassVar[int] = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what dict takes and convert what is nested."""
        if args or kwargs:
            dict.__init__(self, *args, **kwargs)
            for key, value in dict.items(self):
                converted = to_dotted(value)
                if converted is not value:
                    dict.__setitem__(self, key, converted)

    def __getattr__(self, name: str) -> Any:
        """Return the key's value, or None when there is no such key."""
        value = dict.get(self, name, _MISSING)
        if value is _MISSING or _is_dunder(name):
            if name.startswith("_") and name.endswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return None
        if type(value) is dict:
            value = DotedDict(value)
            dict.__setitem__(self, name, value)
        elif type(value) is list and _holds_containers(value):
            # In place: somebody may hold the list already.
            value[:] = [to_dotted(item) for item in value]
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the key, unless the name is an attribute of the class and no key."""
        if not dict.__contains__(self, name) and (hasattr(type(self), name) or _is_dunder(name)):
            super().__setattr__(name, value)
        else:
            dict.__setitem__(self, name, value)

    def __delattr__(self, name: str) -> None:
        """Remove the key.

        Raises:
            AttributeError: There is no such key.
        """
        if dict.pop(self, name, _MISSING) is _MISSING:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        """List the attributes of the class and the keys that are strings."""
        keys: list[object] = list(self)
        return sorted({*super().__dir__(), *(key for key in keys if isinstance(key, str))})

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        """Return a plain dict, plain down to the last level."""
        copied: dict[str, Any] = {}
        memo[id(self)] = copied
        for key, value in dict.items(self):
            copied[deepcopy(key, memo)] = deepcopy(value, memo)
        return copied


class DecodedDotedDict(DotedDict):
    """The `DotedDict` for bson's decoder: one is made without a call into Python code.

    As `document_class` it makes every nested document of a reply a `DotedDict` for about the
    price of a dict. It differs in one thing: its constructor converts nothing.

    Example:
        >>> from bson import decode, encode
        >>> from bson.codec_options import CodecOptions
        >>> options = CodecOptions(document_class=DecodedDotedDict)
        >>> decode(encode({"a": {"b": 1}}), options).a.b
        1
    """

    __slots__ = ()

    # dict's own slot again: a constructor written in Python doubles the price of each document.
    __init__ = dict.__init__


class _Translated(Protocol):
    """What `i18nDotedDict` needs of a document."""

    i18n: list[str]
    _current_lang: str
    _fallback_lang: str


class i18nDotedDict(DotedDict):
    """A `DotedDict` inside a document, whose i18n fields are read and set in one language.

    An i18n field holds `{language: value}`. By attribute it reads as the value in the document's
    current language, else in its fallback language, else None; setting it sets the current
    language's value. As a key it is the whole dict.

    A deep copy is a plain dict; a pickle is a `DotedDict`, because it leaves the document behind.

    Args:
        mapping: The content.
        doc: The document that it belongs to; gives the languages and the names of the i18n fields.
        path: Where it stands in the document; empty for the document's own level.

    Example:
        >>> from types import SimpleNamespace
        >>> doc = SimpleNamespace(i18n=["title"], _current_lang="fr", _fallback_lang="en")
        >>> book = i18nDotedDict({"title": {"en": "Mouse"}}, doc)
        >>> book.title
        'Mouse'
        >>> book.title = "Souris"
        >>> book["title"]
        {'en': 'Mouse', 'fr': 'Souris'}
    """

    __slots__ = ("_doc", "_path")

    _doc: _Translated
    _path: str

    def __init__(self, mapping: Mapping[str, Any], doc: _Translated, path: str = "") -> None:
        """Keep the content, the document and the place."""
        dict.__init__(self, mapping)
        object.__setattr__(self, "_doc", doc)
        object.__setattr__(self, "_path", path)

    def __getattr__(self, name: str) -> Any:
        """Return the value in the current language, in the fallback language, or None."""
        path = self._path_of(name)
        value = dict.get(self, name)
        if path in self._doc.i18n and isinstance(value, dict):
            fallback = dict.get(value, self._doc._fallback_lang)
            return dict.get(value, self._doc._current_lang, fallback)
        if isinstance(value, (dict, list)) and self._is_above_i18n(path):
            translated = in_languages(value, self._doc, path)
            if translated is not value:
                dict.__setitem__(self, name, translated)
            return translated
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an i18n field's value in the current language, any other key as it is."""
        if self._path_of(name) not in self._doc.i18n:
            super().__setattr__(name, value)
            return
        values = dict.get(self, name)
        if not isinstance(values, dict):
            values = {}
            dict.__setitem__(self, name, values)
        dict.__setitem__(values, self._doc._current_lang, value)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle and copy as a `DotedDict`, without the document."""
        return DotedDict, (dict(self),)

    def _path_of(self, name: str) -> str:
        """The declared path of a key: under a type key, that one's."""
        prefix = f"{self._path}." if self._path else ""
        path = f"{prefix}{name}"
        under_type = f"{prefix}$str"
        if path not in self._doc.i18n and (
            under_type in self._doc.i18n or self._is_above_i18n(under_type)
        ):
            return under_type
        return path

    def _is_above_i18n(self, path: str) -> bool:
        return any(field.startswith(f"{path}.") for field in self._doc.i18n)


def in_languages(value: Any, doc: _Translated, path: str) -> Any:
    """Return a value above i18n fields so that its attributes are read in the document's language.

    Args:
        value: What the document holds at `path`. A list is changed in place, because somebody may
            hold it already.
        doc: The document.
        path: Where the value stands; the items of a list stand at the list's path.

    Example:
        >>> from types import SimpleNamespace
        >>> doc = SimpleNamespace(i18n=["a.b"], _current_lang="en", _fallback_lang="en")
        >>> in_languages([{"b": {"en": "x"}}], doc, "a")[0].b
        'x'
    """
    if isinstance(value, dict):
        if isinstance(value, i18nDotedDict) and value._doc is doc and value._path == path:
            return value
        return i18nDotedDict(value, doc, path)
    if isinstance(value, list):
        value[:] = [in_languages(item, doc, path) for item in value]
    return value


class DotCollapsedDict(dict[str, Any]):
    """A nested dict made flat: its keys are dotted paths.

    A type key becomes its name (`$str`). An empty dict, and a dict with a key that is neither a
    string nor a type, is a value. `DotExpandedDict` is the inverse, as long as no key holds a
    dot.

    Args:
        mapping: The nested dict; it stays as it is.
        remove_under_type: Where a dict has a type key, put an empty dict there and go no deeper.
        reference: A dict such as a structure, nested or collapsed itself: collapse only what is a
            dict with keys in it too, so that values of `dict` fields stay whole. Keys under a type
            key of the reference are followed by that.

    Example:
        >>> DotCollapsedDict({"a": {"b": 1, str: {"c": 2}}})
        {'a.b': 1, 'a.$str.c': 2}
        >>> DotCollapsedDict({"a": {"b": {"c": 1}}}, reference={"a": {"b": dict}})
        {'a.b': {'c': 1}}
    """

    def __init__(
        self,
        mapping: Mapping[Any, Any],
        remove_under_type: bool = False,
        reference: Mapping[Any, Any] | None = None,
    ) -> None:
        """Collapse the mapping."""
        super().__init__()
        if any("." in key for key in reference or () if isinstance(key, str)):
            reference = DotExpandedDict(reference or {})
        if _is_branch(mapping):
            self._collapse(mapping, "", remove_under_type, reference)
        else:
            self.update(mapping)

    def _collapse(
        self,
        mapping: Mapping[Any, Any],
        prefix: str,
        remove_under_type: bool,
        reference: Mapping[Any, Any] | None,
    ) -> None:
        for key, value in mapping.items():
            path = prefix + (type_key_name(key) if isinstance(key, type) else key)
            below = None if reference is None else _followed(reference, key)
            if (
                not _is_branch(value)
                or (reference is not None and not _is_branch(below))
                or (remove_under_type and below is not None and _has_type_key(below))
            ):
                self[path] = value
            elif remove_under_type and _has_type_key(value):
                self[path] = {}
            else:
                self._collapse(value, f"{path}.", remove_under_type, below)


class DotExpandedDict(dict[Any, Any]):
    """A flat dict with dotted paths as keys, made nested again.

    A part of a path that stands for a type (`$str`, and classic's `$unicode`, `$basestring`,
    `$long`) becomes that type, looked up in `TYPE_NAMES`; any other part stays a string. Where a
    whole dict and a path into it are both given, they are merged and the later one wins.

    Args:
        mapping: The flat dict; it and the dicts in it stay as they are.

    Raises:
        ValueError: A path leads through something that is no dict, as in `{"a": 1, "a.b": 2}`.

    Example:
        >>> DotExpandedDict({"a.b": 1, "a.$str.c": 2})
        {'a': {'b': 1, <class 'str'>: {'c': 2}}}
    """

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        """Expand the mapping."""
        super().__init__()
        for path, value in mapping.items():
            first, *rest = (TYPE_NAMES.get(part, part) for part in path.split("."))
            nested = value
            for part in reversed(rest):
                nested = {part: nested}
            _merge(self, first, nested, path)


def _merge(place: dict[Any, Any], key: object, value: object, path: str) -> None:
    """Put a value into a nested dict; a plain dict is put in key by key."""
    existing = place.get(key, _MISSING)
    if type(value) is dict and (existing is _MISSING or type(existing) is dict):
        below = place.setdefault(key, {})
        for name, item in value.items():
            _merge(below, name, item, path)
    elif type(value) is dict or type(existing) is dict:
        raise ValueError(f"{path} and another path lead through each other: one must be a dict")
    else:
        place[key] = value


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _holds_containers(values: list[Any]) -> bool:
    types = set(map(type, values))
    return dict in types or list in types


def to_dotted(value: Any) -> Any:
    """Return the value with its plain dicts as `DotedDict`; itself if there is nothing to convert.

    Args:
        value: Anything; a dict or list stays as it is and is copied where something is converted.

    Example:
        >>> to_dotted([{"a": {"b": 1}}])[0].a.b
        1
    """
    if type(value) is dict:
        # Not through the constructor in Python, which costs more than the rest.
        dotted = DecodedDotedDict(value)
        for key, item in value.items():
            if type(item) is dict or type(item) is list:
                dotted[key] = to_dotted(item)
        return dotted
    if type(value) is list and _holds_containers(value):
        return [to_dotted(item) for item in value]
    return value


def _is_branch(value: object) -> bool:
    """Whether a value is collapsed: a dict with keys, each a string or a type."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(key, (str, type)) for key in value)
    )


def _has_type_key(mapping: Mapping[Any, Any]) -> bool:
    return any(isinstance(key, type) for key in mapping)


def _followed(reference: Mapping[Any, Any], key: object) -> Any:
    """What the reference has for a key, by name or by a type key."""
    if key in reference:
        return reference[key]
    for type_, value in reference.items():
        if isinstance(type_, type) and isinstance(key, type_):
            return value
    return None
