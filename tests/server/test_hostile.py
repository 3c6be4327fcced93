"""What nobody sends who means well: refused in time, and the server goes on."""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from unittest.mock import Mock

import numpy as np
import pytest
from conftest import until

pytest.importorskip("uvicorn", reason="needs the extra server")
pytest.importorskip("websockets", reason="needs the extra server")

from served import Stream, message, serving
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from fkp_live.server import Controls, app, connections

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """A stream whose time limits are short."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(connections, "TAKE_SECONDS", 0.3)
    with serving(viewers=5) as made:
        made.show()
        yield made
        assert made.get("/healthz")[0] == 200
        with connect(f"{made.sockets}/view") as page:
            page.send("next")
            assert message(page.recv(20))[0]["frame"]["frame"] == made.shown - 1


def opened(stream: Stream, sent: bytes = b"", *, room: int = 0) -> socket.socket:
    """A connection; ``room``: bytes that the system holds for a receiver that does not read."""
    connection = socket.socket()
    connection.settimeout(20)
    if room:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    connection.connect(stream.address)
    connection.sendall(sent)
    return connection


def is_dropped(connection: socket.socket) -> bool:
    """Whether the server closes a connection, after whatever it answers."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    connection.close()
    return True


def pour(connection: socket.socket, data: bytes) -> None:
    """Send without an end, until the server drops the connection."""
    with pytest.raises(ConnectionError):  # noqa: PT012
        while True:
            connection.sendall(data)


def status_of(stream: Stream, sent: bytes) -> int:
    """Status of the answer to raw bytes; 0 where the connection is dropped without one."""
    with opened(stream) as connection:
        try:
            connection.sendall(sent)
            first = connection.recv(4096)
        except ConnectionError:
            return 0
    return int(first.split()[1]) if first.startswith(b"HTTP/1.1 ") else 0


def test_a_rebound_name_and_a_foreign_page(stream: Stream) -> None:
    assert stream.get("/state", Host="evil.example")[0] == 403
    assert (
        stream.get("/control", "POST", b'{"do": "mirror", "on": true}', Origin="http://evil.example")[0]
        == 403
    )
    for path in ("/view", "/points"):
        with pytest.raises(Exception, match="403"):
            connect(stream.sockets + path, origin="http://evil.example").__enter__()  # type: ignore[arg-type]
    assert json.loads(stream.get("/state")[2])["mirror"] is False


