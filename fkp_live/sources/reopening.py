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
# Seconds of pictures after which a source counts as back. One that is lost sooner is still in the loss before: a camera
# that gives one picture each time it is opened would go on for ever.
_SETTLED = 5.0


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
        self._until = 0.0  # when the source is given up
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
            shift, began = 0.0, None
            reason = InputError(f"{self._name} closed the connection.", "Check that the sender runs.")
            hung_up = True
            try:
                for frame in self._opened.frames:
                    if began is None and last is not None:
                        shift = last.time + (frame.arrived - last.arrived) - frame.time
                        self._back(frame, last)
                    if last is not None and connection:
                        seconds = frame.time + shift
                        frame = replace(frame, index=last.index + 1, time=seconds, connection=connection)
                    began = frame.arrived if began is None else began
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
            lasted = 0.0 if last is None or began is None else last.arrived - began
            self._reopen(reason, settled=connection == 0 or lasted >= _SETTLED)
            if self._left or not self._opened.info.live:
                self._opened.frames.close()
                return
            connection += 1

    def _reopen(self, reason: InputError, *, settled: bool) -> None:
        """Wait until the source is there again, or nobody waits for it any more.

        Parameters
        ----------
        settled : whether it had come back for good from the loss before

        Raises
        ------
        SourceLostError : it did not come back
        """
        if not self._seconds:
            raise SourceLostError(reason.message, reason.hint) from reason
        self._losses += 1
        self._state = f"{self._name} lost, trying again"
        self._lost_at = time.perf_counter()
        if settled:
            self._until = self._lost_at + self._seconds
        elif self._lost_at >= self._until:
            raise self._given_up(f"came back for moments only in {self._seconds:g} s", reason)
        self._report(f"{reason.message} Trying again for {round(self._until - self._lost_at, 1):g} s.")
        while True:
            self._pause(_PAUSE)
            if self._left:
                return
            try:
                self._opened = self._again()
                break
            except FkpError as error:  # also of two cameras that have the name now
                if time.perf_counter() >= self._until:
                    raise self._given_up(
                        f"did not come back within {self._seconds:g} s: {error.message}", reason
                    ) from error
        if not self._opened.info.live:
            # A broadcast whose playlist was completed: all of it is a film now, which begins anew.
            self._ending, self._state = f"{self._name} ended", ""
            self._losses, self._lost_at = self._losses - 1, None

    def _given_up(self, why: str, reason: InputError) -> SourceLostError:
        if self._lost_at is not None:
            self._gap, self._lost_at = self._gap + time.perf_counter() - self._lost_at, None
        self._state = f"{self._name} lost"
        return SourceLostError(f"{self._name} was lost and {why.rstrip('.')}.", reason.hint)

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
