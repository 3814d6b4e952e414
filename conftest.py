"""One real engine for the whole test run, one database for each test.

The engine is started by the process that the developer started: with `pytest -n auto` the workers
share it. Set `MONGODB_URI` and the suite runs against that server instead, and starts nothing.
"""

# ruff: noqa: S101, S603 - a test's helper; the command is the engine

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from pymongo import MongoClient

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENING = re.compile(r"secantus listening on (127\.0\.0\.1:\d+)")


class _Engine:
    """The embedded engine, started in a temporary folder and stopped at the end of the run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mongokit-tests-"))
        config = self.folder / "empty.toml"
        config.touch()
        command = [
            str(Path(sys.executable).parent / "secantusd-py"),
            *("--config", str(config), "--host", "127.0.0.1", "--port", "0"),
            *("--storage-path", str(self.folder / "data"), "--cache-size", "128M"),
            *("--enable-test-commands", "--sync-on-commit", "--log-level", "INFO"),
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SECANTUS_")}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        printed: list[str] = []
        for line in self.process.stderr:
            printed.append(line)
            if found := _LISTENING.search(line):
                self.uri = f"mongodb://{found[1]}/"
                break
        else:
            pytest.exit("the embedded engine did not start:\n" + "".join(printed[-20:]), 3)
        # Drained until it ends: a full pipe would stop the engine.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self) -> None:
        """Stop the engine and remove its folder."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_ENGINE = pytest.StashKey[_Engine]()
_URI = pytest.StashKey[str]()


def _uri_of(config: pytest.Config) -> str:
    """The server's address; the controller (or the only process) starts the engine when asked."""
    worker_input: dict[str, str] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        return worker_input["mongodb_uri"]
    if _URI not in config.stash:
        if uri := os.environ.get("MONGODB_URI"):
            config.stash[_URI] = uri
        else:
            engine = config.stash[_ENGINE] = _Engine()
            config.stash[_URI] = engine.uri
    return config.stash[_URI]


class _Workers:
    @staticmethod
    def pytest_configure_node(node: object) -> None:
        """Hand the one engine's address to each pytest-xdist worker."""
        node.workerinput["mongodb_uri"] = _uri_of(node.config)  # type: ignore[attr-defined]


def pytest_configure(config: pytest.Config) -> None:
    """Join pytest-xdist, where it is installed."""
    if config.pluginmanager.hasplugin("xdist") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Workers())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the engine that this run started."""
    if engine := config.stash.get(_ENGINE, None):
        engine.stop()


@pytest.fixture(scope="session")
def mongodb_uri(request: pytest.FixtureRequest) -> str:
    """The address of the run's one MongoDB server."""
    return _uri_of(request.config)


@pytest.fixture
def database_name(mongodb_uri: str) -> Iterator[str]:
    """A database of this test's own, dropped afterwards."""
    name = f"test_{uuid4().hex}"
    yield name
    with MongoClient[dict[str, object]](mongodb_uri) as client:
        client.drop_database(name)
