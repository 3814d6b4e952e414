"""How long requests take as the users become more: on the clock, by HTTP, on the embedded engine.

Example:
    python -m benchmarks.requests.sizes --users 1000 --users 10000
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from statistics import median
from typing import Any

from werkzeug.serving import make_server

from app.users import bulk
from app.users.permissions import OPERATOR
from benchmarks.requests.service import PASSWORD, Service, service

TIMES = 7  # of each request
ENOUGH = 5_000.0  # milliseconds for all of them


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 whatever the values are."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.requests.sizes",
        description="How long requests take, in milliseconds, by the number of users.",
    )
    parser.add_argument(
        "--users", type=int, action="append", help="how many there are (repeatable; 1000)"
    )
    options = parser.parse_args(arguments)
    columns = {number: _measured(number) for number in options.users or [1000]}
    print("| ms | " + " | ".join(f"{number:,} users" for number in columns) + " |")
    print("| --- |" + " --- |" * len(columns))
    for what in next(iter(columns.values())):
        print(f"| {what} | " + " | ".join(f"{each[what]:.1f}" for each in columns.values()) + " |")
    return 0


def _measured(users: int) -> dict[str, float]:
    # A request has five seconds by default; here shall be seen how long it would take.
    with service(users, MONGODB_REQUEST_TIMEOUT_MS=60_000) as running:
        logging.disable()  # the lines would be among the table's
        try:
            with _served(running) as ask:
                found = {what: _ms(work) for what, work in _requests(running, ask).items()}
            start = time.perf_counter()
            with running.app.app_context():
                for _ in bulk.export_rows(by=OPERATOR):
                    pass
            return found | {"export of all": (time.perf_counter() - start) * 1000}
        finally:
            logging.disable(logging.NOTSET)


def _requests(
    running: Service, ask: Callable[..., dict[str, Any]]
) -> dict[str, Callable[[], object]]:
    numbers = count()
    user = f"/api/users/{running.admin}"

    def create() -> object:
        number = next(numbers)
        return ask("POST", "/api/users", {"name": "New", "email": f"new{number}@example.org"})

    def change() -> object:
        return ask("PATCH", user, {"name": f"Admin {next(numbers)}"})

    def sign_in() -> object:
        shown = {"email": "admin@example.org", "password": PASSWORD, "expires_in": "1h"}
        return ask("POST", "/api/tokens", shown | {"name": "benchmark"})

    return {
        "first page of 20": lambda: ask("GET", "/api/users"),
        "first page by name": lambda: ask("GET", "/api/users?sort=name"),
        "search that finds 10": lambda: ask("GET", "/api/users?q=user+00012"),
        "one user": lambda: ask("GET", user),
        "add a user": create,
        "change a user": change,
        "sign in": sign_in,
    }


@contextmanager
def _served(running: Service) -> Iterator[Callable[..., dict[str, Any]]]:
    """Serve the application by HTTP while the block runs; give a function that asks it."""
    server = make_server("127.0.0.1", 0, running.app, threaded=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    headers = {"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"}

    def ask(method: str, path: str, body: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        try:
            sent = json.dumps(body) if body is not None else None
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, (method, path, answer.status, text)
            answered: dict[str, Any] = json.loads(text)
            return answered
        finally:
            connection.close()

    try:
        yield ask
    finally:
        server.shutdown()
        thread.join()


def _ms(work: Callable[[], object]) -> float:
    """Return the median of what a request takes, in milliseconds."""
    samples: list[float] = []
    work()
    while len(samples) < TIMES and sum(samples) < ENOUGH:
        start = time.perf_counter()
        work()
        samples.append((time.perf_counter() - start) * 1000)
    return median(samples)


if __name__ == "__main__":
    sys.exit(main())
