"""What ``--send`` costs, and how soon its datagrams are there, as ratios within one run.

    python -m benchmarks.senders [--json FILE]

- p50 and p95 from the arrival of a frame, 30 a second, to its JSON datagram in a program that listens (p95 under 50 ms)
- p50 of the time of a frame, 30 a second, with three senders (udp, osf, vmc) over that without, seconds in turn (at
  most 1 / 0.97)
- the same frame after frame without a pause, stretches of 15 frames in turn (at most 1 / 0.97)
- the same without senders, but with another process that is busy for half a millisecond in four: what any work on the
  other core costs on this machine
- frames per second of a video that is read and written without senders over those with three, runs in turn, median of
  the pairs (at most 1 / 0.97); beside it the processor time of both, start included, which other load disturbs less.
  The program that listens looks only every 50 ms, so that its own work is not measured
- processor time of a process that writes a video, the thread that sends over all others (at most 1 / 0.97): this can be
  measured beside other load, but results then come more slowly, and fewer of them share a group

Everything is made from the demo clip.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.script import Promise, report, result_file, run
from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import RATE, demo_clip
from fkp_live.images.picture import BgrPicture
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import Sender, VideoSink, open_sender
from fkp_live.sources import open_source
from fkp_live.stream import process_stream
from fkp_live.types import Frame

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 30


@contextmanager
def receiver(pause: float = 0.0) -> Iterator[tuple[list[int], dict[int, float]]]:
    """A process that listens: its three ports, and when each frame came, which is known once it has ended.

    Parameters
    ----------
    pause : seconds between two looks for what has come
    """
    came: dict[int, float] = {}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.senders", "--listen", str(pause)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield json.loads(process.stdout.readline()), came
        process.stdin.close()
        came.update({int(number): moment for number, moment in json.loads(process.stdout.read()).items()})
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def busy() -> Iterator[None]:
    """Another process, busy for half a millisecond in four, as three senders are for each frame."""
    code = (
        "import time\nwhile True:\n end = time.perf_counter() + 5e-4\n"
        " while time.perf_counter() < end: pass\n time.sleep(3.5e-3)"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(0.3)  # it has begun
        yield
    finally:
        process.kill()
        process.wait()


def targets(ports: Sequence[int]) -> list[str]:
    """The three targets at the ports of a `receiver`."""
    return [f"{scheme}://127.0.0.1:{port}" for scheme, port in zip(("udp", "osf", "vmc"), ports, strict=True)]


def in_memory(seconds: float = 20.0) -> list[Promise]:
    """Latency to a receiver, and what three senders cost each frame."""
    with open_source(demo_clip()) as source:
        info, images = source.info, [frame.image for frame in source]
    pipelines = [Pipeline(PipelineOptions(provider="cpu", threads=1)) for _ in range(2)]
    arrived: dict[int, float] = {}
    frames = round(seconds * RATE)
    costs: dict[str, list[float]] = {
        **{"live without": [], "live with": []},
        **{"without": [], "with": [], "beside a busy process": []},
    }

    def is_sent(number: int) -> bool:
        # Every second one, and in the next round through the clip the others.
        return (number // round(RATE) + number // len(images)) % 2 == 1

    def step(number: int, to: Sequence[Sender]) -> None:
        picture = BgrPicture(images[number % len(images)])
        arrived[number] = time.monotonic()
        result = pipelines[bool(to)].process(Frame(picture, number, number / RATE, time.perf_counter()))
        for sender in to:
            sender.write(result)

    def stretch(which: str, begin: int, to: Sequence[Sender]) -> None:
        for number in range(begin, begin + 15):
            begun = time.perf_counter()
            step(number, to)
            if number >= 2 * frames + WARM_UP:
                costs[which].append(1e3 * (time.perf_counter() - begun))

    with receiver() as (ports, came), ExitStack() as stack:
        senders = [stack.enter_context(open_sender(target, info)) for target in targets(ports)]
        begun = time.monotonic()
        for number in range(2 * frames):
            time.sleep(max(begun + number / RATE - time.monotonic(), 0.0))
            started = time.perf_counter()
            step(number, senders if is_sent(number) else ())
            if number >= WARM_UP + round(RATE):
                of_which = "live with" if is_sent(number) else "live without"
                costs[of_which].append(1e3 * (time.perf_counter() - started))
        for turn in range(60):
            order = ("without", "with") if turn % 2 else ("with", "without")
            for which in order:
                stretch(which, 2 * frames + 15 * turn, senders if which == "with" else ())
        stack.close()
    with busy():
        for turn in range(30):
            stretch("beside a busy process", 2 * frames + 15 * turn, ())
    live = [number for number in range(WARM_UP, 2 * frames) if is_sent(number)]
    waits = [came[number] - arrived[number] for number in live if number in came]
    p50, p95 = (1e3 * float(np.quantile(waits, share)) for share in (0.5, 0.95))
    of = {which: median(some) for which, some in costs.items()}
    received = {"latency_p50_ms": p50, "received": len(waits), "of": len(live)}
    sent = {f"{sender.name[:3]}_sent": float(sender.delivery.sent) for sender in senders}
    beside = {f"p50_ms {which}": value for which, value in of.items()}
    beside["beside a busy process / without"] = of["beside a busy process"] / of["without"]
    return [
        Promise("p95 ms from arrival to receipt", p95, 50.0, received | sent),
        Promise(
            "live frame with three senders / without", of["live with"] / of["live without"], 1 / 0.97, {}
        ),
        Promise("frame with three senders / without", of["with"] / of["without"], 1 / 0.97, beside),
    ]


def written(pairs: int = 7) -> list[Promise]:
    """Frames per second of the command, writing a video, without senders over with three."""
    runs: dict[bool, list[_Run]] = {False: [], True: []}
    with receiver(pause=0.05) as (ports, _), tempfile.TemporaryDirectory() as folder:
        sends = [word for target in targets(ports) for word in ("--send", target)]
        for turn in range(pairs):
            for sending in (False, True) if turn % 2 else (True, False):
                runs[sending].append(_run([f"{folder}/a.mp4", *(sends if sending else [])]))
    pairs_of = list(zip(runs[False], runs[True], strict=True))
    detail: dict[str, Any] = {
        "fps without": median(run.rate for run in runs[False]),
        "fps with": median(run.rate for run in runs[True]),
        "processor time with / without": median(three.cost / none.cost for none, three in pairs_of),
        "dropped": sum(run.dropped for run in runs[True]),
    }
    slower = median(none.rate / three.rate for none, three in pairs_of)
    return [Promise("video written, fps without / with", slower, 1 / 0.97, detail)]


def processor_time(runs: int = 3) -> list[Promise]:
    """Processor time of a process that writes a video, with the thread that sends over all others."""
    shares, costs = [], []
    pipeline = Pipeline(PipelineOptions(provider="cpu", threads=1))
    for _ in range(runs):
        with (
            receiver(pause=0.05) as (ports, _),
            tempfile.TemporaryDirectory() as folder,
            open_source(demo_clip()) as source,
            VideoSink(f"{folder}/a.mp4", source.info) as video,
            ExitStack() as stack,
        ):
            senders = [
                stack.enter_context(open_sender(to, source.info, in_groups=True)) for to in targets(ports)
            ]
            (thread,) = (thread.ident for thread in threading.enumerate() if "datagrams" in thread.name)
            assert thread is not None
            begun = time.process_time()
            frames = process_stream(source, pipeline, [video, *senders]).frames
            video.close()
            sending = time.clock_gettime(time.pthread_getcpuclockid(thread))
            total = time.process_time() - begun
        shares.append(total / (total - sending))
        costs.append(1e3 * sending / frames)
    detail = {"ms a frame in the thread that sends": median(costs)}
    return [
        Promise(
            "video written, processor time with the thread that sends / without",
            median(shares),
            1 / 0.97,
            detail,
        )
    ]


class _Run(NamedTuple):
    """What a run of the command says: frames a second, results that were dropped; and its processor time in seconds."""

    rate: float
    dropped: int
    cost: float


def _run(words: Sequence[str]) -> _Run:
    """Write the demo clip to the first of ``words``; options may follow."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "fkp_live", "--demo", "--headless", "--overwrite", "--out", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (rate,) = re.findall(r"frames in .* s: ([\d.]+) fps", done.stdout)
    dropped = sum(int(number) for number in re.findall(r" sent, (\d+) dropped", done.stdout))
    return _Run(float(rate), dropped, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def listen(pause: float) -> None:
    """Three UDP sockets on loopback, read until stdin is closed, in a process of its own.

    Prints the ports, and in the end for each frame of the first socket when its JSON object came, in seconds of
    CLOCK_MONOTONIC.

    Parameters
    ----------
    pause : seconds between two looks
    """
    import selectors
    import socket

    came: dict[int, float] = {}
    number = re.compile(rb'"frame":(\d+)')
    with selectors.DefaultSelector() as waiting:
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
        for made in sockets:
            made.bind(("127.0.0.1", 0))
            made.setblocking(False)
            waiting.register(made, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        print(json.dumps([made.getsockname()[1] for made in sockets]), flush=True)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is sys.stdin:
                    print(json.dumps(came), flush=True)
                    return
                with suppress(BlockingIOError):
                    while data := key.fileobj.recv(1 << 16):  # type: ignore[union-attr]
                        if key.fileobj is sockets[0] and (found := number.search(data[:40])):
                            came[int(found[1])] = time.monotonic()
            time.sleep(pause)


def main() -> int:
    """Measure and print; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=result_file)
    parser.add_argument("--listen", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen is not None:
        listen(arguments.listen)
        return 0
    return report([in_memory, written, processor_time], arguments.json)


if __name__ == "__main__":
    run(main)
