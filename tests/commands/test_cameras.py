"""Cameras on the command line: listed, chosen, asked; and live sources that are lost in the middle of a run."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Endless, MjpegServer, number_of, until

from fkp_live.commands import cameras
from fkp_live.commands.cli import main
from fkp_live.commands.options import parse
from fkp_live.pipeline import Pipeline
from fkp_live.sources import Camera, camera, open_source
from fkp_live.sources import cameras as listing
from fkp_live.sources.modes import Mode
from fkp_live.types import Frame, FrameResult, Image

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(120)
TWO = [Camera(0, "Integrated", (Mode("YUYV", 640, 480, 30.0),)), Camera(2, "Logitech BRIO", problem="in use")]


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def call(words: str) -> int:
    return main(words.split())


def listed(monkeypatch: pytest.MonkeyPatch, found: list[Camera]) -> None:
    monkeypatch.setattr(cameras, "list_cameras", lambda: found)
    monkeypatch.setattr(listing, "list_cameras", lambda: found)


# ----- the list, the name, the options


def test_cameras_are_listed_one_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(monkeypatch, TWO)
    assert call("--list-cameras") == 0
    assert capsys.readouterr() == ("0\tIntegrated\t640x480 at 30 fps\n2\tLogitech BRIO\tin use\n", "")


def test_a_machine_without_cameras_says_so_and_that_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(monkeypatch, [])
    assert call("--list-cameras") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "No camera was found on this machine."
    assert "plugged in" in err


@pytest.mark.parametrize("words", ["--list-cameras --demo", "--csv a.csv --list-cameras", "--list-cameras 0"])
def test_the_list_stands_alone(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert call(words) == 2
    assert "--list-cameras stands alone" in capsys.readouterr().err


def test_drivers_that_print_are_not_heard(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def noisy() -> list[Camera]:
        os.write(2, b"[ WARN:0@0.1] can't open camera by index\n")
        return []

    monkeypatch.setattr(cameras, "list_cameras", noisy)
    assert cameras.quiet_list() == []
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_doctor_lists_the_same_cameras(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(monkeypatch, TWO)
    call("doctor")
    out = capsys.readouterr().out
    assert re.search(
        r"^cameras +0 Integrated: 640x480 at 30 fps\n +2 Logitech BRIO: in use$", out, re.MULTILINE
    )


# A camera whose library writes past Python at every picture, in a process of its own.
NOISY = """
import os, sys
import cv2, numpy
from fkp_live.commands import run  # with all libraries, before the name of the system is changed: orjson 3.10 crashes
from fkp_live.commands.cli import main
from fkp_live.sources import camera

class Noisy:
    def isOpened(self): return True
    def get(self, what): return 30.0
    def set(self, what, value): return True
    def release(self): pass
    def read(self):
        os.write(2, b"Corrupt JPEG data\\n")
        return True, numpy.zeros((96, 160, 3), numpy.uint8)

