"""The HTML door: the users, newest first, and a form that adds one. Works without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app.core.pagination import PageRequest
from app.users import services
from app.users.forms import UserForm

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

blueprint = Blueprint("users", __name__, template_folder="templates")


@blueprint.get("/", endpoint="start")
@blueprint.get("/users")
def index() -> str:
    """Show one page of the users, and the form."""
    return _page(UserForm())


@blueprint.post("/users")
def create() -> tuple[str, HTTPStatus] | Response:
    """Add a user; show the form again, with what is wrong at its field, if it is refused."""
    form = UserForm()
    try:
        user = services.create(form.values())
    except services.UserRefused as error:
        form.refuse(error.errors)
        return _page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    except services.EmailTaken as error:
        form.refuse(error.errors)
        return _page(form), HTTPStatus.CONFLICT
    flash(f"{user.name} was added.")
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)


def _page(form: UserForm) -> str:
    page = services.listing(PageRequest.from_args(request.args, newest_first=True))
    return render_template("users/index.html", form=form, page=page)
