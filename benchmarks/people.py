"""Write a CSV of people that has everything an import must survive, and say what is wrong in it.

The file has the header `name,email` and RFC 4180 line ends. Most records are good: names in some
thirty languages, with quotes, commas and line breaks inside quoted fields, and a few names and
addresses of exactly the longest allowed length. Among them stand a known number of bad records of
ten kinds and of records that repeat an earlier e-mail (every second one in other letter case).

Beside the CSV goes a JSON file that says which is which. A record's line is the physical line on
which it starts, counted from 1, so the header is line 1 and a record whose name spans two lines
moves all that follow it.

The same seed gives the same bytes for one version of Faker; another version may know other names.

Example:
    python benchmarks/people.py people.csv --rows 1000 --seed 7
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import json
import random
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faker import Faker

NAME_LIMIT = 50  # characters
EMAIL_LIMIT = 120  # characters

LOCALES = (
    *("en_US", "de_DE", "fr_FR", "es_ES", "pt_BR", "is_IS", "pl_PL", "cs_CZ", "lt_LT", "tr_TR"),
    *("az_AZ", "vi_VN", "ru_RU", "uk_UA", "bg_BG", "el_GR", "hy_AM", "ka_GE", "he_IL", "ar_SA"),
    *("fa_IR", "hi_IN", "ta_IN", "bn_BD", "ne_NP", "th_TH", "ja_JP", "ko_KR", "zh_CN", "zh_TW"),
)
DOMAINS = ("example.org", "example.com", "mail.example.net", "a-b.example.org", "x1.example.com")

# Each of these is refused by RFC 5321's grammar alone, whatever else a checker asks for.
MALFORMED = (
    "{local}",
    "{local}@",
    "@{domain}",
    "{local}@@{domain}",
    "{local} x@{domain}",
    "{local}@{domain}.",
    ".{local}@{domain}",
    "{local}@exa..mple.org",
    "{local}@-example.org",
    "{local}@exam_ple.org",
)


@dataclass
class Expected:
    """What an import of the file has to find.

    Attributes:
        seed: The seed that the file was made with.
        rows: Number of records, without the header.
        good: Number of records that are to be stored.
        bad: Line of each bad record and the kind of fault in it.
        doubled: Line of each record that repeats an e-mail, and the line of the first that has it.
    """

    seed: int
    rows: int
    good: int = 0
    bad: dict[int, str] = field(default_factory=dict)
    doubled: dict[int, int] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return the whole as JSON text; lines become strings, as JSON's keys must be."""
        return json.dumps(self.__dict__, indent=1) + "\n"


