"""One film of a report: what is gathered from its recording, and its curves as the page's script reads them."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.plots.columns import Curves
from fkp_live.plots.readings import N_READINGS, N_SHARES, shares, timed
from fkp_live.plots.sheet import BestMoments
from fkp_live.plots.summary import FilmSummary
from fkp_live.sources.recordings import Recording

# Columns of time at most: of a film of two hours a column is then a quarter of a second.
_COLUMNS = 32_768
# However little room a film has, its curves are not made coarser than this.
_LEAST_COLUMNS = 512
# Faces with curves, and with a row in the raster: those with the most time.
MOST_CURVES, MOST_ROWS = 12, 40
# Steps between the lowest and the highest value of a channel; the number after them stands for "not seen".
_STEPS = 65_534
# Times are written in this part of a second.
_TICK = 1e-4


class ReportFilm:
    """One film, gathered in one walk through its recording, in memory that does not grow with its length.

    Attributes
    ----------
    summary, curves : of every face
    moments : the best moments of each face
    end : seconds at which the film ends
    """

    def __init__(self, recording: Recording, *, advance: Callable[[int], object] = int) -> None:
        """Read the recording. Raises InputError where it is damaged.

        ``advance`` is called after each frame, with its number of faces.
        """
        self.summary = FilmSummary()
        self.curves = Curves(N_READINGS + N_SHARES, _COLUMNS)
        self.moments: dict[int, BestMoments] = {}
        self.end = 0.0
        for result, seconds in timed(recording, recording.info.fps):
            faces = self.summary.add(result, seconds)
            self.curves.frame(result.time)
            self.end = max(self.end, result.time + seconds)
            for number, face, values in faces:
                channels = np.concatenate([values, shares(face)])
                self.curves.add(number, channels, shut=face.measures is not None and face.measures.blink)
                self.moments.setdefault(number, BestMoments()).add(face, result.time)
            advance(len(faces))

    @property
    def charted(self) -> list[int]:
        """The faces with curves, the main one first."""
        return [face.number for face in self.summary.by_importance[:MOST_CURVES]]

    def data(self, room: int) -> dict[str, Any]:
        """Curves and raster for the script, in about ``room`` bytes of JSON: columns are joined until they fit."""
        while True:
            made = _encoded(self.curves, self.charted, self.summary)
            if _size(made) <= room or len(self.curves.times) <= _LEAST_COLUMNS:
                return made
            self.curves.join()


def _encoded(curves: Curves, charted: Sequence[int], summary: FilmSummary) -> dict[str, Any]:
    times = curves.times
    start = float(times[0]) if len(times) else 0.0
    faces = []
    for face in summary.by_importance[:MOST_ROWS]:
        curve = curves.curve(face.number)
        made: dict[str, Any] = {"id": face.number, "first": curve.first}
        made["presence"] = _text(np.round(curve.presence * 255), np.uint8)
        if face.number in charted:
            # A blink of one frame among many stays visible.
            made["shut"] = _text(np.ceil(curve.shut * 255), np.uint8)
            parts = (curve.low, curve.mean, curve.high) if curves.joined else (curve.mean,)
            # The probabilities of expressions only where there are some.
            known = N_READINGS + N_SHARES * bool(np.isfinite(curve.mean[:, N_READINGS:]).any())
            made["channels"] = [_channel([part[:, channel] for part in parts]) for channel in range(known)]
        faces.append(made)
    return {
        **{"start": start, "tick": _TICK, "joined": curves.joined, "width": curves.width},
        "times": _text(np.round((times - start) / _TICK), np.uint32),
        "faces": faces,
    }


def _channel(parts: Sequence[NDArray[np.float32]]) -> list[Any]:
    """Lowest value, step and numbers of a channel, one text for each part: value = lowest + step * number."""
    values = np.asarray(parts, np.float64)
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    step = (high - low) / _STEPS or 1.0
    numbers = np.where(finite, np.round((np.where(finite, values, low) - low) / step), _STEPS + 1)
    return [_short(low), _short(step), *(_text(part, np.uint16) for part in numbers)]


def _short(value: float) -> float:
    return float(f"{value:.7g}") if math.isfinite(value) else 0.0


def _text(values: ArrayLike, kind: type[np.unsignedinteger[Any]]) -> str:
    """Whole numbers as base64 of their little-endian bytes."""
    limits = np.iinfo(kind)
    whole = np.clip(np.asarray(values, np.float64), limits.min, limits.max).astype(
        np.dtype(kind).newbyteorder("<")
    )
    return base64.b64encode(whole.tobytes()).decode("ascii")


def _size(made: dict[str, Any]) -> int:
    faces = made["faces"]
    texts = [made["times"], *(face["presence"] for face in faces), *(face.get("shut", "") for face in faces)]
    return sum(map(len, texts)) + sum(
        len(text) for face in faces for channel in face.get("channels", ()) for text in channel[2:]
    )
