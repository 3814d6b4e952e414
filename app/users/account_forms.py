"""Forms that no document declares: to sign in, for passwords, tokens, files. They check nothing."""

from __future__ import annotations

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
from app.users.forms import RefusableForm
from app.users.permissions import SCOPES

_NEW = {
    "autocomplete": "new-password",
    "required": True,
    "minlength": passwords.SHORTEST,
    "maxlength": passwords.LONGEST,
}
_CURRENT = {"autocomplete": "current-password", "required": True}
_HINT = f"{passwords.SHORTEST} characters or more. A few words in a row are easy to remember."


class SignInForm(RefusableForm):
    """E-mail address and password."""

    email = EmailField("E-mail", render_kw={"autocomplete": "username", "required": True})
    password = PasswordField("Password", render_kw=_CURRENT)


class FirstAdminForm(RefusableForm):
    """Who the first admin is."""

    name = StringField("Name", render_kw={"autocomplete": "name", "required": True})
    email = EmailField("E-mail", render_kw={"autocomplete": "username", "required": True})
    password = PasswordField("Password", description=_HINT, render_kw=_NEW)


class OwnPasswordForm(RefusableForm):
    """A new password, and the one until now."""

    current_password = PasswordField("Current password", render_kw=_CURRENT)
    password = PasswordField("New password", description=_HINT, render_kw=_NEW)


class NewPasswordForm(RefusableForm):
    """A new password for somebody else."""

    password = PasswordField("New password", description=_HINT, render_kw=_NEW)


class TokenForm(RefusableForm):
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


class ImportForm(RefusableForm):
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
