"""The embedded engine: one MongoDB-protocol server for all processes that use one folder.

Between the app's processes and the engine stands a keeper, a small process that starts the engine,
starts it again when it dies, and stops it when nobody uses the folder any more:

    app process ─┐                                       FOLDER/engine/   (owner only)
    app process ─┼─ users.lock ─ keeper ─ engine           gate.lock    held while one attaches
    flask shell ─┘   (shared)      └ keeper.lock           users.lock   shared by all users
                                     (exclusive)           keeper.lock  held by the one keeper
                                                           engine.json  the address, or the error
                                                           last.json    port and process id, to find
                                                           engine.log   what the keeper did    again

Who lives is told by kernel locks (`flock`), which end with their process however it dies: nothing
is ever stale, and `kill -9` of anybody is an ordinary event. Why a keeper: a child of the app would
be orphaned by `kill -9` of the app, and a parent-death signal straight from the app fires when the
*thread* that made the child ends. The keeper has one thread, so there it means what it says.

The engine is GPL-2.0 and an optional extra: a separate command, talked to by wire, never imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["EngineError", "attach", "detach", "keep"]

_COMMAND = "secantusd-py"
# A direct connection to a member of a replica set: the driver retries reads and writes there. With
# "poll" it asks again as soon as an operation fails, and each client costs the engine one thread
# less than with the default, "auto".
_OPTIONS = "directConnection=true&serverMonitoringMode=poll"

_POLL = 0.01  # seconds between two looks at what somebody else holds or writes
_TICK = 0.25  # seconds between two looks of the keeper at its users
_GRACE = 2.0  # seconds without a user, after which the engine is stopped
_START = 120.0  # seconds for the engine to open its data; attach waits less, and can be repeated
_STOP = 15.0  # seconds from SIGTERM to SIGKILL; it usually takes two
_ORPHAN = 3.0  # seconds for the engine of a dead keeper to end by itself
_BUSY = 5.0  # seconds to wait for data that somebody unknown holds
_SAME_PORT = 3  # times to try the remembered port before the engine picks another
_KEEPERS = 5  # keepers that one call of attach starts before it gives up
_LOG_SIZE = 1_000_000  # bytes after which engine.log starts anew

_LISTENING = re.compile(rb"listening on 127\.0\.0\.1:(\d+)\s")
_log = logging.getLogger(__name__)


class EngineError(RuntimeError):
    """The embedded engine can't be used; the message says what failed and the way out."""


def attach(folder: str | os.PathLike[str], *, timeout: float = 30.0) -> str:
    """Return the address of the folder's engine, which runs as long as this process does.

    The first call starts the engine, if no other process has. Later ones cost some microseconds:
    call it again after a fork, and whenever no server answers. If the keeper was killed, a new one
    brings the engine back, on the same port unless that was taken meanwhile. Safe from threads.
    Being attached ends with the process, however it ends.

    Args:
        folder: Holds `data/` (the database) and `engine/` (locks, address, log); made if missing,
            readable by its owner only. Never on a network disk.
        timeout: Seconds to wait for the engine, at most. After that the process counts as a user
            all the same, until `detach` or its end: the next call waits on.

    Returns:
        A MongoDB URI on loopback, without a database name.

    Raises:
        EngineError: The engine is not installed, did not start, or was not there in time; the
            folder can't be written or is used by another engine; the system has no `flock`.

    Example:
        >>> client = MongoClient(attach("instance"))  # doctest: +SKIP
    """
    if sys.platform == "win32":
        raise EngineError(
            "the embedded engine needs flock, which Windows lacks: set MONGODB_URI to a server"
        )
    deadline = time.monotonic() + timeout
    key = os.path.abspath(folder)  # noqa: PTH100 - as text, since it runs at every call
    attachment = _attachments.get(key) or _attachments.setdefault(key, _Attachment(Path(key)))
    if not attachment.lock.acquire(timeout=max(0.0, timeout)):
        raise attachment.late("another thread is still waiting for it")
    try:
        if not attachment.is_current():
            attachment.renew(deadline)
        return attachment.uri
    except OSError as error:
        raise EngineError(
            f"{error.filename or folder}: {error.strerror or error}: the embedded engine needs a"
            " folder that this user can write, on a local disk; or set MONGODB_URI to a server"
        ) from error
    finally:
        attachment.lock.release()


