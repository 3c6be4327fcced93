"""Connections with time limits: who does not send its request, or does not take its bytes, is dropped.

uvicorn's own two protocols wait for ever for both. Nothing here reads or writes; the limits hold for every route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

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
    """

    most: int
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._asked = _Deadline(self.loop, transport.abort)
        self._taken = _Deadline(self.loop, transport.abort)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._asked.set(REQUEST_SECONDS)

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
