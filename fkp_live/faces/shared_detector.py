"""A detector that two users of one stream share: it runs once on each picture."""

from __future__ import annotations

from fkp_live.faces.detector import SCORE, FaceDetector, candidates_of
from fkp_live.types import FaceBox, Picture


class SharedDetector:
    """Answers a second call for the picture of the last one without running again. For one stream, in one thread.

    Parameters
    ----------
    detector : the one that runs
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._picture: Picture | None = None
        self._finds: list[FaceBox] = []

    def __call__(self, picture: Picture) -> list[FaceBox]:
        """Landmark boxes of the faces in a picture, best score first."""
        if picture is not self._picture:
            self._finds = self._detector(picture)
            # Kept itself and not by its id(), which a new picture may have once this one is gone.
            self._picture = picture
        return list(self._finds)

    def candidates(self, picture: Picture) -> list[FaceBox]:
        """As a call, and after those boxes others that need another judge, see `candidates_of`."""
        finds = candidates_of(self._detector, picture)
        self._finds, self._picture = [find for find in finds if find.score >= SCORE], picture
        return finds
