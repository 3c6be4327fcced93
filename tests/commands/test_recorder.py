"""Recording by a key: exact times, whole files, and a run that goes on whatever happens to them."""

from __future__ import annotations

import csv
import errno
import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import number_of, until
from written import face, frames_in, info, names, numbered_picture, result_of

from fkp_live.commands import recorder as recorders
from fkp_live.commands.cli import main
from fkp_live.commands.recorder import Recorder
from fkp_live.commands.stamped import stamped
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import CsvFormat
from fkp_live.sinks import encoder as encoders
from fkp_live.sinks.encoder import Encoder
from fkp_live.types import Frame, FrameResult, SourceInfo

CAMERA = info(live=True)
NAME = re.compile(r"x-\d{8}-\d{6}(-\d+)?\.(mp4|csv)")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_thread_left: None) -> Path:
    """An empty folder to work in; no thread outlives a test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(about: SourceInfo = CAMERA) -> tuple[Recorder, list[str]]:
    """A recorder and what it says."""
    said: list[str] = []
    return Recorder(about, said.append), said


def write(recorder: Recorder, index: int, seconds: float, **more: Any) -> None:
    recorder.write(result_of(index, face(id=3), seconds=seconds, **more), numbered_picture(index))


def rows_of(path: str | Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_nothing_is_recorded_until_it_is_switched_on(here: Path) -> None:
    recorder, said = made()
    write(recorder, 0, 0.0)
    recorder.toggle()
    assert (recorder.wants_picture, recorder.mark) == (True, "0:00")
    recorder.toggle()
    write(recorder, 1, 0.1)
    recorder.close()
    assert (recorder.wants_picture, recorder.mark, recorder.files, said) == (False, "", [], [])
    assert names(here) == []


def test_video_and_table_have_the_same_frames_at_their_exact_times(here: Path) -> None:
    # A camera whose rate is uneven; recorded from its third frame on, to the last but one.
    times = [0.0, 0.04, 71.123, 71.166, 71.2, 71.2371, 71.29, 140.5, 140.52]
    recorder, said = made()
    for index, seconds in enumerate(times):
        if index in (2, 8):
            recorder.toggle()
        write(recorder, index, seconds)
        assert recorder.mark == ("" if index < 2 or index == 8 else "1:09" if index == 7 else "0:00")
    recorder.close()
    video, table = recorder.files
    assert said == [f"saved {video}"]
    assert names(here) == sorted([video, table])
    assert all(NAME.fullmatch(name) for name in names(here))
    expected = [seconds - times[2] for seconds in times[2:8]]
    frames = frames_in(here / video)
    assert [number_of(frame.image) for frame in frames] == [2, 3, 4, 5, 6, 7]
    assert [frame.time for frame in frames] == pytest.approx(expected, abs=0.001)
    rows = rows_of(table)
    assert [float(row["timestamp"]) for row in rows] == pytest.approx(expected, abs=0.001)
    assert [row["frame"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert {row["face_id"] for row in rows} == {"3"}


def test_pictures_of_a_folder_have_their_names_in_the_table(here: Path) -> None:
    recorder, _ = made(replace(info(), pictures=tuple(f"{number}.png" for number in range(5))))
    for index in range(5):
        if index in (2, 4):
            recorder.toggle()
        write(recorder, index, index / 25)
    recorder.close()
    rows = rows_of(here / recorder.files[1])
    assert [(row["file"], row["frame"]) for row in rows] == [("2.png", "1"), ("3.png", "2")]


def test_a_part_of_a_file_begins_at_0(here: Path) -> None:
    base = Fraction(1, 12800)
    recorder, _ = made(info(time_base=base, path="x.mp4", origin=10.0))
    recorder.toggle()
    for index in range(50, 56):
        write(recorder, index, 10.0 + index / 25, pts=128000 + 512 * index, base=base)
    recorder.close()
    assert [frame.time for frame in frames_in(here / recorder.files[0])] == pytest.approx(
        [index / 25 for index in range(6)], abs=1e-6
    )


def test_recordings_of_the_same_second_have_names_of_their_own(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, _ = made()
    for index in range(6):
        recorder.toggle()
        write(recorder, index, index / 25)
        recorder.toggle()
    recorder.close()
    assert len(set(recorder.files)) == 12
    assert names(here) == sorted(recorder.files)
    for video in recorder.files[::2]:
        assert len(frames_in(here / video)) == 1


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_recording_is_whole_however_the_run_ends(
    here: Path, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder, _ = made()
    recorder.toggle()
    for index in range(5):
        write(recorder, index, index / 25)
    getattr(recorder, end)()
    assert names(here) == sorted(recorder.files)
    assert len(frames_in(here / recorder.files[0])) == len(rows_of(recorder.files[1])) == 5
    # After a failure there is no summary that names them.
    assert ("recorded: " in capsys.readouterr().err) == (end == "abort")
    with pytest.raises(ValueError, match="closed Recorder"):
        write(recorder, 5, 0.2)
    recorder.toggle()
    assert not recorder.wants_picture


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["encoder", "table", "end"])
def test_a_full_disk_ends_the_recording_and_not_the_run(
    here: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    recorder, said = made()
    recorder.toggle()
    for index in range(10):
        write(recorder, index, index / 25)
    owner, name = {
        "encoder": (recorders.VideoSink, "_write"),
        "table": (CsvFormat, "lines"),
        "end": (encoders, "check_video"),
    }[where]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, full)
        if where == "end":
            recorder.toggle()
            until(lambda: bool(said))
        write(recorder, 10, 0.4)
    assert not recorder.wants_picture
    (words,) = said
    assert words.startswith("recording ended: ")
    assert "No space left on device" in words
    kept = [name for name in names(here) if "partial" in name]
    assert kept
    assert all(name in words for name in kept)
    # At the end only the video's check fails here; the table is whole.
    assert recorder.files == (sorted(set(names(here)) - set(kept)))
    whole = len(recorder.files)
    # The next one works.
    recorder.toggle()
    write(recorder, 11, 0.5)
    recorder.close()
    assert len(recorder.files) == whole + 2
    assert recorder.note.startswith("a recording failed: ")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_said(here: Path) -> None:
    here.chmod(0o500)
    recorder, said = made()
    recorder.toggle()
    write(recorder, 0, 0.0)
    here.chmod(0o700)
    assert "cannot be" in said[0]
    recorder.close()


def test_a_folder_that_is_gone_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    recorder, said = made()
    recorder.toggle()
    write(recorder, 0, 0.0)
    recorder.close()
    assert len(said) == 1
    assert said[0].startswith("recording ended: ")
    assert recorder.files == []


def test_encoding_is_no_business_of_the_stream(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow end of one recording holds up neither frames nor the next recording."""
    finish = Encoder.finish
    wait = [True]

    def slow(self: Encoder) -> None:
        until(lambda: not wait[0])
        finish(self)

    monkeypatch.setattr(Encoder, "finish", slow)
    recorder, said = made()
    for index in range(0, 4, 2):
        recorder.toggle()
        write(recorder, index, index / 25)
        recorder.toggle()
        write(recorder, index + 1, (index + 1) / 25)
    assert said == []
    wait[0] = False
    recorder.close()
    assert len(recorder.files) == 4


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("camera 0", None, "camera-0"),
        ("my film.2.mp4", "/a/my film.2.mp4", "my-film.2"),
        ("rtsp://10.0.0.1:554/live?x=***", None, "10.0.0.1-554-live-x"),
        ("日本.mov", "日本.mov", "日本"),
        ("../..", None, "fkp-live"),
        ("x" * 300, None, "x" * 40),
    ],
)
def test_names_are_those_of_the_source(here: Path, name: str, path: str | None, expected: str) -> None:
    stem = stamped(SourceInfo(name, 4, 4, path=path), (".mp4",))
    assert re.fullmatch(rf"{re.escape(expected)}-\d{{8}}-\d{{6}}", stem)


