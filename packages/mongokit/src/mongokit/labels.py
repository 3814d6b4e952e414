"""What schemas say to people: titles, descriptions, and rules that no keyword can tell."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from mongokit.validators import Constraint

_ENTRY = re.compile(r"(?P<name>[\w.$]+)\s*(?:\([^)]*\))?:\s*(?P<text>.*)")


def title_of(name: str) -> str:
    """Return a field's name for people.

    Args:
        name: The field's name.

    Example:
        >>> title_of("created_at"), title_of("_id"), title_of("zipCode")
        ('Created at', 'Id', 'Zip code')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").split()
    text = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return text[:1].upper() + text[1:] or name


def summary_of(document_class: type) -> str | None:
    """Return the first paragraph of a class's own docstring, None where it has none.

    Args:
        document_class: The class.

    Example:
        >>> class Tea(Document):
        ...     '''A hot drink.'''
        >>> summary_of(Tea)
        'A hot drink.'
    """
    text = inspect.cleandoc(document_class.__doc__ or "")
    first = text.split("\n\n", 1)[0].replace("\n", " ").strip()
    return first or None


def descriptions_of(document_class: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of fields, under `Attributes:`.

    Args:
        document_class: The class.

    Example:
        >>> class Tea(Document):
        ...     '''A hot drink.
        ...
        ...     Attributes:
        ...         leaves: How much of them,
        ...             in grams.
        ...     '''
        ...     leaves: float
        >>> descriptions_of(Tea)
        {'leaves': 'How much of them, in grams.'}
    """
    found: dict[str, str] = {}
    for base in reversed(document_class.__mro__):
        model = base.__dict__.get("__mongokit__")
        if base.__doc__ and model is not None and model.tree is not None:
            found.update(_attributes(inspect.cleandoc(base.__doc__)))
    return found


def _attributes(docstring: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name, margin, inside = "", 0, False
    for line in docstring.splitlines():
        indent = len(line) - len(line.lstrip())
        if not indent and line:
            inside = line.rstrip() == "Attributes:"
            margin = 0
        elif inside and line.strip():
            margin = margin or indent
            entry = _ENTRY.fullmatch(line.strip()) if indent == margin else None
            if entry is not None:
                name = entry["name"]
                found[name] = entry["text"]
            elif name and indent > margin:
                found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def with_rules(description: str | None, rules: Iterable[str]) -> str | None:
    """Return a description that also tells rules.

    Args:
        description: What else is said, or None.
        rules: Sentences.

    Example:
        >>> with_rules("In grams.", ["It must not be odd"])
        'In grams. Also: It must not be odd.'
    """
    told = " ".join(f"Also: {rule.rstrip('.')}." for rule in rules)
    return " ".join(part for part in (description, told) if part) or None


def rule_of(validator: Callable[[Any], Any], value: Any = "") -> str:
    """Return a validator in words.

    Args:
        validator: A validator.
        value: What it speaks of: a text is said to be long, a list to have items.

    Example:
        >>> from mongokit.validators import ge
        >>> from datetime import datetime
        >>> def is_even(number):
        ...     '''Even numbers only. They are divided by two.'''
        >>> rule_of(is_even), rule_of(ge(datetime(2026, 1, 1))), rule_of(lambda value: value)
        ('Even numbers only', 'must be at least 2026-01-01 00:00:00', 'a check of its own')
    """
    if isinstance(validator, Constraint):
        return validator.message(value).replace("%s ", "")
    while isinstance(validator, functools.partial):
        validator = validator.func
    text = inspect.getdoc(validator) or ""
    sentence = re.split(r"(?<=[.!?])\s", text.split("\n\n", 1)[0].replace("\n", " "), maxsplit=1)[0]
    name = getattr(validator, "__name__", None) or type(validator).__name__
    if sentence:
        return sentence.rstrip(".")
    return "a check of its own" if name == "<lambda>" else name
