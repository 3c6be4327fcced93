"""Faces in given boxes: one look or two, and the mean with the mirror image."""

from __future__ import annotations

import numpy as np

from fkp_live import geometry
from fkp_live.faces.crop_follower import level_matrix
from fkp_live.faces.turned import Network
from fkp_live.geometry import Matrix
from fkp_live.topology import LABELS_RIGHT, MIRROR
from fkp_live.types import FloatArray, Landmarks, Picture


def landmarks(
    network: Network, picture: Picture, boxes: FloatArray, looks: int = 2, *, flip: bool = False
) -> Landmarks:
    """Points of the faces in boxes (N, 4).

    Parameters
    ----------
    looks : how often the network looks at each face, 1 or 2; the second crop is around the points of the first, turned
        so that the eyes are level
    flip : take the mean of what it finds in each crop and in the crop's mirror image
    """
    found = _look(network, picture, [geometry.crop_matrix(box, network.spec) for box in boxes], flip)
    if looks == 2:
        found = _look(network, picture, [level_matrix(points, network.spec) for points in found.points], flip)
    return found


def _look(network: Network, picture: Picture, matrices: list[Matrix], flip: bool) -> Landmarks:
    if not flip or not matrices:
        return network.run_matrices(picture, matrices)
    spec, count = network.spec, len(matrices)
    turn, origin = np.diag([-1.0, 1.0]), np.array([[0.0, 0.0, spec.size - 1.0], [0.0, 0.0, 0.0]])
    mirrored = [turn @ matrix + origin for matrix in matrices]
    found = network.run_matrices(picture, [*matrices, *mirrored])
    # Mirrored labels would lie on the other side of what they name.
    shift = 2.0 * LABELS_RIGHT * spec.face_side * geometry.invert(np.stack(matrices))[:, :, 0]
    back = found.points[count:, MIRROR] + shift[:, None]
    points = np.asarray((found.points[:count] + back) / 2, np.float32)
    confidence = (found.confidence[:count] + found.confidence[count:, MIRROR]) / 2
    return Landmarks(points, np.asarray(confidence, np.float32))
