"""References between documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def are_fetched(document_class: Any) -> bool:
    """Tell whether documents of the class are completed with what they reference when read."""
    return bool(document_class.__mongokit__.has_references)


def resolve(documents: Sequence[Any]) -> None:
    """Put the referenced documents in place of the DBRefs of all `documents`."""


def validate_referenced(document: Any) -> None:
    """Validate what `document` references."""


def save_referenced(document: Any, session: Any = None) -> None:
    """Save what `document` references and what has changed since it was read."""
