"""The embedded engine's life, with real processes and real kills."""

# ruff: noqa: S603 - every command here is this interpreter or the engine

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pymongo import MongoClient

from app.core import embedded
from app.core.embedded import EngineError, attach, detach
from tests.processes import lives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.lifecycle

# What a process of the app does, without the app's imports: twenty of them start in a second.
_LOAD = """
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("embedded", sys.argv[1])
embedded = importlib.util.module_from_spec(spec)
spec.loader.exec_module(embedded)
"""
_STAY = _LOAD + "print(embedded.attach(sys.argv[2]), flush=True); sys.stdin.read()"
_WRITE = (
    _LOAD
    + """
from pymongo import MongoClient
client = MongoClient(embedded.attach(sys.argv[2]), serverSelectionTimeoutMS=3000)
log = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
print("writing", flush=True)
for number in range(1_000_000):
    done = client.test.writes.insert_one({"_id": f"{os.getpid()}-{number}"})
    os.write(log, f"{done.inserted_id}\\n".encode())
"""
)
_FORK = (
    _LOAD
    + """
print(embedded.attach(sys.argv[2]), flush=True)
if os.fork():
    os.kill(os.getpid(), signal.SIGKILL)
sys.stdin.readline()
print(embedded.attach(sys.argv[2]), flush=True)
sys.stdin.read()
"""
)


class _Users:
    """Processes that use a folder, and all that came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, program: str = _STAY, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, embedded.__file__, str(self.folder), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def engines(self) -> list[int]:
        return _processes(f"--storage-path {self.folder / 'data'} ")

    def keepers(self) -> list[int]:
        return _processes(f" keep {self.folder} ")

    def are_left(self) -> bool:
        return bool(self.engines() or self.keepers())

    def kill_keeper(self) -> int:
        (keeper,) = self.keepers()
        _kill(keeper)
        return keeper

    def end(self) -> None:
        detach(self.folder)
        for process in self.started:
            process.kill()
            process.communicate()
        for pid in self.keepers() + self.engines():
            os.kill(pid, signal.SIGKILL)


def _kill(*pids: int) -> None:
    """Kill these, and wait until the kernel has taken all that they held.

    A signal needs its time to arrive, and a dying process loses its command line first and its
    locks some time later: whoever attaches in between meets a keeper that seems to live.
    """
    processes = [psutil.Process(pid) for pid in pids]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert _eventually(lambda: not any(lives(process) for process in processes))


def _processes(words: str) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if words in " ".join([*(process.info["cmdline"] or ()), ""])
    ]


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _eventually(condition: Callable[[], object], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_longer(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size > size


def _ping(uri: str) -> bool:
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
        return bool(client.admin.command("ping")["ok"])


def _last(folder: Path) -> dict[str, int]:
    content: dict[str, int] = json.loads((folder / "engine" / "last.json").read_text())
    return content


@pytest.fixture
def users(tmp_path: Path) -> Iterator[_Users]:
    """A folder of this test's own, and its processes, all ended afterwards."""
    users = _Users(tmp_path / "instance")
    yield users
    users.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Users]:
    """A folder with an engine, for tests that only look; made in the least careful surroundings."""
    users = _Users(tmp_path_factory.mktemp("running") / "instance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECANTUS_TEST_FAST_STORAGE", "1")
        mask = os.umask(0)
        try:
            attach(users.folder)
        finally:
            os.umask(mask)
    yield users
    users.end()


@pytest.fixture
def fake_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that puts a shell script where the engine's command is looked for."""

    def install(script: str) -> None:
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "python").symlink_to(sys.executable)
        (programs / "secantusd-py").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "secantusd-py").chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(programs / "python"))

    return install


def test_twenty_processes_at_once_get_one_engine_and_one_address(users: _Users) -> None:
    started = [users.start() for _ in range(20)]

    addresses = {_answer(process) for process in started}

    assert len(addresses) == 1
    assert _ping(addresses.pop())
    assert len(users.engines()) == len(users.keepers()) == 1


