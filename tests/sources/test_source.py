"""The reading thread."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import number_of

from fkp_live.sources import decoding, open_source
from fkp_live.types import Frame

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def test_failing_reader_ends_the_consumer_with_its_own_message(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    with open_source(path) as source, pytest.raises(RuntimeError, match="eleventh"):  # noqa: PT012
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


def test_cv2_is_imported_before_av() -> None:
    """``import av`` before ``import cv2`` makes cv2.imshow hang on Linux."""
    code = "import sys, fkp_live.sinks; assert 'cv2' in sys.modules; assert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
