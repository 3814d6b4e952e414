"""JSON through orjson: ObjectIds as hex strings, datetimes as RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import orjson
from bson import ObjectId
from flask.json.provider import JSONProvider

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME


class OrjsonProvider(JSONProvider):
    """What `jsonify`, `request.get_json`, `tojson` and a returned dict go through.

    Refused with a `TypeError`: bytes, sets, decimals, keys that are not strings, integers beyond
    64 bits, and every other type that JSON has no form for. NaN and the infinities become null.

    Example:
        >>> app.json = OrjsonProvider(app)  # doctest: +SKIP
    """

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return the object as JSON text.

        Args:
            obj: dicts, lists, strings, numbers, booleans, None, dataclasses, enums, UUIDs,
                ObjectIds, dates and times; datetimes without a zone are taken as UTC.
            kwargs: `indent` and `sort_keys` as in `json.dumps`; other options of its have no
                effect, the text is always compact UTF-8.

        Raises:
            TypeError: The object holds something that JSON has no form for.

        Example:
            >>> OrjsonProvider(app).dumps({"at": datetime(2026, 1, 2, tzinfo=UTC)})
            '{"at":"2026-01-02T00:00:00Z"}'
        """
        options = _OPTIONS
        if kwargs.get("indent"):
            options |= orjson.OPT_INDENT_2
        if kwargs.get("sort_keys"):
            options |= orjson.OPT_SORT_KEYS
        return orjson.dumps(obj, default=_default, option=options).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:  # noqa: ARG002 - Flask's signature
        """Return what the JSON text says.

        Args:
            s: UTF-8 text.
            kwargs: Ignored: options of the standard library's decoder.

        Raises:
            ValueError: The text is not JSON (RFC 8259: NaN, comments, trailing commas are not).

        Example:
            >>> OrjsonProvider(app).loads('{"name": "Ada"}')
            {'name': 'Ada'}
        """
        return orjson.loads(s)


def _default(value: object) -> str:
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, datetime):
        in_utc = value.astimezone(UTC) if value.tzinfo else value
        return in_utc.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