# ----- in a run


class Presses:
    """A window whose keys are pressed at given frames."""

    closed = False

    def __init__(self, keys: dict[int, str]) -> None:
        self._keys, self._count = keys, 0

    def show(self, image: object, wait_ms: int = 1) -> int:
        self._count += 1
        return ord(self._keys.get(self._count - 1, "\0"))

    def wait(self, wait_ms: int) -> int:
        return -1

    def entitle(self, text: str) -> None: ...

    def toggle_fullscreen(self) -> bool:
        return False

    def close(self) -> None: ...


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the command with keys at certain frames."""
    monkeypatch.setattr("fkp_live.commands.run.screen_problem", lambda: None)

    def started(words: str, keys: dict[int, str]) -> int:
        monkeypatch.setattr("fkp_live.commands.viewer.Window", lambda *_, **__: Presses(keys))
        return main(words.split())

    return started


def test_r_records_what_out_would_hold(
    here: Path, start: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--demo --max-frames 30 --no-hud --no-headless --out a.mp4 --csv a.csv"
    assert start(words, {4: "r", 7: "m", 9: "1", 24: "r"}) == 0
    video, table = (name for name in names(here)[::-1] if name.startswith("demo-"))
    assert f"written: {video}\nwritten: {table}" in capsys.readouterr().out
    whole, part = frames_in(here / "a.mp4"), frames_in(here / video)
    # The key is pressed while frame 4 is shown, so frame 5 is the first.
    assert len(part) == 20
    for one, other in zip(whole[5:25], part, strict=True):
        assert other.time == pytest.approx(one.time - whole[5].time, abs=0.001)
        difference = one.image.astype(int) - other.image
        assert abs(difference).mean() < 4  # two encoders
    rows, all_rows = rows_of(table), rows_of("a.csv")
    assert [row["x_30"] for row in rows] == [row["x_30"] for row in all_rows[5:25]]
    assert [int(row["frame"]) for row in rows] == list(range(1, 21))


@pytest.mark.parametrize("how", ["q", "Ctrl-C", "failure"])
def test_a_recording_is_finished_whatever_ends_the_run(
    here: Path,
    start: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    process = Pipeline.process

    def observed(self: Pipeline, frame: Frame) -> FrameResult:
        if frame.index == 12 and how == "Ctrl-C":
            signal.raise_signal(signal.SIGINT)
        if frame.index == 12 and how == "failure":
            raise RuntimeError("device lost")
        return process(self, frame)

    monkeypatch.setattr(Pipeline, "process", observed)
    keys = {2: "r", **({11: "q"} if how == "q" else {})}
    code = start("--demo --no-headless --csv a.csv", keys)
    assert code == {"q": 0, "Ctrl-C": 130, "failure": 1}[how]
    table, video = (name for name in names(here) if name.startswith("demo-"))
    assert (table[-4:], video[-4:]) == (".csv", ".mp4")
    assert len(frames_in(here / video)) == len(rows_of(table)) == (10 if how == "Ctrl-C" else 9)
    out, err = capsys.readouterr()
    assert (f"written: {video}" in out) == (how != "failure")
    assert (f"recorded: {video}" in err) == (how == "failure")