sys.platform = "elsewhere"
camera.cv2.VideoCapture = lambda number: Noisy()
code = main(["0", "--fps", "60", "--csv", "a.csv", "--max-frames", "5", "--headless"])
print("after", file=sys.stderr)
os.write(2, b"and past Python\\n")
sys.exit(code)
"""


def test_a_camera_s_library_is_not_heard_and_all_else_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOISY],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "written: a.csv" in done.stdout
    assert "camera 0 delivers 160x96 at 30 fps; asked for: 60 fps" in done.stderr
    assert "camera 0: " in done.stderr  # the progress bar
    assert done.stderr.endswith("after\nand past Python\n")
    # What was read ahead while it was opened is heard.
    assert done.stderr.count("Corrupt JPEG data") < 50


@pytest.mark.parametrize(
    ("words", "source"),
    [("--camera 2", 2), ("--camera brio", "camera://brio"), ("2", "2"), ("camera://2", "camera://2")],
)
def test_a_camera_is_named_or_numbered(words: str, source: int | str) -> None:
    given = parse([*words.split(), "--size", "1280X720", "--fps", "59.94", "--csv", "a.csv"])
    assert (given.source, given.size, given.fps, given.retry) == (source, (1280, 720), 59.94, 30)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--camera -1", "--camera"),
        ("--camera 1.5", "--camera"),
        *(
            (f"--camera 0 --size {size}", "--size")
            for size in ("1280", "0x5", "ax5", "1x2x3", "-1x5", "5x99999", "٣x٣")
        ),
        *((f"--camera 0 --fps {fps}", "--fps") for fps in ("0", "-1", "nan", "inf", "x")),
        *((f"--camera 0 --retry {retry}", "--retry") for retry in ("-1", "nan", "inf", "x")),
        ("--demo --size 640x480", "--size"),
        ("none.mp4 --fps 30", "--fps"),
        ("http://127.0.0.1:9/ --fps 30", "--fps"),
    ],
)
def test_nonsense_is_refused_before_anything_is_opened(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    named: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(f"{words} --csv a.csv --headless") == 2
    out, err = capsys.readouterr()
    assert (out, named in err) == ("", True)
    assert "network" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("sony", 3, "0 (Integrated), 2 (Logitech BRIO)"), ("i", 2, "2 cameras are named 'i'")],
)
def test_a_name_that_fits_none_or_several_names_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    code: int,
    said: str,
) -> None:
    listed(monkeypatch, TWO)
    monkeypatch.chdir(tmp_path)
    assert call(f"--camera {name} --csv a.csv --headless") == code
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_a_camera_delivers_instead_is_said_once_at_the_start(
    make_clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, real = str(make_clip(tmp_path / "a.avi", 60, codec="mjpeg")), cv2.VideoCapture
    monkeypatch.setattr(sys, "platform", "elsewhere")
    monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: Endless(real(clip)))
    monkeypatch.chdir(tmp_path)
    assert call("--camera 0 --size 1280x720 --fps 60 --csv a.csv --max-frames 2 --headless") == 0
    said = "camera 0 delivers 160x96 at 30 fps; asked for: 1280x720 at 60 fps"
    assert capsys.readouterr().err.count(said) == 1


# ----- lost in the middle


@pytest.fixture
def portrait(astronaut: Image) -> bytes:
    """A JPEG with one face."""
    return cv2.imencode(".jpg", cv2.resize(astronaut, (320, 320)))[1].tobytes()


def frames_of(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def test_a_sender_that_comes_back_goes_on_in_the_same_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mjpeg_server: Callable[..., MjpegServer],
    portrait: bytes,
    no_thread_left: None,
) -> None:
    """The face sits still in the same place, and is somebody else for all that anybody knows."""
    server, process, seen = mjpeg_server(lambda i: portrait, rate=60.0), Pipeline.process, itertools.count(1)
    reached: list[FrameResult] = []
    connections: list[int] = []

    def observed(self: Pipeline, frame: Frame) -> FrameResult:
        reached.append(process(self, frame))
        connections.append(frame.connection)
        if next(seen) == 20:
            server.close()
            # As soon as the port is free again; the program is in its pause by then, or tries in vain.
            mjpeg_server(lambda i: portrait, rate=60.0, port=server.port)
        return reached[-1]

    monkeypatch.setattr(Pipeline, "process", observed)
    monkeypatch.chdir(tmp_path)
    words = f"{server.url} --out a.mp4 --csv a.csv --jsonl a.jsonl --max-frames 40 --headless"
    assert call(words) == 0
    out, err = capsys.readouterr()
    assert f"{server.url} closed the connection. Trying again for 30 s." in err
    assert f"{server.url} is back after" in err
    assert f"{server.url} was lost once, for" in err
    results = lines_of(tmp_path / "a.jsonl")
    times = [line["time"] for line in results]
    assert len(results) == 40
    gap = connections.index(1)
    assert connections == [0] * gap + [1] * (40 - gap)
    assert times[gap] - times[gap - 1] > 0.5  # the pause before the first attempt
    ids = [{face["id"] for face in line["faces"]} for line in results]
    assert set().union(*ids[:gap]) == {1}
    assert set().union(*ids[gap:]) == {2}
    arrived = [result.arrived for result in reached]
    assert times[-1] - times[0] == pytest.approx(arrived[-1] - arrived[0], abs=1e-3)
    film = frames_of(tmp_path / "a.mp4")
    assert [frame.time for frame in film] == pytest.approx([t - times[0] for t in times], abs=1e-3)
    last, dropped = results[-1]["frame"], re.search(r"(\d+) frames? dropped", out)
    assert last + 1 <= 40 + (int(dropped[1]) if dropped else 0)
    with (tmp_path / "a.csv").open(newline="") as table:
        assert len({row["frame"] for row in csv.DictReader(table)}) == 40


@pytest.mark.parametrize(
    ("retry", "said"), [(0.6, "did not come back within 0.6 s"), (0, "closed the connection")]
)
def test_a_sender_that_stays_away_ends_with_3_and_whole_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mjpeg_server: Callable[..., MjpegServer],
    no_thread_left: None,
    retry: float,
    said: str,
) -> None:
    server, process, seen = mjpeg_server(rate=60.0), Pipeline.process, itertools.count(1)

    def observed(self: Pipeline, frame: Frame) -> FrameResult:
        if next(seen) == 10:
            server.close()
        return process(self, frame)

    monkeypatch.setattr(Pipeline, "process", observed)
    monkeypatch.chdir(tmp_path)
    words = f"{server.url} --out a.mp4 --csv a.csv --jsonl a.jsonl --retry {retry} --headless --quiet"
    assert call(words) == 3
    out, err = capsys.readouterr()
    assert err.startswith(f"fkp-live: {server.url}")
    assert said in err
    assert "partial" not in err
    assert out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "a.mp4"]
    numbers = [number_of(frame.image) for frame in frames_of(tmp_path / "a.mp4")]
    assert numbers == sorted(numbers)
    assert len(numbers) == len(lines_of(tmp_path / "a.jsonl")) >= 10


def test_a_sender_that_comes_back_smaller_is_scaled_into_the_video(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mjpeg_server: Callable[..., MjpegServer],
) -> None:
    def bright(size: int) -> bytes:
        return cv2.imencode(".jpg", np.full((size, 2 * size, 3), size, np.uint8))[1].tobytes()

    server, process, seen = (
        mjpeg_server(lambda i: bright(96), rate=60.0),
        Pipeline.process,
        itertools.count(1),
    )

    def observed(self: Pipeline, frame: Frame) -> FrameResult:
        if next(seen) == 10:
            server.close()
            mjpeg_server(lambda i: bright(240), rate=60.0, port=server.port)
        return process(self, frame)

    monkeypatch.setattr(Pipeline, "process", observed)
    monkeypatch.chdir(tmp_path)
    assert call(f"{server.url} --out a.mp4 --max-frames 20 --headless --no-hud") == 0
    assert "The picture size of" in capsys.readouterr().err
    film = frames_of(tmp_path / "a.mp4")
    assert {frame.picture.size for frame in film} == {(192, 96)}
    assert film[0].image.mean() == pytest.approx(96, abs=6)
    assert film[-1].image.mean() == pytest.approx(240, abs=6)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is sent to a process of its own")
def test_ctrl_c_ends_a_retry_soon_and_with_whole_files(
    tmp_path: Path, mjpeg_server: Callable[..., MjpegServer]
) -> None:
    server = mjpeg_server(rate=60.0)
    process = subprocess.Popen(
        [sys.executable, "-m", "fkp_live", server.url, "--out", "a.mp4", "--retry", "600", "--headless"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.extend(process.stderr or ()))
    reader.start()
    try:
        until(lambda: (tmp_path / "a.partial.mp4").exists(), 60)
        until(lambda: server.sent > 60)
        server.close()
        until(lambda: any("Trying again for 600 s" in line for line in heard), 60)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        took = time.monotonic() - begun
        assert process.stdout is not None
        assert "written: a.mp4" in process.stdout.read()
    finally:
        process.kill()
        process.wait()
        reader.join()
    assert len(frames_of(tmp_path / "a.mp4")) > 0
    assert took < 5.0  # a second, and time for a machine that is busy with other things
