"""Who sends a request: a session's user, a token's, or nobody.

Sessions are Flask-Login's, in Flask's signed cookie: they name a user and an epoch, and hold
nothing else. The API takes a token first (`Authorization: Bearer`, RFC 6750) and a session
otherwise; pages take sessions alone. Rights are no business of this module: services ask for them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bson import ObjectId
from flask import Response, flash, g, redirect, request, session, url_for
from flask_login import (  # type: ignore[import-untyped]
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
)
from werkzeug.exceptions import Forbidden

from app.core import errors
from app.core.embedded import EngineError
from app.core.limits import TooManyAttempts
from app.users import permissions, services, signing_in, tokens
from app.users.permissions import VISITOR, Action, Actor, NotAllowed, NotSignedIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Blueprint, Flask

    from app.users.documents import User

REALM = "users"
# What a request's context keeps of who asks: ours, Flask-Login's and Flask-WTF's.
_REMEMBERED = ("actor", "user_id", "_login_user", "csrf_token", "csrf_valid")
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")  # RFC 9110, 9.2.1
_API_STATUSES: dict[type[errors.DomainError], HTTPStatus] = {
    NotSignedIn: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
}

sessions = LoginManager()
sessions.session_protection = None  # it would end sessions whose address changes, as phones' do


class SignedIn(UserMixin):  # type: ignore[misc]
    """The user of a session, in the form that Flask-Login wants.

    Args:
        user: The document.

    Example:
        >>> current_user.user.name
        'Ada'
    """

    def __init__(self, user: User) -> None:
        self.user = user

    def get_id(self) -> str:
        """Return what the session keeps."""
        return signing_in.session_of(self.user)


def init_app(app: Flask) -> None:
    """Let sessions in, and templates ask who is there: `may`, `me`, `Action`.

    Args:
        app: The application.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    # What `sessions.init_app(app)` does, but for two things that it would do for each answer: to
    # look for its cookie of "remember me", which there is none of, in a session that a program with
    # a token does not have; and to ask the database for `current_user` on pages of errors too.
    app.login_manager = sessions  # type: ignore[attr-defined]
    app.before_request(_forget_the_last_one)
    app.context_processor(lambda: {"may": _may_on_page, "me": _me_on_page, "Action": Action})


def guard_api(door: Blueprint) -> None:
    """Let nobody into a blueprint of the API without a token or a session.

    Args:
        door: The blueprint.

    Example:
        >>> guard_api(api)  # doctest: +SKIP
    """
    answer_refusals(door)

    def check() -> None:
        if request.method != "OPTIONS" and caller().role == "visitor":
            raise NotSignedIn

    door.before_request(check)


def answer_refusals(door: Blueprint) -> None:
    """Answer for a blueprint of the API: 401, 403, and 429 with the seconds to wait.

    Args:
        door: The blueprint.

    Example:
        >>> answer_refusals(api)  # doctest: +SKIP
    """
    errors.answer(door, _API_STATUSES, headers=headers_of)


def guard_pages(door: Blueprint, *, open_views: tuple[Callable[..., Any], ...] = ()) -> None:
    """Send who is not signed in from the pages of a blueprint to the sign-in page.

    Args:
        door: The blueprint.
        open_views: Those that anybody may see.

    Example:
        >>> guard_pages(pages)  # doctest: +SKIP
    """
    names = {f"{door.name}.{view.__name__}" for view in open_views}

    def check() -> None:
        if request.endpoint not in names and caller().role == "visitor":
            raise NotSignedIn

    door.before_request(check)
    door.register_error_handler(NotSignedIn, to_sign_in)
    errors.answer(door, {NotAllowed: HTTPStatus.FORBIDDEN})


def to_sign_in(error: NotSignedIn) -> Response:
    """Answer a page that needs a session with the way to the sign-in page, and back again.

    Args:
        error: Why.

    Example:
        >>> to_sign_in(NotSignedIn()).status_code
        303
    """
    if errors.wants_problem():
        return errors.respond(HTTPStatus.UNAUTHORIZED, error.title)
    flash("Please sign in first.", "warning")
    wanted = request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else None
    where = url_for("account.sign_in", next=wanted)
    return redirect(where, HTTPStatus.SEE_OTHER)  # type: ignore[return-value]


def caller() -> Actor:
    """Return who sends the current request; found out once for each.

    Raises:
        NotSignedIn: It carries a token that is none, or none any more.

    Example:
        >>> services.find(id, by=caller())
        <User 'Ada'>
    """
    actor: Actor | None = g.get("actor")
    if actor is None:
        actor = g.actor = _identify()
        g.user_id = actor.id
    return actor


def may(action: Action, owner: ObjectId | None = None) -> bool:
    """Tell whether the caller may do something, so that pages offer no more than that.

    Args:
        action: What.
        owner: The user whom it is about.

    Example:
        >>> may(Action.IMPORT)
        False
    """
    return permissions.allows(caller(), action, owner)


