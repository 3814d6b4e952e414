"""Flask applications on one database of the test's own, with their clients closed afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from flask import Flask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from flask_mongokit import MongoKit


class MakeApp(Protocol):
    """Makes an application, bound to `db`, on the test's database."""

    def __call__(self, db: MongoKit, /, **config: Any) -> Flask: ...


@pytest.fixture
def make_app(mongodb_uri: str, database_name: str) -> Iterator[MakeApp]:
    made: list[tuple[MongoKit, Flask]] = []

    def make(db: MongoKit, /, **config: Any) -> Flask:
        app = Flask("tasks")
        app.config |= {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name} | config
        db.init_app(app)
        made.append((db, app))
        return app

    yield make
    for db, app in made:
        db.close(app)


@contextmanager
def _run_engine(folder: Path, *options: str) -> Iterator[int]:
    """Run an embedded engine on a folder; give its port."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("secantusd-py", path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("the embedded engine is not installed")
    config = folder / "empty.toml"
    config.touch()
    process = subprocess.Popen(  # noqa: S603
        [
            *(program, "--config", str(config), "--host", "127.0.0.1", "--port", "0"),
            *("--storage-path", str(folder / "data"), "--sync-on-commit", "--log-level", "INFO"),
            *options,
        ],
        env={key: value for key, value in os.environ.items() if not key.startswith("SECANTUS_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"secantus listening on 127\.0\.0\.1:(\d+)", line):
                yield int(found[1])
                break
        else:
            pytest.fail("the embedded engine did not start")
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="session")
def run_engine() -> Callable[..., AbstractContextManager[int]]:
    """Runs an engine of the test's own, where the shared one won't do."""
    return _run_engine
