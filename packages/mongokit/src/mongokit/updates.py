"""Updates checked before they are sent: each path and value against what the class declares.

A value is refused with the error that `validate()` raises for a document that holds it. What can't
be known before the server has run the update is left to it: whether an item that is pulled empties
a required list, what an amount makes of a number, what a validator of the whole says of its part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bson import Decimal128, Int64, Timestamp

from mongokit import placed
from mongokit.errors import MongoKitError, SchemaTypeError, StructureError
from mongokit.explain import MISSING, _Walk, expected_name
from mongokit.nearest import near_name
from mongokit.operators import IS
from mongokit.placed import Findings, error_at
from mongokit.schema import (
    AnyNode,
    CustomNode,
    I18nNode,
    ListNode,
    Node,
    OperatorNode,
    ReferenceNode,
    ScalarNode,
    TupleNode,
    UnionNode,
    children,
)
from mongokit.stored import DBREF_FIELDS
from mongokit.targets import Target, takes_any, targets
from mongokit.types import DateType, DecimalType

if TYPE_CHECKING:
    from bson.codec_options import CodecOptions

    from mongokit.compiler import Model

Item = Callable[[Any], Any]
"""Checks an item of a list and returns its stored form."""

_MODIFIERS = ("$each", "$position", "$slice", "$sort")
_BITS = ("and", "or", "xor")
_GONE = {"$pushAll": "use $push with $each"}


def _same(amount: Any) -> Any:
    return amount


def _decimal(amount: Any) -> Decimal128:
    return amount if isinstance(amount, Decimal128) else Decimal128(str(amount))


# What may be added to a number of a declared type, and what it is sent as: a missing field becomes
# the amount itself, which then has to be of the type.
_AMOUNTS: dict[type, tuple[tuple[type, ...], Callable[[Any], Any]]] = {
    int: ((int,), _same),
    Int64: ((int,), Int64),
    float: ((int, float), float),
    Decimal128: ((int, Decimal128), _decimal),
}


class CheckedUpdate:
    """An update of documents of one class: what of it breaks the declaration, and what is sent.

    Args:
        model: What the class declares.
        update: The update, with MongoDB's operators.
        options: How values that the declaration leaves open are encoded.
        method: The name of the method that takes the update, for error texts.
        validate: Whether values are checked; if not, they are only brought into their stored form.

    Attributes:
        sent: The update with all values in their stored form.
        found: What of it breaks the declaration.
        changes: Operator, targets and value of each change whose path is declared.

    Raises:
        TypeError: The update, or what an operator takes, is of the wrong type.
        ValueError: It is no update: a whole document, or an operator that MongoDB has not.

    Example:
        >>> from mongokit.compiler import UNBOUND_OPTIONS
        >>> update = {"$set": {"age": "37"}, "$inc": {"nmae": 1}}
        >>> for failure in CheckedUpdate(User.__mongokit__, update, UNBOUND_OPTIONS).found:
        ...     print(failure)
        nmae is not a field of User: did you mean name?
        age must be an instance of int not str
    """

    def __init__(
        self,
        model: Model,
        update: Mapping[str, Any],
        options: CodecOptions[Any],
        method: str = "update_one",
        *,
        validate: bool = True,
    ) -> None:
        self.model = model
        self.options = options
        self.validate = validate
        self.found = Findings()
        self.changes: list[tuple[str, list[Target], Any]] = []
        self.sent = {
            operator: {path: self._change(operator, path, value) for path, value in each.items()}
            for operator, each in _operators(update, method)
        }

    def _change(self, operator: str, path: str, value: Any) -> Any:
        try:
            found = targets(self.model, path)
            self._check_id(operator, path)
        except MongoKitError as error:
            self.found.paths.append(error)
            return value
        self.changes.append((operator, found, value))
        sent = value
        for target in found:
            sent = _CHECKS[operator](self, operator, target, value)
        return sent

    def _check_id(self, operator: str, path: str) -> None:
        # MongoDB manual, Documents: the _id of a stored document can't be changed.
        if path.partition(".")[0] == "_id" and operator != "$setOnInsert":
            raise StructureError(
                "_id can't be changed; only $setOnInsert can give it",
                path="_id",
                rule="immutable",
                document_class=self.model.document_class,
            )

    def _refuse(self, target: Target, why: str, rule: str = "operator", value: Any = None) -> None:
        error = error_at(SchemaTypeError, f"{target.path} {why}", target, value, rule)
        self.found.types.append(error)

    # What is stored as it is given.

    def _stored(self, target: Target, value: Any) -> Any:
        if self.validate or target.node is None or target.role == "entry":
            return placed.check(target, value, self.options, self.found)
        return placed.stored(target.node, value)

    def _value(self, operator: str, target: Target, value: Any) -> Any:
        return self._stored(target, value)

    def _unset(self, operator: str, target: Target, value: Any) -> Any:
        if target.role in ("open", "key"):
            return value
        if target.role == "item":  # the server puts null in its place
            placed.check(target, None, self.options, self.found)
            return value
        required = list(placed.without_required(target, MISSING))
        if required:
            self.found.required += required
        elif not target.removable:
            self.found.types.append(
                error_at(
                    StructureError,
                    f"{target.path} can't be removed: a document without it does not validate; "
                    f"set it to {'None' if _takes_none(target) else 'its empty form'}",
                    target,
                    rule="missing",
                )
            )
        return value

    def _rename(self, operator: str, target: Target, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"$rename takes a field's new name, not {type(value).__name__}")
        self._unset(operator, target, value)
        try:
            found = targets(self.model, value)
        except MongoKitError as error:
            self.found.paths.append(error)
            return value
        for new in found:
            if new.node is not None and not (
                _is_alike(target.node, new.node) and not placed.has_validators(new)
            ):
                self._refuse(new, f"is declared otherwise than {target.path}")
        return value

    def _date(self, operator: str, target: Target, value: Any) -> Any:
        wanted = value.get("$type") if isinstance(value, Mapping) else value
        if wanted is not True and wanted not in ("date", "timestamp"):
            raise ValueError("$currentDate takes True, {'$type': 'date'} or {'$type': 'timestamp'}")
        sample: Any = Timestamp(0, 1) if wanted == "timestamp" else datetime.now(UTC)
        node = target.node
        if isinstance(node, CustomNode):
            is_date = isinstance(node.custom, DateType)  # without a time of day
            if is_date or not isinstance(sample, node.custom.mongo_type):
                self._refuse(target, f"is declared {_kind(node)}, which is not stored as a date")
        elif node is not None:
            walk = _Walk(target.model, self.options)
            self.found.types += walk.types(node, sample, target.path)
        return value

    # Numbers.

    def _amount(self, operator: str, target: Target, amount: Any) -> Any:
        node = target.node
        is_number = isinstance(amount, (int, float, Decimal128)) and not isinstance(amount, bool)
        match node:
            case ScalarNode() if node.kind in _AMOUNTS:
                takes, convert = _AMOUNTS[node.kind]
                if is_number and isinstance(amount, takes):
                    return self._converted(target, amount, convert)
                self._refuse_type(target, node.kind.__name__, amount)
            case None if is_number:
                pass
            case AnyNode() if is_number and isinstance(amount, node.authorized):
                pass
            case CustomNode(custom=DecimalType()):
                return self._decimal(target, node, amount)
            case UnionNode() | OperatorNode() if is_number and not _lists_values(node):
                # A sum is of the type of one of its two numbers.
                walk = _Walk(target.model, self.options)
                self.found.types += walk.types(node, amount, target.path)
            case None | AnyNode():
                self._refuse_type(target, "int or float", amount)
            case _:
                self._refuse(target, f"is declared {_kind(node)}: {operator} is for numbers")
        return amount

    def _decimal(self, target: Target, node: CustomNode, amount: Any) -> Any:
        if isinstance(amount, int) and not isinstance(amount, bool):
            amount = Decimal(amount)
        walk = _Walk(target.model, self.options)
        failures = list(walk.custom(node, amount, target.path))
        self.found.custom += failures
        return amount if failures else node.custom.to_bson(amount)

    def _converted(self, target: Target, amount: Any, convert: Callable[[Any], Any]) -> Any:
        try:
            return convert(amount)
        except (ArithmeticError, ValueError) as error:  # an int beyond what the type holds
            self.found.types.append(error)
            return amount

    def _refuse_type(self, target: Target, wanted: str, value: Any) -> None:
        why = f"must be an instance of {wanted} not {type(value).__name__}"
        self._refuse(target, why, "type", value)

    def _bit(self, operator: str, target: Target, value: Any) -> Any:
        if not isinstance(value, Mapping) or not value or not set(value) <= set(_BITS):
            raise ValueError("$bit takes a dict of 'and', 'or' or 'xor' to an int")
        node = target.node
        for bits in value.values():
            if isinstance(node, ScalarNode) and node.kind not in (int, Int64):
                self._refuse(target, f"is declared {_kind(node)}: $bit is for ints")
            elif isinstance(bits, bool) or not isinstance(bits, int):
                self._refuse_type(target, "int", bits)
            else:
                self._amount(operator, target, bits)
        if isinstance(node, ScalarNode) and node.kind is Int64:
            return {name: Int64(bits) for name, bits in value.items() if isinstance(bits, int)}
        return value

    # Lists.

    def _item_of(self, operator: str, target: Target) -> Item | None:
        """What checks an item of the list at a target; None, and a failure, where no list is."""
        node = target.node
        if isinstance(node, ListNode):
            item = target.item(node.item)
            return lambda value: self._stored(item, value)
        if isinstance(node, I18nNode):
            entry = replace(target, role="entry")
            return lambda value: self._stored(entry, value)
        if isinstance(node, CustomNode) and _is_stored_as_list(node):
            return lambda value: placed.custom_item(target, node, value, self.options, self.found)
        if isinstance(node, UnionNode):
            lists = [each for each in node.options if isinstance(each, ListNode)]
            if len(lists) == 1:
                return self._item_of(operator, replace(target, node=lists[0]))
        if takes_any(node, list):
            anything = target.item(None)
            return lambda value: self._stored(anything, value)
        self._refuse(target, f"is declared {_kind(node)}: {operator} is for lists")
        return None

    def _push(self, operator: str, target: Target, value: Any) -> Any:
        check = self._item_of(operator, target)
        if check is None:
            return value
        if not isinstance(value, Mapping) or not any(_is_modifier(name) for name in value):
            return check(value)
        self._check_modifiers(operator, target, value)
        return {**value, "$each": [check(item) for item in value["$each"]]}

    def _check_modifiers(self, operator: str, target: Target, value: Mapping[str, Any]) -> None:
        allowed = _MODIFIERS if operator == "$push" else ("$each",)
        for name in value:
            if name not in allowed:
                meant = near_name(str(name), allowed)
                hint = f": did you mean {meant}?" if meant else ""
                raise ValueError(f"{operator} has no modifier {name}{hint}")
        if not isinstance(value.get("$each"), (list, tuple)):
            raise TypeError(f"{operator} with modifiers takes a list of items in $each")
        if value.get("$slice", 1) == 0:
            self.found.required += placed.without_required(target, [])
        order = value.get("$sort")
        for field in order if isinstance(order, Mapping) else ():
            try:
                targets(self.model, f"{target.given}.0.{field}")
            except MongoKitError as error:
                self.found.paths.append(error)

    def _pull(self, operator: str, target: Target, value: Any) -> Any:
        if self._item_of(operator, target) is None:
            return value
        return _matched(target.node, value)

    def _pull_all(self, operator: str, target: Target, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"$pullAll takes a list of items, not {type(value).__name__}")
        return [self._pull(operator, target, item) for item in value]

    def _pop(self, operator: str, target: Target, value: Any) -> Any:
        if isinstance(value, bool) or value not in (1, -1):
            raise ValueError("$pop takes 1 for the last item or -1 for the first")
        self._item_of(operator, target)
        return value


_Check = Callable[[CheckedUpdate, str, Target, Any], Any]
_CHECKS: dict[str, _Check] = {
    "$set": CheckedUpdate._value,
    "$setOnInsert": CheckedUpdate._value,
    "$min": CheckedUpdate._value,
    "$max": CheckedUpdate._value,
    "$unset": CheckedUpdate._unset,
    "$rename": CheckedUpdate._rename,
    "$currentDate": CheckedUpdate._date,
    "$inc": CheckedUpdate._amount,
    "$mul": CheckedUpdate._amount,
    "$bit": CheckedUpdate._bit,
    "$push": CheckedUpdate._push,
    "$addToSet": CheckedUpdate._push,
    "$pull": CheckedUpdate._pull,
    "$pullAll": CheckedUpdate._pull_all,
    "$pop": CheckedUpdate._pop,
}


def _operators(update: Any, method: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The operators of an update with what they take; an error for what is no update."""
    if not isinstance(update, Mapping):
        raise TypeError(f"{method}() takes a dict of operators, not {type(update).__name__}")
    if not update:
        raise ValueError(f"{method}() was given an update without operators")
    for operator, changes in update.items():
        if not str(operator).startswith("$"):
            raise ValueError(
                f"{method}() takes operators, as in {{'$set': {{{operator!r}: ...}}}}; "
                "to store a whole document, use its save()"
            )
        if operator not in _CHECKS:
            meant = near_name(operator, _CHECKS)
            hint = _GONE.get(operator) or (f"did you mean {meant}?" if meant else "")
            raise ValueError(f"{operator} is no update operator" + (f": {hint}" if hint else ""))
        if not isinstance(changes, Mapping):
            raise TypeError(f"{operator} takes a dict, not {type(changes).__name__}")
        yield operator, changes


