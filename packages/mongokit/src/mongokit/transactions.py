"""Transactions as a block, with the driver's rules for commits whose result is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.client_session import ClientSession
    from pymongo.read_concern import ReadConcern
    from pymongo.write_concern import WriteConcern

# MongoDB specifications, Convenient API for Transactions: no retry after 120 seconds.
_SECONDS = 120


@contextmanager
def transaction(
    client: MongoClient[Any],
    read_concern: ReadConcern | None = None,
    write_concern: WriteConcern | None = None,
) -> Iterator[ClientSession]:
    """Run a block in a transaction of a session of its own; see `Database.transaction`.

    Args:
        client: Whose server it runs on.
        read_concern: As `pymongo.client_session.ClientSession.start_transaction`.
        write_concern: The same.

    Yields:
        The session.

    Raises:
        pymongo.errors.PyMongoError: The commit failed.

    Example:
        >>> with transaction(connection) as session:
        ...     db.users.delete_one({"_id": 1}, session=session).deleted_count
        1
    """
    with (
        client.start_session() as session,
        session.start_transaction(read_concern, write_concern),
    ):
        yield session
        if session.in_transaction:
            _commit(session)


def _commit(session: ClientSession) -> None:
    # Again while the result is unknown, as the driver's with_transaction does, for as long; but
    # a time-out ends it: who bounds the waiting means the whole of it.
    end = monotonic() + _SECONDS
    while True:
        try:
            return session.commit_transaction()
        except PyMongoError as error:
            unknown = error.has_error_label("UnknownTransactionCommitResult")
            if not unknown or error.timeout or monotonic() > end:
                raise
