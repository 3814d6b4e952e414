"""The whole service's life: real servers, real HTTP on loopback, Ctrl-C and `kill -9`.

Each test has an instance folder of its own, hence an engine of its own; servers pick a free port
and say which. No process is left at a test's end: that is checked for all of them.
"""

# ruff: noqa: S603 - every command here is make, or of this interpreter's environment

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.processes import lives
from tests.secrets import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = pytest.mark.lifecycle

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
FLASK = [str(PROGRAMS / "flask"), "--app", "wsgi"]
# What `make run` does after its set-up, which these tests are not about (nor may they redo it).
MAKE_RUN = ["make", "--assume-old=.venv/.installed", "run", f"BIN={PROGRAMS}", "PORT=0"]
GUNICORN = [str(PROGRAMS / "gunicorn"), "-w", "4", "wsgi:app"]
GUNICORN += ["--bind", "127.0.0.1:0", "--no-control-socket"]
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
SLOW = 60.0  # seconds for what takes two or three: the machine may be busy


class Service:
    """Servers and commands on one instance folder, and every process that comes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "instance"
        self.output = folder / "output"
        self.output.touch()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLASK_", "MONGODB_"))
            and name not in {"APP_ENV", "SECRET_KEY", "MAKEFLAGS", "MAKELEVEL"}
        }
        self.environment |= {
            "INSTANCE_PATH": str(self.folder),
            "FLASK_SKIP_DOTENV": "1",
            "HOME": str(folder),
        }
        self.started: list[subprocess.Popen[bytes]] = []
        self.port = 0
        self.token = ""

    def start(self, command: list[str], **environment: str) -> subprocess.Popen[bytes]:
        """Start a server in a process group of its own; return when it and the database answer.

        There is an admin then, whose token all requests carry.
        """
        said_before = self.output.stat().st_size
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)

        def serves() -> bool:
            said = self.output.read_bytes()[said_before:].decode()
            assert process.poll() is None, said
            if found := _ADDRESS.search(said):
                self.port = int(found[1])
            return bool(found) and self.answers("/readyz")

        assert eventually(serves), self.output.read_text()
        if not self.token:
            self.make_admin(environment)
        return process

    def command(
        self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a `flask` command, as in a second terminal."""
        return subprocess.run(
            [*FLASK, *arguments],
            cwd=ROOT,
            env=self.environment | dict(environment or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SLOW,
            check=False,
        )

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send one request; return its status and the JSON of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SLOW)
        try:
            headers = {} if body is None else {"Content-Type": "application/json"}
            headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(content or b"null")

    def make_admin(self, environment: Mapping[str, str]) -> None:
        """Make the first admin and a token, which all later requests carry."""
        email = "admin@example.org"
        words = ("--email", email, "--name", "Admin", "--password-stdin")
        made = self.command(
            "users", "create-admin", *words, stdin=f"{PASSWORD}\n", environment=environment
        )
        assert made.returncode == 0, made.stderr
        told = self.command("users", "token", email, environment=environment)
        assert told.returncode == 0, told.stderr
        self.token = told.stdout.strip()

    def add(self, name: str, email: str) -> int:
        """Ask for a new user; return the status."""
        return self.ask("POST", "/api/users", {"name": name, "email": email})[0]

    def answers(self, path: str) -> bool:
        """Tell whether somebody serves, and says that all is well."""
        try:
            return self.ask("GET", path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def emails(self) -> set[str]:
        """Return the addresses of all stored users, by the export command."""
        exported = self.command("users", "export", "--format", "ndjson", "-")
        assert exported.returncode == 0, exported.stderr
        found = {json.loads(line)["email"] for line in exported.stdout.splitlines()}
        return found - {"admin@example.org"}

    def engines(self) -> list[psutil.Process]:
        return self._living(lambda words: f"--storage-path {self.folder / 'data'} " in words)

    def keepers(self) -> list[psutil.Process]:
        return self._living(lambda words: f" keep {self.folder} " in words)

    def servers(self) -> list[psutil.Process]:
        """Return what was started and its children, oldest first; also those without parents."""
        groups = {process.pid for process in self.started}
        return [each for each in self._living() if _group_of(each) in groups]

    def are_left(self) -> bool:
        return bool(self.servers() or self.keepers() or self.engines())

    def kill(self, *processes: psutil.Process) -> None:
        """Kill without mercy, and wait until they are dead."""
        for process in processes:
            process.kill()
        for started in self.started:
            started.poll()  # else a dead one stays in the list of processes
        assert eventually(lambda: not any(lives(process) for process in processes))

    def kill_all(self) -> None:
        """Kill the servers, their keeper and their engine, all at once."""
        self.kill(*self.servers(), *self.keepers(), *self.engines())

    def press_ctrl_c(self) -> None:
        """Do to the last server what the terminal does: SIGINT to its process group."""
        os.killpg(self.started[-1].pid, signal.SIGINT)
        self.started[-1].wait(SLOW)

    def end(self) -> None:
        self.kill_all()
        for process in self.started:
            process.wait()

    @staticmethod
    def _living(matches: Callable[[str], bool] = lambda _: True) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if matches(" ".join([*(process.info["cmdline"] or ()), ""])) and lives(process)
        ]


