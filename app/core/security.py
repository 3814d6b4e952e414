"""What protects the doors: CSRF, the session cookie, headers, limits of what is sent.

Pages change things by forms, and the browser sends the session cookie along with a form that a
foreign site submits: so each form carries a token (Flask-WTF), which that site can't read.

The API asks for no such token. A foreign page can't act in it with a visitor's session: the cookie
stays at home (SameSite=Lax), a change must be sent as JSON (415 otherwise), which no HTML form can
do, and a script may send JSON, or PUT, PATCH and DELETE, to another origin only after a CORS
preflight (Fetch standard, "CORS-preflight request"). And where a browser says that a change comes
from another site, it is refused (`app.users.access`).
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, TypeVar

from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from werkzeug.exceptions import (
    RequestEntityTooLarge,
    RequestURITooLarge,
    SecurityError,
    UnsupportedMediaType,
)
from werkzeug.middleware.proxy_fix import ProxyFix

from app.core import errors
from app.core.current import current_application, current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask, Request, Response
    from flask.sessions import SessionMixin

V = TypeVar("V", bound="Callable[..., Any]")
_TAKES = "__takes__"

# No inline style or script anywhere: what an attacker manages to write into a page does nothing.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# With its name in lower case, to be compared with what an answer has.
_HEADERS = [
    (name.lower(), (name, value))
    for name, value in (
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        # Not no-referrer: over TLS Flask-WTF compares the referrer of a form with the host.
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        # What a person sees who is signed in must not stay in a cache. Flask says itself of files
        # of the app and of extensions that caches may keep them.
        ("Cache-Control", "no-store"),
    )
]
_STALE = (
    "This page was out of date, or its session had ended (its CSRF token is missing or wrong):"
    " nothing was done. Load the page again, sign in if need be, and repeat what you did."
)
_HSTS = "Strict-Transport-Security"
MAX_QUERY_ARGUMENTS = 100
_FORM = "application/x-www-form-urlencoded"
# Types of body that the API takes, by method.
JSON_TYPES = {
    "POST": ("application/json",),
    "PUT": ("application/json",),
    "PATCH": ("application/json", "application/merge-patch+json"),
}

csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Protect every view of the application, those added later too.

    Args:
        app: The application, configured.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    app.config.from_mapping(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # `_check` calls it, for all but the API
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form may stay open overnight
    )
    csrf.init_app(app)
    app.session_interface = _Sessions()
    # /api//users is no other name of /api/users; a redirect there would be a page.
    app.url_map.merge_slashes = False
    app.wsgi_app = _with_headers(app.wsgi_app, app.config)  # type: ignore[method-assign,assignment]
    if hops := app.config["PROXY_HOPS"]:
        # Of what clients send in these headers nothing is believed but what our proxies wrote.
        proxied = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)
        app.wsgi_app = proxied  # type: ignore[method-assign]
    app.before_request(_check)


class _Sessions(SecureCookieSessionInterface):
    """Flask's sessions, for nothing where there is none, as programs with a token send no cookie.

    Flask derives a key for each request, and works out a cookie for each answer.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session that the cookie holds, or an empty one."""
        if "HTTP_COOKIE" in request.environ:
            return super().open_session(app, request)
        return self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie, and say that the answer varies by it, if there is anything to it."""
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)


def _check() -> None:
    app, asked = current_application(), current_request()
    if "HTTP_TRANSFER_ENCODING" in asked.environ:  # nobody has read of it yet
        asked.environ["wsgi.input"] = _ChunkedBody(asked.environ["wsgi.input"])
    _check_sizes(asked, app.config)
    if not errors.is_api_path(asked.path):
        if asked.endpoint is not None and app.config["WTF_CSRF_ENABLED"]:
            try:
                csrf.protect()
            except CSRFError as error:
                raise CSRFError(_STALE) from error
    # Where there is no such address (404) or method (405), the body does not matter.
    elif asked.routing_exception is None:
        taken = types_of(app.view_functions.get(asked.endpoint or ""), asked.method)
        if taken and asked.mimetype not in taken:
            raise unsupported_type(taken[0])


