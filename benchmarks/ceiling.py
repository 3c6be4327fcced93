"""How near a run that writes a video comes to the speed of decoding and encoding alone.

    python -m benchmarks.ceiling --videos FOLDER [--pairs 7] [--json FILE]

The ceiling decodes and encodes with PyAV and does nothing between: the same decoder threads, the same queues of
the same lengths between two threads, H.264 with the product's preset and rate factor, each decoded picture handed
to the encoder as it is. The product is ``fkp-live --video ... --out ...`` with default options, in a process of its
own, and so is the ceiling. Both clocks run from the first frame's request until the file is closed; what starting
the program takes is given apart, as "whole": the same ratio from the start of the processes to their ends.

A third one, "empty", is the product's own source and sink with nothing between.

They run in turn, and a ratio is the median over the pairs, so that a slow moment of the machine hits all alike.
Wanted are talking_head.mp4 (one face) and group.mp4 (6 to 8 faces); the 720p clips are the former scaled up once,
to 720x720, and to 1280x720 with its sides continued by reflection.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from benchmarks.script import result_file, run
from fkp_live.arguments import whole_number
from fkp_live.errors import UsageError
from fkp_live.handoff import Handoff
from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult

ROOT = Path(__file__).resolve().parents[1]
READ_AHEAD, QUEUED = 4, 16  # as in fkp_live.reading and fkp_live.sinks
CODING = {"crf": "23", "preset": "veryfast"}


@dataclass(frozen=True)
class Clip:
    """A clip and the ratio to the ceiling that issue 4 asks for, None for none."""

    name: str
    path: Path
    bar: float | None


def clips(folder: Path, work: Path) -> Iterator[Clip]:
    """The clips of the folder, and the first one scaled up."""
    head = folder / "talking_head.mp4"
    yield Clip("talking_head 1280x720", scaled(head, work / "wide.mp4", 1280), 0.85)
    yield Clip("talking_head 720x720", scaled(head, work / "square.mp4", 720), 0.85)
    yield Clip("talking_head 512x512", head, 0.7)
    yield Clip("group 1280x720", folder / "group.mp4", 0.55)


def scaled(source: Path, target: Path, width: int) -> Path:
    """The clip with pictures 720 px high and ``width`` wide, encoded finely so that little is lost."""
    import av

    with open_source(source) as frames, av.open(str(target), "w") as output:
        rate = Fraction(frames.info.fps or 30).limit_denominator(1000)
        stream: Any = output.add_stream("libx264", rate=rate, options={"crf": "17", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, 720, "yuv420p"
        for index, frame in enumerate(frames):
            image = cv2.resize(frame.image, (720, 720), interpolation=cv2.INTER_CUBIC)
            side = (width - 720) // 2
            image = cv2.copyMakeBorder(image, 0, 0, side, side, cv2.BORDER_REFLECT)
            picture = av.VideoFrame.from_ndarray(np.asarray(image, np.uint8), format="bgr24")
            picture.pts, picture.time_base = index, 1 / rate
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return target


def ceiling(source: Path, target: Path) -> float:
    """Decode and encode with PyAV; frames per second from the first frame to the closed file."""
    import av

    with av.open(str(source)) as decoded, av.open(str(target), "w", format="mp4") as encoded:
        pictures = decoded.streams.video[0]
        pictures.thread_type = "AUTO"
        stream: Any = encoded.add_stream("libx264", rate=pictures.average_rate, options=CODING)
        stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, "yuv420p"
        stream.codec_context.time_base = pictures.time_base
        read: Handoff[Any] = Handoff(READ_AHEAD)
        queue: Handoff[Any] = Handoff(QUEUED)

        def decode() -> None:
            for picture in decoded.decode(pictures):
                read.put(picture)
            read.finish()

        def encode() -> None:
            while (picture := queue.get()) is not None:
                encoded.mux(stream.encode(picture))
            encoded.mux(stream.encode(None))

        threads = [threading.Thread(target=part) for part in (decode, encode)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        frames = 0
        while (picture := read.get()) is not None:
            # The type of a picture is a wish to the encoder: it shall choose by itself, as in the product.
            picture.pict_type = 0
            queue.put(picture)
            frames += 1
        queue.finish()
        for thread in threads:
            thread.join()
        encoded.close()
        return frames / (time.perf_counter() - begun)


def empty(source: Path, target: Path) -> float:
    """The product's source and sink, nothing between; frames per second likewise."""
    with open_source(source) as frames, VideoSink(target, frames.info, overwrite=True) as sink:
        begun = time.perf_counter()
        count = 0
        for frame in frames:
            sink.write(FrameResult.of(frame, ()), frame.picture)
            count += 1
        sink.close()
        return count / (time.perf_counter() - begun)


