"""A folder of .pts files, the format of 300-W, a file a face: with a picture of the same name, for labelling tools.

Coordinates in a .pts file count from 1: the centre of the first pixel, which is (0, 0) everywhere else here, is (1, 1).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from fkp_live.errors import SourceLostError
from fkp_live.sinks.folders import PartialFolder, frame_stem, png
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FloatArray, FrameResult, Image, Picture, SourceInfo
from fkp_live.wording import counted

SUFFIXES = (".pts", ".png", ".csv")
INDEX = "faces.csv"
_COLUMNS = ("file", "frame", "timestamp", "face_id", "confidence", "left", "top")
# Left around the box of a face, in shares of its longer side: what training and people need to see of it.
_MARGIN = 0.5


def pts_text(points: ArrayLike) -> str:
    """The .pts file of points (68, 2) in pixels, pixel centres at integers from 0."""
    lines = "".join(f"{x + 1:.3f} {y + 1:.3f}\n" for x, y in np.asarray(points, np.float64).tolist())
    return f"version: 1\nn_points:  {N_POINTS}\n{{\n{lines}}}\n"


class PtsSink:
    """A folder of .pts files and pictures: under a partial name until `close`, gone after `abort`.

    Files are named ``CLIP_000012_1.pts``: source, frame from 1, face's number; of a folder of pictures as the picture,
    with the face's number where there are several. `INDEX` says where each is from: its columns are the file's stem,
    frame from 1, time in seconds, number of the face, mean confidence, and which pixel of the frame is the picture's
    upper left one.

    Parameters
    ----------
    info : of the source, for names
    pictures : whether each file has a PNG beside it; `write` needs the frame's picture then
    crop : whether that is a cut-out of the face with a margin of half its box, and the points are in pixels of the
        cut-out; else it is the whole frame, and several faces of it have a copy each

    Faces some of whose points are not numbers are left out, and so are cut-outs of faces off the frame.

    Raises
    ------
    OutputError : as `folders.check_folder`
    """

    kept: Path | None = None

    def __init__(
        self,
        path: str | Path,
        info: SourceInfo,
        *,
        overwrite: bool = False,
        pictures: bool = True,
        crop: bool = True,
    ) -> None:
        self.wants_picture = pictures
        self._info, self._crop = info, crop and pictures
        self._folder = PartialFolder(path, overwrite=overwrite, suffixes=SUFFIXES)
        self._left_out = 0
        self._closed = False
        self._index = io.StringIO(newline="")
        self._index_row(_COLUMNS)

    @property
    def note(self) -> str:
        """How many faces were left out; usually empty."""
        if not self._left_out:
            return ""
        return f"left out for want of some of their points: {counted(self._left_out, 'face')}"

    def write(self, result: FrameResult, picture: Picture | None = None) -> None:
        """Write the faces of one frame.

        Raises
        ------
        OutputError : a file cannot be written
        ValueError : the sink was closed or aborted, or lacks the picture
        """
        if self._closed:
            raise ValueError("write to a closed PtsSink")
        if self.wants_picture and picture is None:
            raise ValueError("the picture of the frame is missing")
        image = picture.bgr() if self.wants_picture and picture is not None else None
        numbered = result.index >= len(self._info.pictures) or len(result.faces) > 1
        for place, face in enumerate(result.faces):
            self._write_face(result, face, image, place if face.id is None else face.id, numbered=numbered)

    def _write_face(
        self, result: FrameResult, face: Face, image: Image | None, number: int, *, numbered: bool
    ) -> None:
        if not np.isfinite(face.points).all():
            self._left_out += 1
            return
        left = top = 0
        if image is not None and self._crop:
            image, left, top = _cut_out(image, face.points)
            if not image.size:
                self._left_out += 1
                return
        stem = frame_stem(self._info, result.index) + (f"_{number}" if numbered else "")
        stem = self._folder.free(stem, ".pts", ".png")
        if image is not None:
            self._folder.write(f"{stem}.png", png(image))
        points = face.points.astype(np.float64) - (left, top)
        self._folder.write(f"{stem}.pts", pts_text(points).encode("ascii"))
        confidence = f"{float(face.confidence.mean()):.3f}"
        self._index_row((stem, result.index + 1, f"{result.time:.6f}", number, confidence, left, top))

    def _index_row(self, cells: Sequence[object]) -> None:
        """A row more of `INDEX`."""
        self._index.seek(0)
        self._index.truncate()
        csv.writer(self._index, lineterminator="\n").writerow(cells)
        self._folder.append(INDEX, self._index.getvalue().encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Give the folder its name. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._folder.commit()

    def abort(self) -> None:
        """Remove what was written. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._folder.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, (KeyboardInterrupt, SourceLostError)):
            self.close()
        else:
            self.abort()


def _cut_out(image: Image, points: FloatArray) -> tuple[Image, int, int]:
    """The part of an image around a face, and its first column and row."""
    low, high = points.min(0), points.max(0)
    margin = _MARGIN * float((high - low).max())
    left, top = (max(int(edge), 0) for edge in np.floor(low - margin))
    right, bottom = (max(int(edge), 0) for edge in np.ceil(high + margin) + 1)
    return image[top:bottom, left:right], left, top
