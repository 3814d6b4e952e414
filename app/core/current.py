"""The application and the request being served, themselves: for what looks at them at each request.

`flask.current_app` and `flask.request` find them anew for each attribute, which costs more than
most attributes do.
"""

from __future__ import annotations

from flask import Flask, Request, current_app, request


def current_application() -> Flask:
    """Return what `flask.current_app` stands for.

    Raises:
        RuntimeError: There is no application context.

    Example:
        >>> with app.app_context():
        ...     current_application() is app
        True
    """
    found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return found


def current_request() -> Request:
    """Return what `flask.request` stands for.

    Raises:
        RuntimeError: No request is being served.

    Example:
        >>> with app.test_request_context("/api/users"):
        ...     current_request().path
        '/api/users'
    """
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found
