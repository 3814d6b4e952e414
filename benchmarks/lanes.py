"""The lanes: what is measured, what exactly each side does, and the bar that ours has to meet.

In every lane the raw driver and the mapper do the same work on the same documents from the same
server; what differs is said here, lane by lane, in `raw` and `mapper`. A peer whose API has no such
door simply lacks the lane. `best` is the lowest ratio that any other mapper reached when the bars
were set (PyMongo 4.20, a document of twelve fields).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.samples import DEPTHS, FIELD_COUNTS, LIST_LENGTHS, READ_COUNT, STOCK

Measure = Literal["time", "memory", "import"]

Task = Callable[[], object]
"""The work of one sample: called once, timed."""
Prepare = Callable[[], Task]
"""Makes what one sample needs, untimed, and returns the sample's work."""

QUERIES = 100  # round trips in one sample of the lanes that do one at a time
CALLS = 2_000  # calls in one sample of the lanes that touch no server


@dataclass(frozen=True)
class Lane:
    """One thing that is measured.

    Attributes:
        name: How the command line, the adapters and the JSON call it.
        title: How the table calls it.
        raw: What the raw driver does in one sample.
        mapper: What a mapper does in one sample.
        operations: Documents, round trips or calls in one sample.
        bar: The highest value that is good enough: a ratio, for `import` milliseconds; None where
            only the family's growth counts.
        best: The best peer's value when the bars were set; None if it was not measured.
        measure: CPU time, memory or import time.
        family: Size lanes of one family are compared with each other, smallest first.
    """

    name: str
    title: str
    raw: str
    mapper: str
    operations: int
    bar: float | None = None
    best: float | None = None
    measure: Measure = "time"
    family: str | None = None


FIND_ALL = "`for document in collection.find(): pass`, plain dicts"
WRAPPED = "the same through the mapper's own `find`, hydrated documents"

MAIN = (
    Lane("read_flat", "read 10,000 flat", FIND_ALL, WRAPPED, READ_COUNT, 1.05, 2.9),
    Lane("read_nested", "read 10,000 nested", FIND_ALL, WRAPPED, READ_COUNT, 1.05, 2.9),
    Lane(
        "read_flat_dot",
        "read 10,000 flat, dot notation",
        FIND_ALL,
        f"{WRAPPED} of a class with dot notation",
        READ_COUNT,
        1.12,
    ),
    Lane(
        "read_nested_dot",
        "read 10,000 nested, dot notation",
        FIND_ALL,
        f"{WRAPPED} of a class with dot notation",
        READ_COUNT,
        1.12,
    ),
    Lane(
        "touch_key",
        "read and touch 4 fields by key",
        'the loop over 10,000 nested documents reads `d["name"]`, `d["email"]`, `d["age"]`, '
        '`d["address"]["city"]`',
        "the same loop and the same keys on hydrated documents",
        READ_COUNT,
        1.05,
        2.9,
    ),
    Lane(
        "touch_dot",
        "read and touch 4 fields by dot",
        "the same loop, by key: a dict has no attributes",
        "`d.name`, `d.email`, `d.age`, `d.address.city` on hydrated documents",
        READ_COUNT,
        1.15,
    ),
    Lane(
        "find_one",
        "`find_one` by id",
        f'{QUERIES} times `collection.find_one({{"_id": id}})`, nested document',
        "the same through the mapper, a hydrated document",
        QUERIES,
        1.05,
    ),
    Lane(
        "insert_one",
        "insert one: skeleton, defaults, validation",
        f"{QUERIES} times: a dict of nine given fields and three defaults (a constant, a copy of a "
        "list, the time now), then `insert_one`",
        "a new document whose class has those three defaults and two required fields, the nine "
        "given fields put in, then the mapper's own save or insert with its validation",
        QUERIES,
        1.10,
        2.0,
    ),
    Lane(
        "bulk",
        "validate and insert 10,000",
        "`insert_many` of 10,000 fresh nested dicts",
        "10,000 equal fresh dicts handed to the mapper's own door for many, each validated; where "
        "that door takes only documents, making them is part of it",
        READ_COUNT,
        1.30,
        8.2,
    ),
    Lane(
        "save",
        "change one field and save",
        f'{QUERIES} times `document["age"] = n` and `replace_one({{"_id": id}}, document, '
        "upsert=True)` of one nested document",
        "the same field set on a document that was read, then the mapper's own save (a mapper that "
        "sends only what changed sends less)",
        QUERIES,
        1.10,
        1.34,
    ),
    Lane(
        "validate",
        "validate alone, against `bson.encode`",
        f"{CALLS} times `bson.encode(document)` of the nested document as a dict",
        "as many times the validation of the nested document that was read; for mappers that "
        "validate by constructing, that",
        CALLS,
        0.70,
        2.7,
    ),
    Lane(
        "construct",
        "construct alone, against `bson.encode`",
        f"{CALLS} times `bson.encode(document)` of the nested document as a dict",
        "as many times a document made from that dict, not saved",
        CALLS,
        0.50,
        1.2,
    ),
    Lane(
        "memory",
        "memory of 10,000 in a list",
        "bytes allocated by `list(collection.find())` of the nested documents that are still held "
        "when it is done (tracemalloc)",
        "the same with the mapper's `find`",
        READ_COUNT,
        1.05,
        1.26,
        "memory",
    ),
    Lane(
        "memory_peak",
        "peak memory of the same",
        "the highest that the same allocations reached on the way, reply buffers included",
        "the same with the mapper's `find`",
        READ_COUNT,
        1.05,
        None,
        "memory",
    ),
    Lane(
        "import",
        "import, over PyMongo's own (ms)",
        "a fresh interpreter that has imported `pymongo`",
        "CPU milliseconds that importing the mapper then takes",
        1,
        30.0,
        4.0,
        "import",
    ),
)


