"""Decoded pictures as they are handed on: in their planes where those can be used as they are, else as upright BGR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

# cv2 before av, always: the other way round cv2.imshow hangs for ever on Linux. av is imported in functions
# only.
import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.images.yuv420 import ColourSpace
from fkp_live.types import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_FULL_RANGE = 2  # of samples: black is 0, not 16


def colour_of(picture: VideoFrame) -> ColourSpace | None:
    """Of a picture that can be handed on in its planes, None of any other."""
    odd = picture.width % 2 or picture.height % 2
    if picture.format.name != "yuv420p" or odd or picture.color_range == _FULL_RANGE:
        return None
    colour = ColourSpace(picture.colorspace, picture.color_primaries, picture.color_trc)
    return colour if colour.known else None


def samples_of(picture: VideoFrame) -> NDArray[np.uint8]:
    """The planes of a 4:2:0 picture of even sides, (H * 3 / 2, W), a copy: the decoder goes on to refer to its own.

    PyAV's ``to_ndarray`` copies twice where the decoder's rows are padded.
    """
    height, width = picture.height, picture.width
    samples = np.empty((height * 3 // 2, width), np.uint8)
    halves = samples[height:].reshape(2, height // 2, width // 2)
    planes: Sequence[Any] = picture.planes
    for target, plane in zip((samples[:height], *halves), planes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        target[:] = rows[: target.shape[0], : target.shape[1]]
    return samples


class Converter:
    """Decoded pictures to upright BGR; keeps the scaler's tables and the display matrix between frames."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._rotation: int | None = None
        self._matrix: np.ndarray | None = None

    def __call__(self, picture: VideoFrame) -> Image:
        # One thread: starting more for every picture costs more than they save beside an encoder.
        converted = self._reformatter.reformat(picture, format="bgr24", threads=1)
        image = np.asarray(converted.to_ndarray(), np.uint8)
        matrix = self.matrix_of(picture)
        return image if matrix is None else _upright(image, matrix)

    def matrix_of(self, picture: VideoFrame) -> np.ndarray | None:
        """The picture's display matrix, None where it has none."""
        rotation = getattr(picture, "rotation", 0)
        if rotation != self._rotation:
            # Only where it changes: a picture asked for its side data is in a cycle with them from then on, and
            # keeps its memory until the garbage collector comes by (100 MB more at 640x480).
            self._rotation, self._matrix = rotation, _display_matrix(picture)
        return self._matrix

    @property
    def quarter_turned(self) -> bool:
        """Whether the last picture lies on its side as it is stored, so that width and height change places."""
        return self._matrix is not None and _is_quarter_turn(self._matrix)


def _display_matrix(picture: VideoFrame) -> np.ndarray | None:
    side_data: Any = picture.side_data
    try:
        return np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), "=i4")
    except KeyError:
        return None


def _is_quarter_turn(matrix: Sequence[int] | np.ndarray) -> bool:
    a, b, c, d = (abs(int(matrix[i])) for i in (0, 1, 3, 4))
    return b + c > a + d


def _upright(image: Image, matrix: Sequence[int] | np.ndarray) -> Image:
    """Apply a display matrix (9 numbers) as far as it is quarter turns and mirroring, as players do.

    It takes stored (p, q) to shown (a p + c q, b p + d q), up to scale and shift; a, b, c, d are its numbers
    0, 1, 3 and 4 (ISO/IEC 14496-12, 8.3.2; libavutil/display.h).
    """
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    turned: NDArray[Any] = image
    if _is_quarter_turn(matrix):
        turned, a, d = cv2.transpose(turned), c, b
    if a < 0 or d < 0:
        turned = cv2.flip(turned, -1 if a < 0 and d < 0 else 1 if a < 0 else 0)
    return np.asarray(turned, np.uint8)
