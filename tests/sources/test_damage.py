"""Damaged and truncated files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import number_of, numbered, read

from fkp_live.errors import InputError
from fkp_live.sources import open_source

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


@pytest.mark.parametrize("name", ["t.mp4", "t.mkv", "t.avi"])
def test_truncated_file_gives_what_it_has_then_an_error(
    make_clip: MakeClip, tmp_path: Path, name: str
) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    noise = np.random.default_rng(0).integers(0, 256, (90, 96, 160, 3), np.uint8)
    noise[:, 24:72] = np.stack([numbered(i) for i in range(90)])[:, 24:72]
    whole = make_clip(
        tmp_path / f"whole_{name}", list(noise), codec=codec, sound="aac", faststart=name == "t.mp4"
    )
    path = tmp_path / name
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    assert len(read(whole)) == 90
    numbers = []
    with open_source(path) as source, pytest.raises(InputError, match="ends") as caught:  # noqa: PT012
        for frame in source:
            numbers.append(number_of(frame.image))
    # A picture that is shown early but stored late may be among the lost ones.
    assert 40 < len(numbers) <= numbers[-1] + 1 < 60
    assert len(numbers) >= numbers[-1] - 2
    assert numbers == sorted(set(numbers))
    assert caught.value.exit_code == 3


def test_damage_in_the_middle_is_skipped_and_noted(make_clip: MakeClip, tmp_path: Path) -> None:
    noise = list(np.random.default_rng(0).integers(0, 256, (60, 96, 160, 3), np.uint8))
    path = make_clip(tmp_path / "d.mp4", noise, faststart=True, options={"g": "10", "bf": "0"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(data)
    with open_source(path) as source:
        frames = list(source)
    assert 40 <= len(frames) < 60
    assert frames[-1].time == pytest.approx(59 / 30, abs=1e-3)
    assert "damaged" in source.note
