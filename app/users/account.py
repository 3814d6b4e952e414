"""The HTML door to one's own account: signing in and out, profile, password, tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import NotFound

from app.core import errors
from app.core.limits import TooManyAttempts
from app.core.locks import Busy
from app.users import access, services, signing_in, tokens
from app.users.account_forms import FirstAdminForm, OwnPasswordForm, SignInForm, TokenForm
from app.users.forms import user_form_of
from app.users.permissions import NotSignedIn

if TYPE_CHECKING:
    from bson import ObjectId
    from werkzeug.wrappers import Response as BaseResponse

    from app.users.documents import User
    from app.users.forms import RefusableForm

blueprint = Blueprint("account", __name__, template_folder="templates")


@blueprint.get("/")
def start() -> BaseResponse:
    """Lead to the users, to the sign-in page, or to the making of the first admin."""
    if access.signed_in_user() is not None:
        return _to("users.index")
    return _to("account.first_admin" if _wants_first_admin() else "account.sign_in")


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    """Ask for e-mail and password, and begin a session."""
    form = SignInForm()
    wanted = access.local_path(request.args.get("next"))
    if request.method != "POST":
        if access.signed_in_user() is not None:
            return redirect(wanted or url_for("users.index"), HTTPStatus.SEE_OTHER)
        if _wants_first_admin():
            return _to("account.first_admin")
        return render_template("account/sign_in.html", form=form)
    try:
        user = signing_in.sign_in(form.email.data, form.password.data, address=access.address())
    except signing_in.WrongCredentials as error:
        form.form_errors.append(error.title)
        return _again("account/sign_in.html", form, HTTPStatus.UNAUTHORIZED)
    except TooManyAttempts as error:
        return _too_many("account/sign_in.html", form, error)
    access.begin_session(user)
    return redirect(wanted or url_for("users.index"), HTTPStatus.SEE_OTHER)


@blueprint.post("/sign-out")
def sign_out() -> BaseResponse:
    """End the session."""
    access.end_session()
    flash("You are signed out.")
    return _to("account.sign_in")


@blueprint.route("/first-admin", methods=["GET", "POST"])
def first_admin() -> Any:
    """Make the first user, an admin, where nobody is there yet; not in production."""
    if not current_app.config["FIRST_ADMIN_PAGE"]:
        raise NotFound
    form = FirstAdminForm()
    if request.method != "POST":
        if not services.is_empty():
            return _to("account.sign_in")
        return render_template("account/first_admin.html", form=form)
    try:
        user = services.create_first_admin(
            {"name": form.name.data, "email": form.email.data}, password=form.password.data
        )
    except services.UsersExist as error:
        flash(error.title, "error")
        return _to("account.sign_in")
    except services.UserRefused as error:
        form.refuse(error.errors)
        return _again("account/first_admin.html", form)
    access.begin_session(user)
    flash(f"Welcome, {user.name}. You are the first admin.")
    return _to("users.index")


@blueprint.route("/profile", methods=["GET", "POST"])
def profile() -> Any:
    """Show and change one's own name and address."""
    user = _me()
    form = user_form_of(user).without("role")
    status = HTTPStatus.OK
    if request.method == "POST":
        try:
            services.change(user["_id"], form.values(), by=access.caller())
        except services.UserRefused as error:
            form.refuse(error.errors)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        except services.EmailTaken as error:
            form.refuse(error.errors)
            status = HTTPStatus.CONFLICT
        except services.UserChanged as error:
            form.form_errors.append(error.title)
            status = HTTPStatus.CONFLICT
        else:
            flash("Your profile was changed.")
            return _to("account.profile")
    return render_template("account/profile.html", form=form, user=user), status


@blueprint.route("/profile/password", methods=["GET", "POST"])
def password() -> Any:
    """Change one's own password; all other sessions end."""
    user = _me()
    form = OwnPasswordForm()
    if user.get("password_hash") is None:
        del form.current_password
    if request.method != "POST":
        return render_template("account/password.html", form=form)
    current = form.current_password.data if "current_password" in form else None
    try:
        changed = signing_in.set_password(
            user["_id"], form.password.data, by=access.caller(), current=current
        )
    except services.UserRefused as error:
        form.refuse(error.errors)
        return _again("account/password.html", form)
    except TooManyAttempts as error:
        return _too_many("account/password.html", form, error)
    access.begin_session(changed)
    flash("Your password was changed. You are signed out everywhere else.")
    return _to("account.profile")


@blueprint.post("/profile/sign-out-everywhere")
def sign_out_everywhere() -> BaseResponse:
    """End all other sessions."""
    access.begin_session(signing_in.end_sessions(_me()["_id"], by=access.caller()))
    flash("You are signed out everywhere else.")
    return _to("account.profile")


@blueprint.route("/profile/tokens", methods=["GET", "POST"])
def my_tokens() -> Any:
    """List one's tokens, and make a new one, which is shown this once."""
    user = _me()
    form = TokenForm()
    shown: dict[str, Any] = {}
    status = HTTPStatus.OK
    if request.method == "POST":
        values = {
            "name": form.name.data,
            "scopes": form.scopes.data or [],
            "expires_in": form.expires_in.data,
        }
        try:
            token, secret = tokens.create(user["_id"], values, by=access.caller())
        except (tokens.TokenRefused, tokens.TooManyTokens) as error:
            form.refuse(error.errors or [errors.field_error("", "number", error.title)])
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        else:
            shown = {"made": token, "secret": secret}
            form = TokenForm(formdata=None)
            status = HTTPStatus.CREATED
    mine = tokens.listing(user["_id"], by=access.caller())
    return render_template("account/tokens.html", form=form, tokens=mine, **shown), status


@blueprint.post("/profile/tokens/<user_id:id>/revoke")
def revoke(id: ObjectId) -> BaseResponse:
    """Revoke one of one's own tokens."""
    token = tokens.revoke(id, by=access.caller())
    flash(f"The token {token.name} was revoked.")
    return _to("account.my_tokens")


access.guard_pages(blueprint, open_views=(start, sign_in, sign_out, first_admin))
errors.answer(
    blueprint,
    {
        tokens.TokenNotFound: HTTPStatus.NOT_FOUND,
        services.UserNotFound: HTTPStatus.NOT_FOUND,
        Busy: HTTPStatus.CONFLICT,
    },
)


def _me() -> User:
    user = access.signed_in_user()
    if user is None:
        raise NotSignedIn
    return user


def _to(endpoint: str) -> BaseResponse:
    return redirect(url_for(endpoint), HTTPStatus.SEE_OTHER)


def _wants_first_admin() -> bool:
    return bool(current_app.config["FIRST_ADMIN_PAGE"]) and services.is_empty()


def _again(
    template: str,
    form: RefusableForm,
    status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY,
) -> tuple[str, HTTPStatus]:
    return render_template(template, form=form), status


def _too_many(template: str, form: RefusableForm, error: TooManyAttempts) -> Response:
    minutes = -(-error.retry_after // 60)
    form.form_errors.append(f"{error.title} In about {minutes} min you can.")
    page, status = _again(template, form, HTTPStatus.TOO_MANY_REQUESTS)
    return Response(page, status, {"Retry-After": str(error.retry_after)})