def _group_of(process: psutil.Process) -> int:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return 0


def eventually(condition: Callable[[], object], seconds: float = SLOW) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A folder of this test's own; whatever still runs at the end is killed, and fails the test."""
    service = Service(tmp_path)
    yield service
    # The keeper and the engine may take some seconds; what the test started is to be over by now.
    left = service.servers() or not eventually(lambda: not service.are_left(), seconds=20)
    service.end()
    assert not left, f"a process outlived the test:\n{service.output.read_text()}"


def test_make_run_makes_a_user_who_is_still_there_after_ctrl_c_and_a_restart(
    service: Service,
) -> None:
    service.start(MAKE_RUN)
    status, ada = service.ask("POST", "/api/users", {"name": "Ada", "email": "ada@example.org"})
    assert status == 201
    status, taken = service.ask("POST", "/api/users", {"name": "Eve", "email": "ada@example.org"})
    assert (status, taken["errors"][0]["path"]) == (409, "email")
    status, long = service.ask("POST", "/api/users", {"name": "x" * 51, "email": "x@example.org"})
    assert (status, long["errors"][0]["path"]) == (422, "name")

    service.press_ctrl_c()

    assert eventually(lambda: not service.are_left(), seconds=20)
    assert "Traceback" not in service.output.read_text()
    service.start(MAKE_RUN)
    assert service.ask("GET", f"/api/users/{ada['id']}") == (200, ada)
    service.press_ctrl_c()


def test_ctrl_c_also_ends_what_a_script_started_in_the_background(service: Service) -> None:
    # POSIX, Shell Command Language, 2.11: an asynchronous command ignores SIGINT.
    service.start(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *MAKE_RUN])

    service.press_ctrl_c()

    assert eventually(lambda: not service.are_left(), seconds=20)


def test_users_acknowledged_before_everything_is_killed_are_there_after_the_restart(
    service: Service,
) -> None:
    service.start(MAKE_RUN)
    acknowledged: list[str] = []
    enough = Event()

    def write(client: int) -> None:
        for number in range(100_000):
            email = f"{client}-{number}@example.org"
            try:
                status = service.add("Somebody", email)
            except (OSError, http.client.HTTPException):
                return  # killed
            assert status == 201
            acknowledged.append(email)
            if len(acknowledged) > 100:
                enough.set()

    with ThreadPoolExecutor(4) as clients:
        writing = [clients.submit(write, client) for client in range(4)]
        assert enough.wait(SLOW)
        service.kill_all()
        for each in writing:
            each.result()

    service.start(MAKE_RUN)
    assert set(acknowledged) <= service.emails()
    service.press_ctrl_c()


def test_make_run_says_plainly_that_the_port_is_taken(service: Service) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        told = subprocess.run(
            [*MAKE_RUN, f"PORT={port}"],
            cwd=ROOT,
            env=service.environment,
            capture_output=True,
            text=True,
            timeout=SLOW,
            check=False,
        )

    assert told.returncode != 0
    assert f"Port {port} is in use" in told.stderr
    assert "Traceback" not in told.stderr
    assert not (service.folder / "engine").exists()


