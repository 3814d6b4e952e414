"""A connection of the mapper for each test, on the run's one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from mongokit import Collection, Connection, Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection as PyMongoCollection
    from pymongo.database import Database as PyMongoDatabase


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


@pytest.fixture(scope="session", params=[MongoClient, Connection], ids=["pymongo", "mongokit"])
def any_client(
    request: pytest.FixtureRequest, mongodb_uri: str
) -> Iterator[MongoClient[dict[str, Any]]]:
    """PyMongo's client, then ours: what a test says of it must hold for both."""
    with request.param(mongodb_uri) as client:
        yield client


@pytest.fixture
def any_db(
    any_client: MongoClient[dict[str, Any]], database_name: str
) -> PyMongoDatabase[dict[str, Any]]:
    """This test's own database, PyMongo's and ours."""
    return any_client[database_name]


@pytest.fixture
def any_col(any_db: PyMongoDatabase[dict[str, Any]]) -> PyMongoCollection[dict[str, Any]]:
    """A collection of this test's own database, PyMongo's and ours."""
    return any_db["things"]
