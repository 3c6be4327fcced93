"""The page of ``fkp-live web`` on a camera, in Chromium: frames per second, first face, first picture, cost.

    python -m benchmarks.browser_camera [--video FILE] [--rates 30,60] [--frames read,shown] [--rounds 1] [--seconds 20]
                                        [--model fkp68-int8] [--screenshots DIR] [--json OUT]

Chromium's fake camera plays the clip as YUV4MPEG at each rate, in a loop. Its frames are read as they come, or taken
when they are shown, as in browsers without MediaStreamTrackProcessor. Beside that: what the browser shows of this
camera by itself, on a page with a video element and nothing else. What is measured, by the browser's own clock:

- loaded: from opening the address to networks that are ready; from loopback, with a new browser profile
- first picture: from opening the address to the first picture that is painted with its points, where the camera is
  started as soon as the networks are ready
- first face: from the click on the camera to the first result with a face
- fps: results a second, beside frames a second that the camera gave, and pictures a second that were painted
- delay: from a frame that the page got to its picture with its points, painted; median and 95th
  percentile, ms
- stages: medians in the worker, ms; the detector has a worker of its own where that is said
- processor: seconds of processor a second, all processes of the browser together; memory: their proportional share

Needs Chromium and what ``make web`` fetches. Headless Chromium draws on the processor, which is in its figure.
Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from bisect import bisect
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.chromium import Chromium, Page, chromium_path
from benchmarks.script import result_file, run, whole_numbers
from fkp_live.arguments import file_path, whole_number
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.errors import FkpError, InputError
from fkp_live.server.site import LANDMARKS, site
from fkp_live.server.site_server import SiteServer

# Frames of the clip that the camera repeats: raw, so 40 MB at 640x480.
_FRAMES = 300
_STAGES = ("read", "landmarks", "track", "smooth", "measure", "total")
# Notes frames of the camera, results and times of the worker, without a change to the page.
_WATCH = """
window.watched = { frames: [], results: [], timings: [], painted: [], detector: [], isOwn: null };
const open = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = async function (...given) {
  const stream = await open.apply(this, given);
  [window.track] = stream.getVideoTracks();
  return stream;
};
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (...given) {
  if (this.canvas.id === "picture") watched.painted.push(performance.now());
  return draw.apply(this, given);
};
const ask = HTMLVideoElement.prototype.requestVideoFrameCallback;
HTMLVideoElement.prototype.requestVideoFrameCallback = function (act) {
  return ask.call(this, (now, data) => {
    watched.origin ??= data.mediaTime;
    watched.frames.push([performance.now(), data.mediaTime - watched.origin]);
    act(now, data);
  });
};
const read = ReadableStreamDefaultReader.prototype.read;
ReadableStreamDefaultReader.prototype.read = async function () {
  const got = await read.call(this);
  if (got.value instanceof VideoFrame) {
    const { timestamp } = got.value;
    watched.origin ??= timestamp;
    watched.frames.push([performance.now(), (timestamp - watched.origin) / 1e6]);
  }
  return got;
};
window.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      if (data.kind === "result") {
        watched.timings.push([performance.now(), data.timings]);
      }
      if (data.kind === "detected") watched.detector.push([performance.now(), data.ms]);
      if (data.kind === "detector") watched.isOwn = data.isOwn;
    });
  }
};
document.addEventListener("fkp-result", ({ detail }) => {
  watched.results.push([performance.now(), detail.time, detail.faces.length, detail.faces.map(({ id }) => id)]);
});
"""
# A page that shows the camera, and notes each picture that it is shown.
_VIDEO = """(async () => {
  const video = document.createElement("video");
  document.body.replaceChildren(video);
  const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 60 } };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: size });
  const note = () => video.requestVideoFrameCallback(note);
  note();
  await video.play();
})()"""
_SHOWN = "delete window.MediaStreamTrackProcessor;"
_NOW = "[performance.now(), track.stats?.totalFrames ?? null]"
_READY = "document.getElementById('opening').textContent.includes('ready')"
# Width and height in pixels, dark, phone.
_SCREENS = {
    "desktop-light": (1280, 900, False, False),
    "desktop-dark": (1280, 900, True, False),
    "phone-light": (390, 844, False, True),
    "phone-dark": (390, 844, True, True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each rate and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--video", type=file_path, default=demo_clip(), help="a clip with a face (default: the demo)"
    )
    parser.add_argument(
        "--rates", type=whole_numbers, default=[30, 60], metavar="N,…", help="frames a second"
    )
    parser.add_argument(
        "--frames",
        type=_ways,
        default=["read"],
        metavar="read,shown",
        help="read as they come, or taken when they are shown (default: read)",
    )
    parser.add_argument(
        "--rounds",
        type=whole_number(1),
        default=1,
        help="runs of each, in turn; their medians are printed last",
    )
    parser.add_argument("--seconds", type=whole_number(2), default=20, help="measured at each rate")
    parser.add_argument("--model", choices=LANDMARKS, default=LANDMARKS[0])
    parser.add_argument(
        "--screenshots", type=file_path, metavar="DIR", help="four pictures of the page, as PNG"
    )
    parser.add_argument("--json", type=result_file, metavar="FILE")
    options = parser.parse_args(arguments)
    if chromium_path() is None:
        raise FkpError("There is no Chromium.", "apt-get install chromium")
    if options.screenshots is not None:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    runs: list[dict[str, Any]] = []
    with SiteServer(site(), "127.0.0.1", 0) as server, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for rate in options.rates:
            film = Path(folder) / "camera.y4m"
            size = write_y4m(options.video, film, rate)
            shots = options.screenshots if rate == options.rates[-1] else None
            given, shown = bare(server.url, film, options.seconds)
            print(
                f"a page without networks: {shown:.1f} pictures a second shown of {given or 0:.1f} that the camera gave"
            )
            for frames in options.frames * options.rounds:
                measured = measure(server.url, film, options.model, options.seconds, shots, frames)
                runs.append({"rate": rate, "frames": frames, "size": size, **measured})
                print_run(runs[-1])
                shots = None
        server.shutdown()
    if options.rounds > 1:
        print_medians(runs)
    if options.json is not None:
        made = {"model": options.model, "seconds": options.seconds, "runs": runs}
        options.json.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    return 0


def _ways(text: str) -> list[str]:
    ways = text.split(",")
    if not set(ways) <= {"read", "shown"}:
        raise argparse.ArgumentTypeError(f"{text} given, expected read, shown or both")
    return ways


def write_y4m(video: Path, target: Path, rate: int, frames: int = _FRAMES) -> tuple[int, int]:
    """Write the first frames of a clip as YUV4MPEG, 4:2:0; width and height in pixels, even."""
    import av

    try:
        with av.open(str(video)) as container, target.open("wb") as file:
            stream = container.streams.video[0]
            width, height = stream.width & ~1, stream.height & ~1
            file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
            for frame in islice(container.decode(stream), frames):
                file.write(b"FRAME\n")
                file.write(frame.reformat(width, height, "yuv420p").to_ndarray().tobytes())
    except (av.FFmpegError, IndexError, OSError) as error:
        raise InputError(f"{video} cannot be read: {error}.", "Give a video.") from error
    return width, height


def bare(url: str, film: Path, seconds: int) -> tuple[float | None, float]:
    """Frames a second that the camera gives and that a page with a video element alone is shown."""
    with _camera(film) as browser:
        page = browser.open(f"{url}web/facts.json", before=_WATCH)
        page.evaluate(_VIDEO)
        time.sleep(2)
        begin, before = page.evaluate(_NOW)
        time.sleep(seconds)
        end, after = page.evaluate(_NOW)
        shown = sum(begin <= now < end for now, _ in page.evaluate("watched.frames"))
    given = None if before is None else (after - before) / (end - begin) * 1000
    return given, shown / (end - begin) * 1000


def _camera(film: Path) -> Chromium:
    """A browser whose camera plays a film."""
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    return Chromium((*fake, f"--use-file-for-fake-video-capture={film}"))


def measure(
    url: str, film: Path, model: str, seconds: int, screenshots: Path | None, frames: str
) -> dict[str, Any]:
    """Open the page in a new browser whose camera plays a film, and watch it."""
    with _camera(film) as browser:
        page = browser.open(url, before=_WATCH + (_SHOWN if frames == "shown" else ""))
        page.until(_READY)
        loaded = page.evaluate("performance.now()")
        if model != LANDMARKS[0]:
            page.evaluate(
                f"document.getElementById('model').value = '{model}';"
                "document.getElementById('model').dispatchEvent(new Event('change'))"
            )
            page.until(_READY)
        click = page.evaluate(
            "(() => { const now = performance.now(); document.querySelector('.start .main').click(); return now; })()"
        )
        page.until("watched.results.some(([, , faces]) => faces)")
        first = page.evaluate("watched.results[0][0]")
        face = page.evaluate("watched.results.find(([, , faces]) => faces)[0]")
        time.sleep(3)  # the camera's start, and what the browser compiles once more
        started, processor = time.monotonic(), processor_seconds(browser)
        begin, before = page.evaluate(_NOW)
        time.sleep(seconds)
        end, after = page.evaluate(_NOW)
        spent = (processor_seconds(browser) - processor) / (time.monotonic() - started)
        memory = megabytes(browser)
        watched = page.evaluate("watched")
        if screenshots is not None:
            take_screenshots(page, screenshots)
    return {
        "load": os.getloadavg()[0],
        "loaded_ms": loaded,
        "first_picture_ms": first - (click - loaded),
        "first_face_ms": face - click,
        "camera_fps": (after - before) / (end - begin) * 1000 if before is not None else None,
        **rates(watched, begin, end),
        "processor": spent,
        "memory_mb": memory,
    }


def rates(watched: dict[str, list[Any]], begin: float, end: float) -> dict[str, Any]:
    """Rates, delays and stages between two moments of the browser's clock, in milliseconds."""
    seconds = (end - begin) / 1000
    results = [each for each in watched["results"] if begin <= each[0] < end]
    timings = [each[1] for each in watched["timings"] if begin <= each[0] < end]
    detector = [each[1] for each in watched["detector"] if begin <= each[0] < end]
    painted = [now for now in watched["painted"] if begin <= now < end]
    # Times of frames are the camera's, from the first one on. What is painted is the newest result.
    came = {round(when, 4): now for now, when in watched["frames"]}
    at = [each[0] for each in watched["results"]]
    shown = [(now, watched["results"][place - 1][1]) for now in painted if (place := bisect(at, now))]
    delays = sorted(now - came[key] for now, when in shown if (key := round(when, 4)) in came)
    return {
        "fps": len(results) / seconds,
        "ids": len({one for each in results for one in each[3]}),
        "with_face": sum(bool(each[2]) for each in results) / max(len(results), 1),
        "delay_ms": statistics.median(delays) if delays else None,
        "delay_p95_ms": delays[int(0.95 * len(delays))] if delays else None,
        "stages_ms": {name: statistics.median(each.get(name, 0.0) for each in timings) for name in _STAGES},
        "detector_ms": statistics.median(detector) if detector else None,
        "detector_own_worker": watched["isOwn"],
        "painted_fps": len(painted) / seconds,
    }


