"""The command line as a user meets it: options, exit codes, messages, files; also test_cli_window.py beside this."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import numbered
from launched import ROOT, ended, frames_of, launched, lines_of, rows_of

from fkp_live import PipelineOptions, pipeline
from fkp_live.commands import doctor, options
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.commands.cli import main
from fkp_live.commands.options import parse
from fkp_live.commands.version import version_line
from fkp_live.inference import models
from fkp_live.sources import open_source

DEMO_FRAMES = 180


def call(words: str, *more: str) -> int:
    """The command in this process."""
    return main([*words.split(), *more])


def parsed(words: str) -> options.Options:
    return parse(words.split())


# ----- options


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", "SOURCE --camera --video --demo"),
        ("--camera 0 --video a.mp4", "--video"),
        ("--camera 0 --demo", "--demo"),
        ("--camera -1 --csv a.csv", "--camera"),
        ("--camera 1.5 --csv a.csv", "--camera"),
        ("--demo --csv a.csv --detect-every 0", "--detect-every"),
        ("--demo --csv a.csv --detect-every 2.5", "--detect-every"),
        ("--demo --csv a.csv --max-faces -1", "--max-faces"),
        ("--demo --csv a.csv --max-faces 0", "--max-faces"),
        ("--demo --csv a.csv --max-frames 0", "--max-frames"),
        ("--demo --csv a.csv --min-face nan", "--min-face"),
        ("--demo --csv a.csv --min-face 0", "--min-face"),
        ("--demo --csv a.csv --smooth x", "--smooth"),
        ("--demo --csv a.csv --provider gpu", "--provider"),
        ("--demo --csv a.csv --threads 0", "--threads"),
        ("--demo --csv a.csv --threads 2147483648", "--threads"),
        ("--demo --csv a.csv --start nan", "--start"),
        ("--demo --csv a.csv --start -1", "--start"),
        ("--demo --csv a.csv --end inf", "--end"),
        ("--demo --csv a.csv --start 2 --end 1", "--start"),
        ("--demo --csv a.csv --start 1 --end 1", "--start"),
        ("--camera 0 --csv a.csv --start 1", "--start"),
        ("--camera 0 --csv a.csv --end 1", "--end"),
        ("--demo --out a.mp4 --csv a.mp4", "same file"),
        ("--demo --csv a.txt --jsonl ./b/../a.txt", "same file"),
        ("--demo --out a.mp4 --csv ./a.mp4", "same file"),
        ("--demo --headless", "--headless"),
        ("--demo --csv - --jsonl -", "standard output"),
        ("--demo --csv a.csv --csv-columns some", "--csv-columns"),
        ("--demo --csv a.csv --progress yes", "--progress"),
        ("--demo --csv a.csv --id-order right-left", "--id-order"),
        ("--demo --send osf://", "--send"),
        ("--demo --send tcp://127.0.0.1:1", "--send"),
        ("--demo --send udp://127.0.0.1:99999", "--send"),
        ("--demo --send osf://127.0.0.1 --send osf://127.0.0.1:11573", "--send names a target twice"),
        ("--demo", "--out"),
        ("--demo --csv a.csv --no-headless", "--no-headless"),
        ("--demo --csv a.csv --bogus", "--bogus"),
        ("--demo --csv a.csv --overw", "--overw"),
        ("--demo --csv a.csv extra", "SOURCE"),
        ("a.mp4 --demo --csv a.csv", "SOURCE"),
        ("a.mp4 --video b.mp4 --csv a.csv", "SOURCE"),
        ("a.mp4 b.mp4 --csv a.csv", "b.mp4"),
        ("--demo --csv", "--csv"),
        ("--demo --csv a.csv --layers points,nose", "--layers: expected some of points,contours,boxes"),
        ("--demo --csv a.csv --layers hud", "there is --hud"),
        ("--demo --csv a.csv --layers ", "--layers"),
        ("--demo --csv a.csv --window-size 1280", "--window-size: expected WIDTHxHEIGHT"),
        ("--demo --csv a.csv --window-size 0x720", "--window-size"),
        ("--demo --csv a.csv --window-size -1x720", "--window-size"),
        ("--demo --csv a.csv --headless --fullscreen", "--fullscreen is for the window"),
        ("--demo --csv a.csv --headless --window-size 640x480", "--window-size is for the window"),
    ],
)
def test_nonsense_is_refused_by_name(
    here: Path, capsys: pytest.CaptureFixture[str], words: str, named: str
) -> None:
    assert call(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fkp-live: ")
    assert named in err
    assert "Traceback" not in err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("option", ["--video", "--out", "--csv", "--jsonl", "--model"])
def test_an_empty_name_is_refused(here: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    words = [option, ""] if option == "--video" else ["--demo", "--csv", "a.csv", option, ""]
    assert main(words) == 2
    assert option in capsys.readouterr().err


def test_options_are_frozen_and_hold_what_was_given() -> None:
    given = parsed("--video 7.mp4 --out a.mkv --max-faces 3 --mirror --no-hud --smooth off --start 1.5")
    assert given.source == "7.mp4"
    assert given.outputs == {"--out": Path("a.mkv")}
    assert (given.mirror, given.hud, given.start, given.headless) == (True, False, 1.5, None)
    assert given.pipeline == PipelineOptions(max_faces=3, smooth="off")
    assert (given.fullscreen, given.window_size) == (False, None)
    assert given.layers == {"points", "contours", "boxes", "ids"}
    more = parsed("--demo --layers pose,ids --window-size 1280x720 --fullscreen")
    assert (more.layers, more.window_size, more.fullscreen) == ({"pose", "ids"}, (1280, 720), True)
    assert (parsed("0 --layers none").layers, len(parsed("0 --layers all").layers)) == (frozenset(), 6)
    with pytest.raises(AttributeError):
        given.mirror = False  # type: ignore[misc]
    assert parsed("--camera 0 --csv a.csv").source == 0
    assert parsed("--demo --csv a.csv").source is None


@pytest.mark.parametrize("source", ["0", "7.mp4", "http://127.0.0.1/a", "pictures/*.png"])
def test_a_bare_source_needs_no_option(source: str) -> None:
    assert parsed(f"{source} --csv a.csv") == parsed(f"--csv a.csv {source}")
    assert parsed(f"{source} --csv a.csv").source == source


def test_defaults_are_those_of_the_pipeline() -> None:
    assert parsed("--demo --csv a.csv").pipeline == PipelineOptions()


def test_the_header_of_a_recording_holds_the_options_that_shape_it() -> None:
    given = parsed("--demo --csv a.csv --smooth light --end 2 --detect-every 7 --min-face 50 --threads 2")
    assert given.as_dict() == {
        "start": None,
        "end": 2.0,
        "max_frames": None,
        "mirror": False,
        "max_faces": None,
        "detect_every": 7,
        "min_face": 50.0,
        "smooth": "light",
        "threads": 2,
        "id_order": "appearance",
        "expression": False,
        "any_roll": True,
    }


def test_help_names_every_option_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    given = parsed("--demo --csv a")
    parts = (given, given.pipeline, given.edits)
    names = {field.name for part in parts for field in dataclasses.fields(part)}
    for option in (names - {"source", "pipeline", "edits"}) | {"camera", "video", "demo", "version"}:
        assert re.search(rf"--{option.replace('_', '-')}\b", text), option
    for word in ("--no-overwrite", "bench", "doctor", "130"):
        assert word in text
    assert "(default: medium)" in " ".join(text.split())


# ----- start-up and imports


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_version_loads_next_to_nothing() -> None:
    loaded = modules_after("from fkp_live.commands.cli import main\nassert main(['--version']) == 0")
    assert not loaded & {
        "numpy",
        "cv2",
        "av",
        "onnxruntime",
        "tqdm",
        "argparse",
        "dataclasses",
        "fkp_live.commands.run",
    }


def test_help_and_refusals_load_nothing_heavy() -> None:
    loaded = modules_after(
        "from fkp_live.commands.cli import main\nassert main(['--help']) == 0\nassert main(['--x']) == 2"
    )
    assert not loaded & {"numpy", "cv2", "av", "onnxruntime", "tqdm", "lap"}


def test_a_run_loads_nothing_that_only_training_needs(tmp_path: Path) -> None:
    words = ["--demo", "--max-frames", "3", "--out", str(tmp_path / "a.mp4"), "--headless", "--quiet"]
    loaded = modules_after(f"from fkp_live.commands.cli import main\nassert main({words}) == 0")
    assert "cv2" in loaded
    assert not loaded & {"torch", "train", "export", "pandas", "matplotlib", "onnx", "onnxscript", "skimage"}


def test_the_module_is_the_command() -> None:
    process = launched("--version")
    assert ended(process) == (f"{version_line()}\n", "")
    assert process.returncode == 0


# ----- the whole path


@dataclass(frozen=True)
class Run:
    """A finished run and the folder of its outputs."""

    folder: Path
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo clip through the command, all outputs written."""
    folder = tmp_path_factory.mktemp("demo")
    words = ("--demo", "--out", "a.mp4", "--csv", "a.csv", "--jsonl", "a.jsonl", "--headless")
    process = launched(*words, cwd=folder)
    out, err = ended(process, 120)
    return Run(folder, process.returncode, out, err)


