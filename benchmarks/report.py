"""The results as Markdown and as JSON: values beside bars, met or not met, with all versions."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from benchmarks.lanes import GROWTH_BAR, LANES, Lane
from benchmarks.run import Outcome

ABSENT = "-"
INTRODUCTION = """
CPU time of the client: the mapper's best sample over the raw driver's best of the same run, so
1.00 is the raw driver and lower is better. Memory likewise, in bytes; import in milliseconds.
`spread` is the median of the pairs' ratios as they were taken, and where half of them lie.
"""


def verdict(lane: Lane, value: float | None) -> str:
    """Return `met`, `not met`, or nothing where there is no bar or no value."""
    if lane.bar is None or value is None:
        return ""
    # The bars have two digits, and so has what is held against them.
    return "met" if round(value, 2) <= lane.bar else "**not met**"


def growths(outcome: Outcome) -> dict[str, float]:
    """Return the ratio of the largest size over the smallest's, by family.

    Args:
        outcome: A mapper's results; a family with a lane missing, or with a bar of its own, is
            left out.
    """
    families: dict[str, list[float | None]] = {}
    for name, result in outcome.results.items():
        family = LANES[name].family
        if family is not None and LANES[name].bar is None:
            families.setdefault(family, []).append(result.value)
    return {
        family: values[-1] / values[0]
        for family, values in families.items()
        if len(values) > 1 and values[0] is not None and values[-1] is not None
    }


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Return everything that was measured, every sample of it."""
    plain = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "lanes": {
            lane.name: {
                "title": lane.title,
                "raw": lane.raw,
                "mapper": lane.mapper,
                "operations": lane.operations,
                "bar": lane.bar,
                "best_peer_when_the_bar_was_set": lane.best,
                "measure": lane.measure,
            }
            for lane in LANES.values()
        },
        "mappers": [
            {
                **outcome.as_plain(),
                "verdicts": {
                    name: verdict(LANES[name], result.value).strip("*") or None
                    for name, result in outcome.results.items()
                },
                "growth": growths(outcome),
            }
            for outcome in outcomes
        ],
    }
    return json.dumps(plain, indent=1) + "\n"


def machine() -> dict[str, Any]:
    """Return what the machine says of itself."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the tables.

    Args:
        outcomes: Ours first, then the peers.
    """
    measured = [outcome for outcome in outcomes if outcome.reason is None]
    names = {name for outcome in measured for name in outcome.results}
    lanes = [lane for lane in LANES.values() if lane.name in names]
    main = [lane for lane in lanes if lane.family is None]
    sizes = [lane for lane in lanes if lane.family is not None]
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    where = ", ".join(f"{name} {value}" for name, value in machine().items())
    parts = [f"# What a document costs\n\n{made}, {where}.\n{INTRODUCTION}"]
    if main:
        parts.append(_ratios(main, measured))
    if any(lane.measure == "time" for lane in main):
        parts += ["## Microseconds for one document or call\n", _absolute(main, measured)]
    if sizes:
        parts += ["## Sizes\n", _sizes(sizes, measured[0]), _growth(measured[0])]
    parts += ["## Versions\n", _versions(outcomes)]
    return "\n".join(parts)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return _row(head) + _row(["---"] * len(head)) + "".join(_row(row) for row in rows)


def _value(outcome: Outcome, lane: Lane) -> str:
    result = outcome.results.get(lane.name)
    if result is None or result.reason == "not offered":
        return ABSENT
    if result.value is None:
        return "failed"
    digits = 1 if lane.measure == "import" else 2
    return f"{result.value:.{digits}f}"


def _ratios(lanes: Sequence[Lane], outcomes: Sequence[Outcome]) -> str:
    """Return the table of ratios; the verdict is the first mapper's."""
    first, *others = outcomes
    head = ["lane", "bar", first.name, "", "spread", *(outcome.name for outcome in others)]
    rows = []
    for lane in lanes:
        result = first.results.get(lane.name)
        rows.append(
            [
                lane.title,
                "" if lane.bar is None else f"≤ {lane.bar:.{0 if lane.bar > 10 else 2}f}",
                _value(first, lane),
                verdict(lane, result.value if result else None),
                _spread(result.raw, result.mapper) if result else "",
                *(_value(outcome, lane) for outcome in others),
            ]
        )
    return _table(head, rows)


def _spread(raw: Sequence[float], mapper: Sequence[float]) -> str:
    """Return the middle of the pairs' ratios and where half of them lie: how steady the run was."""
    pairs = sorted(b / a for a, b in zip(raw, mapper, strict=False))
    if len(pairs) < 4:
        return ""
    quarter = len(pairs) // 4
    return f"{median(pairs):.2f} ({pairs[quarter]:.2f} to {pairs[-1 - quarter]:.2f})"


def _absolute(lanes: Sequence[Lane], outcomes: Sequence[Outcome]) -> str:
    """Return the table of CPU microseconds for one operation, raw and mapper."""
    rows = []
    for lane in lanes:
        if lane.measure != "time":
            continue
        cells = [lane.title]
        for outcome in outcomes:
            result = outcome.results.get(lane.name)
            if result is None or not result.mapper:
                cells.append(ABSENT)
            else:
                raw, mapper = (
                    min(side) / lane.operations * 1e6 for side in (result.raw, result.mapper)
                )
                cells.append(f"{raw:.1f} → {mapper:.1f}")
        rows.append(cells)
    return _table(["raw → mapper", *(outcome.name for outcome in outcomes)], rows)


def _sizes(lanes: Sequence[Lane], outcome: Outcome) -> str:
    rows = []
    for lane in lanes:
        bar = "" if lane.bar is None else f"≤ {lane.bar:.2f}"
        result = outcome.results[lane.name]
        rows.append([lane.title, bar, _value(outcome, lane), verdict(lane, result.value)])
    return _table(["lane", "bar", outcome.name, ""], rows)


def _growth(outcome: Outcome) -> str:
    rows = [
        [
            family.replace("_", ", "),
            f"{growth:.2f}",
            "met" if round(growth, 2) <= GROWTH_BAR else "**not met**",
        ]
        for family, growth in growths(outcome).items()
    ]
    head = [f"largest over smallest (bar ≤ {GROWTH_BAR:.2f})", outcome.name, ""]
    return _table(head, rows)


def _versions(outcomes: Sequence[Outcome]) -> str:
    lines = []
    for outcome in outcomes:
        if outcome.reason is not None:
            lines.append(f"- {outcome.name}: {outcome.reason}\n")
            continue
        versions = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
        slow = "" if outcome.c_extensions is not False else " **without BSON's C extension**"
        lines.append(f"- {outcome.name}: {versions or 'import only'}{slow}\n")
        lines += [
            f"  - {name}: {result.reason}\n"
            for name, result in outcome.results.items()
            if result.reason not in (None, "not offered")
        ]
    return "".join(lines)
