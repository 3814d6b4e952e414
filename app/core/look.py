"""How the pages look: Bootstrap's style sheet, served from here, under one of our own.

Only the style sheet: no page needs Bootstrap's JavaScript. app/static/style.css gives it our
colours, light and dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_bootstrap import Bootstrap5  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from flask import Flask


def init_app(app: Flask) -> None:
    """Let templates load the style sheet by `bootstrap.load_css()`.

    Args:
        app: The application, configured.

    Example:
        >>> init_app(app)  # doctest: +SKIP
    """
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True  # never from another host
    Bootstrap5(app)
