"""The HTML door: the users, newest first, and a form that adds one. Works without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app.core.fields import at, fields_of
from app.users import documents, services
from app.users.access import caller, guard_pages
from app.users.forms import user_form
from app.users.listing import ListRequest

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from app.users.forms import DocumentForm

blueprint = Blueprint("users", __name__, template_folder="templates")
blueprint.add_app_template_filter(at)


@blueprint.get("/users")
def index() -> str:
    """Show one page of the users, and the form."""
    return _page(user_form())


@blueprint.post("/users")
def create() -> tuple[str, HTTPStatus] | Response:
    """Add a user; show the form again, with what is wrong at its field, if it is refused."""
    form = user_form()
    try:
        user = services.create(form.values(), by=caller())
    except services.UserRefused as error:
        form.refuse(error.errors)
        return _page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    except services.EmailTaken as error:
        form.refuse(error.errors)
        return _page(form), HTTPStatus.CONFLICT
    flash(f"{user.name} was added.")
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)


guard_pages(blueprint)


def _page(form: DocumentForm) -> str:
    # A form sends what was left empty too.
    sent = {name: value for name, value in request.args.items() if value}
    wanted = ListRequest.from_args(sent, sort="-created")
    page = services.listing(wanted, by=caller())
    columns = [field for field in fields_of(documents.User) if field.kind or field.choices]
    # What the links to other pages keep.
    kept = {name: sent[name] for name in ("q", "role", "sort") if name in sent}
    return render_template(
        "users/index.html", form=form, page=page, columns=columns, wanted=wanted, kept=kept
    )
