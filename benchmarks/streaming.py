"""The promises of the streaming engine, as ratios within one run.

    python -m benchmarks.streaming [WHAT ...] [--json FILE]

WHAT is one or more of these, all by default:

    one       p50 of ``pipeline.process`` following one face at 640x480 in memory, over one bare run of the landmark
              network fkp68 at batch 1 on that face's crop; one thread, in turn, frame by frame (at most 1.6);
              with fkp68, and with the network that streams take on this machine
    many      cost a face of a wall of 20 faces over that of one face, detection included, in turn (at most 1)
    expression  mean of ``pipeline.process`` with expressions over without, one followed face, stretches of 60 frames in
              turn (at most 1.15), and the same with everything that a face says: expressions, all measures, and
              events (at most 1.15); beside it one bare run of the expression network over one of fkp68
    memory    resident memory of a whole run (video read, annotated, written; CSV, JSONL) after 5,000 frames over
              that after 500 (at most 1.05)
    live      p95 age of the frames of a 30 fps MJPEG camera whose consumer needs 60 ms a frame, after 60 s (under
              130 ms, not growing, drops counted); the age is given twice: as the product counts it, and from the
              moment when the camera sent the picture
    startup   from process start to the first annotated frame of the demo clip, over
              ``python -c 'import cv2, numpy, onnxruntime, av'`` (at most 2), and ``--version`` over
              ``python -c pass`` (at most 3); medians of 7, in turn

Everything is made from the demo clip, so nothing else is needed. Memory is read from /proc (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from benchmarks.script import Promise, report, result_file, run
from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import RATE, FaceWall, demo_clip
from fkp_live.faces.crop_follower import level_matrix
from fkp_live.faces.events import EventFinder
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.images import warping
from fkp_live.images.picture import BgrPicture
from fkp_live.inference.models import resolve_model, stream_model
from fkp_live.inference.session import open_session
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source
from fkp_live.types import Frame, Image

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 30


def one() -> list[Promise]:
    """One followed face against the bare network, frame by frame in turn: with fkp68, and with what streams take."""
    promises = []
    for model in dict.fromkeys(("fkp68", stream_model("cpu"))):
        pipeline = Pipeline(PipelineOptions(provider="cpu", model=model, threads=1))
        bare = {name: open_session(resolve_model(name), "cpu", 1) for name in dict.fromkeys(("fkp68", model))}
        specs = {name: LandmarkNetwork(session).spec for name, session in bare.items()}
        times: dict[str, list[float]] = {"process": [], **{name: [] for name in bare}}
        with open_source(demo_clip()) as source:
            images = [frame.image for frame in source]
        for index in range(5 * len(images)):
            frame = Frame(BgrPicture(images[index % len(images)]), index, index / RATE, time.perf_counter())
            begun = time.perf_counter()
            result = pipeline.process(frame)
            times["process"].append(time.perf_counter() - begun)
            for name, session in bare.items():
                matrix = level_matrix(result.faces[0].points, specs[name])
                crop = warping.warp(frame.image, matrix, specs[name].size).transpose(2, 0, 1)[None]
                ready = np.ascontiguousarray(crop, np.float32)
                begun = time.perf_counter()
                session.run({"image": ready})
                times[name].append(time.perf_counter() - begun)
        p50 = {name: 1e3 * float(np.median(some[WARM_UP:])) for name, some in times.items()}
        detail = {f"{name}_p50_ms": value for name, value in p50.items()}
        detail["process_mean_ms"] = 1e3 * float(np.mean(times["process"][WARM_UP:]))
        detail["over_its_own_network"] = p50["process"] / p50[model]
        name = f"one face with {model}, process / bare fkp68, p50"
        promises.append(Promise(name, p50["process"] / p50["fkp68"], 1.6, detail))
    return promises


def many() -> list[Promise]:
    """Twenty faces against one, a stretch of 60 frames each in turn."""
    walls = {faces: FaceWall(faces).frames(60 * 9) for faces in (1, 20)}
    pipelines = {faces: Pipeline(PipelineOptions(provider="cpu", threads=1)) for faces in walls}
    costs: dict[int, list[float]] = {faces: [] for faces in walls}
    for stretch in range(9):
        for faces, frames in walls.items():
            spent, found = 0.0, 0
            for _ in range(60):
                frame = next(frames)
                begun = time.perf_counter()
                result = pipelines[faces].process(frame)
                spent += time.perf_counter() - begun
                found += len(result.faces)
            if stretch:
                costs[faces].append(1e3 * spent / found)
    ratio = median(b / a for a, b in zip(costs[1], costs[20], strict=True))
    detail = {f"ms_a_face_of_{faces}": median(times) for faces, times in costs.items()}
    return [Promise("cost a face, 20 faces / 1 face", ratio, 1.0, detail)]


def expression() -> list[Promise]:
    """Expressions, and all that a face says, against none, in turn; means: the network runs in a few frames alone."""
    with open_source(demo_clip()) as source:
        images = [frame.image for frame in source]
    ways = ("off", "expressions", "everything")
    pipelines = {
        way: Pipeline(PipelineOptions(provider="cpu", threads=1, expression=way != "off")) for way in ways
    }
    finder = EventFinder()
    spent: dict[str, list[float]] = {way: [] for way in ways}
    sessions = {name: open_session(resolve_model(name), "cpu", 1) for name in ("fkp68", "fkp-expression")}
    bare: dict[str, list[float]] = {name: [] for name in sessions}
    rng = np.random.default_rng(0)
    for stretch in range(12):
        for way in rng.permutation(ways).tolist():
            total = 0.0
            for index in range(60 * stretch, 60 * (stretch + 1)):
                frame = Frame(
                    BgrPicture(images[index % len(images)]), index, index / RATE, time.perf_counter()
                )
                begun = time.perf_counter()
                result = pipelines[way].process(frame)
                if way == "everything":
                    finder(result)
                    for face in result.faces:
                        _ = face.measures.values, face.measures.relative, face.measures.arkit
                total += time.perf_counter() - begun
            spent[way].append(1e3 * total / 60)
        for name, session in sessions.items():
            size = session.metadata["input"]["size"]
            inputs = {"image": np.full((1, 3, size, size), 99.0, np.float32)}
            if name == "fkp-expression":
                inputs["points"] = np.array([session.metadata["crop"]["template"]], np.float32)
            for _ in range(20):
                begun = time.perf_counter()
                session.run(inputs)
                bare[name].append(1e3 * (time.perf_counter() - begun))
    ratios = {
        way: median(b / a for a, b in zip(spent["off"][2:], spent[way][2:], strict=True)) for way in ways[1:]
    }
    p50 = {f"{name}_p50_ms": median(times) for name, times in bare.items()}
    detail = {
        **{f"process_ms_{way}": median(times[2:]) for way, times in spent.items()},
        **p50,
        "network_over_fkp68": p50["fkp-expression_p50_ms"] / p50["fkp68_p50_ms"],
    }
    return [
        Promise("process, expressions on / off", ratios["expressions"], 1.15, detail),
        Promise("process, measures and events too / off", ratios["everything"], 1.15, {}),
    ]


_COUNTING = """
import sys
import fkp_live.pipeline
from fkp_live.commands.cli import main

