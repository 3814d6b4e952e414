"""A server that speaks MongoDB's wire protocol on loopback and answers from batches encoded before.

It stands in for a real server so that the time a client spends can be measured without the
server's own work between: a `find` is answered with bytes that are ready to be sent, a write is
counted and thrown away. It runs as a process of its own and ends when its standard input does, so
it never outlives whoever started it.

What it does not do: filter (a query by ObjectId gives the first document whatever the id), store,
authenticate, sort. Batches are cut as a real server cuts them: 101 documents first, then as
many as fit into 16 MiB, or as many as the request's `batchSize` says.

Sources: MongoDB manual, "Wire Protocol" (OP_MSG, and OP_QUERY for the first hello).

Example:
    python -m benchmarks.canned_server          # prints the port that it picked
"""

from __future__ import annotations

import argparse
import functools
import os
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import bson
from bson import ObjectId
from bson.int64 import Int64

from benchmarks.samples import STOCK

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MORE_TO_COME = 0b10  # flag of a request that wants no answer
FIRST_BATCH = 101  # documents; mongod's default for the first batch
LARGEST_BATCH = 16 * 1024 * 1024  # bytes

HEADER = struct.Struct("<iiii")
INT = struct.Struct("<i")
HELLO: dict[str, Any] = {
    "ismaster": True,
    "isWritablePrimary": True,
    "helloOk": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,  # MongoDB 7.0
    "readOnly": False,
    "ok": 1.0,
}


@functools.cache
def documents(collection: str) -> tuple[bytes, ...]:
    """Return a collection's documents as BSON; none for a name that is not in stock."""
    stock = STOCK.get(collection)
    return tuple(bson.encode(stock.make(n)) for n in range(stock.count)) if stock else ()


@functools.cache
def reply_to_find(namespace: str, start: int, end: int, size: int, key: str) -> bytes:
    """Return the body of the answer to a `find` or `getMore`, encoded.

    Args:
        namespace: `database.collection`.
        start: Index of the batch's first document.
        end: Index behind the query's last document.
        size: How many documents the batch may have; 0 for as many as fit.
        key: `firstBatch` or `nextBatch`.
    """
    stock = documents(namespace.partition(".")[2])[start:end]
    items: list[bytes] = []
    total = 0
    for document in stock[: size or len(stock)]:
        total += len(document)
        if items and total > LARGEST_BATCH:
            break
        items.append(document)
    position = start + len(items)
    # A cursor's id is all that there is of a cursor: where it stands and where it ends.
    cursor_id = 0 if position >= end else end << 32 | position
    array = _wrap(
        b"".join(b"\x03%d\x00" % index + document for index, document in enumerate(items))
    )
    head = bson.encode({"id": Int64(cursor_id), "ns": namespace})[4:-1]
    cursor = _wrap(head + b"\x04" + key.encode() + b"\x00" + array)
    return _wrap(b"\x03cursor\x00" + cursor + bson.encode({"ok": 1.0})[4:-1])


def _wanted(command: dict[str, Any]) -> int:
    """Return how many documents a `find` or an `aggregate` asks for at most."""
    stages = command.get("pipeline", [{"$match": command.get("filter", {})}])
    limits = [stage["$limit"] for stage in stages if "$limit" in stage]
    limits.append(command.get("limit") or sys.maxsize)
    # By its id, a document is the only one.
    if any(isinstance(_id_of(stage.get("$match", {})), ObjectId) for stage in stages):
        limits.append(1)
    limit: int = min(limits)
    return limit


def _id_of(query: dict[str, Any]) -> Any:
    """Return the `_id` that a query asks for, also as `{"_id": {"$eq": id}}`, else None."""
    wanted = query.get("_id")
    return wanted.get("$eq") if isinstance(wanted, dict) else wanted


def _wrap(elements: bytes) -> bytes:
    """Return a BSON document of elements that are encoded already."""
    return INT.pack(len(elements) + 5) + elements + b"\x00"


