"""Another landmark network behind our detector and tracker: python examples/own_network.py VIDEO.

Whatever has a `spec` and these two methods will do. Here it is the mean of two networks that ship.
"""

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fkp_live import Engine, Pipeline, open_source
from fkp_live.geometry import Matrix, crop_matrix
from fkp_live.types import Image, Landmarks, Picture


class Mean:
    """Points of fkp68 and fkp68-tiny together, in the crops that fkp68 is given."""

    def __init__(self) -> None:
        self._networks = [Engine("cpu", name).network for name in ("fkp68", "fkp68-tiny")]
        self.spec = self._networks[0].spec  # side and margin of the crops

    def __call__(self, picture: Image | Picture, boxes: ArrayLike) -> Landmarks:
        """Landmarks of the faces in N boxes."""
        return self.run_matrices(picture, [crop_matrix(box, self.spec) for box in np.asarray(boxes)])

    def run_matrices(self, picture: Image | Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """Landmarks in the crops that N affines (2, 3) give, from frame pixels to crop pixels."""
        found = []
        for network in self._networks:
            scale = network.spec.size / self.spec.size  # pixel centres are whole numbers
            own = [matrix * scale + [[0, 0, (scale - 1) / 2]] * 2 for matrix in matrices]
            found.append(network.run_matrices(picture, own))
        return Landmarks(
            np.mean([one.points for one in found], 0), np.mean([one.confidence for one in found], 0)
        )


if __name__ == "__main__":
    pipeline = Pipeline(engine=Engine("cpu", network=Mean()))
    with open_source(sys.argv[1]) as source:
        for result in map(pipeline.process, source):
            print(*(f"face {face.id}, nose at {face.points[30].round(1)}" for face in result.faces))
