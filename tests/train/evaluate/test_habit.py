"""How one set's labels differ from what a network says: in eye distances, of frontal faces with all their points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled import row_of, write_csv, write_images

from fkp_live.errors import InputError
from fkp_live.types import Landmarks
from train.data.faces import FaceSet, read_csv
from train.data.habit import axes
from train.evaluate.habit import differences


def test_differences_are_in_the_axes_of_the_face(tmp_path: Path) -> None:
    write_images(tmp_path / "images", "a.jpg", "b.jpg", "c.jpg")
    partial = row_of("c.jpg")
    partial[1:3] = ["", ""]
    rows = [row_of("a.jpg"), row_of("b.jpg", 35), partial]
    faces = read_csv(write_csv(tmp_path / "faces.csv", rows), partial=True)
    asked = iter(faces.points)
    known = np.tile([0.02, -0.01], (68, 1))

    def network(_: object, boxes: object) -> Landmarks:
        points = next(asked)
        moved = points - known @ axes(points[None])[0]
        return Landmarks(moved[None].astype(np.float32), np.ones((1, 68), np.float32))

    found = differences(network, faces)  # type: ignore[arg-type]
    assert len(found) == 2, "the third has a point without a label"
    np.testing.assert_allclose(found, np.stack([known, known]), atol=1e-4)


def test_a_set_without_a_complete_frontal_face_is_refused() -> None:
    empty = FaceSet("hard_aflw", (), np.empty((0, 68, 2), np.float32))
    with pytest.raises(InputError, match="hard_aflw has no complete face"):
        differences(lambda *_: pytest.fail("asked"), empty)  # type: ignore[arg-type]
