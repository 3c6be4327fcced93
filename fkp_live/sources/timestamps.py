"""Presentation timestamps of files: one clock that always grows, whatever the file's own clock does.

It is repaired here, once, so that every output has the same times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from fkp_live.clock import CLOCK_JUMP
from fkp_live.wording import counted

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Stamped = tuple[int, "VideoFrame"]
# Seconds. A longer step forward is compared with the picture after it: a single wild timestamp is not a gap.
_DOUBTFUL_GAP = 10.0
# Seconds; a longer gap is closed. MP4 has 2^31 ticks between two pictures, which is 6.6 h at 1/90,000 s.
_LONGEST_GAP = 6 * 3600.0


class Timestamps:
    """Stamps decoded pictures, in the order in which they are shown, each later than the one before.

    Parameters
    ----------
    base : seconds of one unit
    rate : pictures per second, for those without a timestamp; None: unknown
    by_decoding : the container stores decoding times only (AVI); FFmpeg guesses others from them
    """

    def __init__(self, base: Fraction, rate: Fraction | None, *, by_decoding: bool) -> None:
        self._base = base
        self._step = max(round(1 / (rate * base)), 1) if rate else 1
        self._by_decoding = by_decoding
        self._previous: int | None = None
        self._usual_step = self._step  # the last one that the file's clock made
        self._shift = 0  # from the file's clock to ours
        self._joined = self._closed = self._repaired = 0

    def stamped(self, pictures: Iterable[VideoFrame]) -> Iterator[Stamped]:
        """Each picture with its timestamp.

        Where the clock goes back (joined recordings) or forward by hours it goes on from where it was; a timestamp out
        of order, or far from both of its neighbours, is replaced by one between them.
        """
        held: Stamped | None = None
        for picture in pictures:
            read = picture.dts if picture.pts is None or self._by_decoding else picture.pts
            if held is not None:
                yield self._after_gap(held, read)
                held = None
            if self._seconds_ahead(read) > _DOUBTFUL_GAP and read is not None:
                held = read, picture
            else:
                yield self._stamp(read), picture
        if held is not None:
            yield self._after_gap(held, None)

    def _seconds_ahead(self, read: int | None) -> float:
        """From the last picture to a time on the file's clock; negative: back."""
        if read is None or self._previous is None:
            return 0.0
        return float((read + self._shift - self._previous) * self._base)

    def _after_gap(self, held: Stamped, following: int | None) -> Stamped:
        """A picture far behind the one before it, now that the time of the one after it is known."""
        read, picture = held
        if following is not None and 0.0 < self._seconds_ahead(following) <= _DOUBTFUL_GAP:
            self._repaired += 1
            return self._stamp(None), picture
        if self._seconds_ahead(read) > _LONGEST_GAP:
            self._closed += 1
            self._go_on_from(read)
        return self._stamp(read), picture

    def _stamp(self, read: int | None) -> int:
        """The timestamp of the next picture, from its time on the file's clock."""
        if self._seconds_ahead(read) < -CLOCK_JUMP and read is not None:
            self._joined += 1
            self._go_on_from(read)
        previous = self._previous
        due = 0 if previous is None else previous + self._due_in()
        stamp = due if read is None else read + self._shift
        if previous is not None and stamp <= previous:
            self._repaired += 1
            stamp = previous + max(self._due_in() // 2, 1)
        elif previous is not None and (stamp - previous) * self._base <= _DOUBTFUL_GAP:
            self._usual_step = stamp - previous
        self._previous = stamp
        return stamp

    def _due_in(self) -> int:
        """The step to a picture without a usable time; the average rate of a file with a long gap is far too low."""
        return min(self._step, self._usual_step)

    def _go_on_from(self, read: int) -> None:
        """Let a time on the file's clock be one step after the last picture."""
        assert self._previous is not None
        self._shift = self._previous + self._due_in() - read

    def note(self, name: str) -> str:
        """What to report in the end of the file ``name``; usually empty."""
        notes = []
        if self._joined:
            notes.append(f"the clock of {name} jumped back {_times(self._joined)}; its parts were joined")
        if self._closed:
            notes.append(f"the clock of {name} jumped forward {_times(self._closed)}; the gap was closed")
        if self._repaired:
            notes.append(f"{name}: {counted(self._repaired, 'timestamp')} out of order, repaired")
        return "; ".join(notes)


def _times(count: int) -> str:
    return "once" if count == 1 else counted(count, "time")
