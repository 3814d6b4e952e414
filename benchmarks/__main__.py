"""The command behind `make bench`: measure, print the table, keep table and samples.

Example:
    python -m benchmarks --lane read_nested --lane find_one --no-peers
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environments import HERE, OURS, PEERS
from benchmarks.lanes import LANES, MAIN
from benchmarks.report import as_json, as_markdown
from benchmarks.run import canned_server, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 whatever the values are."""
    peers = {peer.name: peer for peer in PEERS}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What a document costs, as a ratio to the raw driver, beside other mappers.",
    )
    parser.add_argument(
        "--lane", action="append", choices=LANES, metavar="LANE", help="only this one (repeatable)"
    )
    parser.add_argument("--list", action="store_true", help="say what each lane measures, and end")
    parser.add_argument("--no-peers", action="store_true", help="measure ours alone")
    parser.add_argument(
        "--peer", action="append", choices=peers, help="only this peer beside ours (repeatable)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="processes per lane of ours (%(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=30, help="samples in each (%(default)s)")
    parser.add_argument(
        "--budget", type=float, default=6.0, help="CPU seconds of samples in each (%(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE / "results",
        help="folder for latest.md and latest.json (%(default)s)",
    )
    options = parser.parse_args(arguments)
    lanes = [LANES[name] for name in options.lane] if options.lane else list(LANES.values())
    if options.list:
        for lane in lanes:
            print(f"{lane.name}: {lane.title}\n  raw: {lane.raw}\n  mapper: {lane.mapper}\n")
        return 0
    # A peer's classes are written by hand, so peers run the lanes of the two chosen documents.
    common = [lane for lane in lanes if lane in MAIN]
    chosen = [] if options.no_peers else [peers[name] for name in options.peer or peers]
    with canned_server() as uri:
        outcomes = [
            run(
                mapper,
                lanes if mapper is OURS else common,
                uri,
                # The bars are ours, so ours is measured again and again; a peer's ratio is far off.
                rounds=options.rounds if mapper is OURS else 1,
                repeats=options.repeats,
                budget=options.budget,
                tell=lambda line: print(line, file=sys.stderr, flush=True),
            )
            for mapper in (OURS, *chosen)
        ]
    table = as_markdown(outcomes)
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    (output / "latest.md").write_text(table, encoding="utf-8")
    (output / "latest.json").write_text(as_json(outcomes), encoding="utf-8")
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
