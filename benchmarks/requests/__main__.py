"""The command behind `make bench-requests`: our requests beside bare ones, in one run.

Example:
    python -m benchmarks.requests --rounds 100
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from wsgiref.types import WSGIApplication, WSGIEnvironment

from benchmarks.requests import bare
from benchmarks.requests.calls import call, prepared
from benchmarks.requests.service import DATABASE, Service, service

REQUESTS = 20  # in one sample


@dataclass(frozen=True, slots=True)
class Lane:
    """One thing that is asked for.

    Attributes:
        title: How the table calls it.
        bare: What the bare application does.
        ours: What ours does.
    """

    title: str
    bare: Callable[[], object]
    ours: Callable[[], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 whatever the values are."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.requests",
        description="What a request costs, as a ratio to a bare Flask app on the raw driver.",
    )
    parser.add_argument("--rounds", type=int, default=60, help="samples of each side (%(default)s)")
    parser.add_argument("--users", type=int, default=200, help="how many there are (%(default)s)")
    options = parser.parse_args(arguments)
    with service(options.users) as running:
        lanes = _lanes(running)
        print("| request | bare, µs of CPU | ours | ratio | middle half | of the least |")
        print("| --- | --- | --- | --- | --- | --- |")
        for lane in lanes:
            print(_line(lane, options.rounds), flush=True)
    return 0


def _lanes(running: Service) -> list[Lane]:
    """Return what is measured, after a look at whether both sides answer the same."""
    raw, ours = bare.create_app(running.uri, DATABASE), running.app
    sent = {"Authorization": f"Bearer {running.token}", "Accept": "*/*"}
    detail = f"/api/users/{running.admin}"
    lanes = []
    for title, path in (
        ("detail", detail),
        ("list of 20", "/api/users"),
        ("list of 100", "/api/users?limit=100"),
    ):
        environ = prepared(path, sent)
        (_, _, expected), (_, _, answered) = call(raw, environ), call(ours, environ)
        assert json.loads(expected) == json.loads(answered), title
        lanes.append(Lane(title, partial(call, raw, environ), partial(call, ours, environ)))
    lanes.append(
        Lane(
            "detail, 304",
            _conditional(raw, f"/tagged{detail}", sent),
            _conditional(ours, detail, sent),
        )
    )
    return lanes


def _conditional(app: WSGIApplication, path: str, sent: dict[str, str]) -> Callable[[], object]:
    """Return a call with the tag of what is there."""
    _, headers, _ = call(app, prepared(path, sent))
    environ: WSGIEnvironment = prepared(path, {**sent, "If-None-Match": headers["ETag"]})
    assert call(app, environ)[0].startswith("304")
    return partial(call, app, environ)


def _line(lane: Lane, rounds: int) -> str:
    """Measure a lane, both sides in turn; return its line of the table."""
    samples: dict[str, list[float]] = {"bare": [], "ours": []}
    for work in (lane.bare, lane.ours):
        _cost(work)  # warm
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        turn = [("bare", lane.bare), ("ours", lane.ours)]
        for name, work in turn if number % 2 else reversed(turn):
            samples[name].append(_cost(work))
    ratios = sorted(o / b for b, o in zip(samples["bare"], samples["ours"], strict=True))
    low, high = ratios[len(ratios) // 4], ratios[len(ratios) * 3 // 4]
    raw, ours = median(samples["bare"]), median(samples["ours"])
    return (
        f"| {lane.title} | {raw * 1e6:.0f} | {ours * 1e6:.0f} | {ours / raw:.2f}"
        f" | {low:.2f} to {high:.2f} | {min(samples['ours']) / min(samples['bare']):.2f} |"
    )


def _cost(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one call, by this process: the server is another one."""
    start = time.process_time()
    for _ in range(REQUESTS):
        work()
    return (time.process_time() - start) / REQUESTS


if __name__ == "__main__":
    sys.exit(main())
