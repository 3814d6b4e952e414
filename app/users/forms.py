"""Forms from the documents: fields, limits and names are read there; refusals come from there.

A form checks nothing: the document does, and says what is wrong in one voice for all doors.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from wtforms import (  # type: ignore[import-untyped]
    BooleanField,
    DateField,
    DateTimeLocalField,
    DecimalField,
    EmailField,
    IntegerField,
    SelectField,
    StringField,
    TelField,
    TextAreaField,
    URLField,
)

from app.core.fields import at, fields_of, nested
from app.users import documents
from mongokit.schema import ListNode, ScalarNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from app.core.errors import FieldError
    from app.core.fields import Field
    from app.users.documents import User

_LONG_TEXT = 200  # characters from which on a text gets several lines

# HTML Living Standard, 4.10.18.7: what a browser may fill in by itself, by the name of the field.
_AUTOCOMPLETE = {
    "name": "name",
    "email": "email",
    "phone": "tel",
    "url": "url",
    "street": "street-address",
    "city": "address-level2",
    "country": "country-name",
    "birthday": "bday",
}
_BY_NAME = {"email": EmailField, "phone": TelField, "url": URLField}
_HTML = {"min_length": "minlength", "max_length": "maxlength", "ge": "min", "le": "max"}


class RefusableForm(FlaskForm):  # type: ignore[misc]
    """A form that checks nothing: a service does, and `refuse` puts its errors at their fields.

    Example:
        >>> form.refuse([field_error("password", "common", "password is too common")])
    """

    @property
    def inputs(self) -> Iterator[Any]:
        """The fields that are shown, in their order."""
        return (each for each in self if each.name != "csrf_token")

    @property
    def first_invalid(self) -> str | None:
        """The name of the first field with an error: there the cursor goes.

        Example:
            >>> user_form().first_invalid is None
            True
        """
        return next((input_.name for input_ in self.inputs if input_.errors), None)

    def refuse(self, errors: Iterable[FieldError]) -> None:
        """Put each error on its field; what is of no field here, on the form.

        Args:
            errors: What a domain error carries.

        Example:
            >>> form.refuse([field_error("name", "blank", "name must not be empty")])
            >>> form.name.errors
            ['Name must not be empty']
        """
        for error in errors:
            path, message = error["path"], error["message"]
            input_ = self._input_at(path)
            if input_ is None:
                self.form_errors.append(message)
            elif input_.process_errors:
                input_.errors = list(input_.process_errors)
            else:
                # The API's name of the field is not what stands above it.
                if message.startswith(f"{path} "):
                    message = input_.label.text + message.removeprefix(path)
                input_.errors = [*input_.errors, message]

    def _input_at(self, path: str) -> Any:
        """Return the field that a path is in, None where there is none."""
        name, _, _ = path.partition(".")
        return next((input_ for input_ in self.inputs if input_.name == name), None)


class DocumentForm(RefusableForm):
    """The fields of a document that a visitor may fill in; `form_class` makes one for a class.

    Example:
        >>> form = user_form()
        >>> try:
        ...     user = services.create(form.values())
        ... except services.UserRefused as error:
        ...     form.refuse(error.errors)
    """

    declared: tuple[Field, ...] = ()

    @property
    def inputs(self) -> Iterator[Any]:
        """The form's fields, in the order of the declaration."""
        return (self[_name(field)] for field in self.declared)

    def without(self, *paths: str) -> Self:
        """Leave out fields: they are neither shown nor among the values.

        Args:
            *paths: Their dotted paths.

        Returns:
            The form itself.

        Example:
            >>> user_form().without("role").values()
            {'name': None, 'email': None}
        """
        self.declared = tuple(field for field in self.declared if field.path not in paths)
        return self

    def values(self) -> dict[str, object]:
        """Return what was filled in; None for what was not sent, or left empty where it may be.

        Example:
            >>> user_form(name="Ada").values()
            {'name': 'Ada', 'email': None, 'role': 'member'}
        """
        values = {field: self._value(field) for field in self.declared}
        # What has a default and is left empty is left to the document.
        return nested(
            {
                field.path: value
                for field, value in values.items()
                if value is not None or field.required or field.node.none or "." in field.path
            }
        )

    def _value(self, field: Field) -> object:
        input_ = self[_name(field)]
        value = input_.data
        if input_.process_errors:  # what can't be read: the document refuses the text
            return next(iter(input_.raw_data or ()), None) or None
        if isinstance(value, str) and not value and field.node.none:
            return None
        if isinstance(value, str) and isinstance(field.node, ListNode):
            return [line.strip() for line in value.splitlines() if line.strip()]
        if isinstance(value, str) and field.choices:
            return field.read(value)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC)
        if isinstance(value, Decimal) and field.kind is float:
            return float(value)
        return value

    def _input_at(self, path: str) -> Any:
        return next((self[_name(field)] for field in self.declared if field.path == path), None)


