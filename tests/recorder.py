"""The commands that the application sends while a test runs, held against its declared indexes.

Which code sent a command is told by the frames that led to it: the nearest one that lies in `app/`
or in `tests/` decides. What a test sends by itself is its own business, and so are collections that
only a test's documents use.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo.monitoring import CommandListener

from app.core.db import db
from mongokit.indexes import declared_indexes
from tests.served import Index, fault, shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent

_ROOT = Path(__file__).parents[1]
_APP, _TESTS = f"{_ROOT / 'app'}/", f"{_ROOT / 'tests'}/"
# What looks for documents. A getMore goes on with what was judged when it began.
_LOOKING = {"find", "aggregate", "count", "distinct", "update", "delete", "findAndModify"}
# Who may go on without a limit, and why.
WALKS = {
    "app.users.bulk._export": "an export is every user, read in portions",
    "app.users.bulk._refresh": "it sets right every user, read in portions",
    "app.users.bulk.estimate": "a progress bar; the server knows the number without counting",
    "app.users.services.remove": "a user has few tokens, and all of them go",
    "app.users.state._collection": "how many there are; the server knows it without counting",
}
# What tells of a collection as a whole, and who may ask for it, and why.
_TELLING = {"listIndexes", "collStats"}
ASKERS = {
    "app.core.db._create_missing_indexes": "once in each process, and not in production",
    "app.core.health.ready": "it says which index is missing",
    "app.users.state._collection": "an admin looks at the state of the data",
    "app.users.state._indexes": "an admin looks at the state of the data",
    "app.users.bulk.import_rows": "once for a file: the index keeps addresses unique",
}


def declared() -> dict[str, Sequence[Index]]:
    """Return the indexes that the application's documents declare, by the collection's name."""
    return {
        cls.__collection__: [
            Index(index.keys, bool(index.options.get("unique")))
            for index in declared_indexes(cls)
            # One that does not hold every document serves no query by itself.
            if not {"sparse", "partialFilterExpression"} & {*index.options}
        ]
        for cls in db.registered_documents
        if cls.__module__.startswith("app.")
    }


class Recorder(CommandListener):
    """Judges commands as they are sent.

    Args:
        indexes: By the collection's name; commands on others are left alone.

    Attributes:
        found: A sentence for each command that no index serves, without the values in it.
        seen: By whom commands were sent that were judged, and how they are shaped.
    """

    def __init__(self, indexes: Mapping[str, Sequence[Index]]) -> None:
        self._indexes = indexes
        self.found: list[str] = []
        self.seen: list[tuple[str, str]] = []

    def started(self, event: CommandStartedEvent) -> None:
        """Judge a command that is about to be sent."""
        name, command = event.command_name, event.command
        if name not in _LOOKING | _TELLING or command[name] not in self._indexes:
            return
        sender = _sender()
        if sender is None:
            return
        said = f"{name} on {command[name]}" if name in _TELLING else shape(name, command)
        self.seen.append((sender, said))
        if (why := self._fault(name, command, sender)) is not None:
            sentence = f"{sender} sent {said}; {why}"
            if sentence not in self.found:
                self.found.append(sentence)

    def _fault(self, name: str, command: Mapping[str, Any], sender: str) -> str | None:
        if name in _TELLING:
            return None if sender in ASKERS else "only those of ASKERS may ask for it"
        return fault(name, command, self._indexes[command[name]], may_walk=sender in WALKS)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Do nothing; the driver calls all three."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Do nothing; the driver calls all three."""


def _sender() -> str | None:
    """Return the application's function that is sending a command, None if it is a test's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        # The listener itself lies in `tests/`.
        if name.startswith(_TESTS) and name != __file__:
            return None
        if name.startswith(_APP):
            return f"{frame.f_globals['__name__']}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return None
