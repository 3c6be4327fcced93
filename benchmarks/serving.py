"""What ten viewers of ``--serve`` cost the stream that they look at, as ratios within one run.

    python -m benchmarks.serving [--seconds S] [--json FILE]

The demo clip comes again and again at 30 frames a second, as from a camera: a frame that is due while the one before it
is still being worked on is dropped. Stretches of ten seconds take turns until ten viewers have looked for S seconds:

- without: nobody looks
- with: ten viewers, programs in a process of their own: four pages, two players of the painted stream, two readers of
  numbers, and two that never read, one of which asks for frames without end
- beside: nobody looks, and two other processes are busy for as long a frame as the server's threads and the viewers
  were: what any work costs on this machine

Each ratio is the median of those of neighbouring stretches:

- median age of a frame at the end of its walk, with over without (at most 1.1) and with over beside (at most 1.1)
- the age that 95 % of the frames do not exceed, with over beside (at most 1.2)
- seconds from frame to frame, with over without (at most 1.03) and with over beside (at most 1.03)
- resident memory after the last stretch with viewers over that after the first one (at most 1.05)
- the worst of the eight that read: frames of the stream over frames that it got (at most 1.25)
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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


@contextmanager
def busy(seconds: float) -> Iterator[None]:
    """Another process that is busy for this long in each frame's time."""
    rest = max(1 / RATE - seconds, 1e-4)
    code = (
        f"import time\nwhile True:\n end = time.perf_counter() + {seconds}\n"
        f" while time.perf_counter() < end: pass\n time.sleep({rest})"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def told(process: subprocess.Popen[str], word: str) -> tuple[list[int], float]:
    """Let the viewers come or go; how many frames each reader got, and processor seconds since they came."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    got, spent = json.loads(process.stdout.readline())
    return got, spent


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Stretch:
    """One stretch of the stream.

    Attributes
    ----------
    since : when counting begins, on the clock of `time.perf_counter`
    processor : seconds of all threads of this process, at first when it began, in the end those that it took
    ages : seconds from the arrival of each frame to the end of its walk
    frames : also those that are not counted
    seconds : that are counted
    memory : resident bytes at its end
    """

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
    def period(self) -> float:
        """Milliseconds from frame to frame."""
        return 1e3 * self.seconds / max(len(self.ages), 1)

    @property
    def cost(self) -> float:
        """Processor seconds a frame."""
        return self.processor / max(self.frames, 1)


class Turns:
    """The kinds of stretches in turn, driven by the stream itself.

    Attributes
    ----------
    done : stretches that are over, by kind
    worst : frames of the stream over those that a viewer who reads got, in the worst case
    viewing : processor seconds a frame of the viewers' process
    """

    def __init__(
        self, server: Server, camera: Camera, process: subprocess.Popen[str], seconds: float
    ) -> None:
        self.done: dict[str, list[Stretch]] = {"without": [], "with": [], "beside": []}
        self.worst, self.viewing = 1.0, 0.0
        self._server, self._camera, self._process = server, camera, process
        self._most = max(1, round(seconds / STRETCH))
        self._kinds = itertools.cycle(self.done)
        self._kind, self._stretch = next(self._kinds), Stretch()
        self._busy = ExitStack()

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
        self.done[self._kind].append(stretch)
        self._busy.close()
        if self._kind == "with":
            got, spent = told(self._process, "off")
            self.worst = max(self.worst, stretch.frames / max(min(got), 1))
            self.viewing = spent / stretch.frames
        self._camera.stop = len(self.done["beside"]) == self._most
        self._kind = next(self._kinds)
        if self._kind == "with":
            told(self._process, "on")
        elif self._kind == "beside" and not self._camera.stop:
            for share in (stretch.cost - self.done["without"][-1].cost, self.viewing):
                self._busy.enter_context(busy(max(share, 1e-4)))
        self._stretch = Stretch()


def looked_at(seconds: float) -> list[Promise]:
    """A stream without and with ten viewers, and beside other work."""
    camera = Camera()
    pipeline = Pipeline(PipelineOptions(provider="cpu", threads=1))
    with Server(":0") as server, viewers(int(server.url.split(":")[2].strip("/"))) as process:
        server.begin(camera.info, pipeline)
        told(process, "ready")
        turns = Turns(server, camera, process, seconds)
        process_stream(camera, pipeline, on_frame=turns.frame, between=turns.between)
    looking = turns.done["with"]

    def compared(name: str, other: str, bar: float, of: Callable[[Stretch], float]) -> Promise:
        others = turns.done[other]
        ratio = median(of(one) / of(two) for one, two in zip(looking, others, strict=True))
        detail = {f"ms {kind}": median(map(of, some)) for kind, some in (("with", looking), (other, others))}
        return Promise(f"{name}, with / {other}", ratio, bar, detail)

    first, last = looking[0].memory, looking[-1].memory
    cost = {
        f"processor ms a frame {kind}": 1e3 * median(e.cost for e in some)
        for kind, some in turns.done.items()
    }
    cost["processor ms a frame of the viewers"] = 1e3 * turns.viewing
    looked = {"MB at the end": last / 1e6, "seconds with viewers": sum(each.seconds for each in looking)}
    return [
        compared("age p50", "without", 1.1, lambda each: each.age(0.5)),
        compared("age p50", "beside", 1.1, lambda each: each.age(0.5)),
        compared("age p95", "beside", 1.2, lambda each: each.age(0.95)),
        compared("frame to frame", "without", 1.03, lambda each: each.period),
        compared("frame to frame", "beside", 1.03, lambda each: each.period),
        Promise("memory at the end / in the beginning", last / first, 1.05, looked),
        Promise("frames of the stream / of a reader", turns.worst, 1.25, cost),
    ]


async def look(port: int) -> None:
    """Ten viewers that come and go as stdin says, in a process of its own."""
    from websockets.asyncio.client import connect

    got: dict[str, list[int]] = {}
    begun = 0.0

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
            begun = time.process_time()
            got = {kind: [0] * most for kind, most in READERS.items()}
            works = [
                readers[kind](got[kind], place) for kind, most in READERS.items() for place in range(most)
            ]
            tasks = [asyncio.create_task(kept(work)) for work in (*works, deaf(False), deaf(True))]
        elif word == "off":
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        counts = [each for some in got.values() for each in some]
        print(json.dumps([counts, time.process_time() - begun]), flush=True)


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
