"""The reading thread."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import number_of

from fkp_live.sources import decoding, open_source
from fkp_live.types import Frame

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


@pytest.mark.parametrize("ahead", [True, False])
def test_failing_reader_ends_the_consumer_with_its_own_message(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    count = itertools.count()
    make_frame = decoding.Converter.__call__

    def fails(self: Any, *args: Any) -> Frame:
        if next(count) == 10:
            raise RuntimeError("the eleventh picture is cursed")
        return make_frame(self, *args)

    monkeypatch.setattr(decoding.Converter, "__call__", fails)
    seen = 0
    with open_source(path, read_ahead=ahead) as source, pytest.raises(RuntimeError, match="eleventh"):  # noqa: PT012
        for _ in source:
            seen += 1
    assert seen == 10


def test_a_source_that_is_dropped_lets_go_of_its_file(make_clip: MakeClip, tmp_path: Path) -> None:
    source = open_source(make_clip(tmp_path / "a.mp4", 60))
    next(source)
    thread = source._thread
    assert thread.is_alive()
    del source
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_leaving_in_the_middle_leaves_no_thread(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 60)
    with open_source(path) as source:
        assert number_of(next(source).image) == 0
    assert list(source) == []
    open_source(path).close()


def test_without_reading_ahead_a_frame_is_read_when_it_is_asked_for(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    with open_source(path) as ahead:
        expected = [frame.image for frame in ahead]
    running = threading.active_count()
    with open_source(path, read_ahead=False) as source:
        assert source.ready(0)
        frames = [next(source)]
        before = time.perf_counter()
        assert threading.active_count() == running
        frames += source
        assert all(frame.arrived > before for frame in frames[1:])
    assert all(np.array_equal(a, frame.image) for a, frame in zip(expected, frames, strict=True))


def test_another_thread_may_close_what_is_being_read(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_frame, reading, closed = decoding.Converter.__call__, threading.Event(), threading.Event()

    def waits(self: Any, *args: Any) -> Frame:
        reading.set()
        assert closed.wait(30)
        return make_frame(self, *args)

    def close() -> None:
        assert reading.wait(30)
        source.close()
        closed.set()

    with open_source(make_clip(tmp_path / "a.mp4", 30), read_ahead=False) as source:
        next(source)
        monkeypatch.setattr(decoding.Converter, "__call__", waits)
        thread = threading.Thread(target=close)
        thread.start()
        assert list(source) == []
        thread.join()


def test_cv2_is_imported_before_av() -> None:
    """``import av`` before ``import cv2`` makes cv2.imshow hang on Linux."""
    code = "import sys, fkp_live.sinks; assert 'cv2' in sys.modules; assert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
