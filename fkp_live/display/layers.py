"""The layers of a face: points, contours, box, id, pose axes and measures, each painted on a canvas.

Sizes follow from ``size``, the longer side of the face in pixels times the scale of what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fkp_live.display.canvas import DOTTED, FAR, Canvas, Colour, stroke_width
from fkp_live.display.text import text_width
from fkp_live.geometry import rotation_of
from fkp_live.topology import CONTOURS, NOSE_TIP
from fkp_live.types import Expression, FloatArray, Measures, Pose

DARK: Colour = (24, 20, 16)
# So dark that the plates of texts on it do not show.
PANEL: Colour = (10, 8, 6)
CORE: Colour = (255, 255, 255)

# Points fade from white to dark as their confidence falls. In steps, so that all of a step are painted in one call.
# Above the last limit lie nearly all points of faces that look at the camera.
_LIMITS = (0.5, 0.7, 0.85)
_LIMIT_ARRAY = np.array(_LIMITS, np.float32)
_FADE: tuple[Colour, ...] = (DARK, (150, 150, 150), (205, 205, 205), CORE)
# Space between the points and the box, as a fraction of the face, so that the box does not run along the jaw; length
# of a side of its corners; and the grid that they and the id are placed on.
_AIR, _CORNER, _GRID = 0.06, 0.18, 0.011
# Head axes: to the right of the picture, down, and where the face looks; their length as a fraction of the face.
_AXES: tuple[Colour, ...] = ((80, 80, 255), (90, 220, 90), (255, 150, 60))
_AXIS = 0.55
_AXIS_LINES = tuple(np.array((0, end)) for end in (1, 2, 3))
# Openness at which a bar is full: an eye wide open, a mouth in a yawn.
_FULL_EYE, _FULL_MOUTH = 0.45, 0.9
_SHUT: Colour = (60, 120, 255)

# Closed lines repeat their first point, so that one call draws closed and open ones.
_LINES = tuple(np.array((*numbers, numbers[0]) if closed else numbers) for _, numbers, closed in CONTOURS)


# x0, y0, x1, y1 in whole pixels.
Box = tuple[int, int, int, int]


def paint_box(canvas: Canvas, box: Box, size: float, colour: Colour, scale: float) -> None:
    """The corners of the box of `box_around`."""
    canvas.brackets(*box, round(_CORNER * size), colour, stroke_width(size * scale))


def paint_contours(
    canvas: Canvas, points: FloatArray, confidence: FloatArray, size: float, colour: Colour
) -> None:
    """Lines along jaw, brows, nose, eyes and lips, except between points of which either is a guess."""
    lines: Sequence[NDArray[np.intp]] = _LINES
    if not confidence.min() >= _LIMITS[0]:
        certain = confidence >= _LIMITS[0]
        lines = [run for line in _LINES for run in _runs(line, certain[line])]
    canvas.lines(points, lines, colour, size)


def _runs(line: NDArray[np.intp], certain: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The parts of a line whose points are all certain, each of two points or more."""
    parts = np.split(line, np.flatnonzero(~certain))
    # Each but the first part begins with the point that is not certain.
    return [run for number, part in enumerate(parts) if len(run := part[min(number, 1) :]) > 1]


def paint_points(canvas: Canvas, points: FloatArray, confidence: FloatArray, size: float) -> None:
    """All points, white where they are certain, darker the less they are, and smaller where they are guesses."""
    width = max(2, round(size / 75))
    if confidence.min() >= _LIMITS[-1]:
        groups = [(len(_LIMITS), points)]  # the usual case
    else:
        steps = _LIMIT_ARRAY.searchsorted(confidence, side="right")
        # The certain ones last, on top.
        groups = [(step, points[steps == step]) for step in np.flatnonzero(np.bincount(steps)).tolist()]
    for step, chosen in groups:
        colour = _FADE[step]
        if size < DOTTED:
            canvas.pixels(chosen, colour)
        else:
            canvas.dots(chosen, colour, width if step else max(2, width - 1))


def paint_id(canvas: Canvas, number: int, box: Box, size: float, colour: Colour, scale: float) -> None:
    """The number of a track above the box."""
    height = _label_height(canvas, size / 10, scale)
    canvas.text(f"#{number}", box[0], round(box[1] - 1.7 * height), height, colour)


def paint_expression(
    canvas: Canvas, shown: Expression, box: Box, size: float, colour: Colour, scale: float
) -> None:
    """The label above the box, at its right end, where the id of the track is not."""
    height = _label_height(canvas, size / 10, scale)
    left = max(box[2] - text_width(shown.label, height), 0)
    canvas.text(shown.label, left, round(box[1] - 1.7 * height), height, colour)


def paint_pose(canvas: Canvas, points: FloatArray, pose: Pose, size: float, scale: float) -> None:
    """Three axes at the tip of the nose: to the right (red), down (green), where the face looks (blue)."""
    ends = points[NOSE_TIP] + np.concatenate([np.zeros((1, 2)), _AXIS * size * head_axes(pose)])
    if not np.isfinite(ends).all():
        return  # of a recording
    # Wider than contours. On 4:2:0 pictures the lines of smaller faces have no colour, but axes are known by theirs.
    stroke = max(1.5 * size * scale, DOTTED)
    for line, colour in zip(_AXIS_LINES, _AXES, strict=True):
        canvas.lines(np.asarray(ends, np.float32), [line], colour, stroke)


def head_axes(pose: Pose) -> NDArray[np.float64]:
    """(3, 2): where the head's own axes point in the picture: its right-hand side, its chin, its nose.

    Seen from far away, of length 1 where an axis lies in the picture's plane; "right-hand" as in the picture.
    """
    side, chin, away = rotation_of(pose.pitch, pose.yaw, pose.roll)[:2].T
    return np.array([side, chin, -away])


def paint_measures(
    canvas: Canvas, found: Measures, box: Box, size: float, colour: Colour, scale: float
) -> None:
    """Three bars below the box: how far the eyes and the mouth are open. In a blink those of the eyes are orange."""
    eyes = _SHUT if found.blink else colour
    bars = (
        ("right eye", found.right_eye_open / _FULL_EYE, eyes),
        ("left eye", found.left_eye_open / _FULL_EYE, eyes),
        ("mouth", found.mouth_open / _FULL_MOUTH, colour),
    )
    height = _label_height(canvas, size / 16, scale)
    indent = max(text_width(label, height) for label, _, _ in bars)
    length = 6 * height
    row = canvas.row(height)
    left, _, _, below = box
    # As one block into the picture, on even pixels: text begins there.
    x = max(0, min(left, canvas.width - indent - length)) // 2 * 2
    y = max(0, min(below + height // 2, canvas.height - 3 * row)) // 2 * 2
    for label, share, tint in bars:
        canvas.fill(x, y, indent + length, row, PANEL)
        canvas.text(label, x, y, height, CORE)
        filled = round(min(max(0.0, share), 1.0) * (length - height // 2))  # 0 for NaN too
        canvas.fill(x + indent, y + row // 4, filled, row // 2, tint)
        y += row


def box_around(box: FloatArray, size: float) -> Box:
    """The box with air around it, on whole pixels of a coarse grid."""
    grid = max(1, round(_GRID * size))
    around = box + _AIR * size * np.array([-1, -1, 1, 1])
    x0, y0, x1, y1 = (grid * np.rint(around / grid)).clip(-FAR, FAR).astype(int).tolist()
    return x0, y0, x1, y1


def _label_height(canvas: Canvas, wanted: float, scale: float) -> int:
    return int(np.clip(scale * wanted, canvas.least_text, canvas.text_height(scale)))
