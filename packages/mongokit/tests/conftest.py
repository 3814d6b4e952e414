"""A connection of the mapper for each test, on the run's one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mongokit import Collection, Connection, Database

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def connection(mongodb_uri: str) -> Iterator[Connection]:
    """A connection with an empty registry."""
    with Connection(mongodb_uri) as client:
        yield client


@pytest.fixture
def db(connection: Connection, database_name: str) -> Database:
    """This test's own database."""
    return connection[database_name]


@pytest.fixture
def col(db: Database) -> Collection:
    """A collection of this test's own database."""
    return db["things"]