def take_screenshots(page: Page, folder: Path) -> None:
    """The page on a desk and on a phone, light and dark."""
    for name, (width, height, dark, phone) in _SCREENS.items():
        page.look_as(width, height, dark=dark, phone=phone)
        page.evaluate("new Promise((resolve) => setTimeout(resolve, 700))")
        page.save_screenshot(folder / f"{name}.png")


def processor_seconds(browser: Chromium) -> float:
    """Processor time that the browser's processes have used."""
    ticks = 0
    for number in browser.processes:
        try:
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes(browser: Chromium) -> float:
    """Memory of the browser's processes, what they share counted once."""
    kilobytes = 0
    for number in browser.processes:
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1000


def print_medians(runs: list[dict[str, Any]]) -> None:
    """Of the runs at each rate, of each way to take the frames."""
    for rate, frames in dict.fromkeys((each["rate"], each["frames"]) for each in runs):
        alike = [each for each in runs if (each["rate"], each["frames"]) == (rate, frames)]
        names = (
            "fps",
            "camera_fps",
            "painted_fps",
            "delay_ms",
            "first_face_ms",
            "first_picture_ms",
            "processor",
        )
        medians = {name: statistics.median(each[name] or 0 for each in alike) for name in names}
        figures = ", ".join(f"{name} {value:.1f}" for name, value in medians.items())
        print(f"medians of {len(alike)} runs at {rate} fps, frames {frames}: {figures}")