def detach(folder: str | os.PathLike[str]) -> None:
    """Stop using the folder's engine, which ends some seconds after its last user.

    Not needed at exit, where the kernel does it. Detaching what is not attached does nothing.

    Args:
        folder: The one that was given to `attach`.

    Example:
        >>> detach("instance")
    """
    attachment = _attachments.get(os.path.abspath(folder))  # noqa: PTH100 - as in attach
    if attachment is not None:
        with attachment.lock:
            attachment.release()


def keep(folder: str | os.PathLike[str]) -> int:
    """Be the folder's keeper: go to the background, and run the engine while it has users.

    What `attach` starts, as `keep FOLDER` on the command line. It needs no argument else, and ends
    by itself two seconds after the last user, at SIGTERM, or when the engine can't be started.

    Args:
        folder: As for `attach`.

    Returns:
        The exit status: 1 when there is a keeper already or the engine can't be started, else 0.
        In the process that was called it does not return if the keeper was made.

    Raises:
        OSError: The folder can't be written.

    Example:
        >>> sys.exit(keep("instance"))  # doctest: +SKIP
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    home = Path(folder).resolve()
    _make_private_folders(home)
    lock = _open(home / "engine" / "keeper.lock")
    # Those who arrive hold it for microseconds, to see whether there is a keeper.
    if not _lock_within(lock, fcntl.LOCK_EX, time.monotonic() + 2):
        _log.info("there is a keeper already")
        return 1
    # The lock goes on in the child: whoever waited for this process finds a keeper, and gets no
    # child of his own that he would have to reap.
    if os.fork():
        os._exit(0)
    return _Keeper(home, lock).run()


# Files and locks ---------------------------------------------------------------------------------


def _make_private_folders(folder: Path) -> None:
    for path in (folder / "engine", folder / "data"):
        path.mkdir(0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(path.stat().st_mode) != 0o700:
            path.chmod(0o700)


def _open(path: Path, flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)


def _try_lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_within(descriptor: int, how: int, deadline: float) -> bool:
    """Look until the lock is free: a blocking flock would wait for ever on a stopped process."""
    while not _try_lock(descriptor, how):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # a power cut can leave an empty file
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step, readable by its owner only; the keeper alone writes."""
    draft = path.with_suffix(".new")
    with open(_open(draft, os.O_TRUNC), "w", encoding="utf-8") as stream:
        json.dump(content, stream)
    draft.replace(path)


def _engine_command() -> str:
    places = [
        str(Path(sys.executable).parent),
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")),
        os.environ.get("PATH", os.defpath),
    ]
    if command := shutil.which(_COMMAND, path=os.pathsep.join(places)):
        return command
    if sys.version_info >= (3, 14):
        raise EngineError(
            f"the embedded engine has no wheels for Python 3.{sys.version_info[1]}: run the app on"
            " Python 3.11 to 3.13 with pip install 'app[embedded]', or set MONGODB_URI to a server"
        )
    raise EngineError(
        f"the embedded engine is not installed ({_COMMAND} is neither beside {sys.executable} nor"
        " on PATH): pip install 'app[embedded]', or set MONGODB_URI to a server"
    )


# The user's side ---------------------------------------------------------------------------------


