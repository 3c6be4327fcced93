"""The routes: the page, the pictures, the numbers, the buttons. An ASGI application; `guard.Guard` stands in front.

    /                 the page, with its files under /live, /common and /uplot
    /stream.mjpg      the painted picture, for <img>, OBS, VLC and OpenCV
    /snapshot.png     the newest picture, painted; ?clean=1: as it came
    /state, /healthz  what goes on, as JSON
    /view             WebSocket of the page: a frame with its numbers for each "next"
    /points           WebSocket for programs: the lines of a JSONL file
    /control          POST: what the buttons ask for

A viewer is who looks at /stream.mjpg, /view or /points.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from fkp_live.server.controls import RefusedError, parsed
from fkp_live.server.guard import MOST_BODY, answer
from fkp_live.server.live import Live
from fkp_live.server.static_files import static_files

_BOUNDARY = "fkp-live-frame"
_MULTIPART = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
_SEPARATOR = f"--{_BOUNDARY}\r\n".encode()
_CHUNK = 65_536  # bytes of a picture that are written at a time, so that a slow receiver holds no more
_BODY_SECONDS, _CONTROL_SECONDS, _FIRST_SECONDS, _LAST_SECONDS = 10.0, 5.0, 10.0, 0.5
_MOST_ASKED = 4  # frames that a page may ask for ahead

Page = Callable[[Request], Awaitable[Response]]
Talk = Callable[[WebSocket], Awaitable[None]]


class App:
    """Answers requests about one live stream.

    Parameters
    ----------
    live : the stream
    report : called with a message for an unexpected failure
    """

    def __init__(self, live: Live, report: Callable[[str], object]) -> None:
        self._live, self._report = live, report
        self._files = static_files()
        self._pages: dict[str, Page] = {
            "/snapshot.png": self._snapshot,
            "/state": self._state,
            "/healthz": self._health,
        }
        self._talks: dict[str, Talk] = {"/view": self._view, "/points": self._points}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            if scope["type"] == "websocket":
                await self._socket(scope, receive, send)
            elif scope["path"] == "/stream.mjpg" and scope["method"] == "GET":
                await self._stream(scope, receive, send)
            else:
                response = await self._response(Request(scope, receive))
                await response(scope, receive, send)
        except (RefusedError, TimeoutError) as error:
            await _refusal(error)(scope, receive, send)
        except (ClientDisconnect, WebSocketDisconnect, OSError):
            pass  # it has left
        except Exception as error:
            self._report(f"A request of a browser failed: {type(error).__name__}: {error}")
            if scope["type"] == "http":
                with suppress(RuntimeError):  # the answer has begun, and is broken off
                    await answer(500, f"It failed: {type(error).__name__}.")(scope, receive, send)
            raise

    async def _response(self, request: Request) -> Response:
        path, method = request.scope["path"], request.method
        if path == "/control":
            return await self._control(request) if method == "POST" else _not_allowed("POST")
        if method not in ("GET", "HEAD"):
            return _not_allowed("GET, HEAD")
        if path == "/stream.mjpg":  # of HEAD
            return Response(media_type=_MULTIPART)
        if (page := self._pages.get(path)) is not None:
            return await page(request)
        if (file := self._files.get(path)) is not None:
            return Response(file.data, media_type=file.kind)
        return answer(404, "There is nothing under this URL.")

    # ----- pages

    async def _state(self, request: Request) -> Response:
        return JSONResponse(self._live.state())

    async def _health(self, request: Request) -> Response:
        state = self._live.state()
        return JSONResponse(
            {"status": "ok"} | {name: state[name] for name in ("frames", "fps", "viewers", "ended")}
        )

    async def _snapshot(self, request: Request) -> Response:
        clean = request.query_params.get("clean", "0") not in ("", "0", "false")
        encoder = self._live.clean_png if clean else self._live.painted_png
        found = await asyncio.wait_for(encoder.after(0), _FIRST_SECONDS)
        if found is None:
            return answer(404, "The stream has ended without a picture.")
        return _Chunks(found.data, media_type="image/png")

    async def _control(self, request: Request) -> Response:
        body = bytearray()
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BODY:
                    refusal = answer(413, f"The body is longer than {MOST_BODY} bytes.")
                    refusal.headers["connection"] = "close"
                    return refusal
        said = self._live.control(parsed(bytes(body)))
        if not isinstance(said, str):
            # The stream's thread does it; a stream that stands still does nothing.
            said = await asyncio.wait_for(asyncio.wrap_future(said), _CONTROL_SECONDS)
        return answer(200, said)

    # ----- viewers

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._live.seats.seat():
            headers = [(b"content-type", _MULTIPART.encode()), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})

            async def pictures() -> None:
                number = 0
                await _send_body(send, _SEPARATOR, more=True)
                while (found := await self._live.painted_jpeg.after(number)) is not None:
                    number, data = found.number, found.data
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
                    # The separator at once and not with the next picture: browsers wait for it.
                    await _send_body(send, head + data + b"\r\n" + _SEPARATOR, more=True)
                await _send_body(send, b"", more=False)

            async def left() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass

            await _first_of(pictures(), left())

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        talk = self._talks.get(scope["path"])
        if talk is None:
            await socket.send_denial_response(answer(404, "There is no WebSocket under this URL."))
            return
        try:
            with self._live.seats.seat():
                await socket.accept()
                await talk(socket)
                await socket.close(1000)
        except RefusedError as error:
            await socket.send_denial_response(answer(error.status, error.said))

    async def _view(self, socket: WebSocket) -> None:
        asked: asyncio.Queue[bool] = asyncio.Queue(_MOST_ASKED)
        number = 0  # of the frame that the page has

        async def frames() -> None:
            nonlocal number
            while await asked.get() and (found := await self._live.page.after(number)) is not None:
                number = found.number
                await socket.send_bytes(found.data)
            await socket.send_text('{"ended":true}')

        async def listen() -> None:
            while (message := await socket.receive())["type"] == "websocket.receive":
                if message.get("text") == "next" and not asked.full():
                    asked.put_nowait(True)

        async def over() -> None:
            newest = self._live.newest
            await newest.over.wait()
            if newest.shown is not None and newest.shown.number > number:
                await asyncio.sleep(_LAST_SECONDS)  # the page may be about to ask for the last frame
            # Also who does not ask learns that there is no other.
            await asked.put(False)
            await asyncio.Event().wait()

        await _first_of(frames(), listen(), over())

    async def _points(self, socket: WebSocket) -> None:
        async def lines() -> None:
            await socket.send_text(self._live.header)
            number = 0
            while (line := await self._live.newest.line_after(number)) is not None:
                number = line.number
                await socket.send_text(line.text)

        async def listen() -> None:
            while (await socket.receive())["type"] == "websocket.receive":
                pass

        await _first_of(lines(), listen())


class _Chunks(Response):
    """A body that is written in parts, each once the one before it has been taken."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send_body(send, bytes(self.body), more=False)


async def _send_body(send: Send, data: bytes, *, more: bool) -> None:
    for begin in range(0, len(data) or 1, _CHUNK):
        part = data[begin : begin + _CHUNK]
        rest = more or begin + _CHUNK < len(data)
        await send({"type": "http.response.body", "body": part, "more_body": rest})


async def _first_of(*works: Awaitable[object]) -> None:
    """Run until one of them ends, which ends the others; raises what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _refusal(error: RefusedError | TimeoutError) -> Response:
    if isinstance(error, RefusedError):
        return answer(error.status, error.said)
    return answer(503, "The stream delivers no frame now. Try again.")


def _not_allowed(methods: str) -> Response:
    refusal = answer(405, f"Expected {methods}.")
    refusal.headers["allow"] = methods
    return refusal
