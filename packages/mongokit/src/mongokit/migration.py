"""Migrations of stored documents."""

from __future__ import annotations

from typing import Any


def migrate_fetched(document: Any) -> None:
    """Migrate a document that was read and does not validate."""
