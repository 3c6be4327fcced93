"""``fkp-live replay``, from words to files: a replay equals the run that made the recording."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from typing import Any

import cv2
import numpy as np
import pytest
from receivers import receiver

from fkp_live.commands.cli import main
from fkp_live.commands.replay import parse
from fkp_live.errors import UsageError
from fkp_live.sinks import ParquetSink
from fkp_live.sources import open_source
from fkp_live.sources.recordings import open_recording
from fkp_live.types import Frame, FrameResult

pytestmark = [pytest.mark.usefixtures("here", "no_thread_left"), pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
DEMO = ROOT / "fkp_live" / "assets" / "demo.mp4"
FRAMES = 20


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a film, and what a run wrote of it: a.mp4, a.jsonl, a.csv."""
    folder = tmp_path_factory.mktemp("recorded")
    copyfile(DEMO, folder / "film.mp4")
    outputs = [
        "--out",
        str(folder / "a.mp4"),
        "--jsonl",
        str(folder / "a.jsonl"),
        "--csv",
        str(folder / "a.csv"),
    ]
    words = [str(folder / "film.mp4"), "--max-frames", str(FRAMES), "--no-hud", "--quiet", "--layers", "all"]
    assert main([*words, *outputs, "--headless"]) == 0
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a network was opened")

    monkeypatch.setattr("fkp_live.commands.run.Pipeline", never)
    monkeypatch.setattr("fkp_live.engine.Engine.__init__", never)


def replay(*words: object) -> int:
    return main(["replay", *map(str, words), "--quiet"])


def frames(path: Path | str) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def results(path: Path | str) -> list[FrameResult]:
    with open_recording(path) as recording:
        return list(recording)