def test_results_on_stdout_and_progress_on_stderr(demo: Run) -> None:
    assert demo.code == 0, demo.err
    assert f"{DEMO_FRAMES} frames in" in demo.out
    for said in ("fps", "p50", "p99", "frame age", "written: a.mp4", "written: a.csv", "written: a.jsonl"):
        assert said in demo.out
    assert f"{DEMO_FRAMES}/{DEMO_FRAMES}" in demo.err
    assert "cpu" in demo.err
    assert sorted(path.name for path in demo.folder.iterdir()) == ["a.csv", "a.jsonl", "a.mp4"]


def test_every_frame_is_in_every_output(demo: Run) -> None:
    folder = demo.folder
    assert frames_of(folder / "a.mp4") == DEMO_FRAMES
    header, *frames = lines_of(folder / "a.jsonl")
    assert [frame["frame"] for frame in frames] == list(range(DEMO_FRAMES))
    assert header["schema"] == "fkp-live/1"
    assert header["provider"] == "cpu"
    assert header["options"]["smooth"] == "medium"
    assert len(header["model"]["sha256"]) == 64
    assert (header["source"]["width"], header["source"]["height"]) == (640, 480)
    rows = rows_of(folder / "a.csv")
    assert len(rows) == sum(len(frame["faces"]) for frame in frames)
    first = next(frame for frame in frames if frame["faces"])
    assert int(rows[0]["frame"]) == first["frame"] + 1
    assert float(rows[0]["x_30"]) == pytest.approx(first["faces"][0]["points"][30][0], abs=0.011)