process, frames = fkp_live.pipeline.Pipeline.process, 0


def counted(self, frame):
    global frames
    frames += 1
    if frames in (500, 5000):
        pages = int(open("/proc/self/statm").read().split()[1])
        print("resident", frames, pages, file=sys.stderr)
    return process(self, frame)


fkp_live.pipeline.Pipeline.process = counted
sys.exit(main(sys.argv[1:]))
"""


def memory() -> list[Promise]:
    """A run of 5,040 frames that writes everything, its resident memory read on the way."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "long.mp4"
        _repeat(demo_clip(), clip, 28)
        outputs = [f"{folder}/out.mp4", "--csv", f"{folder}/out.csv", "--jsonl", f"{folder}/out.jsonl"]
        words = ["--video", str(clip), "--headless", "--quiet", "--out", *outputs]
        done = _python("-c", _COUNTING, *words)
    pages = {
        int(line.split()[1]): int(line.split()[2])
        for line in done.stderr.splitlines()
        if line.startswith("resident ")
    }
    if set(pages) != {500, 5000}:
        raise SystemExit(f"the run did not get to 5,000 frames:\n{done.stderr}")
    detail = {
        f"mb_after_{frames}": count * os.sysconf("SC_PAGE_SIZE") / 1e6 for frames, count in pages.items()
    }
    return [Promise("memory, 5,000 / 500 frames", pages[5000] / pages[500], 1.05, detail)]


def _repeat(source: Path, target: Path, times: int) -> None:
    """The clip's packets again and again."""
    import av

    with av.open(str(target), "w") as output:
        stream: Any = None
        start = 0
        for _ in range(times):
            with av.open(str(source)) as clip:
                pictures = clip.streams.video[0]
                stream = stream or output.add_stream_from_template(pictures)
                length = pictures.duration or 0
                for packet in clip.demux(pictures):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.dts, packet.pts = packet.dts + start, packet.pts + start
                    packet.stream = stream
                    output.mux(packet)
                start += length


_STRIP = 32  # rows at the bottom that carry a frame's number
_BITS = 16


def numbered(image: Image, number: int) -> Image:
    """The picture with a strip of black and white blocks that says its number, whatever JPEG does to it."""
    image = image.copy()
    side = image.shape[1] // _BITS
    for bit in range(_BITS):
        image[-_STRIP:, bit * side : (bit + 1) * side] = 255 if number >> bit & 1 else 0
    return image


