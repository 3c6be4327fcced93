"""What the window alone says: on any picture, whole, and nowhere near the face of a large one."""

from __future__ import annotations

import numpy as np
import pytest

from fkp_live.display.words import Words, paint_words
from fkp_live.types import Image


def flat(height: int = 480, width: int = 640) -> Image:
    return np.full((height, width, 3), 128, np.uint8)


def painted(image: Image) -> np.ndarray:
    return (image != 128).any(2)


def test_words_are_painted_in_place_at_the_lower_left() -> None:
    image = flat()
    assert paint_words(image, Words(("paused",))) is image
    rows, columns = np.nonzero(painted(image))
    assert rows.min() > 440
    assert columns.max() < 160
    more = painted(paint_words(flat(), Words(("paused", "smoothing strong"))))
    assert np.nonzero(more)[0].min() < rows.min()


def test_a_recording_has_a_red_mark() -> None:
    def red(words: Words) -> np.ndarray:
        image = paint_words(flat(), words).astype(int)
        return (image[..., 2] > 200) & (image[..., :2] < 90).all(2)

    assert not red(Words(("paused",))).any()
    rows, columns = np.nonzero(red(Words(("paused",), "0:12")))
    assert 60 < len(rows) < 400
    # A round dot.
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)
    one, other = (paint_words(flat(), Words((), mark)) for mark in ("0:12", "0:13"))
    assert (one != other).any()


def test_long_words_are_broken_and_many_end() -> None:
    once = painted(paint_words(flat(), Words(("one two three four five six seven eight nine " * 2,))))
    assert once[:, -1].sum() == 0
    assert (
        1
        < np.ptp(np.nonzero(once)[0]) / np.ptp(np.nonzero(painted(paint_words(flat(), Words(("a",)))))[0])
        < 4
    )
    endless = painted(paint_words(flat(), Words(("word " * 500,))))
    assert np.nonzero(endless)[0].min() > 300
    assert painted(paint_words(flat(), Words(("unbroken" * 200,)))).any()


@pytest.mark.parametrize(
    ("height", "width"),
    [(720, 1280), (480, 640), (1920, 1080), (240, 320), (96, 160), (16, 16), (1, 1)],
)
def test_the_list_of_keys_fits_on_any_picture(height: int, width: int) -> None:
    image = paint_words(flat(height, width), Words(("paused",), "0:12", keys=True))
    shape = image.shape[:2]
    factor = shape[0] // height
    assert shape == (factor * height, factor * width)
    assert factor == 1 or min(height, width) < 480
    # The panel is nearly black, in the middle, and has a rim of picture around it.
    dark = (image < 40).all(2)
    assert dark[shape[0] // 2, shape[1] // 4 : shape[1] // 2].mean() > 0.3
    assert (image[shape[0] // 2, 0] == 128).all()


def test_a_strip_is_not_enlarged_without_end() -> None:
    assert max(paint_words(flat(2, 300), Words(keys=True)).shape) <= 4096
    assert paint_words(flat(2, 4000), Words(keys=True)).shape == (2, 4000, 3)
