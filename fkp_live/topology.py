"""The iBUG 68-point markup: regions, contour lines and the mirror map.

The only module of the product that knows point numbers. Source: C. Sagonas et al., "300 Faces in-the-Wild
Challenge", 2013, https://ibug.doc.ic.ac.uk/resources/facial-point-annotations/. "Right" and
"left" are the person's own, so the right eye is the one with the smaller x in an unmirrored picture.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

N_POINTS = 68

REGIONS = MappingProxyType(
    {
        "jaw": np.arange(0, 17),
        "right_brow": np.arange(17, 22),
        "left_brow": np.arange(22, 27),
        "nose": np.arange(27, 36),
        "right_eye": np.arange(36, 42),
        "left_eye": np.arange(42, 48),
        "mouth": np.arange(48, 68),
    }
)

# Polylines to draw: point numbers in order, and whether the line closes.
CONTOURS: tuple[tuple[str, tuple[int, ...], bool], ...] = (
    ("jaw", tuple(range(0, 17)), False),
    ("right_brow", tuple(range(17, 22)), False),
    ("left_brow", tuple(range(22, 27)), False),
    ("nose_bridge", tuple(range(27, 31)), False),
    ("nose_base", tuple(range(31, 36)), False),
    ("right_eye", tuple(range(36, 42)), True),
    ("left_eye", tuple(range(42, 48)), True),
    ("outer_lip", tuple(range(48, 60)), True),
    ("inner_lip", tuple(range(60, 68)), True),
)

# Outer corners of the eyes: their distance is the unit of NME ("inter-ocular").
RIGHT_EYE_OUTER, RIGHT_EYE_INNER = 36, 39
LEFT_EYE_INNER, LEFT_EYE_OUTER = 42, 45
# Pairs (upper lid, lower lid) of each eye, and its corners.
RIGHT_EYE_LIDS = ((37, 41), (38, 40))
LEFT_EYE_LIDS = ((43, 47), (44, 46))
# Inner lip: pairs (upper, lower) and corners.
INNER_LIP_PAIRS = ((61, 67), (62, 66), (63, 65))
INNER_LIP_CORNERS = (60, 64)
# Corners of the mouth, on the outer lip.
MOUTH_RIGHT, MOUTH_LEFT = 48, 54
NOSE_TIP, CHIN = 30, 8

_MIRROR_PAIRS = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    (31, 35),
    (32, 34),
    *((36 + i, 45 - i) for i in range(4)),
    (40, 47),
    (41, 46),
    *((48 + i, 54 - i) for i in range(3)),
    (55, 59),
    (56, 58),
    (60, 64),
    (61, 63),
    (65, 67),
)


def _mirror_map() -> np.ndarray:
    mirror = np.arange(N_POINTS)
    for a, b in _MIRROR_PAIRS:
        mirror[a], mirror[b] = b, a
    mirror.setflags(write=False)
    return mirror


# ``points[MIRROR]`` after ``x -> width - 1 - x`` are the 68 points of the mirrored picture. Its own inverse.
MIRROR = _mirror_map()

# 300-W's labels, and the points of networks that learnt from them, are this share of the longer side of the box to the
# right of what they name in the picture. Mirrored without a correction they contradict themselves, and a network
# settles between the two. Measured by `python -m train offset` with one that learnt from plainly mirrored faces.
LABELS_RIGHT = 0.0052
