"""Connections with limits: who does not send its request, or does not take its bytes, is dropped.

uvicorn's own two protocols wait for ever for both, take any number of connections, and answer what is not HTTP in
plain text. The limits hold for every route.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response

from fkp_live.server.guard import HEADERS

REQUEST_SECONDS = (
    10.0  # in which a request must be there, from the beginning of the connection or the last answer on
)
TAKE_SECONDS = 20.0  # in which a receiver must take what was written
_MOST_PARTS = 16  # of a message


class _Deadline:
    """Drops a connection unless it is cleared in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, drop: Callable[[], object]) -> None:
        self._loop, self._drop = loop, drop
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Begin, unless it has begun."""
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._drop)

    def clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Http(H11Protocol):
    """An HTTP connection.

    Attributes
    ----------
    most : connections at a time; see `http_of`
    since : when it began to wait for a request, on the clock of the loop
    """

    most: int
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.since = self.loop.time()
        self._asked = _Deadline(self.loop, transport.abort)
        self._taken = _Deadline(self.loop, transport.abort)
        self._asked.set(REQUEST_SECONDS)
        if len(self.connections) > self.most:
            self._make_room()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for the other side: no request is there, or not all of its body."""
        cycle = self.cycle
        if self._upgraded or cycle is None:
            return not self._upgraded
        return cycle.response_complete or (cycle.more_body and not cycle.response_started)

    @property
    def peer(self) -> str:
        """The address of the other side."""
        return self.client[0] if self.client else ""

    def connection_lost(self, exc: Exception | None) -> None:
        self._asked.clear()
        self._taken.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._upgraded = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.since = self.loop.time()
        self._await_request()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # Closing waits until what was written is taken.
        self._taken.set(TAKE_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taken.set(TAKE_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken.clear()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, in the form of every other answer."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()  # in the middle of an answer
            return
        body = _refusal("This is not an HTTP request that can be read, or it is too long.")
        headers = [*HEADERS.items(), *_described(body), ("Connection", "close")]
        events = (h11.Response(status_code=400, headers=headers, reason=b"Bad Request"), h11.Data(data=body))
        for event in (*events, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _make_room(self) -> None:
        """Drop the connection that has waited longest, of those who let most of them wait; this one if no other waits.

        Who looks, or is being answered, stays.
        """
        idle = [each for each in self.connections if isinstance(each, Http) and each.is_idle]
        waiting = Counter(each.peer for each in idle)
        dropped = max(idle, key=lambda each: (waiting[each.peer], -each.since))
        self.connections.discard(dropped)  # and not only once the loop has closed it
        dropped.transport.abort()

    def _await_request(self) -> None:
        """While no request is being answered, the next one must come in time."""
        if self._upgraded:
            self._asked.clear()  # another protocol has the connection
        elif self.transport.is_closing():
            # It stays until what was written is taken.
            self._taken.set(TAKE_SECONDS)
        elif self.cycle is None or self.cycle.response_complete:
            self._asked.set(REQUEST_SECONDS)
        else:
            self._asked.clear()


def http_of(most: int) -> type[Http]:
    """`Http` with this many connections at a time; uvicorn makes them itself, from the class."""
    return type("Http", (Http,), {"most": most})


class WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket. Who does not take its bytes is not heard meanwhile: answers to its pings would pile up."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._taken = _Deadline(self.loop, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._taken.clear()
        super().connection_lost(exc)

    def handle_connect(self, event: Any) -> None:
        reject = self.conn.reject

        def rejected(status: Any, text: str) -> Response:
            """What the package answers to a handshake that is none, in the form of every other answer."""
            response = reject(status, text)
            body = _refusal(" ".join(text.split()) or HTTPStatus(status).phrase)
            response.body = body
            for name, value in (*HEADERS.items(), *_described(body)):
                if name in response.headers:
                    del response.headers[name]
                response.headers[name] = value
            return response

        self.conn.reject = rejected  # type: ignore[method-assign]
        super().handle_connect(event)
        self.conn.reject = reject  # type: ignore[method-assign]

    def handle_cont(self, event: Any) -> None:
        if len(self.frames) < _MOST_PARTS:
            super().handle_cont(event)
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taken.set(TAKE_SECONDS)
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken.clear()
        if not self.read_paused:
            self.transport.resume_reading()


def _refusal(said: str) -> bytes:
    return orjson.dumps({"ok": False, "said": said})


def _described(body: bytes) -> list[tuple[str, str]]:
    return [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
