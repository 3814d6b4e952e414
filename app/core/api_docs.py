"""Where the API is described: /api/openapi.json for programs, /api/docs for people.

The page is Swagger UI as the distribution `flask-swagger-ui` brings it. It is served from here, and
asks no other host for anything.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    render_template,
    send_from_directory,
)
from werkzeug.exceptions import NotFound

from app.core import errors, openapi, security
from app.core.preconditions import under_conditions

if TYPE_CHECKING:
    from flask import Flask

_EXTENSION = "api-description"
_ASSETS = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_FOLDER = str(files("flask_swagger_ui") / "dist")
# Its style sheet holds its icons.
_POLICY = security.CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' data:")

blueprint = Blueprint("api_docs", __name__, url_prefix=errors.API_PREFIX)


def init_app(app: Flask, *, title: str, version: str) -> None:
    """Describe the API of an application, at the first request for its description.

    Args:
        app: The application.
        title: The name of the API.
        version: The version of the API.

    Example:
        >>> init_app(app, title="Users", version="1.0.0")  # doctest: +SKIP
    """
    app.extensions[_EXTENSION] = {"title": title, "version": version}
    app.register_blueprint(blueprint)


def version() -> str:
    """Return the version of the API, which is that of the service.

    Example:
        >>> version()
        '1.0.0'
    """
    known: str = current_app.extensions[_EXTENSION]["version"]
    return known


@blueprint.get("/openapi.json")
def description() -> Response:
    """Answer the description of the API."""
    known = current_app.extensions[_EXTENSION]
    if "text" not in known:
        said = openapi.describe(current_app, title=known["title"], version=known["version"])
        known["text"] = current_app.json.dumps(said)
    response = current_app.response_class(known["text"], mimetype="application/json")
    response.cache_control.no_cache = True  # it may be kept, and asked for again by its ETag
    return under_conditions(response, known["text"])


@blueprint.get("/docs")
def page() -> Response:
    """Show the description, and a way to try it."""
    title = current_app.extensions[_EXTENSION]["title"]
    response = make_response(render_template("api_docs.html", title=title))
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@blueprint.get("/docs/<name>")
def asset(name: str) -> Response:
    """Answer a file of Swagger UI."""
    if name not in _ASSETS:
        raise NotFound
    return send_from_directory(_FOLDER, name)