def test_the_face_of_the_demo_is_followed(demo: Run) -> None:
    folder = demo.folder
    _, *frames = lines_of(folder / "a.jsonl")
    found = [frame["faces"][0] for frame in frames if frame["faces"]]
    assert len(found) >= 0.95 * DEMO_FRAMES
    for face in found:
        points = np.array(face["points"])
        eyes, mouth, jaw = points[36:48], points[48:68], points[:17]
        assert eyes[:, 1].max() < mouth[:, 1].min() < jaw[:, 1].max()


def test_the_overlay_is_where_the_points_are(demo: Run) -> None:
    folder = demo.folder
    _, *frames = lines_of(folder / "a.jsonl")
    source = ROOT / "fkp_live" / "assets" / "demo.mp4"
    with open_source(source, max_frames=60) as clean, open_source(folder / "a.mp4", max_frames=60) as drawn:
        pairs = [(a.image.astype(int), b.image.astype(int)) for a, b in zip(clean, drawn, strict=True)]
    for number in (0, 30, 59):
        before, after = pairs[number]
        change = np.abs(after - before).max(2)
        for face in frames[number]["faces"]:
            places = np.rint(face["points"]).astype(int)
            assert np.mean(change[places[:, 1], places[:, 0]] > 25) > 0.8
        # The HUD is in the upper left corner, and nothing in the lower right one.
        assert (change[5:25, 5:120] > 25).mean() > 0.3
        assert (change[-20:, -60:] > 25).mean() < 0.1


@pytest.mark.parametrize(
    "sources", [["a.mp4", "b.mp4"], ["films", "more films"], ["1.mp4", "2.mp4", "3.mp4", "4.mp4"]]
)
def test_several_sources_are_for_batch(
    here: Path, capsys: pytest.CaptureFixture[str], sources: list[str]
) -> None:
    assert main([*sources, "--csv", "a.csv"]) == 2
    err = capsys.readouterr().err
    assert f"{len(sources)} sources" in err
    assert "fkp-live batch" in err
    assert all(name in err for name in sources[:3])