class People:
    """Names and e-mail addresses from one seed; each address is given out once.

    Args:
        seed: Any integer; the same one gives the same people.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._fakers = [Faker(locale) for locale in LOCALES]
        for number, faker in enumerate(self._fakers):
            faker.seed_instance(seed * len(LOCALES) + number)
        self._count = 0

    def name(self) -> str:
        """Return a name of 1 to 50 characters; about one in twenty needs quoting in CSV."""
        # NFC and single spaces, so that the file reads back equal through a program that tidies.
        spoken = self.random.choice(self._fakers).name()
        name = unicodedata.normalize("NFC", " ".join(spoken.split()))
        decoration = self.random.random()
        if decoration < 0.05:
            first, _, rest = name.partition(" ")
            if decoration < 0.01:
                name = f'{first} "{first[:3]}" {rest}'.rstrip()
            elif decoration < 0.02:
                name = f"{rest or first}, {first}"
            elif decoration < 0.03:
                name = f"{first}\n{rest or first}"
            elif decoration < 0.04:
                name = f"{first} O'{rest or first}"
            elif decoration < 0.045:
                name = f"{first}\r\n{rest or first}, Jr."
            else:
                name = (name + " " + "ø" * NAME_LIMIT)[:NAME_LIMIT]
        return name[:NAME_LIMIT].rstrip()

    def email(self) -> str:
        """Return a new address in lower case; about one in a hundred has exactly 120 characters."""
        local, domain = self._parts()
        if self.random.random() < 0.01:
            domain = _long_domain(EMAIL_LIMIT - len(local) - 1)
        return f"{local}@{domain}"

    def long_email(self) -> str:
        """Return a new address that is well formed but one to twenty characters too long."""
        local, _ = self._parts()
        return f"{local}@{_long_domain(EMAIL_LIMIT - len(local) + self.random.randrange(20))}"

    def malformed_email(self) -> str:
        """Return a text that no grammar of addresses allows."""
        local, domain = self._parts()
        return self.random.choice(MALFORMED).format(local=local, domain=domain)

    def _parts(self) -> tuple[str, str]:
        self._count += 1
        word = "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=6))
        return f"{word}.{self._count}", self.random.choice(DOMAINS)


def _long_domain(length: int) -> str:
    """Return a domain of exactly `length` characters (at least 30) out of legal labels."""
    labels = []
    left = length - len("example.org")
    while left > 60:
        labels.append("d" * 49)
        left -= 50
    labels.append("d" * (left - 1))
    return ".".join([*labels, "example.org"])


BAD: dict[str, Callable[[People], list[str]]] = {
    "name-one-too-long": lambda people: ["n" * (NAME_LIMIT + 1), people.email()],
    "name-too-long": lambda people: [f"{people.name()} " * 60, people.email()],
    "name-too-long-in-two-bytes": lambda people: ["ж" * (NAME_LIMIT + 1), people.email()],
    "name-empty": lambda people: ["", people.email()],
    "name-with-nul": lambda people: [f"{people.name()[:20]}\0", people.email()],
    "email-too-long": lambda people: [people.name(), people.long_email()],
    "email-malformed": lambda people: [people.name(), people.malformed_email()],
    "email-empty": lambda people: [people.name(), ""],
    "column-missing": lambda people: [people.name()],
    "column-extra": lambda people: [people.name(), people.email(), "extra"],
}


def records(
    rows: int, *, seed: int, bad: int = 500, doubled: int = 200
) -> Iterator[tuple[list[str], str | None, int | None]]:
    """Yield the records of the file in order.

    Args:
        rows: Number of records; at least four times `bad` + `doubled`.
        seed: Seed of names, addresses and places.
        bad: How many of them are bad; the kinds take turns.
        doubled: How many repeat the e-mail of an earlier good record, no e-mail more than once.

    Yields:
        The fields, the kind of fault or None, the index of the record that is repeated or None.

    Raises:
        ValueError: `rows` is too small for so many bad and doubled records.

    Example:
        >>> list(records(4, seed=1, bad=1, doubled=0))[0][1] is None
        True
    """
    if rows < 4 * (bad + doubled):
        raise ValueError(
            f"{rows} rows are too few for {bad} bad and {doubled} doubled ones: "
            f"take at least {4 * (bad + doubled)}"
        )
    people = People(seed)
    places = people.random.sample(range(rows // 2, rows), doubled)
    repeats = set(places)
    free = [index for index in range(1, rows) if index not in repeats]
    turns = itertools.cycle(BAD)
    kinds = {place: next(turns) for place in people.random.sample(free, bad)}
    # Only records of the first half are repeated, so each stands before its repetition.
    sources = iter(
        people.random.sample([i for i in range(rows // 2) if i not in kinds], doubled)
        if doubled
        else []
    )
    emails: dict[int, str] = {}
    for index in range(rows):
        if index in kinds:
            yield BAD[kinds[index]](people), kinds[index], None
        elif index in repeats:
            source = next(sources)
            email = emails[source].upper() if source % 2 else emails[source]
            yield [people.name(), email], None, source
        else:
            email = people.email()
            if index < rows // 2:
                emails[index] = email
            yield [people.name(), email], None, None


def write(path: Path, *, rows: int, seed: int, bad: int = 500, doubled: int = 200) -> Expected:
    """Write the CSV and return what is in it.

    Args:
        path: The file to write; an existing one is replaced.
        rows: Number of records.
        seed: Seed of the whole file.
        bad: Number of bad records.
        doubled: Number of records that repeat an e-mail.

    Returns:
        The lines of the bad and of the doubled records.

    Raises:
        ValueError: `rows` is too small for so many bad and doubled records.
        OSError: The file can't be written.

    Example:
        >>> write(Path("people.csv"), rows=1000, seed=7, bad=20, doubled=10).good
        970
    """
    expected = Expected(seed=seed, rows=rows, good=rows - bad - doubled)
    starts: list[int] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("name,email\r\n")
        line = 2
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        for fields, kind, source in records(rows, seed=seed, bad=bad, doubled=doubled):
            starts.append(line)
            if kind is not None:
                expected.bad[line] = kind
            if source is not None:
                expected.doubled[line] = starts[source]
            writer.writerow(fields)
            text = buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
            file.write(text)
            # No record holds a lone carriage return, so line feeds count the lines.
            line += text.count("\n")
    return expected


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description="Write a CSV of people (name,email) with known faults, and a JSON list of them."
    )
    parser.add_argument("output", type=Path, help="the CSV to write")
    parser.add_argument("--rows", type=int, default=100_000, help="number of records (%(default)s)")
    parser.add_argument("--bad", type=int, default=500, help="bad records (%(default)s)")
    parser.add_argument("--doubled", type=int, default=200, help="repeated e-mails (%(default)s)")
    parser.add_argument("--seed", type=int, default=2014, help="same seed, same file (%(default)s)")
    parser.add_argument(
        "--expected", type=Path, help="the JSON to write (default: the CSV's name + .expected.json)"
    )
    options = parser.parse_args(arguments)
    output: Path = options.output
    try:
        expected = write(
            output, rows=options.rows, seed=options.seed, bad=options.bad, doubled=options.doubled
        )
        target: Path = options.expected or output.with_suffix(".expected.json")
        target.write_text(expected.as_json(), encoding="utf-8")
    except (ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(
        f"{output}: {expected.rows} records, {expected.good} good, {len(expected.bad)} bad, "
        f"{len(expected.doubled)} doubled; the lines are in {target}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
