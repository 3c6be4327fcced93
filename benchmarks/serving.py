"""What ten viewers of ``--serve`` cost the stream that they look at, as ratios within one run.

    python -m benchmarks.serving [--seconds S] [--json FILE]

The demo clip comes again and again at 30 frames a second, as from a camera: a frame that is due while the one before it
is still being worked on is dropped. Stretches of ten seconds without anybody and with ten viewers take turns, until ten
viewers have looked for S seconds. They are programs in a process of their own: four pages, two players of the painted
stream, two readers of numbers, and two that never read, one of which asks for frames without end. On a small machine
that process takes time from the stream as well, as a browser on the same machine would.

- median age of a frame at the end of its walk with viewers over that without (at most 1.1)
- frames per second without viewers over those with (at most 1.03)
- 95 % of the frames' ages with viewers over that without (at most 1.5)
- resident memory after the last stretch over that after the first one with viewers (at most 1.05)
- the worst of the eight that read: frames of the stream over frames that it got (at most 1.1)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
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


class Stretches:
    """Without and with viewers in turn, driven by the stream itself; the ages of its frames by kind of stretch."""

    def __init__(
        self, server: Server, camera: Camera, process: subprocess.Popen[str], seconds: float
    ) -> None:
        self.ages: dict[bool, list[float]] = {False: [], True: []}
        self.counted = {False: 0.0, True: 0.0}  # seconds
        self.spent: dict[bool, list[float]] = {
            False: [],
            True: [],
        }  # processor seconds a frame, of all threads
        self.memory: list[int] = []
        self.worst = 1.0  # frames of the stream over those that a reader got
        self._server, self._camera, self._process = server, camera, process
        self._left = 2 * round(seconds / STRETCH)
        self._looking, self._frames = False, 0
        self._until = self._since = time.perf_counter() + STRETCH
        self._begin()

    def frame(self, frame: Frame, result: FrameResult, painted: object) -> None:
        """``on_frame`` of the stream."""
        self._server.show(frame, result)
        now = time.perf_counter()
        if now >= self._since:
            self.ages[self._looking].append(now - frame.arrived)
        self._frames += 1

    def between(self) -> None:
        """``between`` of the stream: changes the stretch when it is over."""
        self._server.obey()
        now = time.perf_counter()
        if now < self._until:
            return
        self.counted[self._looking] += now - self._since
        self.spent[self._looking].append((time.process_time() - self._processor) / max(self._frames, 1))
        self._left -= 1
        if self._looking:
            got = told(self._process, "off")
            self.worst = max(
                self.worst, *(self._frames / max(each, 1) for some in got.values() for each in some)
            )
            self.memory.append(resident())
        if not self._left:
            self._camera.stop = True
            return
        self._looking = not self._looking
        if self._looking:
            told(self._process, "on")
        self._begin()

    def _begin(self) -> None:
        self._frames, self._processor = 0, time.process_time()
        self._since = time.perf_counter() + _SETTLED
        self._until = self._since + STRETCH - _SETTLED


def looked_at(seconds: float) -> list[Promise]:
    """A stream without and with ten viewers."""
    camera = Camera()
    pipeline = Pipeline(PipelineOptions(provider="cpu", threads=1))
    with Server(":0") as server, viewers(int(server.url.split(":")[2].strip("/"))) as process:
        server.begin(camera.info, pipeline)
        told(process, "ready")
        stretches = Stretches(server, camera, process, seconds)
        process_stream(camera, pipeline, on_frame=stretches.frame, between=stretches.between)
    age = {looking: 1e3 * np.quantile(some, [0.5, 0.95]) for looking, some in stretches.ages.items()}
    rate = {looking: len(some) / stretches.counted[looking] for looking, some in stretches.ages.items()}
    first, last = stretches.memory[0], stretches.memory[-1]
    ages = {"p50 ms without": age[False][0], "p50 ms with": age[True][0]}
    ages |= {
        f"processor ms a frame {word}": 1e3 * float(np.median(stretches.spent[looking]))
        for looking, word in ((False, "without"), (True, "with"))
    }
    tails = {"p95 ms without": age[False][1], "p95 ms with": age[True][1]}
    rates = {"fps without": rate[False], "fps with": rate[True], "seconds with": stretches.counted[True]}
    memory = {"MB first": first / 1e6, "MB last": last / 1e6}
    return [
        Promise("age p50 with ten viewers / without", float(age[True][0] / age[False][0]), 1.1, ages),
        Promise("age p95 with ten viewers / without", float(age[True][1] / age[False][1]), 1.5, tails),
        Promise("fps without / with ten viewers", rate[False] / rate[True], 1.03, rates),
        Promise("memory at the end / in the beginning", last / first, 1.05, memory),
        Promise("frames of the stream / of a reader", stretches.worst, 1.1, {}),
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
