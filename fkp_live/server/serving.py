"""`Server`: one live stream served to browsers and programs, by uvicorn in a thread of its own.

Several streams are several servers, each with a port and a thread; their pipelines may share an `Engine`.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import uvicorn

from fkp_live.display.look import Look
from fkp_live.errors import OutputError
from fkp_live.pipeline import Pipeline
from fkp_live.server.address import Address, is_loopback, listen, parse_address, shown_host
from fkp_live.server.app import App
from fkp_live.server.connections import WebSocket, http_of
from fkp_live.server.controls import Controls
from fkp_live.server.guard import MOST_BODY, MOST_HEADERS, Guard, own_names
from fkp_live.server.live import Live
from fkp_live.server.viewers import Seats
from fkp_live.types import Frame, FrameResult, Picture, SourceInfo

VIEWERS = 50
_SPARE = 100  # connections beyond the viewers', for pages and requests
_START_SECONDS, _END_SECONDS = 20.0, 1.0
_NAP = 0.02  # seconds


class Server:
    """Serves one live stream: a context manager that listens from the beginning, and answers from `begin` on.

    `show` and `obey` are for the thread that processes the stream. Neither waits for a viewer: each gets the newest
    frame when it takes one, and whoever takes nothing for a time is dropped.

    Parameters
    ----------
    address : such as ``127.0.0.1:8068``, ``:9000``, ``[::1]:0``; port 0 is any that is free
    viewers : at most this many at a time
    report : called with a message for an unexpected failure, from the server's thread; None: silent

    Attributes
    ----------
    url : of the page, with the token where one is needed
    token : needed in URLs where other machines reach the address; else empty

    Raises
    ------
    UsageError, OutputError : the text is no address; the address cannot be had

    Example
    -------
    >>> with Server(":0") as server, open_source(0) as source:
    ...     pipeline = Pipeline()
    ...     server.begin(source.info, pipeline)
    ...     print(server.url)
    ...     process_stream(source, pipeline, on_frame=server.show, between=server.obey)
    """

    def __init__(
        self,
        address: str | Address | None = None,
        *,
        viewers: int = VIEWERS,
        report: Callable[[str], object] | None = None,
    ) -> None:
        at = parse_address(address) if isinstance(address, str) else address or Address()
        self._socket = listen(at)
        self._port: int = self._socket.getsockname()[1]
        self.token = "" if is_loopback(self._socket) else secrets.token_urlsafe(16)
        host = shown_host(at, self._socket)
        query = f"?token={self.token}" if self.token else ""
        self.url = f"http://{host}:{self._port}/{query}"
        self._hosts = {host.strip("[]").lower(), at.host.lower()} | (own_names() if self.token else set())
        self._seats, self._most = Seats(viewers), viewers + _SPARE
        self._report = report or (lambda text: None)
        self._live: Live | None = None
        self._uvicorn: _Uvicorn | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def viewers(self) -> int:
        """How many look now."""
        return self._seats.taken

    def begin(
        self,
        info: SourceInfo,
        pipeline: Pipeline | None = None,
        *,
        header: dict[str, Any] | None = None,
        look: Look | None = None,
        controls: Controls | None = None,
        mirror: bool = False,
        dropped: Callable[[], int] = int,
    ) -> None:
        """Begin to answer. See `live.Live` for the parameters.

        Raises
        ------
        OutputError : the server does not start
        """
        if self._thread is not None or self._closed:
            raise ValueError("begin() of a Server that has begun, or is closed")
        self._live = Live(
            info,
            pipeline,
            header=header,
            look=look or Look(),
            controls=controls or Controls(),
            mirror=mirror,
            dropped=dropped,
            seats=self._seats,
        )
        app = Guard(App(self._live, self._report), self._hosts, self._port, self.token)
        self._uvicorn = _Uvicorn(_configuration(app, self._most), self._live.maker.start)
        self._thread = threading.Thread(target=self._run, name="fkp-live server", daemon=True)
        self._thread.start()
        self._uvicorn.ready.wait(_START_SECONDS)
        if not self._uvicorn.started:
            raise OutputError("The server does not start.", "Run fkp-live with FKP_DEBUG=1 to see why.")

    def show(self, frame: Frame, result: FrameResult, painted: Picture | None = None) -> None:
        """Show a frame to all who look: ``on_frame`` of `process_stream`. Its picture must not change any more."""
        self._begun.show(frame, result)

    def obey(self) -> None:
        """Carry out what pages have asked for: ``between`` of `process_stream`."""
        self._begun.waiting.obey()

    def await_viewer(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait until somebody looks or ``stopped`` returns true, and carry out what pages ask for meanwhile."""
        while not (self._seats.served or stopped()):
            self.obey()
            time.sleep(_NAP)

    def say(self, text: str) -> None:
        """Let pages show words for some seconds. May be called from any thread."""
        self._begun.say(text)

    def close(self) -> None:
        """Tell viewers that the stream is over, and end. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._thread is None or self._live is None or self._uvicorn is None:
            self._socket.close()
            return
        self._live.waiting.close()
        self._live.newest.end()
        # A viewer that takes its bytes knows at once; the others are not waited for.
        until = time.monotonic() + _END_SECONDS
        while self._seats.taken and time.monotonic() < until and self._thread.is_alive():
            time.sleep(_NAP)
        self._uvicorn.should_exit = True
        self._thread.join()
        self._live.maker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _begun(self) -> Live:
        if self._live is None:
            raise ValueError("the Server has not begun: call begin() first")
        return self._live

    def _run(self) -> None:
        assert self._uvicorn is not None
        try:
            self._uvicorn.run([self._socket])
        except (Exception, SystemExit) as error:
            self._report(f"The server has ended: {type(error).__name__}: {error}")
        finally:
            self._uvicorn.ready.set()
            self._socket.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, which says when it is ready and drops at its end who does not leave.

    Parameters
    ----------
    attach : called with its event loop
    """

    def __init__(self, config: uvicorn.Config, attach: Callable[[asyncio.AbstractEventLoop], object]) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._attach = attach

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._attach(asyncio.get_running_loop())
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _configuration(app: Any, connections: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=http_of(connections),
        ws=WebSocket,
        lifespan="off",
        log_config=None,
        log_level="critical",  # a request that makes no sense is not worth a line each
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MOST_HEADERS,
        ws_max_size=MOST_BODY,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        ws_per_message_deflate=False,
    )
