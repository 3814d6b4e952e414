"""Values per language: a dict in memory, `[{"lang": ..., "value": ...}]` in the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mongokit.errors import SchemaTypeError
from mongokit.types import CustomType

__all__ = ["i18n"]


def to_stored(values: Mapping[str, Any], convert: Callable[[Any], Any] | None = None) -> list[Any]:
    """Return the stored form of a value per language.

    Args:
        values: Language to value.
        convert: Makes the stored form of one value; None where it is the same.

    Example:
        >>> to_stored({"en": "Mouse"})
        [{'lang': 'en', 'value': 'Mouse'}]
    """
    return [
        {"lang": lang, "value": value if convert is None else convert(value)}
        for lang, value in dict(values).items()
    ]


def from_stored(stored: Any, convert: Callable[[Any], Any] | None = None) -> Any:
    """Return the dict of a stored value per language; anything else comes back as it is.

    Args:
        stored: What the database holds.
        convert: Makes the Python form of one value; None where it is the same.

    Example:
        >>> from_stored([{"lang": "en", "value": "Mouse"}])
        {'en': 'Mouse'}
        >>> from_stored(["Mouse"])
        ['Mouse']
    """
    if not isinstance(stored, list) or not all(_is_entry(entry) for entry in stored):
        return stored
    return {
        entry["lang"]: entry["value"] if convert is None else convert(entry["value"])
        for entry in stored
    }


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and "lang" in entry and "value" in entry


class i18n(CustomType):
    """The type of a field with one value per language, for a structure that names it itself.

    A class says the same by listing the field in its `i18n`; that also gives the field its
    languages under dot notation, and is what to use.

    Args:
        field_type: The type of each value, or a list with the type of the items of each value;
            None for any.
        field_name: How errors call the field where it is used outside of a structure.

    Example:
        >>> title = i18n(str, "title")
        >>> title.to_bson({"en": "Mouse"})
        [{'lang': 'en', 'value': 'Mouse'}]
        >>> title.to_python([{"lang": "en", "value": "Mouse"}])
        {'en': 'Mouse'}
    """

    mongo_type = list
    python_type = dict
    init_type = dict

    def __init__(self, field_type: Any = None, field_name: str = "") -> None:
        """Keep the type and the name."""
        super().__init__()
        self._field_type = field_type
        self._field_name = field_name

    def to_bson(self, value: Any) -> Any:
        """Return the list that is stored, None for None.

        Raises:
            SchemaTypeError: A value is of another type than the declared one.
        """
        if value is None:
            return None
        self.validate(value, self._field_name)
        return to_stored(value)

    def to_python(self, value: Any) -> Any:
        """Return the dict of a stored list, None for None."""
        return from_stored(value)

    def validate(self, value: Any, path: str) -> None:
        """Check the value of each language.

        Args:
            value: Language to value.
            path: The dotted field name, for the error's text.

        Raises:
            SchemaTypeError: A value is of another type than the declared one.
        """
        for lang, text in (value or {}).items():
            where = f"{path or self._field_name} ({lang})"
            wanted = self._field_type
            if isinstance(wanted, list):
                _check(text, list, where)
                for item in text or () if wanted else ():
                    _check(item, wanted[0], where)
            elif wanted is not None:
                _check(text, wanted, where)


def _check(value: Any, wanted: type, where: str) -> None:
    if value is not None and not isinstance(value, wanted):
        raise SchemaTypeError(
            f"{where} must be an instance of {wanted.__name__} not {type(value).__name__}",
            path=where,
            value=value,
        )
