"""Damage in a video file: counting what was skipped, and noticing that the end is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fkp_live.errors import InputError
from fkp_live.sources.container import CURE_DAMAGED, Container
from fkp_live.sources.truncation import is_truncated

if TYPE_CHECKING:
    from av.packet import Packet

_EARLY_END = 0.5  # seconds of declared duration that may be missing before a file counts as truncated
# Containers whose header declares the true duration; elsewhere it is an estimate and proves nothing.
_DECLARES_DURATION = {"mov", "mp4", "matroska", "webm"}
_INDEXED = _DECLARES_DURATION | {"avi", "flv"}


class Damage:
    """What was wrong with a file while it was read.

    Attributes
    ----------
    skipped : packets that are not whole or could not be decoded
    reached : end of the last packet of any track, in seconds on the file's clock
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file is read again from its beginning."""
        self.skipped = 0
        self.reached = 0.0
        self._broken_end = False
        self._ending = ""

    def usable(self, packet: Packet) -> bool:
        """Note a packet; whether to decode it."""
        if packet.pts is not None and packet.time_base is not None:
            self.reached = max(self.reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream is not self._container.stream:
            return False
        if packet.size:
            self._broken_end = packet.is_corrupt
        if packet.size and packet.is_corrupt and self._container.kinds & _INDEXED:
            # Half a frame: decoding it could spoil the good one before it.
            self.skipped += 1
            return False
        return True

    def undecodable(self) -> None:
        """Note that the last packet could not be decoded. Players go on, and so does a source."""
        self.skipped += 1
        self._broken_end = True

    def check_end(self) -> None:
        """Compare what was read with what the header declares: the demuxer of a truncated file often just ends.

        A file whose structure is complete is not truncated, whatever it declares: its last picture may be shown for
        long. That is only noted, and so is a cut that its times do not show.

        Raises
        ------
        InputError : the file is truncated
        """
        file = self._container
        if not self.reached or file.live:
            return
        truncated = None if file.path is None else is_truncated(file.path, file.kinds)
        missing = file.declared_end - self.reached if file.kinds & _DECLARES_DURATION else 0.0
        if missing > _EARLY_END and truncated is not False:
            raise InputError(
                f"{file.name} ends early: it declares {file.declared_end:.2f} s, "
                f"its data stops at {self.reached:.2f} s.",
                CURE_DAMAGED,
            )
        if self._broken_end and file.kinds & _INDEXED:
            raise InputError(
                f"{file.name} ends in the middle of a frame, at {self.reached:.2f} s.", CURE_DAMAGED
            )
        if truncated:
            self._ending = f"the end of {file.name} is missing; it was read up to {self.reached:.2f} s"
        elif missing > _EARLY_END:
            self._ending = (
                f"{file.name} declares {file.declared_end:.2f} s, but its data ends at {self.reached:.2f} s"
            )

    def note(self) -> str:
        """What to report in the end; usually empty."""
        name = self._container.name
        skipped = f"{self.skipped} damaged packets of {name} were skipped" if self.skipped else ""
        return "; ".join(note for note in (skipped, self._ending) if note)
