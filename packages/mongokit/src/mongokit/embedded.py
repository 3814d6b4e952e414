"""Embedded: a document inside a document, declared by annotations."""

from __future__ import annotations

from typing import Any, ClassVar

from mongokit.schema_document import SchemaDocument
from mongokit.types import STORED_TYPES

__all__ = ["Embedded"]


class Embedded(SchemaDocument):
    """A document that is stored inside another one.

    Its fields are annotated, as those of a `Document` may be. By attribute the field of the outer
    document gives an object of the class, with its methods; by key, the dict that was read.

    Args:
        doc: The content. With content, exactly that; without, the skeleton and the defaults.
        gen_skel: Whether to make the skeleton.
        **fields: Fields, put in after skeleton and defaults.

    Raises:
        TypeError: A keyword is no field of the class.

    Example:
        >>> class Address(Embedded):
        ...     street: str
        ...     city: str
        ...     def line(self) -> str:
        ...         return f"{self.street}, {self.city}"
        >>> class Person(Document):
        ...     name: str
        ...     home: Address | None = None
        >>> ada = Person(name="Ada", home={"street": "12 St James's Square", "city": "London"})
        >>> ada.home.line()
        "12 St James's Square, London"
    """

    authorized_types: ClassVar[list[Any]] = [*SchemaDocument.authorized_types, *STORED_TYPES]
