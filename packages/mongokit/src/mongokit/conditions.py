"""The checks of one query: fields and operators, one by one, against the places they lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bson import ObjectId, Regex

from mongokit.errors import QueryTypeError, UnknownFieldError
from mongokit.kinds import ARRAY, BINARY, NUMBER, OBJECT, REGEX, STRING
from mongokit.matching import Mismatch, kinds_at, never_compares, never_equals
from mongokit.nearest import near_name, nearest
from mongokit.schema import ALWAYS_KNOWN, join
from mongokit.stored import ANYTHING, DBREF_FIELDS, Stored, items_of, places
from mongokit.wording import declared_as, told

if TYPE_CHECKING:
    from mongokit.compiler import Model

# MongoDB manual, Query Predicates. What stands for a field, and what for a condition on one.
_LOGICAL = frozenset({"$and", "$or", "$nor"})
_OF_THE_DOCUMENT = _LOGICAL | {
    *("$expr", "$where", "$text", "$comment", "$jsonSchema", "$sampleRate"),
    *("$alwaysTrue", "$alwaysFalse"),
}
_RANGE = frozenset({"$gt", "$gte", "$lt", "$lte"})
_SEVERAL = frozenset({"$in", "$nin", "$all"})
_NEGATED = frozenset({"$ne", "$nin"})
_NEEDS: Mapping[str, frozenset[str]] = {
    "$size": frozenset({ARRAY}),
    "$elemMatch": frozenset({ARRAY}),
    "$mod": frozenset({NUMBER}),
    "$regex": frozenset({STRING, REGEX}),
    **dict.fromkeys(
        ("$bitsAllClear", "$bitsAllSet", "$bitsAnyClear", "$bitsAnySet"),
        frozenset({NUMBER, BINARY}),
    ),
    **dict.fromkeys(
        ("$near", "$nearSphere", "$geoWithin", "$geoIntersects", "$within"),
        frozenset({ARRAY, OBJECT}),
    ),
}
_UNCHECKED = frozenset(
    {
        *("$exists", "$type", "$options", "$comment"),
        *("$maxDistance", "$minDistance", "$uniqueDocs"),
    }
)
_OF_A_FIELD = frozenset({"$eq", "$ne", "$not", *_RANGE, *_SEVERAL, *_NEEDS, *_UNCHECKED})


def _is_pattern(value: Any) -> bool:
    return isinstance(value, (re.Pattern, Regex))


def _has_operators(value: Any) -> bool:
    """Whether a dict is a condition, not a document to compare with; a DBRef is a document."""
    if not isinstance(value, Mapping):
        return False
    first = next(iter(value), "")
    return isinstance(first, str) and first.startswith("$") and first not in DBREF_FIELDS


def _in_both_forms(values: Sequence[Any]) -> frozenset[str]:
    """The texts of ObjectIds that stand in a list beside them: either is asked for on purpose."""
    texts = frozenset(each.lower() for each in values if isinstance(each, str))
    return texts and texts & {str(each) for each in values if isinstance(each, ObjectId)}


class Checks:
    """The rules of one class, for one query.

    Places come as lists: a path may lead to several, and then one that matches is enough.

    Args:
        model: What the class declares.
        collated: Whether the query has a collation, by which texts that differ may be equal.

    Example:
        >>> Checks(User.__mongokit__).filter({"age": {"$gtt": 30}})
        Traceback (most recent call last):
        mongokit.errors.UnknownFieldError: age: $gtt is not a query operator: did you mean $gt?
    """

    def __init__(self, model: Model, *, collated: bool = False) -> None:
        self.model = model
        self.collated = collated
        self.top = [Stored(model.tree or ANYTHING, model.schemaless)]

    def places(
        self, name: str, roots: list[Stored] | None = None, prefix: str = ""
    ) -> list[Stored]:
        """Return where a path leads to.

        Args:
            name: The path.
            roots: Where it starts; None for the documents themselves.
            prefix: The path of the roots.

        Raises:
            UnknownFieldError: It leads nowhere.
        """
        parts = name.split(".")
        found = [
            place
            for root in (self.top if roots is None else roots)
            for place in places(root, parts)
        ]
        if found:
            return found
        if not prefix and parts[0] == self.model.type_field:
            return [Stored(ANYTHING)]
        raise self._unknown(join(prefix, name))

    # Filters.

    def filter(
        self, filter: Mapping[Any, Any], roots: list[Stored] | None = None, prefix: str = ""
    ) -> None:
        """Check a filter.

        Args:
            filter: The filter, or that of an `$elemMatch`.
            roots: What it is applied to; None for the documents themselves.
            prefix: The path of the roots.

        Raises:
            UnknownFieldError: A field is not declared; or there is no such operator.
            QueryTypeError: A value can never match.
        """
        for name, value in filter.items():
            if not isinstance(name, str):
                continue  # the driver says what is wrong with it
            if not name.startswith("$") or name in DBREF_FIELDS:
                self._condition(self.places(name, roots, prefix), value, join(prefix, name))
            elif name in _LOGICAL:
                for branch in value if isinstance(value, (list, tuple)) else ():
                    if isinstance(branch, Mapping):
                        self.filter(branch, roots, prefix)
            elif name not in _OF_THE_DOCUMENT:
                self._refuse_operator(name, _OF_THE_DOCUMENT, prefix)

    def _condition(self, at: list[Stored], value: Any, path: str) -> None:
        if _has_operators(value):
            for operator, operand in value.items():
                self._operator(at, operator, operand, path)
        else:
            self._value(at, value, path)

    def _value(self, at: list[Stored], value: Any, path: str, operator: str = "$eq") -> None:
        """Check what is compared for equality, or a pattern."""
        if _is_pattern(value):
            self._needs(at, _NEEDS["$regex"], value, path, "match a regular expression")
            return
        found = [never_equals(place, value, path, collated=self.collated) for place in at]
        self._refuse_if_all(found, "equal", operator)

    def _operator(self, at: list[Stored], operator: Any, operand: Any, path: str) -> None:
        if operator == "$not" or (operator == "$elemMatch" and not isinstance(operand, Mapping)):
            if _has_operators(operand) or _is_pattern(operand):
                self._condition(at, operand, path)
        elif operator in _SEVERAL:
            values = operand if isinstance(operand, (list, tuple)) else ()
            both = frozenset() if operator == "$all" else _in_both_forms(values)
            for each in values:
                if operator == "$all" and isinstance(each, Mapping) and "$elemMatch" in each:
                    self._condition(at, each, path)
                elif not both or str(each).lower() not in both:
                    self._value(at, each, path, operator)
        elif operator in {"$eq", "$ne"}:  # a pattern is compared as such
            found = [never_equals(place, operand, path, collated=self.collated) for place in at]
            self._refuse_if_all(found, "equal", operator)
        elif operator in _RANGE:
            ranges = [never_compares(place, operand, path) for place in at]
            self._refuse_if_all(ranges, f"be {operator}", operator)
        elif operator in _NEEDS:
            self._needs(at, _NEEDS[operator], operand, path, f"match {operator}")
            if operator == "$elemMatch":
                self._elements(at, operand, path)
        elif operator not in _UNCHECKED:
            self._refuse_operator(operator, _OF_A_FIELD, path)

    def _elements(self, at: list[Stored], condition: Mapping[str, Any], path: str) -> None:
        """Check an `$elemMatch`: a filter for a list's documents, or conditions on its items."""
        items = [item for place in at for item in items_of(place)]
        if not items:  # _id, which may be anything but a list
            return
        if _has_operators(condition) and next(iter(condition)) not in _OF_THE_DOCUMENT:
            self._condition(items, condition, path)
        else:
            self.filter(condition, items, path)

    def _needs(
        self, at: list[Stored], kinds: frozenset[str], value: Any, path: str, verb: str
    ) -> None:
        """Refuse a condition that only values of some kinds meet, where none of them can be."""
        possible = [kinds_at(place) for place in at]
        if any(each is None or each & kinds for each in possible):
            return
        expected = declared_as(at[0].node)
        raise QueryTypeError(
            f"{path} can never {verb}: it is declared as {expected}",
            path=path,
            expected=expected,
            value=value,
            document_class=self.model.document_class,
        )

    # Projections.

    def projection(self, projection: Mapping[Any, Any], prefix: str = "") -> None:
        """Check a projection.

        Args:
            projection: The projection, or the part of it below a field.
            prefix: That field's path.

        Raises:
            UnknownFieldError, QueryTypeError: As for a filter.
        """
        for name, value in projection.items():
            if not isinstance(name, str):
                continue
            path = join(prefix, name.removesuffix(".$"))
            if isinstance(value, (bool, int, float)):
                self.places(path)
            elif isinstance(value, Mapping):
                self._projected(path, value)

    def _projected(self, path: str, value: Mapping[str, Any]) -> None:
        operator = str(next(iter(value), ""))
        if operator == "$slice":
            limits = value[operator]
            # With an expression as its first argument it is the aggregation's: a computed field.
            if not isinstance(limits, Sequence) or all(isinstance(n, (int, float)) for n in limits):
                at = self.places(path)
                self._needs(at, _NEEDS["$size"], limits, path, "be sliced")
        elif operator == "$elemMatch":
            at = self.places(path)
            self._operator(at, operator, value[operator], path)
        elif not operator.startswith("$"):
            self.projection(value, path)

    # Refusing.

    def _unknown(self, path: str) -> UnknownFieldError:
        names = ALWAYS_KNOWN | {self.model.type_field or "_id"}
        suggestion = nearest(self.model.tree, path, sorted(names))
        meant = f": did you mean {suggestion}?" if suggestion else ""
        return UnknownFieldError(
            f"{path} is not a field of {self.model.document_class.__name__}{meant}",
            path=path,
            suggestion=suggestion,
            document_class=self.model.document_class,
        )

    def _refuse_if_all(self, found: list[Mismatch | None], verb: str, operator: str) -> None:
        """Refuse a value that matches at none of the places it is compared with."""
        mismatches = [each for each in found if each is not None]
        if len(mismatches) < len(found):
            return
        worst = max(mismatches, key=lambda each: len(each.path))
        if worst.node is None:
            raise self._unknown(worst.path)
        text = told(worst, verb)
        raise QueryTypeError(
            f"{text} ({operator} is true of every document)" if operator in _NEGATED else text,
            path=worst.path,
            expected=declared_as(worst.node),
            value=worst.value,
            document_class=self.model.document_class,
        )

    def _refuse_operator(self, name: Any, known: frozenset[str], path: str) -> None:
        if not isinstance(name, str) or name.startswith("$_"):  # the server's own
            return
        suggestion = near_name(name, sorted(known))
        meant = f": did you mean {suggestion}?" if suggestion else ""
        where = f"{path}: " if path else ""
        raise UnknownFieldError(
            f"{where}{name} is not a query operator{meant}",
            path=join(path, name),
            suggestion=suggestion,
            document_class=self.model.document_class,
        )