@pytest.mark.parametrize("words", ["a.mp4 --ot b.mp4", "a.mp4 b.mp4 --ot"])
def test_what_is_not_an_option_is_named(here: Path, capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert call(words) == 2
    assert "Unrecognized arguments:" in (err := capsys.readouterr().err)
    assert "--ot" in err


@pytest.mark.parametrize("option", ["--video", "--camera"])
def test_an_option_takes_one_source_too(here: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main([option, "1", "2", "--csv", "a.csv"]) == 2
    assert "2 sources, but a run takes one: 1, 2." in (err := capsys.readouterr().err)
    assert "fkp-live batch SOURCE ... --out DIR" in err


def test_a_misspelt_option_is_answered_by_its_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("a.mp4 --smoth off") == 2
    assert "Did you mean --smooth? See fkp-live --help." in capsys.readouterr().err
    assert call("a.mp4 --zzz") == 2
    assert "Did you mean" not in capsys.readouterr().err


def test_no_hud_leaves_the_corner_alone(here: Path) -> None:
    assert call("--demo --out a.mp4 --no-hud --max-frames 1 --headless") == 0
    with open_source(here / "a.mp4") as drawn, open_source(demo_clip(), max_frames=1) as clean:
        change = np.abs(next(iter(drawn)).image.astype(int) - next(iter(clean)).image.astype(int))
    assert (change[5:25, 5:120].max(2) > 25).mean() < 0.1


def test_range_mirror_and_quiet(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "--demo --start 1 --max-frames 10 --headless --quiet --csv"
    assert call(words, "plain.csv") == 0
    assert call(words, "mirrored.csv", "--mirror", "--jsonl", "mirrored.jsonl") == 0
    assert capsys.readouterr() == ("", "")
    plain, mirrored = rows_of(here / "plain.csv"), rows_of(here / "mirrored.csv")
    assert len(plain) == len(mirrored) == 10
    assert float(plain[0]["timestamp"]) >= 1
    for row, other in zip(plain, mirrored, strict=True):
        # The mirrored nose is on the other side, the chin at the same height.
        assert float(row["x_30"]) == pytest.approx(639 - float(other["x_30"]), abs=6)
        assert float(row["y_8"]) == pytest.approx(float(other["y_8"]), abs=6)
    assert lines_of(here / "mirrored.jsonl")[0]["options"]["mirror"] is True


def test_a_live_source_ends_after_max_frames(
    here: Path, mjpeg_server: Callable[..., Any], no_thread_left: None
) -> None:
    server = mjpeg_server(rate=60)
    assert main(["--video", server.url, "--max-frames", "15", "--headless", "--jsonl", "a.jsonl"]) == 0
    assert len(lines_of(here / "a.jsonl")) == 16


def test_overwrite_replaces_and_only_then(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.csv").write_text("mine")
    words = "--demo --max-frames 2 --headless --csv a.csv"
    assert call(words) == 6
    assert "--overwrite" in capsys.readouterr().err
    assert (here / "a.csv").read_text() == "mine"
    assert call(words, "--overwrite") == 0
    assert len(rows_of(here / "a.csv")) == 2


# ----- failures by code


@pytest.fixture
def bad(here: Path, make_clip: Callable[..., Path]) -> Path:
    """A folder of things that are not what they should be."""
    (here / "empty.mp4").touch()
    (here / "random.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    (here / "text.mp4").write_text("no video at all\n" * 100)
    (here / "folder").mkdir()
    clip = make_clip(here / "whole.mp4", 60)
    (here / "cut.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    (here / "text.onnx").write_text("no network")
    (here / "link.mp4").symlink_to("whole.mp4")
    (here / "loop.csv").symlink_to("loop.csv")
    (here / "pictures").mkdir()
    for number in range(2):
        cv2.imwrite(str(here / "pictures" / f"{number}.png"), numbered(number))
    shutil.copy(models.resolve_model("fkp68-tiny"), here / "mine.onnx")
    return here


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--camera 97", 3, "amera 97"),
        ("--video missing.mp4", 3, "missing.mp4"),
        ("--video empty.mp4", 3, "empty.mp4"),
        ("--video random.mp4", 3, "random.mp4"),
        ("--video text.mp4", 3, "text.mp4"),
        ("--video cut.mp4", 3, "cut.mp4"),
        ("--video folder", 3, "folder"),
        ("--video whole.mp4 --start 100", 3, "--start"),
        ("--video http://127.0.0.1:9/none", 3, "127.0.0.1"),
        ("--video whole.mp4 --model missing", 4, "missing"),
        ("--video whole.mp4 --model missing.onnx", 4, "missing.onnx"),
        ("--video whole.mp4 --model text.onnx", 4, "text.onnx"),
        ("--video whole.mp4 --model yunet", 4, "yunet"),
        ("--video whole.mp4 --provider cuda", 5, "cuda"),
        ("--video whole.mp4 --out nowhere/b.mp4", 6, "nowhere"),
        ("--video whole.mp4 --out b.avi", 6, ".avi"),
        ("--video whole.mp4 --out whole.mp4 --overwrite", 6, "input"),
        ("--video whole.mp4 --out link.mp4 --overwrite", 6, "input"),
        ("--video whole.mp4 --out folder", 6, "folder"),
        ("--video file://{here}/whole.mp4 --out whole.mp4 --overwrite", 6, "is the input itself"),
        ("--video ~/whole.mp4 --out whole.mp4 --overwrite", 6, "is the input itself"),
        ("--video pictures --jsonl pictures/1.png --overwrite", 6, "is the input itself"),
        ("--video pictures/*.png --jsonl pictures/1.png --overwrite", 6, "is the input itself"),
        ("--video whole.mp4 --model mine.onnx --jsonl mine.onnx --overwrite", 6, "is the input itself"),
        ("--video whole.mp4 --jsonl loop.csv", 6, "loop.csv"),
        ("--video whole.mp4 --out /", 6, "folder"),
    ],
)
def test_failures_have_their_code_and_one_message(
    bad: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    no_thread_left: None,
    words: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("HOME", str(bad))
    before = {path: path.lstat().st_size for path in bad.rglob("*")}
    assert call(words.format(here=bad), "--csv", "a.csv", "--headless", "--quiet") == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fkp-live: ")
    assert err.count("fkp-live: ") == 1
    assert said in err
    assert "Traceback" not in err
    # Nothing that looks finished, and what was there is as it was.
    assert not (bad / "a.csv").exists()
    assert {path: path.lstat().st_size for path in bad.rglob("*")} == before


def test_a_failure_in_the_middle_keeps_the_target_and_a_playable_part(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_thread_left: None
) -> None:
    real = pipeline.Pipeline.process

    def process(self: Any, frame: Any) -> Any:
        if frame.index == 12:
            raise RuntimeError("the network\nburst")
        return real(self, frame)

    monkeypatch.setattr(pipeline.Pipeline, "process", process)
    (here / "a.mp4").write_text("mine")
    words = "--demo --out a.mp4 --csv a.csv --overwrite --headless --quiet"
    assert call(words) == 1
    out, err = capsys.readouterr()
    assert err.splitlines()[0] == "fkp-live: unexpected failure: RuntimeError: the network burst"
    assert "Traceback" not in err
    assert "a.partial.mp4" in err
    assert out == ""
    assert (here / "a.mp4").read_text() == "mine"
    assert not (here / "a.csv").exists()
    assert frames_of(here / "a.partial.mp4") == 12
    assert call(words, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


# ----- doctor


def test_the_doctor_finds_all_in_order(no_screen: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for said in (
        r"provider cpu +runs",
        r"fkp68\.onnx +ok",
        r"yunet\.onnx +ok",
        r"screen +none",
        r"provider cuda +no",
    ):
        assert re.search(said, out), said


def test_the_doctor_notices_a_model_that_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "models"
    shutil.copytree(models.models_dir(), copied)
    with (copied / "yunet.onnx").open("ab") as file:
        file.write(b"x")
    monkeypatch.setattr(doctor, "models_dir", lambda: copied)
    assert main(["doctor"]) == 1
    assert re.search(r"yunet\.onnx +not the shipped file", capsys.readouterr().out)


def test_the_doctor_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--please"]) == 2
    assert "--please" in capsys.readouterr().err


def test_a_picture_over_the_limit_is_refused_by_its_header(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, table = tmp_path / "a.png", tmp_path / "a.csv"
    cv2.imwrite(str(picture), np.zeros((30, 40, 3), np.uint8))
    words = ["--video", str(picture), "--csv", str(table), "--headless", "--max-pixels"]
    assert main([*words, "1199"]) == 3
    assert "40x30 pixels, more than the limit of 1199" in capsys.readouterr().err
    assert not table.exists()
    assert main([*words, "1200"]) == 0