def test_a_large_body_is_not_read(stream: Stream) -> None:
    head = b"POST /control HTTP/1.1\r\nHost: localhost\r\n"
    connection = opened(stream, head + b"Content-Length: 104857600\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 413"
    assert is_dropped(connection)
    # Of unknown length.
    with opened(stream, head + b"Transfer-Encoding: chunked\r\n\r\n") as connection:
        pour(connection, b"1000\r\n" + b"a" * 4096 + b"\r\n")
    for kept in (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"Content-Length: x\r\n\r\n"):
        assert status_of(stream, head + kept) == 400


def test_a_thousand_requests_that_are_none(stream: Stream) -> None:
    chance = random.Random(17)
    whole = b"GET /view HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    for number in range(1000):
        if number % 2:
            sent = chance.randbytes(chance.randrange(1, 200)) + b"\r\n\r\n"
        else:
            damaged = bytearray(whole)
            for _ in range(3):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            sent = bytes(damaged)
        with suppress(OSError), opened(stream, sent) as connection:
            connection.shutdown(socket.SHUT_WR)
    # Until then there are too many connections to take another.
    until(lambda: status_of(stream, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200)
    for sent in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://evil/ HTTP/1.1\r\nHost: evil\r\n\r\n",
    ):
        assert status_of(stream, sent) in (400, 403)
    assert status_of(stream, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n") in (
        0,
        400,
        431,
    )


def test_slow_requests_are_dropped(stream: Stream) -> None:
    silent = [opened(stream) for _ in range(20)]
    halves = [opened(stream, b"GET /state HTTP/1.1\r\nHost: localhost\r\nX: ") for _ in range(20)]
    asked = opened(stream, b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\nGET /sta")
    assert stream.get("/healthz")[0] == 200
    with connect(f"{stream.sockets}/points") as patient:
        patient.recv(20)
        for connection in (*silent, *halves, asked):
            assert is_dropped(connection)
        late = opened(stream)
        assert is_dropped(late)  # as long again
        stream.show()
        assert json.loads(patient.recv(20))["frame"] == 0  # who looks may be silent


HALF = b"POST /control HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET /state HTTP/1.1\r\nHost: ", HALF])
def test_connections_that_wait_lock_nobody_out(sent: bytes) -> None:
    with serving(viewers=2) as stream, connect(f"{stream.sockets}/points") as viewer:
        viewer.recv(20)
        player = opened(stream, b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert player.recv(12) == b"HTTP/1.1 200"
        held = [opened(stream, sent) for _ in range(150)]
        for _ in range(3):
            assert stream.get("/healthz")[0] == 200
        assert is_dropped(held[0]), "the one that has waited longest gives way"
        stream.show()
        assert json.loads(viewer.recv(20))["frame"] == 0
        seen = b""
        while b"image/jpeg" not in seen:
            seen += player.recv(65536)
        for connection in (*held, player):
            connection.close()


def test_a_peer_with_many_connections_gives_way_to_others() -> None:
    class Waits(connections.Http):
        def __init__(self, peer: str, since: float) -> None:
            self.client, self.since, self.cycle = (peer, 1), since, None
            self.transport = Mock()

    one, others = Waits("10.0.0.1", 1.0), [Waits("10.0.0.2", number) for number in (3.0, 2.0, 4.0)]
    together = {one, *others}
    for each in together:
        each.connections = together  # type: ignore[assignment]
    others[2]._make_room()
    assert [each.transport.abort.called for each in (one, *others)] == [False, False, True, False]
    assert together == {one, others[0], others[2]}


def test_every_refusal_is_json(stream: Stream) -> None:
    local = b" HTTP/1.1\r\nHost: localhost\r\n"
    upgraded = b"GET /view" + local + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    for sent, status in (
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + local + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + local + b"X: " + b"a" * 20_000, 400),
        (b"POST /control" + local + b"Content-Length: x\r\n\r\n", 400),
        (b"PUT /" + local + b"\r\n", 405),
        (b"GET /none" + local + b"\r\n", 404),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (upgraded + b"\r\n", 400),
        (upgraded + b"Sec-WebSocket-Key: AAAA\r\nSec-WebSocket-Version: 13\r\n\r\n", 400),
        (upgraded + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 7\r\n\r\n", 400),
    ):
        with opened(stream) as connection:
            with suppress(OSError):
                connection.sendall(sent)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            said = json.loads(answer.read())
        assert answer.status == status, sent[:200]
        assert said["ok"] is False
        assert said["said"].strip()
        assert answer.headers.get_content_type() == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_breaks_in_the_middle_of_an_answer_ends_it(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with opened(stream, b"GET /stream.mjpg HTTP/1.1\r\n" + head) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.sendall(b"nonsense\r\n")
        assert is_dropped(connection)
    assert not caplog.records


def upgrade(path: str) -> bytes:
    """The request that opens a WebSocket."""
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    upgraded = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"GET {path} HTTP/1.1\r\n{upgraded}{key}".encode()


def test_viewers_that_never_read_are_dropped_and_delay_nobody(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TAKE_SECONDS", 1.0)  # long enough for the one who reads
    noise = np.random.default_rng(3).integers(0, 256, (360, 640, 3), np.uint8)
    deaf = opened(stream, b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n", room=4096)
    greedy = opened(stream, upgrade("/view"), room=4096)
    ask = b"\x81\x84" + bytes(4) + b"next"
    until(lambda: stream.server.viewers == 2)
    with connect(f"{stream.sockets}/view") as page:
        while stream.server.viewers > 1:
            with suppress(ConnectionError):
                greedy.sendall(ask)
            stream.show(noise)
            page.send("next")
            assert message(page.recv(20))[0]["frame"]["frame"] == stream.shown - 1
            time.sleep(0.02)
    for connection in (deaf, greedy):
        connection.close()


def test_pings_whose_answers_nobody_takes(stream: Stream) -> None:
    ping = b"\x89\xfd" + bytes(4) + bytes(125)
    with opened(stream, upgrade("/points"), room=4096) as connection:
        pour(connection, ping * 1000)


def test_messages_that_are_too_large_end_the_conversation(stream: Stream) -> None:
    with connect(f"{stream.sockets}/view") as page:
        page.send("x" * 5000)
        with pytest.raises(ConnectionClosedError):
            page.recv(20)
    with connect(f"{stream.sockets}/view") as page:
        page.send("hello")
        page.send(b"\x00next")
        page.send("next")
        assert message(page.recv(20))[0]["frame"]["frame"] == 0


def test_a_stream_that_stands_still_answers_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_CONTROL_SECONDS", 0.2)
    done: list[str] = []
    statuses: list[int] = []

    def record() -> str:
        done.append("recorded")
        return "recording"

    with serving(controls=Controls(record=record)) as stream:
        asking = [
            threading.Thread(
                target=lambda: statuses.append(stream.get("/control", "POST", b'{"do": "record"}')[0])
            )
            for _ in range(12)
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        stream.server.obey()  # nobody waits any more
        assert statuses == [503] * 12
        assert done == []
        assert stream.ask(do="record")[0] == 200


def test_leaving_without_a_word(stream: Stream) -> None:
    for _ in range(20):
        connection = opened(stream, b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        stream.show()
    until(lambda: stream.server.viewers == 0)