class _Attachment:
    """What this process holds of one folder: its place among the users, and the address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control = folder / "engine"
        self.record = self.control / "engine.json"
        self.lock = threading.Lock()
        self.pid = 0
        self.uri = ""
        self.stamp: tuple[int, int] | None = None
        self.users = self.probe = self.gate = -1

    def is_current(self) -> bool:
        """Tell whether this process, not its parent, is attached to a keeper that lives."""
        return self.pid == os.getpid() and self.keeper_lives() and self.stamp == self.stamp_now()

    def renew(self, deadline: float) -> None:
        """Take a place among the users, and see to it that there is an engine.

        Who waited in vain keeps the place: the engine works on at opening its data, and the next
        call finds it further on.
        """
        self.pid = 0
        _make_private_folders(self.folder)
        with self.gate_held(deadline):
            # Always anew: a lock that came by fork is shared with the parent, and the folder may
            # have been removed since.
            old = self.users, self.probe
            self.users = _open(self.control / "users.lock")
            self.probe = _open(self.control / "keeper.lock")
            _close(*old)  # never unlocked: that would free the parent's lock as well
            if not _lock_within(self.users, fcntl.LOCK_SH, deadline):
                raise self.late("users.lock is held by another process")
            self.uri = self.await_engine(deadline)
        self.pid = os.getpid()

    @contextlib.contextmanager
    def gate_held(self, deadline: float) -> Iterator[None]:
        """Let one process at a time look for a keeper and start one."""
        self.gate = _open(self.control / "gate.lock")
        try:
            if not _lock_within(self.gate, fcntl.LOCK_EX, deadline):
                raise self.late("another process is still starting or stopping it")
            yield
        finally:
            fcntl.flock(self.gate, fcntl.LOCK_UN)  # a process forked meanwhile may have a copy
            _close(self.gate)
            self.gate = -1

    def await_engine(self, deadline: float) -> str:
        """Return the address that the living keeper wrote; start a keeper where there is none."""
        started = 0
        while True:
            if _try_lock(self.probe, fcntl.LOCK_SH):
                # Nobody keeps, and nobody can begin to while this is held: so what is written here
                # is the last word of a dead keeper, and what is read later is of a living one.
                record = _read(self.record)
                self.record.unlink(missing_ok=True)
                fcntl.flock(self.probe, fcntl.LOCK_UN)
                if started and "error" in record:
                    raise EngineError(record["error"])
                if started == _KEEPERS:
                    raise self.late(f"its keeper ended {started} times")
                self.start_keeper(deadline)
                started += 1
            self.stamp = self.stamp_now()
            record = _read(self.record)
            if "error" in record:
                raise EngineError(record["error"])
            if "uri" in record:
                return str(record["uri"])
            if time.monotonic() > deadline:
                raise self.late("it is still opening its data, or stopping")
            time.sleep(_POLL)

    def start_keeper(self, deadline: float) -> None:
        """Start a keeper; on return it holds its lock, or has failed."""
        _engine_command()  # a missing engine is told here, without starting anything
        log = _open(self.control / "engine.log", os.O_APPEND)
        if os.fstat(log).st_size > _LOG_SIZE:
            os.ftruncate(log, 0)
        try:
            # By path and isolated (-I): "-m app.core.embedded" would first import app, hence Flask,
            # which takes five times as long as the rest; and -I keeps core/ off the path, whose
            # json and logging would hide the standard library's, and ignores PYTHONPATH and its
            # like. A session of its own: Ctrl-C in the terminal must not reach it.
            subprocess.run(  # noqa: S603 - this interpreter, this file
                [sys.executable, "-I", __file__, "keep", str(self.folder.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                timeout=max(1.0, deadline - time.monotonic()),
                check=False,  # its lock and its record tell, also where SIGCHLD is ignored
            )
        except subprocess.TimeoutExpired as error:
            raise self.late("its keeper does not start") from error
        finally:
            os.close(log)

    def keeper_lives(self) -> bool:
        if not _try_lock(self.probe, fcntl.LOCK_SH):
            return True
        fcntl.flock(self.probe, fcntl.LOCK_UN)
        return False

    def stamp_now(self) -> tuple[int, int] | None:
        """Identify the record as written last: the engine may have had to change its port."""
        try:
            status = self.record.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def late(self, reason: str) -> EngineError:
        return EngineError(
            f"the embedded engine of {self.folder} was not there in time: {reason};"
            f" see {self.control / 'engine.log'}, or set MONGODB_URI to a server"
        )

    def release(self) -> None:
        """Leave the users."""
        _close(self.users, self.probe)
        self.users = self.probe = -1
        self.pid = 0

    def forget_threads(self) -> None:
        """Let go, in a forked child, of what another thread of the parent was about."""
        self.lock = threading.Lock()
        _close(self.gate)
        self.gate = -1


_attachments: dict[str, _Attachment] = {}


def _after_fork() -> None:
    for attachment in _attachments.values():
        attachment.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# The keeper's side -------------------------------------------------------------------------------


class _Keeper:
    """Starts the folder's engine, starts it again when it dies, stops it after the last user."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.data = folder / "data"
        self.control = folder / "engine"
        self.record = self.control / "engine.json"
        self.last = self.control / "last.json"
        self.lock = lock
        self.users = _open(self.control / "users.lock")
        self.gate = -1
        self.engine: _Engine | None = None
        self.told_to_stop = False
        self.unused_since: float | None = None

    def run(self) -> int:
        """Keep the engine until the end has come; return the exit status."""
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the thread that started us may block some
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        try:
            while (engine := self.start()) is not None and self.watch(engine):
                _log.warning("the engine died with %d: %s", engine.reap(), engine.last_words())
            self.record.unlink(missing_ok=True)
        except EngineError as error:
            _log.error("%s", error)
            _write(self.record, {"error": str(error)})
            return 1
        finally:
            if self.engine is not None:
                _log.info("the engine ended with %d", self.engine.stop())
            # In this order: with the gate free first, those who arrive would meet a keeper that is
            # about to end and wait for it in vain.
            _close(self.users, self.lock, self.gate)
        return 0

    def on_signal(self, *_: object) -> None:
        """Note that the end has come; the next tick sees to it."""
        self.told_to_stop = True

    def start(self) -> _Engine | None:
        """Start the engine on the port that it had; return None if the end comes first."""
        last = _read(self.last)
        port, same_port = int(last.get("port", 0)), _SAME_PORT
        self.end_orphan(int(last.get("pid", 0)))
        began = time.monotonic()
        while not self.is_over():
            engine = self.engine = _Engine(self.control, self.data, port)
            _write(self.last, {"port": port, "pid": engine.process.pid})
            if listening := self.await_port(engine):
                self.publish(engine, listening)
                return engine
            if self.is_over():
                break
            status, words = engine.reap(), engine.last_words()
            waited = time.monotonic() - began
            if "already in use" in words:
                same_port -= 1
                port = port if same_port else 0
            elif "esource busy" in words:  # "Device or resource busy", or "Resource busy" on macOS
                if waited > _BUSY:
                    raise EngineError(
                        f"{self.data} is in use by another engine ({words}): stop that one, or set"
                        " MONGODB_URI to its address"
                    )
            elif status >= 0:  # not killed: it has a reason, and would have it again
                raise EngineError(
                    f"the embedded engine ended with status {status} ({words}): mend that, or set"
                    " MONGODB_URI to a server"
                )
            if waited > 2 * _STOP:
                raise EngineError(
                    f"the embedded engine does not start on {self.data} ({words or status}):"
                    " try again, or set MONGODB_URI to a server"
                )
            time.sleep(0.2)
        return None

    def is_in_place(self) -> bool:
        """Tell whether the lock is the folder's: whoever removed it will start another keeper."""
        try:
            return os.path.samestat(os.fstat(self.lock), (self.control / "keeper.lock").stat())
        except FileNotFoundError:
            return False

    def end_orphan(self, pid: int) -> None:
        """Wait for the engine that a dead keeper left, and end it if it lives on.

        While the keeper's lock is ours it serves nobody. On Linux it was told to stop when its
        keeper died; elsewhere nobody told it.
        """
        command = f"--storage-path {self.data} "
        for patience, number in ((_ORPHAN, signal.SIGTERM), (_STOP, signal.SIGKILL)):
            deadline = time.monotonic() + patience
            while pid and command in _command_line(pid) and not self.is_over():
                if time.monotonic() > deadline:
                    _log.warning("ending the engine that a dead keeper left (process %d)", pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)  # once: each SIGTERM lets it begin to stop anew
                    break
                time.sleep(5 * _POLL)

    def await_port(self, engine: _Engine) -> int | None:
        """Return the engine's port once it listens; None if it ended or the end has come."""
        deadline = time.monotonic() + _START
        while engine.hear():
            if port := engine.port():
                return port
            if self.is_over():
                return None
            if time.monotonic() > deadline:
                raise EngineError(
                    f"the embedded engine did not open {self.data} within {_START:g} s: try again,"
                    " or set MONGODB_URI to a server"
                )
        return None

    def publish(self, engine: _Engine, port: int) -> None:
        """Hand over the address; the file stays as it is where that has not changed."""
        _log.info("the engine (process %d) listens on port %d", engine.process.pid, port)
        _write(self.last, {"port": port, "pid": engine.process.pid})
        record = {"uri": f"mongodb://127.0.0.1:{port}/?{_OPTIONS}", "keeper": os.getpid()}
        if _read(self.record) != record:
            _write(self.record, record)

    def watch(self, engine: _Engine) -> bool:
        """Wait until the engine has died (True) or the end has come (False)."""
        while engine.hear():
            if self.is_over():
                return False
        return not self.is_over()

    def is_over(self) -> bool:
        """Tell whether the end has come; then the gate is closed, so that nobody arrives."""
        if self.told_to_stop or self.gate >= 0 or not self.is_in_place():
            return True
        if not _try_lock(self.users, fcntl.LOCK_EX):
            self.unused_since = None
            return False
        fcntl.flock(self.users, fcntl.LOCK_UN)
        now = time.monotonic()
        if self.unused_since is None:
            self.unused_since = now
        if now - self.unused_since < _GRACE:
            return False
        gate = _open(self.control / "gate.lock")
        if _try_lock(gate, fcntl.LOCK_EX) and _try_lock(self.users, fcntl.LOCK_EX):
            self.gate = gate
            return True
        os.close(gate)  # somebody is arriving
        return False


