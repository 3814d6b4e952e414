"""Queries checked against the declaration before they are sent: `strict_queries = True`.

The checks read only what the class declares. What they refuse would match nothing, or everything,
without a word: a field that no document has, and a value that no document can have there.

Example:
    >>> class Book(Document):
    ...     structure = {"title": str, "year": int}
    ...     strict_queries = True
    >>> books = db.books.documents(Book)
    >>> books.find({"titel": "Emma"})
    Traceback (most recent call last):
    mongokit.errors.UnknownFieldError: titel is not a field of Book: did you mean title?
    >>> books.find({"year": "1815"})
    Traceback (most recent call last):
    mongokit.errors.QueryTypeError: year can never equal a str: it is declared as int; use int(...)
"""

from __future__ import annotations

from collections.abc import ItemsView, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from mongokit.conditions import Checks

if TYPE_CHECKING:
    from mongokit.compiler import Model


def check_filter(model: Model, filter: Any, *, collated: bool = False) -> None:
    """Check a filter; one that is no mapping is an `_id`.

    Args:
        model: What the class declares; without a structure nothing is checked.
        filter: The filter, None for none.
        collated: Whether the query has a collation.

    Raises:
        UnknownFieldError: A field is not declared; or there is no such operator.
        QueryTypeError: A value can never match what is declared.

    Example:
        >>> check_filter(User.__mongokit__, {"age": {"$gt": 30}, "name": {"$in": ["Ada", None]}})
        >>> check_filter(User.__mongokit__, {"age": {"$gt": "30"}})
        Traceback (most recent call last):
        mongokit.errors.QueryTypeError: age can never be $gt a str: it is declared as int; ...
    """
    if model.tree is None or filter is None:
        return
    checked = filter if isinstance(filter, Mapping) else {"_id": filter}
    Checks(model, collated=collated).filter(checked)


def check_sort(model: Model, sort: Any) -> None:
    """Check what a query is sorted by.

    Args:
        model: What the class declares.
        sort: A name, names, pairs of name and direction, or a mapping.

    Raises:
        UnknownFieldError: A field is not declared.

    Example:
        >>> check_sort(User.__mongokit__, [("age", -1), "name"])
        >>> check_sort(User.__mongokit__, "agee")
        Traceback (most recent call last):
        mongokit.errors.UnknownFieldError: agee is not a field of User: did you mean age?
    """
    if isinstance(sort, str):
        sort = [sort]
    elif isinstance(sort, (Mapping, ItemsView)):
        sort = list(sort.items() if isinstance(sort, Mapping) else sort)
    elif not isinstance(sort, Sequence):
        return  # none; or nothing that the driver takes
    for entry in sort:
        if isinstance(entry, str):
            check_path(model, entry)
        elif _is_pair(entry) and entry[0] != "$natural" and not isinstance(entry[1], Mapping):
            check_path(model, entry[0])  # {"$meta": "textScore"} sorts by what is no field


def check_projection(model: Model, projection: Any) -> None:
    """Check a projection; what it computes may have any name.

    Args:
        model: What the class declares.
        projection: Names, or a mapping; None for none.

    Raises:
        UnknownFieldError: A field is not declared.
        QueryTypeError: The condition of an `$elemMatch` can never match.

    Example:
        >>> check_projection(User.__mongokit__, {"name": 1, "shout": {"$toUpper": "$name"}})
        >>> check_projection(User.__mongokit__, ["nam"])
        Traceback (most recent call last):
        mongokit.errors.UnknownFieldError: nam is not a field of User: did you mean name?
    """
    if isinstance(projection, Mapping):
        Checks(model).projection(projection)
    elif isinstance(projection, (Sequence, Set)) and not isinstance(projection, str):
        for name in projection:
            check_path(model, name)


def check_path(model: Model, path: Any) -> None:
    """Check one field's name, as of `distinct`.

    Args:
        model: What the class declares.
        path: The dotted name.

    Raises:
        UnknownFieldError: It is not declared.

    Example:
        >>> check_path(User.__mongokit__, "email")
    """
    if model.tree is not None and isinstance(path, str):
        Checks(model).places(path)


# Calls, in every spelling that they have.


def check_find(model: Model, args: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Check the arguments of `find` or `find_one`, PyMongo's or PyMongo 2's.

    Args:
        model: What the class declares.
        args: The positional arguments.
        options: Those by name.

    Raises:
        UnknownFieldError, QueryTypeError: See `check_filter`.
    """
    given = options.get
    wanted = args[0] if args else given("filter", given("spec", given("spec_or_id")))
    projection = args[1] if len(args) > 1 else given("projection", given("fields"))
    collation = args[10] if len(args) > 10 else given("collation")
    check_filter(model, wanted, collated=collation is not None)
    check_projection(model, projection)
    check_sort(model, args[6] if len(args) > 6 else given("sort"))


def check_find_and_modify(model: Model, args: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Check the arguments of PyMongo 2's `find_and_modify`, but for the update.

    Args:
        model: What the class declares.
        args: The positional arguments.
        options: Those by name.

    Raises:
        UnknownFieldError, QueryTypeError: See `check_filter`.
    """
    query = args[0] if args else options.get("query")
    check_filter(model, query, collated=options.get("collation") is not None)
    check_sort(model, args[3] if len(args) > 3 else options.get("sort"))
    check_projection(model, options.get("fields"))


def check_distinct(model: Model, key: Any, args: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Check the arguments of `distinct`.

    Args:
        model: What the class declares.
        key: The field.
        args: The positional arguments after it.
        options: Those by name; `query` is the command's name for the filter.

    Raises:
        UnknownFieldError, QueryTypeError: See `check_filter`.
    """
    check_path(model, key)
    wanted = args[0] if args else options.get("filter", options.get("query"))
    check_filter(model, wanted, collated=options.get("collation") is not None)


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, (tuple, list)) and len(entry) == 2
