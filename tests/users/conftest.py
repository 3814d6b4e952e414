"""What the tests of users share."""

from __future__ import annotations

import hypothesis

# A busy machine is no failure: only what comes out counts.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")