def user_form(**values: object) -> DocumentForm:
    """Return a form for a user, filled with what the request sent, if it sent a form.

    Args:
        **values: What stands in the fields otherwise.

    Example:
        >>> user_form().values()
        {'name': None, 'email': None, 'role': 'member'}
    """
    form: DocumentForm = form_class(documents.User)(**values)
    return form


def user_form_of(user: User) -> DocumentForm:
    """Return a form filled with a user, or with what the request sent, if it sent a form.

    Args:
        user: The user.

    Example:
        >>> user_form_of(ada).values()
        {'name': 'Ada', 'email': 'ada@example.org', 'role': 'member'}
    """
    declared = form_class(documents.User).declared
    return user_form(data={_name(field): _filled(at(user, field.path)) for field in declared})


def _filled(value: Any) -> Any:
    """Return what stands in an input for a stored value."""
    if isinstance(value, list):
        return "\n".join(value)
    return value.value if isinstance(value, Enum) else value


@lru_cache(maxsize=16)
def form_class(document_class: Any) -> type[DocumentForm]:
    """Return the form of a document class: its fields that are neither read-only nor hidden.

    A list of documents and what else no input of HTML can hold is left out.

    Args:
        document_class: The class.

    Example:
        >>> [field.path for field in form_class(User).declared]
        ['name', 'email', 'role']
    """
    declared = tuple(
        field for field in fields_of(document_class) if not field.read_only and _can_be_input(field)
    )
    namespace: dict[str, Any] = {_name(field): _input(field) for field in declared}
    namespace["declared"] = declared
    return type(f"{document_class.__name__}Form", (DocumentForm,), namespace)


def _name(field: Field) -> str:
    return field.path.replace(".", "-")


def _can_be_input(field: Field) -> bool:
    node = field.node
    if isinstance(node, ListNode):
        return isinstance(node.item, ScalarNode) and node.item.kind is str
    return bool(field.choices) or field.kind in (str, int, float, bool, Decimal, date, datetime)


def _input(field: Field) -> Any:
    """Return the WTForms field of a declared one."""
    more: dict[str, Any] = {
        "label": field.title,
        "description": field.description,
        "render_kw": _attributes(field),
    }
    if field.default is not None:
        more["default"] = field.default
    if field.choices:
        empty = [""] if field.node.none or field.required else []  # required: none is chosen yet
        choices = [*empty, *map(str, field.choices)]
        return SelectField(choices=choices, validate_choice=False, **more)
    if isinstance(field.node, ListNode):
        return TextAreaField(**more)
    if field.kind is bool:
        return BooleanField(**more)
    if field.kind is int:
        return IntegerField(**more)
    if field.kind is float or field.kind is Decimal:
        return DecimalField(places=None, **more)
    if field.kind is date:
        return DateField(**more)
    if field.kind is datetime:
        return DateTimeLocalField(format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], **more)
    if (field.limit("max_length") or 0) > _LONG_TEXT:
        return TextAreaField(**more)
    rules = {each.rule for each in field.constraints}
    by_rule = EmailField if "email" in rules else URLField if "url" in rules else None
    return (by_rule or _BY_NAME.get(field.path.rpartition(".")[2], StringField))(**more)


def _attributes(field: Field) -> dict[str, Any]:
    """Return the HTML attributes of a field: the declared limits, for browsers to know."""
    attributes: dict[str, Any] = {}
    if field.kind is str:
        attributes["dir"] = "auto"
    if token := _AUTOCOMPLETE.get(field.path.rpartition(".")[2]):
        attributes["autocomplete"] = token
    for rule, attribute in _HTML.items():
        if (limit := field.limit(rule)) is not None:
            attributes[attribute] = limit
    if length := field.limit("length"):
        attributes["minlength"], attributes["maxlength"] = length
    if (expression := field.limit("pattern")) is not None:
        # HTML Living Standard, 4.10.5.3.6: the attribute matches the whole value.
        attributes["pattern"] = f".*(?:{expression}).*"
    if field.required and field.kind is not bool:
        attributes["required"] = True
    return attributes