def test_reloader_restarts_the_server_on_the_same_engine(service: Service, tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.touch()
    service.start(MAKE_RUN, FLASK_RUN_EXTRA_FILES=str(watched))
    assert service.add("Ada", "ada@example.org") == 201
    (engine,) = service.engines()
    server = service.servers()[-1]

    os.utime(watched)

    assert eventually(lambda: not lives(server))
    assert eventually(lambda: service.answers("/readyz"))
    assert service.engines() == [engine]
    assert service.add("Ada", "ada@example.org") == 409
    service.press_ctrl_c()


def test_server_whose_parents_were_killed_keeps_its_engine_until_it_ends(service: Service) -> None:
    service.start(MAKE_RUN)
    (engine,) = service.engines()
    *parents, server = service.servers()

    service.kill(*parents)  # make and the reloader

    assert service.add("Ada", "ada@example.org") == 201
    assert service.engines() == [engine]
    service.kill(server)
    assert eventually(lambda: not service.are_left(), seconds=20)


def test_eight_clients_with_the_same_500_addresses_make_500_users(service: Service) -> None:
    gunicorn = service.start(GUNICORN)

    def add_all(client: int) -> list[int]:
        return [service.add(f"Client {client}", f"{n}@example.org") for n in range(500)]

    with ThreadPoolExecutor(8) as clients:
        statuses = Counter(status for each in clients.map(add_all, range(8)) for status in each)

    assert statuses == {201: 500, 409: 3500}
    assert len(service.emails()) == 500
    assert len(service.engines()) == 1
    gunicorn.terminate()
    assert gunicorn.wait(SLOW) == 0


def test_commands_and_workers_share_one_engine_whoever_is_killed(service: Service) -> None:
    gunicorn = service.start(GUNICORN)
    assert service.add("Ada", "ada@example.org") == 201
    (engine,), (keeper,) = service.engines(), service.keepers()

    status = service.command("db", "status")
    worker = service.servers()[-1]
    service.kill(worker)
    after_worker = service.add("Grace", "grace@example.org")
    service.kill(engine)
    # 409 if the first try was stored, but not answered in time.
    assert eventually(lambda: service.add("Alan", "alan@example.org") in {201, 409})
    again = service.engines()
    service.kill(keeper)
    # The engine of the killed keeper may answer once more before it ends.
    assert eventually(lambda: service.answers("/readyz") and len(service.keepers()) == 1)

    assert (status.returncode, after_worker) == (0, 201)
    assert len(again) == len(service.engines()) == 1
    assert service.emails() == {"ada@example.org", "grace@example.org", "alan@example.org"}
    gunicorn.terminate()
    gunicorn.wait(SLOW)


def test_workers_of_a_killed_gunicorn_end_and_take_the_engine_with_them(service: Service) -> None:
    gunicorn = service.start([*GUNICORN, "--timeout", "4"])  # a worker looks at half of it

    gunicorn.kill()
    gunicorn.wait()

    assert eventually(lambda: not service.are_left(), seconds=30)


def test_commands_started_at_the_same_moment_share_one_engine(service: Service) -> None:
    with ThreadPoolExecutor(3) as terminals:
        commands = [terminals.submit(service.command, "db", "sync") for _ in range(3)]
        seen = 0
        while not all(command.done() for command in commands):
            seen = max(seen, len(service.engines()))
            time.sleep(0.05)

    assert [command.result().returncode for command in commands] == [0, 0, 0]
    assert seen == 1
    assert service.command("db", "status").returncode == 0


def test_engine_is_not_started_where_an_address_is_set(
    service: Service, mongodb_uri: str, database_name: str
) -> None:
    address = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    service.start(MAKE_RUN, **address)

    assert service.add("Ada", "ada@example.org") == 201
    assert not service.keepers()
    assert not (service.folder / "engine").exists()
    service.press_ctrl_c()


def test_make_alone_prints_its_targets() -> None:
    make = shutil.which("make")
    assert make is not None

    told = subprocess.run([make], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for target in ("setup", "run", "test", "lint", "format", "check", "bench", "clean"):
        assert re.search(rf"^{target} +\w", told, re.MULTILINE)