def _matched(node: Node | None, value: Any) -> Any:
    """The stored form of what an item of a list is compared with; a condition stays as it is."""
    item = node.item if isinstance(node, ListNode) else None
    if isinstance(item, CustomNode):
        in_python = isinstance(value, item.custom.python_type)
        return item.custom.to_bson(value) if in_python else value
    if isinstance(item, ReferenceNode):
        return placed.stored(item, value)
    return value


def _is_modifier(name: Any) -> bool:
    return str(name).startswith("$") and name not in DBREF_FIELDS


def _is_stored_as_list(node: CustomNode) -> bool:
    kinds = node.custom.mongo_type
    return any(issubclass(kind, list) for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))


def _takes_none(target: Target) -> bool:
    return target.node is None or target.node.allows_none


def _is_alike(one: Node | None, other: Node) -> bool:
    """Whether what validates at one place validates at another one."""
    if one is None or (one.allows_none and not other.allows_none) or other.checks:
        return False
    match one, other:
        case ScalarNode(), ScalarNode():
            return issubclass(one.kind, other.accepts)
        case ScalarNode(), AnyNode():
            return issubclass(one.kind, other.authorized)
        case CustomNode(), CustomNode():
            return one.custom is other.custom
        case OperatorNode(), OperatorNode():
            return bool(one.operator == other.operator)
        case ReferenceNode(), ReferenceNode():
            return bool(one.target is other.target)
        case UnionNode(), UnionNode():
            return bool(one == replace(other, path=one.path))
    if type(one) is not type(other) or isinstance(one, CustomNode):
        return False
    mine, others = list(children(one)), list(children(other))
    return [key for key, _ in mine] == [key for key, _ in others] and all(
        _is_alike(child, match) for (_, child), (_, match) in zip(mine, others, strict=True)
    )


def _lists_values(node: OperatorNode | UnionNode) -> bool:
    return isinstance(node, OperatorNode) and isinstance(node.operator, IS)


def _kind(node: Node | None) -> str:
    """What a place is declared as, for error texts."""
    if isinstance(node, TupleNode):
        return f"a list of {len(node.items)} items"
    return "any type" if node is None else expected_name(node)
