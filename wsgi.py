"""What a server loads: `gunicorn wsgi:app`, `flask run`, every `flask` command."""

from __future__ import annotations

import sys

from app import create_app
from app.core.config import ConfigError

# Not 1, after which gunicorn's master starts the worker again and again; nor 3, after which
# Flask's reloader does. 4 is gunicorn's own "the application can't be loaded": it stops.
REFUSED = 4

try:
    app = create_app()
except ConfigError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(REFUSED)
