"""Examples of what a JSON Schema describes: what it says of itself, else the plainest value.

For people who read the API's description. Where nothing sensible can be made, there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, Any]

_FORMATS = {
    "date-time": "2026-11-23T16:04:05.678Z",
    "date": "2026-11-23",
    "uuid": "9b2f6c1e-5a0d-4a57-8a4e-3f5d2c7b1e90",
    "email": "ada@example.org",
    "uri": "https://example.org/",
}
_DEEPEST = 8  # documents in documents, where they may hold their own kind


class NoExample(Exception):
    """There is none, or none for a part that may not be left out."""


def example_of(schema: Schema, schemas: Mapping[str, Schema], depth: int = 0) -> Any:
    """Return an example of what a schema describes.

    Args:
        schema: The schema.
        schemas: What its references lead to, by the last part of their path.
        depth: How deep in others it stands.

    Raises:
        NoExample: None can be made.

    Example:
        >>> example_of({"type": "object", "properties": {"size": {"type": "integer"}}}, {})
        {'size': 1}
    """
    if depth > _DEEPEST:
        raise NoExample
    for keyword in ("examples", "enum"):
        if schema.get(keyword):
            return schema[keyword][0]
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    if options := schema.get("anyOf"):
        return example_of(options[0], schemas, depth + 1)
    types = schema.get("type", ())
    match types if isinstance(types, str) else next(iter(types), None):
        case "object":
            return _object(schema, schemas, depth)
        case "array":
            return _array(schema, schemas, depth)
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
    raise NoExample


def _object(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    found = {}
    for name, inner in schema.get("properties", {}).items():
        try:
            found[name] = example_of(inner, schemas, depth + 1)
        except NoExample:
            if name in schema.get("required", ()):
                raise
    if len(found) < schema.get("minProperties", 0):
        raise NoExample
    return found


def _array(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [example_of(item, schemas, depth + 1) for item in schema["prefixItems"]]
    items = [example_of(schema["items"], schemas, depth + 1)] if "items" in schema else []
    if len(items) < schema.get("minItems", 0):
        raise NoExample
    return items


def _text(schema: Schema) -> str:
    if "pattern" in schema and schema.get("format") not in _FORMATS:
        raise NoExample
    text = _FORMATS.get(schema.get("format", ""), "text")
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        raise NoExample
    return text


def _number(schema: Schema) -> Any:
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + step)
    number = -(-least // step) * step  # the first multiple from there on
    if number > schema.get("maximum", number):
        raise NoExample
    return number
