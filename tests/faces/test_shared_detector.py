"""A detector shared by two users runs once on each picture."""

from __future__ import annotations

import numpy as np

from fkp_live.faces.shared_detector import SharedDetector
from fkp_live.images.picture import BgrPicture
from fkp_live.types import FaceBox, Picture


def test_each_picture_is_looked_at_once() -> None:
    looks: list[Picture] = []

    def detector(picture: Picture) -> list[FaceBox]:
        looks.append(picture)
        return [FaceBox(np.zeros(4, np.float32), len(looks) / 10)]

    shared = SharedDetector(detector)
    one, other = (BgrPicture(np.zeros((4, 4, 3), np.uint8)) for _ in range(2))
    first = shared(one)
    first.clear()  # a caller's list is its own
    assert [find.score for find in shared(one)] == [0.1]
    assert [find.score for find in shared(other)] == [0.2]
    assert [find.score for find in shared(one)] == [0.3]
    assert looks == [one, other, one]
