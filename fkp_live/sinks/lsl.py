"""``lsl://NAME``: Lab Streaming Layer, to be recorded beside EEG and the like. pylsl, an extra, does the work."""

from __future__ import annotations

import math
import time
import uuid
from typing import Any

import numpy as np

from fkp_live.sinks.avatar import age_of
from fkp_live.sinks.sender import Report, Sender
from fkp_live.sinks.slots import Slots
from fkp_live.targets import Target
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FrameResult, Picture, SourceInfo

# Label, unit and type of each channel.
CHANNELS: tuple[tuple[str, str, str], ...] = (
    *(("frame", "count", "Index"), ("face_id", "none", "Index"), ("confidence", "none", "Quality")),
    *((f"pose_{angle}", "radians", "Orientation") for angle in ("pitch", "yaw", "roll")),
    *((f"{part}_open", "none", "Openness") for part in ("right_eye", "left_eye", "mouth")),
    *(("blink", "none", "Event"),),
    *((f"box_{side}", "pixels", "Position") for side in ("x0", "y0", "x1", "y1")),
    *((f"{axis}_{number}", "pixels", "Position") for axis in "xy" for number in range(N_POINTS)),
)
_MOST_OUTLETS = 16
# Seconds until recorders have taken the last samples: an outlet that is closed forgets them (1 of 4 arrived).
_LAST_SECONDS = 0.2


class LslSender(Sender):
    """A stream of numbers for each face slot, and a stream of markers.

    - ``NAME`` (slot 0), ``NAME-1``, …: type FaceLandmarks, float32, irregular rate, `CHANNELS` with labels, units and
      types. Every frame is a sample; without a face in the slot ``face_id`` is -1, and all but ``frame`` beside it is
      NaN. A gap in ``frame`` is a dropped frame. A slot keeps its face while it is seen (see `Slots`).
    - ``NAME-markers``: strings "appear ID", "vanish ID" and "blink ID" (at its begin).

    Time stamps are on ``pylsl.local_clock()``: the arrival of the picture of a live source; of a file its own time,
    from the first frame on.

    Parameters
    ----------
    info : of the source
    slots : streams that are there from the start; more are opened when more faces come, up to 16
    by_place : see `Slots`
    """

    def __init__(
        self,
        target: Target,
        info: SourceInfo,
        report: Report | None = None,
        *,
        slots: int = 1,
        by_place: bool = False,
    ) -> None:
        import pylsl

        self._lsl: Any = pylsl
        self._title, self._live = target.name, info.live
        self._slots = Slots(by_place=by_place)
        # Recorders find a stream again by it; so it must not be shared by two runs.
        self._run = uuid.uuid4().hex[:12]
        self._outlets: list[Any] = []
        self._source = info
        for _ in range(min(max(slots, 1), _MOST_OUTLETS)):
            self._open()
        markers = pylsl.StreamInfo(
            f"{self._title}-markers",
            "Markers",
            1,
            pylsl.IRREGULAR_RATE,
            "string",
            f"fkp-live-{self._run}-markers",
        )
        self._markers: Any = pylsl.StreamOutlet(markers)
        self._zero: float | None = None  # of a file: its time 0 on LSL's clock
        self._seen: dict[int, bool] = {}  # whether each face of the last frame had its eyes shut
        super().__init__(str(target), report)

    def _open(self) -> None:
        number = len(self._outlets)
        name = f"{self._title}-{number}" if number else self._title
        lsl, info = self._lsl, self._source
        stream = lsl.StreamInfo(
            name,
            "FaceLandmarks",
            len(CHANNELS),
            lsl.IRREGULAR_RATE,
            "float32",
            f"fkp-live-{self._run}-{number}",
        )
        about = stream.desc()
        channels = about.append_child("channels")
        for label, unit, kind in CHANNELS:
            channel = channels.append_child("channel")
            for key, value in (("label", label), ("unit", unit), ("type", kind)):
                channel.append_child_value(key, value)
        source = about.append_child("source")
        for key, number_ in (("width", info.width), ("height", info.height), ("fps", info.fps)):
            source.append_child_value(key, str(number_))
        self._outlets.append(lsl.StreamOutlet(stream))

    def _send(self, result: FrameResult, picture: Picture | None) -> bool:
        stamp = self._stamp(result)
        faces = dict(zip(self._slots(result), result.faces, strict=True))
        while len(self._outlets) <= min(max(faces, default=0), _MOST_OUTLETS - 1):
            self._open()
        for slot, outlet in enumerate(self._outlets):
            outlet.push_sample(_sample(result.index, faces.get(slot)), stamp)
        self._mark(result, stamp)
        return True

    def _stamp(self, result: FrameResult) -> float:
        """Time of the frame on LSL's clock."""
        arrived = float(self._lsl.local_clock()) - age_of(result)
        if self._live:
            return arrived
        if self._zero is None:
            self._zero = arrived - result.time
        return self._zero + result.time

    def _mark(self, result: FrameResult, stamp: float) -> None:
        shut = {
            face.id: face.measures is not None and face.measures.blink
            for face in result.faces
            if face.id is not None
        }
        events = [f"vanish {number}" for number in self._seen if number not in shut]
        events += [f"appear {number}" for number in shut if number not in self._seen]
        events += [f"blink {number}" for number, now in shut.items() if now and not self._seen.get(number)]
        for event in events:
            self._markers.push_sample([event], stamp)
        self._seen = shut

    def _release(self) -> None:
        if any(outlet.have_consumers() for outlet in self._outlets):
            time.sleep(_LAST_SECONDS)
        # An outlet is closed when nothing refers to it any more.
        self._outlets.clear()
        self._markers = None


def _sample(index: int, face: Face | None) -> list[float]:
    """The values of `CHANNELS`."""
    if face is None:
        return [float(index), -1.0, *[math.nan] * (len(CHANNELS) - 2)]
    pose, measured = [math.nan] * 3, [math.nan] * 4
    if face.pose is not None:
        pose = [face.pose.pitch, face.pose.yaw, face.pose.roll]
    if (m := face.measures) is not None:
        measured = [m.right_eye_open, m.left_eye_open, m.mouth_open, float(m.blink)]
    head = [float(index), -1.0 if face.id is None else float(face.id), float(np.mean(face.confidence))]
    return [*head, *pose, *measured, *face.box.tolist(), *face.points.T.ravel().tolist()]
