"""What every kind of source promises."""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Endless, MjpegServer, numbered
from streams import served

from fkp_live.images.picture import BgrPicture
from fkp_live.sources import PushSource, Source, camera, open_source
from fkp_live.types import Frame

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]

COUNT = 12
CODECS = {
    "mp4": "libx264",
    "mkv": "libx264",
    "ts": "libx264",
    "avi": "mpeg4",
    "mov": "mjpeg",
    "webm": "libvpx",
}
KINDS = [*CODECS, "folder", "animation", "http", "camera", "mjpeg", "pushed", "pushed live"]
# Read in the consumer's own thread.
KINDS += [f"{kind} in turn" for kind in ("mp4", "folder", "http", "mjpeg")]
Opener = Callable[..., Source]


def pushed(live: bool, stack: ExitStack, mirror: bool = False, max_frames: int | None = None) -> Source:
    """A source into which another thread pushes the pictures."""
    if mirror or max_frames is not None:
        pytest.skip("options of open_source")
    source = PushSource(160, 96, 30, live=live)

    def push() -> None:
        for number in range(60 if live else COUNT):
            if not source.push(numbered(number), number / 30):
                return
            # Nobody looks at most of the live ones, as with a camera.
            if live:
                stop.wait(0.005)
        source.close()

    stop, thread = threading.Event(), threading.Thread(target=push)
    stack.callback(thread.join)
    stack.callback(source.__exit__, None, None, None)
    stack.callback(stop.set)
    thread.start()
    return source


@pytest.fixture(params=KINDS)
def opener(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    make_clip: Callable[..., Path],
    mjpeg_server: Callable[..., MjpegServer],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Opener]:
    """Opens a source of one kind: 12 pictures of 160x96, or more where it is live."""
    kind, ahead = request.param.removesuffix(" in turn"), not request.param.endswith(" in turn")
    with ExitStack() as stack:
        spec: str | Path = ""
        if kind.startswith("pushed"):
            yield functools.partial(pushed, kind == "pushed live", stack)
            return
        if kind in CODECS:
            spec = make_clip(tmp_path / f"a.{kind}", COUNT, codec=CODECS[kind])
        elif kind == "folder":
            spec = tmp_path
            for number in range(COUNT):
                cv2.imwrite(str(tmp_path / f"{number}.png"), numbered(number))
        elif kind == "animation":
            if not hasattr(cv2, "Animation"):
                pytest.skip("this OpenCV knows no animations")
            animation = cv2.Animation()
            animation.frames = [cv2.cvtColor(numbered(i), cv2.COLOR_BGR2BGRA) for i in range(COUNT)]
            animation.durations = np.full(COUNT, 40)
            spec = tmp_path / "a.webp"
            cv2.imwriteanimation(str(spec), animation)
        elif kind == "http":
            make_clip(tmp_path / "a.mp4", COUNT, faststart=True)
            spec = stack.enter_context(served(tmp_path)) + "/a.mp4"
        elif kind == "camera":
            clip, real = str(make_clip(tmp_path / "a.avi", 60, codec="mjpeg")), cv2.VideoCapture
            monkeypatch.setattr(sys, "platform", "elsewhere")
            monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: Endless(real(clip)))
            spec = "0"
        else:
            spec = mjpeg_server(rate=200.0, count=120).url
        yield lambda **options: open_source(spec, read_ahead=ahead, **options)


def test_index_and_time_grow(opener: Opener) -> None:
    with opener() as source:
        frames = list(itertools.islice(source, COUNT))
        live = source.info.live
    assert frames
    if not live:
        assert [frame.index for frame in frames] == list(range(COUNT))
    assert all(b.index > a.index for a, b in itertools.pairwise(frames))
    assert all(b.time > a.time for a, b in itertools.pairwise(frames))
    assert all(b.arrived >= a.arrived for a, b in itertools.pairwise(frames))


def test_frames_are_as_the_info_describes_them(opener: Opener) -> None:
    with opener() as source:
        frame, info = next(source), source.info
        assert frame.picture.size == (info.width, info.height) == (160, 96)
        assert frame.image.shape == (96, 160, 3)
        assert frame.time_base == info.time_base
        assert (frame.pts is None) == (info.time_base is None)
        assert info.live <= (frame.pts is None)
        if frame.pts is not None and frame.time_base is not None:
            assert float(frame.pts * frame.time_base) == pytest.approx(frame.time)
        if info.live:
            assert isinstance(frame.picture, BgrPicture)
            assert (info.frames, info.duration, info.path) == (None, None, None)
        elif not isinstance(source, PushSource):
            assert info.frames == COUNT
            assert info.duration is not None
        assert info.name
        assert "/" not in info.name or "://" in info.name


def test_reading_the_image_changes_nothing(opener: Opener) -> None:
    with opener() as source:
        frame = next(source)
    luma = frame.picture.luma.copy()
    first = frame.image.copy()
    assert not frame.image.flags.writeable
    assert np.array_equal(frame.image, first)
    assert np.array_equal(frame.picture.luma, luma)


def test_a_mirrored_source_is_flipped_and_nothing_else(opener: Opener) -> None:
    with opener() as plain, opener(mirror=True) as mirrored:
        a, b = next(plain), next(mirrored)
        if not plain.info.live:
            assert np.array_equal(a.image[:, ::-1], b.image)
            assert (a.index, a.time, a.pts) == (b.index, b.time, b.pts)
        assert plain.info == mirrored.info


def test_a_limit_is_kept(opener: Opener) -> None:
    with opener(max_frames=3) as source:
        assert source.info.frames == 3
        assert len(list(source)) == 3


def test_a_closed_source_ends(opener: Opener) -> None:
    with opener() as source:
        next(source)
    assert list(source) == []
    source.close()


def test_an_interrupted_source_ends(opener: Opener) -> None:
    with opener() as source:
        next(source)
        source.interrupt()
        assert list(source) == []


def test_note_is_text_at_any_time(opener: Opener) -> None:
    with opener() as source:
        assert source.note == ""
        frames: list[Frame] = list(itertools.islice(source, COUNT))
        assert source.note == ""
    assert source.note == ""
    assert frames