def _may_on_page(action: Action, owner: ObjectId | None = None) -> bool:
    return _me_on_page() is not None and may(action, owner)


def _me_on_page() -> User | None:
    """Return the user of the session; None also where the database can't say.

    The page that tells of that is made by the same templates.
    """
    try:
        return signed_in_user()
    except (errors.DatabaseError, EngineError):
        return None


def signed_in_user() -> User | None:
    """Return the user of the session, or None.

    Example:
        >>> signed_in_user() is None
        True
    """
    return current_user.user if current_user.is_authenticated else None


def begin_session(user: User) -> None:
    """Begin a session; whatever the cookie held before is gone.

    A cookie that somebody else had put into the browser is worth nothing afterwards (session
    fixation), and the tokens of forms are new ones.

    Args:
        user: Who has just shown the password.

    Example:
        >>> begin_session(signing_in.sign_in(email, password, address=request.remote_addr))
    """
    session.clear()
    _forget_the_last_one()
    session.permanent = True
    login_user(SignedIn(user))
    g.user_id = user["_id"]  # for the access line


def end_session() -> None:
    """Forget who was signed in here.

    Example:
        >>> end_session()
    """
    logout_user()
    session.clear()
    _forget_the_last_one()


def address() -> str:
    """Return the IP address that the request comes from, behind as many proxies as are configured.

    Example:
        >>> address()
        '127.0.0.1'
    """
    return request.remote_addr or ""


def local_path(text: str | None) -> str | None:
    """Return a path of this site, or None for what leads elsewhere.

    Args:
        text: From outside, such as `next` of the sign-in page.

    Example:
        >>> local_path("/users?limit=5"), local_path("//evil.example/"), local_path("https:x")
        ('/users?limit=5', None, None)
    """
    if not text or not text.startswith("/") or not text.isprintable():
        return None
    # Browsers read a backslash as a slash, and two slashes as the beginning of a host.
    if text.startswith(("//", "/\\")):
        return None
    parts = urlsplit(text)
    return None if parts.scheme or parts.netloc else text


@sessions.user_loader  # type: ignore[untyped-decorator]
def _load(name: str) -> SignedIn | None:
    """Return the user of a session, unless the session is over."""
    digits, _, _ = name.partition(".")
    if not ObjectId.is_valid(digits):
        return None
    try:
        user = services.find(ObjectId(digits), by=permissions.OPERATOR)
    except services.UserNotFound:
        return None
    return SignedIn(user) if signing_in.session_of(user) == name else None


def _forget_the_last_one() -> None:
    """Find out anew who asks, also where one context serves several requests, as in tests."""
    remembered = vars(g._get_current_object())
    for name in _REMEMBERED:
        remembered.pop(name, None)


def _identify() -> Actor:
    given = request.environ.get("HTTP_AUTHORIZATION")
    if given is not None and errors.is_api_request():
        kind, _, secret = given.partition(" ")
        if kind.lower() != "bearer":
            raise NotSignedIn
        return tokens.actor_of(secret.strip())
    user = signed_in_user()
    if user is None:
        return VISITOR
    if errors.is_api_request() and request.method not in _SAFE:
        _refuse_foreign_pages()
    return Actor("admin" if user.get("role") == "admin" else "member", user["_id"])


def _refuse_foreign_pages() -> None:
    """Refuse a change that another site's page sends with the session of its visitor.

    Browsers say where a request comes from (Fetch Metadata; the Origin header, RFC 6454). The
    cookie is not sent with such requests anyway (SameSite=Lax), and JSON would need a preflight.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != request.host
    ):
        raise Forbidden("A page of another site may not do this in your name. Send a token.")


def headers_of(error: errors.DomainError) -> dict[str, str]:
    """Return the headers that go with a refusal of the API.

    Args:
        error: Why.

    Example:
        >>> headers_of(signing_in.WrongCredentials())
        {'WWW-Authenticate': 'Bearer realm="users"'}
    """
    if isinstance(error, TooManyAttempts):
        return {"Retry-After": str(error.retry_after)}
    scheme = f'Bearer realm="{REALM}"'  # RFC 9110, 15.5.2: each 401 names one
    if isinstance(error, NotSignedIn):
        # RFC 6750, 3: without a token no error is named.
        failed = "Authorization" in request.headers
        return {"WWW-Authenticate": scheme + (', error="invalid_token"' if failed else "")}
    if isinstance(error, signing_in.WrongCredentials):
        return {"WWW-Authenticate": scheme}
    if isinstance(error, NotAllowed) and caller().scopes is not None:
        return {"WWW-Authenticate": f'{scheme}, error="insufficient_scope"'}
    return {}
