"""``fkp-live bench``: refusals, figures, reports and comparisons."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp_live.commands.bench import measure as bench
from fkp_live.commands.bench.options import parse
from fkp_live.commands.bench.report import comparison, read_report, table
from fkp_live.commands.bench.scenes import CELL, FaceWall, demo_clip
from fkp_live.commands.bench.trial import Trial, measure, peak_memory_mb
from fkp_live.commands.cli import main
from fkp_live.errors import FkpError, ModelError, ProviderError
from fkp_live.pipeline import FaceLandmarker
from fkp_live.sources import open_source

QUICK = ("--repeats", "1", "--warmup", "5", "--max-frames", "20")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a short run on the demo clip."""
    path = tmp_path_factory.mktemp("bench") / "demo.json"
    assert main(["bench", *QUICK, "--provider", "cpu", "--json", str(path)]) == 0
    return path


@pytest.fixture
def report(written: Path) -> dict[str, Any]:
    return read_report(written)


def trial(**more: Any) -> Trial:
    what = {"name": "a", "video": None, "faces": None, "provider": "cpu", "model": None}
    return Trial(**{**what, "threads": 1, "warmup": 5, "frames": 20, **more})


# ----- refusals


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--faces 0", "--faces"),
        ("--faces 1,x", "--faces"),
        ("--faces 4,4", "--faces"),
        ("--faces 1000", "--faces"),
        ("--faces ", "--faces"),
        ("--faces 4 --video a.mp4", "--faces"),
        ("--providers cpu,gpu", "--providers"),
        ("--providers cpu,cpu", "--providers"),
        ("--provider cpu --providers cpu", "--provider"),
        ("--repeats 0", "--repeats"),
        ("--warmup 0", "--warmup"),
        ("--threads 1.5", "--threads"),
        ("--max-frames -1", "--max-frames"),
        ("--prov cpu", "--prov"),
        ("demo.mp4", "demo.mp4"),
    ],
)
def test_wrong_options_are_refused_by_name(
    capsys: pytest.CaptureFixture[str], words: str, named: str
) -> None:
    assert main(["bench", *words.split(" ")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fkp-live: ")
    assert named in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--video missing.mp4", 3, "missing.mp4"),
        ("--video text.mp4", 3, "text.mp4"),
        ("--model missing", 4, "missing"),
        ("--model yunet", 4, "landmark network"),
        ("--provider cuda", 5, "cuda"),
        ("--providers cpu,cuda", 5, "cuda"),
        ("--json there.json", 6, "--overwrite"),
        ("--json nowhere/a.json", 6, "nowhere"),
        ("--video there.json --json there.json --overwrite", 6, "input"),
        ("--compare missing.json", 3, "missing.json"),
        ("--compare text.mp4", 3, "not JSON"),
        ("--compare there.json", 3, "fkp-bench/1"),
    ],
)
def test_failures_come_before_the_first_trial(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "_run", lambda _: pytest.fail("a trial was started"))
    Path("text.mp4").write_text("neither video nor JSON")
    Path("there.json").write_text('{"schema": "fkp-bench/0", "results": []}')
    assert main(["bench", *words.split()]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.mp4", "there.json"]


def test_the_failure_of_a_trial_is_passed_on(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    options = parse([])
    short = make_clip(tmp_path / "short.mp4", 4)
    with pytest.raises(FkpError, match=r"short\.mp4 has no frames beyond the 20 of the warm-up") as failure:
        bench._run(bench._trial(options, "short", "cpu", video=str(short)))
    assert failure.value.exit_code == 3
    assert "--warmup" in failure.value.hint


def test_a_trial_process_that_dies_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.sys, "executable", "/bin/false")
    with pytest.raises(FkpError, match="demo on cpu ended with code 1"):
        bench._run(bench._trial(parse([]), "demo", "cpu"))


def test_a_trial_refuses_models_and_providers_like_a_run() -> None:
    with pytest.raises(ModelError):
        measure(trial(faces=1, model="missing"), lambda: None)
    with pytest.raises(ProviderError):
        measure(trial(faces=1, provider="cuda"), lambda: None)


# ----- figures


def test_the_demo_clip_by_default(report: dict[str, Any]) -> None:
    (result,) = report["results"]
    assert result["case"] == "demo"
    assert result["provider"]["asked"] == result["provider"]["running"] == "cpu"
    assert len(result["model"]["sha256"]) == 64
    assert (result["source"]["width"], result["source"]["height"]) == (640, 480)
    assert result["frames"] == 20
    assert result["faces"] == 1.0
    assert 1 <= result["detections"] <= 4
    assert {"read", "process", "detect", "landmark", "track", "smooth", "measure"} == set(result["stages"])
    for stage in result["stages"].values():
        assert 0 <= stage["p50"] <= stage["p95"] <= stage["p99"] <= stage["largest"]
    # The stages are parts of the whole, and the slowest of all is the network.
    means = {name: stage["mean"] for name, stage in result["stages"].items()}
    parts = sum(means[name] for name in ("detect", "landmark", "track", "smooth", "measure"))
    assert 0.5 * means["process"] < parts <= means["process"]
    # The clock of the frame rate runs while a frame is waited for, too.
    assert result["fps"]["median"] <= 1e3 / (means["read"] + means["process"])
    # Longer than Python alone takes to start, and memory for Python, OpenCV and onnxruntime at least.
    assert result["startup_s"] > 0.05
    assert 50 < result["peak_memory_mb"] < 2000
    assert set(report["versions"]) == {"python", "numpy", "opencv-python", "onnxruntime", "av"}
    assert all(report["versions"].values())
    assert report["settings"] == {"threads": 1, "repeats": 1, "warmup": 5, "max_frames": 20}


def test_dropped_frames_of_a_file_are_null(report: dict[str, Any]) -> None:
    (result,) = report["results"]
    assert result["dropped"] is None
    assert result["age"]["p50"] > 0
    assert "frames dropped -" in table(report)


def test_pictures_in_memory_have_no_age_and_no_start() -> None:
    asked = parse(["--faces", "3", "--provider", "cpu", *QUICK])
    report = bench.measure(asked)
    (result,) = report["results"]
    assert result["case"] == "3 faces"
    assert result["faces"] == 3.0
    for name in ("age", "dropped", "startup_s"):
        assert result[name] is None
    assert "read" not in result["stages"]
    assert result["fps"]["median"] == pytest.approx(1e3 / result["stages"]["process"]["mean"], rel=1e-6)
    assert "first frame after - s" in table(report)


def test_a_live_source_has_drops_and_an_age(mjpeg_server: Callable[..., Any], no_thread_left: None) -> None:
    with open_source(demo_clip(), max_frames=1) as source:
        picture = next(source).image
    server = mjpeg_server(lambda _: picture, rate=200)
    calls: list[int] = []
    result = measure(trial(video=server.url), lambda: calls.append(server.sent))
    assert len(calls) == 1
    assert result["source"]["live"] is True
    assert result["frames"] == 20
    assert result["dropped"] >= 0
    assert result["faces"] == 1.0
    assert result["age"]["p50"] > 0


def test_providers_take_turns(monkeypatch: pytest.MonkeyPatch, report: dict[str, Any]) -> None:
    turns = []
    known = {**report["results"][0], "provider": "cpu", "note": "", "fps": 10.0}

    def run(what: Trial) -> dict[str, Any]:
        turns.append((what.name, what.provider))
        return {**known, "fps": float(len(turns))}

    monkeypatch.setattr(bench, "_run", run)
    words = "--faces 1,4 --providers auto,cpu --repeats 2"
    made = bench.measure(parse(words.split()))
    once = [("1 face", "auto"), ("1 face", "cpu"), ("4 faces", "auto"), ("4 faces", "cpu")]
    assert turns == once * 2
    assert [row["fps"]["median"] for row in made["results"]] == [3.0, 4.0, 5.0, 6.0]


def test_a_figure_that_one_repeat_lacks_is_not_measured() -> None:
    assert bench._median([1.0, 3.0, 2.0]) == 2.0
    assert bench._median([1.0, None, 2.0]) is None
    assert bench._median([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": 2.0, "b": None}


def test_peak_memory_follows_what_is_held() -> None:
    before = peak_memory_mb()
    if before is None:
        pytest.skip("this system does not report it")
    held = np.ones(200_000_000 // 8)
    after = peak_memory_mb()
    del held
    assert after is not None
    assert after > before - 1
    assert after > 200


# ----- files and comparisons


def test_the_written_file_can_be_compared_with(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new.json"
    target.write_text("old")
    words = ["--provider", "cpu", "--compare", str(written), "--json", str(target)]
    assert main(["bench", *QUICK, *words, "--overwrite"]) == 0
    out, _ = capsys.readouterr()
    assert "compared with" in out
    assert "process p50 ms" in out
    assert f"written: {target}" in out
    assert read_report(target)["results"][0]["case"] == "demo"
    assert os.listdir(tmp_path) == ["new.json"]


def test_ratios_are_marked_better_or_worse(report: dict[str, Any]) -> None:
    old = copy.deepcopy(report)
    old["results"][0]["fps"]["median"] = report["results"][0]["fps"]["median"] / 2
    old["results"][0]["stages"]["process"]["p50"] = report["results"][0]["stages"]["process"]["p50"] / 4
    old["results"][0]["startup_s"] = None
    old["settings"]["threads"] = 2
    said = comparison(old, report)
    (rate,) = (line for line in said.splitlines() if line.startswith("  fps"))
    (process,) = (line for line in said.splitlines() if line.startswith("  process p50"))
    assert rate.split()[-2:] == ["2.00", "better"]
    assert process.split()[-2:] == ["4.00", "worse"]
    assert "start-up" not in said
    assert "not alike: threads was 2, is 1" in said


def test_another_case_is_not_compared(report: dict[str, Any]) -> None:
    old = copy.deepcopy(report)
    old["results"][0]["case"] = "other.mp4"
    said = comparison(old, report)
    assert "demo on cpu: not in the old file" in said
    assert "nothing to compare: the old file holds other.mp4 on cpu" in said
    assert "fps" not in said


@pytest.mark.parametrize(
    ("part", "rows"),
    [
        ("results", [{}]),
        ("results", {"case": 1}),
        ("results", [None]),
    ],
)
def test_a_damaged_report_is_refused(tmp_path: Path, report: dict[str, Any], part: str, rows: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**report, part: rows}))
    with pytest.raises(FkpError, match="not of this program, or damaged") as failure:
        read_report(path)
    assert failure.value.exit_code == 3


def test_figures_that_are_not_numbers_are_refused(tmp_path: Path, report: dict[str, Any]) -> None:
    wrong = copy.deepcopy(report)
    wrong["results"][0]["fps"]["median"] = "fast"
    path = tmp_path / "a.json"
    path.write_text(json.dumps(wrong))
    with pytest.raises(FkpError, match="not of this program, or damaged"):
        read_report(path)


def test_a_password_is_not_written_down() -> None:
    (case,) = bench._cases(parse(["--video", "http://me:secret@127.0.0.1:1/a.mp4"]))
    assert case == "http://127.0.0.1:1/a.mp4"


def test_a_report_overwrites_neither_input_nor_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: dict[str, Any]
) -> None:
    monkeypatch.setattr(bench, "measure", lambda _: report)
    clip, partial = tmp_path / "a.mp4", tmp_path / "a.partial.json"
    clip.write_bytes(demo_clip().read_bytes())
    partial.write_text("mine")
    assert main(["bench", "--video", clip.as_uri(), "--json", str(clip), "--overwrite"]) == 6
    assert clip.read_bytes() == demo_clip().read_bytes()
    assert main(["bench", "--json", str(tmp_path / "a.json")]) == 0
    assert read_report(tmp_path / "a.json") == report
    assert partial.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.mp4", "a.partial.json"]


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")
def test_bench_runs_off_the_main_thread(monkeypatch: pytest.MonkeyPatch, report: dict[str, Any]) -> None:
    monkeypatch.setattr(bench, "measure", lambda _: report)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(main, ["bench"]).result() == 0


def test_a_terminated_bench_leaves_no_process(tmp_path: Path) -> None:
    words = ["-m", "fkp_live", "bench", "--faces", "1", "--max-frames", "100000"]
    with subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "1 face on auto" in process.stderr.readline()
        time.sleep(0.5)  # the trial has been started by then, or soon is
        process.terminate()
        assert process.wait(20) == 130
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)  # no process of its group is left


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000 + "]" * 100_000, '{"schema": ' + "9" * 5_000 + "}", "\xff", ""],
    ids=["deep", "5000 digits", "not UTF-8", "empty"],
)
def test_a_file_that_cannot_be_decoded_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(content, encoding="latin-1")
    assert main(["bench", "--compare", str(path)]) == 3
    assert f"{path} is not JSON" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1e400", "NaN", "1e300", "-3", "true"])
