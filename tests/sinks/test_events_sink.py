"""Events as CSV: the rows, what still goes on at the end, and when they are written."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from fkp_live.errors import OutputError
from fkp_live.sinks import EventsSink, EventsStreamSink
from fkp_live.types import Event, FrameResult

BLINK = Event("blink", 3, 1.0, 1.2, 0.456789, 1.2, 36)
YAWN = Event("yawn", 0, 0.5, math.nan, math.nan, 2.5, 75)
END = Event("yawn_end", 0, 0.5, 4.0, 0.75, 4.0, 120)


class _Finder:
    """Finds a blink in frame 1, and what goes on at the end."""

    def __call__(self, result: FrameResult) -> Sequence[Event]:
        return [BLINK, YAWN] if result.index == 1 else []

    def finish(self) -> Sequence[Event]:
        return [END]


def _result(index: int) -> FrameResult:
    return FrameResult(index, index / 30, (640, 480), ())


LINES = [
    "event,face_id,start,end,seconds,value,time,frame",
    "blink,3,1.000000,1.200000,0.200000,0.457,1.200000,37",
    "yawn,0,0.500000,,,,2.500000,76",
    "yawn_end,0,0.500000,4.000000,3.500000,0.750,4.000000,121",
]


def test_a_row_for_each_event_and_the_ends_at_the_end(tmp_path: Path) -> None:
    with EventsSink(tmp_path / "events.csv", _Finder()) as sink:
        for index in range(3):
            sink.write(_result(index))
    assert (tmp_path / "events.csv").read_text().splitlines() == LINES
    with (tmp_path / "events.csv").open(newline="") as file:
        assert [row["event"] for row in csv.DictReader(file)] == ["blink", "yawn", "yawn_end"]


def test_a_row_can_be_read_while_the_stream_goes_on(tmp_path: Path) -> None:
    with EventsSink(tmp_path / "events.csv", _Finder()) as sink:
        sink.write(_result(0))
        sink.write(_result(1))
        assert sink.kept is not None
        assert sink.kept.read_text().splitlines() == LINES[:3]


def test_no_event_makes_a_header(tmp_path: Path) -> None:
    class Nothing(_Finder):
        def finish(self) -> Sequence[Event]:
            return []

    with EventsSink(tmp_path / "events.csv", Nothing()) as sink:
        sink.write(_result(0))
    assert (tmp_path / "events.csv").read_text().splitlines() == LINES[:1]


def test_a_file_that_exists_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        EventsSink(tmp_path / "events.csv", _Finder())
    assert [path.name for path in tmp_path.iterdir()] == ["events.csv"]
    assert (tmp_path / "events.csv").read_text() == "mine"


def test_a_stream_gets_the_same_rows() -> None:
    stream = io.BytesIO()
    sink = EventsStreamSink(stream, _Finder())
    sink.write(_result(1))
    assert stream.getvalue().decode().splitlines() == LINES[:3]
    sink.close()
    sink.close()
    assert stream.getvalue().decode().splitlines() == LINES
    with pytest.raises(ValueError, match="closed"):
        sink.write(_result(2))
