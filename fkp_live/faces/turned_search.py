"""The search of a stream for faces that are turned in the picture, within a budget of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fkp_live import geometry
from fkp_live.faces.detector import SCORE, FaceDetector
from fkp_live.faces.tracker_options import TrackerOptions
from fkp_live.faces.turned import (
    LEAST,
    QUARTERS,
    Network,
    found_turned,
    look,
    look_around,
    righted,
)
from fkp_live.types import FaceBox, FloatArray, Picture

# While nobody is followed, one detection of this number is followed by a look at other turns: at the best find that is
# not an upright face, or else at the picture in the next quarter turn.
_EVERY = 3
# A find that overlaps a followed face by more is that face.
_KNOWN = TrackerOptions().match_iou
_LEAST_NEW = TrackerOptions().min_confidence_new


class TurnedSearch:
    """Gives the finds of a stream's detector the angle of the faces, and adds faces that it misses.

    Upright faces come out as they went in. It costs a run of the landmark network for each new face, and while nobody
    is followed a look at other turns now and then; nothing while all finds are followed faces.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._searches = self._looks = 0

    def __call__(
        self,
        picture: Picture,
        finds: Sequence[FaceBox],
        followed: Sequence[FloatArray],
        network: Network,
        turned: FaceDetector | None,
    ) -> list[FaceBox]:
        """The finds to follow, in the order of their scores.

        Parameters
        ----------
        finds : of `detector.candidates_of`; those with a score below that of a face count only while nobody is followed
        followed : boxes (4,) of the followed faces
        turned : detector for the picture turned by quarters; None: it is not searched
        """
        sure = [find for find in finds if find.score >= SCORE]
        new = [place for place, find in enumerate(sure) if not _is_followed(find, followed)]
        seen = look(picture, [sure[place] for place in new], network, twice=False)
        for place, each in zip(new, seen, strict=True):
            # One that is not a face this way up is left to the search below.
            if each.mean >= _LEAST_NEW and (face := righted(picture, each, network)) is not each:
                sure[place] = face.as_box()
        if followed or any(each.mean >= _LEAST_NEW for each in seen):
            self._searches = 0
            return sure
        self._searches += 1
        if self._searches % _EVERY:
            return sure
        return sure + self._searched(picture, finds, network, turned)

    def _searched(
        self, picture: Picture, finds: Sequence[FaceBox], network: Network, turned: FaceDetector | None
    ) -> list[FaceBox]:
        if finds:
            face = look_around(picture, finds[0], network)
            if face.mean >= LEAST:
                return [face.as_box()]
        if turned is None:
            return []
        angle, self._looks = QUARTERS[self._looks % len(QUARTERS)], self._looks + 1
        found = [find for find in found_turned(picture, angle, turned) if find.score >= SCORE]
        seen = look(picture, found, network)
        return [each.as_box() for each in seen if each.mean >= LEAST]


def _is_followed(find: FaceBox, followed: Sequence[FloatArray]) -> bool:
    return bool(followed) and float(geometry.iou(find.box, np.stack(followed)).max()) > _KNOWN
