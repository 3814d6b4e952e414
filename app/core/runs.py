"""What is listed and in which order, as queries that an index serves whole.

An order is one or several runs, each documents with some values in the order of one key, which are
read one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Above each text that begins with the same and goes on with less than 128 characters: in UTF-8, by
# whose bytes MongoDB compares, no character comes after this one.
AFTER_ALL = "\U0010ffff" * 128


@dataclass(frozen=True, slots=True)
class Run:
    """Some of what is listed: documents with these values, in the order of one key.

    Attributes:
        key: The field that orders. No two documents have the same value in it. Documents that
            lack it are not listed, unless it is the `_id`.
        equal: Values of other fields; an index serves them before the key.
        among: A few values of other fields, of which a document has one; served like `equal`.
        begins: What the key begins with, for another key than the `_id`.
        descending: Whether the greatest key comes first.

    Example:
        >>> Run("name_key", {"role": "admin"}, begins="ad").filter(None, upwards=True)["role"]
        'admin'
    """

    key: str = "_id"
    equal: Mapping[str, Any] = field(default_factory=dict)
    among: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    begins: str = ""
    descending: bool = False

    def filter(self, place: Any, *, upwards: bool) -> dict[str, Any]:
        """Return the filter of what comes behind a place.

        Args:
            place: A value of the key, or None for all of the run.
            upwards: Whether greater keys come behind it, or lesser ones.

        Example:
            >>> Run().filter(None, upwards=True)
            {}
        """
        bounds: dict[str, Any] = {}
        if self.key != "_id":
            bounds = {"$gte": self.begins, "$lt": self.begins + AFTER_ALL}
        if place is not None:
            bounds.pop("$gte" if upwards else "$lt", None)
            bounds["$gt" if upwards else "$lt"] = place
        bounded = {self.key: bounds} if bounds else {}
        if self.among:
            # To MongoDB the order is all one. The embedded engine knows no index that begins with a
            # list of values: it takes the one of what comes first, here the narrowest.
            lists = {name: {"$in": [*values]} for name, values in self.among.items()}
            return {**bounded, **self.equal, **lists}
        return {**self.equal, **bounded}

    def holds(self, place: object) -> bool:
        """Tell whether a value of the key may be one of this run.

        Example:
            >>> Run("name_key", begins="ad").holds("bob")
            False
        """
        return self.key == "_id" or (isinstance(place, str) and place.startswith(self.begins))


@dataclass(frozen=True, slots=True)
class Order:
    """All that is listed, and how it is ordered.

    Attributes:
        name: Two orders that list other documents, or order them otherwise, have different ones:
            the token of one is refused for the other.
        runs: The runs, in their order.

    Example:
        >>> Order("created", (Run(),)).runs[0].key
        '_id'
    """

    name: str
    runs: tuple[Run, ...]
