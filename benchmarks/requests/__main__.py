"""The command behind `make bench-requests`: our requests beside bare ones, in one run.

Example:
    python -m benchmarks.requests --rounds 300
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
from statistics import mean, median
from wsgiref.types import WSGIApplication, WSGIEnvironment

from benchmarks.requests import bare
from benchmarks.requests.calls import call, prepared
from benchmarks.requests.service import DATABASE, Service, service

WARM = 50  # requests to each side before


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
    parser.add_argument(
        "--rounds", type=int, default=1000, help="requests to each side (%(default)s)"
    )
    parser.add_argument("--users", type=int, default=200, help="how many there are (%(default)s)")
    options = parser.parse_args(arguments)
    with service(options.users) as running:
        lanes = _lanes(running)
        print("| request | bare, µs of CPU | ours | ratio | of the means | of the lowest tenth |")
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
    """Measure a lane; return its line of the table.

    One request to each side in turn: what disturbs the machine for longer disturbs both alike. The
    ratio is that of the medians.
    """
    bare: list[float] = []
    ours: list[float] = []
    for _ in range(WARM):
        lane.bare(), lane.ours()
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        turn = [(bare, lane.bare), (ours, lane.ours)]
        for samples, work in turn if number % 2 else reversed(turn):
            samples.append(_cost(work))
    bare.sort()
    ours.sort()
    ratios = [measure(ours) / measure(bare) for measure in (median, mean, _lowest_tenth)]
    shown = " | ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"| {lane.title} | {median(bare) * 1e6:.0f} | {median(ours) * 1e6:.0f} | {shown} |"


def _lowest_tenth(samples: Sequence[float]) -> float:
    """Return what a tenth of the samples, which are sorted, are below: nothing disturbed these."""
    return samples[len(samples) // 10]


def _cost(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one call, by this process: the server is another one."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
