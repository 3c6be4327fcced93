"""Shared by the tests: a real face, small clips of any kind, and a camera that serves HTTP on loopback."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # before av: see docs/architecture.md
import numpy as np
import pytest
from skimage import data

from fkp_live.sources import open_source
from fkp_live.types import Frame, Image

# For torch, in child processes too: networks this small gain nothing by more threads, and threads that wait for a busy
# core cost minutes where tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data that may lie beside the checkout."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs ../shared/data, which is not here")
    return SHARED


@pytest.fixture(autouse=True)
def scheduled_as_others() -> Iterator[None]:
    """Started by root, the AV1 encoder that makes test pictures leaves the process at real-time priority."""
    yield
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture(scope="session", autouse=True)
def hangups_end_processes() -> None:
    """Under nohup, as CI may run, SIGHUP is ignored, and the commands that tests start would inherit that."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """(512, 512, 3) BGR portrait of one person looking into the camera."""
    image = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    image.setflags(write=False)
    return np.asarray(image)


def numbered(number: int, width: int = 160, height: int = 96) -> Image:
    """A picture that shows its number (0 to 255) in eight blocks, black or white, and survives any codec."""
    image = np.full((height, width, 3), 128, np.uint8)
    for bit in range(8):
        left = bit * width // 8
        image[height // 4 : 3 * height // 4, left : (bit + 1) * width // 8] = 255 if number >> bit & 1 else 0
    return image


def number_of(image: Image) -> int:
    """Reads what `numbered` wrote, at any size."""
    height, width = image.shape[:2]
    return sum(1 << bit for bit in range(8) if image[height // 2, (2 * bit + 1) * width // 16].mean() > 128)


def _make_clip(
    path: Path,
    pictures: Sequence[Image] | int = 30,
    *,
    rate: int = 30,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    sound: str | None = None,
    sound_start: float = 0.0,
    rotation: int = 0,
    hflip: bool = False,
    faststart: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip; the container follows from the name of ``path``.

    Parameters
    ----------
    pictures : BGR pictures of one size, or how many from `numbered`
    pts, time_base : a timestamp for each picture: an uneven rate, a late start; default: 0, 1, 2 … of 1 /
    rate
    sound : an audio codec ("aac", "pcm_s16le", "libopus" …) for a tone as long as the pictures; None: silent
    sound_start : seconds at which the tone begins
    rotation, hflip : display matrix: players turn by this many degrees counter-clockwise, then mirror
    """
    import av

    pictures = [numbered(i) for i in range(pictures)] if isinstance(pictures, int) else pictures
    pts = range(len(pictures)) if pts is None else pts
    base = time_base or Fraction(1, rate)
    with av.open(str(path), "w", container_options={"movflags": "faststart"} if faststart else {}) as output:
        video: Any = output.add_stream(codec, rate=rate, options=options)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.codec_context.time_base = base
        if rotation or hflip:
            if not hasattr(video, "set_display_rotation"):
                pytest.skip("this PyAV cannot write a display matrix")
            video.set_display_rotation(rotation, hflip=hflip)
        audio: Any = output.add_stream(sound, rate=48000) if sound else None
        if audio is not None:
            audio.bit_rate = 96_000
        for stamp, picture in zip(pts, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts, frame.time_base = stamp, base
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None:
            seconds = float((pts[-1] - pts[0]) * base) + 1 / rate
            tone = np.sin(np.arange(int(48000 * seconds)) * 2 * np.pi * 440 / 48000) * 8000
            for at in range(0, len(tone), 960):
                part = np.repeat(tone[at : at + 960], 2).astype(np.int16)[None]
                heard: Any = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
                heard.sample_rate, heard.pts = 48000, at + round(sound_start * 48000)
                heard.time_base = Fraction(1, 48000)
                output.mux(audio.encode(heard))
            output.mux(audio.encode(None))
    return path


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what another thread will bring about; fails if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.005)


def joined(path: Path, *parts: Path) -> Path:
    """One file of the bytes of several, as recorders and ``cat`` make it."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def read(spec: str | int | Path, **options: Any) -> list[Frame]:
    """All frames of a source."""
    with open_source(spec, **options) as source:
        return list(source)


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """Writes small clips: see `_make_clip` for its parameters."""
    return _make_clip


class Endless:
    """A clip that begins again at its end, as a camera never ends, however late its reader comes."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        # Held, not inherited from: OpenCV frees an object of a subclass wrongly, and later something else crashes.
        self._capture = capture

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)

    def read(self) -> tuple[bool, Any]:
        """Read the next picture."""
        ok, image = self._capture.read()
        if not ok:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            ok, image = self._capture.read()
        return ok, image


class MjpegServer:
    """Sends pictures as multipart MJPEG over HTTP on loopback, as network cameras do.

    ``picture`` gives each picture by its number, as an image or as the bytes of a JPEG. ``sent`` counts the pictures
    sent; `stall` stops sending without closing, `hang_up` closes connections. With ``rate`` None a picture is sent only
    where `send` allows it. ``port`` 0 is any that is free.
    """

    def __init__(
        self, picture: Callable[[int], Image | bytes], rate: float | None, count: int | None, port: int = 0
    ) -> None:
        self.sent = 0
        self._allowed = threading.Semaphore(0)
        self.stall = threading.Event()
        self.hang_up = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                begun = time.monotonic()
                try:
                    while not outer.hang_up.is_set() and outer.sent != count:
                        if rate is None and not outer._allowed.acquire(timeout=0.02):
                            continue
                        if not outer.stall.is_set():
                            shown = picture(outer.sent)
                            jpeg = (
                                shown
                                if isinstance(shown, bytes)
                                else cv2.imencode(".jpg", shown)[1].tobytes()
                            )
                            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                            self.wfile.write(f"--frame\r\n{head}\r\n\r\n".encode() + jpeg + b"\r\n")
                            outer.sent += 1
                        if rate is not None:
                            time.sleep(max(begun + outer.sent / rate - time.monotonic(), 0.001))
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/live"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def send(self, count: int) -> None:
        """Allow this many more pictures."""
        self._allowed.release(count)

    def close(self) -> None:
        self.hang_up.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mjpeg_server() -> Iterator[Callable[..., MjpegServer]]:
    """Starts servers: ``mjpeg_server(picture=None, rate=30.0, count=None, port=0)``; all are closed afterwards."""
    servers: list[MjpegServer] = []

    def start(
        picture: Callable[[int], Image | bytes] | None = None,
        rate: float | None = 30.0,
        count: int | None = None,
        port: int = 0,
    ) -> MjpegServer:
        servers.append(MjpegServer(picture or (lambda i: numbered(i % 256)), rate, count, port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Fails if a reader or encoder outlives the test."""
    # What an earlier test left behind is that test's failure alone.
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while left := [t for t in set(threading.enumerate()) - before if t.name.startswith("fkp-live")]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads left: {left}")
        time.sleep(0.01)