def _check_sizes(asked: Request, config: Mapping[str, Any]) -> None:
    """Refuse a query or a form that is larger than any of ours.

    Flask bounds bodies, and forms that hold files; see `MAX_CONTENT_LENGTH`, `MAX_FORM_PARTS` and
    `MAX_FORM_MEMORY_SIZE`. The last two hold here for other forms, which werkzeug reads whole.
    """
    failure, query = asked.routing_exception, asked.query_string
    if isinstance(failure, SecurityError):
        raise failure  # of the host: first, since it has an answer of its own
    if len(query) > config["MAX_QUERY_LENGTH"]:
        raise query_too_long()
    if query.count(b"&") >= MAX_QUERY_ARGUMENTS:
        message = f"the query has more than {MAX_QUERY_ARGUMENTS} arguments"
        raise errors.MalformedRequest("", "maximum", message)
    if failure is None and asked.environ.get("CONTENT_TYPE") and asked.mimetype == _FORM:
        body = asked.get_data()
        if (
            len(body) > config["MAX_FORM_MEMORY_SIZE"]
            or body.count(b"&") >= config["MAX_FORM_PARTS"]
        ):
            raise RequestEntityTooLarge


def query_too_long() -> RequestURITooLarge:
    """Return the refusal of a query string over `MAX_QUERY_LENGTH`.

    Example:
        >>> raise query_too_long()
        Traceback (most recent call last):
        werkzeug.exceptions.RequestURITooLarge: 414 ...: The query is too long.
    """
    return RequestURITooLarge("The query is too long.")


def takes(*media_types: str) -> Callable[[V], V]:
    """Return a decorator for a view of the API that reads something else than JSON.

    Args:
        *media_types: What it reads; none for a view that reads no body.

    Example:
        >>> @takes("application/x-ndjson")
        ... def import_users() -> Response: ...
    """

    def mark(view: V) -> V:
        setattr(view, _TAKES, media_types)
        return view

    return mark


def types_of(view: Callable[..., Any] | None, method: str) -> tuple[str, ...]:
    """Return which types of body a view of the API reads, none for a request without one.

    Args:
        view: The view.
        method: The request's method.

    Example:
        >>> types_of(None, "POST")
        ('application/json',)
    """
    if method not in JSON_TYPES:
        return ()
    own: tuple[str, ...] | None = getattr(view, _TAKES, None)
    return JSON_TYPES[method] if own is None else own


def unsupported_type(wanted: str = "application/json") -> UnsupportedMediaType:
    """Return the refusal of a body that is sent as something else.

    Args:
        wanted: As what it is to be sent.

    Example:
        >>> raise unsupported_type()
        Traceback (most recent call last):
        werkzeug.exceptions.UnsupportedMediaType: 415 ...: Send the body as application/json.
    """
    return UnsupportedMediaType(f"Send the body as {wanted}.")


class _ChunkedBody:
    """The body of a request that came in chunks; a malformed chunk is an error of the client's.

    Each server tells of one by an exception of its own. Of an `OSError` Werkzeug makes a 400.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:
            raise OSError("the body is malformed, or broke off") from error


def _with_headers(serve: WSGIApplication, config: Mapping[str, Any]) -> WSGIApplication:
    """Return a WSGI application whose answers have the headers; what one says itself stays.

    Here rather than in Flask, where each header of each answer is stored, and then copied.
    """

    def serve_with_headers(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            said, wanted = {name.lower() for name, _ in headers}, _HEADERS
            # To nobody by plain HTTP (RFC 6797, 7.2). Not for subdomains: they may not be ours.
            if environ["wsgi.url_scheme"] == "https" and (seconds := config["HSTS_SECONDS"]):
                wanted = [*wanted, (_HSTS.lower(), (_HSTS, f"max-age={seconds}"))]
            headers += [header for name, header in wanted if name not in said]
            is_empty = status.startswith("204") or ("Content-Length", "0") in headers
            if is_empty and errors.is_api_path(environ["PATH_INFO"]):
                # Flask calls nothing at all HTML too: the answer to DELETE, or to OPTIONS.
                headers = [each for each in headers if each[0] != "Content-Type"]
            return start_response(status, headers, *error)

        return serve(environ, start)

    return serve_with_headers
