"""The HTML door to what this service is, and for admins to the state of its data."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.core import api_docs
from app.users import access, state
from app.users.permissions import Action

blueprint = Blueprint("about", __name__, template_folder="templates")


@blueprint.get("/about")
def show() -> str:
    """Show the version, the way to the API and, for who may see it, the state of the data."""
    seen = state.state(by=access.caller()) if access.may(Action.SEE_STATE) else None
    return render_template("about.html", version=api_docs.version(), state=seen)


access.guard_pages(blueprint)
