"""Another landmark network behind our detector and tracker: python examples/own_network.py VIDEO."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fkp_live import Engine, Pipeline, open_source
from fkp_live.console import run_main
from fkp_live.geometry import Matrix, crop_matrix
from fkp_live.types import Image, Landmarks, Picture


class Twice:
    """Whatever has a `spec` and these two methods will do. Here: the mean of two crops, of which one is shifted."""

    network = Engine("cpu", "fkp68-tiny").network
    spec = network.spec

    def __call__(self, picture: Image | Picture, boxes: ArrayLike) -> Landmarks:
        """Landmarks of the faces in N boxes (N, 4)."""
        return self.run_matrices(picture, [crop_matrix(box, self.spec) for box in np.asarray(boxes)])

    def run_matrices(self, picture: Image | Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """Landmarks in the crops that N affines (2, 3) give, from frame pixels to crop pixels."""
        crops = (matrices, [np.add(matrix, [[0, 0, 2], [0, 0, 2]]) for matrix in matrices])
        found = [self.network.run_matrices(picture, each) for each in crops]
        return Landmarks(np.mean([one.points for one in found], 0), found[0].confidence)


def main(video: str) -> None:
    """Print where the nose of each face is, frame by frame."""
    pipeline = Pipeline(engine=Engine("cpu", network=Twice()))
    with open_source(video) as source:
        for result in map(pipeline.process, source):
            print(*(f"face {face.id}, nose at {face.points[30].round(1)}" for face in result.faces))


if __name__ == "__main__":
    run_main(main, __doc__)
