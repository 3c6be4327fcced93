"""From packets to pictures: decoded, then in the form in which they are handed on.

4:2:0 pictures are handed on in their planes where those can be used as they are, all others as upright BGR.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.colour import ColourSpace
from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.sources import container as containers
from fkp_live.sources.container import CURE_DAMAGED, Container, reason_of
from fkp_live.sources.damage import Damage
from fkp_live.types import Image, Picture

if TYPE_CHECKING:
    from av.error import FFmpegError
    from av.video.frame import VideoFrame

_FULL_RANGE = 2  # of samples: black is 0, not 16
_SIDE_DATA_TYPES = 48  # more than FFmpeg 8 has, for those to come


def decoded(container: Container, damage: Damage) -> Generator[VideoFrame, None, None]:
    """Pictures from where the container stands to its end, then a check that this was the end.

    Raises
    ------
    InputError : reading failed, the sender stopped, or the file is truncated
    """
    from av.error import EOFError as AvEOFError
    from av.error import FFmpegError

    try:
        for packet in container.packets():
            if not damage.usable(packet):
                continue
            try:
                yield from container.stream.decode(packet)
            except AvEOFError:
                break
            except FFmpegError:
                damage.undecodable()
    except FFmpegError as exc:
        if container.live and "mpjpeg" in container.kinds and exc.errno == errno.EIO:
            return  # how this demuxer reports that the sender hung up, the only end of such a stream
        raise _read_error(container, damage, exc) from exc
    damage.check_end()


def _read_error(container: Container, damage: Damage, error: FFmpegError) -> InputError:
    reason = reason_of(error, containers.READ_TIMEOUT)
    if container.live:
        hint = "Check that the sender runs and the network holds."
        return InputError(f"{container.name} stopped sending: {reason}.", hint)
    message = f"{container.name} cannot be read on after {damage.reached:.2f} s: {reason}."
    return InputError(message, CURE_DAMAGED)


class Converter:
    """Decoded pictures to the form in which they are handed on; keeps tables and display matrix between frames.

    Attributes
    ----------
    colour : what the samples of the last picture mean, before a conversion to BGR; None before the first one
    """

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self.colour: ColourSpace | None = None
        self._reformatter = VideoReformatter()
        self._rotation: int | None = None
        self._matrix: np.ndarray | None = None

    def __call__(self, picture: VideoFrame) -> Picture:
        """The picture, upright: in its planes where they can be used, else as BGR."""
        self.colour = _colour_of(picture)
        if self.colour is not None and self._matrix_of(picture) is None:
            return Yuv420Picture(_samples_of(picture), self.colour)
        self.colour = ColourSpace(primaries=picture.color_primaries, transfer=picture.color_trc)
        return BgrPicture(self.bgr(picture))

    def bgr(self, picture: VideoFrame) -> Image:
        """(H, W, 3) uint8 BGR, upright."""
        # One thread: starting more for every picture costs more than they save beside an encoder.
        converted = self._reformatter.reformat(picture, format="bgr24", threads=1)
        image = np.asarray(converted.to_ndarray(), np.uint8)
        matrix = self._matrix_of(picture)
        return image if matrix is None else _upright(image, matrix)

    @property
    def quarter_turned(self) -> bool:
        """Whether the last picture lies on its side as it is stored, so that width and height change places."""
        return self._matrix is not None and _is_quarter_turn(self._matrix)

    def _matrix_of(self, picture: VideoFrame) -> np.ndarray | None:
        """The picture's display matrix, None where it has none."""
        rotation = getattr(picture, "rotation", 0)
        if rotation != self._rotation:
            # Only where it changes: once its side data was read, a picture is in a reference cycle with it, and keeps
            # its memory until the garbage collector runs (100 MB more at 640x480).
            self._rotation, self._matrix = rotation, _display_matrix(picture)
        return self._matrix


def _colour_of(picture: VideoFrame) -> ColourSpace | None:
    """What the samples mean, of a picture that can be handed on in its planes; None of any other."""
    odd = picture.width % 2 or picture.height % 2
    if picture.format.name != "yuv420p" or odd or picture.color_range == _FULL_RANGE:
        return None
    colour = ColourSpace(picture.colorspace, picture.color_primaries, picture.color_trc)
    return colour if colour.known else None


def _samples_of(picture: VideoFrame) -> NDArray[np.uint8]:
    """The planes of a 4:2:0 picture of even sides, (H * 3 / 2, W), copied: the decoder still refers to its own.

    PyAV's ``to_ndarray`` copies twice where the decoder's rows are padded.
    """
    height, width = picture.height, picture.width
    samples = np.empty((height * 3 // 2, width), np.uint8)
    chroma = samples[height:].reshape(2, height // 2, width // 2)
    planes: Sequence[Any] = picture.planes
    for target, plane in zip((samples[:height], *chroma), planes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        target[:] = rows[: target.shape[0], : target.shape[1]]
    return samples


def _display_matrix(picture: VideoFrame) -> np.ndarray | None:
    try:
        side_data: Any = picture.side_data
    except ValueError:
        side_data = _without_unknown_side_data(picture).side_data
    try:
        return np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), "=i4")
    except KeyError:
        return None


def _without_unknown_side_data(picture: VideoFrame) -> VideoFrame:
    """The picture without side data of types that PyAV has no name for, where it gives no side data at all.

    PyAV 18 names types up to 27, FFmpeg 8 has 31, which is Exif: phones' HEIC and AVIF, MJPEG of cameras.
    """
    from av.filter import Graph
    from av.sidedata.sidedata import Type

    graph = Graph()
    source: Any = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=picture.time_base or Fraction(1),
    )
    for number in set(range(_SIDE_DATA_TYPES)) - {known.value for known in Type}:
        delete = graph.add("sidedata", f"mode=delete:type={number}")
        source.link_to(delete)
        source = delete
    source.link_to(graph.add("buffersink"))
    graph.configure()
    graph.push(picture)
    cleaned: Any = graph.pull()
    return cleaned


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
