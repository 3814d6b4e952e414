"""Milliseconds since the epoch, and Python 2's names."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mongokit import compat
from mongokit.helpers import fromtimestamp, totimestamp

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the mapper's datetimes are naive and in UTC


@pytest.mark.parametrize(
    ("after", "milliseconds"),
    [
        (timedelta(0), 0),
        (timedelta(seconds=1), 1000),
        (timedelta(days=20000, microseconds=1999), 20000 * 86400 * 1000 + 1),
        (timedelta(microseconds=-1), -1),
        (timedelta(milliseconds=-1500), -1500),
    ],
)
def test_a_naive_datetime_is_in_utc(after: timedelta, milliseconds: int) -> None:
    assert totimestamp(_EPOCH + after) == milliseconds


def test_an_aware_datetime_is_taken_where_it_is() -> None:
    noon = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    assert totimestamp(noon) == totimestamp(datetime(2024, 7, 1, 10, tzinfo=UTC))
    assert fromtimestamp(totimestamp(noon)) == noon.astimezone(UTC).replace(tzinfo=None)


@settings(deadline=None)
@given(st.datetimes())
def test_there_and_back_loses_only_microseconds_as_mongodb_does(value: datetime) -> None:
    there = totimestamp(value)

    back = fromtimestamp(there)

    assert type(there) is int
    assert back.tzinfo is None
    assert timedelta(0) <= value - back < timedelta(milliseconds=1)
    assert bson.decode(bson.encode({"at": value})) == {"at": back}


@pytest.mark.parametrize("milliseconds", [10**15, -(10**15)])
def test_years_that_python_lacks_are_refused(milliseconds: int) -> None:
    with pytest.raises(OverflowError):
        fromtimestamp(milliseconds)


def test_python_2s_names_are_python_3s_types() -> None:
    assert compat.unicode is compat.basestring is str
    assert compat.long is int


def test_what_is_no_time_is_a_type_error_that_says_so() -> None:
    wrong: Any
    for wrong in (None, "now", date(2026, 1, 1)):
        with pytest.raises(TypeError, match="a datetime is expected"):
            totimestamp(wrong)
    for wrong in (None, "5"):
        with pytest.raises(TypeError, match="milliseconds are expected"):
            fromtimestamp(wrong)
