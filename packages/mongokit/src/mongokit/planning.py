"""The plan: what the documents declare, beside what a server has; applied only on command.

It speaks of collections, of their indexes with their options, and of validators, which make the
server itself refuse (or report) what a class does not declare, whoever writes it.

Example:
    >>> found = connection.plan(db)
    >>> print(found)
    users:
      create the index email_1 (email 1, unique=True)
    >>> found.apply()
    ['created users.email_1']
    >>> connection.plan(db).is_empty
    True
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from bson import json_util
from pymongo.errors import CollectionInvalid

from mongokit.errors import UniqueIndexConflict
from mongokit.indexes import Index, IndexPlan, compare, create, declared_indexes, described

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

__all__ = ["CollectionPlan", "Conflict", "Plan", "Validators", "make_plan"]

Validators = Literal["off", "warn", "strict"]
"""What is wanted of validators: nothing; that the server logs; that it refuses."""

_ACTIONS = {"warn": "warn", "strict": "error"}
# MongoDB manual, Specify Validation Level for Existing Documents: with "moderate" a document that
# was invalid before may still be updated. Stored data is older than the class; under "strict" no
# part of such a document could be changed any more.
_LEVEL = "moderate"
_MOST_CONFLICTS = 20
_MOST_IDS = 3


@dataclass(frozen=True)
class Conflict:
    """A value that stands in several documents, where an index wants it in one.

    Attributes:
        collection: The name of the collection.
        index: The name of the index.
        values: Field to value.
        count: In how many documents it stands.
        ids: The `_id`s of some of them.

    Example:
        >>> db.users.insert_one({"email": "ada@example.org"}).acknowledged
        True
        >>> [(found.values, found.count) for found in connection.plan(db).conflicts()]
        [({'email': 'ada@example.org'}, 2)]
    """

    collection: str
    index: str
    values: Mapping[str, Any]
    count: int
    ids: tuple[Any, ...]

    def __str__(self) -> str:
        values = json_util.dumps(self.values, ensure_ascii=False)
        ids = ", ".join(str(each) for each in self.ids)
        more = ", ..." if self.count > len(self.ids) else ""
        return f"{self.collection}.{self.index}: {values} in {self.count} documents ({ids}{more})"


@dataclass(frozen=True)
class CollectionPlan:
    """What is to be done for one collection.

    Attributes:
        collection: The collection.
        classes: The names of the classes that are stored in it.
        exists: Whether the server has it.
        indexes: Its indexes, those of all the classes together.
        wanted: The validator that is declared, as `collMod` takes it; None where validators are
            off, or no class declares fields.
        stored: The validator that the server has, in the same form; {} for none.

    Example:
        >>> [found.name for found in connection.plan(db, classes=[User, Post]).collections]
        ['posts', 'users']
    """

    collection: Collection[Any]
    classes: tuple[str, ...]
    exists: bool
    indexes: IndexPlan
    wanted: Mapping[str, Any] | None
    stored: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.collection.name

    @property
    def validator_differs(self) -> bool:
        """Whether the server's validator is missing, or another one than is declared."""
        return self.wanted is not None and dict(self.wanted) != dict(self.stored)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done; what the server has beside it does not count."""
        return self.exists and not (
            self.indexes.missing or self.indexes.different or self.validator_differs
        )

    def steps(self) -> Iterator[str]:
        """Yield what is to be done, and what can't be done without being told to, in words.

        Example:
            >>> list(connection.plan(db, classes=[User]).collections[0].steps())
            ['create the index email_1 (email 1, unique=True)']
        """
        for index in self.indexes.missing:
            yield f"create the index {described(index)}"
        for difference in self.indexes.different:
            yield f"another index than declared: {difference.explain()}"
        for index in self.indexes.unknown:
            yield f"an index that nobody declares: {described(index)}"
        if self.wanted is not None and self.validator_differs:
            action = self.wanted["validationAction"]
            if not self.stored:
                yield f"set the validator ({action})"
            else:
                yield f"change the validator ({action}): {_difference(self.wanted, self.stored)}"

    def as_data(self) -> dict[str, Any]:
        """Return the same as data for `json.dumps`.

        Example:
            >>> connection.plan(db, classes=[User]).collections[0].as_data()["classes"]
            ['User']
        """
        return {
            "collection": self.name,
            "classes": list(self.classes),
            "exists": self.exists,
            "indexes": {
                "missing": [_index_data(index) for index in self.indexes.missing],
                "different": [
                    {
                        **_index_data(found.declared),
                        "changes": {
                            option: {"declared": _plain(mine), "stored": _plain(theirs)}
                            for option, (mine, theirs) in found.changes.items()
                        },
                    }
                    for found in self.indexes.different
                ],
                "unknown": [_index_data(index) for index in self.indexes.unknown],
            },
            "validator": None
            if self.wanted is None
            else {
                "state": (
                    "present"
                    if not self.validator_differs
                    else "different"
                    if self.stored
                    else "missing"
                ),
                "declared": _plain(self.wanted),
                "stored": _plain(self.stored),
            },
        }


@dataclass(frozen=True)
class Plan:
    """What is to be done for all collections of a database; `str()` tells it in words.

    Attributes:
        database: The database.
        collections: What is to be done for each collection.
        validators: What is wanted of validators.

    Example:
        >>> plan = connection.plan(db, validators="strict")
        >>> plan.is_empty
        False
        >>> plan.apply()[-1]
        'set the validator of users'
    """

    database: Database[Any]
    collections: tuple[CollectionPlan, ...]
    validators: Validators

    @property
    def is_empty(self) -> bool:
        """Whether the server has all that is declared, as it is declared."""
        return all(each.is_empty for each in self.collections)

    def as_data(self) -> dict[str, Any]:
        """Return the plan as data for `json.dumps`.

        Example:
            >>> connection.plan(db).as_data()["validators"]
            'off'
        """
        return {
            "database": self.database.name,
            "validators": self.validators,
            "collections": [each.as_data() for each in self.collections],
        }

    def conflicts(self, *, replace: bool = False) -> list[Conflict]:
        """Return the values that unique indexes of the plan would stumble over, the first 20 each.

        Reads every document of the collections concerned.

        Args:
            replace: Whether different indexes are to be built anew too.

        Raises:
            pymongo.errors.PyMongoError: The server can't tell.

        Example:
            >>> connection.plan(db).conflicts()
            []
        """
        return [
            conflict
            for each in self.collections
            if each.exists
            for index in _to_build(each, replace=replace)
            if index.options.get("unique")
            for conflict in _conflicts(each.collection, index)
        ]

    def apply(self, *, replace: bool = False, drop: bool = False) -> list[str]:
        """Do what is to be done: create collections and indexes, set validators.

        Args:
            replace: Whether to drop indexes that are different and build them as declared. In
                between queries go without, and a unique index does not hold.
            drop: Whether to drop indexes that nobody declares.

        Returns:
            What was done, in words.

        Raises:
            UniqueIndexConflict: Stored values would break a unique index; nothing was done.
            pymongo.errors.OperationFailure: The server refuses something; what was done before
                it stays.

        Example:
            >>> connection.plan(db).apply()
            ['created users.email_1']
        """
        if found := self.conflicts(replace=replace):
            raise UniqueIndexConflict(found)
        return [step for each in self.collections for step in _apply(each, replace, drop)]

    def __str__(self) -> str:
        lines = []
        for each in self.collections:
            state = "" if each.exists else " a collection to create"
            steps = list(each.steps())
            if steps or state:
                lines.append(f"{each.name}:{state}")
                lines += [f"  {step}" for step in steps]
        return "\n".join(lines) or "nothing to do"


def make_plan(
    database: Database[Any], classes: Iterable[type[Any]], *, validators: Validators = "off"
) -> Plan:
    """Compare what classes declare with what a server has; nothing is changed.

    Args:
        database: The database.
        classes: Document classes; those without `__collection__` are left out.
        validators: What is wanted of validators.

    Raises:
        ValueError: There is no such wish.
        pymongo.errors.PyMongoError: The server can't tell what it has.

    Example:
        >>> make_plan(db, [User]).collections[0].name
        'users'
    """
    if validators not in get_args(Validators):
        raise ValueError(f"validators is one of {', '.join(get_args(Validators))}")
    by_collection: dict[str, list[type[Any]]] = {}
    for cls in classes:
        if name := getattr(cls, "__collection__", None):
            by_collection.setdefault(name, []).append(cls)
    stored = {found["name"]: found.get("options", {}) for found in database.list_collections()}
    return Plan(
        database,
        tuple(
            CollectionPlan(
                database[name],
                tuple(cls.__name__ for cls in group),
                name in stored,
                compare(_united(group), database[name]),
                _wanted(group, validators),
                _validator_of(stored.get(name, {})),
            )
            for name, group in sorted(by_collection.items())
        ),
        validators,
    )


def _united(classes: Iterable[type[Any]]) -> list[Index]:
    """The indexes of classes that share a collection; one that several declare once."""
    united: dict[str, Index] = {}
    for cls in classes:
        for index in declared_indexes(cls):
            united.setdefault(index.name, index)
    return list(united.values())


def _wanted(classes: Sequence[Any], validators: Validators) -> dict[str, Any] | None:
    schemas = [cls.mongo_schema() for cls in classes if cls.structure]
    if validators == "off" or len(schemas) < len(classes):  # a class without rules allows anything
        return None
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {
        "validator": {"$jsonSchema": schema},
        "validationLevel": _LEVEL,
        "validationAction": _ACTIONS[validators],
    }


def _validator_of(options: Mapping[str, Any]) -> dict[str, Any]:
    if not options.get("validator"):
        return {}
    # MongoDB manual, db.createCollection(): the defaults, which some servers leave out.
    return {
        "validator": options["validator"],
        "validationLevel": options.get("validationLevel", "strict"),
        "validationAction": options.get("validationAction", "error"),
    }


def _difference(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    """What differs between two validators, in words."""
    mine, theirs = (_properties(each) for each in (wanted, stored))
    told = [
        *(f"{name} is new" for name in mine if name not in theirs),
        *(f"{name} is gone" for name in theirs if name not in mine),
        *(f"{name} is another" for name in mine if name in theirs and mine[name] != theirs[name]),
        *(
            f"{option} is declared {wanted[option]}, stored {stored[option]}"
            for option in ("validationLevel", "validationAction")
            if wanted[option] != stored[option]
        ),
    ]
    return ", ".join(told) or "its rules differ"


def _properties(validator: Mapping[str, Any]) -> dict[str, Any]:
    schema = validator["validator"].get("$jsonSchema", {})
    found = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    return cast("dict[str, Any]", found)


def _to_build(plan: CollectionPlan, *, replace: bool) -> list[Index]:
    different = [found.declared for found in plan.indexes.different] if replace else []
    return [*different, *plan.indexes.missing]


def _apply(plan: CollectionPlan, replace: bool, drop: bool) -> Iterator[str]:
    collection = plan.collection
    if not plan.exists:
        try:
            collection.database.create_collection(collection.name)
            yield f"created {plan.name}"
        except CollectionInvalid:
            pass  # somebody else was quicker
    for difference in plan.indexes.different if replace else ():
        collection.drop_index(difference.stored.name)
        yield f"dropped {plan.name}.{difference.stored.name}"
    for name in create(collection, _to_build(plan, replace=replace)):
        yield f"created {plan.name}.{name}"
    for index in plan.indexes.unknown if drop else ():
        collection.drop_index(index.name)
        yield f"dropped {plan.name}.{index.name}"
    if plan.wanted is not None and plan.validator_differs:
        collection.database.command("collMod", collection.name, **plan.wanted)
        yield f"set the validator of {plan.name}"


def _conflicts(collection: Collection[Any], index: Index) -> Iterator[Conflict]:
    """Yield the values that stand in several documents, as the index would see them."""
    names = [name for name, _ in index.keys]
    keys = [f"k{number}" for number in range(len(names))]
    pipeline: list[dict[str, Any]] = []
    if partial := index.options.get("partialFilterExpression"):
        pipeline.append({"$match": partial})
    if index.options.get("sparse"):
        pipeline.append({"$match": {"$or": [{name: {"$exists": True}} for name in names]}})
    values = {key: {"$ifNull": [f"${name}", None]} for key, name in zip(keys, names, strict=True)}
    pipeline.append({"$project": values})
    # Each item of a list is a key of its own (MongoDB manual, Multikey Indexes).
    pipeline += [
        {"$unwind": {"path": f"${key}", "preserveNullAndEmptyArrays": True}} for key in keys
    ]
    pipeline += [
        {"$group": {"_id": {key: f"${key}" for key in keys}, "ids": {"$addToSet": "$_id"}}},
        {"$project": {"count": {"$size": "$ids"}, "ids": {"$slice": ["$ids", _MOST_IDS]}}},
        {"$match": {"count": {"$gt": 1}}},
        {"$sort": {"count": -1}},
        {"$limit": _MOST_CONFLICTS},
    ]
    options: dict[str, Any] = {"allowDiskUse": True}
    if collation := index.options.get("collation"):
        options["collation"] = collation
    with collection.aggregate(pipeline, **options) as cursor:
        for found in cursor:
            stored = {name: found["_id"].get(key) for key, name in zip(keys, names, strict=True)}
            yield Conflict(collection.name, index.name, stored, found["count"], tuple(found["ids"]))


def _index_data(index: Index) -> dict[str, Any]:
    return {
        "name": index.name,
        "keys": [list(pair) for pair in index.keys],
        "options": _plain(dict(index.options)),
    }


def _plain(value: Any) -> Any:
    """A value in the types of JSON; what JSON lacks in relaxed Extended JSON."""
    return json.loads(json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS))
