"""Samples of two tasks taken in turn, in CPU time or in memory.

The clock is `time.process_time`: CPU seconds of this process, user and system, all its threads.
What the server computes and what the process waits for is not in it.

The collector of cyclic garbage stays on with its normal thresholds, because its work is part of
what a document costs: a mapper that makes more tracked objects makes it run more often. What would
be unfair is evened out: before each sample everything is collected, so each starts with empty
generations, and what existed before the first sample is frozen out of its sight.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from dataclasses import dataclass, field

from benchmarks.lanes import Prepare


@dataclass
class Samples:
    """What was measured of both sides, sample by sample: seconds, or bytes."""

    raw: list[float] = field(default_factory=list)
    mapper: list[float] = field(default_factory=list)


def sample_time(prepare: Prepare) -> float:
    """Return the CPU seconds of one sample.

    Args:
        prepare: Makes the sample's work; not timed.
    """
    task = prepare()
    gc.collect()
    start = time.process_time()
    task()
    return time.process_time() - start


def sample_memory(prepare: Prepare) -> tuple[float, float]:
    """Return the bytes that one sample's result holds, and the most that were held on the way.

    tracemalloc sees every allocation that goes through Python's allocators, so the C extensions'
    objects too; it does not see what a C library takes from malloc by itself, of which a BSON
    decoder has none that stays.
    """
    task = prepare()
    gc.collect()
    tracemalloc.start()
    try:
        result = task()
        gc.collect()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del result
    return float(held), float(peak)


def interleave(raw: Prepare, mapper: Prepare, *, repeats: int, budget: float) -> Samples:
    """Return CPU times of two tasks, sampled in turn (A B, B A, A B ...) after one warm-up of each.

    Args:
        raw: The raw driver's task.
        mapper: The mapper's.
        repeats: How many samples of each at most; at least three are taken.
        budget: CPU seconds of samples after which no further pair is begun.

    Returns:
        The samples in the order in which they were taken.

    Example:
        >>> len(interleave(a, b, repeats=5, budget=10.0).raw)
        5
    """
    sample_time(raw)
    sample_time(mapper)
    gc.collect()
    gc.freeze()
    samples = Samples()
    for number in range(repeats):
        if number >= 3 and sum(samples.raw) + sum(samples.mapper) > budget:
            break
        # The order changes so that a machine that slows down or speeds up favours neither.
        if number % 2:
            samples.mapper.append(sample_time(mapper))
            samples.raw.append(sample_time(raw))
        else:
            samples.raw.append(sample_time(raw))
            samples.mapper.append(sample_time(mapper))
    gc.unfreeze()
    return samples


def weigh(raw: Prepare, mapper: Prepare, *, repeats: int, peak: bool) -> Samples:
    """Return the bytes of two tasks' results, in turn, after one warm-up of each.

    Args:
        raw: The raw driver's task.
        mapper: The mapper's.
        repeats: How many samples of each.
        peak: Take the most that was held on the way, not what the result holds.
    """
    sample_memory(raw)
    sample_memory(mapper)
    samples = Samples()
    for _ in range(repeats):
        samples.raw.append(sample_memory(raw)[peak])
        samples.mapper.append(sample_memory(mapper)[peak])
    return samples