def print_run(found: dict[str, Any]) -> None:
    """The figures of one run."""
    stages = ", ".join(f"{name} {value:.1f}" for name, value in found["stages_ms"].items())
    place = "own worker" if found["detector_own_worker"] else "same worker"
    detector = "none" if found["detector_ms"] is None else f"{found['detector_ms']:.1f} ms, {place}"
    camera = "unknown" if found["camera_fps"] is None else f"{found['camera_fps']:.1f}"
    delay = (
        "unknown"
        if found["delay_ms"] is None
        else f"{found['delay_ms']:.1f} ms, p95 {found['delay_p95_ms']:.1f}"
    )
    print(
        f"camera at {found['rate']} fps, {found['size'][0]}x{found['size'][1]}, frames {found['frames']}, "
        f"load of the machine {found['load']:.1f}"
    )
    print(f"  loaded        {found['loaded_ms']:.0f} ms")
    print(f"  first picture {found['first_picture_ms']:.0f} ms")
    print(f"  first face    {found['first_face_ms']:.0f} ms after the click")
    print(
        f"  fps           {found['fps']:.1f} of {camera} that the camera gave, {found['painted_fps']:.1f} painted; "
        f"{found['with_face']:.0%} with a face, {found['ids']} ids"
    )
    print(f"  delay         {delay}")
    print(f"  worker        {stages} ms; detector {detector}")
    print(
        f"  processor     {found['processor']:.2f} of {os.cpu_count()} cores; memory {found['memory_mb']:.0f} MB"
    )


if __name__ == "__main__":
    run(main)
