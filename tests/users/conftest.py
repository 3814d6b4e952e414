"""What the tests of users share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest

from app.core.db import db
from app.users import documents
from tests.users import classic

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no failure: only what comes out counts.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture(params=["annotated", "classic"])
def declared_as(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The doors run on the user as it is declared, and on the same one in a classic structure."""
    annotated = documents.User
    if request.param == "classic":
        monkeypatch.setattr(documents, "User", db.register(classic.User))
    yield request.param
    db.register(annotated)
