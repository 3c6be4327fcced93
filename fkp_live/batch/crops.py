"""Face crops: of each face of a film one, where it was seen best; of a picture every face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from fkp_live.errors import OutputError
from fkp_live.faces.crop_follower import level_matrix
from fkp_live.geometry import CropSpec
from fkp_live.types import Face, Frame

# Around the box of the points, as a fraction of its longer side: hair and chin are seen.
_MARGIN = 0.35
# Mean confidence by which a later view must be better: each one costs a millisecond.
_BETTER = 0.005
_QUALITY = 95
SUFFIX = ".jpg"


class FaceCrops:
    """The best crop of each face so far, with level eyes.

    Parameters
    ----------
    side : of a crop in pixels
    """

    def __init__(self, side: int) -> None:
        self._spec = CropSpec(side, _MARGIN)
        self._best: dict[int, tuple[float, bytes]] = {}  # as JPEG, 15 kB instead of 200

    def see(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Look at the faces of the next frame; those without an id are numbered by place, from 0."""
        for place, face in enumerate(faces):
            number = place if face.id is None else face.id
            confidence = float(face.confidence.mean())
            if number not in self._best or confidence > self._best[number][0] + _BETTER:
                crop = frame.picture.warp(level_matrix(face.points, self._spec), self._spec.size)
                _, coded = cv2.imencode(SUFFIX, crop, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
                self._best[number] = confidence, coded.tobytes()

    def write(self, folder: Path) -> list[str]:
        """Write a file a face, named by its id; returns the names.

        Raises
        ------
        OutputError
        """
        names = []
        for number, (_, coded) in sorted(self._best.items()):
            path = folder / f"crop-{number}{SUFFIX}"
            try:
                path.write_bytes(coded)
            except OSError as error:
                raise OutputError(
                    f"{path} cannot be written: {error.strerror}.",
                    "Make room on the disk, or choose another --out.",
                ) from error
            names.append(path.name)
        return names