def answer(command: dict[str, Any], sequences: dict[str, int]) -> bytes:
    """Return the body of the answer to a command.

    Args:
        command: The command, decoded.
        sequences: Name of each document sequence beside it, and how many documents it has.
    """
    name = next(iter(command))
    if name in ("find", "aggregate") and command[name] in STOCK:
        namespace = f"{command['$db']}.{command[name]}"
        end = min(len(documents(command[name])), _wanted(command))
        size = command.get("cursor", command).get("batchSize", FIRST_BATCH)
        return reply_to_find(namespace, 0, end, size, "firstBatch")
    if name == "getMore":
        namespace = f"{command['$db']}.{command['collection']}"
        end, start = divmod(command["getMore"], 1 << 32)
        return reply_to_find(namespace, start, end, command.get("batchSize", 0), "nextBatch")
    if name == "insert":
        count = sequences.get("documents", 0) + len(command.get("documents", ()))
        return bson.encode({"n": count, "ok": 1.0})
    if name == "update":
        count = sequences.get("updates", 0) + len(command.get("updates", ()))
        return bson.encode({"n": count, "nModified": count, "ok": 1.0})
    if name == "delete":
        count = sequences.get("deletes", 0) + len(command.get("deletes", ()))
        return bson.encode({"n": count, "ok": 1.0})
    if name == "findAndModify":
        first = bson.decode(documents(command["findAndModify"])[0])
        last_error = {"n": 1, "updatedExisting": True}
        return bson.encode({"lastErrorObject": last_error, "value": first, "ok": 1.0})
    if name in ("listCollections", "listIndexes", "aggregate"):
        cursor = {"id": Int64(0), "ns": f"{command['$db']}.$cmd", "firstBatch": []}
        return bson.encode({"cursor": cursor, "ok": 1.0})
    if name in ("hello", "isMaster", "ismaster"):
        return bson.encode({**HELLO, "localTime": datetime.now(UTC)})
    if name in ("buildInfo", "buildinfo"):
        return bson.encode({"version": "7.0.0", "versionArray": [7, 0, 0, 0], "ok": 1.0})
    return bson.encode({"ok": 1.0})


def _read(connection: socket.socket, length: int) -> memoryview:
    """Read exactly so many bytes; `EOFError` when the peer has gone."""
    data = memoryview(bytearray(length))
    done = 0
    while done < length:
        received = connection.recv_into(data[done:])
        if received == 0:
            raise EOFError
        done += received
    return data


def _parse_message(body: memoryview) -> tuple[dict[str, Any], dict[str, int]]:
    """Return an OP_MSG's command and the number of documents in each of its sequences."""
    command: dict[str, Any] = {}
    sequences: dict[str, int] = {}
    at = 4  # behind the flags
    while at < len(body):
        kind = body[at]
        (size,) = INT.unpack_from(body, at + 1)
        section = body[at + 1 : at + 1 + size]
        if kind == 0:
            command = bson.decode(section)
        else:
            end_of_name = 4 + bytes(section[4:64]).index(0)
            count, inside = 0, end_of_name + 1
            while inside < size:
                inside += INT.unpack_from(section, inside)[0]
                count += 1
            sequences[bytes(section[4:end_of_name]).decode()] = count
        at += 1 + size
    return command, sequences


def _parse_query(body: memoryview) -> dict[str, Any]:
    """Return the command in an OP_QUERY, which drivers use for their first hello."""
    end_of_name = 4 + bytes(body[4:260]).index(0)
    return bson.decode(body[end_of_name + 1 + 8 :])


def serve(connection: socket.socket) -> None:
    """Answer one connection's requests until it is closed."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        try:
            while True:
                length, request, _, operation = HEADER.unpack(_read(connection, HEADER.size))
                body = _read(connection, length - HEADER.size)
                if operation == OP_QUERY:
                    reply = answer(_parse_query(body), {})
                    # No flags, cursor 0, starting at 0, one document.
                    head, code = struct.pack("<iqii", 0, 0, 0, 1), OP_REPLY
                else:
                    reply = answer(*_parse_message(body))
                    if INT.unpack_from(body)[0] & MORE_TO_COME:
                        continue
                    head, code = struct.pack("<iB", 0, 0), OP_MSG
                size = HEADER.size + len(head) + len(reply)
                head = HEADER.pack(size, 0, request, code) + head
                # One buffer and one call, so that a small reply is one segment.
                connection.sendall(head + reply)
        except (EOFError, ConnectionError):
            return


def listen(port: int = 0) -> int:
    """Start to serve on loopback in a thread of this process.

    Args:
        port: The port, 0 for one that is free.

    Returns:
        The port that is listened on.

    Raises:
        OSError: The port is taken.

    Example:
        >>> port = listen()
        >>> pymongo.MongoClient("127.0.0.1", port).admin.command("ping")
        {'ok': 1.0}
    """
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    chosen: int = listener.getsockname()[1]
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until standard input ends; the port is the only line printed."""
    parser = argparse.ArgumentParser(
        description="Answer MongoDB drivers on loopback until standard input ends."
    )
    parser.add_argument("--port", type=int, default=0, help="the port (default: one that is free)")
    options = parser.parse_args(arguments)
    try:
        port = listen(options.port)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    # Encoded before the first request, so that no sample waits for it.
    for collection in STOCK:
        documents(collection)
    print(port, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # connections that are still open need no farewell


if __name__ == "__main__":
    sys.exit(main())
