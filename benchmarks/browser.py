"""The engine of the browser page against the Python package, in Chromium: the same points, and what each stage costs.

    python -m benchmarks.browser [--video FILE] [--models fkp68,fkp68-int8] [--frames 120] [--json OUT]

Comparisons on the frames of a clip, which Chromium is given as PNG files, so both sides see the same pixels:

- given the same pictures: the boxes of the detector, largest difference of any side in pixels of the frame.
- given the same matrices: the crops of Python's own tracker, cut out and run by both. Largest difference of any point
  in pixels of the frame, and of the crops in grey levels.
- on the stream: the page's worker with tracker and smoothing against `Pipeline`, every frame in turn. Mean distance of
  the points in per cent of the eye distance, ids, pose, openness of the eyes and labels of expressions. Once as
  `Pipeline` runs a film, which it warps before it converts the colours, and once of the pixels that the browser gets.
- on the live stream: the same, as of a camera. Frames come at their times, and what the detector finds in its own
  worker is used some frames later.
- Python itself, given the same frames with noise of one grey level at most, against itself: what of the above is the
  network's own, whose points change when a pixel does. The next crop is cut by them.

Times are medians in milliseconds of each stage in the worker. The detector's runs are after the answer.
Needs Python's playwright (pip install playwright), Chromium, and what ``make web`` fetches.
"""

from __future__ import annotations

import argparse
import base64
import functools
import http.server
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.script import result_file, run
from fkp_live.arguments import whole_number
from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.engine import Engine
from fkp_live.errors import InputError, UsageError
from fkp_live.faces.detector import FaceDetector
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.geometry import Matrix
from fkp_live.images.picture import BgrPicture
from fkp_live.inference.models import models_dir
from fkp_live.pipeline import Pipeline
from fkp_live.sinks.jsonl import frame_object
from fkp_live.sources import open_source
from fkp_live.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from fkp_live.types import Frame

STATIC = Path(__file__).parents[1] / "fkp_live/server/static"
RUNTIME, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
PAGE = Path(__file__).with_name("browser_page.mjs")
KINDS = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".html": "text/html",
}
# Crops that are compared; the whole clip would take a minute.
CROPS = 40
# Pictures of which the detector's boxes are compared.
DETECTIONS = 10
# Most that a box and a point may be off given the same pixels; on the stream, in per cent of the eye distance.
MOST_OF_BOXES = 0.15
MOST = {"fkp68": 0.15, "fkp68-int8": 0.6, "fkp68-tiny": 0.15}
MOST_ON_STREAM = 0.5


class _Recorded(LandmarkNetwork):
    """A landmark network that notes the crops that it was given."""

    def __init__(self, network: LandmarkNetwork) -> None:
        self.inner, self.spec = network, network.spec
        self.seen: list[tuple[int, Matrix]] = []
        self.frame = 0

    def run_matrices(self, picture: Any, matrices: Sequence[Matrix]) -> Any:
        """As the network, and noted."""
        self.seen += [(self.frame, matrix) for matrix in matrices]
        return self.inner.run_matrices(picture, matrices)


def native(
    model: str, frames: Sequence[Frame], *, as_bgr: bool = False
) -> tuple[list[dict[str, Any]], _Recorded]:
    """What `Pipeline` gives for each frame, as JSONL objects, and the network with the crops that it ran.

    ``as_bgr``: of the pixels that the browser gets. Those of a film are warped before their colours are converted.
    """
    engine = Engine("cpu", model)
    assert isinstance(engine.network, LandmarkNetwork)
    engine.network = recorded = _Recorded(engine.network)
    pipeline = Pipeline(PipelineOptions(expression=True), engine=engine)
    results = []
    for number, frame in enumerate(frames):
        recorded.frame = number
        frame = replace(frame, picture=_bgr(frame)) if as_bgr else frame
        results.append(json.loads(frame_object(pipeline.process(frame))))
    return results, recorded