def test_engine_stays_for_its_last_user_and_ends_when_that_one_is_killed(users: _Users) -> None:
    first, last = users.start(), users.start()
    uri = _answer(first)
    assert uri == _answer(last)

    first.communicate()
    # Longer than the grace that an engine without users has: the keeper must have looked.
    assert not _eventually(lambda: not users.engines(), seconds=3)
    assert _ping(uri)
    last.kill()

    assert _eventually(lambda: not users.are_left())
    assert not (users.folder / "engine" / "engine.json").exists()


def test_user_who_comes_while_the_engine_stops_gets_a_new_one(users: _Users) -> None:
    record = users.folder / "engine" / "engine.json"
    attach(users.folder)
    detach(users.folder)
    assert _eventually(lambda: not record.exists())

    uri = attach(users.folder)

    assert _ping(uri)
    assert len(users.engines()) == 1


def test_killed_engine_is_back_on_its_port_with_all_that_was_acknowledged(users: _Users) -> None:
    uri = attach(users.folder)
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=10_000) as client:
        numbers = client.test.numbers
        for number in range(50):
            numbers.insert_one({"_id": number})
        (killed,) = users.engines()
        _kill(killed)

        numbers.insert_one({"_id": 50})  # the driver finds it again, and retries

        assert sorted(each["_id"] for each in numbers.find()) == list(range(51))
    assert users.engines() != [killed]
    assert attach(users.folder) == uri


def test_after_the_keeper_was_killed_attach_brings_the_engine_back(users: _Users) -> None:
    uri = attach(users.folder)
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=10_000) as client:
        client.test.numbers.insert_one({"_id": 1})
        killed = users.kill_keeper()

        again = attach(users.folder)

        assert again == uri
        assert client.test.numbers.count_documents({}) == 1  # the client of before, too
    assert len(users.engines()) == 1
    assert users.keepers() != [killed]


def test_engine_of_a_killed_keeper_ends_though_its_starter_blocked_the_signal(
    users: _Users,
) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        attach(users.folder)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    users.kill_keeper()

    assert _eventually(lambda: not users.are_left())


def test_keeper_survives_ctrl_c_and_ends_with_its_engine_when_told(users: _Users) -> None:
    attach(users.folder)
    (keeper,) = users.keepers()

    os.kill(keeper, signal.SIGINT)
    os.kill(keeper, signal.SIGTERM)

    assert _eventually(lambda: not users.are_left())
    log = (users.folder / "engine" / "engine.log").read_text()
    assert "the engine ended with 0" in log


def test_nothing_acknowledged_is_lost_when_everything_is_killed(users: _Users) -> None:
    acknowledged = [users.folder.parent / f"acknowledged-{number}" for number in range(4)]

    for order in ("engine first", "keeper first", "users first"):
        sizes = [path.stat().st_size if path.exists() else 0 for path in acknowledged]
        writers = [users.start(_WRITE, str(path)) for path in acknowledged]
        assert [_answer(writer) for writer in writers] == ["writing"] * 4
        for path, size in zip(acknowledged, sizes, strict=True):
            assert _eventually(partial(_is_longer, path, size + 1000))
        groups = [users.engines(), users.keepers(), [writer.pid for writer in writers]]
        if order == "keeper first":
            groups = [groups[1], groups[0], groups[2]]
        elif order == "users first":
            groups.reverse()
        _kill(*(pid for group in groups for pid in group))

        with MongoClient[dict[str, Any]](attach(users.folder)) as client:
            stored = {each["_id"] for each in client.test.writes.find()}
        detach(users.folder)

        wanted = {line for path in acknowledged for line in path.read_text().splitlines()}
        assert len(wanted) > 4 * 50
        assert wanted <= stored


def test_forked_child_keeps_the_engine_and_can_attach_after_its_parent_died(users: _Users) -> None:
    family = users.start(_FORK)
    uri = _answer(family)
    assert family.wait() == -signal.SIGKILL
    # The child holds what it inherited, longer than an engine without users lives.
    assert not _eventually(lambda: not users.engines(), seconds=3)
    users.kill_keeper()

    assert family.stdin is not None
    family.stdin.write("attach\n")
    family.stdin.flush()

    assert _answer(family) == uri
    assert _ping(uri)


