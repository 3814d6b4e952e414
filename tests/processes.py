"""What the tests that kill ask of processes."""

from __future__ import annotations

import psutil


def lives(process: psutil.Process) -> bool:
    """Tell whether a process holds anything still, such as a lock: a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
