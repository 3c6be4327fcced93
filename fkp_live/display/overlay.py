"""The overlay: the layers of every face and the HUD, painted into a picture.

Nothing here keeps state between pictures, and samples of a video are painted on in place, with no conversion. All
strokes of a kind go to OpenCV in one call, and nothing is blended over the whole picture, so a face costs a fraction of
a millisecond. Whatever changes costs the encoder bits: strokes are bare (on a face of 400 px at 720p dark rims took
twice the bits), and of the box there are only corners, which rest while the face hardly moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fkp_live.display import layers
from fkp_live.display.canvas import Canvas, Colour, canvas_of
from fkp_live.display.look import Look
from fkp_live.display.text import packed
from fkp_live.recorded import as_recorded
from fkp_live.types import Face, Picture
from fkp_live.wording import counted

# Pixels of the longer side beyond which nothing is a face; OpenCV has no strokes for them.
_LARGEST = 1 << 20
# BGR. The colour of a face is that of its id, so that a change of id shows.
_PALETTE: tuple[Colour, ...] = (
    (255, 200, 70),
    (90, 220, 120),
    (80, 180, 255),
    (220, 140, 255),
    (110, 240, 240),
    (255, 150, 150),
    (200, 220, 60),
    (140, 140, 255),
)


@dataclass(frozen=True, slots=True)
class Hud:
    """What the corner of the picture shows.

    Attributes
    ----------
    fps : frames per second over the last second or so
    age_ms : milliseconds from the arrival of the frame to now, None where it means nothing
    provider : the execution provider that runs
    faces : number of faces in the frame
    note : anything else, such as "paused"
    dropped : frames of a live source that a newer one replaced before they were read, None where it means nothing
    """

    fps: float
    age_ms: float | None
    provider: str
    faces: int
    note: str = ""
    dropped: int | None = None

    def parts(self) -> list[str]:
        """The pieces of text, in reading order."""
        parts = [f"{self.fps:.1f} fps"]
        if self.age_ms is not None:
            parts.append(f"{self.age_ms:.0f} ms")
        if self.dropped is not None:
            parts.append(f"{self.dropped} dropped")
        parts.append(self.provider)
        parts.append(counted(self.faces, "face"))
        if self.note:
            parts.append(self.note)
        return parts


Target = TypeVar("Target", bound=NDArray[Any] | Picture)


def draw(
    picture: Target,
    faces: Sequence[Face],
    hud: Hud | None = None,
    *,
    points: bool = True,
    contours: bool = True,
    box: bool = True,
    ids: bool = True,
    pose: bool = False,
    measures: bool = False,
    scale: float = 1.0,
) -> Target:
    """Paint the faces and the HUD INTO ``picture`` and return it.

    Parameters
    ----------
    picture : (H, W, 3) uint8, BGR, contiguous and writable, or a `Picture`; paint on a copy (`picture.copy()`) where
        the clean one is still needed
    faces : as `FaceLandmarker` or `Pipeline` returned them, in pixels of this picture
    hud : text for the upper left corner, or None for none
    points, contours, box, ids, pose, measures : which parts of a face to paint. Points are white where the network is
        certain, and darker the less it is; pose is three axes at the tip of the nose: to the right (red), down (green),
        where the face looks (blue); measures are bars for the openness of eyes and mouth
    scale : of strokes, points and text; 1 is the usual size

    What is painted depends on the numbers as they are recorded (points to 1/100 pixel), so that a recording drawn again
    gives the same picture.

    Example
    -------
    >>> painted = draw(image.copy(), landmarker(image))
    """
    canvas = canvas_of(picture)
    for order, each in enumerate(faces):
        face = as_recorded(each)
        colour = _PALETTE[(order if face.id is None else face.id - 1) % len(_PALETTE)]
        size = float(max(face.box[2] - face.box[0], face.box[3] - face.box[1]))
        if not (size < _LARGEST and np.isfinite(face.box).all() and np.isfinite(face.points).all()):
            continue  # a recording may hold anything
        around = layers.box_around(face.box, size)
        if box:
            layers.paint_box(canvas, around, size, colour, scale)
        if contours:
            layers.paint_contours(canvas, face.points, face.confidence, size * scale, colour)
        if points:
            layers.paint_points(canvas, face.points, face.confidence, size * scale)
        if pose and face.pose is not None:
            layers.paint_pose(canvas, face.points, face.pose, size, scale)
        if ids and face.id is not None:
            layers.paint_id(canvas, face.id, around, size, colour, scale)
        if ids and face.expression is not None:
            layers.paint_expression(canvas, face.expression, around, size, colour, scale)
        if measures and face.measures is not None:
            layers.paint_measures(canvas, face.measures, around, size, colour, scale)
    if hud is not None:
        _paint_hud(canvas, hud, scale)
    return picture


def draw_look(picture: Target, faces: Sequence[Face], hud: Hud, look: Look) -> Target:
    """As `draw`, with the layers and the size of a look."""
    shown = look.layers
    return draw(
        picture,
        faces,
        hud if "hud" in shown else None,
        points="points" in shown,
        contours="contours" in shown,
        box="boxes" in shown,
        ids="ids" in shown,
        pose="pose" in shown,
        measures="measures" in shown,
        scale=look.scale,
    )


def mirrored(face: Face, width: int) -> Face:
    """The face as it is to be drawn on a picture ``width`` pixels wide that was turned left to right.

    Right and left of its measures stay the person's own, and so does the order of the points.
    """
    x0, y0, x1, y1 = face.box.tolist()
    points = np.asarray(face.points * (-1, 1) + (width - 1, 0), np.float32)
    box = np.array([width - 1 - x1, y0, width - 1 - x0, y1], np.float32)
    pose = face.pose and replace(face.pose, yaw=-face.pose.yaw, roll=-face.pose.roll)
    return replace(face, points=points, box=box, pose=pose)


def _paint_hud(canvas: Canvas, hud: Hud, scale: float) -> None:
    height = canvas.text_height(scale)
    x = y = height // 2
    for row in packed(hud.parts(), height, canvas.width - height):
        y += canvas.text(row, x, y, height, layers.CORE)
