"""Forms that no document declares: to sign in, for passwords, tokens, files. They check nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from wtforms import (  # type: ignore[import-untyped]
    BooleanField,
    EmailField,
    FileField,
    PasswordField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.widgets import CheckboxInput, ListWidget  # type: ignore[import-untyped]

from app.core import passwords
from app.users.permissions import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from app.core.errors import FieldError

_NEW = {
    "autocomplete": "new-password",
    "required": True,
    "minlength": passwords.SHORTEST,
    "maxlength": passwords.LONGEST,
}
_CURRENT = {"autocomplete": "current-password", "required": True}
_HINT = f"{passwords.SHORTEST} characters or more. A few words in a row are easy to remember."


class AccountForm(FlaskForm):  # type: ignore[misc]
    """A form whose errors come from a service; `refuse` puts them at their fields.

    Example:
        >>> form.refuse([field_error("password", "common", "password is too common")])
    """

    @property
    def inputs(self) -> Iterator[Any]:
        """The fields, in their order, without the token."""
        return (each for each in self if each.name != "csrf_token")

    @property
    def first_invalid(self) -> str | None:
        """The name of the first field with an error: there the cursor goes."""
        return next((each.name for each in self.inputs if each.errors), None)

    def refuse(self, errors: Iterable[FieldError]) -> None:
        """Put each error on its field; what is of no field here, on the form.

        Args:
            errors: What a service raised.
        """
        for error in errors:
            field = self._fields.get(error["path"].partition(".")[0])
            if field is not None and field.name != "csrf_token":
                field.errors = [*field.errors, error["message"]]
            else:
                self.form_errors.append(error["message"])


class SignInForm(AccountForm):
    """E-mail address and password."""

    email = EmailField("E-mail", render_kw={"autocomplete": "username", "required": True})
    password = PasswordField("Password", render_kw=_CURRENT)


class FirstAdminForm(AccountForm):
    """Who the first admin is."""

    name = StringField("Name", render_kw={"autocomplete": "name", "required": True})
    email = EmailField("E-mail", render_kw={"autocomplete": "username", "required": True})
    password = PasswordField("Password", description=_HINT, render_kw=_NEW)


class OwnPasswordForm(AccountForm):
    """A new password, and the one until now."""

    current_password = PasswordField("Current password", render_kw=_CURRENT)
    password = PasswordField("New password", description=_HINT, render_kw=_NEW)


class NewPasswordForm(AccountForm):
    """A new password for somebody else."""

    password = PasswordField("New password", description=_HINT, render_kw=_NEW)


class TokenForm(AccountForm):
    """What a token is for."""

    name = StringField(
        "Name",
        description="What it is for, such as the program that will use it.",
        render_kw={"required": True, "maxlength": 50},
    )
    scopes = SelectMultipleField(
        "May",
        choices=[SelectChoice(SCOPES[0], "read users"), SelectChoice(SCOPES[1], "change users")],
        default=[SCOPES[0]],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )
    expires_in = SelectField(
        "Ends after",
        choices=[
            SelectChoice("7d", "7 days"),
            SelectChoice("30d", "30 days"),
            SelectChoice("90d", "90 days"),
            SelectChoice("1y", "a year"),
            SelectChoice("never", "never"),
        ],
        default="90d",
        validate_choice=False,
    )


class ImportForm(AccountForm):
    """A file of users."""

    file = FileField("File", render_kw={"required": True, "accept": ".csv,.ndjson,.jsonl"})
    format = SelectField(
        "Format",
        choices=[
            SelectChoice("", "as the name of the file says"),
            SelectChoice("csv", "CSV"),
            SelectChoice("ndjson", "NDJSON"),
        ],
        validate_choice=False,
    )
    dry_run = BooleanField("Dry run: check everything, store nothing")
