"""A write whose reply is lost is sent again by the driver: no false alarm, and no second effect."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.errors import AutoReconnect
from pymongo.uri_parser import parse_uri

from mongokit import Connection, Document, StaleDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.replica_set


class Account(Document):
    structure = {"balance": int, "version": int}
    version_field = "version"


class Proxy:
    """Stands between a client and the server, and swallows replies to commands of a name."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.swallow: tuple[bytes, int] = (b"", 0)
        self.swallowed = 0
        self.sockets: list[socket.socket] = []
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def lose_replies(self, command: str, times: int) -> None:
        self.swallow, self.swallowed = (command.encode(), times), 0

    def close(self) -> None:
        for each in (self.listener, *self.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.server)
            except OSError:
                return
            self.sockets += [client, server]
            thread = threading.Thread(target=self._serve, args=(client, server), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        lost: set[int] = set()
        try:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source in ready:
                    message = _read(source)
                    if not message:
                        return
                    request, response = struct.unpack_from("<ii", message, 4)
                    name, times = self.swallow
                    if source is client and times and b"\x02" + name + b"\x00" in message[:64]:
                        self.swallow = (name, times - 1)
                        lost.add(request)
                    elif source is server and response in lost:
                        self.swallowed += 1
                        return
                    (server if source is client else client).sendall(message)
        except OSError:
            return
        finally:
            client.close()
            server.close()


def _read(source: socket.socket) -> bytes:
    message = _exactly(source, 4)
    if not message:
        return b""
    return message + _exactly(source, struct.unpack("<i", message)[0] - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            return b""
        data += part
    return data


@pytest.fixture
def proxy(mongodb_uri: str) -> Iterator[Proxy]:
    made = Proxy(parse_uri(mongodb_uri)["nodelist"][0])
    yield made
    made.close()


@pytest.fixture
def connection(proxy: Proxy) -> Iterator[Connection]:
    options: Any = {"heartbeatFrequencyMS": 500, "serverMonitoringMode": "poll"}
    with Connection("127.0.0.1", proxy.port, directConnection=True, **options) as client:
        yield client


@pytest.fixture
def account(connection: Connection, database_name: str) -> Any:
    made = connection[database_name]["accounts"].documents(Account)(
        {"_id": 1, "balance": 0, "version": None}
    )
    made.save()
    return made


def test_save_whose_reply_is_lost_is_no_lost_race(account: Any, proxy: Proxy) -> None:
    proxy.lose_replies("update", 1)
    account["balance"] = 5

    account.save()

    assert proxy.swallowed == 1
    assert account["version"] == 2
    assert account.collection.find_one() == dict(account)


def test_first_save_whose_reply_is_lost_is_no_lost_race(account: Any, proxy: Proxy) -> None:
    other = account.collection.documents(Account)({"_id": 2, "balance": 0, "version": None})
    proxy.lose_replies("update", 1)

    other.save()

    assert proxy.swallowed == 1
    assert account.collection.find_one({"_id": 2}) == {"_id": 2, "balance": 0, "version": 1}


def test_patch_whose_reply_is_lost_is_applied_once(account: Any, proxy: Proxy) -> None:
    proxy.lose_replies("findAndModify", 1)

    account.patch(inc={"balance": 5}, when={"balance": 0})

    assert proxy.swallowed == 1
    assert account.collection.find_one() == {"_id": 1, "balance": 5, "version": 2} == account


def test_bulk_write_whose_reply_is_lost_is_no_lost_race(account: Any, proxy: Proxy) -> None:
    proxy.lose_replies("update", 1)
    account["balance"] = 5

    account.collection.documents(Account).bulk_write([account])

    assert proxy.swallowed == 1
    assert account.collection.find_one() == dict(account)


def test_save_whose_replies_are_all_lost_may_have_happened(account: Any, proxy: Proxy) -> None:
    proxy.lose_replies("update", 2)
    account["balance"] = 5

    with pytest.raises(AutoReconnect):
        account.save()

    assert proxy.swallowed == 2
    assert account["version"] == 1
    with pytest.raises(StaleDocument):  # nobody knows that it was its own write
        account.save()
    account.reload()
    account.save()
    assert account.collection.find_one() == {"_id": 1, "balance": 5, "version": 3}
