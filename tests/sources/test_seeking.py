"""Beginning in the middle of a file: where it lands, and how little of the file is read for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import joined, number_of, numbered, read
from streams import served

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import container, open_source
from fkp_live.sources.container import Container
from fkp_live.sources.seeking import clock_goes_back

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


class Counting:
    """A container that counts the packets taken from it."""

    packets = 0

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self, *streams: Any) -> Any:
        for packet in self._container.demux(*streams):
            Counting.packets += 1
            yield packet


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    import av

    opened = av.open

    def counting(*arguments: Any, **options: Any) -> Any:
        return Counting(opened(*arguments, **options))

    monkeypatch.setattr(av, "open", counting)
    Counting.packets = 0
    return Counting


@functools.cache
def _noisy(number: int) -> np.ndarray:
    image = np.random.default_rng(number).integers(0, 256, (96, 160, 3), np.uint8)
    image[24:72] = numbered(number)[24:72]
    return image


@pytest.fixture(scope="module")
def long_ts(make_clip: MakeClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 s of MPEG-TS at 25 pictures a second, a key frame every second."""
    pictures = [_noisy(i % 250) for i in range(2000)]
    path = tmp_path_factory.mktemp("long") / "long.ts"
    return make_clip(path, pictures, rate=25, codec="mpeg2video", options={"g": "25", "bf": "0"})


def test_a_start_in_a_transport_stream_reads_little_of_it(long_ts: Path, counted: type[Counting]) -> None:
    with open_source(long_ts, start=60.0) as source:
        first = next(source)
        assert number_of(first.image) == 1500 % 250
        assert first.time - source.info.origin == pytest.approx(60.0, abs=1e-3)
    assert counted.packets < 400


def test_a_start_over_http_reads_little_too(long_ts: Path, counted: type[Counting]) -> None:
    with served(long_ts.parent) as address, open_source(f"{address}/long.ts", start=60.0) as source:
        assert number_of(next(source).image) == 1500 % 250
    assert counted.packets < 400


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((1,), False), ((1, 1), True), ((1,) * 32, True), ((1,) * 100, True), ((3, 1), True)],
)
@pytest.mark.parametrize("suffix", ["ts", "mpg"])
def test_a_clock_that_begins_anew_is_seen(
    make_clip: MakeClip, tmp_path: Path, suffix: str, parts: tuple[int, ...], expected: bool
) -> None:
    pieces = {
        seconds: make_clip(
            tmp_path / f"{seconds}.{suffix}", 25 * seconds, rate=25, codec="mpeg2video", options={"g": "12"}
        )
        for seconds in set(parts)
    }
    path = joined(tmp_path / f"joined.{suffix}", *(pieces[seconds] for seconds in parts))
    opened = Container(str(path), path.name, 1 << 28, remote=False)
    assert clock_goes_back(opened) == expected
    opened.close()


@pytest.mark.parametrize("start", [0.5, 1.0, 2.0, 3.5])
def test_a_cut_of_a_joined_stream_is_where_it_is_read(
    make_clip: MakeClip, tmp_path: Path, start: float
) -> None:
    """All parts have the same times on their clocks, so a seek by them lands in any."""
    part = make_clip(tmp_path / "part.ts", 40, options={"bf": "3", "g": "20"})
    with open_source(joined(tmp_path / "j.ts", part, part, part), start=start) as source:
        first = next(source)
        assert first.time - source.info.origin == pytest.approx(start, abs=1e-3)
        assert number_of(first.image) == round(30 * start) % 40
        assert first.index == 0


@pytest.mark.parametrize(
    ("start", "end", "limit", "expected"),
    [
        (None, None, None, range(0, 60)),
        (1.0, None, None, range(30, 60)),
        (None, 0.5, None, range(0, 15)),
        (0.5, 1.5, None, range(15, 45)),
        (0.51, None, 3, range(16, 19)),
        (None, None, 1, range(0, 1)),
    ],
)
@pytest.mark.parametrize("name", ["c.mp4", "c.ts"])
def test_cut(
    make_clip: MakeClip,
    tmp_path: Path,
    name: str,
    start: float | None,
    end: float | None,
    limit: int | None,
    expected: range,
) -> None:
    path = make_clip(tmp_path / name, 60, options={"g": "25"})
    with open_source(path, start=start, end=end, max_frames=limit) as source:
        frames = list(source)
    assert [number_of(f.image) for f in frames] == list(expected)
    assert frames[0].index == 0
    assert source.info.frames is not None
    assert abs(source.info.frames - len(expected)) <= 1
    if name == "c.mp4":  # a transport stream's clock does not begin at 0
        assert frames[0].time == pytest.approx(expected[0] / 30, abs=1e-3)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({"start": 0.98}, r"no frame in the range of --start 0\.98; the nearest is at 0\.967 s"),
        (
            {"start": 0.51, "end": 0.52},
            r"of --start 0\.51 and --end 0\.52; the nearest is at 0\.533 s",
        ),
    ],
)
def test_a_range_between_two_frames(
    make_clip: MakeClip, tmp_path: Path, cut: dict[str, float], message: str
) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    with pytest.raises(InputError, match=message) as caught:
        open_source(path, **cut)
    assert "again" not in caught.value.hint  # nothing is damaged


def test_start_behind_the_end(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    with pytest.raises(InputError, match=r"lasts 1\.00 s, but --start is 5"):
        open_source(path, start=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1.0}, "--start"),
        ({"end": float("nan")}, "--end"),
        ({"start": 2.0, "end": 1.0}, "greater than --start"),
        ({"max_frames": 0}, "--max-frames"),
    ],
)
def test_senseless_range(options: dict[str, Any], message: str, make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 3)
    with pytest.raises(UsageError, match=message):
        open_source(path, **options)


def test_a_raw_stream_is_cut_although_it_cannot_seek(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.h264", 60, rate=25, options={"g": "15"})
    frames = read(path, start=0.6, end=1.0)
    assert [number_of(f.image) for f in frames] == list(range(15, 25))
    assert [f.time for f in frames] == pytest.approx(np.arange(15, 25) / 25, abs=1e-3)


def test_a_seek_that_finds_nothing_is_made_good(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Matroska files that begin before 0: after a seek they give nothing any more."""
    opened = container._open_container

    class Spent:
        def __init__(self, container: Any) -> None:
            self._container, self._spent = container, False

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def seek(self, *args: Any, **options: Any) -> None:
            self._spent = True

        def demux(self) -> Any:
            return iter(()) if self._spent else self._container.demux()

    monkeypatch.setattr(container, "_open_container", lambda *args: Spent(opened(*args)))
    path = make_clip(tmp_path / "a.mkv", 60)
    assert [number_of(f.image) for f in read(path, start=1.0)] == list(range(30, 60))


@pytest.mark.parametrize(
    ("suffix", "codec"), [("avi", "mjpeg"), ("ivf", "libvpx"), ("ogg", "libvpx"), ("mjpeg", "mjpeg")]
)
@pytest.mark.parametrize(("start", "end"), [(0.5, 1.0), (0.467, 0.9), (0.4, 0.467), (7 / 15, 14 / 15)])
def test_a_range_is_exact_where_the_clock_ticks_once_a_picture(
    make_clip: MakeClip, tmp_path: Path, suffix: str, codec: str, start: float, end: float
) -> None:
    path = make_clip(tmp_path / f"a.{suffix}", 30, rate=15, codec=codec)
    every = [frame.time for frame in read(path)]
    times = [frame.time for frame in read(path, start=start, end=end)]
    assert times == [time for time in every if start - 5.1e-4 <= time - every[0] < end - 5.1e-4]