def test_threads_that_attach_at_once_share_one_attachment(users: _Users) -> None:
    barrier = threading.Barrier(16)

    def attach_together(_: int) -> str:
        barrier.wait()
        return attach(users.folder)

    with ThreadPoolExecutor(16) as pool:
        addresses = set(pool.map(attach_together, range(16)))

    assert len(addresses) == 1
    opened = [each.path for each in psutil.Process().open_files()]
    assert opened.count(str(users.folder / "engine" / "users.lock")) == 1
    assert opened.count(str(users.folder / "engine" / "gate.lock")) == 0


def test_record_that_a_dead_keeper_left_is_ignored(users: _Users) -> None:
    control = users.folder / "engine"
    control.mkdir(parents=True)
    stale = {"uri": "mongodb://127.0.0.1:9/", "keeper": os.getpid()}
    (control / "engine.json").write_text(json.dumps(stale))
    (control / "last.json").write_text("")  # as a power cut may leave it

    uri = attach(users.folder)

    assert uri != stale["uri"]
    assert _ping(uri)


def test_removed_control_files_end_the_keeper_and_the_next_attach_makes_all_anew(
    users: _Users,
) -> None:
    with MongoClient[dict[str, Any]](attach(users.folder)) as client:
        client.test.numbers.insert_one({"_id": 1})
    (before,) = users.engines()

    shutil.rmtree(users.folder / "engine")
    uri = attach(users.folder)

    with MongoClient[dict[str, Any]](uri) as client:
        assert client.test.numbers.count_documents({}) == 1
    assert users.engines() != [before]
    assert len(users.engines()) == 1


def test_remembered_port_that_is_taken_is_given_up(users: _Users) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (users.folder / "engine").mkdir(parents=True)
        (users.folder / "engine" / "last.json").write_text(json.dumps({"port": port, "pid": 0}))

        uri = attach(users.folder)

    assert f":{port}/" not in uri
    assert _ping(uri)
    assert f":{_last(users.folder)['port']}/" in uri


