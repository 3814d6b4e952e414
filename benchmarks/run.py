"""Run lanes: start the canned server, one worker process for each lane, and gather the samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.environments import HERE, Mapper, NotInstalled, prepare
from benchmarks.lanes import Lane

# Importing again and again is quick, and the least of many is what the code itself costs.
IMPORTS = 15
TIME_IMPORT = (
    "import importlib, pymongo, sys, time; start = time.process_time(); "
    "importlib.import_module(sys.argv[1]); print(time.process_time() - start)"
)


@dataclass
class Result:
    """What one lane gave for one mapper.

    Attributes:
        value: Mapper's best over raw's best; for `import` milliseconds; None when it has no value.
        raw: The raw driver's samples: CPU seconds, or bytes.
        mapper: The mapper's samples, taken in turn with them.
        reason: Why there is no value: the lane is not offered, or the error that ended it.
    """

    value: float | None = None
    raw: list[float] = field(default_factory=list)
    mapper: list[float] = field(default_factory=list)
    reason: str | None = None


@dataclass
class Outcome:
    """What all lanes gave for one mapper.

    Attributes:
        name: The mapper's name.
        versions: Of the interpreter and of the distributions that matter.
        c_extensions: Whether its driver's BSON runs in C.
        reason: Why it was not measured at all, else None.
        results: By the lane's name.
    """

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    c_extensions: bool | None = None
    reason: str | None = None
    results: dict[str, Result] = field(default_factory=dict)

    def as_plain(self) -> dict[str, Any]:
        """Return the whole as JSON-ready dicts."""
        return asdict(self)


@contextmanager
def canned_server() -> Iterator[str]:
    """Run the canned server as a process of its own while the block runs.

    Yields:
        Its address.

    Raises:
        RuntimeError: It did not come up.
    """
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.canned_server"],
        cwd=HERE.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        if not port:
            raise RuntimeError("the canned server did not start: its message is above")
        # Leaving the block closes its standard input, which ends it.
        yield f"mongodb://127.0.0.1:{port}/"


def run(
    mapper: Mapper,
    lanes: Sequence[Lane],
    uri: str,
    *,
    rounds: int,
    repeats: int,
    budget: float,
    tell: Callable[[str], None],
) -> Outcome:
    """Measure one mapper.

    Args:
        mapper: The mapper; its environment is made if need be.
        lanes: What to measure.
        uri: The canned server's address.
        rounds: How many processes measure each lane; their samples are pooled.
        repeats: Samples of each side in each of them.
        budget: CPU seconds of samples for each of them.
        tell: Called with a line of progress for each lane.

    Returns:
        The values and samples; a lane or a mapper that fails has its reason there, nothing is
        raised for it.
    """
    outcome = Outcome(mapper.name)
    try:
        prepare(mapper)
    except NotInstalled as error:
        outcome.reason = f"not installed: {error}"
        tell(f"{mapper.name}: {outcome.reason}")
        return outcome
    for lane in lanes:
        result = Result()
        outcome.results[lane.name] = result
        if lane.measure == "import":
            _import(mapper, result)
        else:
            for _ in range(1 if lane.measure == "memory" else rounds):
                answer = _worker(mapper, lane, uri, repeats, budget, result)
                outcome.versions.update(answer.get("versions", {}))
                outcome.c_extensions = answer.get("c_extensions", outcome.c_extensions)
                if result.reason is not None:
                    break
            if result.reason is None:
                result.value = min(result.mapper) / min(result.raw)
        shown = f"{result.value:.3f}" if result.value is not None else result.reason
        tell(f"{mapper.name}: {lane.name} {shown}")
    return outcome


def _environment() -> dict[str, str]:
    """Return the worker's environment; equal hash seeds make its dicts equal from run to run."""
    return {**os.environ, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}


def _worker(
    mapper: Mapper, lane: Lane, uri: str, repeats: int, budget: float, result: Result
) -> dict[str, Any]:
    """Run one worker, pool its samples in the result (or why there are none); return its answer."""
    done = subprocess.run(  # noqa: S603 (our own worker)
        [
            *(str(mapper.python), "-m", "benchmarks.worker", mapper.module, lane.name, uri),
            *("--repeats", str(repeats), "--budget", str(budget)),
        ],
        cwd=HERE.parent,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout:
        lines = done.stderr.strip().splitlines()
        result.reason = lines[-1] if lines else f"ended with status {done.returncode}"
        return {}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if answer["offered"]:
        result.raw += answer["raw"]
        result.mapper += answer["mapper"]
    else:
        result.reason = "not offered"
    return answer


def _import(mapper: Mapper, result: Result) -> None:
    """Put the milliseconds that importing the mapper takes after PyMongo into the result."""
    with TemporaryDirectory() as bytecode:
        # With bytecode at hand, as an installed package has it, whatever this machine's settings.
        environment = {**_environment(), "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(IMPORTS + 1):
            done = subprocess.run(  # noqa: S603 (a fixed script)
                [str(mapper.python), "-c", TIME_IMPORT, mapper.imports],
                cwd=HERE,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                result.reason = done.stderr.strip().splitlines()[-1]
                return
            if number:  # the first writes the bytecode
                result.mapper.append(float(done.stdout))
    result.value = min(result.mapper) * 1000
