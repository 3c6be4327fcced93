"""What ten viewers of ``--serve`` cost the stream that they look at, as ratios within one run.

    python -m benchmarks.serving [--seconds S] [--json FILE]

The demo clip comes again and again at 30 frames a second, as from a camera: a frame that is due while the one before it
is still being worked on is dropped. Stretches of ten seconds without anybody and with ten viewers take turns, until ten
viewers have looked for S seconds. They are programs in a process of their own: four pages, two players of the painted
stream, two readers of numbers, and two that never read, one of which asks for frames without end. On a small machine
that process takes time from the stream as well, as a browser on the same machine would.

- median age of a frame at the end of its walk with viewers over that without (at most 1.1), and that of 95 % (at most
  1.5); the median of all pairs of stretches, as below
- seconds from frame to frame with viewers over those without (at most 1.03)
- resident memory after the last stretch over that after the first one with viewers (at most 1.05)
- the worst of the eight that read: frames of the stream over frames that it got (at most 1.25)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.script import Promise, report, result_file, run
from fkp_live.arguments import positive
from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import RATE, demo_clip
from fkp_live.images.picture import BgrPicture
from fkp_live.pipeline import Pipeline
from fkp_live.server import Server
from fkp_live.sources import open_source
from fkp_live.stream import process_stream
from fkp_live.types import Frame, FrameResult

ROOT = Path(__file__).resolve().parents[1]
STRETCH = 10.0  # seconds
_SETTLED = 1.0  # seconds of a stretch that are not counted: viewers come and go
READERS = {"page": 4, "player": 2, "numbers": 2}
_UPGRADE = (
    "GET /view HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Camera:
    """Frames of the demo clip when they are due; one that nobody took in time is dropped.

    Attributes
    ----------
    stop : set to end
    """

    def __init__(self) -> None:
        with open_source(demo_clip()) as source:
            self.info, self._images = source.info, [frame.image for frame in source]
        self.stop = False

    def __iter__(self) -> Iterator[Frame]:
        begun, number = time.perf_counter(), 0
        while not self.stop:
            now = time.perf_counter()
            if (wait := begun + number / RATE - now) > 0:
                time.sleep(wait)
            else:
                number = int((now - begun) * RATE)
            due = begun + number / RATE
            yield Frame(BgrPicture(self._images[number % len(self._images)]), number, number / RATE, due)
            number += 1


@contextmanager
def viewers(port: int) -> Iterator[subprocess.Popen[str]]:
    """The process of the viewers; a line "on" or "off" lets them come and go."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving", "--look", str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def told(process: subprocess.Popen[str], word: str) -> dict[str, list[int]]:
    """Let the viewers come or go; when they go, how many frames each of them got."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    answer: dict[str, list[int]] = json.loads(process.stdout.readline())
    return answer


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Stretch:
    """One stretch of the stream.

    Attributes
    ----------
    looking : whether the viewers are there
    since : when counting begins, on the clock of `time.perf_counter`
    processor : seconds of all threads of this process, at first when it began, in the end those that it took
    ages : seconds from the arrival of each frame to the end of its walk
    frames : also those that are not counted
    seconds : that are counted
    memory : resident bytes at its end
    """

    looking: bool
    since: float = field(default_factory=lambda: time.perf_counter() + _SETTLED)
    processor: float = field(default_factory=time.process_time)
    ages: list[float] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    memory: int = 0

    def end(self) -> None:
        self.seconds = time.perf_counter() - self.since
        self.processor = time.process_time() - self.processor
        self.memory = resident()

    def age(self, share: float) -> float:
        """Milliseconds that this share of the frames do not exceed."""
        return 1e3 * float(np.quantile(self.ages, share))

    @property
    def fps(self) -> float:
        return len(self.ages) / self.seconds

    @property
    def cost(self) -> float:
        """Processor milliseconds a frame."""
        return 1e3 * self.processor / max(self.frames, 1)


class Turns:
    """Stretches without and with viewers in turn, driven by the stream itself.

    Attributes
    ----------
    done : stretches that are over
    worst : frames of the stream over those that a viewer who reads got, in the worst case
    """

    def __init__(
        self, server: Server, camera: Camera, process: subprocess.Popen[str], seconds: float
    ) -> None:
        self.done: list[Stretch] = []
        self.worst = 1.0
        self._server, self._camera, self._process = server, camera, process
        self._most = 2 * max(1, round(seconds / STRETCH))
        self._stretch = Stretch(looking=False)

    def frame(self, frame: Frame, result: FrameResult, painted: object) -> None:
        """``on_frame`` of the stream."""
        self._server.show(frame, result)
        now = time.perf_counter()
        if now >= self._stretch.since:
            self._stretch.ages.append(now - frame.arrived)
        self._stretch.frames += 1

    def between(self) -> None:
        """``between`` of the stream: changes the stretch when it is over."""
        self._server.obey()
        stretch = self._stretch
        if time.perf_counter() < stretch.since + STRETCH - _SETTLED:
            return
        stretch.end()
        self.done.append(stretch)
        got = told(self._process, "off" if stretch.looking else "on")
        if stretch.looking:
            least = min(each for some in got.values() for each in some)
            self.worst = max(self.worst, stretch.frames / max(least, 1))
        self._camera.stop = len(self.done) == self._most
        self._stretch = Stretch(looking=not stretch.looking)


def looked_at(seconds: float) -> list[Promise]:
    """A stream without and with ten viewers."""
    camera = Camera()
    pipeline = Pipeline(PipelineOptions(provider="cpu", threads=1))
    with Server(":0") as server, viewers(int(server.url.split(":")[2].strip("/"))) as process:
        server.begin(camera.info, pipeline)
        told(process, "ready")
        turns = Turns(server, camera, process, seconds)
        process_stream(camera, pipeline, on_frame=turns.frame, between=turns.between)
    without, with_ten = turns.done[::2], turns.done[1::2]

    def compared(name: str, bar: float, of: Callable[[Stretch], float], unit: str) -> Promise:
        """Median over the pairs of stretches, with over without, whatever else the machine did meanwhile."""
        ratio = median(of(some) / of(none) for none, some in zip(without, with_ten, strict=True))
        detail = {f"{unit} without": median(map(of, without)), f"{unit} with": median(map(of, with_ten))}
        return Promise(name, ratio, bar, detail)

    first, last = with_ten[0].memory, with_ten[-1].memory
    looked = {"seconds with": sum(each.seconds for each in with_ten)}
    cost = {
        f"processor ms a frame {word}": median(each.cost for each in some)
        for word, some in (("without", without), ("with", with_ten))
    }
    return [
        compared("age p50 with ten viewers / without", 1.1, lambda each: each.age(0.5), "p50 ms"),
        compared("age p95 with ten viewers / without", 1.5, lambda each: each.age(0.95), "p95 ms"),
        compared("seconds a frame with / without", 1.03, lambda each: 1 / each.fps, "s"),
        Promise("memory at the end / in the beginning", last / first, 1.05, {"MB last": last / 1e6} | looked),
        Promise("frames of the stream / of a reader", turns.worst, 1.25, cost),
    ]


async def look(port: int) -> None:
    """Ten viewers that come and go as stdin says, in a process of its own."""
    from websockets.asyncio.client import connect

    got: dict[str, list[int]] = {}

    async def page(count: list[int], place: int) -> None:
        async with connect(f"ws://127.0.0.1:{port}/view", max_size=None) as socket:
            while True:
                await socket.send("next")
                await socket.recv()
                count[place] += 1

    async def numbers(count: list[int], place: int) -> None:
        async with connect(f"ws://127.0.0.1:{port}/points") as socket:
            await socket.recv()
            while True:
                await socket.recv()
                count[place] += 1

    async def player(count: list[int], place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        writer.write(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            while True:
                await reader.readuntil(b"Content-Type: image/jpeg")
                count[place] += 1
        finally:
            writer.close()

    async def deaf(asking: bool) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(_UPGRADE.encode() if asking else b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            while True:
                await asyncio.sleep(0.02)
                if asking:
                    writer.write(b"\x81\x84" + bytes(4) + b"next")
        finally:
            writer.close()

    async def kept(work: Any) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await work

    tasks: list[asyncio.Task[None]] = []
    readers = {"page": page, "player": player, "numbers": numbers}
    while word := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if word == "on":
            got = {kind: [0] * most for kind, most in READERS.items()}
            works = [
                readers[kind](got[kind], place) for kind, most in READERS.items() for place in range(most)
            ]
            tasks = [asyncio.create_task(kept(work)) for work in (*works, deaf(False), deaf(True))]
        elif word == "off":
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        print(json.dumps(got), flush=True)


def main() -> int:
    """Measure and print; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=positive, default=60.0, help="with viewers (default: 60)")
    parser.add_argument("--json", type=result_file)
    parser.add_argument("--look", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.look:
        asyncio.run(look(arguments.look))
        return 0
    return report([partial(looked_at, arguments.seconds)], arguments.json)


if __name__ == "__main__":
    run(main)
