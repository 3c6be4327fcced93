"""Live sources that are lost, a camera pulled out or a sender that hung up, and opened again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from fkp_live.errors import FkpError, InputError, SourceLostError
from fkp_live.sources.source import Frames, Opened
from fkp_live.types import Frame

_PAUSE = 0.5  # seconds before each attempt
_NAP = 0.1  # seconds in which a consumer that leaves is noticed


class Reopening:
    """The frames of a live source over all its connections.

    Index and time go on from one connection to the next, time by our clock while nothing comes; `Frame.connection`
    counts them.

    Parameters
    ----------
    opened : the first connection
    again : makes a new one; an FkpError means that it is not there yet
    seconds : how long a source that was lost is tried; 0: it fails at once; None: it fails at once too, but a sender
        that hangs up is the end of the stream
    report : called with a line for people, by the thread that reads, where the source is lost and where it is back
    """

    def __init__(
        self,
        opened: Opened,
        again: Callable[[], Opened],
        seconds: float | None,
        report: Callable[[str], object],
    ) -> None:
        self._opened, self._again, self._seconds, self._report = opened, again, seconds, report
        self._name = opened.info.name
        self._state = self._ending = self._sizes = ""
        self._losses, self._gap = 0, 0.0  # seconds of the gaps that are over
        self._lost_at: float | None = None  # begin of the gap that is not
        self._left = False

    def whole(self) -> Opened:
        """All connections as one source."""
        return Opened(self._opened.info, self._frames(), self.note, self.state, self.leave)

    def note(self) -> str:
        """What to report in the end; usually empty."""
        gaps = ""
        if self._losses:
            gap = self._gap + (0.0 if self._lost_at is None else time.perf_counter() - self._lost_at)
            often, in_all = ("once", "") if self._losses == 1 else (f"{self._losses} times", " in all")
            gaps = f"{self._name} was lost {often}, for {gap:.1f} s{in_all}"
        return "; ".join(filter(None, (self._opened.note(), gaps, self._sizes, self._ending)))

    def state(self) -> str:
        """What keeps frames from coming; empty while they come."""
        return self._state

    def leave(self) -> None:
        """Nobody reads any more. Takes no lock: it is called in signal handlers."""
        self._left = True

    def _frames(self) -> Frames:
        last: Frame | None = None
        connection = 0
        while True:
            shift, count = 0.0, 0
            reason = InputError(f"{self._name} closed the connection.", "Check that the sender runs.")
            hung_up = True
            try:
                for frame in self._opened.frames:
                    if count == 0 and last is not None:
                        shift = last.time + (frame.arrived - last.arrived) - frame.time
                        self._back(frame, last)
                    if connection:
                        index = last.index + 1 if last is not None else count
                        frame = replace(frame, index=index, time=frame.time + shift, connection=connection)
                    count += 1
                    last = frame
                    yield frame
            except InputError as error:
                reason, hung_up = error, False
            finally:
                self._opened.frames.close()
            if self._left:
                return
            if hung_up and self._seconds is None:
                self._ending = f"{self._name} closed the connection"
                return
            self._reopen(reason)
            if self._left or not self._opened.info.live:
                self._opened.frames.close()
                return
            connection += 1

    def _reopen(self, reason: InputError) -> None:
        """Wait until the source is there again, or nobody waits for it any more.

        Raises
        ------
        SourceLostError : it did not come back
        """
        if not self._seconds:
            raise SourceLostError(reason.message, reason.hint) from reason
        self._losses += 1
        self._state = f"{self._name} lost, trying again"
        self._report(f"{reason.message} Trying again for {self._seconds:g} s.")
        begun = self._lost_at = time.perf_counter()
        while True:
            self._pause(_PAUSE)
            if self._left:
                return
            try:
                self._opened = self._again()
                break
            except FkpError as error:  # also of two cameras that have the name now
                if (waited := time.perf_counter() - begun) >= self._seconds:
                    self._gap, self._lost_at = self._gap + waited, None
                    self._state = f"{self._name} lost"
                    raise SourceLostError(
                        f"{self._name} was lost and did not come back within {self._seconds:g} s: {error.message}",
                        reason.hint,
                    ) from error
        if not self._opened.info.live:
            # A broadcast whose playlist was completed: all of it is a film now, which begins anew.
            self._ending, self._state = f"{self._name} ended", ""
            self._losses, self._lost_at = self._losses - 1, None

    def _back(self, frame: Frame, last: Frame) -> None:
        gap = frame.arrived - last.arrived
        self._gap, self._lost_at = self._gap + gap, None
        self._state = ""
        self._report(f"{self._name} is back after {gap:.1f} s.")
        if frame.picture.size != last.picture.size:
            before, after = (f"{w}x{h}" for w, h in (last.picture.size, frame.picture.size))
            self._sizes = f"the picture size of {self._name} changed from {before} to {after}"
            self._report(f"{self._sizes[:1].upper()}{self._sizes[1:]}.")

    def _pause(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while not self._left and (rest := until - time.perf_counter()) > 1e-3:
            time.sleep(min(rest, _NAP))
