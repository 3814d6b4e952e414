"""Turn the maintainers in Debian's package index into a CSV of people that nobody made for us.

Reads what `apt-cache dumpavail` prints (by running it, or from a file or standard input) and writes
`name,email`. Nothing is repaired: accents, quotes, lists of several people and a comma left behind
stay as the packagers spelled them, and what stands behind the first `<` goes to the e-mail column
(`Ann <ann@example.org>` gives `ann@example.org`, but `Ann <ann@example.org>,` gives
`ann@example.org>,`). Each spelling is written once, in the order of first appearance; one
person under two spellings is two rows.

Example:
    python benchmarks/maintainers.py maintainers.csv
    apt-cache dumpavail | python benchmarks/maintainers.py maintainers.csv --input -
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

FIELD = "maintainer:"


def maintainers(lines: Iterable[str]) -> Iterator[str]:
    """Yield the value of each `Maintainer` field, folded lines joined by one space.

    Args:
        lines: Lines in the form of Debian's control files (Debian Policy, 5.1).

    Yields:
        One text for each package that has the field.

    Example:
        >>> list(maintainers(["Package: a", "Maintainer: Ann", " <ann@example.org>", ""]))
        ['Ann <ann@example.org>']
    """
    value: str | None = None
    for line in lines:
        if value is not None:
            if line.startswith((" ", "\t")):
                value = f"{value} {line.strip()}"
                continue
            yield value
            value = None
        if line[: len(FIELD)].lower() == FIELD:
            value = line[len(FIELD) :].strip()
    if value is not None:
        yield value


def split(maintainer: str) -> tuple[str, str]:
    """Return name and e-mail of one field, everything that is odd about it left in place.

    Args:
        maintainer: The field's value.

    Returns:
        What stands before the first `<`, and what stands behind it without the closing `>` when
        that is the last character. Without a `<` the e-mail is empty.

    Example:
        >>> split('"Doe, Ann" <ann@example.org>')
        ('"Doe, Ann"', 'ann@example.org')
    """
    name, _, rest = maintainer.partition("<")
    return name.strip(), rest.removesuffix(">")


def write(lines: Iterable[str], path: Path) -> int:
    """Write the CSV and return the number of its records.

    Args:
        lines: Lines as `apt-cache dumpavail` prints them.
        path: The file to write; an existing one is replaced.

    Raises:
        OSError: The file can't be written.

    Example:
        >>> write(["Maintainer: Ann <ann@example.org>"] * 2, Path("maintainers.csv"))
        1
    """
    people = dict.fromkeys(split(maintainer) for maintainer in maintainers(lines))
    # surrogateescape on both sides: bytes that are not UTF-8 come out as they went in.
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("name", "email"))
        writer.writerows(people)
    return len(people)


def _dumpavail() -> list[str]:
    """Return the lines that `apt-cache dumpavail` prints; `FileNotFoundError` without apt."""
    command = shutil.which("apt-cache")
    if command is None:
        raise FileNotFoundError(
            "apt-cache is not installed here: give a saved listing with --input"
        )
    done = subprocess.run([command, "dumpavail"], check=True, stdout=subprocess.PIPE)  # noqa: S603 (a fixed command)
    return done.stdout.decode("utf-8", "surrogateescape").split("\n")


def _saved(source: str) -> list[str]:
    """Return the lines of a file, or of standard input for `-`."""
    data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    return data.decode("utf-8", "surrogateescape").split("\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description="Turn the Maintainer fields of Debian's package index into a CSV (name,email)."
    )
    parser.add_argument("output", type=Path, help="the CSV to write")
    parser.add_argument(
        "--input",
        help="a listing saved before, - for standard input (default: run apt-cache dumpavail)",
    )
    options = parser.parse_args(arguments)
    try:
        lines = _saved(options.input) if options.input is not None else _dumpavail()
        count = write(lines, options.output)
    except (OSError, subprocess.CalledProcessError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(f"{options.output}: {count} maintainers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