def _start_engine_by_hand(folder: Path) -> subprocess.Popen[str]:
    (folder / "engine").mkdir(parents=True)
    settings = folder / "settings.toml"
    settings.touch()
    engine = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "secantusd-py"),
            *("--config", str(settings), "--port", "0", "--storage-path", str(folder / "data")),
            *("--log-level", "INFO"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert engine.stderr is not None
    assert any("listening" in line for line in engine.stderr)
    return engine


def test_folder_with_another_engine_is_refused_and_that_engine_stays(users: _Users) -> None:
    with _start_engine_by_hand(users.folder) as other:
        try:
            with pytest.raises(EngineError, match=r"in use by another engine .*resource busy"):
                attach(users.folder)

            assert other.poll() is None
            assert users.engines() == [other.pid]
        finally:
            other.kill()


def test_engine_that_outlived_its_keeper_is_stopped_and_replaced(users: _Users) -> None:
    # Where the kernel has no parent-death signal this is what kill -9 of a keeper leaves.
    with _start_engine_by_hand(users.folder) as orphan:
        (users.folder / "engine" / "last.json").write_text(json.dumps({"pid": orphan.pid}))

        uri = attach(users.folder)

        assert orphan.wait(timeout=15) == 0
        assert _ping(uri)


def test_missing_engine_is_an_error_that_names_the_cure(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    program = _LOAD + (
        "try: embedded.attach(sys.argv[2])\nexcept embedded.EngineError as error: print(error)"
    )

    told = subprocess.run(
        [
            str(tmp_path / "bare" / "bin" / "python"),
            *("-I", "-c", program, embedded.__file__, str(tmp_path / "instance")),
        ],
        env={"PATH": "/nowhere", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "not installed" in told
    assert "pip install 'app[embedded]'" in told
    assert "MONGODB_URI" in told
    assert not (tmp_path / "instance" / "engine" / "engine.log").exists()


def test_missing_engine_on_a_python_without_wheels_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_COMMAND", "secantusd-py-that-is-nowhere")
    monkeypatch.setattr(sys, "version_info", (3, 14, 0, "final", 0))

    with pytest.raises(EngineError, match=r"no wheels for Python 3\.14.*3\.11"):
        attach(tmp_path)


def test_system_without_flock_is_told_to_use_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(EngineError, match=r"Windows.*MONGODB_URI"):
        attach(tmp_path)


def test_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("a file")

    with pytest.raises(EngineError, match=r"instance.*Not a directory.*MONGODB_URI"):
        attach(tmp_path / "instance")


def test_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # may write everywhere: be nobody for this
        os.seteuid(65534)

    try:
        with pytest.raises(EngineError, match=r"instance.*Permission denied.*MONGODB_URI"):
            attach(tmp_path / "instance")
    finally:
        os.seteuid(user)


def test_engine_that_refuses_to_start_is_quoted(
    users: _Users, fake_engine: Callable[[str], None]
) -> None:
    fake_engine("echo 'Traceback ...' >&2; echo 'OSError: the disk is tired' >&2; exit 1")

    with pytest.raises(EngineError, match=r"status 1 \(OSError: the disk is tired\)"):
        attach(users.folder)

    assert _eventually(lambda: not users.are_left())


def test_engine_that_never_listens_is_given_up_and_not_left_behind(
    users: _Users, fake_engine: Callable[[str], None]
) -> None:
    fake_engine("echo starting >&2; exec sleep 600")

    with pytest.raises(EngineError, match=r"not there in time.*engine\.log"):
        attach(users.folder, timeout=1)
    detach(users.folder)

    assert _eventually(lambda: not users.are_left())
    assert not psutil.pid_exists(_last(users.folder)["pid"])


def test_gate_that_never_opens_is_an_error_in_time(users: _Users) -> None:
    (users.folder / "engine").mkdir(parents=True)
    with (users.folder / "engine" / "gate.lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)

        with pytest.raises(EngineError, match="another process is still starting"):
            attach(users.folder, timeout=0.2)

    assert not users.are_left()


def test_only_the_owner_can_read_the_folders_and_files(running: _Users) -> None:
    with MongoClient[dict[str, Any]](attach(running.folder)) as client:
        client.test.numbers.insert_one({})

    entries = [p for name in ("engine", "data") for p in (running.folder / name).rglob("*")]
    entries += [running.folder / "engine", running.folder / "data"]

    open_to_others = [p for p in entries if stat.S_IMODE(p.stat().st_mode) & 0o077]
    assert len(entries) > 10
    assert open_to_others == []


def test_engine_listens_on_loopback_only(running: _Users) -> None:
    (pid,) = running.engines()

    listening = [
        each.laddr
        for each in psutil.Process(pid).net_connections("all")
        if each.status == psutil.CONN_LISTEN
    ]

    assert [(each.ip, each.port) for each in listening] == [
        ("127.0.0.1", _last(running.folder)["port"])
    ]


def test_engine_syncs_on_commit_whatever_the_environment_says(running: _Users) -> None:
    (pid,) = running.engines()

    engine = psutil.Process(pid)

    assert "--sync-on-commit" in engine.cmdline()
    assert not [name for name in engine.environ() if name.startswith("SECANTUS_")]


def test_second_keeper_of_a_folder_refuses(running: _Users) -> None:
    command = [sys.executable, "-m", "app.core.embedded", "keep", str(running.folder)]

    second = subprocess.run(command, capture_output=True, text=True, check=False)

    assert second.returncode == 1
    assert "there is a keeper already" in second.stderr
    assert len(running.keepers()) == 1


def test_command_line_without_a_folder_prints_its_usage() -> None:
    command = [sys.executable, "-m", "app.core.embedded"]

    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert told.returncode == 2
    assert "keep FOLDER" in told.stderr
