"""Every program in examples/ runs, on files instead of cameras, and finds what is there."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest
from photos import photographs

from fkp_live import FaceLandmarker
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult, Image

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
FRAMES = 24


def run(folder: Path, name: str, *arguments: str | Path) -> str:
    """Standard output of an example that ran in ``folder``."""
    done = ended(folder, name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(folder: Path, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """An example that was run in ``folder``, without a screen."""
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "DISPLAY": "",
            "WAYLAND_DISPLAY": "",
        },
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the demo clip."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with open_source(demo_clip(), max_frames=FRAMES) as source, VideoSink(path, source.info) as sink:
        for frame in source:
            sink.write(FrameResult.of(frame, []), frame.picture)
    return path


@pytest.fixture
def portrait(tmp_path: Path, astronaut: Image) -> Path:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), astronaut)
    return path


def test_each_example_is_listed_and_tested() -> None:
    listed = set(re.findall(r"\((\w+\.py)\)", (EXAMPLES / "README.md").read_text()))
    assert listed == {path.name for path in EXAMPLES.glob("*.py")}
    assert all(f'"{name}"' in Path(__file__).read_text() for name in listed)


def test_each_example_is_short_and_ends_with_a_message() -> None:
    for path in EXAMPLES.glob("*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 40, path.name
        assert lines[-1] == "    run_main(main, __doc__)", path.name
        assert f"python examples/{path.name}" in lines[0]  # what run_main shows of the arguments


@pytest.mark.parametrize(
    ("name", "words", "code", "said"),
    [
        ("webcam.py", ["missing.mp4"], 3, "webcam.py: There is no file missing.mp4."),
        (
            "one_picture.py",
            [],
            2,
            "The arguments do not fit: none.\n  The faces of one picture: python",
        ),
        ("pushed_frames.py", ["missing.mp4", "a.csv"], 3, "No such file or directory"),
        ("other_library.py", [str(Path(__file__))], 3, "Invalid data found"),
        ("avatar_sender.py", ["{film}", "osf://"], 2, "Expected osf://HOST"),
    ],
)
def test_bad_input_is_one_message(
    tmp_path: Path, film: Path, name: str, words: list[str], code: int, said: str
) -> None:
    done = ended(tmp_path, name, *(word.format(film=film) for word in words))
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
def test_webcam_without_a_screen(tmp_path: Path, film: Path) -> None:
    done = ended(tmp_path, "webcam.py", film)
    assert done.returncode == 2
    assert done.stderr.startswith("webcam.py: No window can be opened: ")
    assert done.stderr.endswith("Add --no-window.\n")


def test_one_picture(tmp_path: Path, portrait: Path) -> None:
    printed = run(tmp_path, "one_picture.py", portrait, "out.png")
    x, y = map(float, re.findall(r"nose at ([\d.]+), ([\d.]+)", printed)[0])
    assert abs(x - 225) < 5
    assert abs(y - 128) < 5
    painted, clean = cv2.imread(str(tmp_path / "out.png")), cv2.imread(str(portrait))
    assert np.abs(painted.astype(int) - clean).max() > 50


def test_webcam(tmp_path: Path, film: Path) -> None:
    printed = run(tmp_path, "webcam.py", film, "--no-window")
    assert printed.count("face 1, yaw") == FRAMES
    assert f"{FRAMES} frames in" in printed


def test_file_to_csv(tmp_path: Path, film: Path) -> None:
    run(tmp_path, "file_to_csv.py", film, "points.csv", "annotated.mp4")
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(1, FRAMES + 1))
    with open_source(tmp_path / "annotated.mp4") as source:
        assert sum(1 for _ in source) == FRAMES


def test_drowsiness_alarm(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    astronaut, points = photographs.photograph("astronaut"), photographs.checked_points()["astronaut"]
    awake, asleep = astronaut[:256, 96:352], photographs.eyes_shut(astronaut, points, 1.0)[:256, 96:352]
    film = make_clip(
        tmp_path / "tired.mp4", [awake] * 10 + [asleep] * 2 + [awake] * 10 + [asleep] * 24, rate=10
    )
    printed = run(tmp_path, "drowsiness_alarm.py", film).splitlines()
    assert printed == [
        "1.2 s: face 1, blink of 0.20 s",
        "\a4.2 s: face 1, eyes shut for two seconds",
    ]


def test_own_detector(tmp_path: Path, portrait: Path) -> None:
    printed = run(tmp_path, "own_detector.py", portrait).splitlines()
    box, confidence = re.findall(r"\[(.*)\], mean confidence ([\d.]+)", printed[0])[0]
    assert np.abs(np.array(box.split(", "), float) - [180, 87, 271, 178]).max() < 6
    assert float(confidence) > 0.9


def test_several_cameras(tmp_path: Path, film: Path) -> None:
    printed = run(tmp_path, "several_cameras.py", film, film).splitlines()
    assert printed[1:] == [f"film.mp4: {FRAMES} frames, {FRAMES} faces"] * 2


def test_in_a_browser(tmp_path: Path, film: Path) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra server")
    client = pytest.importorskip("websockets.sync.client", reason="needs the extra server")
    command = [sys.executable, EXAMPLES / "in_a_browser.py", film, film]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    going = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, text=True
    )
    with going, ExitStack() as context:
        assert going.stdout is not None
        context.callback(going.kill)
        urls = [going.stdout.readline().split(": ")[1].strip() for _ in range(2)]
        assert len({*urls}) == 2
        for url in urls:
            with client.connect(url.replace("http", "ws") + "points") as program:
                assert "schema" in program.recv(60)
                assert '"frame":0,' in program.recv(60)
        assert going.stdout.read() == f"film.mp4: {FRAMES} frames shown\n" * 2
        assert going.wait(60) == 0


def test_other_library(tmp_path: Path, film: Path) -> None:
    printed = run(tmp_path, "other_library.py", film).splitlines()
    assert len(printed) == FRAMES
    assert 0 < float(printed[-1].split()[-1]) < 1


def test_pushed_frames(tmp_path: Path, film: Path) -> None:
    assert run(tmp_path, "pushed_frames.py", film, "points.csv") == f"{FRAMES} frames, {FRAMES} faces\n"
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["timestamp"]) for row in rows] == pytest.approx(
        [i / 30 for i in range(FRAMES)], abs=1e-3
    )


def test_openface_csv(tmp_path: Path, film: Path) -> None:
    (tmp_path / "films").mkdir()
    shutil.copy(film, tmp_path / "films" / "a b.mp4")
    (tmp_path / "films" / "broken.mp4").write_bytes(b"no film")
    printed = run(tmp_path, "openface_csv.py", "films", "tables")
    assert f"a b.mp4: {FRAMES} frames" in printed
    assert "broken.mp4: " in printed
    with (tmp_path / "tables" / "a b.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == FRAMES
    assert [name for name in rows[0] if name.startswith("raw_")] == []


def test_read_archive(tmp_path: Path, film: Path) -> None:
    pytest.importorskip("pandas", reason="needs the extra tables")
    pytest.importorskip("pyarrow", reason="needs the extra batch")
    batch = [sys.executable, "-m", "fkp_live", "batch", str(film), "--out", "found", "--quiet"]
    subprocess.run(batch, cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    printed = run(tmp_path, "read_archive.py", "found").splitlines()
    assert printed[2].split()[0].endswith("film.mp4")
    assert printed[2].split()[-1] == str(FRAMES)


def test_blur_others(tmp_path: Path, film: Path) -> None:
    assert (
        run(tmp_path, "blur_others.py", film, "others.mp4", "1") == f"{FRAMES} frames written to others.mp4\n"
    )
    run(tmp_path, "blur_others.py", film, "all.mp4")
    with open_source(film) as source:
        height, width = next(iter(source)).image.shape[:2]
    middle = np.s_[height // 3 : height // 2, width // 2 - 40 : width // 2 + 40]

    def sharpness(path: Path) -> float:
        with open_source(path) as made:
            return float(cv2.Laplacian(next(iter(made)).image[middle], cv2.CV_64F).var())

    assert sharpness(tmp_path / "all.mp4") < 0.2 * sharpness(film)
    assert sharpness(tmp_path / "others.mp4") > 0.7 * sharpness(film)


def test_avatar_sender(tmp_path: Path, film: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        target = f"osf://127.0.0.1:{receiver.getsockname()[1]}"
        printed = run(tmp_path, "avatar_sender.py", film, target)
        assert len(receiver.recv(65536)) == 1785
    assert re.search(r"\d+ frames sent to osf://", printed)


def test_own_network(tmp_path: Path, film: Path) -> None:
    printed = run(tmp_path, "own_network.py", film).splitlines()
    assert len(printed) == FRAMES
    with open_source(film) as source:
        (face,) = FaceLandmarker("cpu")(next(iter(source)).image)
    nose = [float(number) for number in re.findall(r"\d+\.\d*", printed[0])]
    assert np.abs(nose - face.points[30]).max() < 5


def test_points_receiver(tmp_path: Path, film: Path) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra server")
    command = [sys.executable, "-m", "fkp_live", str(film), "--serve", "127.0.0.1:0"]
    going = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    with going, ExitStack() as context:
        context.callback(going.kill)
        assert going.stderr is not None
        url = next(found[0] for line in going.stderr if (found := re.findall(r"http://\S+", line)))
        printed = run(tmp_path, "points_receiver.py", url).splitlines()
    assert printed[0].startswith("film.mp4, network fkp68")
    assert "face 1, nose at" in printed[-1]
