"""Make an archive to try ``fkp-live batch`` on: short films and pictures of the demo clip, some of them broken.

    python -m benchmarks.make_archive FOLDER [--films 140] [--pictures 60] [--seed 0]

Cut, turned, mirrored, scaled and re-encoded, in folders and under names with spaces, non-Latin letters, line feeds and
undecodable bytes. One film in 14 and one picture in 12 is broken: empty, text, cut off, overwritten in the middle,
without a picture, without an index, or a link to nothing.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.sources import open_source
from fkp_live.types import Image

_ENDINGS = ((".mp4", "libx264"), (".mkv", "libx264"), (".mov", "mpeg4"), (".avi", "mpeg4"))
_NAMES = ("session {n}", "Gespräch-{n}", "対話 {n}", "видео_{n}", "two\nlines {n}", "película {n}", "film{n}")
_FOLDERS = ("", "day 1", "day 1/camera b", "День 2")
_SIZE = (320, 240)


def make_archive(
    folder: Path, films: int = 140, pictures: int = 60, seed: int = 0, frames_each: tuple[int, int] = (20, 60)
) -> tuple[int, int]:
    """Write the archive; the same seed gives the same files. Returns how many films and pictures are broken.

    Parameters
    ----------
    frames_each : frames of a film at least and at most, up to 180
    """
    draw = random.Random(seed)
    with open_source(str(demo_clip())) as source:
        frames = [np.asarray(cv2.resize(frame.image, _SIZE), np.uint8) for frame in source]
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    broken_films = _make(
        folder, films, 14, lambda n: _film(folder, n, frames, frames_each, draw), _BREAKERS, draw
    )
    broken_pictures = _make(
        folder, pictures, 12, lambda n: _picture(folder, n, frames, draw), _PICTURE_BREAKERS, draw
    )
    # What a folder of a Mac has beside; none of it is an item.
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "._film6.mp4").write_bytes(b"\0\5\x16\7")
    return broken_films, broken_pictures


def _make(
    folder: Path,
    count: int,
    one_in: int,
    make: Callable[[int], Path],
    breakers: Sequence[Callable[[Path], object]],
    draw: random.Random,
) -> int:
    broken = 0
    for number in range(count):
        path = make(number)
        if number % one_in == one_in // 2:
            breakers[broken % len(breakers)](path)
            broken += 1
        # The date is a part of an item's key.
        if os.path.exists(path):
            os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return broken


def _name(folder: Path, number: int, ending: str) -> Path:
    name = _NAMES[number % len(_NAMES)].format(n=number) + ending
    if number % 25 == 24:
        name = os.fsdecode(b"\xff\xfe " + os.fsencode(name))
    return folder / _FOLDERS[number % len(_FOLDERS)] / name


def _film(
    folder: Path, number: int, frames: Sequence[Image], frames_each: tuple[int, int], draw: random.Random
) -> Path:
    ending, codec = _ENDINGS[number % len(_ENDINGS)]
    path, length = _name(folder, number, ending), draw.randint(*frames_each)
    start = draw.randint(0, len(frames) - length)
    chosen = [_changed(frame, number) for frame in frames[start : start + length]]
    write_film(path, chosen, codec)
    return path


def write_film(path: Path, frames: Sequence[Image], codec: str = "libx264", rate: int = 30) -> None:
    """Encode pictures of one size."""
    import av

    # Under a plain name first: FFmpeg takes no undecodable bytes.
    plain = path.with_name(f"plain{path.suffix}")
    with av.open(str(plain), "w") as output:
        video: Any = output.add_stream(codec, rate=rate)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        for frame in frames:
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")))
        output.mux(video.encode(None))
    os.replace(plain, path)


def _picture(folder: Path, number: int, frames: Sequence[Image], draw: random.Random) -> Path:
    ending = (".jpg", ".png", ".webp")[number % 3]
    path = _name(folder, 1000 + number, ending)
    _, coded = cv2.imencode(ending, _changed(draw.choice(frames), number))
    path.write_bytes(coded.tobytes())
    return path


def _changed(image: Image, number: int) -> Image:
    """Mirrored, turned, scaled or cut, or without any face."""
    kind = number % 6
    if kind == 1:
        image = np.asarray(cv2.flip(image, 1), np.uint8)
    elif kind == 2:
        image = np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8)
    elif kind == 3:
        image = np.asarray(cv2.resize(image, (480, 360)), np.uint8)
    elif kind == 4:
        image = np.ascontiguousarray(image[:, 40:280])
    elif kind == 5 and number % 12 == 5:
        image = np.full_like(image, 90)
    return image


def _cut(share: float) -> Callable[[Path], object]:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("this is no film\n" * 50)


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _without_index(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"moov", b"free"))
    _cut(0.5)(path)


def _sound_only(path: Path) -> None:
    import av

    plain = path.with_name("plain.wav")
    with av.open(str(plain), "w") as output:
        sound: Any = output.add_stream("pcm_s16le", rate=8000)
        samples = np.zeros((1, 8000), np.int16)
        frame: Any = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 8000
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    os.replace(plain, path)


def _lost_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.mp4")


_BREAKERS = (_emptied, _text, _cut(0.1), _zeros, _without_index, _sound_only, _lost_link)
_PICTURE_BREAKERS = (_emptied, _text, _cut(0.02), _zeros, _lost_link)


def main(words: Sequence[str] | None = None) -> None:
    """Write the archive that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, default=140)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    broken = make_archive(options.folder, options.films, options.pictures, options.seed)
    print(f"{options.films} films, {broken[0]} broken; {options.pictures} pictures, {broken[1]} broken")


if __name__ == "__main__":
    main()