def noisy(frames: Sequence[Frame]) -> list[Frame]:
    """The same frames, each number of each pixel raised or lowered by one, or left."""
    noise = np.random.default_rng(0)
    made = []
    for frame in frames:
        pixels = frame.picture.bgr().astype(np.int16)
        pixels += noise.integers(-1, 2, pixels.shape, dtype=np.int16)
        made.append(replace(frame, picture=BgrPicture(np.clip(pixels, 0, 255).astype(np.uint8))))
    return made


def _bgr(frame: Frame) -> BgrPicture:
    return BgrPicture(np.ascontiguousarray(frame.picture.bgr()))


def same_matrices(page: Any, model: str, frames: Sequence[Frame], recorded: _Recorded) -> dict[str, float]:
    """Differences of points and pixels, given the same crops of the same BGR pixels."""
    chosen = recorded.seen[:: max(len(recorded.seen) // CROPS, 1)][:CROPS]
    crops = [[number, matrix.ravel().tolist()] for number, matrix in chosen]
    found = _evaluate(page, "pointsIn", model, crops)
    off, grey, size = [], [], recorded.spec.size
    for (number, matrix), made in zip(chosen, found, strict=True):
        picture = _bgr(frames[number])
        (points,) = recorded.inner.run_matrices(picture, [matrix]).points
        off.append(np.linalg.norm(np.reshape(made["points"], (68, 2)) - points, axis=-1))
        pixels = np.frombuffer(base64.b64decode(made["crop"]), np.uint8).reshape(3, size, size)
        grey.append(np.abs(pixels.transpose(1, 2, 0).astype(int) - picture.warp(matrix, size)))
    return {
        "points_most_px": float(np.max(off)),
        "points_mean_px": float(np.mean(off)),
        "grey_most": float(np.max(grey)),
        "grey_mean": float(np.mean(grey)),
        "crops": len(chosen),
    }


def same_pictures(page: Any, frames: Sequence[Frame], detector: FaceDetector) -> dict[str, float]:
    """Differences of the detector's boxes, given the same BGR pixels; each box with the nearest one."""
    chosen = list(range(0, len(frames), max(len(frames) // DETECTIONS, 1)))[:DETECTIONS]
    off, others = [], 0
    for number, found in zip(chosen, _evaluate(page, "boxesIn", chosen), strict=True):
        expected = [face.box for face in detector(_bgr(frames[number]))]
        others += len(expected) != len(found)
        for box in found:
            if expected:
                off.append(min(float(np.abs(other - box[:4]).max()) for other in expected))
    most = max(off, default=float("nan"))
    return {"boxes_most_px": most, "boxes": len(off), "pictures_other_number": others}


def on_stream(
    page: Any,
    model: str,
    times: list[float],
    expected: list[dict[str, Any]],
    of_bgr: list[dict[str, Any]],
    *,
    is_live: bool = False,
) -> dict[str, Any]:
    """Differences of what the page's worker and `Pipeline` give, frame by frame, and the worker's times.

    ``is_live``: as of a camera, where a detection is used some frames later.
    """
    found = _evaluate(page, "follow", model, times, {"expression": True}, is_live)
    stages: dict[str, list[float]] = {}
    for timing in found["timings"]:
        for name, value in timing.items():
            stages.setdefault(name, []).append(value)
    return {
        **_differences(found["results"], expected),
        "same_pixels": _differences(found["results"], of_bgr),
        "ready_ms": found["ready"],
        "ms": {name: float(np.median(values)) for name, values in stages.items()},
        "detector_ms": float(np.median(found["detections"])) if found["detections"] else float("nan"),
        "detections_later": len(found["detections"]),
        "detector_own_worker": found["isOwn"],
    }


def _differences(results: list[dict[str, Any]], expected: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the faces with the same number in both."""
    off, angles, openness = [], [], []
    of_face: dict[int, list[float]] = {}
    other_ids = other_labels = 0
    for ours, theirs in zip(results, expected, strict=True):
        known = {face["id"]: face for face in theirs["faces"]}
        other_ids += set(known) != {face["id"] for face in ours["faces"]}
        for face in ours["faces"]:
            if (same := known.get(face["id"])) is None:
                continue
            points, right = np.array(face["points"]), np.array(same["points"])
            eyes = np.linalg.norm(right[LEFT_EYE_OUTER] - right[RIGHT_EYE_OUTER])
            off.append(100 * float(np.linalg.norm(points - right, axis=-1).mean() / eyes))
            of_face.setdefault(face["id"], []).append(off[-1])
            angles.append(
                max(abs(face["pose"][name] - same["pose"][name]) for name in ("pitch", "yaw", "roll"))
            )
            openness.append(abs(face["measures"]["eyes_open"] - same["measures"]["eyes_open"]))
            other_labels += face["expression"]["label"] != same["expression"]["label"]
    return {
        "mean_percent": float(np.mean(off)) if off else float("nan"),
        "p99_percent": float(np.percentile(off, 99)) if off else float("nan"),
        "pose_degrees": float(np.degrees(np.mean(angles))) if angles else float("nan"),
        "eyes_open": float(np.mean(openness)) if openness else float("nan"),
        "faces": len(off),
        "percent_by_id": {number: float(np.mean(each)) for number, each in sorted(of_face.items())},
        "frames_other_ids": other_ids,
        "faces_other_expression": other_labels,
    }


def _evaluate(page: Any, name: str, *arguments: Any) -> Any:
    script = f"async (given) => (await import('/page.mjs')).{name}(...given)"
    return page.evaluate(script, list(arguments))


class _Handler(http.server.BaseHTTPRequestHandler):
    """The engine, the networks and the frames."""

    def __init__(self, frames: Sequence[Frame], *rest: Any) -> None:
        self._frames = frames
        super().__init__(*rest)

    def do_GET(self) -> None:
        body, kind, packed = self._found()
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def _found(self) -> tuple[bytes | None, str, bool]:
        folder, _, name = self.path.lstrip("/").rpartition("/")
        kind = KINDS.get(Path(name).suffix, "application/octet-stream")
        if folder == "frames" and (index := int(name.removesuffix(".png"))) < len(self._frames):
            return cv2.imencode(".png", self._frames[index].picture.bgr())[1].tobytes(), "image/png", False
        if self.path == "/":
            return b"<!doctype html><title>benchmark</title>", "text/html", False
        known = {"engine": STATIC / "engine", "vendor": STATIC / "vendor", "models": models_dir()}
        path = PAGE if self.path == "/page.mjs" else known.get(folder, STATIC / "none") / name
        packed = path.with_name(path.name + ".gz")
        if path.is_file() or packed.is_file():
            is_packed = not path.is_file()
            return (packed if is_packed else path).read_bytes(), kind, is_packed
        return None, "text/plain", False

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@contextmanager
def _served(frames: Sequence[Frame]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, frames)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@contextmanager
def _browser(path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def _check(chromium: str) -> None:
    """Fail at once where something is missing, with what to do."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        raise UsageError("This needs playwright.", "pip install playwright") from None
    if not Path(chromium).is_file():
        raise InputError(
            f"There is no browser {chromium}.", "apt-get install chromium, or give --chromium PATH."
        )
    vendor = STATIC / "vendor"
    has_binary = any((vendor / name).is_file() for name in (BINARY, f"{BINARY}.gz"))
    if not has_binary or not (vendor / RUNTIME).is_file():
        raise InputError(f"onnxruntime-web is not in {vendor}.", "make web fetches it.")


def _print(model: str, found: dict[str, Any]) -> bool:
    crops, stream, live = found["same_matrices"], found["stream"], found["live"]
    kept = crops["points_most_px"] <= MOST[model] and all(
        each["mean_percent"] <= MOST_ON_STREAM for each in (stream, live)
    )
    print(f"{model}: {'kept' if kept else 'MISSED'}")
    print(
        f"  same matrices: at most {crops['points_most_px']:.3f} px off ({MOST[model]} allowed), mean "
        f"{crops['points_mean_px']:.3f}; crops at most {crops['grey_most']:.0f} grey levels, mean "
        f"{crops['grey_mean']:.3f}; {crops['crops']} crops"
    )
    for name, each in (
        ("stream", stream),
        ("  of the same pixels", stream["same_pixels"]),
        ("live stream", live),
        ("Python with noise of one grey level, against itself", found["noise"]),
    ):
        limit = f" ({MOST_ON_STREAM} allowed)" if each is stream or each is live else ""
        print(
            f"  {name}: mean {each['mean_percent']:.3f} % of the eye distance{limit}, 99th percentile "
            f"{each['p99_percent']:.3f}; pose {each['pose_degrees']:.2f} degrees; eyes_open {each['eyes_open']:.4f}; "
            f"{each['faces']} faces; other ids in {each['frames_other_ids']} frames; other expressions "
            f"{each['faces_other_expression']}"
        )
    by_id = ", ".join(f"{number}: {value:.2f}" for number, value in stream["percent_by_id"].items())
    print(f"  stream, mean of each face in per cent: {by_id}")
    times = ", ".join(f"{name} {value:.2f}" for name, value in stream["ms"].items())
    later = f"{stream['detector_ms']:.1f} ({stream['detections_later']} times)"
    where = "in its own worker" if live["detector_own_worker"] else "in the SAME worker"
    beside = f"live {where} {live['detector_ms']:.1f} ({live['detections_later']} times)"
    print(f"  ms: {times}; detector after the answer {later}, {beside}; ready after {stream['ready_ms']:.0f}")
    return kept


def main() -> int:
    """Compare and print; 1 where a limit is exceeded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--video", type=Path, default=demo_clip(), help="clip (default: the demo clip)")
    parser.add_argument("--models", default="fkp68,fkp68-int8", help="networks, with commas")
    parser.add_argument("--frames", type=whole_number(2), default=120, help="of the clip")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    parser.add_argument("--json", type=result_file, help="file for the figures")
    args = parser.parse_args()
    models = args.models.split(",")
    if unknown := set(models) - set(MOST):
        raise UsageError(
            f"There is no network {', '.join(sorted(unknown))}.", f"Choose of {', '.join(MOST)}."
        )
    _check(args.chromium)
    with open_source(args.video, max_frames=args.frames) as source:
        frames = list(source)
    record: dict[str, Any] = {}
    with _served(frames) as url, _browser(args.chromium) as browser:
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(url)
        record["detector"] = boxes = same_pictures(page, frames, Engine("cpu", models[0]).detector)
        all_kept = boxes["boxes_most_px"] <= MOST_OF_BOXES and not boxes["pictures_other_number"]
        print(
            f"detector: {'kept' if all_kept else 'MISSED'}\n  at most {boxes['boxes_most_px']:.3f} px off "
            f"({MOST_OF_BOXES} allowed); {boxes['boxes']} boxes; pictures with another number "
            f"{boxes['pictures_other_number']}"
        )
        page.close()
        for model in models:
            expected, recorded = native(model, frames)
            of_bgr, _ = native(model, frames, as_bgr=True)
            page = browser.new_page()
            page.set_default_timeout(0)
            page.goto(url)
            times = [frame.time for frame in frames]
            found = {
                "same_matrices": same_matrices(page, model, frames, recorded),
                "stream": on_stream(page, model, times, expected, of_bgr),
                "live": on_stream(page, model, times, expected, of_bgr, is_live=True),
                "noise": _differences(native(model, noisy(frames))[0], of_bgr),
            }
            page.close()
            record[model] = found
            all_kept &= _print(model, found)
    if args.json is not None:
        args.json.write_text(
            json.dumps({"video": args.video.name, "frames": len(frames), **record}, indent=1) + "\n"
        )
    return int(not all_kept)


if __name__ == "__main__":
    run(main)
