"""The oldest and the newest versions that we promise, each with the tests of both packages.

`make test-matrix` runs all of it, `nox -s "mappers-3.12(oldest)"` one session. A session whose
interpreter is missing is skipped and says so, unless `--error-on-missing-interpreters` is given.

The database server is `MONGODB_URI`; without it, the embedded engine of the environment that nox
itself runs in, started once (it has wheels for some interpreters only).
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13"]
OLDEST = "pymongo==4.9.*"
NEWEST = "pymongo>=4.9"
TESTS = ("packages/mongokit/tests", "packages/flask-mongokit/tests")
TOOLS = ("hypothesis", "jsonschema", "pytest", "pytest-xdist")
# Where the engine is that this environment has; sessions have none of their own.
PROGRAMS = Path(sys.executable).parent

nox.options.sessions = ["mappers", "oldest_flask"]
nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.reuse_existing_virtualenvs = True

# pyenv's own commands answer only for the versions that are switched on: show nox all of them.
_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
_installed = [str(folder / "bin") for folder in sorted(_pyenv.glob("3.*"))]
os.environ["PATH"] = os.pathsep.join([*_installed, os.environ["PATH"]])


@nox.session(python=PYTHONS)
@nox.parametrize("pymongo", [nox.param(OLDEST, id="oldest"), nox.param(NEWEST, id="newest")])
def mappers(session: nox.Session, pymongo: str) -> None:
    """Run the tests of mongokit and flask-mongokit."""
    _run(session, TESTS, pymongo)


@nox.session(python=PYTHONS[0])
def oldest_flask(session: nox.Session) -> None:
    """Run the tests of flask-mongokit with the oldest Flask and PyMongo."""
    _run(session, TESTS[1:], OLDEST, "flask==3.1.0")


def _run(session: nox.Session, tests: tuple[str, ...], *versions: str) -> None:
    packages = ("-e", "packages/mongokit", "-e", "packages/flask-mongokit")
    constraints = _constraints(session, versions)
    session.install(
        *("--upgrade", "--quiet", "--constraint", str(constraints), *packages, *TOOLS, *versions)
    )
    session.run(
        "python", "-c", "import sys, pymongo, flask; from importlib.metadata import version;"
        "print('CPython', sys.version.split()[0], 'PyMongo', pymongo.version,"
        "'Flask', version('flask'))",
    )  # fmt: skip
    path = os.pathsep.join([*(session.bin_paths or ()), os.environ["PATH"], str(PROGRAMS)])
    environment = {"MONGODB_URI": _server(), "PATH": path}
    session.run("pytest", "-n", "auto", *tests, *session.posargs, env=environment)


def _constraints(session: nox.Session, versions: tuple[str, ...]) -> Path:
    """The project's pins without those of what the session chooses itself."""
    chosen = {re.split("[=<>]", version)[0].lower() for version in versions}
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    kept = Path(session.create_tmp()) / "constraints.txt"
    kept.write_text("\n".join(pin for pin in pins if pin.split("==")[0].lower() not in chosen))
    return kept


@functools.cache
def _server() -> str:
    """The address of the server that all sessions share."""
    if uri := os.environ.get("MONGODB_URI"):
        return uri
    folder = tempfile.TemporaryDirectory(prefix="mongokit-matrix-")
    config = Path(folder.name) / "empty.toml"
    config.touch()
    engine = subprocess.Popen(  # noqa: S603 - the engine of this environment
        [
            str(PROGRAMS / "secantusd-py"),
            *("--config", str(config), "--host", "127.0.0.1", "--port", "0"),
            *("--storage-path", str(Path(folder.name) / "data"), "--cache-size", "128M"),
            *("--enable-test-commands", "--sync-on-commit", "--log-level", "INFO"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def stop() -> None:
        engine.terminate()
        engine.wait(timeout=20)
        folder.cleanup()

    atexit.register(stop)
    lines = engine.stderr or ()
    for line in lines:
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
            # Drained until it ends: a full pipe would stop the engine.
            threading.Thread(target=lambda: sum(1 for _ in lines), daemon=True).start()
            return f"mongodb://{found[1]}/"
    raise RuntimeError("the embedded engine did not start")
