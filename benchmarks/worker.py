"""Measure one lane of one mapper in this process and print the samples as JSON.

It runs in the mapper's own environment and so imports nothing that is not there. `__main__` starts
one for each lane, so that no lane sees another's heap.

Example:
    python -m benchmarks.worker benchmarks.ours read_nested mongodb://127.0.0.1:47017/
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import bson

from benchmarks import raw
from benchmarks.lanes import LANES
from benchmarks.timing import interleave, weigh


def measure(module_name: str, lane_name: str, uri: str, repeats: int, budget: float) -> Any:
    """Return what is printed: the samples of both sides, or that the mapper lacks the lane.

    Args:
        module_name: The adapter: a module with `lanes(uri)` and, where its raw side is not the
            synchronous driver, `raw_lanes(uri)`.
        lane_name: A name out of `LANES`.
        uri: The canned server's address.
        repeats: Samples of each side.
        budget: CPU seconds of samples after which no further ones are begun.

    Raises:
        KeyError: There is no lane of that name.
    """
    lane = LANES[lane_name]
    adapter = importlib.import_module(module_name)
    answer: dict[str, Any] = {
        "lane": lane_name,
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in adapter.DISTRIBUTIONS},
        },
        "c_extensions": bson.has_c(),
    }
    mapper_tasks = adapter.lanes(uri)
    if lane_name not in mapper_tasks:
        return {**answer, "offered": False}
    raw_tasks = getattr(adapter, "raw_lanes", raw.lanes)(uri)
    sides = raw_tasks[lane_name], mapper_tasks[lane_name]
    if lane.measure == "memory":
        samples = weigh(*sides, repeats=3, peak=lane_name == "memory_peak")
    else:
        samples = interleave(*sides, repeats=repeats, budget=budget)
    return {**answer, "offered": True, "raw": samples.raw, "mapper": samples.mapper}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print one line of JSON and leave without closing what the mappers hold open."""
    parser = argparse.ArgumentParser(description="Measure one lane of one mapper.")
    parser.add_argument("module", help="the adapter, such as benchmarks.ours")
    parser.add_argument("lane", choices=LANES, metavar="lane")
    parser.add_argument("uri", help="the canned server's address")
    parser.add_argument("--repeats", type=int, default=15, help="samples of each side")
    parser.add_argument("--budget", type=float, default=6.0, help="CPU seconds of samples")
    options = parser.parse_args(arguments)
    answer = measure(options.module, options.lane, options.uri, options.repeats, options.budget)
    print(json.dumps(answer), flush=True)
    # Not every mapper gives a way to close its client; the process's end closes all of them.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
