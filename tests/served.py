"""Servers on loopback for tests, and what a browser or a program does with them."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from conftest import numbered

from fkp_live.images.picture import BgrPicture
from fkp_live.server import Controls, Server
from fkp_live.types import Face, Frame, FrameResult, Image, SourceInfo

INFO = SourceInfo("film.mp4", 160, 96, fps=30.0)


def face(x: float = 60.0, y: float = 40.0) -> Face:
    """A face whose points lie on a grid."""
    columns, rows = np.meshgrid(x + np.arange(17) * 2.0, y + np.arange(4) * 8.0)
    points = np.stack([columns.ravel(), rows.ravel()], -1).astype(np.float32)
    box = np.array([*points.min(0), *points.max(0)], np.float32)
    return Face(points, np.ones(68, np.float32), box, 0.9, id=1, raw=points)


class Stream:
    """A stream in the test's own thread: `show` sends a numbered frame.

    Attributes
    ----------
    server : has begun
    """

    def __init__(self, server: Server) -> None:
        self.server, self.shown = server, 0

    def show(self, image: Image | None = None) -> None:
        """Show the next frame, with one face."""
        image = numbered(self.shown % 256) if image is None else image
        frame = Frame(BgrPicture(image), self.shown, self.shown / 30, time.perf_counter())
        self.server.show(frame, FrameResult.of(frame, [face()]))
        self.shown += 1

    def get(self, path: str, method: str = "GET", body: bytes | str | None = None, **headers: str) -> Any:
        """Status, headers and body of an answer."""
        host, port = self.address
        connection = http.client.HTTPConnection(host, port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def ask(self, **asked: Any) -> tuple[int, dict[str, Any]]:
        """Status and answer of a request of a button, while the stream goes on."""
        stop = threading.Event()
        obeying = threading.Thread(target=self._obey, args=(stop,))
        obeying.start()
        try:
            status, _, body = self.get("/control", "POST", json.dumps(asked))
        finally:
            stop.set()
            obeying.join()
        return status, json.loads(body)

    def _obey(self, stop: threading.Event) -> None:
        while not stop.wait(0.005):
            self.server.obey()

    @property
    def address(self) -> tuple[str, int]:
        """Of the server."""
        return "127.0.0.1", int(self.server.url.split("/")[2].rpartition(":")[2])

    @property
    def sockets(self) -> str:
        """What URLs of its WebSockets begin with."""
        return f"ws://127.0.0.1:{self.address[1]}"


@contextmanager
def serving(
    address: str = ":0", *, viewers: int = 50, info: SourceInfo = INFO, controls: Controls | None = None
) -> Iterator[Stream]:
    """A server that has begun."""
    with Server(address, viewers=viewers) as server:
        server.begin(info, controls=controls)
        yield Stream(server)


def message(data: bytes | str) -> tuple[dict[str, Any], bytes]:
    """Head and JPEG of a message of /view."""
    assert isinstance(data, bytes)
    length = int.from_bytes(data[:4], "big")
    return json.loads(data[4 : 4 + length]), data[4 + length :]
