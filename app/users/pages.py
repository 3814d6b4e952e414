"""The HTML door to the users: list, search, add, show, change, delete. Works without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, get_args

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)

from app.core import errors
from app.core.fields import at, fields_of
from app.core.limits import TooManyAttempts
from app.core.locks import Busy
from app.core.streams import portions
from app.users import access, bulk, documents, files, listing, permissions, services, signing_in
from app.users.access import caller, guard_pages
from app.users.account_forms import NewPasswordForm
from app.users.forms import user_form, user_form_of
from app.users.permissions import Action

if TYPE_CHECKING:
    from bson import ObjectId
    from werkzeug.wrappers import Response as BaseResponse

    from app.core.fields import Field
    from app.users.documents import User
    from app.users.forms import DocumentForm

_CONFLICTS = (
    services.StaleVersion,
    services.LastAdmin,
    services.UserChanged,
    Busy,
)

blueprint = Blueprint("users", __name__, template_folder="templates")
blueprint.add_app_template_filter(at)


@blueprint.get("/users")
def index() -> str:
    """Show one page of the users."""
    # A form sends what was left empty too.
    sent = {name: value for name, value in request.args.items() if value}
    if "q" in sent:
        sent.pop("sort", None)  # a search has an order of its own
    wanted = listing.ListRequest.from_args(sent, sort="-created")
    return render_template(
        "users/index.html",
        page=services.listing(wanted, by=caller()),
        columns=_columns(),
        wanted=wanted,
        roles=get_args(documents.Role),
        longest_search=listing.LONGEST_SEARCH,
        # What the links to other pages keep.
        kept={name: sent[name] for name in ("q", "role", "sort") if name in sent},
    )


@blueprint.route("/users/new", methods=["GET", "POST"])
def new() -> Any:
    """Ask for a new user, and add it."""
    permissions.require(caller(), Action.CREATE)
    form = user_form()
    status = HTTPStatus.OK
    if request.method == "POST":
        try:
            user = services.create(form.values(), by=caller())
        except services.UserRefused as error:
            form.refuse(error.errors)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        except services.EmailTaken as error:
            form.refuse(error.errors)
            status = HTTPStatus.CONFLICT
        else:
            flash(f"{user.name} was added.")
            return _to(".show", user["_id"])
    return render_template("users/new.html", form=form), status


@blueprint.get("/users/<user_id:id>")
def show(id: ObjectId) -> str:
    """Show one user, and what may be done."""
    user = services.find(id, by=caller())
    return render_template("users/show.html", user=user, fields=fields_of(documents.User))


@blueprint.route("/users/<user_id:id>/edit", methods=["GET", "POST"])
def edit(id: ObjectId) -> Any:
    """Ask for changes of a user, and make them, unless somebody else was quicker."""
    permissions.require(caller(), Action.CHANGE, id)
    user = services.find(id, by=caller())
    form = user_form_of(user)
    if not access.may(Action.CHANGE_ROLE, id):
        form.without("role")
    if request.method != "POST":
        version = user.get("version") or 0
        return render_template("users/edit.html", form=form, user=user, version=version)
    try:
        user = services.change(id, form.values(), by=caller(), expected=_version_sent())
    except services.UserRefused as error:
        form.refuse(error.errors)
        return _edit_again(form, user, HTTPStatus.UNPROCESSABLE_ENTITY)
    except services.EmailTaken as error:
        form.refuse(error.errors)
        return _edit_again(form, user, HTTPStatus.CONFLICT)
    except _CONFLICTS as error:
        form.form_errors.append(error.title)
        user = services.find(id, by=caller())
        is_stale = isinstance(error, services.StaleVersion)
        return _edit_again(form, user, HTTPStatus.CONFLICT, is_stale=is_stale)
    flash(f"{user.name} was changed.")
    return _to(".show", id)


@blueprint.route("/users/<user_id:id>/password", methods=["GET", "POST"])
def password(id: ObjectId) -> Any:
    """Ask for a new password of somebody else, and set it."""
    if id == caller().id:
        return redirect(url_for("account.password"), HTTPStatus.SEE_OTHER)
    permissions.require(caller(), Action.SET_PASSWORD, id)
    user = services.find(id, by=caller())
    form = NewPasswordForm()
    if request.method != "POST":
        return render_template("users/password.html", form=form, user=user)
    try:
        signing_in.set_password(id, form.password.data, by=caller())
    except services.UserRefused as error:
        form.refuse(error.errors)
        page = render_template("users/password.html", form=form, user=user)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    flash(f"{user.name} has a new password, and is signed out everywhere.")
    return _to(".show", id)


@blueprint.post("/users/<user_id:id>/sign-out")
def sign_out(id: ObjectId) -> BaseResponse:
    """End all sessions of a user."""
    user = signing_in.end_sessions(id, by=caller())
    flash(f"{user.name} is signed out everywhere.")
    return _to(".show", id)


@blueprint.route("/users/<user_id:id>/delete", methods=["GET", "POST"])
def delete(id: ObjectId) -> Any:
    """Ask whether a user is really to be deleted, and do it."""
    permissions.require(caller(), Action.REMOVE, id)
    user = services.find(id, by=caller())
    is_oneself = id == caller().id
    if request.method != "POST":
        return render_template("users/delete.html", user=user)
    try:
        services.remove(id, by=caller(), expected=_version_sent())
    except _CONFLICTS as error:
        user = services.find(id, by=caller())
        page = render_template("users/delete.html", user=user, problem=error.title)
        return page, HTTPStatus.CONFLICT
    if is_oneself:
        access.end_session()
        flash("Your account was deleted, and you are signed out.")
        return redirect(url_for("account.sign_in"), HTTPStatus.SEE_OTHER)
    flash(f"{user.name} was deleted.")
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)


@blueprint.get("/users/export.<any(csv, ndjson):format>")
def export(format: files.Format) -> Response:
    """Send all users as a file, as they are read; the file can be imported."""
    rows = bulk.export_rows(by=caller())
    # A failure on the way breaks the connection, so that nobody takes a part for the whole.
    answer = Response(portions(files.portions_of(rows, format)), mimetype=files.MEDIA_TYPES[format])
    answer.headers["Content-Disposition"] = f"attachment; filename=users.{format}"
    return answer


guard_pages(blueprint)
errors.answer(
    blueprint,
    {
        services.UserNotFound: HTTPStatus.NOT_FOUND,
        bulk.DatabaseFailed: HTTPStatus.SERVICE_UNAVAILABLE,
        TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
        **dict.fromkeys(_CONFLICTS, HTTPStatus.CONFLICT),
    },
)


def _columns() -> list[Field]:
    """Return the fields that a table has room for: no documents and lists."""
    return [field for field in fields_of(documents.User) if field.kind or field.choices]


def _version_sent() -> int:
    """Return the version that the form was made from; without one the form is stale."""
    text = request.form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _edit_again(
    form: DocumentForm, user: User, status: HTTPStatus, *, is_stale: bool = False
) -> tuple[str, HTTPStatus]:
    """Show the form again as it was filled in; beside it what is stored now, if it is stale.

    Only then does it come with the version that is stored now: whoever sends it has seen it.
    """
    version = (user.get("version") or 0) if is_stale else _version_sent()
    stored = form.declared if is_stale else ()
    page = render_template("users/edit.html", form=form, user=user, version=version, stored=stored)
    return page, status


def _to(endpoint: str, id: ObjectId) -> BaseResponse:
    return redirect(url_for(endpoint, id=id), HTTPStatus.SEE_OTHER)