def _annotated() -> tuple[Lane, ...]:
    """Return the lanes that annotated classes have to meet too, with the same bars."""
    again = ("read_nested", "touch_key", "touch_dot", "find_one", "insert_one", "bulk", "save")
    lanes = {lane.name: lane for lane in MAIN}
    return tuple(
        replace(
            lanes[name],
            name=f"{name}_annotated",
            title=f"{lanes[name].title}, annotated",
            # Annotated classes have dot notation.
            bar=1.12 if name == "read_nested" else lanes[name].bar,
            best=None,
        )
        for name in (*again, "validate", "construct")
    )


ANNOTATED = _annotated()


def _sizes() -> tuple[Lane, ...]:
    """Return the size lanes: reading and validating, for each way in which a document can grow."""
    lanes = []
    families = (
        ("fields", FIELD_COUNTS, "{} fields"),
        ("depth", DEPTHS, "depth {}"),
        ("list", LIST_LENGTHS, "list of {} documents"),
    )
    for family, sizes, title in families:
        for size in sizes:
            collection = f"{family}_{size}"
            lanes.append(
                Lane(
                    f"read_{collection}",
                    f"read, {title.format(size)}",
                    FIND_ALL,
                    WRAPPED,
                    STOCK[collection].count,
                    family=f"read_{family}",
                )
            )
        for size in sizes:
            collection = f"{family}_{size}"
            lanes.append(
                Lane(
                    f"validate_{collection}",
                    f"validate, {title.format(size)}",
                    "`bson.encode` of every document of the collection",
                    "validation of every document of the collection, read before",
                    STOCK[collection].count,
                    # `bson.encode` has a cost per call that small documents show, so the ratio to
                    # it grows by itself: each size is held against the bar instead.
                    bar=0.70,
                    family=f"validate_{family}",
                )
            )
    return tuple(lanes)


SIZES = _sizes()
LANES = {lane.name: lane for lane in (*MAIN, *ANNOTATED, *SIZES)}

GROWTH_BAR = 1.05
"""How much higher than a family's smallest the ratio of its largest may be: noise, no more."""
