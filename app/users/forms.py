"""Forms from the documents: what a field may hold is read there, and refusals come from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from wtforms import EmailField, StringField  # type: ignore[import-untyped]

from app.users.documents import MaxLength, User

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.core.errors import FieldError


def _attributes(name: str, autocomplete: str) -> dict[str, Any]:
    """Return the HTML attributes of a field, as the document declares it."""
    attributes: dict[str, Any] = {"autocomplete": autocomplete, "dir": "auto"}
    for validator in User.validators[name]:
        if isinstance(validator, MaxLength):
            attributes["maxlength"] = validator.length
    if name in User.required_fields:
        attributes["required"] = True
    return attributes


class UserForm(FlaskForm):  # type: ignore[misc]
    """The fields of a user that a visitor may fill in. It checks nothing: the document does.

    Example:
        >>> form = UserForm()
        >>> try:
        ...     user = services.create(form.values())
        ... except services.UserRefused as error:
        ...     form.refuse(error.errors)
    """

    name = StringField("Name", render_kw=_attributes("name", "name"))
    email = EmailField("E-mail", render_kw=_attributes("email", "email"))

    def values(self) -> dict[str, object]:
        """Return what was filled in, None for what was not sent.

        Example:
            >>> UserForm(name="Ada").values()
            {'name': 'Ada', 'email': None}
        """
        return {name: self[name].data for name in User.open_fields}

    def refuse(self, errors: Iterable[FieldError]) -> None:
        """Put each error on its field.

        Args:
            errors: What a domain error carries.

        Example:
            >>> form.refuse([field_error("name", "blank", "name must not be empty")])
            >>> form.name.errors
            ['name must not be empty']
        """
        for error in errors:
            field = self[error["path"]]
            field.errors = [*field.errors, error["message"]]

    @property
    def first_invalid(self) -> str | None:
        """The name of the first field with an error: there the cursor goes.

        Example:
            >>> UserForm().first_invalid is None
            True
        """
        return next((name for name in User.open_fields if self[name].errors), None)
