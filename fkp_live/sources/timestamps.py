"""Presentation timestamps of files: filled in where they are missing, carried on where the clock begins anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from fkp_live.clock import CLOCK_JUMP

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class Timestamps:
    """Stamps decoded pictures, in the order in which they are shown.

    Parameters
    ----------
    base : seconds of one unit
    rate : pictures per second, for those without a timestamp; None: unknown
    by_decoding : the container stores decoding times only (AVI); FFmpeg guesses others from them

    Attributes
    ----------
    jumps : how often the clock went back, as in joined recordings
    """

    def __init__(self, base: Fraction, rate: Fraction | None, *, by_decoding: bool) -> None:
        self._base = base
        self._step = max(round(1 / (rate * base)), 1) if rate else 1
        self._by_decoding = by_decoding
        self.jumps = 0

    def stamped(self, pictures: Iterable[VideoFrame]) -> Iterator[tuple[int, VideoFrame]]:
        """Each picture with its timestamp; a clock that begins anew goes on from where it was."""
        previous: int | None = None
        shift = 0
        for picture in pictures:
            read = picture.dts if picture.pts is None or self._by_decoding else picture.pts
            due = 0 if previous is None else previous + self._step
            stamp = due if read is None else read + shift
            if previous is not None and (previous - stamp) * self._base > CLOCK_JUMP:
                shift += due - stamp
                stamp = due
                self.jumps += 1
            previous = stamp
            yield stamp, picture

    def note(self, name: str) -> str:
        """What to report in the end of the file ``name``; usually empty."""
        if not self.jumps:
            return ""
        times = "once" if self.jumps == 1 else f"{self.jumps} times"
        return f"the clock of {name} jumped back {times}; its parts were joined"