def one_run(which: str, source: Path, target: Path) -> dict[str, float]:
    """One run in a process of its own: its frames per second, and the seconds of the whole process."""
    words = {
        "product": [
            "-m",
            "fkp_live",
            "--video",
            str(source),
            "--out",
            str(target),
            "--headless",
            "--overwrite",
        ],
    }.get(which, ["-m", "benchmarks.ceiling", "--one", which, str(source), str(target)])
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - begun
    rate = re.search(r"([\d.]+) fps", done.stdout)
    if done.returncode != 0 or rate is None:
        raise SystemExit(f"{which} failed on {source.name}:\n{done.stderr}{done.stdout}")
    return {"fps": float(rate[1]), "whole": whole}


def compare(clip: Clip, pairs: int, work: Path) -> dict[str, Any]:
    """Medians of the three and of the ratios of each round."""
    rounds: dict[str, list[dict[str, float]]] = {"ceiling": [], "empty": [], "product": []}
    for number in range(pairs):
        # Every other round backwards, so that none always comes after the same one.
        for which in list(rounds)[:: 1 if number % 2 == 0 else -1]:
            rounds[which].append(one_run(which, clip.path, work / f"{which}.mp4"))

    def ratio(of: str, to: str) -> float:
        return median(a["fps"] / b["fps"] for a, b in zip(rounds[of], rounds[to], strict=True))

    return {
        "clip": clip.name,
        "bar": clip.bar,
        "fps": {which: median(one["fps"] for one in runs) for which, runs in rounds.items()},
        "product / ceiling": ratio("product", "ceiling"),
        "product / empty": ratio("product", "empty"),
        "empty / ceiling": ratio("empty", "ceiling"),
        "whole": median(
            b["whole"] / a["whole"] for a, b in zip(rounds["product"], rounds["ceiling"], strict=True)
        ),
        "rounds": rounds,
    }


def main() -> int:
    """Measure, print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, help="folder with talking_head.mp4 and group.mp4")
    parser.add_argument("--pairs", type=whole_number(1), default=7)
    parser.add_argument("--only", default="", help="clips whose name contains this")
    parser.add_argument("--json", type=result_file)
    parser.add_argument("--one", nargs=3, metavar=("WHICH", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        which, source, target = arguments.one
        rate = {"ceiling": ceiling, "empty": empty}[which](Path(source), Path(target))
        print(f"{rate:.2f} fps")
        return 0
    if arguments.videos is None:
        parser.error("--videos is needed")
    results = []
    print(f"{'clip':<24}{'ceiling':>9}{'empty':>9}{'product':>9}   product / ceiling (bar)   / empty   whole")
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips(arguments.videos, Path(folder)):
            if arguments.only not in clip.name:
                continue
            row = compare(clip, arguments.pairs, Path(folder))
            results.append(row)
            rates = "".join(f"{row['fps'][which]:>9.1f}" for which in ("ceiling", "empty", "product"))
            print(
                f"{clip.name:<24}{rates}{row['product / ceiling']:>14.3f} ({clip.bar:.2f})"
                f"{row['product / empty']:>14.3f}{row['whole']:>10.3f}",
                flush=True,
            )
    if not results:
        raise UsageError(f"None of the clips has {arguments.only!r} in its name.")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return int(any(row["product / ceiling"] < row["bar"] for row in results))


if __name__ == "__main__":
    run(main)