def number_of(image: Image) -> int:
    """What `numbered` wrote."""
    side = image.shape[1] // _BITS
    levels = [image[-_STRIP // 2, bit * side + side // 2].mean() for bit in range(_BITS)]
    return sum(1 << bit for bit, level in enumerate(levels) if level > 127)


def camera(seconds: float) -> None:
    """An MJPEG camera on loopback at 30 fps for one viewer, in a process of its own.

    Prints its port, and in the end for each picture when it was sent, in seconds of CLOCK_MONOTONIC.
    """
    import http.server

    with open_source(demo_clip()) as source:
        images = [frame.image for frame in source]
    sent: list[float] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            begun = time.monotonic()
            try:
                while time.monotonic() - begun < seconds:
                    number = len(sent)
                    jpeg = cv2.imencode(".jpg", numbered(images[number % len(images)], number))[1].tobytes()
                    time.sleep(max(begun + number / RATE - time.monotonic(), 0.0))
                    sent.append(time.monotonic())
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                    self.wfile.write(f"--frame\r\n{head}\r\n\r\n".encode() + jpeg + b"\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.handle_request()
    print(json.dumps(sent), flush=True)


def live(seconds: float = 60.0) -> list[Promise]:
    """A slow consumer of a live camera."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.streaming", "--camera", str(seconds + 2)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    pipeline = Pipeline(PipelineOptions(provider="cpu", threads=1))
    rows: list[tuple[float, float, int]] = []  # moment, age since arrival, number
    with open_source(f"http://127.0.0.1:{port}/") as source:
        begun = time.monotonic()
        for frame in source:
            started = time.perf_counter()
            pipeline.process(frame)
            time.sleep(max(0.06 - (time.perf_counter() - started), 0.0))
            rows.append((time.monotonic(), time.perf_counter() - frame.arrived, number_of(frame.image)))
            if time.monotonic() - begun > seconds:
                break
        dropped = source.dropped
    sent = json.loads(process.stdout.read())
    process.wait()
    ages = np.array([(moment - begun, age, moment - sent[number]) for moment, age, number in rows])
    first, last = ages[ages[:, 0] < seconds / 3], ages[ages[:, 0] > 2 * seconds / 3]
    p95 = {
        f"{which}_p95_ms_{part}": 1e3 * float(np.quantile(rows_[:, column], 0.95))
        for part, rows_ in (("first_third", first), ("last_third", last))
        for which, column in (("age", 1), ("since_sent", 2))
    }
    detail = {**p95, "frames": len(rows), "sent": len(sent), "dropped": dropped}
    grows = p95["since_sent_p95_ms_last_third"] / p95["since_sent_p95_ms_first_third"]
    return [
        Promise("live, p95 frame age in ms after 60 s", p95["age_p95_ms_last_third"], 130.0, detail),
        Promise("live, p95 ms since the camera sent it", p95["since_sent_p95_ms_last_third"], 130.0, {}),
        Promise("live, last third / first third", grows, 1.1, {}),
        # Whatever was sent was either seen or counted as dropped, but for the few on their way at the end.
        Promise("live, frames unaccounted for", abs(len(sent) - len(rows) - dropped), 5.0, {}),
    ]


_FIRST_PICTURE = """
import os
import sys
import fkp_live.commands.painting
from fkp_live.commands.cli import main

draw = fkp_live.commands.painting.draw_look


def first(*words, **more):
    draw(*words, **more)
    os._exit(0)


fkp_live.commands.painting.draw_look = first
sys.exit(main(sys.argv[1:]))
"""


def startup() -> list[Promise]:
    """Seven rounds of the four."""
    with tempfile.TemporaryDirectory() as folder:
        demo = ["--demo", "--headless", "--quiet", "--overwrite", "--out", f"{folder}/a.mp4"]
        kinds = {
            "imports": ["-c", "import cv2, numpy, onnxruntime, av"],
            "first_frame": ["-c", _FIRST_PICTURE, *demo],
            "pass": ["-c", "pass"],
            "version": ["-m", "fkp_live", "--version"],
        }
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(8):
            for kind, words in kinds.items():
                begun = time.perf_counter()
                _python(*words)
                if number:  # the first round fills the file cache
                    times[kind].append(time.perf_counter() - begun)
    seconds = {kind: median(taken) for kind, taken in times.items()}
    return [
        Promise("first annotated frame / imports", seconds["first_frame"] / seconds["imports"], 2.0, seconds),
        Promise("--version / pass", seconds["version"] / seconds["pass"], 3.0, {}),
    ]


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"python {' '.join(words)} failed:\n{done.stderr}")
    return done


MEASURES: dict[str, Callable[[], list[Promise]]] = {
    "one": one,
    "many": many,
    "expression": expression,
    "startup": startup,
    "memory": memory,
    "live": live,
}


def main() -> int:
    """Measure and print; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--json", type=result_file)
    parser.add_argument("--camera", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.camera:
        camera(arguments.camera)
        return 0
    if unknown := set(arguments.what) - set(MEASURES):
        parser.error(f"WHAT is of {', '.join(MEASURES)}, not {', '.join(unknown)}")
    return report([MEASURES[what] for what in arguments.what or MEASURES], arguments.json)


if __name__ == "__main__":
    run(main)