class _Engine:
    """The engine's process, and what it says."""

    def __init__(self, control: Path, data: Path, port: int) -> None:
        settings = control / "empty.toml"  # named, lest it finds one in /etc or at home
        os.close(_open(settings, os.O_TRUNC))
        self.said = b""
        self.ear, mouth = os.pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603 - the command that was looked for
                [
                    _engine_command(),
                    *("--config", str(settings), "--host", "127.0.0.1", "--port", str(port)),
                    # Without the last, acknowledged writes are lost when the engine is killed.
                    *("--storage-path", str(data), "--log-level", "INFO", "--sync-on-commit"),
                ],
                # SECANTUS_TEST_FAST_STORAGE, for one, would switch its journal off.
                env={k: v for k, v in os.environ.items() if not k.startswith("SECANTUS_")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=mouth,
                umask=0o077,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - safe: the keeper has one thread
            )
        finally:
            os.close(mouth)

    def hear(self) -> bool:
        """Take in what it says within a tick, lest the pipe fills; return False once it ended."""
        if not select.select([self.ear], [], [], _TICK)[0]:
            return self.process.poll() is None
        said = os.read(self.ear, 65536)
        self.said = (self.said + said)[-4096:]
        return bool(said)

    def port(self) -> int | None:
        """Return the port on which it said that it listens."""
        found = _LISTENING.search(self.said)
        return int(found[1]) if found else None

    def last_words(self) -> str:
        """Return the last line that it said: of a traceback, the error."""
        return self.said.decode(errors="replace").strip().rpartition("\n")[2]

    def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.process.terminate()
        return self.reap()

    def reap(self) -> int:
        """Return its exit status; by force if it takes too long to end."""
        try:
            status = self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        _close(self.ear)
        self.ear = -1
        return status


def _end_with_parent() -> Callable[[], None] | None:
    """Return what a child must do before exec, so that the kernel ends it with this process."""
    if sys.platform != "linux":
        return None  # the next keeper finds it and stops it
    set_option = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_for_signal() -> None:
        set_option(1, signal.SIGTERM)  # prctl(2): 1 is PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_for_signal


def _command_line(pid: int) -> str:
    if sys.platform != "linux":
        ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _main(arguments: list[str]) -> int:
    match arguments:
        case ["keep", folder]:
            return keep(folder)
    sys.stderr.write("usage: python -m app.core.embedded keep FOLDER\n")
    return 2


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
