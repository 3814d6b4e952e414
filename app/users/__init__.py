"""Users: what they are, what can be done with them, and three doors: JSON, HTML, terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.users import (
    about,
    access,
    account,
    api,
    api_files,
    api_tokens,
    cli_users,
    import_pages,
    pages,
)

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Open the doors in an application.

    Args:
        app: The application; `app.core` is in place.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    app.url_map.converters["user_id"] = api.UserIdConverter
    access.init_app(app)
    app.register_blueprint(api_files.blueprint)
    app.register_blueprint(api_tokens.blueprint)
    app.register_blueprint(account.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(import_pages.blueprint)
    app.register_blueprint(about.blueprint)
    app.cli.add_command(cli_users.commands)
