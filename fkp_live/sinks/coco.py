"""COCO keypoints: one JSON file of images, annotations and the category "face" with its 68 points."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fkp_live import __version__
from fkp_live.sinks.folders import PartialFolder, frame_stem, png
from fkp_live.sinks.sink import FileSink
from fkp_live.topology import CONTOURS, N_POINTS, REGIONS
from fkp_live.types import Face, FrameResult, Picture, SourceInfo

SUFFIX = ".json"
PICTURE_SUFFIXES = (".png",)
# Below this confidence a point counts as labelled but not visible (v = 1).
_VISIBLE_FROM = 0.5


def picture_folder(path: Path) -> Path:
    """Where the pictures of a COCO file lie: a folder beside it, with its name less the ending."""
    return path.with_suffix("")


def category() -> dict[str, Any]:
    """The category of a face: names of the points, and the lines between them, counted from 1."""
    names = {int(number): f"{region}_{number}" for region, numbers in REGIONS.items() for number in numbers}
    skeleton = []
    for _, line, closed in CONTOURS:
        ends = zip(line, line[1:] + line[:1] * closed, strict=False)
        skeleton += [[a + 1, b + 1] for a, b in ends]
    keypoints = [names[number] for number in range(N_POINTS)]
    return {"id": 1, "name": "face", "supercategory": "person", "keypoints": keypoints, "skeleton": skeleton}


class CocoSink(FileSink):
    """A COCO file: an image for each frame, also for those without a face, and an annotation for each face.

    Ids of images are frames from 1, those of annotations count from 1. ``keypoints`` are x, y, v of each point, x and y
    in pixels with centres at integers from 0; v is 2, or 1 where the confidence is below 0.5, or 0 where the point is
    not a number. ``bbox`` is around the points that are. Beside COCO's own keys an annotation has ``score`` and
    ``track_id``, and an image ``frame`` (from 1) and ``time`` in seconds.

    Images lie in a temporary file until the end, so that memory stays flat.

    Parameters
    ----------
    info : of the source, for names
    pictures : whether each frame's picture is saved too, as PNG in `picture_folder`; else a picture that is given has
        only its size taken

    Raises
    ------
    OutputError : as `files.check_output` and `folders.check_folder`
    """

    def __init__(
        self, path: str | Path, info: SourceInfo, *, overwrite: bool = False, pictures: bool = False
    ) -> None:
        super().__init__(path, overwrite, (SUFFIX,))
        self.wants_picture = pictures
        self._info, self._faces = info, 0
        self._folder: PartialFolder | None = None
        try:
            if pictures:
                folder = picture_folder(self._file.path)
                self._folder = PartialFolder(folder, overwrite=overwrite, suffixes=PICTURE_SUFFIXES)
            self._text = os.fdopen(self._file.descriptor, "w", encoding="utf-8", closefd=False)
            # In the same place, so that a full disk is the same failure.
            self._images = tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._file.target.parent)  # noqa: SIM115
            about = {
                "description": f"68 face landmarks of {_letters(info.name)}",
                "contributor": f"fkp-live {__version__}",
            }
            self._text.write(f'{{"info": {_json(about)}, "licenses": [],\n')
            self._text.write(f'"categories": {_json([category()])},\n"annotations": [')
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):
                raise self._file.failed(error) from error
            raise

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        size = result.size if picture is None else picture.size
        try:
            name = frame_stem(self._info, result.index) + ".png"
            if result.index < len(self._info.pictures):
                name = self._info.pictures[result.index]
            if self._folder is not None:
                if picture is None:
                    raise ValueError("the picture of the frame is missing")
                name = self._folder.free(Path(name).stem, ".png") + ".png"
                self._folder.write(name, png(picture.bgr()))
            image = {
                **{"id": result.index + 1, "file_name": _letters(name), "width": size[0], "height": size[1]},
                **{"frame": result.index + 1, "time": round(result.time, 6)},
            }
            self._images.write((",\n" if self._results else "\n") + _json(image))
            for face in result.faces:
                if (annotation := _annotation(face)) is not None:
                    self._faces += 1
                    ids = {"id": self._faces, "image_id": result.index + 1, "category_id": 1}
                    self._text.write((",\n" if self._faces > 1 else "\n") + _json({**ids, **annotation}))
            self._results += 1
        except OSError as error:
            raise self._file.failed(error) from error

    def _finish(self) -> None:
        try:
            self._text.write('\n],\n"images": [')
            self._images.seek(0)
            shutil.copyfileobj(self._images, self._text)
            self._text.write("\n]}\n")
        finally:
            self._images.close()
            self._text.close()

    def close(self) -> None:
        """Give the pictures and the file their final names."""
        if not self._closed and self._folder is not None:
            try:
                self._folder.commit()
            except BaseException:
                self.abort()
                raise
            self._folder = None
        super().close()

    def abort(self) -> None:
        """Remove the pictures, and finish the file under its partial name."""
        if not self._closed and self._folder is not None:
            self._folder.discard()
        super().abort()


def _annotation(face: Face) -> dict[str, Any] | None:
    """A face's own keys; None where no point is a number."""
    known = np.asarray(np.isfinite(face.points).all(1))
    if not known.any():
        return None
    low, high = face.points[known].min(0).astype(float), face.points[known].max(0).astype(float)
    seen = np.asarray(np.where(face.confidence < _VISIBLE_FROM, 1, 2))
    keypoints: list[float] = []
    for (x, y), here, v in zip(face.points.tolist(), known.tolist(), seen.tolist(), strict=True):
        keypoints += (round(x, 2), round(y, 2), v) if here else (0, 0, 0)
    width, height = (high - low).tolist()
    return {
        "keypoints": keypoints,
        "num_keypoints": int(known.sum()),
        "bbox": [round(value, 2) for value in (*low.tolist(), width, height)],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "score": round(face.score, 3) if np.isfinite(face.score) else None,
        "track_id": face.id,
    }


def _letters(name: str) -> str:
    """A name with undecodable bytes as the letters \\udcff, as our tables have it: many readers refuse others."""
    return name.encode("utf-8", "backslashreplace").decode()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