def table(path: Path | str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def same_samples(a: Path | str, b: Path | str) -> bool:
    pairs = list(zip(frames(a), frames(b), strict=True))
    return all(x.pts == y.pts and np.array_equal(x.image, y.image) for x, y in pairs)


# a replay equals its run


@pytest.mark.usefixtures("no_network")
def test_video_and_numbers_equal_those_of_the_run(recorded: Path) -> None:
    words = ["--out", "b.mp4", "--jsonl", "b.jsonl", "--csv", "b.csv", "--layers", "all"]
    assert replay(recorded / "a.jsonl", "--video", recorded / "film.mp4", *words) == 0
    assert same_samples(recorded / "a.mp4", "b.mp4")
    head, *lines = Path("b.jsonl").read_text().splitlines()
    was, *same = (recorded / "a.jsonl").read_text().splitlines()
    assert lines == same
    changed = json.loads(head)
    assert changed.pop("replay")["smooth"] is None
    assert changed == json.loads(was)
    # A JSONL file rounds the confidence of each point, so their mean may be another in the last digit.
    for a, b in zip(table(recorded / "a.csv"), table("b.csv"), strict=True):
        assert float(a.pop("confidence")) == pytest.approx(float(b.pop("confidence")), abs=0.0011)
        assert a == b


@pytest.mark.parametrize(
    "more", ["--sticker glasses --overlay", "--only-points", "--mirror", "--start 2 --end 2.5"]
)
def test_edited_mirrored_and_cut_runs_too(more: str) -> None:
    common = ["--no-hud", "--headless", "--quiet"]
    copyfile(DEMO, "film.mp4")
    words = ["film.mp4", "--out", "a.mp4", "--jsonl", "a.jsonl", "--max-frames", "12"]
    assert main([*words, *common, *more.split()]) == 0
    # Mirrored and cut films are read alike without being told.
    edits = [] if more.startswith(("--mirror", "--start")) else more.split()
    assert replay("a.jsonl", "--out", "b.mp4", *edits) == 0
    assert same_samples("a.mp4", "b.mp4")


def test_a_csv_and_a_parquet_file_are_replayed_too(recorded: Path) -> None:
    pytest.importorskip("pyarrow")
    with ParquetSink("a.parquet", {}) as sink:
        for result in results(recorded / "a.jsonl"):
            sink.write(result)
    look = ["--layers", "contours,boxes", "--overwrite"]
    assert replay(recorded / "a.jsonl", "--out", "c.mp4", *look) == 0
    for name in (recorded / "a.csv", "a.parquet"):
        assert replay(name, "--video", recorded / "film.mp4", "--out", "b.mp4", *look) == 0
        assert same_samples("b.mp4", "c.mp4")


def test_pictures_keep_their_names(here: Path) -> None:
    (here / "pictures").mkdir()
    for number, frame in enumerate(frames(DEMO)[:3]):
        cv2.imwrite(str(here / "pictures" / f"Bild {number}.png"), frame.image)
    assert main(["pictures", "--csv", "a.csv", "--jsonl", "a.jsonl", "--headless", "--quiet"]) == 0
    for film in (["--video", "pictures"], []):
        assert replay("a.jsonl", *film, "--csv", "b.csv", "--jsonl", "b.jsonl", "--overwrite") == 0
        rows = table("b.csv")
        assert [row["file"] for row in rows] == ["Bild 0.png", "Bild 1.png", "Bild 2.png"]
        assert Path("b.jsonl").read_text().splitlines()[1:] == Path("a.jsonl").read_text().splitlines()[1:]


# what it changes


@pytest.mark.usefixtures("no_network")
def test_points_are_smoothed_anew(recorded: Path) -> None:
    def moved(name: str) -> float:
        points = np.stack([result.faces[0].points for result in results(name)])
        return float(np.abs(np.diff(points, 2, axis=0)).mean())

    raw = np.stack([result.faces[0].raw for result in results(recorded / "a.jsonl")])
    jerk = {}
    for level in ("off", "medium", "offline"):
        assert replay(recorded / "a.jsonl", "--smooth", level, "--jsonl", f"{level}.jsonl") == 0
        jerk[level] = moved(f"{level}.jsonl")
    np.testing.assert_array_equal([result.faces[0].points for result in results("off.jsonl")], raw)
    was = np.stack([result.faces[0].points for result in results(recorded / "a.jsonl")])
    again = np.stack([result.faces[0].points for result in results("medium.jsonl")])
    assert np.abs(again - was).max() < 0.02  # of raw points that were rounded to 0.01
    assert jerk["offline"] < jerk["medium"] < jerk["off"]
    head = json.loads(Path("offline.jsonl").read_text().splitlines()[0])
    assert head["replay"]["smooth"] == "offline"


def test_ids_are_renamed_before_they_are_used(recorded: Path) -> None:
    assert replay(recorded / "a.jsonl", "--rename", "1=5", "--csv", "b.csv") == 0
    assert {row["face_id"] for row in table("b.csv")} == {"5"}
    # The number above the face, and the colour of the track.
    for words, name in ((["--rename", "1=5"], "b.mp4"), ([], "c.mp4")):
        assert replay(recorded / "a.jsonl", "--out", name, *words) == 0
    assert not same_samples("b.mp4", "c.mp4")


def test_two_people_of_one_frame_are_not_joined(
    here: Path, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, *lines = (recorded / "a.jsonl").read_text().splitlines()
    two = []
    for line in map(json.loads, lines):
        line["faces"].append({**line["faces"][0], "id": 3})
        two.append(json.dumps(line))
    (here / "two.jsonl").write_text("\n".join([head, *two]) + "\n")
    assert replay("two.jsonl", "--rename", "3=1", "--csv", "b.csv") == 3
    assert "In frame 0 (at 0.000 s) there are both face 1 and face 3" in capsys.readouterr().err
    assert not (here / "b.csv").exists()
    assert replay("two.jsonl", "--rename", "3=9", "--csv", "b.csv") == 0


def test_faces_are_covered_and_the_limit_is_said(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    covered = ["--background", "black", "--out", "b.mp4"]
    assert main(["replay", str(recorded / "a.jsonl"), *covered, "--progress", "off"]) == 0
    assert "Only faces of the recording are covered" in capsys.readouterr().err
    for frame, result in zip(frames("b.mp4"), results(recorded / "a.jsonl"), strict=True):
        columns, rows = result.faces[0].points.astype(int).T
        assert frame.image[rows, columns].max() < 40


# the film


def test_numbers_alone_need_no_film(here: Path, recorded: Path) -> None:
    copyfile(recorded / "a.jsonl", "a.jsonl")
    assert replay("a.jsonl", "--csv", "b.csv") == 0
    assert len((here / "b.csv").read_text().splitlines()) == FRAMES + 1
    assert replay("a.jsonl", "--only-points", "--out", "b.mp4") == 0
    made = frames("b.mp4")
    assert len(made) == FRAMES
    assert made[0].picture.size == (640, 480)
    assert 0 < (made[0].image > 100).mean() < 0.05


def test_results_are_sent_at_the_pace_of_the_film(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("fkp_live.commands.run.Pace.wait", lambda self, time, stopped: waited.append(time))
    with receiver() as plain:
        words = ["--headless", "--send", f"udp://127.0.0.1:{plain.port}"]
        assert replay(recorded / "a.jsonl", *words) == 0
        # Without the pace, which is not kept here, newer frames take the place of those that wait.
        assert json.loads(plain())["faces"][0]["id"] == 1
    assert waited == pytest.approx([i / 30 for i in range(FRAMES)], abs=1e-5)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda make_clip, path: make_clip(path, 30, rate=25),
            "it has 160x96 pixels, and 640x480 were recorded",
        ),
        (
            lambda make_clip, path: make_clip(path, [np.zeros((480, 640, 3), np.uint8)] * 30, rate=25),
            "its frame 4 is at 0.160 s, and was at 0.133 s",
        ),
        (
            lambda make_clip, path: make_clip(path, [np.zeros((480, 640, 3), np.uint8)] * 9, rate=30),
            "ends before frame 9 (at 0.300 s)",
        ),
        (lambda make_clip, path: path.write_bytes(b"no film"), "other.mp4"),
    ],
)
def test_another_film_is_refused_before_anything_is_written(
    here: Path,
    recorded: Path,
    make_clip: Callable[..., Path],
    make: Callable[..., Any],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(make_clip, here / "other.mp4")
    assert replay(recorded / "a.jsonl", "--video", "other.mp4", "--out", "b.mp4") == 3
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in here.iterdir()) == ["other.mp4"]


def test_a_film_that_cannot_be_found_is_named_with_the_cure(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, says in (("a.jsonl", "names, film.mp4, does not lie beside it"), ("a.csv", "names no film")):
        copyfile(recorded / name, name)
        assert replay(name, "--out", "b.mp4") == 2
        error = capsys.readouterr().err
        assert says in error
        assert "--video FILE" in error


def test_a_recording_that_is_cut_off_is_replayed_as_far_as_it_goes(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cut.jsonl").write_bytes((recorded / "a.jsonl").read_bytes()[:-500])
    assert main(["replay", "cut.jsonl", "--csv", "b.csv", "--progress", "off"]) == 0
    assert "the last line of cut.jsonl is cut off and was left out" in capsys.readouterr().err
    assert len(results("b.csv")) == FRAMES - 1


def test_a_recording_without_a_frame_and_other_files_are_refused(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.jsonl").write_text((recorded / "a.jsonl").read_text().splitlines()[0] + "\n")
    Path("some.txt").write_text("some text\n")
    for name, says in (
        ("empty.jsonl", "holds no frame"),
        ("some.txt", "is not a recording"),
        ("nothing.jsonl", "There is no recording"),
    ):
        for more in (["--csv", "b.csv"], ["--video", str(DEMO), "--out", "b.mp4"]):
            assert replay(name, *more) == 3
            assert says in capsys.readouterr().err
    assert not Path("b.csv").exists()


def test_what_has_no_raw_points_is_not_smoothed_anew(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(recorded / "a.csv", "--csv", "short.csv", "--csv-columns", "openface") == 0
    assert replay("short.csv", "--smooth", "offline", "--csv", "b.csv") == 3
    assert "without its points before smoothing" in capsys.readouterr().err


# files and words


def test_the_recording_itself_is_never_written_over(recorded: Path) -> None:
    copyfile(recorded / "a.jsonl", "a.jsonl")
    before = Path("a.jsonl").read_bytes()
    assert replay("a.jsonl", "--jsonl", "a.jsonl", "--overwrite") == 6
    assert replay(recorded / "a.jsonl", "--out", recorded / "film.mp4", "--overwrite") == 6
    assert replay("a.jsonl", "--csv", "a.jsonl") == 6
    assert Path("a.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", "RECORDING"),
        ("a.jsonl --smooth soft", "--smooth"),
        ("a.jsonl --rename 3", "OLD=NEW"),
        ("a.jsonl --rename 3=-1", "OLD=NEW"),
        ("a.jsonl --rename 3=1 --rename 3=2", "contradict each other"),
        ("a.jsonl --headless", "--headless without"),
        ("a.jsonl --csv - --jsonl -", "cannot both"),
        ("a.jsonl --model fkp68", "--model"),
        ("a.jsonl --start -1", "--start"),
        ("a.jsonl --except-id 1", "--except-id"),
    ],
)
def test_words_that_make_no_sense_are_usage_errors(words: str, named: str) -> None:
    with pytest.raises(UsageError, match=named.replace("(", r"\(")):
        parse(words.split())


def test_help_is_light_and_without_a_screen_a_window_is_refused(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import sys; from fkp_live.commands.cli import main; code = main(['replay', '--help']); "
        "sys.exit(code or bool({'numpy', 'cv2', 'av', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0
    assert "--rename OLD=NEW" in done.stdout
    assert replay(recorded / "a.jsonl") == 2
    assert "Nothing would come out" in capsys.readouterr().err


def test_numbers_go_to_standard_output(recorded: Path) -> None:
    words = [sys.executable, "-m", "fkp_live", "replay", str(recorded / "a.jsonl"), "--csv", "-", "--quiet"]
    done = subprocess.run(words, capture_output=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == FRAMES + 1
    assert done.stderr == b""
