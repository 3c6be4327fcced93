"""Live Link Face CSV: ARKit's 52 blend shapes and head and eye angles of one face, at a constant frame rate."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from fkp_live.sinks.sink import FileSink
from fkp_live.types import Face, FrameResult, Picture, Pose
from fkp_live.wording import counted

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
_BOTH = ("Left", "Right")
SHAPES: tuple[str, ...] = (
    *(f"Eye{name}{side}" for side in _BOTH for name in _EYE),
    *("JawForward", "JawRight", "JawLeft", "JawOpen"),
    *("MouthClose", "MouthFunnel", "MouthPucker", "MouthRight", "MouthLeft"),
    *(f"Mouth{name}{side}" for name in ("Smile", "Frown", "Dimple", "Stretch") for side in _BOTH),
    *("MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *(f"Mouth{name}{side}" for name in ("Press", "LowerDown", "UpperUp") for side in _BOTH),
    *("BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff"),
    *("CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
)
ANGLES: tuple[str, ...] = tuple(
    f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")
)
COLUMNS = ("Timecode", "BlendShapeCount", *SHAPES, *ANGLES)
_COUNT = len(SHAPES) + len(ANGLES)
_PLACE = {name: place for place, name in enumerate((*SHAPES, *ANGLES))}
# Rows over a gap longer than this, in seconds, keep the values before it; over a shorter one they lead across it.
_GAP = 0.5
_DAY = 24
# Share of a frame by which two times may differ and be the same.
_SAME = 1e-4

Values = tuple[float, ...]
Shapes = Callable[[Face], Mapping[str, float]]


class LiveLinkSink(FileSink):
    """The file of a face that Live Link Face would have written: a row for each frame of a constant rate.

    Rows lie on whole frames of the source's time less ``origin``, from the first result to the last. Between two
    results each value is linear; while the face is missing for more than half a second the last values stay, and
    before it is first seen all are 0. What `shapes` does not name is 0. Angles of the head are radians: yaw to the
    person's own left, pitch up, and roll to the person's own right shoulder are positive.

    Parameters
    ----------
    shapes : value in [0, 1] of blend shapes of a face, by ARKit's names
    face_id : number of the face to write; None: each frame's largest
    rate : rows a second
    origin : time of the source that is 00:00:00:00

    Raises
    ------
    OutputError : as `files.check_output`
    """

    def __init__(
        self,
        path: str | Path,
        shapes: Shapes,
        *,
        face_id: int | None = None,
        rate: float = 30.0,
        origin: float = 0.0,
        overwrite: bool = False,
    ) -> None:
        super().__init__(path, overwrite)
        self._shapes, self._face_id, self._rate, self._origin = shapes, face_id, rate, origin
        self._row: int | None = None  # frame of the next row
        self._last: tuple[float, Values] | None = None  # time and values of the face, as last seen
        self._end = 0.0  # time of the last result
        self._missing = 0
        with self._file.discarded_on_failure():
            self._text = os.fdopen(self._file.descriptor, "w", encoding="ascii", newline="\n", closefd=False)
            self._text.write(",".join(COLUMNS) + "\n")

    @property
    def note(self) -> str:
        """In how many frames the face was missing; empty where it never was."""
        if not self._missing:
            return ""
        return f"the face is missing in {self._missing} of {counted(self._results, 'frame')}"

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        self._end = result.time - self._origin
        if self._row is None:
            self._row = math.ceil(self._end * self._rate - _SAME)
        face = self._chosen(result)
        try:
            if face is not None:
                self._seen(self._end, self._values(face))
            else:
                self._missing += 1
                if self._last is None or self._end - self._last[0] > _GAP:
                    self._rows_until(self._end, self._held())
        except OSError as error:
            raise self._file.failed(error) from error
        self._results += 1

    def _chosen(self, result: FrameResult) -> Face | None:
        if self._face_id is None:
            return result.faces[0] if result.faces else None
        return next((face for face in result.faces if face.id == self._face_id), None)

    def _values(self, face: Face) -> Values:
        values = [0.0] * _COUNT
        for name, value in self._shapes(face).items():
            values[_PLACE[name]] = value
        pose = face.pose or Pose(0.0, 0.0, 0.0)
        for name, angle in (("HeadYaw", pose.yaw), ("HeadPitch", pose.pitch), ("HeadRoll", -pose.roll)):
            values[_PLACE[name]] = angle if math.isfinite(angle) else 0.0
        return tuple(values)

    def _held(self) -> Values:
        return (0.0,) * _COUNT if self._last is None else self._last[1]

    def _seen(self, time: float, values: Values) -> None:
        """The face at this time: rows up to it."""
        if self._last is None or time - self._last[0] > _GAP:
            self._rows_until(time - 2 * _SAME / self._rate, self._held())
            self._rows_until(time, values)
        else:
            begin, before = self._last
            self._rows_until(time, values, begin, before)
        self._last = time, values

    def _rows_until(
        self, time: float, values: Values, begin: float | None = None, before: Values | None = None
    ) -> None:
        """The rows up to ``time``: of ``values``, or on the way to them from those at ``begin``."""
        assert self._row is not None
        while self._row / self._rate <= time + _SAME / self._rate:
            row = values
            if begin is not None and before is not None and time > begin:
                share = min(max((self._row / self._rate - begin) / (time - begin), 0.0), 1.0)
                row = tuple(a + share * (b - a) for a, b in zip(before, values, strict=True))
            numbers = ",".join(f"{value + 0.0:.6f}" for value in row)
            self._text.write(f"{_timecode(self._row, self._rate)},{_COUNT},{numbers}\n")
            self._row += 1

    def _finish(self) -> None:
        try:
            if self._row is not None:
                self._rows_until(self._end, self._held())
        finally:
            self._text.close()


def _timecode(frame: int, rate: float) -> str:
    """HH:MM:SS:FF.fff of a frame; without dropped frames, so that 29.97 a second count 30."""
    per_second = max(math.ceil(rate - 1e-9), 1)
    seconds, frames = divmod(frame, per_second)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours % _DAY:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}.000"