def test_a_figure_that_cannot_be_measured_is_refused(
    tmp_path: Path, report: dict[str, Any], value: str
) -> None:
    wrong = copy.deepcopy(report)
    wrong["results"][0]["fps"]["median"] = "here"
    path = tmp_path / "a.json"
    path.write_text(json.dumps(wrong).replace('"here"', value))
    with pytest.raises(FkpError, match="not of this program, or damaged"):
        read_report(path)


@pytest.mark.parametrize(
    "keys", [("host", "cpus"), ("versions", "onnxruntime"), ("settings", "threads"), ("created",)]
)
def test_what_is_printed_of_an_old_file_is_a_word_or_a_number(
    tmp_path: Path, report: dict[str, Any], keys: tuple[str, ...]
) -> None:
    wrong = copy.deepcopy(report)
    part = wrong
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = [[[1]]]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(wrong))
    with pytest.raises(FkpError, match="not of this program, or damaged"):
        read_report(path)


@pytest.mark.parametrize("content", ["[]", "{}", '{"schema": "fkp-bench/1"}', '{"schema": 1}'])
def test_files_that_are_not_reports_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(FkpError, match=r"a\.json") as failure:
        read_report(path)
    assert failure.value.exit_code == 3


def test_the_table_names_what_ran(report: dict[str, Any]) -> None:
    said = table(report)
    for word in ("demo, 640x480, on cpu (requested: cpu)", "fps", "p99", "landmark", "MB"):
        assert word in said
    assert report["results"][0]["model"]["sha256"][:12] in said
    json.dumps(report, allow_nan=False)


# ----- generated pictures


@pytest.mark.parametrize("faces", [1, 4, 20, 23])
def test_pictures_have_the_requested_number_of_faces(faces: int) -> None:
    wall = FaceWall(faces)
    (frame,) = wall.frames(1)
    assert frame.image.shape == (wall.height, wall.width, 3)
    assert (wall.width, wall.height) == ((1280, 720) if faces <= 20 else (1280, 900))
    found = FaceLandmarker("cpu")(frame.image)
    assert len(found) == faces
    assert all(60 < max(face.box[2:] - face.box[:2]) < 110 for face in found)
    cells = {(int(face.box[0]) // CELL[0], int(face.box[1]) // CELL[1]) for face in found}
    assert len(cells) == faces


def test_no_two_faces_of_a_picture_move_alike() -> None:
    frames = [frame.image.copy() for frame in FaceWall(20).frames(15)]
    assert [frame.shape for frame in frames] == [(720, 1280, 3)] * 15
    pictures = {
        frames[0][top : top + 180, left : left + 256].tobytes()
        for top in range(0, 720, 180)
        for left in range(0, 1280, 256)
    }
    assert len(pictures) == 20
    assert np.abs(frames[14].astype(int) - frames[0]).mean() > 5
